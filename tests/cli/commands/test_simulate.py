"""Tests of `semg-hht simulate`."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import run


def test_recordings_and_their_labels_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("simulate", "--out", tmp_path / "rec", "--n_subjects", 4, "--n-repetitions", 1, "--rate-hz", 500)
    assert run(*words) == 0
    assert len(list((tmp_path / "rec").glob("*.csv"))) == 5
    assert "4 recordings, 3 repetitions each; the labels are in" in capsys.readouterr().out
    assert run(*words) == 1
    assert "this folder is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("mains", ["auto", "55"])
def test_the_mains_of_a_simulation_is_a_frequency_or_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mains: str
) -> None:
    assert run("simulate", "--out", tmp_path / "rec", "--mains", mains) == 1
    assert f"50, 60 or off; got '{mains}'" in capsys.readouterr().err
