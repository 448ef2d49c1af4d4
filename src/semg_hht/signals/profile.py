"""Describe each channel of a repetition by its power in bands of frequency and in parts of its duration.

It works on filtered samples and a sampling rate. It does not know people or labels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_BANDS, N_PARTS = 8, 12
FLOOR = 1e-6  # share of the channel's mean power that is added to each, so that silence has a logarithm


def power_profile(samples: Array, rate_hz: float, band_hz: tuple[float, float]) -> Array:
    """Logarithms of power: (n_channels, n_samples) -> (n_channels, 20), in logarithms of squared units.

    The first 8 numbers are the power in bands of equal ratio from ``band_hz[0]`` to ``band_hz[1]`` (clipped below half
    the rate), the other 12 the power in equal parts of the repetition: the spectrum and the course of the effort of
    each channel, which a covariance of channels does not hold.

    samples : at least 12 a channel.
    """
    mean_power = np.mean(samples**2, axis=1, keepdims=True)  # (n_channels, 1)
    floor = FLOOR * np.maximum(mean_power, np.finfo(float).tiny / FLOOR)
    n = samples.shape[1]
    window = np.hanning(n + 2)[1:-1]
    power = np.abs(np.fft.rfft(samples * window, axis=1)) ** 2 / (window**2).sum()  # (n_channels, n_frequencies)
    frequency_hz = np.fft.rfftfreq(n, 1 / rate_hz)
    edges_hz = np.geomspace(band_hz[0], min(band_hz[1], rate_hz / 2), N_BANDS + 1)
    bands = []
    for low, high in zip(edges_hz[:-1], edges_hz[1:], strict=True):
        inside = (frequency_hz >= low) & (frequency_hz < high)
        if not inside.any():  # a short repetition has few frequencies
            inside[np.abs(frequency_hz - np.sqrt(low * high)).argmin()] = True
        bands.append(power[:, inside].mean(axis=1) * (high - low) * 2 / rate_hz)
    parts = [(part**2).mean(axis=1) for part in np.array_split(samples, N_PARTS, axis=1)]
    return np.asarray(np.log(np.stack([*bands, *parts], axis=1) + floor))
