"""The lagged covariance of all channels of a repetition, as one vector."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.signals.covariance import log_covariance


@pytest.fixture
def samples() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(size=(4, 4)) @ rng.normal(size=(4, 900)))


def test_one_value_for_each_pair_of_lagged_channels(samples: np.ndarray) -> None:
    assert log_covariance(samples, 200.0).shape == (16 * 17 // 2,)


def test_a_common_gain_does_not_matter_but_that_of_one_channel_does(samples: np.ndarray) -> None:
    assert_allclose(log_covariance(7 * samples, 200.0), log_covariance(samples, 200.0), atol=1e-9)
    louder = samples * np.array([[3.0], [1.0], [1.0], [1.0]])
    assert np.abs(log_covariance(louder, 200.0) - log_covariance(samples, 200.0)).max() > 0.5


def test_constant_windows_are_left_out(samples: np.ndarray) -> None:
    half = np.concatenate([np.zeros((4, 800)), samples], axis=1)  # windows start every half second
    assert_allclose(log_covariance(half, 200.0)[0], log_covariance(samples, 200.0)[0], atol=0.7)
    assert np.isfinite(log_covariance(half, 200.0)).all()


def test_independent_channels_of_equal_power_have_a_diagonal_covariance() -> None:
    noise = np.random.default_rng(1).normal(size=(3, 200_000))
    rows, columns = np.triu_indices(12)
    # Variance 1 plus the floor: log 1.01 on the diagonal, zero elsewhere.
    assert_allclose(log_covariance(noise, 1000.0), np.where(rows == columns, np.log(1.01), 0.0), atol=0.02)


def test_the_norm_is_that_of_the_matrix(samples: np.ndarray) -> None:
    """Entries off the diagonal are weighted by the square root of two, because the matrix contains each twice."""
    vector = log_covariance(samples, 200.0)
    rows, columns = np.triu_indices(16)
    matrix = np.zeros((16, 16))
    matrix[rows, columns] = np.where(rows == columns, vector, vector / np.sqrt(2))
    whole = matrix + np.triu(matrix, 1).T
    assert_allclose(np.sum(vector**2), np.sum(whole**2))


def test_a_constant_channel_and_a_short_recording_give_finite_values(samples: np.ndarray) -> None:
    samples[2] = 0.0
    assert np.isfinite(log_covariance(samples, 200.0)).all()
    assert np.isfinite(log_covariance(samples[:, :40], 200.0)).all()


def test_constant_and_too_short_samples_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(InputError, match="all channels are constant over 400 samples; expected one that varies"):
        log_covariance(np.zeros((4, 400)), 200.0)
    with pytest.raises(InputError, match="at least 5 samples; found 4"):
        log_covariance(samples[:, :4], 200.0)
