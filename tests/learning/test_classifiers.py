"""classifiers.py: what answers beside the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders import make_dataset
from semg_hht.learning import classifiers
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.system.files import read_json

PLAIN = TrainingConfig(epochs=1, batch_size=8, learning_rate=1e-3)


def test_a_plain_run_has_an_svm_for_gender_alone(tmp_path: Path) -> None:
    train(make_dataset(n_subjects=8), tmp_path / "run", PLAIN, NetworkSize(base_channels=2), RunOptions(cpu=True))
    model = load_model(tmp_path / "run" / "best")
    assert list(model.svms) == ["gender"]
    assert list(model.description.calibration) == ["action_quality"]  # the only validation person has one gender
    assert not model.committees


def test_at_most_max_rows_repetitions_are_encoded_for_the_svm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make_dataset(n_subjects=6, n_repetitions=4, n_channels=2)
    seen: list[Dataset] = []
    of = classifiers._Encoded.of

    def spy(model: Any, people: Dataset) -> Any:
        seen.append(people)
        return of(model, people)

    monkeypatch.setattr(classifiers._Encoded, "of", spy)
    monkeypatch.setattr(classifiers, "MAX_ROWS", 18)
    train(dataset, tmp_path / "run", PLAIN, NetworkSize(base_channels=2), RunOptions(cpu=True))
    n_validation = 24 * len(read_json(tmp_path / "run" / "split.json")["validation"]["subjects"])
    assert n_validation > 0
    for people in seen:
        assert len(people) == n_validation + 2 * 18  # both channels of each repetition
        trained_on = [(row.subject, row.movement) for row in people.rows[: 2 * 18]]
        counts = [trained_on.count(kind) for kind in set(trained_on)]
        assert max(counts) - min(counts) <= 2
