"""Tests of `generate_sample_data.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import run
from semg_hht.cli.commands.sample_data import sample_data
from semg_hht.cli.main import script


def test_recordings_instead_of_matrices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--output_dir", str(tmp_path), "--n_samples", "2", "--n-test", "1", "--raw"]
    monkeypatch.setattr("sys.argv", ["generate_sample_data.py", *words])
    with pytest.raises(SystemExit, match="0"):
        script(sample_data, "generate_sample_data.py")
    assert len(list(tmp_path.glob("*.csv"))) == 3
    assert "3 files in" in capsys.readouterr().out
    assert run("sample_data") == 2, "a script and not a verb"
