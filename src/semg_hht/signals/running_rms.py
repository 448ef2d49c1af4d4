"""Root mean square of the last quarter second of each channel, while samples arrive.

It works on arrays. The filter is causal, so a value is late by some milliseconds and never changes afterwards.
"""

from __future__ import annotations

import numpy as np
import scipy

from semg_hht.signals.filters import BAND_PASS_ORDER, Array, FilterConfig, effective_band_hz

WINDOW_S = 0.25


class RunningRms:
    """The band-passed RMS of channels to which samples are added piece by piece.

    Mains hum within the band counts, as a notch that is narrow enough would answer too slowly.

    Raises
    ------
    InputError
        The band does not fit the rate.
    """

    def __init__(self, n_channels: int, rate_hz: float, config: FilterConfig) -> None:
        band_hz = effective_band_hz(config, rate_hz)
        self._sos = scipy.signal.butter(BAND_PASS_ORDER, band_hz, btype="bandpass", fs=rate_hz, output="sos")
        self._state = np.zeros((len(self._sos), n_channels, 2))
        self._squares = np.zeros((n_channels, max(1, round(WINDOW_S * rate_hz))))
        self._is_first = True

    def add(self, samples: Array) -> Array:
        """Add samples (n_channels, n_samples); returns their squares after the filter, of the same shape."""
        if not samples.shape[1]:
            return samples
        if self._is_first:  # as if the first value had stood for ever: an offset would ring
            self._is_first = False
            steady = scipy.signal.sosfilt_zi(self._sos)  # (n_sections, 2)
            self._state = steady[:, None, :] * samples[None, :, :1]
        filtered, self._state = scipy.signal.sosfilt(self._sos, samples, axis=1, zi=self._state)
        squares = np.square(filtered)
        n = self._squares.shape[1]
        self._squares = np.concatenate([self._squares, squares], axis=1)[:, -n:]
        return np.asarray(squares)

    @property
    def value(self) -> Array:
        """RMS of each channel, (n_channels,), in the units of the samples."""
        return np.asarray(np.sqrt(self._squares.mean(axis=1)))
