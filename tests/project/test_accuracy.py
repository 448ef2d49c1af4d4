"""benchmarks/accuracy.py: one command segments, labels, prepares and scores every method on the same people."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from semg_hht.datasets.simulated import write_simulation
from semg_hht.evaluation.comparison import OURS, HeldOutAnswers
from semg_hht.recordings.manifest import read_manifest
from semg_hht.signals.simulate import SimulationConfig

METHODS = ("plain", "best", "classical features", "duration alone", "RMS alone", "MDF alone")
N_PEOPLE = 6


@pytest.fixture
def accuracy(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module("accuracy")


@pytest.mark.slow
def test_recordings_with_a_sensor_are_segmented_labelled_and_scored_and_finished_folds_are_read(
    accuracy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    simulation = SimulationConfig(N_PEOPLE, n_repetitions=1, rate_hz=500.0)
    write_simulation(tmp_path / "simulated", simulation, seed=1, goniometer=True)
    force = replace(accuracy.FORCE, folder="simulated", sensor="elbow_angle", settings={"band_hz": (20.0, 200.0)})
    gender = replace(accuracy.ARMBAND_GENDER, folder="simulated", settings={"band_hz": (20.0, 200.0)})
    goals = accuracy.Goal(force, 0.88, "0.76", 1), accuracy.Goal(gender, 0.92, "0.87", 1)
    monkeypatch.setattr(accuracy, "GOALS", goals)
    command = ["accuracy.py", "--data", tmp_path, "--out", tmp_path / "out", "--quick", "--jobs", "1"]
    command += ["--recipe", "plain", "best"]
    monkeypatch.setattr(sys, "argv", [str(word) for word in command])
    accuracy.main()
    first = capsys.readouterr().out
    labelled = read_manifest(tmp_path / "out" / "half_or_full" / "labelled.csv")
    assert {row.movement for row in labelled} >= {"full", "half", "invalid"}
    n_used = sum(row.movement in ("full", "half") for row in labelled)
    assert f"half or full: {n_used} repetitions of {N_PEOPLE} people; goal 0.88, best simple method 0.76" in first
    assert f"of {N_PEOPLE} people by vote" in first
    for method in METHODS:
        assert sum(line.startswith(f"  {method} ") for line in first.splitlines()) in (2, 4), method
    header, _, *rows = first.splitlines()[-4:]
    assert header.split(" | ")[3] == "the network alone"
    assert {row.count("|") for row in rows} == {header.count("|")}
    answers = sorted(tmp_path.glob("out/*/evaluation_*/folds/*/answers.json"))
    assert len(answers) == 2 * 2 * 3
    before = [path.stat().st_mtime_ns for path in answers]
    accuracy.main()
    assert capsys.readouterr().out == first
    assert [path.stat().st_mtime_ns for path in answers] == before


def answers_that_are_right(shares: list[float], method: str) -> HeldOutAnswers:
    """Ten repetitions of each person, of two classes, with this share of right answers."""
    n = 10 * len(shares)
    labels = ["full", "half"] * (n // 2)
    right = [i < 10 * share for share in shares for i in range(10)]
    column = np.array([(label == "half") == is_right for label, is_right in zip(labels, right, strict=True)], dtype=int)
    subjects = tuple(f"S{i // 10}" for i in range(n))
    keys = tuple(str(i) for i in range(n))
    return HeldOutAnswers(
        "action_quality", method, ("full", "half"), keys, tuple(labels), subjects, ("",) * n, ("",) * n, keys,
        np.eye(2)[column],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "word"),
    [
        ([0.8, 0.8, 1.0, 1.0, 0.8], [0.4, 0.4, 0.6, 0.6, 0.6], "ahead"),
        ([0.4, 0.4, 0.6, 0.6, 0.6], [0.8, 0.8, 1.0, 1.0, 0.8], "behind"),
        ([0.8, 0.4, 1.0, 0.6, 0.8], [0.4, 0.8, 0.6, 1.0, 0.8], "equal"),
        ([1.0, 1.0], [0.4, 0.4], "undecided"),
    ],
)
def test_a_recipe_is_compared_with_the_best_other_method(
    accuracy: ModuleType, ours: list[float], theirs: list[float], word: str
) -> None:
    answers = {
        "plain": answers_that_are_right(ours, OURS),
        "worse": answers_that_are_right([0.2] * len(ours), "worse"),
        "better": answers_that_are_right(theirs, "better"),
    }
    found = accuracy.verdict(answers, "plain")
    assert found.startswith(f"{word}: ") and found.endswith(" to better")


def test_effort_leaves_out_rest(accuracy: ModuleType, real_data: Path) -> None:
    jobs = accuracy.EFFORT_LOG.jobs(real_data)
    assert {job.rows[0].extra["motion"] for job in jobs} == {"C2", "C3", "C4", "C5", "C6"}
    assert {
        row.channels for job in replace(accuracy.EFFORT_LOG, channels=("1",)).jobs(real_data) for row in job.rows
    } == {("1",)}
