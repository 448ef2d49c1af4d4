"""signals/two_levels.py: rest and activity told apart by their levels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.signals.two_levels import MAX_EVIDENCE, LevelDistribution, most_likely, two_levels, two_levels_of_each

REST = LevelDistribution(0.0, 1.0)


def levels_of(seed: int, n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(seed)
    active = np.repeat(rng.random(n // 40) < 0.5, 40)
    return np.where(active, rng.uniform(2, 20, n), rng.normal(0, 1, n))


def test_two_levels_are_those_of_the_mixture() -> None:
    rng = np.random.default_rng(0)
    rest, activity = two_levels(np.concatenate([rng.normal(1, 0.8, 3000), rng.normal(20, 3, 1000)]))
    assert_allclose([rest.mean, rest.spread, activity.mean, activity.spread], [1, 0.8, 20, 3], rtol=0.15)


def test_together_they_are_as_alone() -> None:
    signals = [levels_of(seed) for seed in range(3)]
    assert two_levels_of_each(signals) == [two_levels(signal) for signal in signals]
    assert two_levels_of_each([]) == []


@pytest.mark.parametrize("seed", range(6))
def test_the_sequence_is_that_of_viterbi(seed: int) -> None:
    """Against the textbook's two tables of best likelihoods and of where they come from."""
    levels, loudest_db, n_dwell = levels_of(seed), 20.0, 50.0
    density = np.log(REST.spread * np.sqrt(2 * np.pi) / loudest_db) + np.maximum(levels, 0) ** 2 / 2
    gain = np.clip(density, -MAX_EVIDENCE, MAX_EVIDENCE)  # of activity over rest
    transition = np.log([[1 - 1 / n_dwell, 1 / n_dwell], [1 / n_dwell, 1 - 1 / n_dwell]])
    best, origin = np.zeros(2), []
    for one in gain:
        paths = best[:, None] + transition  # (from, to)
        origin.append(paths.argmax(axis=0))
        best = paths.max(axis=0) + [0, one]
    states = [int(best.argmax())]
    for came in origin[:0:-1]:
        states.append(int(came[states[-1]]))
    assert_array_equal(most_likely(levels, REST, loudest_db, n_dwell), np.array(states[::-1], dtype=bool))


def test_a_single_loud_frame_is_rest() -> None:
    levels = np.zeros(100)
    levels[50] = 20.0
    assert not most_likely(levels, REST, 20.0, 50.0).any()
