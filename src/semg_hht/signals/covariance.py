"""How the channels of a repetition go together, as one vector: for who recorded it, not for how strong it was.

Knows samples and rates: nothing of files, people or labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError

Array = NDArray[np.float64]

# Chosen on 19 people with an armband of 200 Hz, each left out in turn (gender, balanced accuracy of a ridge): 2, 3, 4,
# 6 lags 0.83, 0.85, 0.86, 0.86; windows of 1 s 0.87, of 0.5 s 0.85; see experiments/LOG.md.
LAG_S = 0.005
N_LAGS = 4
WINDOW_S = 1.0
# Added to each eigenvalue, as a share of their mean: the logarithm of a direction that holds next to nothing is noise.
FLOOR = 0.01
# Power of a window over that of all: what rounding leaves of constant channels is 1e-30, a bit of 16 about 1e-9.
STILL = 1e-15
MAX_CHANNELS = 16  # of a grid of 64 there would be 33,000 numbers


def mixing(samples: Array, rate_hz: float) -> Array:
    """How the channels go together over 15 ms: (n_channels, n_samples) -> (4 n_channels (4 n_channels + 1) / 2,).

    The matrix logarithm of the covariance of all channels and their copies 5, 10 and 15 ms later, mean over windows of
    1 s, half overlapping; its upper triangle, what is off the diagonal times the square root of two, so that Euclidean
    distance is that of the log-Euclidean metric (Arsigny et al. 2006, doi 10.1002/mrm.20965; covariances as points of a
    tangent space: Barachant et al. 2013, doi 10.1016/j.neucom.2012.12.039). The overall amplitude is divided out first;
    that of one channel against another stays. Samples are filtered already, and in one unit. What is shorter than 1 s
    is one window; windows in which nothing moves are left out.

    Raises
    ------
    InputError
        Too few samples for the lags, or no channel moves.
    """
    step = max(1, round(LAG_S * rate_hz))
    width = min(max(round(WINDOW_S * rate_hz), 1), samples.shape[1])
    n_lagged = width - (N_LAGS - 1) * step
    if n_lagged < 2:
        raise InputError(f"expected at least {(N_LAGS - 1) * step + 2} samples; found {samples.shape[1]}")
    scaled = samples / (float(samples.std()) or 1.0)
    windows = []
    for start in range(0, samples.shape[1] - width + 1, max(width // 2, 1)):
        lags = range(start, start + N_LAGS * step, step)
        lagged = np.concatenate([scaled[:, lag : lag + n_lagged] for lag in lags])  # (4 n_channels, n_lagged)
        covariance = np.atleast_2d(np.cov(lagged))
        if covariance.trace() >= STILL:
            windows.append(_logarithm(covariance))
    if not windows:
        raise InputError(f"no channel moves over {samples.shape[1]} samples; expected at least one that does")
    rows, columns = np.triu_indices(N_LAGS * samples.shape[0])
    weights = np.where(rows == columns, 1.0, np.sqrt(2.0))
    return np.asarray(np.mean(windows, axis=0)[rows, columns] * weights)


def _logarithm(covariance: Array) -> Array:
    """Of a symmetric matrix, each eigenvalue raised by the floor."""
    values, vectors = np.linalg.eigh(covariance)
    # Rounding leaves the eigenvalues of copies a little below 0.
    return np.asarray((vectors * np.log(np.maximum(values, 0.0) + FLOOR * values.mean())) @ vectors.T)
