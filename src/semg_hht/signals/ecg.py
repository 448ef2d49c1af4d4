"""The heart in recordings of trunk muscles: its beats found, and taken off the signal.

Knows samples, rates and Hz: nothing of files, people or filters that come after it.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.errors import InputError

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

MIN_RATE_HZ = 100.0
MIN_BEATS = 5
REFRACTORY_S = 0.3  # two beats are never nearer: 200 a minute

# Beats are found in one band and believed in another: whatever is picked for its peaks looks alike around them in the
# band it was picked in, muscle too; only a heart's beats look alike in the next one.
FIND_HZ = (5.0, 15.0)
BELIEVE_HZ = (15.0, 40.0)
# Steep, or of muscle that a device has band-passed from 30 Hz both bands would hold the same, its lowest skirt.
BAND_ORDER = 4
LEAST_COHERENCE = 4.0  # times what beats of random shape reach; muscle alone got past both in 1 of 6000 simulations
LEAST_REGULAR = 0.6  # share of the recording within intervals that are within a fifth of their median

QRS_S = (0.10, 0.15)  # taken off before and after each R peak
TEMPLATE_HIGH_PASS_HZ = 10.0  # what lies below is left to the band-pass
NEIGHBOUR_BEATS = 20  # width of the Gaussian over which beats lend each other their shape
GAIN_SPREAD = 0.15  # breathing makes beats larger and smaller by about this share


def find_r_peaks(samples: Array, rate_hz: float) -> Indices:
    """Sample index of each R peak in raw (n_channels, n_samples) -> (n_beats,); empty where no heart is found.

    As Pan and Tompkins (1985, doi 10.1109/TBME.1985.325532): 5-15 Hz, derivative, square, mean over 150 ms, a threshold
    between running levels of beats and noise, and a second look where a beat is missing. Energy is summed over the
    channels, and peaks are aligned by their common mean. A heart is believed in where at least 5 beats come regularly
    and look alike in 15-40 Hz, where they were not looked for. So a heart of very irregular rhythm is not found, nor
    one with nothing above 15 Hz, of which a band-pass from 20 Hz leaves nothing either.

    Raises
    ------
    InputError
        A rate below 100 Hz.
    """
    if rate_hz < MIN_RATE_HZ:
        raise InputError(f"finding heart beats needs a rate of at least {MIN_RATE_HZ:g} Hz; got {rate_hz:g} Hz")
    none = np.zeros(0, dtype=np.intp)
    if samples.shape[-1] < MIN_BEATS * REFRACTORY_S * rate_hz:
        return none
    narrow = _band(samples, rate_hz, FIND_HZ)
    energy = _qrs_energy(narrow, rate_hz)
    peaks = _regular(_above_running_levels(energy, rate_hz), energy, rate_hz)
    if peaks.size < MIN_BEATS:
        return none
    peaks = _aligned(narrow, peaks, rate_hz)
    intervals = np.diff(peaks)
    regular = np.sum(intervals[np.abs(intervals / np.median(intervals) - 1) < 0.2]) / samples.shape[-1]
    wide = _band(samples, rate_hz, BELIEVE_HZ)
    if peaks.size < MIN_BEATS or regular < LEAST_REGULAR or _coherence(wide, peaks, rate_hz) < LEAST_COHERENCE:
        return none
    return _on_r_wave(samples, peaks, rate_hz)


def remove_ecg(samples: Array, rate_hz: float, r_peaks: Indices) -> Array:
    """Raw (n_channels, n_samples) less an average beat at each of ``r_peaks`` (n_beats,); unchanged without any.

    The template of each beat is the mean of its neighbours (of about 20 on either side), weighted by how quiet the
    muscle is around them, and scaled to the beat as far as the muscle lets its size be known. What lies below 10 Hz,
    most of the T wave with it, is left to the band-pass.
    """
    if not r_peaks.size:
        return samples
    sos = scipy.signal.butter(2, TEMPLATE_HIGH_PASS_HZ, btype="highpass", fs=rate_hz, output="sos")
    before, after = (round(side * rate_hz) for side in QRS_S)
    n_samples = samples.shape[-1]
    cleaned = np.empty(samples.shape)
    for i, channel in enumerate(samples):
        beats = _windows(scipy.signal.sosfiltfilt(sos, channel)[None], r_peaks, before, after)[0]  # (n_beats, width)
        heart = np.zeros(n_samples + before + after)
        for peak, beat in zip(r_peaks, _templates(beats), strict=True):
            heart[peak : peak + before + after] += beat
        cleaned[i] = channel - heart[before : before + n_samples]
    return cleaned


def _templates(beats: Array) -> Array:
    """What is taken off at each beat: (n_beats, width) -> the same shape, running out to zero at both ends."""
    noise = np.mean((beats - np.median(beats, axis=0)) ** 2, axis=-1)  # (n_beats,)
    noise = noise + 1e-12 * noise.max() + np.finfo(np.float64).tiny  # where a channel is flat, no weight is infinite
    number = np.arange(len(beats))
    quiet = noise.min() / noise  # a ratio: one over the noise of a flat channel would overflow
    weights = np.exp(-0.5 * ((number[:, None] - number) / NEIGHBOUR_BEATS) ** 2) * quiet  # (n_beats, n_beats)
    template = weights @ beats / weights.sum(axis=-1, keepdims=True)
    energy = np.sum(template**2, axis=-1) + np.finfo(np.float64).tiny
    gain = np.sum(beats * template, axis=-1) / energy
    trust = GAIN_SPREAD**2 / (GAIN_SPREAD**2 + noise / energy)  # of a gain seen through the muscle
    return np.asarray(template * (1 + trust * (gain - 1))[:, None] * scipy.signal.windows.tukey(beats.shape[-1], 0.4))


def _band(samples: Array, rate_hz: float, band_hz: tuple[float, float]) -> Array:
    """Zero-phase band-pass, each channel in units of its own median amplitude."""
    sos = scipy.signal.butter(BAND_ORDER, band_hz, btype="bandpass", fs=rate_hz, output="sos")
    n_pad = min(round(rate_hz), samples.shape[-1] - 1)
    passed = scipy.signal.sosfiltfilt(sos, samples, axis=-1, padlen=n_pad)
    return np.asarray(passed / (np.median(np.abs(passed), axis=-1, keepdims=True) + np.finfo(np.float64).tiny))


def _qrs_energy(narrow: Array, rate_hz: float) -> Array:
    """Squared slope, summed over channels, mean over 150 ms: (n_channels, n_samples) -> (n_samples,)."""
    steepness = np.sum(np.gradient(narrow, axis=-1) ** 2, axis=0)
    width = round(0.15 * rate_hz)
    return np.convolve(steepness, np.full(width, 1 / width), mode="same")


def _above_running_levels(energy: Array, rate_hz: float) -> Indices:
    """Peaks a quarter of the way up from the running level of noise to that of beats."""
    candidates, _ = scipy.signal.find_peaks(energy, distance=round(REFRACTORY_S * rate_hz))
    if not candidates.size:
        return candidates
    heights = energy[candidates]
    beat_level, noise_level = np.percentile(heights, 75), np.percentile(heights, 25) / 2
    found = []
    for candidate, height in zip(candidates, heights, strict=True):
        if height > noise_level + 0.25 * (beat_level - noise_level):
            beat_level += (min(height, 4 * beat_level) - beat_level) / 8  # one burst of muscle must not blind it
            found.append(candidate)
        else:
            noise_level += (height - noise_level) / 8
    return np.array(found, dtype=np.intp)


def _regular(peaks: Indices, energy: Array, rate_hz: float) -> Indices:
    """Without peaks that come far too early; with those that were missing and are there at a second look."""
    candidates, _ = scipy.signal.find_peaks(energy, distance=round(REFRACTORY_S * rate_hz))
    for _ in range(2):
        if peaks.size < MIN_BEATS:
            break
        interval = float(np.median(np.diff(peaks)))
        highest, _ = scipy.signal.find_peaks(energy, distance=max(1.0, 0.55 * interval))
        peaks = np.intersect1d(peaks, highest)
        missed = []
        for start, stop in zip(peaks[:-1], peaks[1:], strict=True):
            n_steps = round((stop - start) / interval)
            for expected in np.linspace(start, stop, n_steps + 1)[1:-1] if 2 <= n_steps <= 5 else ():
                near = candidates[np.abs(candidates - expected) < 0.2 * interval]
                missed += [near[energy[near].argmax()]] if near.size else []
        peaks = np.union1d(peaks, np.array(missed, dtype=np.intp))
    return peaks


def _windows(samples: Array, peaks: Indices, before: int, after: int) -> Array:
    """(n_channels, n_samples) -> (n_channels, n_peaks, before + after); beyond the ends there are zeros."""
    padded = np.pad(samples, ((0, 0), (before, after)))
    return np.asarray(padded[:, peaks[:, None] + np.arange(before + after)])


def _unit_beats(samples: Array, peaks: Indices, half: int) -> Array:
    """Windows around the peaks, each of norm 1, so that no burst of muscle outweighs the others."""
    beats = _windows(samples, peaks, half, half)
    return np.asarray(beats / (np.linalg.norm(beats, axis=-1, keepdims=True) + np.finfo(np.float64).tiny))


def _aligned(narrow: Array, peaks: Indices, rate_hz: float) -> Indices:
    """Each peak moved by up to 60 ms to where it agrees best with the mean of all, three times over."""
    half, reach = round(0.1 * rate_hz), round(0.06 * rate_hz)
    for _ in range(3):
        template = _unit_beats(narrow, peaks, half).mean(axis=1)  # (n_channels, 2 * half)
        agreement = np.sum(
            [scipy.signal.correlate(x, t, mode="same") for x, t in zip(narrow, template, strict=True)], axis=0
        )  # (n_samples,)
        around = _windows(agreement[None], peaks, reach, reach + 1)[0]  # (n_peaks, 2 * reach + 1)
        moved = np.clip(peaks + around.argmax(axis=1) - reach, 0, narrow.shape[1] - 1)
        peaks = np.unique(moved).astype(np.intp)
    return peaks


def _coherence(wide: Array, peaks: Indices, rate_hz: float) -> float:
    """How far beats agree in shape: about 1 for shapes at random, their number for equal ones; mean over channels."""
    mean = _unit_beats(wide, peaks, round(0.06 * rate_hz)).mean(axis=1)  # (n_channels, width)
    return float(peaks.size * np.mean(np.sum(mean**2, axis=-1)))


def _on_r_wave(samples: Array, peaks: Indices, rate_hz: float) -> Indices:
    """All peaks moved alike, to where the mean beat is largest."""
    reach = round(0.08 * rate_hz)
    mean = _unit_beats(_band(samples, rate_hz, (FIND_HZ[0], BELIEVE_HZ[1])), peaks, reach).mean(axis=1)
    shift = int(np.sum(mean**2, axis=0).argmax()) - reach
    return np.asarray(np.unique(np.clip(peaks + shift, 0, samples.shape[1] - 1)), dtype=np.intp)
