"""Tests of `semg-hht check`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from builders import SETTINGS, make_dataset, truncate, write_dataset
from command_line import run
from semg_hht.matrices.matrix import Matrix, write_matrix


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(make_dataset(), tmp_path / "data")


def test_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", folder) == 0
    assert run("check", folder, "--strict") == 1  # class warnings: two of five people are M
    files = sorted(folder.glob("*.npz"))
    shutil.copy(files[0], files[-1])
    capsys.readouterr()
    assert run("check", folder) == 1
    printed = capsys.readouterr().out
    assert "error: duplicate\n" in printed
    assert f"{files[0].name} and {files[-1].name} are the same matrix as subject S01 and S05" in printed
    assert "-> keep one of them" in printed


def test_json_holds_the_findings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(folder / "p0_full_0_ch0.npz", folder / "p1_full_0_ch0.npz")
    assert run("check", folder, "--json") == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["n_files"] == 30
    assert printed["n_errors"] == 1
    assert printed["findings"][0]["files"] == ["p0_full_0_ch0.npz", "p1_full_0_ch0.npz"]
    assert printed["findings"][0]["advice"]


def test_equal_files_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(folder.glob("*.npz"))
    for path in files[1:15]:
        shutil.copy(files[0], path)
    assert run("check", folder) == 1
    printed = capsys.readouterr().out
    assert "error: duplicate\n  15 files are the same matrix as subject S01" in printed
    assert "and 12 more\n  --json lists all\n  -> keep one of them" in printed
    run("check", folder, "--json")
    [same] = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["what"] == "duplicate"]
    assert same["files"] == [path.name for path in files[:15]]


def test_files_with_the_same_fault_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(folder.glob("*.npz"))[:13]:
        truncate(path)
    assert run("check", folder) == 1
    printed = capsys.readouterr().out
    assert "error: unreadable (13)\n  13 files (" in printed
    assert "--json lists all" in printed
    assert printed.count("can't be read") == 1


def test_wrong_names_are_one_finding_which_advises_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(5):
        write_matrix(
            tmp_path / f"curl {i}.npz", Matrix(np.random.default_rng(i).random((1, 256, 256), np.float32), SETTINGS)
        )
    assert run("check", tmp_path) == 1
    printed = capsys.readouterr().out
    assert "5 of 5 names don't state one movement and one gender, as curl 0.npz, curl 1.npz, curl 2.npz" in printed
    assert "-> name them MUSCLE_movement_GENDER_NNN" in printed
    assert "without a label" not in printed
    assert "correct the labels in the manifest" not in printed
    assert max(map(len, printed.splitlines())) < 240
