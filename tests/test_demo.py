"""Tests of the demo's labels and of the practice run. `tests/cli/commands/test_demo.py` runs the whole demo."""

from __future__ import annotations

from pathlib import Path

from semg_hht.demo import DemoSize, _labelled, practice_run
from semg_hht.inference.description import SIMULATED_NOTE
from semg_hht.prediction.run import open_run
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.system.files import read_json
from semg_hht.web.shared_run import Desk


def test_a_repetition_takes_the_label_of_the_true_one_that_it_overlaps_by_half() -> None:
    truth = [
        ManifestRow("a.csv", movement="full", start_s=1.0, stop_s=3.0),
        ManifestRow("a.csv", movement="half", start_s=4.0, stop_s=5.0),
        ManifestRow("b.csv", movement="invalid", start_s=1.0, stop_s=3.0),
    ]
    found = [
        ManifestRow("a.csv", start_s=1.5, stop_s=3.5),
        ManifestRow("a.csv", start_s=3.0, stop_s=4.4),
        ManifestRow("c.csv", start_s=1.0, stop_s=3.0),
    ]
    assert [(row.start_s, row.movement) for row in _labelled(found, truth)] == [(1.5, "full")]


def test_a_practice_run_answers_both_tasks(tmp_path: Path) -> None:
    folder = practice_run(tmp_path, size=DemoSize(4, 1))
    run = open_run(folder, cpu=True)
    assert set(run.classes) == {"action_quality", "gender"}
    assert run.description.note == SIMULATED_NOTE
    (prediction,) = run.predict(next((tmp_path / "prepared" / "hht_matrices").glob("*.npz")), n_jobs=1).predictions
    assert prediction.remarks == (SIMULATED_NOTE,)
    assert SIMULATED_NOTE in read_json(folder / "metrics.json")["notes"]  # the report shows these
    assert Desk(run).info("own").is_practice  # the page shows it wherever the run is opened from
