"""Reading an evaluation or a run, and the messages for anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation_builders import copy_of_run
from semg_hht.errors import InputError
from semg_hht.reports.evaluations import open_evaluation
from semg_hht.system.files import write_json


def test_a_path_without_an_evaluation_gets_a_message(tmp_path: Path, evaluation: Path, simulated_run: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected an evaluation \(report.json\) or a finished run"):
        open_evaluation(tmp_path / "empty")
    with pytest.raises(InputError, match="found nothing"):
        open_evaluation(tmp_path / "absent")
    good = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    for content, message in (
        ([], "found another JSON"),
        ({**good, "format": 2}, "format 1; found another JSON"),
        ({**good, "protocols": {}}, "expected findings of at least one protocol"),
    ):
        write_json(tmp_path / "report.json", content)
        with pytest.raises(InputError, match=message):
            open_evaluation(tmp_path / "report.json")
    run = copy_of_run(simulated_run, tmp_path)
    write_json(run / "config.json", {})
    with pytest.raises(InputError, match="expected metrics, config and split of a run; KeyError"):
        open_evaluation(run)
    run = copy_of_run(simulated_run, tmp_path)
    (run / "history.jsonl").write_text("{oops", encoding="utf-8")
    with pytest.raises(InputError, match="expected a line of JSON an epoch"):
        open_evaluation(run)
