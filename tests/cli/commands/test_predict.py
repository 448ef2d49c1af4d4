"""Tests of `semg-hht predict`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_line import run
from conftest import Simulated


@pytest.mark.parametrize("checkpoint", ["", "best", "final"])
def test_matrices_are_predicted(simulated: Simulated, simulated_run: Path, tmp_path: Path, checkpoint: str) -> None:
    output = tmp_path / "out.json"
    words = ("--checkpoint", simulated_run / checkpoint, "--input", simulated.matrices, "--output", output, "--cpu")
    assert run("predict", *words) == 0
    assert len(json.loads(output.read_text())) == 12


def test_recordings_are_predicted_and_json_is_printed(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    words = ("--checkpoint", simulated_run, "--input", simulated.manifest.parent, "--output", output, "--json")
    assert run("predict", *words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(output.read_text(encoding="utf-8"))
    assert len(printed) == 4


def test_an_existing_output_is_not_replaced(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    output.write_text("mine")
    words = ["predict", "--checkpoint", simulated_run, "--input", simulated.matrices, "--output", output]
    assert run(*words) == 1
    assert "exists already; name another file, or say --overwrite" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert run(*words, "--overwrite") == 0


def test_settings_other_than_those_of_the_run_give_a_warning(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--input", simulated.manifest.parent, "--output", tmp_path / "o.json", "--band", 30, 200)
    assert run("predict", "--checkpoint", simulated_run, *words) == 0
    assert "recordings are not prepared as the training data of the run was" in capsys.readouterr().err


def test_no_usable_file_is_an_error(simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.npz").write_bytes(b"")
    words = ("predict", "--checkpoint", simulated_run)
    assert run(*words, "--input", tmp_path / "a.npz", "--output", tmp_path / "o") == 1
    assert "none of 1 files could be used; the first: " in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert run(*words, "--input", tmp_path, "--batch_size", 0) == 1
    assert "batch_size must be at least 1; got 0" in capsys.readouterr().err
