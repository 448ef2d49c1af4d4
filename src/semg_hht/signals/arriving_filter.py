"""Filter a signal while it arrives, forwards and backwards as `preprocess` does. It works on arrays and a rate.

The forward pass goes on from piece to piece. The backward pass begins at the end of what has arrived, so the last
second changes when more arrives; what lies before does not change any more and is kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy

from semg_hht.signals.filters import Array, FilterConfig, find_hum, preprocess, sections

SETTLED_S = 1.0  # a filtered sample with so much signal after it does not change any more
PADDING_S = 0.5  # at either end, within which the notches settle; whole periods of 50 and of 60 Hz
HUM_S = 10.0  # between two looks for mains hum


class ArrivingFilter:
    """The last ``n_most`` samples of a signal that arrives piece by piece, raw and filtered.

    n_seen : samples since the beginning of the signal; ``start``: of these, the first that is kept.
    n_settled : samples since the beginning of the signal up to which the filtered ones do not change any more.

    Raises
    ------
    InputError
        The band does not fit the rate.
    """

    def __init__(self, n_channels: int, rate_hz: float, config: FilterConfig, n_most: int) -> None:
        self.rate_hz, self.n_seen, self.n_settled = rate_hz, 0, 0
        self._config, self._n_most = config, n_most
        # Raw, after the forward pass and after both. It is moved to the beginning when the buffer is full.
        self._buffer = np.zeros((3, n_channels, 2 * n_most))
        self._first = self._n = 0
        self._next_hum = self._n_filtered = 0
        self._mains_hz = None if config.mains_hz == "auto" else config.mains_hz
        self._begin()

    @property
    def start(self) -> int:
        return self.n_seen - self._n

    @property
    def raw(self) -> Array:
        """(n_channels, n_seen - start), a view."""
        return np.asarray(self._kept[0])

    @property
    def _kept(self) -> Array:
        return self._buffer[:, :, self._first : self._first + self._n]

    def add(self, samples: Array) -> None:
        """Add samples (n_channels, n_samples), at most ``n_most``."""
        n_new = samples.shape[1]
        if self._first + self._n + n_new > self._buffer.shape[2]:
            n_kept = self._n_most - n_new
            self._buffer[:, :, :n_kept] = self._kept[:, :, self._n - n_kept :].copy()
            self._first, self._n = 0, n_kept
        end = self._first + self._n
        self._buffer[0, :, end : end + n_new] = samples
        if not self._config.ecg:
            self._buffer[1, :, end : end + n_new] = self._forward(samples)
        n_dropped = max(0, self._n + n_new - self._n_most)
        self._first, self._n = self._first + n_dropped, self._n + n_new - n_dropped
        self.n_seen += n_new
        self.n_settled = max(self.n_settled, self.start)

    def filtered(self) -> Array:
        """(n_channels, n_seen - start), a view that is valid until samples are added."""
        raw, forward, filtered = self._kept
        if self._n_filtered == self.n_seen:
            return np.asarray(filtered)
        self._n_filtered = self.n_seen
        if self._config.ecg:  # heartbeats need the whole window
            filtered[:] = preprocess(raw, self.rate_hz, replace(self._config, mains_hz=self._mains_hz))
            self.n_settled = self.start
            return np.asarray(filtered)
        first = self.n_settled - self.start
        n_padding = min(round(PADDING_S * self.rate_hz), self._n - 1)
        # The forward pass has removed the hum, so what is reflected at the end has none.
        after = 2 * forward[:, -1:] - forward[:, -2 : -n_padding - 2 : -1]
        turned = np.concatenate([forward[:, first:], after], axis=1)[:, ::-1]
        both = scipy.signal.sosfilt(self._sos, turned, axis=1, zi=self._steady * turned[None, :, :1])[0]
        filtered[:, first:] = both[:, ::-1][:, : self._n - first]
        self.n_settled = max(self.n_settled, self.n_seen - round(SETTLED_S * self.rate_hz))
        return np.asarray(filtered)

    def look_for_hum(self) -> bool:
        """Look for mains hum now and then, and filter the window anew where it changed; returns whether it did."""
        if self.n_seen < self._next_hum:
            return False
        is_first, self._next_hum = not self._next_hum, self.n_seen + round(HUM_S * self.rate_hz)
        before = self._mains_hz
        if self._config.mains_hz == "auto":
            hum = find_hum(self.raw, self.rate_hz)
            self._mains_hz = hum.mains_hz if hum else None
        if self._config.ecg or (self._mains_hz == before and not is_first):
            return False
        self._begin()
        raw, forward, _ = self._kept
        self._forward(raw[:, : round(PADDING_S * self.rate_hz)])  # hum goes on from its end to the beginning
        forward[:] = self._forward(raw)
        self.n_settled, self._n_filtered = self.start, 0
        return True

    def _begin(self) -> None:
        self._sos = sections(self._config, self.rate_hz, self._mains_hz)
        self._steady = scipy.signal.sosfilt_zi(self._sos)[:, None, :]  # (n_sections, 1, 2) for a signal that stays at 1
        self._state: Array | None = None  # (n_sections, n_channels, 2)

    def _forward(self, samples: Array) -> Array:
        if self._state is None:  # as if the first value had stood for ever: an offset would ring
            self._state = self._steady * samples[None, :, :1]
        filtered, self._state = scipy.signal.sosfilt(self._sos, samples, axis=1, zi=self._state)
        return np.asarray(filtered)
