"""Tests of `semg-hht export`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run
from conftest import Simulated

pytest.importorskip("onnx")


def test_int8_is_not_written_if_it_loses_accuracy(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ["export", "--checkpoint", simulated_run, "--data_dir", simulated.matrices, "--out"]
    assert run(*words, tmp_path / "float32", "--json") == 0
    assert json.loads(capsys.readouterr().out)["precision"] == "float32"
    monkeypatch.setattr("semg_hht.exports.quantise.ALLOWED_LOSS", -1.0)
    assert run(*words, tmp_path / "out", "--int8") == 0
    printed = capsys.readouterr()
    assert "float32 was written" in printed.err
    assert "balanced accuracy" in printed.out
    assert f"semg-hht predict --checkpoint {tmp_path / 'out'}" in printed.out
    written, expected = ((tmp_path / name / "network.bin").read_bytes() for name in ("out", "float32"))
    assert written == expected
