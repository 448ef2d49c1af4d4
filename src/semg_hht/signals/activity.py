"""Where a muscle is active and where it rests: energy of short frames, and two ways to tell the one from the other.

Knows samples, rates and decibels: nothing of repetitions, files or people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

METHODS = ("markov", "threshold")

FRAME_S = 0.010
MIN_FRAME_SAMPLES = 4  # of a slow device
# A strong signal shows its edges in short averages; a weak one only shows at all in long ones.
SMOOTHING_S = (0.07, 0.35)
SMOOTHING_CONTRAST_DB = 6.0  # averages are longest up to here, and shorten in proportion above
FIRST_SMOOTHING_S = 0.15
# Two levels closer than this are one: the loud half of pure noise lies about 1 dB above its quiet half.
MIN_CONTRAST_DB = 2.0
DWELL_S = 0.5  # how long rest or activity lasts, to a factor of a few
MAX_EVIDENCE = 4.0  # natural logarithm: no single frame, such as an R wave, outweighs its neighbours
SPECTRUM_S = 0.25
LEAST_NOISE = 0.1  # of the median over frequencies: where a filter left nothing, little would tell everything


@dataclass(frozen=True)
class Activity:
    """What was found, frame by frame.

    active : (n_frames,) whether the muscle works.
    level_db : (n_frames,) smoothed energy over that of rest.
    n_frame : samples a frame.
    contrast_db : how far activity stands above rest; below `MIN_CONTRAST_DB` nothing is called active.
    spread_db : standard deviation of the level at rest.
    """

    active: Flags
    level_db: Array
    n_frame: int
    contrast_db: float
    spread_db: float


def find_activity(samples: Array, rate_hz: float, method: str = "markov") -> Activity:
    """Tell activity from rest in filtered samples (n_channels, n_samples), over all channels together.

    Each channel's energy is measured against its own quietest tenth, so that a channel counts by how far its muscle
    stands out, not by its gain.

    method : ``markov``, the likeliest sequence of rest and activity in a two-state chain (Viterbi 1967, doi
        10.1109/TIT.1967.1054010) over the energy of the samples, weighted by frequency for what tells activity from
        rest. ``threshold``, two thresholds with hysteresis on the Teager-Kaiser energy (Solnik et al. 2010, doi
        10.1007/s00421-010-1521-8): quicker to explain, and sharper at the edges of a clean signal.
    """
    n_frame = max(MIN_FRAME_SAMPLES, round(FRAME_S * rate_hz))
    frame_s = n_frame / rate_hz
    if method == "threshold":
        energy = _frame_energy(_teager_kaiser(samples), n_frame)
        levels = _smoothed_db(energy, FIRST_SMOOTHING_S / frame_s)
        rest, activity = _two_levels(levels)
        return _activity(levels, rest, activity, n_frame, _hysteresis(levels, rest, activity))
    first = _smoothed_db(_frame_energy(samples**2, n_frame), FIRST_SMOOTHING_S / frame_s)
    active = _hysteresis(first, *_two_levels(first))
    energy = _frame_energy(_weighted(samples, rate_hz, np.repeat(active, n_frame)) ** 2, n_frame)
    rest, activity = _two_levels(_smoothed_db(energy, FIRST_SMOOTHING_S / frame_s))
    low_s, high_s = SMOOTHING_S
    smoothing_s = np.clip(high_s * SMOOTHING_CONTRAST_DB / max(activity.mean - rest.mean, 1.0), low_s, high_s)
    levels = _smoothed_db(energy, smoothing_s / frame_s)
    rest, activity = _two_levels(levels)
    return _activity(levels, rest, activity, n_frame, _likeliest(levels, rest, DWELL_S / frame_s))


@dataclass(frozen=True)
class _Level:
    """A normal distribution of levels in decibels."""

    mean: float
    spread: float


def _activity(levels: Array, rest: _Level, activity: _Level, n_frame: int, active: Flags) -> Activity:
    contrast = activity.mean - rest.mean
    if contrast < MIN_CONTRAST_DB:
        active = np.zeros_like(active)
    return Activity(active, levels - rest.mean, n_frame, contrast, rest.spread)


def _teager_kaiser(samples: Array) -> Array:
    """|x[n]^2 - x[n-1] x[n+1]|, which weights energy with frequency squared; the ends repeat their neighbours."""
    inner = np.abs(samples[:, 1:-1] ** 2 - samples[:, :-2] * samples[:, 2:])
    return np.pad(inner, ((0, 0), (1, 1)), mode="edge")


def _frame_energy(energy: Array, n_frame: int) -> Array:
    """(n_channels, n_samples) -> (n_frames,): mean over frames, each channel over its quietest tenth, then over all."""
    n_frames = energy.shape[1] // n_frame
    frames = energy[:, : n_frames * n_frame].reshape(len(energy), n_frames, n_frame).mean(axis=2)
    quiet = np.percentile(frames, 10, axis=1, keepdims=True)
    # A channel that was switched off for a while is exactly zero there.
    quiet = np.where(quiet > 0, quiet, np.maximum(frames.mean(axis=1, keepdims=True), np.finfo(float).tiny))
    return np.asarray((frames / quiet).mean(axis=0))


def _smoothed_db(energy: Array, n_frames: float) -> Array:
    """Moving average (Hann window of about ``n_frames``), in decibels."""
    half = max(1, min(round(n_frames / 2), (energy.size - 1) // 2))
    window = np.hanning(2 * half + 3)[1:-1]
    smooth = np.convolve(np.pad(energy, half, mode="edge"), window / window.sum(), mode="valid")
    return np.asarray(10 * np.log10(np.maximum(smooth, 1e-3)))


def _two_levels(levels: Array) -> tuple[_Level, _Level]:
    """Rest and activity: a mixture of two normal distributions, by expectation and maximisation on the quantiles."""
    x = np.quantile(levels, np.linspace(0.002, 0.998, 500))[:, None]  # (500, 1): however long the recording
    mean = np.quantile(x, [0.2, 0.9])  # (2,)
    spread = np.full(2, max(0.5, float(mean[1] - mean[0]) / 4))
    share = np.full(2, 0.5)
    for _ in range(100):
        log_density = np.log(share) - np.log(spread) - 0.5 * ((x - mean) / spread) ** 2  # (500, 2)
        belongs = np.exp(log_density - log_density.max(axis=1, keepdims=True))
        belongs /= belongs.sum(axis=1, keepdims=True)
        weight = belongs.sum(axis=0) + 1e-9
        moved = (belongs * x).sum(axis=0) / weight
        spread = np.maximum(np.sqrt((belongs * (x - moved) ** 2).sum(axis=0) / weight), 0.3)
        share = weight / weight.sum()
        settled = np.max(np.abs(moved - mean)) < 1e-6
        mean = moved
        if settled:
            break
    low, high = np.argsort(mean)
    return _Level(float(mean[low]), float(spread[low])), _Level(float(mean[high]), float(spread[high]))


def _hysteresis(levels: Array, rest: _Level, activity: _Level) -> Flags:
    """Active where the level stays above 2 standard deviations of rest and somewhere rises well above."""
    low = rest.mean + 2 * rest.spread
    high = max(rest.mean + 4 * rest.spread, (rest.mean + activity.mean) / 2)
    active = np.zeros(levels.size, dtype=bool)
    for start, stop in runs(levels > low):
        active[start:stop] = levels[start:stop].max() > high
    return active


def _weighted(samples: Array, rate_hz: float, active: Flags) -> Array:
    """Weight each frequency by what it tells: S / (N (S + N)) for a signal S in noise N, both normal.

    That is the likelihood ratio of activity, with S and N estimated where a first look found activity and rest; the
    median over the frames at rest keeps heart beats out of N.
    """
    n = round(SPECTRUM_S * rate_hz) // 2 * 2
    active = active[: samples.shape[1]]
    if n < 8 or min(active.sum(), active.size - active.sum()) < 4 * n:
        return samples
    starts = np.arange(0, active.size - n + 1, n // 2)
    is_active = active[starts + n // 2]
    if not 4 <= is_active.sum() <= is_active.size - 4:
        return samples
    window = np.hanning(n)
    n_fft = scipy.fft.next_fast_len(samples.shape[1], real=True)
    frequency = scipy.fft.rfftfreq(n_fft)
    weighted = np.empty_like(samples)
    for i, channel in enumerate(samples):
        frames = np.lib.stride_tricks.sliding_window_view(channel, n)[starts]  # (n_spectra, n)
        power = np.abs(scipy.fft.rfft(frames * window, axis=1)) ** 2  # (n_spectra, n / 2 + 1)
        noise = _over_neighbours(np.median(power[~is_active], axis=0) / np.log(2)) + np.finfo(float).tiny
        noise = np.maximum(noise, LEAST_NOISE * np.median(noise))
        signal = np.maximum(_over_neighbours(power[is_active].mean(axis=0)) - noise, 0)
        gain = np.sqrt(signal / (noise * (signal + noise)))
        spectrum = scipy.fft.rfft(channel, n_fft) * np.interp(frequency, scipy.fft.rfftfreq(n), gain)
        weighted[i] = scipy.fft.irfft(spectrum, n_fft)[: channel.size]
    return weighted


def _over_neighbours(spectrum: Array) -> Array:
    """Mean over five neighbouring bins."""
    return np.convolve(np.pad(spectrum, 2, mode="edge"), np.full(5, 0.2), mode="valid")


def _likeliest(levels: Array, rest: _Level, n_dwell: float) -> Flags:
    """The likeliest sequence of rest (normally distributed levels) and activity (any level up to the highest).

    Activity is taken as equally likely at every level, rather than near its mean: a repetition swells and fades.
    """
    span = max(float(np.quantile(levels, 0.98)) - rest.mean, 3 * rest.spread)
    above = np.maximum(levels - rest.mean, 0) / rest.spread
    evidence = np.log(rest.spread * np.sqrt(2 * np.pi) / span) + above**2 / 2
    evidence = np.clip(evidence, -MAX_EVIDENCE, MAX_EVIDENCE)
    stay, switch = np.log1p(-1 / n_dwell), -np.log(n_dwell)
    from_active = np.empty((2, levels.size), dtype=bool)  # whether the best way to (rest, activity) came from activity
    lead = 0.0  # of activity over rest, natural logarithm
    for i, gain in enumerate(evidence.tolist()):
        to_rest, to_active = lead + switch > stay, lead + stay > switch
        from_active[:, i] = to_rest, to_active
        lead = (lead + stay if to_active else switch) - (lead + switch if to_rest else stay) + gain
    active = np.empty(levels.size, dtype=bool)
    state = lead > 0
    for i in range(levels.size - 1, -1, -1):
        active[i] = state
        state = from_active[int(state), i]
    return active


def runs(flags: Flags) -> list[tuple[int, int]]:
    """[start, stop) of each stretch that is true."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
