"""Detect when a muscle is active and when it rests, from the energy of short frames, by one of two methods.

It works on filtered samples and a sampling rate. It does not know repetitions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from semg_hht.hht.spectrum import fast_length
from semg_hht.recordings.welch import welch
from semg_hht.signals.two_levels import LevelDistribution, most_likely, two_levels, two_levels_of_each

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


def frame_length(rate_hz: float) -> int:
    """Samples in a frame."""
    return max(MIN_FRAME_SAMPLES, round(FRAME_S * rate_hz))


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
    return fit_detector(samples, rate_hz, method)[1]


@dataclass(frozen=True)
class Detector:
    """Rest and activity as one signal shows them; it judges later samples of the same channels without a new fit.

    channels : indices of the channels that take part; empty: no channel shows a muscle.
    gains : (n_muscles, n_frequencies) of `_weighted`; None: the samples are not weighted.
    quiet : (n_muscles, 1) energy of the quietest tenth of the frames.
    smoothing : frames over which the energy is averaged.
    loudest_db : highest level of activity above rest.
    """

    method: str
    n_frame: int
    channels: tuple[int, ...] = ()
    gains: Array | None = None
    quiet: Array = field(default_factory=lambda: np.ones((0, 1)))
    smoothing: float = 1.0
    rest: LevelDistribution = LevelDistribution(0.0, 1.0)
    activity: LevelDistribution = LevelDistribution(0.0, 1.0)
    loudest_db: float = 0.0
    n_dwell: float = 1.0
    agreement: float = 1.0

    @property
    def contrast_db(self) -> float:
        return self.activity.mean - self.rest.mean

    def energy(self, samples: Array) -> Array:
        """(n_channels, n_samples) -> (n_frames,): energy of each frame over that at rest, mean over the muscles."""
        if not self.channels:
            return np.ones(samples.shape[1] // self.n_frame)
        samples = samples[list(self.channels)]
        if self.method == "threshold":
            return _over_quiet(_frames(_teager_kaiser(samples), self.n_frame), self.quiet)
        if self.gains is not None:
            n_spread = 2 * (self.gains.shape[1] - 1)  # the weighting spreads a sample over so many
            samples = _filtered_by(self.gains, samples, fast_length(samples.shape[1] + n_spread))
        return _over_quiet(_frames(samples**2, self.n_frame), self.quiet)

    def judged(self, energy: Array) -> Activity:
        """The activity in frames of this energy (n_frames,)."""
        if not self.channels:
            return Activity(np.zeros(energy.size, dtype=bool), np.zeros(energy.size), self.n_frame, 0.0, 1.0)
        levels = _smoothed_db(energy, self.smoothing)
        if self.contrast_db < MIN_CONTRAST_DB:
            active = np.zeros(levels.size, dtype=bool)
        elif self.method == "threshold":
            active = _hysteresis(levels, self.rest, self.activity)
        else:
            active = most_likely(levels, self.rest, self.loudest_db, self.n_dwell)
        return Activity(active, levels - self.rest.mean, self.n_frame, self.contrast_db, self.agreement)


def fit_detector(samples: Array, rate_hz: float, method: str = "markov") -> tuple[Detector, Activity]:
    """Learn rest and activity from filtered samples (n_channels, n_samples), and find the activity in them."""
    n_frame = frame_length(rate_hz)
    frame_s = n_frame / rate_hz
    muscles = _muscles(samples, rate_hz, n_frame)
    channels = tuple(muscle.index for muscle in muscles)
    detector = Detector(method, n_frame, channels, smoothing=FIRST_SMOOTHING_S / frame_s, n_dwell=DWELL_S / frame_s)
    if not muscles:
        return detector, detector.judged(np.ones(samples.shape[1] // n_frame))
    samples = samples[list(channels)]
    if method == "threshold":
        frames = _frames(_teager_kaiser(samples), n_frame)
        quiet = _quiet(frames)
        energy = _over_quiet(frames, quiet)
        rest, activity = two_levels(_smoothed_db(energy, detector.smoothing))
        if activity.mean - rest.mean > CLEAR_CONTRAST_DB:
            # Where activity lasts longer than rest, its edges widen the distribution of rest: 4 standard deviations
            # would exceed all activity.
            rest = LevelDistribution(rest.mean, min(rest.spread, (activity.mean - rest.mean) / 4))
    else:
        first = _smoothed_db(_frame_energy(samples**2, n_frame), detector.smoothing)
        active = _hysteresis(first, *two_levels(first))
        gains = _gains(samples, rate_hz, np.repeat(active, n_frame))
        if gains is not None:
            samples = _filtered_by(gains, samples, fast_length(samples.shape[1]))
        frames = _frames(samples**2, n_frame)
        quiet = _quiet(frames)
        energy = _over_quiet(frames, quiet)
        rest, activity = two_levels(_smoothed_db(energy, detector.smoothing))
        low_s, high_s = SMOOTHING_S
        smoothing_s = np.clip(high_s * SMOOTHING_CONTRAST_DB / max(activity.mean - rest.mean, 1.0), low_s, high_s)
        levels = _smoothed_db(energy, smoothing_s / frame_s)
        rest, activity = two_levels(levels)
        loudest_db = float(np.quantile(levels, 0.98)) - rest.mean
        detector = replace(detector, gains=gains, smoothing=float(smoothing_s / frame_s), loudest_db=loudest_db)
    detector = replace(detector, quiet=quiet, rest=rest, activity=activity)
    found = detector.judged(energy)
    agreement = _agreement(muscles, found.active)
    return replace(detector, agreement=agreement), replace(found, agreement=agreement)


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
    fits = two_levels_of_each(all_levels)
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
    frames = _frames(energy, n_frame)
    return _over_quiet(frames, _quiet(frames))


def _frames(energy: Array, n_frame: int) -> Array:
    """(n_channels, n_samples) -> (n_channels, n_frames), the mean of each frame."""
    n_frames = energy.shape[1] // n_frame
    frames = energy[:, : n_frames * n_frame].reshape(len(energy), n_frames, n_frame)  # (n_channels, n_frames, n_frame)
    return np.asarray(frames.mean(axis=2))


def _quiet(frames: Array) -> Array:
    """(n_channels, 1): the energy of the quietest tenth of the frames (n_channels, n_frames)."""
    quiet = np.percentile(frames, 10, axis=1, keepdims=True)
    # The quietest tenth of a channel that was switched off for a while is zero or rounding.
    return np.where(quiet > 0, quiet, np.maximum(frames.mean(axis=1, keepdims=True), np.finfo(float).tiny))


def _over_quiet(frames: Array, quiet: Array) -> Array:
    """(n_channels, n_frames) -> (n_frames,): energy over that of the quietest tenth, mean over the channels."""
    return np.asarray((frames / quiet).mean(axis=0))


def _smoothed_db(energy: Array, n_frames: float) -> Array:
    """Moving average in decibels, with a Hann window of about ``n_frames``."""
    half = max(1, min(round(n_frames / 2), (energy.size - 1) // 2))
    window = np.hanning(2 * half + 3)[1:-1]
    smooth = np.convolve(np.pad(energy, half, mode="edge"), window / window.sum(), mode="valid")
    return np.asarray(10 * np.log10(np.maximum(smooth, 1e-3)))


def _hysteresis(levels: Array, rest: LevelDistribution, activity: LevelDistribution) -> Flags:
    """Stretches above the mean of rest plus 2 standard deviations whose maximum exceeds a higher threshold."""
    low = rest.mean + 2 * rest.spread
    high = max(rest.mean + 4 * rest.spread, (rest.mean + activity.mean) / 2)
    active = np.zeros(levels.size, dtype=bool)
    for start, stop in runs(levels > low):
        active[start:stop] = levels[start:stop].max() > high
    return active


def _gains(samples: Array, rate_hz: float, active: Flags) -> Array | None:
    """(n_channels, n_frequencies) that weight the power of each frequency by S / (N (S + N)), for normally distributed
    signal S and noise N; None where too little rest or activity is seen.

    The weighted energy is the log-likelihood ratio of activity and rest. S and N are estimated where the first pass
    detected activity and rest. N is a median over frames, which excludes heartbeats.
    """
    n = round(SPECTRUM_S * rate_hz) // 2 * 2
    active = active[: samples.shape[1]]
    if n < 8 or min(active.sum(), active.size - active.sum()) < 4 * n:
        return None
    starts = np.arange(0, active.size - n + 1, n // 2)
    is_active = active[starts + n // 2]
    if not 4 <= is_active.sum() <= is_active.size - 4:
        return None
    window = np.hanning(n)
    gains = np.empty((len(samples), n // 2 + 1))
    for i, channel in enumerate(samples):
        frames = np.lib.stride_tricks.sliding_window_view(channel, n)[starts]  # (n_spectra, n)
        power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2  # (n_spectra, n / 2 + 1)
        noise = _over_neighbours(np.median(power[~is_active], axis=0) / np.log(2))
        both = _over_neighbours(power[is_active].mean(axis=0))
        # The median over all frequencies would be that of the stop band, where most of them lie at high rates.
        passed = both >= 10 ** (-PASS_BAND_DB / 10) * both.max()
        noise = np.maximum(noise, MIN_NOISE_SHARE * np.median(noise[passed]))
        if not noise.min() > np.finfo(float).tiny:
            return None  # silence between the bursts
        signal = np.maximum(both - noise, 0)
        gains[i] = np.sqrt(signal / (noise * (signal + noise)))
    return gains


def _filtered_by(gains: Array, samples: Array, n_fft: int) -> Array:
    """Samples (n_channels, n_samples) with their spectrum times the gains (n_channels, n_frequencies)."""
    frequency = np.fft.rfftfreq(n_fft)
    known = np.fft.rfftfreq(2 * (gains.shape[1] - 1))
    filtered = np.empty_like(samples)
    for channel, gain, out in zip(samples, gains, filtered, strict=True):
        spectrum = np.fft.rfft(channel, n_fft) * np.interp(frequency, known, gain)
        out[:] = np.fft.irfft(spectrum, n_fft)[: channel.size]
    return filtered


def _over_neighbours(spectrum: Array) -> Array:
    """Mean over five neighbouring bins."""
    return np.convolve(np.pad(spectrum, 2, mode="edge"), np.full(5, 0.2), mode="valid")


def runs(flags: Flags) -> list[tuple[int, int]]:
    """[start, stop) of each stretch of true flags."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
