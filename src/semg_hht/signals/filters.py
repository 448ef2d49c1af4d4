"""Filter a recording: ECG removal, band-pass and mains notch, each zero-phase, with the result of every step.

It works on arrays and sampling rates. It does not read files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.welch import window_powers
from semg_hht.signals.ecg import find_r_peaks, remove_ecg
from semg_hht.signals.sections import TOGETHER, band_pass, filter_both_ways, notch
from semg_hht.system.arguments import checked

Array = NDArray[np.float64]
MainsHz = float | Literal["auto"] | None

BAND_PASS_ORDER = 4  # applied forwards and backwards, so the slope is that of order 8
# Width at -3 dB of one pass, the same for every harmonic. With a constant quality factor the notches would widen with
# frequency: above 300 Hz the EMG between two harmonics would lose a tenth of its amplitude.
NOTCH_WIDTH_HZ = 2.0
# Of the largest sample of a channel. What the filters leave of a constant or a ramp is rounding below this share; a
# converter of 24 bits resolves 6e-8.
ROUNDING_SHARE = 1e-9
# A filter cannot have an edge at the Nyquist frequency itself; the band ends at this share of it.
NYQUIST_SHARE = 0.95

MAINS_HZ = (50.0, 60.0)
SEGMENT_S = 1.0  # resolves 1 Hz; the mains frequency varies by less than that, up to the ninth harmonic
MIN_HUM_S = 0.5  # a shorter recording separates neither 50 from 60 Hz nor a line from EMG
NEIGHBOUR_BINS = (3, 14)  # bins on either side that a line is compared with; nearer bins hold leakage of the line
# Above three times its neighbours a line loses more hum than EMG to a notch, which is about 3 Hz wide (a bin: 1.5 Hz).
MIN_LINE_RATIO = 3.0


@checked
@dataclass(frozen=True)
class FilterConfig:
    """How a recording is filtered before repetitions are cut from it.

    band_hz : pass band in Hz.
    mains_hz : ``auto`` detects the mains frequency in each recording and notches the harmonics that stand out. A
        number notches this frequency and all its harmonics. None applies no notch.
    ecg : whether to remove the ECG, for muscles of the trunk.

    Examples
    --------
    >>> import semg_hht as sh
    >>> filters = sh.FilterConfig(band_hz=(30.0, 400.0), mains_hz=50.0)
    >>> repetitions = sh.segment(sh.samples.MANIFEST, options=sh.SegmentOptions(filters=filters))
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
    """The pass band at this rate: the upper edge is clipped to 0.95 of the Nyquist frequency.

    Raises
    ------
    InputError
        The whole band lies above 0.95 of the Nyquist frequency.
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
    """Filter (n_channels, n_samples) -> the same shape: the last step of `filter_steps`, with the same errors."""
    return filter_steps(samples, rate_hz, config, keep=False)[-1][1]


def filter_steps(samples: Array, rate_hz: float, config: FilterConfig, *, keep: bool = True) -> list[tuple[str, Array]]:
    """Names and results of the filter steps of samples (n_channels, n_samples); every step is zero-phase.

    The steps are ``raw``; with ``config.ecg`` ``ECG removal (N beats)``, or ``ECG removal (no heartbeat found)`` with
    unchanged samples; ``band-pass LOW-HIGH Hz``; and ``notch LINE, ... Hz`` if there are lines to notch.

    keep : False returns the last step alone. As the notches are applied together with the band-pass, the band-pass on
        its own is then not computed where lines are notched.

    Raises
    ------
    InputError
        The band does not fit the rate, or the recording is too short for the filters.
    """
    low, high = effective_band_hz(config, rate_hz)
    if samples.shape[-1] < 2 * BAND_PASS_ORDER + 1:
        raise InputError(f"expected at least {2 * BAND_PASS_ORDER + 1} samples to filter; found {samples.shape[-1]}")
    steps = [("raw", samples)]
    if config.ecg:  # before the band-pass, which removes most of the spectrum that identifies a heartbeat
        r_peaks = find_r_peaks(samples, rate_hz)
        beats = f"{r_peaks.size} beats" if r_peaks.size else "no heartbeat found"
        samples = remove_ecg(samples, rate_hz, r_peaks)
        steps.append((f"ECG removal ({beats})", samples))
    band = band_pass(BAND_PASS_ORDER, (low, high), rate_hz)
    lines_hz = [line for line in _mains_lines_hz(samples, rate_hz, config.mains_hz, high) if low < line < high]
    if keep or not lines_hz:
        steps.append((f"band-pass {low:g}-{high:g} Hz", _zero_phase(band, samples, rate_hz, [])))
    if lines_hz:
        # All sections in one run: filtering the filtered samples a second time would pad their ends a second time.
        name = f"notch {', '.join(f'{line:g}' for line in lines_hz)} Hz"
        steps.append((name, _zero_phase(_with_notches(band, lines_hz, rate_hz), samples, rate_hz, lines_hz)))
    return steps if keep else steps[-1:]


def sections(config: FilterConfig, rate_hz: float, mains_hz: float | None) -> Array:
    """(n_sections, 6) of one pass of the band-pass, and of notches at a mains frequency and all its harmonics."""
    low, high = effective_band_hz(config, rate_hz)
    lines_hz = () if mains_hz is None else np.arange(mains_hz, high, mains_hz).tolist()
    band = band_pass(BAND_PASS_ORDER, (low, high), rate_hz)
    return _with_notches(band, [line for line in lines_hz if low < line], rate_hz)


def _with_notches(band: Array, lines_hz: list[float], rate_hz: float) -> Array:
    return np.concatenate([band, *(notch(line, NOTCH_WIDTH_HZ, rate_hz) for line in lines_hz)])


def _zero_phase(sos: Array, samples: Array, rate_hz: float, lines_hz: list[float]) -> Array:
    """Apply the sections (n_sections, 6) forwards and backwards; some of them notch ``lines_hz``."""
    # The notches settle within half a second; SciPy's default padding depends on the number of sections, not on time.
    n_pad = min(round(0.5 * rate_hz) + 3 * BAND_PASS_ORDER, samples.shape[-1] - 1)
    filtered = np.empty(samples.shape)
    for start in range(0, len(samples), TOGETHER):  # some channels at a time, to copy no more than these
        some = samples[start : start + TOGETHER]
        padded = np.stack([_padded(channel, n_pad, rate_hz, lines_hz) for channel in some])
        padded = filter_both_ways(sos, padded)[:, n_pad : n_pad + samples.shape[-1]]
        for channel, out, result in zip(some, filtered[start:], padded, strict=False):
            out[:] = 0 if np.abs(result).max() <= ROUNDING_SHARE * np.abs(channel).max() else result
    return filtered


def _padded(channel: Array, n_pad: int, rate_hz: float, lines_hz: list[float]) -> Array:
    """``channel`` (n_samples,) with ``n_pad`` samples extrapolated at each end."""
    before = _extrapolated(channel[::-1], n_pad, rate_hz, lines_hz)[::-1]
    return np.concatenate([before, channel, _extrapolated(channel, n_pad, rate_hz, lines_hz)])


def _extrapolated(channel: Array, n_pad: int, rate_hz: float, lines_hz: list[float]) -> Array:
    """``n_pad`` samples to append to ``channel`` (n_samples,): the hum continues, all else is reflected at the end.

    Reflected hum would change its phase at the edge, and a notch would ring there for a third of a second.
    """
    end = channel[-max(n_pad + 1, min(channel.size, round(rate_hz))) :]
    angles = 2 * np.pi * np.outer(np.arange(end.size + n_pad), lines_hz) / rate_hz
    waves = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)  # (n_end + n_pad, 2 n_lines)
    weights = np.linalg.lstsq(waves[: end.size], end - end.mean(), rcond=None)[0]
    hum = waves @ weights
    rest = end - hum[: end.size]
    return np.asarray(2 * rest[-1] - rest[-2 : -n_pad - 2 : -1] + hum[end.size :])


def _mains_lines_hz(samples: Array, rate_hz: float, mains_hz: MainsHz, high_hz: float) -> tuple[float, ...]:
    if mains_hz is None:
        return ()
    if mains_hz == "auto":
        hum = find_hum(samples, rate_hz)
        return hum.lines_hz if hum else ()
    return tuple(np.arange(mains_hz, high_hz, mains_hz).tolist())


@dataclass(frozen=True)
class Hum:
    """Mains hum in a recording: its frequency and the harmonics (the first included) that stand out."""

    mains_hz: float
    lines_hz: tuple[float, ...]


def find_hum(samples: Array, rate_hz: float) -> Hum | None:
    """Detect mains hum in samples (n_channels, n_samples) of any unit; None without hum or in a too short recording.

    The spectrum is Welch's (1967, doi 10.1109/TAU.1967.1161901), with half overlapping Hann windows of one second.
    Each window is divided by the median of the line's neighbouring bins before the windows are averaged: hum continues
    while the muscle rests, so quiet windows show it best. A line stands out if this ratio, averaged over windows and
    channels, exceeds both three and the ratio that EMG alone reaches with as few windows.

    Simulated EMG without hum gave a false detection in 9 of 26,500 pieces of 0.5 to 30 s. Hum is detected in at least
    85 of 100 pieces: of curls with rests in between, from -5 dB of the EMG in 1 s and from -30 dB in 3 s or more; of a
    steady contraction, from 0 dB in 1 s, -10 dB in 3 s and -15 dB in 30 s (table in experiments/LOG.md).
    """
    n_samples = samples.shape[-1]
    if n_samples < MIN_HUM_S * rate_hz:
        return None
    n_window = min(n_samples, round(SEGMENT_S * rate_hz))
    ratios: dict[float, float] = {}
    n_windows = 0
    for channel in samples:  # one channel at a time: the windows of all channels of an hour would not fit in memory
        frequency_hz, power = window_powers(channel, rate_hz, n_window)
        n_windows = power.shape[-1]
        peak = float(np.abs(channel).max())
        floor = (1e-9 * peak) ** 2 + np.finfo(np.float64).tiny  # above the rounding error of a flat channel
        for line in _candidates_hz(rate_hz):
            ratio = _above_neighbours(frequency_hz, power, line, floor)
            ratios[line] = ratios.get(line, 0.0) + ratio / len(samples)
    # EMG alone exceeds this ratio about once in 1000 simulated pieces.
    threshold = max(MIN_LINE_RATIO, 1 + 4 / np.sqrt(n_windows) + 14 / n_windows)
    lines = [line for line, ratio in ratios.items() if ratio > threshold]
    unambiguous = [line for line in lines if sum(line % mains == 0 for mains in MAINS_HZ) == 1]  # not 300 Hz
    if not unambiguous:
        return None
    strongest = max(unambiguous, key=lambda line: ratios[line])
    mains_hz = next(mains for mains in MAINS_HZ if strongest % mains == 0)
    return Hum(mains_hz, tuple(sorted(line for line in lines if line % mains_hz == 0)))


def _candidates_hz(rate_hz: float) -> list[float]:
    """50 and 60 Hz and their harmonics below 0.95 of the Nyquist frequency."""
    ceiling = NYQUIST_SHARE * rate_hz / 2
    return sorted({line for mains in MAINS_HZ for line in np.arange(mains, ceiling, mains).tolist()})


def _above_neighbours(frequency_hz: Array, power: Array, line_hz: float, floor: float) -> float:
    """Power (n_frequencies, n_windows) at a line over the power that its neighbours predict, mean over windows."""
    distance = np.abs(np.arange(frequency_hz.size) - round(line_hz / frequency_hz[1]))
    near = (distance >= NEIGHBOUR_BINS[0]) & (distance <= NEIGHBOUR_BINS[1])
    expected = np.median(power[near], axis=0) / np.log(2)  # noise power is exponential: median = ln 2 mean
    return float(np.mean(power[distance == 0] / np.maximum(expected, floor)))
