"""Heart, band-pass and mains notch, each step zero-phase and each to be looked at.

Knows samples, rates and Hz: nothing of files, people or spectra of time and frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.signals.ecg import find_r_peaks, remove_ecg

Array = NDArray[np.float64]
MainsHz = float | Literal["auto"] | None

BAND_PASS_ORDER = 4  # run forwards and backwards: the slope is that of order 8
# Width at -3 dB of one pass, the same at every harmonic: with a constant quality they would widen, until above 300 Hz
# the muscle between two harmonics lost a tenth of its amplitude.
NOTCH_WIDTH_HZ = 2.0
# Filters can't be designed at Nyquist itself; the band ends this far up.
NYQUIST_SHARE = 0.95

MAINS_HZ = (50.0, 60.0)
SEGMENT_S = 1.0  # resolves 1 Hz: the grid wanders by less, up to the ninth harmonic
MIN_HUM_S = 0.5  # shorter recordings can't tell 50 from 60 Hz, nor a line from muscle
NEIGHBOURS = (3, 14)  # bins on either side that a line is held against; nearer ones hold the line's own skirt
# Three times the neighbourhood is where a notch takes out more hum than muscle: it is about 3 Hz wide, the bin 1.5.
LEAST_RATIO = 3.0


@dataclass(frozen=True)
class FilterConfig:
    """What is done to a recording before it is cut.

    band_hz : pass band in Hz.
    mains_hz : ``auto``: the mains frequency is looked for in each recording, and what stands out is notched. A
        frequency: it and all its harmonics are notched. None: no notch.
    ecg : take the heart's beat off, for muscles of the trunk.
    """

    band_hz: tuple[float, float] = (20.0, 450.0)
    mains_hz: MainsHz = "auto"
    ecg: bool = False

    def __post_init__(self) -> None:
        low, high = self.band_hz
        if not 0 < low < high:
            raise InputError(f"band {low:g}-{high:g} Hz is empty; expected 0 < low < high")
        if isinstance(self.mains_hz, str):
            if self.mains_hz != "auto":
                raise InputError(f"mains frequency must be 'auto', a number of Hz or none; got {self.mains_hz!r}")
        elif self.mains_hz is not None and self.mains_hz <= 0:
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
    """Filter (n_channels, n_samples) -> the same shape: the last of `filter_steps`, which see for errors."""
    return filter_steps(samples, rate_hz, config)[-1][1]


def filter_steps(samples: Array, rate_hz: float, config: FilterConfig) -> list[tuple[str, Array]]:
    """The recording (n_channels, n_samples) as it came and after each step, by name, each zero-phase.

    ``raw``; ``ECG removal (N beats)``, or ``(no heart found)`` and unchanged, where ``config.ecg`` asks for it;
    ``band-pass LOW-HIGH Hz``; ``notch LINE, ... Hz`` where there is something to notch.

    Raises
    ------
    InputError
        The band does not fit the rate, or the recording is too short for the filters to settle.
    """
    low, high = effective_band_hz(config, rate_hz)
    if samples.shape[-1] < 2 * BAND_PASS_ORDER + 1:
        raise InputError(f"expected at least {2 * BAND_PASS_ORDER + 1} samples to filter; found {samples.shape[-1]}")
    steps = [("raw", samples)]
    if config.ecg:  # first, for the band-pass takes most of what a heart is known by
        r_peaks = find_r_peaks(samples, rate_hz)
        found = f"{r_peaks.size} beats" if r_peaks.size else "no heart found"
        samples = remove_ecg(samples, rate_hz, r_peaks)
        steps.append((f"ECG removal ({found})", samples))
    band = scipy.signal.butter(BAND_PASS_ORDER, [low, high], btype="bandpass", fs=rate_hz, output="sos")
    steps.append((f"band-pass {low:g}-{high:g} Hz", _zero_phase(band, samples, rate_hz, [])))
    lines_hz = [line for line in _lines_hz(samples, rate_hz, config.mains_hz, high) if low < line < high]
    if lines_hz:
        notches = [
            scipy.signal.tf2sos(*scipy.signal.iirnotch(line, line / NOTCH_WIDTH_HZ, fs=rate_hz)) for line in lines_hz
        ]
        # One run of all sections: a second one over filtered samples would pad their ends anew.
        name = f"notch {', '.join(f'{line:g}' for line in lines_hz)} Hz"
        steps.append((name, _zero_phase(np.concatenate([band, *notches]), samples, rate_hz, lines_hz)))
    return steps


def _zero_phase(sos: Array, samples: Array, rate_hz: float, lines_hz: list[float]) -> Array:
    """Forwards and backwards through the sections (n_sections, 6), of which some notch ``lines_hz``."""
    # Half a second settles the notches; scipy's own default counts sections, not seconds.
    n_pad = min(round(0.5 * rate_hz) + 3 * BAND_PASS_ORDER, samples.shape[-1] - 1)
    filtered = np.empty(samples.shape)
    for channel, out in zip(samples, filtered, strict=True):  # one by one: nothing but a channel is held twice
        before = _continued(channel[::-1], n_pad, rate_hz, lines_hz)[::-1]
        after = _continued(channel, n_pad, rate_hz, lines_hz)
        whole = scipy.signal.sosfiltfilt(sos, np.concatenate([before, channel, after]), padtype=None)
        out[:] = whole[n_pad : n_pad + channel.size]
    return filtered


def _continued(channel: Array, n_pad: int, rate_hz: float, lines_hz: list[float]) -> Array:
    """What may come after (n_samples,): its hum goes on, the rest is turned around its last sample.

    Turned around with the rest, the hum would change its phase at the edge, and a notch rings for a third of a second.
    """
    end = channel[-max(n_pad + 1, min(channel.size, round(rate_hz))) :]
    angles = 2 * np.pi * np.outer(np.arange(end.size + n_pad), lines_hz) / rate_hz
    waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)  # (n_end + n_pad, 2 n_lines)
    weights = np.linalg.lstsq(waves[: end.size], end - end.mean(), rcond=None)[0]
    hum = waves @ weights
    rest = end - hum[: end.size]
    return np.asarray(2 * rest[-1] - rest[-2 : -n_pad - 2 : -1] + hum[end.size :])


def _lines_hz(samples: Array, rate_hz: float, mains_hz: MainsHz, high_hz: float) -> tuple[float, ...]:
    if mains_hz is None:
        return ()
    if mains_hz == "auto":
        hum = find_hum(samples, rate_hz)
        return hum.lines_hz if hum else ()
    return tuple(np.arange(mains_hz, high_hz, mains_hz).tolist())


@dataclass(frozen=True)
class Hum:
    """The mains in a recording: its frequency, and which of its harmonics (with the first) stand out."""

    mains_hz: float
    lines_hz: tuple[float, ...]


def find_mains_hz(samples: Array, rate_hz: float) -> float | None:
    """50 or 60 where hum of that frequency stands out of (n_channels, n_samples), else None; see `find_hum`."""
    hum = find_hum(samples, rate_hz)
    return hum.mains_hz if hum else None


def find_hum(samples: Array, rate_hz: float) -> Hum | None:
    """Which mains hums in (n_channels, n_samples), in any units; None: neither, or too short to tell.

    The spectrum is taken as Welch does (1967, doi 10.1109/TAU.1967.1161901), in half overlapping Hann windows of a
    second, but each window is divided by the median of the line's neighbours before they are averaged: hum goes on
    while the muscle rests, so the rests may tell. A line stands out where that ratio, averaged over windows and
    channels, passes three, and what muscle alone reaches with so few windows.

    Simulated muscle without hum was taken for humming in 9 of 26,500 pieces of 0.5 to 30 s. Hum is found in 85 of 100
    pieces or more from -5 dB of the muscle on in 1 s of curls, from -30 dB in 3 s and more, for the muscle rests in
    between; of a steady contraction from 0 dB in 1 s, -10 dB in 3 s, -15 dB in 30 s (table in experiments/LOG.md).
    """
    n_samples = samples.shape[-1]
    if n_samples < MIN_HUM_S * rate_hz:
        return None
    n_window = min(n_samples, round(SEGMENT_S * rate_hz))
    ratios: dict[float, float] = {}
    n_windows = 0
    for channel in samples:  # one by one: the windows of an hour of all channels would not fit in memory
        spectrum = scipy.signal.spectrogram(channel, rate_hz, "hann", n_window, n_window // 2, detrend="constant")
        n_windows = spectrum[2].shape[-1]
        loudest = float(np.abs(channel).max())
        floor = (1e-9 * loudest) ** 2 + np.finfo(np.float64).tiny  # rounding of a flat channel is no neighbourhood
        for line in _candidates_hz(rate_hz):
            ratio = _above_neighbours(spectrum[0], spectrum[2], line, floor)
            ratios[line] = ratios.get(line, 0.0) + ratio / len(samples)
    # What muscle alone reaches about once in 1000 simulated pieces.
    threshold = max(LEAST_RATIO, 1 + 4 / np.sqrt(n_windows) + 14 / n_windows)
    lines = [line for line, ratio in ratios.items() if ratio > threshold]
    telling = [line for line in lines if sum(line % mains == 0 for mains in MAINS_HZ) == 1]  # 300 Hz is of both
    if not telling:
        return None
    strongest = max(telling, key=lambda line: ratios[line])
    mains_hz = next(mains for mains in MAINS_HZ if strongest % mains == 0)
    return Hum(mains_hz, tuple(sorted(line for line in lines if line % mains_hz == 0)))


def _candidates_hz(rate_hz: float) -> list[float]:
    """50 and 60 Hz with all harmonics that the rate holds."""
    ceiling = NYQUIST_SHARE * rate_hz / 2
    return sorted({line for mains in MAINS_HZ for line in np.arange(mains, ceiling, mains).tolist()})


def _above_neighbours(frequency_hz: Array, power: Array, line_hz: float, floor: float) -> float:
    """Power (n_frequencies, n_windows) at a line over what its neighbours let expect, mean over windows."""
    distance = np.abs(np.arange(frequency_hz.size) - round(line_hz / frequency_hz[1]))
    near = (distance >= NEIGHBOURS[0]) & (distance <= NEIGHBOURS[1])
    expected = np.median(power[near], axis=0) / np.log(2)  # noise power is exponential: its median is ln 2 of its mean
    return float(np.mean(power[distance == 0] / np.maximum(expected, floor)))
