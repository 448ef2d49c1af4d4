"""Band-pass and mains notch, both zero-phase.

Knows samples, rates and Hz: nothing of files, people or spectra.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from semg_hht.errors import InputError

Array = NDArray[np.float64]

BAND_PASS_ORDER = 4  # run forwards and backwards: the slope is that of order 8
# Width at -3 dB of one pass, the same at every harmonic: with a constant quality they would widen, until above 300 Hz
# the muscle between two harmonics lost a tenth of its amplitude.
NOTCH_WIDTH_HZ = 2.0
# Filters can't be designed at Nyquist itself; the band ends this far up.
NYQUIST_SHARE = 0.95


@dataclass(frozen=True)
class FilterConfig:
    """``band_hz``: pass band in Hz. ``mains_hz``: 50, 60, or None for no notch; its harmonics are notched too."""

    band_hz: tuple[float, float] = (20.0, 450.0)
    mains_hz: float | None = 50.0

    def __post_init__(self) -> None:
        low, high = self.band_hz
        if not 0 < low < high:
            raise InputError(f"band {low:g}-{high:g} Hz is empty; expected 0 < low < high")
        if self.mains_hz is not None and self.mains_hz <= 0:
            raise InputError(f"mains frequency must be above 0 Hz; got {self.mains_hz:g}")


def effective_band_hz(config: FilterConfig, rate_hz: float) -> tuple[float, float]:
    """The pass band at this rate: the upper edge is clipped to 0.95 of Nyquist.

    Raises
    ------
    InputError
        The whole band lies above what the rate can hold.
    """
    low, high = config.band_hz
    ceiling = NYQUIST_SHARE * rate_hz / 2
    if low >= ceiling:
        raise InputError(
            f"band {low:g}-{high:g} Hz needs a rate above {2 * low / NYQUIST_SHARE:g} Hz; "
            f"the recording has {rate_hz:g} Hz"
        )
    return low, min(high, ceiling)


def preprocess(samples: Array, rate_hz: float, config: FilterConfig) -> Array:
    """Band-pass and notch (n_channels, n_samples) -> the same shape, zero-phase (each filter forwards and backwards).

    Raises
    ------
    InputError
        The band does not fit the rate, or the recording is too short for the filters to settle.
    """
    low, high = effective_band_hz(config, rate_hz)
    sections = [signal.butter(BAND_PASS_ORDER, [low, high], btype="bandpass", fs=rate_hz, output="sos")]
    if config.mains_hz is not None:
        harmonics = np.arange(config.mains_hz, high, config.mains_hz)
        sections += [
            signal.tf2sos(*signal.iirnotch(harmonic, harmonic / NOTCH_WIDTH_HZ, fs=rate_hz))
            for harmonic in harmonics
            if harmonic > low
        ]
    sos = np.concatenate(sections)  # (n_sections, 6)
    # Half a second settles the notches; scipy's own default counts sections, not seconds.
    n_pad = min(round(0.5 * rate_hz) + 3 * BAND_PASS_ORDER, samples.shape[-1] - 1)
    if samples.shape[-1] < 2 * BAND_PASS_ORDER + 1:
        raise InputError(f"expected at least {2 * BAND_PASS_ORDER + 1} samples to filter; found {samples.shape[-1]}")
    return np.asarray(signal.sosfiltfilt(sos, samples, axis=-1, padlen=n_pad), dtype=np.float64)
