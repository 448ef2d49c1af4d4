"""verbs/exporting.py: a run that predicts without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

import semg_hht as sh
from conftest import Simulated
from semg_hht.verbs.exporting import export


def test_an_export_answers_as_its_run(simulated: Simulated, simulated_run: Path, tmp_path: Path) -> None:
    run = sh.open_run(simulated_run, cpu=True)
    result = export(run, tmp_path / "e", data=simulated.matrices)
    assert result.on_data and max(result.difference.values()) < 1e-5
    matrix = next(simulated.matrices.glob("*.npz"))
    answers = [one.predict(matrix)[0].answers["action_quality"] for one in (run, sh.open_run(tmp_path / "e"))]
    assert answers[0].prediction == answers[1].prediction


def test_an_export_is_not_exported_again(tmp_path: Path) -> None:
    with pytest.raises(sh.InputError, match="an export has no weights for torch"):
        export(sh.samples.RUN, tmp_path / "e")
