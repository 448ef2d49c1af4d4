"""Describe the covariance of a repetition's channels as one vector, independent of its overall amplitude.

It works on filtered samples and a sampling rate. It does not know people or labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError

Array = NDArray[np.float64]

# Chosen on 19 people with an armband of 200 Hz, by balanced accuracy of gender (ridge classifier, one person held out
# at a time): 2, 3, 4, 6 lags 0.83, 0.85, 0.86, 0.86; windows of 1 s 0.87, of 0.5 s 0.85; see experiments/LOG.md.
LAG_S = 0.005
N_LAGS = 4
WINDOW_S = 1.0
# Added to each eigenvalue, as a share of their mean: the logarithm of an eigenvalue near zero would be noise.
FLOOR = 0.01
# Smallest power of a window relative to the whole repetition. Rounding errors of constant channels have 1e-30, one bit
# of a 16-bit converter about 1e-9.
MIN_POWER_SHARE = 1e-15
MAX_CHANNELS = 16  # a grid of 64 channels would give 33,000 numbers


def lag_samples(rate_hz: float) -> int:
    """Samples between two copies of a channel in `log_covariance`."""
    return max(1, round(LAG_S * rate_hz))


def log_covariance(samples: Array, rate_hz: float, n_lags: int = N_LAGS) -> Array:
    """Logarithm of the lagged covariance: (n_channels, n_samples) -> (m (m + 1) / 2,), m = 4 n_channels.

    The covariance is that of all channels and their copies 5, 10 and 15 ms later, in half overlapping windows of 1 s; a
    shorter repetition is one window, and windows without any variation are left out. The result is the upper triangle
    of the mean matrix logarithm, with entries off the diagonal multiplied by the square root of two. Euclidean
    distances of such vectors are distances of the log-Euclidean metric (Arsigny et al. 2006, doi 10.1002/mrm.20965;
    covariances as points of a tangent space: Barachant et al. 2013, doi 10.1016/j.neucom.2012.12.039).

    samples : filtered, all channels in the same unit. The overall amplitude is divided out; the ratio of the channels'
        amplitudes remains.
    n_lags : number of copies, the first without a lag; 4 as above. 1: the covariance of the channels alone.

    Raises
    ------
    InputError
        Too few samples for the lags, or all channels are constant.
    """
    step = lag_samples(rate_hz)
    width = min(max(round(WINDOW_S * rate_hz), 1), samples.shape[1])
    n_lagged = width - (n_lags - 1) * step
    if n_lagged < 2:
        raise InputError(f"expected at least {(n_lags - 1) * step + 2} samples; found {samples.shape[1]}")
    scaled = samples / (float(samples.std()) or 1.0)
    windows = []
    for start in range(0, samples.shape[1] - width + 1, max(width // 2, 1)):
        lags = range(start, start + n_lags * step, step)
        lagged = np.concatenate([scaled[:, lag : lag + n_lagged] for lag in lags])  # (m, n_lagged)
        covariance = np.atleast_2d(np.cov(lagged))
        if covariance.trace() >= MIN_POWER_SHARE:
            windows.append(_logarithm(covariance))
    if not windows:
        raise InputError(f"all channels are constant over {samples.shape[1]} samples; expected one that varies")
    rows, columns = np.triu_indices(n_lags * samples.shape[0])
    weights = np.where(rows == columns, 1.0, np.sqrt(2.0))
    return np.asarray(np.mean(windows, axis=0)[rows, columns] * weights)


def _logarithm(covariance: Array) -> Array:
    """Logarithm of a symmetric matrix whose eigenvalues are raised by the floor."""
    values, vectors = np.linalg.eigh(covariance)
    # Linearly dependent channels have eigenvalues slightly below 0, by rounding.
    return np.asarray((vectors * np.log(np.maximum(values, 0.0) + FLOOR * values.mean())) @ vectors.T)
