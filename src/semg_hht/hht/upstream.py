"""The matrix of the tool most of our users prepared theirs with, so that old and new data can be compared.

Facts of its recipe, in the order in which it goes: the phase of the analytic signal, unwrapped, its steps taken without
their sign and the last one repeated; frequencies clipped to the band, so that all energy outside piles up in the edge
rows; amplitude, not power, smeared over five rows; time pooled to 256; a logarithm over the fifth percentile of what is
not zero. :mod:`semg_hht.hht.spectrum` does none of this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semg_hht.hht.hilbert import analytic_signal

Array = NDArray[np.float64]

N_BINS = 256
SPREAD = 2  # rows on either side that an amplitude is smeared over, by exp(-d**2 / 2)


def upstream_matrix(imfs: Array, rate_hz: float, band_hz: tuple[float, float]) -> Array:
    """IMFs (n_imfs, n_samples) -> (256, 256) [frequency, time]; a signal below 256 samples leaves columns of zeros."""
    n_samples = imfs.shape[-1]
    low, high = band_hz
    z = analytic_signal(imfs)
    step = np.angle(z[:, 1:] * np.conj(z[:, :-1]))  # (n_imfs, n_samples - 1) in -pi..pi, as unwrapping leaves it
    frequency_hz = np.abs(np.concatenate([step, step[:, -1:]], axis=1)) * (rate_hz / (2 * np.pi))
    row = ((np.clip(frequency_hz, low, high) - low) / (high - low) * (N_BINS - 1)).astype(np.intp)

    # Smearing and pooling are linear: pool first, on 256 columns instead of n_samples.
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
