"""Tests of `semg-hht check`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from builders import make_dataset, truncate, write_dataset
from command_line import run


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


def test_long_lists_are_cut(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted(folder.glob("*.npz"))[:13]:
        truncate(path)
    assert run("check", folder) == 1
    printed = capsys.readouterr().out
    assert "error: unreadable (13)" in printed
    assert "and 3 more; --json lists all" in printed
