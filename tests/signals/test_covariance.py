"""signals/descriptors.py: all channels of a repetition as one vector."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.signals.covariance import mixing


@pytest.fixture
def samples() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(size=(4, 4)) @ rng.normal(size=(4, 900)))


def test_it_has_a_value_a_pair_of_lagged_channels(samples: np.ndarray) -> None:
    assert mixing(samples, 200.0).shape == (16 * 17 // 2,)


def test_it_forgets_the_gain_of_all_but_not_of_one(samples: np.ndarray) -> None:
    assert_allclose(mixing(7 * samples, 200.0), mixing(samples, 200.0), atol=1e-9)
    louder = samples * np.array([[3.0], [1.0], [1.0], [1.0]])
    assert np.abs(mixing(louder, 200.0) - mixing(samples, 200.0)).max() > 0.5


def test_windows_in_which_nothing_moves_are_left_out(samples: np.ndarray) -> None:
    half = np.concatenate([np.zeros((4, 800)), samples], axis=1)  # windows start each half second
    assert_allclose(mixing(half, 200.0)[0], mixing(samples, 200.0)[0], atol=0.7)
    assert np.isfinite(mixing(half, 200.0)).all()


def test_independent_channels_of_one_power_mix_to_nothing() -> None:
    noise = np.random.default_rng(1).normal(size=(3, 200_000))
    rows, columns = np.triu_indices(12)
    # Variance 1, raised by the floor: a diagonal of log 1.01, zero elsewhere.
    assert_allclose(mixing(noise, 1000.0), np.where(rows == columns, np.log(1.01), 0.0), atol=0.02)


def test_distance_is_that_of_the_matrices(samples: np.ndarray) -> None:
    """The weight of the square root of two off the diagonal: each such entry stands twice in the matrix."""
    vector = mixing(samples, 200.0)
    rows, columns = np.triu_indices(16)
    matrix = np.zeros((16, 16))
    matrix[rows, columns] = np.where(rows == columns, vector, vector / np.sqrt(2))
    whole = matrix + np.triu(matrix, 1).T
    assert_allclose(np.sum(vector**2), np.sum(whole**2))


def test_a_silent_channel_and_a_short_recording_are_finite(samples: np.ndarray) -> None:
    samples[2] = 0.0
    assert np.isfinite(mixing(samples, 200.0)).all()
    assert np.isfinite(mixing(samples[:, :40], 200.0)).all()


def test_what_can_not_be_told_is_said(samples: np.ndarray) -> None:
    with pytest.raises(InputError, match="no channel moves"):
        mixing(np.zeros((4, 400)), 200.0)
    with pytest.raises(InputError, match="at least 5 samples; found 4"):
        mixing(samples[:, :4], 200.0)
