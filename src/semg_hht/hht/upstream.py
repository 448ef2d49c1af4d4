"""Reproduce the matrix of the tool that made most users' earlier matrices, so that old and new data can be compared.

The tool takes the absolute steps of the unwrapped phase of the analytic signal and repeats the last one; it clips
frequencies to the band, so that all energy outside accumulates in the edge rows; it spreads amplitude, not power, over
five rows; it pools time to 256 columns; and it takes a logarithm relative to the fifth percentile of the values above
zero. :mod:`semg_hht.hht.spectrum` does none of this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semg_hht.hht.hilbert import analytic_signal

Array = NDArray[np.float64]

N_BINS = 256
SPREAD = 2  # rows on either side that receive a share of an amplitude, exp(-d**2 / 2) at distance d


def upstream_matrix(imfs: Array, rate_hz: float, band_hz: tuple[float, float]) -> Array:
    """IMFs (n_imfs, n_samples) -> (256, 256) [frequency, time]; below 256 samples the last columns are zeros."""
    n_samples = imfs.shape[-1]
    low, high = band_hz
    z = analytic_signal(imfs)
    step = np.angle(z[:, 1:] * np.conj(z[:, :-1]))  # (n_imfs, n_samples - 1) in -pi..pi, those of an unwrapped phase
    frequency_hz = np.abs(np.concatenate([step, step[:, -1:]], axis=1)) * (rate_hz / (2 * np.pi))
    row = ((np.clip(frequency_hz, low, high) - low) / (high - low) * (N_BINS - 1)).astype(np.intp)

    # Spreading and pooling are linear, so pooling comes first: spreading 256 columns is faster than n_samples.
    edges = (np.arange(N_BINS + 1) * (n_samples / N_BINS)).astype(np.intp)
    if n_samples <= N_BINS:
        column, width = np.arange(n_samples), np.ones(N_BINS)
    else:
        column = np.searchsorted(edges, np.arange(n_samples), side="right") - 1
        width = np.diff(edges).astype(np.float64)
    cell = row * N_BINS + np.minimum(column, N_BINS - 1)
    summed = np.bincount(cell.ravel(), weights=np.abs(z).ravel(), minlength=N_BINS * N_BINS)
    pooled: Array = summed.reshape(N_BINS, N_BINS) / width  # (65536,) -> (256 frequency, 256 time)
    spread = np.zeros_like(pooled)
    for d in range(-SPREAD, SPREAD + 1):
        to = slice(max(d, 0), N_BINS + min(d, 0))
        spread[to] += np.exp(-0.5 * d * d) * pooled[max(-d, 0) : N_BINS + min(-d, 0)]
    positive = spread[spread > 0]
    return np.asarray(np.log1p(spread / np.percentile(positive, 5))) if positive.size else spread
