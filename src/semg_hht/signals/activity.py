"""Detect when a muscle is active and when it rests, from the energy of short frames, by one of two methods.

It works on filtered samples and a sampling rate. It does not know repetitions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.hht.spectrum import fast_length
from semg_hht.recordings.welch import welch

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

METHODS = ("markov", "threshold")

FRAME_S = 0.010
MIN_FRAME_SAMPLES = 4  # at low sampling rates
# Short averages resolve the edges of strong activity; weak activity stands out only in long averages.
SMOOTHING_S = (0.07, 0.35)
SMOOTHING_CONTRAST_DB = 6.0  # averages are longest up to this contrast and shorten in proportion above it
FIRST_SMOOTHING_S = 0.15
# Two levels closer than this are the same: the louder half of pure noise lies about 1 dB above its quieter half.
MIN_CONTRAST_DB = 2.0
CLEAR_CONTRAST_DB = 10.0  # no two halves of noise differ by as much
DWELL_S = 0.5  # typical duration of rest or activity, within a factor of a few
MAX_EVIDENCE = 4.0  # natural logarithm; limits the weight of a single frame, such as that of an R wave
SPECTRUM_S = 0.25
MIN_NOISE_SHARE = 0.1  # of the median over the pass band: limits the weight of frequencies that a filter removed
PASS_BAND_DB = 60.0  # frequencies within this of the strongest belong to the pass band
# What distinguishes a muscle from other columns of a table; 1,500 channels of seven real sets are on the other side.
FLOOR_DB = 60.0  # below the loudest frame, as deep as real channels rest: below this, frames are equal
OFF_DB = 90.0  # below the loudest frame: the channel was switched off, or is computed
MAX_OFF_SHARE = 0.05  # of the frames
# Energy of the quietest tenth of the frames over that of the quietest hundredth: 43 and less in 8,600 real channels, 90
# and more where the rest is no noise but what the filter leaves of steps, as in the counts of a force.
MAX_REST_SPREAD = 60.0
MIN_BURST_S = 0.08  # the energy of a step, a pulse or a heartbeat lasts a shorter time
MIN_SHARE_BETWEEN = 5e-3  # of the energy; real channels, heel strikes included, have 1e-2 and more outside short pulses
EVENNESS_S = 0.3
MIN_EVENNESS = 0.1  # of the energy within 0.3 s: pulses of 20 ms have 0.07, muscles 0.15 and more
MIN_BANDWIDTH_HZ = 10.0  # a line has about 5 Hz here, real channels at least 20 Hz
BANDWIDTH_S = 0.5
MIN_RISE = 0.25  # of a channel's own contrast, from rest to common activity


@dataclass(frozen=True)
class Activity:
    """Activity of a muscle, frame by frame.

    active : (n_frames,) whether the muscle is active.
    level_db : (n_frames,) smoothed energy over the energy at rest.
    n_frame : samples per frame.
    contrast_db : level of activity above rest; below `MIN_CONTRAST_DB` no frame is active.
    agreement : share of the channels with activity of their own that rise and fall with the common activity.
    """

    active: Flags
    level_db: Array
    n_frame: int
    contrast_db: float
    agreement: float


def find_activity(samples: Array, rate_hz: float, method: str = "markov") -> Activity:
    """Detect activity in filtered samples (n_channels, n_samples), from all channels together.

    Each channel's energy is divided by that of its own quietest tenth, so the gain of a channel does not matter. A
    channel without evidence of a muscle takes no part, such as a trigger or a label; without any muscle there is no
    activity.

    method : ``markov`` computes the most likely sequence of rest and activity in a two-state Markov chain (Viterbi
        1967, doi 10.1109/TIT.1967.1054010) from the energy of the samples, after a filter that emphasises the
        frequencies that distinguish activity from rest. ``threshold`` applies two thresholds with hysteresis to the
        Teager-Kaiser energy (Solnik et al. 2010, doi 10.1007/s00421-010-1521-8); it is easier to explain, and sharper
        at the edges of a clean signal.
    """
    n_frame = max(MIN_FRAME_SAMPLES, round(FRAME_S * rate_hz))
    frame_s = n_frame / rate_hz
    muscles = _muscles(samples, rate_hz, n_frame)
    if not muscles:
        n_frames = samples.shape[1] // n_frame
        return Activity(np.zeros(n_frames, dtype=bool), np.zeros(n_frames), n_frame, 0.0, 1.0)
    samples = samples[[muscle.index for muscle in muscles]]
    if method == "threshold":
        energy = _frame_energy(_teager_kaiser(samples), n_frame)
        levels = _smoothed_db(energy, FIRST_SMOOTHING_S / frame_s)
        rest, activity = _two_levels(levels)
        if activity.mean - rest.mean > CLEAR_CONTRAST_DB:
            # Where activity lasts longer than rest, its edges widen the distribution of rest: 4 standard deviations
            # would exceed all activity.
            rest = _LevelDistribution(rest.mean, min(rest.spread, (activity.mean - rest.mean) / 4))
        active = _hysteresis(levels, rest, activity)
    else:
        first = _smoothed_db(_frame_energy(samples**2, n_frame), FIRST_SMOOTHING_S / frame_s)
        active = _hysteresis(first, *_two_levels(first))
        energy = _frame_energy(_weighted(samples, rate_hz, np.repeat(active, n_frame)) ** 2, n_frame)
        rest, activity = _two_levels(_smoothed_db(energy, FIRST_SMOOTHING_S / frame_s))
        low_s, high_s = SMOOTHING_S
        smoothing_s = np.clip(high_s * SMOOTHING_CONTRAST_DB / max(activity.mean - rest.mean, 1.0), low_s, high_s)
        levels = _smoothed_db(energy, smoothing_s / frame_s)
        rest, activity = _two_levels(levels)
        active = _most_likely(levels, rest, DWELL_S / frame_s)
    contrast = activity.mean - rest.mean
    if contrast < MIN_CONTRAST_DB:
        active = np.zeros_like(active)
    return Activity(active, levels - rest.mean, n_frame, contrast, _agreement(muscles, active))


@dataclass(frozen=True)
class _LevelDistribution:
    """Normal distribution of levels, in decibels."""

    mean: float
    spread: float


@dataclass(frozen=True)
class _Muscle:
    """A channel that takes part, and what is seen in it alone; a muscle at rest throughout has no contrast."""

    index: int
    level_db: Array
    contrast_db: float


def _muscles(samples: Array, rate_hz: float, n_frame: int) -> list[_Muscle]:
    """The channels to detect activity in.

    A channel of pulses takes no part: the edges of a label or a trigger, a counter that starts again. A channel that
    was switched off for a while, has no noise at rest (a force), or is a line spectrum (hum), takes part only if no
    other does.
    """
    frame_s = n_frame / rate_hz
    muscles: list[_Muscle] = []
    doubtful: list[_Muscle] = []
    energies = {index: _frame_energy(channel[None] ** 2, n_frame) for index, channel in enumerate(samples)}
    energies = {index: energy / energy.max() for index, energy in energies.items() if energy.any()}
    floors = {index: np.maximum(energy, 10 ** (-FLOOR_DB / 10)) for index, energy in energies.items()}
    all_levels = [_smoothed_db(floored, FIRST_SMOOTHING_S / frame_s) for floored in floors.values()]
    fits = _two_levels_of_each(all_levels)
    for (index, energy), levels, (rest, activity) in zip(energies.items(), all_levels, fits, strict=True):
        contrast = activity.mean - rest.mean
        active = _hysteresis(levels, rest, activity) if contrast >= MIN_CONTRAST_DB else np.zeros(levels.size, bool)
        if _evenness(floors[index], frame_s) < MIN_EVENNESS or _is_pulses(energy, active, frame_s):
            continue
        quietest, quiet = np.percentile(energy, [1, 10])
        is_off = np.mean(energy < 10 ** (-OFF_DB / 10)) > MAX_OFF_SHARE or quiet > MAX_REST_SPREAD * quietest
        is_line = _bandwidth_hz(samples[index], rate_hz) < MIN_BANDWIDTH_HZ
        if is_off and is_line:  # what a notch leaves of hum
            continue
        (doubtful if is_off or is_line else muscles).append(_Muscle(index, levels, contrast if active.any() else 0.0))
    return muscles or doubtful


def _agreement(muscles: list[_Muscle], active: Flags) -> float:
    """Share of the muscles with activity of their own whose level rises by a fair part of their contrast."""
    own = [muscle for muscle in muscles if muscle.contrast_db]
    if not own or active.all() or not active.any():
        return 1.0
    rises = [muscle.level_db[active].mean() - muscle.level_db[~active].mean() for muscle in own]
    agree = [rise >= MIN_RISE * muscle.contrast_db for rise, muscle in zip(rises, own, strict=True)]
    return float(np.mean(agree))


def _is_pulses(energy: Array, active: Flags, frame_s: float) -> bool:
    """Whether short pulses have nearly all energy (n_frames,) of a channel; long active stretches count for more."""
    spans = runs(active)
    if not spans or energy[~active].sum() >= MIN_SHARE_BETWEEN * energy.sum():
        return False
    durations_s = [frame_s * energy[slice(*span)].sum() ** 2 / np.sum(energy[slice(*span)] ** 2) for span in spans]
    return bool(np.median(np.repeat(durations_s, [stop - start for start, stop in spans])) < MIN_BURST_S)


def _evenness(energy: Array, frame_s: float) -> float:
    """How evenly the energy lies within `EVENNESS_S`, 1 / n_frames to 1, in the louder half of such windows."""
    n = min(round(EVENNESS_S / frame_s), energy.size)
    windows = energy[: energy.size // n * n].reshape(-1, n)  # (n_frames,) -> (n_windows, n)
    sums = windows.sum(axis=1)
    loud = sums >= np.median(sums)
    return float(np.median(sums[loud] ** 2 / (n * np.sum(windows[loud] ** 2, axis=1))))


def _bandwidth_hz(channel: Array, rate_hz: float) -> float:
    """Width of a flat spectrum with the same concentration of power."""
    n_window = min(channel.size, round(BANDWIDTH_S * rate_hz))
    frequency_hz, power = welch(channel / np.abs(channel).max(), rate_hz, n_window)
    return float(power.sum() ** 2 / np.sum(power**2) * frequency_hz[1])


def _teager_kaiser(samples: Array) -> Array:
    """|x[n]^2 - x[n-1] x[n+1]|, energy weighted by frequency squared; the end samples repeat their neighbours."""
    inner = np.abs(samples[:, 1:-1] ** 2 - samples[:, :-2] * samples[:, 2:])
    return np.pad(inner, ((0, 0), (1, 1)), mode="edge")


def _frame_energy(energy: Array, n_frame: int) -> Array:
    """(n_channels, n_samples) -> (n_frames,): mean of each frame over the channel's quietest tenth, channel mean."""
    n_frames = energy.shape[1] // n_frame
    frames = energy[:, : n_frames * n_frame].reshape(len(energy), n_frames, n_frame)  # (n_channels, n_frames, n_frame)
    frames = frames.mean(axis=2)
    quiet = np.percentile(frames, 10, axis=1, keepdims=True)
    # The quietest tenth of a channel that was switched off for a while is zero or rounding.
    quiet = np.where(quiet > 0, quiet, np.maximum(frames.mean(axis=1, keepdims=True), np.finfo(float).tiny))
    return np.asarray((frames / quiet).mean(axis=0))


def _smoothed_db(energy: Array, n_frames: float) -> Array:
    """Moving average in decibels, with a Hann window of about ``n_frames``."""
    half = max(1, min(round(n_frames / 2), (energy.size - 1) // 2))
    window = np.hanning(2 * half + 3)[1:-1]
    smooth = np.convolve(np.pad(energy, half, mode="edge"), window / window.sum(), mode="valid")
    return np.asarray(10 * np.log10(np.maximum(smooth, 1e-3)))


def _two_levels(levels: Array) -> tuple[_LevelDistribution, _LevelDistribution]:
    """Rest and activity as a mixture of two normal distributions, fitted by expectation maximisation to quantiles."""
    (fit,) = _two_levels_of_each([levels])
    return fit


def _two_levels_of_each(all_levels: list[Array]) -> list[tuple[_LevelDistribution, _LevelDistribution]]:
    """`_two_levels` of several channels; together they take less time."""
    if not all_levels:
        return []
    quantiles = np.linspace(0.002, 0.998, 500)
    x = np.stack([np.quantile(levels, quantiles) for levels in all_levels])  # (n, 500), for any recording length
    mean = np.quantile(x, [0.2, 0.9], axis=1).T.copy()  # (2, n) -> (n, 2)
    spread = np.repeat(np.maximum(0.5, (mean[:, 1:] - mean[:, :1]) / 4), 2, axis=1)  # (n, 1) -> (n, 2)
    share = np.full_like(mean, 0.5)
    moving = np.arange(len(x))  # of the channels
    for _ in range(100):
        values, before, width = x[moving, None], mean[moving, :, None], spread[moving, :, None]
        log_scale = np.log(share[moving, :, None]) - np.log(width)
        log_density = log_scale - 0.5 * ((values - before) / width) ** 2  # (n_moving, 2, 500)
        membership = np.exp(log_density - log_density.max(axis=1, keepdims=True))
        membership /= membership[:, :1] + membership[:, 1:]
        weight = _sums(membership) + 1e-9  # (n_moving, 2)
        moved = _sums(membership * values) / weight
        deviation = _sums(membership * (values - moved[..., None]) ** 2)
        spread[moving] = np.maximum(np.sqrt(deviation / weight), 0.3)
        share[moving] = weight / (weight[:, :1] + weight[:, 1:])
        mean[moving] = moved
        moving = moving[np.abs(moved - before[..., 0]).max(axis=1) >= 1e-6]
        if not moving.size:
            break
    fits = []
    for means, spreads in zip(mean, spread, strict=True):
        rest, activity = (_LevelDistribution(float(means[i]), float(spreads[i])) for i in np.argsort(means))
        fits.append((rest, activity))
    return fits


def _sums(values: Array) -> Array:
    """Over the last axis, from left to right; ``np.sum`` adds in pairs or not, depending on the layout."""
    return np.asarray(np.cumsum(values, axis=-1)[..., -1])


def _hysteresis(levels: Array, rest: _LevelDistribution, activity: _LevelDistribution) -> Flags:
    """Stretches above the mean of rest plus 2 standard deviations whose maximum exceeds a higher threshold."""
    low = rest.mean + 2 * rest.spread
    high = max(rest.mean + 4 * rest.spread, (rest.mean + activity.mean) / 2)
    active = np.zeros(levels.size, dtype=bool)
    for start, stop in runs(levels > low):
        active[start:stop] = levels[start:stop].max() > high
    return active


def _weighted(samples: Array, rate_hz: float, active: Flags) -> Array:
    """Weight the power of each frequency by S / (N (S + N)), for normally distributed signal S and noise N.

    The weighted energy is the log-likelihood ratio of activity and rest. S and N are estimated where the first pass
    detected activity and rest. N is a median over frames, which excludes heartbeats.
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
    n_fft = fast_length(samples.shape[1])
    frequency = np.fft.rfftfreq(n_fft)
    weighted = np.empty_like(samples)
    for i, channel in enumerate(samples):
        frames = np.lib.stride_tricks.sliding_window_view(channel, n)[starts]  # (n_spectra, n)
        power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2  # (n_spectra, n / 2 + 1)
        noise = _over_neighbours(np.median(power[~is_active], axis=0) / np.log(2))
        both = _over_neighbours(power[is_active].mean(axis=0))
        # The median over all frequencies would be that of the stop band, where most of them lie at high rates.
        passed = both >= 10 ** (-PASS_BAND_DB / 10) * both.max()
        noise = np.maximum(noise, MIN_NOISE_SHARE * np.median(noise[passed]))
        if not noise.min() > np.finfo(float).tiny:
            return samples  # silence between the bursts
        signal = np.maximum(both - noise, 0)
        gain = np.sqrt(signal / (noise * (signal + noise)))
        spectrum = np.fft.rfft(channel, n_fft) * np.interp(frequency, np.fft.rfftfreq(n), gain)
        weighted[i] = np.fft.irfft(spectrum, n_fft)[: channel.size]
    return weighted


def _over_neighbours(spectrum: Array) -> Array:
    """Mean over five neighbouring bins."""
    return np.convolve(np.pad(spectrum, 2, mode="edge"), np.full(5, 0.2), mode="valid")


def _most_likely(levels: Array, rest: _LevelDistribution, n_dwell: float) -> Flags:
    """The most likely sequence of rest, with normally distributed levels, and activity, with uniform ones.

    Levels of activity are uniform up to the highest, not normal, because the effort of a repetition rises and falls.
    """
    span = max(float(np.quantile(levels, 0.98)) - rest.mean, 3 * rest.spread)
    above = np.maximum(levels - rest.mean, 0) / rest.spread
    evidence = np.log(rest.spread * np.sqrt(2 * np.pi) / span) + above**2 / 2
    evidence = np.clip(evidence, -MAX_EVIDENCE, MAX_EVIDENCE)
    stay, switch = np.log1p(-1 / n_dwell), -np.log(n_dwell)
    from_active = np.empty((2, levels.size), dtype=bool)  # does the best path to (rest, activity) come from activity?
    lead = 0.0  # log-likelihood of the best path to activity less that to rest
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
    """[start, stop) of each stretch of true flags."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
