"""Tests of `semg-hht explain` and of `predict --explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_line import run
from conftest import Simulated
from semg_hht.errors import InputError
from semg_hht.recordings.manifest import read_manifest


def test_a_picture_and_its_text_are_written(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "why.png"
    recording = simulated.manifest.parent / read_manifest(simulated.manifest)[0].file
    words = ["explain", "--checkpoint", simulated_run, "--cpu", "--input", recording, "--out", out,
             "--task", "action_quality"]  # fmt: skip
    assert run(*words, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content["repetition"] == 1
    assert content["action_quality"]["evidence"]["imfs"][0]["imf"] == 1
    picture = out.read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert run(*words) == 1
    assert "exists already" in capsys.readouterr().err
    assert run(*words, "--overwrite") == 0
    assert out.read_bytes() == picture
    assert "action quality" in capsys.readouterr().out


def test_one_file_is_explained(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["explain", "--checkpoint", simulated_run, "--cpu", "--input"]
    out = tmp_path / "why.png"
    assert run(*words, simulated.manifest, "--out", out, "--task", "gender") == 1
    assert "holds several files" in capsys.readouterr().err
    assert run(*words, simulated.manifest, "--file", "x.csv", "--out", out) == 1
    assert "does not hold the file 'x.csv'" in capsys.readouterr().err
    last = read_manifest(simulated.manifest)[-1].file
    assert run(*words, simulated.manifest, "--file", last, "--out", tmp_path / "b.png", "--json") == 0
    assert json.loads(capsys.readouterr().out)["file"] == last
    broken = tmp_path / "Test1.npz"
    broken.write_bytes(b"no npz")
    assert run(*words, broken, "--out", out) == 1
    assert "can't be read as npz" in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture
def explained(simulated: Simulated, simulated_run: Path, tmp_path: Path) -> list[Any]:
    """`predict --explain` of all recordings."""
    return ["predict", "--checkpoint", simulated_run, "--cpu", "--input", simulated.manifest,
            "--output", tmp_path / "out.json", "--explain", tmp_path / "why"]  # fmt: skip


def test_predict_explains_each_repetition(
    explained: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semg_hht.reports.explanation_text.MAX_EXPLAINED", 2)
    assert run(*explained) == 0
    output = tmp_path / "out.json"
    evidence = [e for entry in json.loads(output.read_text()).values() for e in entry.get("evidence", [])]
    assert len(evidence) == 4  # two repetitions, two tasks each
    assert {e["picture"] for e in evidence} == {path.name for path in (tmp_path / "why").iterdir()}
    assert all(e["said"] for e in evidence)
    assert "the first 2 repetitions were explained" in capsys.readouterr().err
    output.unlink()
    assert run(*explained) == 1
    assert "this folder is not empty" in capsys.readouterr().err
    assert not output.exists()


def test_predictions_are_kept_if_the_explanation_fails(
    explained: list[Any], simulated: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fails(*_: object) -> None:
        raise InputError("no evidence today")

    monkeypatch.setattr("semg_hht.verbs.predicting.draw_evidence", fails)
    assert run(*explained) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert f"no evidence today. The predictions are in {tmp_path / 'out.json'}; to run the same" in error
    predicted = json.loads((tmp_path / "out.json").read_text())
    assert len(predicted) == len({row.file for row in read_manifest(simulated.manifest)})
