"""array_answers.py: what the recipe auto fits, from arrays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.learning.array_answers import ArrayRepetitions, ArrayTask, few_people, fit_committee, fit_network
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize
from semg_hht.matrices.transform import configure
from semg_hht.signals.features import features_of

CONFIG = configure()
LABELS = [0, 1] * 12
PEOPLE = [f"P{i // 4}" for i in range(24)]


def repetitions(people: list[str], n_channels: int = 2) -> ArrayRepetitions:
    rng = np.random.default_rng(0)
    samples = [rng.normal(size=(n_channels, 200)) * (1 + 3 * (i % 2)) for i in range(len(people))]
    return ArrayRepetitions(samples, [features_of(one, 1000.0) for one in samples], people, 1000.0)


def test_the_rules_of_gender_hold_where_a_person_has_one_class() -> None:
    assert ArrayTask.of([0, 0, 1, 1], 2, ["a", "a", "b", "b"]).key == "gender"
    assert ArrayTask.of([0, 1, 1, 1], 2, ["a", "a", "b", "b"]).key == "action_quality"
    assert ArrayTask.of([0, 1], 2, ["a", "b"]).key == "action_quality"  # nothing says that a person keeps a class


def test_a_committee_of_measures_is_chosen_and_calibrated() -> None:
    fitted = fit_committee(repetitions(PEOPLE), ArrayTask.of(LABELS, 2, PEOPLE), CONFIG)
    assert fitted.chosen.name == "measures" and fitted.chosen.scores["measures"] > 0.9
    answers = fitted.probabilities(repetitions(["new"] * 6), CONFIG)
    assert_allclose(answers.sum(axis=1), 1)
    assert_array_equal(answers.argmax(axis=1), [0, 1] * 3)
    with pytest.raises(InputError, match="the repetitions lack "):
        fitted.probabilities(repetitions(["new"] * 2, n_channels=3), CONFIG)


def test_a_class_of_one_group_of_people_cannot_be_judged() -> None:
    """Of 13 people the first two are left out together."""
    labels, people = [1, 1] + [0] * 22, ["P00", "P01"] + [f"P{i:02d}" for i in range(2, 13) for _ in range(2)]
    with pytest.raises(InputError, match="a class is missing when a tenth of the people is left out"):
        fit_committee(repetitions(people), ArrayTask.of(labels, 2, people), CONFIG)


def test_a_network_answers_in_the_order_of_the_classes() -> None:
    training = TrainingConfig(epochs=1, batch_size=8, learning_rate=1e-3)
    task = ArrayTask.of(LABELS, 2, PEOPLE)
    fitted = fit_network(repetitions(PEOPLE), task, CONFIG, training, NetworkSize(3, 2))
    assert fitted.model.description.classes == {"action_quality": task.names}
    assert fitted.probabilities(repetitions(["new"] * 3), CONFIG).shape == (3, 2)


def test_reasons_against_leaving_people_out() -> None:
    assert few_people(LABELS, PEOPLE, 2) == ""
    assert few_people([0, 1], ["a", "b"], 2) == "expected 4 people or more to leave out in turn; found 2"
    assert "of a single person" in few_people([0, 0, 0, 1], ["a", "b", "c", "d"], 2)
