"""classifiers.py: what answers beside the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import make_dataset
from semg_hht.learning import classifiers
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train

PLAIN = TrainingConfig(epochs=1, batch_size=8, learning_rate=1e-3)


def test_a_plain_run_has_an_svm_for_gender_alone(tmp_path: Path) -> None:
    train(make_dataset(n_subjects=8), tmp_path / "run", PLAIN, NetworkSize(base_channels=2), RunOptions(cpu=True))
    model = load_model(tmp_path / "run" / "best")
    assert list(model.svms) == ["gender"]
    assert list(model.description.calibration) == ["action_quality"]  # the only validation person has one gender
    assert not model.committees


def test_at_most_so_many_repetitions_are_fitted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fitted: list[Dataset] = []
    original = classifiers._Encoded.of

    def spied(model: object, people: Dataset) -> object:
        fitted.append(people)
        return original(model, people)  # type: ignore[arg-type]

    monkeypatch.setattr(classifiers, "MAX_ROWS", 6)
    monkeypatch.setattr(classifiers._Encoded, "of", spied)
    dataset = make_dataset(n_subjects=6)
    train(dataset, tmp_path / "run", replace(PLAIN, test_size=0.2), NetworkSize(base_channels=2), RunOptions(cpu=True))
    n_validation = 6  # one person, three movements, two repetitions
    assert {len(people) for people in fitted} == {6 + n_validation}
    assert np.isin(fitted[0].subjects, dataset.subjects).all()
