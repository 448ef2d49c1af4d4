"""benchmarks/audit.py: a few plants of each kind in simulated recordings."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest


def test_every_copy_and_wrong_unit_in_simulated_recordings_is_found(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    benchmark = importlib.import_module("audit")
    benchmark.main(["--quick", "--only", "^copy, [er]|^values|^movement|^one stretch"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 8
    assert all("| 2/2 |" in row for row in rows if row.startswith(("| copy", "| values"))), rows
