"""Temperature and answer sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from semg_hht.evaluation.calibration import answer_sets, fit_temperature, set_threshold, with_temperature
from semg_hht.evaluation.metrics import ece


def drawn(n: int, temperature: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, 3) that are overconfident by ``temperature``, and labels drawn from the true probabilities."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.ones(3), size=n)
    labels = np.array([rng.choice(3, p=p) for p in true])
    return with_temperature(true, 1 / temperature), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_and_improves_the_calibration(temperature: float) -> None:
    probabilities, labels = drawn(6000, temperature, seed=0)
    found = fit_temperature(probabilities, [str(i) for i in range(6000)], labels)
    assert found == pytest.approx(temperature, rel=0.08)
    fresh, true = drawn(6000, temperature, seed=1)
    assert ece(true, with_temperature(fresh, found)) < 0.03
    if temperature != 1:
        assert ece(true, fresh) > 0.05


def test_rows_of_a_repetition_are_averaged_before_the_fit() -> None:
    rows = np.array([[0.99, 0.01], [0.6, 0.4], [0.1, 0.9], [0.4, 0.6]] * 20)
    keys = [f"{i // 2}" for i in range(80)]
    labels = [0, 0, 1, 1] * 20
    assert fit_temperature(rows, keys, labels) == pytest.approx(np.exp(-2), rel=0.05), "all right: as sure as may be"
    assert fit_temperature(rows, keys, [1 - label for label in labels]) > 10, "all wrong: hardly sure at all"


def test_a_few_people_who_were_all_answered_right_do_not_make_answers_much_surer() -> None:
    rows, labels = np.array([[0.8, 0.2], [0.3, 0.7]] * 20), [0, 1] * 20
    keys = [str(i) for i in range(40)]
    of_four, of_forty = (fit_temperature(rows, keys, labels, [str(i % n) for i in range(40)]) for n in (4, 40))
    assert fit_temperature(rows, keys, labels) < of_forty < of_four
    assert 0.4 < of_four < 0.9


def test_each_person_counts_once_for_the_temperature() -> None:
    rows, keys = np.tile([0.8, 0.2], (12, 1)), [str(i) for i in range(12)]
    labels, people = [0] * 11 + [1], ["right"] * 11 + ["wrong"]  # half of the people, where four fifths are promised
    assert fit_temperature(rows, keys, labels) < 1 < fit_temperature(rows, keys, labels, people)


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_a_temperature_keeps_the_order_and_the_sum(seed: int, temperature: float) -> None:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(4), size=5)
    scaled = with_temperature(probabilities, temperature)
    assert_allclose(scaled.sum(axis=1), 1)
    assert np.array_equal(scaled.argmax(axis=1), probabilities.argmax(axis=1))


@pytest.mark.parametrize("promise", [0.8, 0.9, 0.95])
def test_sets_reach_the_promised_coverage(promise: float) -> None:
    coverage = []
    for seed in range(30):
        probabilities, labels = drawn(200, 2.0, seed)
        fresh, true = drawn(200, 2.0, 1000 + seed)
        sets = answer_sets(fresh, set_threshold(probabilities, labels, promise))
        coverage.append(sets[np.arange(200), true].mean())
    assert np.mean(coverage) == pytest.approx(promise, abs=0.02)


def test_too_few_repetitions_give_threshold_zero() -> None:
    assert set_threshold(np.array([[0.9, 0.1]] * 8), [0] * 8, 0.9) == 0
    assert set_threshold(np.array([[0.9, 0.1]] * 9), [0] * 9, 0.9) == 0.9
    assert answer_sets(np.array([[0.7, 0.2, 0.1]]), 0.0).all()


def test_an_answer_that_does_not_reach_the_threshold_is_unsure() -> None:
    probabilities = np.array([[0.4, 0.35, 0.25], [0.6, 0.35, 0.05], [0.89, 0.1, 0.01], [0.92, 0.05, 0.03]])
    expected = [[True, True, True], [True, True, False], [True, True, False], [True, False, False]]
    assert answer_sets(probabilities, 0.99).tolist() == expected  # none is empty: the likeliest classes up to 90 %
    assert answer_sets(probabilities, 0.5).tolist() == [expected[0], *[[True, False, False]] * 3]
