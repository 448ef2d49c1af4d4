"""Detect heartbeats in recordings of trunk muscles and remove the ECG.

It works on raw samples and a sampling rate. It does not know the filters that follow.
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
REFRACTORY_S = 0.3  # shortest interval between two beats: 200 beats a minute

# Beats are detected in one band and confirmed in another. Signals around selected peaks look alike in the band in which
# the peaks were selected, even in EMG; only heartbeats also look alike in the other band.
DETECTION_HZ = (5.0, 15.0)
CONFIRMATION_HZ = (15.0, 40.0)
# With flatter filters both bands would hold the same signal, the lower edge of the EMG, after a device's own band-pass
# from 30 Hz.
BAND_ORDER = 4
MIN_COHERENCE = 4.0  # times that of random shapes; EMG alone passed both tests in 1 of 6000 simulations
MIN_REGULAR_SHARE = 0.6  # share of the recording in intervals that differ from their median by less than a fifth

QRS_S = (0.10, 0.15)  # length of the template before and after each R peak
TEMPLATE_HIGH_PASS_HZ = 10.0  # the band-pass of the recording removes the frequencies below
NEIGHBOUR_BEATS = 20  # standard deviation of the Gaussian weights that average neighbouring beats
GAIN_SPREAD = 0.15  # breathing changes the size of beats by about this share


def find_r_peaks(samples: Array, rate_hz: float) -> Indices:
    """Sample index of each R peak in raw samples (n_channels, n_samples) -> (n_beats,); empty if no heart is detected.

    The method is that of Pan and Tompkins (1985, doi 10.1109/TBME.1985.325532): band-pass 5-15 Hz, derivative, square,
    mean over 150 ms, a threshold between running levels of beats and noise, and a second search where a beat is
    missing. Energy is summed over the channels, and peaks are aligned to their common mean shape. The peaks count as
    heartbeats if there are at least 5, if they are regular, and if they look alike in 15-40 Hz, a band not used for
    detection. A heart with a very irregular rhythm is therefore not detected. Neither is an ECG without power above
    15 Hz, of which a band-pass from 20 Hz leaves nothing.

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
    narrow = _band(samples, rate_hz, DETECTION_HZ)
    energy = _qrs_energy(narrow, rate_hz)
    peaks = _regular(_above_running_levels(energy, rate_hz), energy, rate_hz)
    if peaks.size < MIN_BEATS:
        return none
    peaks = _aligned(narrow, peaks, rate_hz)
    intervals = np.diff(peaks)
    regular = np.sum(intervals[np.abs(intervals / np.median(intervals) - 1) < 0.2]) / samples.shape[-1]
    wide = _band(samples, rate_hz, CONFIRMATION_HZ)
    if peaks.size < MIN_BEATS or regular < MIN_REGULAR_SHARE or _coherence(wide, peaks, rate_hz) < MIN_COHERENCE:
        return none
    return _shifted_to_r_wave(samples, peaks, rate_hz)


def remove_ecg(samples: Array, rate_hz: float, r_peaks: Indices) -> Array:
    """Subtract a template at each of ``r_peaks`` (n_beats,) from raw samples (n_channels, n_samples) -> the same shape.

    The template of a beat is the mean of about 20 neighbours on either side, weighted by how quiet the muscle is during
    each. It is scaled to the beat, the less the more EMG hides the beat's size. Frequencies below 10 Hz, with most of
    the T wave, remain for the band-pass to remove.
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
    """Template of each beat: (n_beats, width) -> the same shape, tapered to zero at both ends."""
    noise = np.mean((beats - np.median(beats, axis=0)) ** 2, axis=-1)  # (n_beats,)
    noise = noise + 1e-12 * noise.max() + np.finfo(np.float64).tiny  # keeps the weights of a flat channel finite
    number = np.arange(len(beats))
    quiet = noise.min() / noise  # a ratio, because the reciprocal noise of a flat channel would overflow
    weights = np.exp(-0.5 * ((number[:, None] - number) / NEIGHBOUR_BEATS) ** 2) * quiet  # (n_beats, n_beats)
    template = weights @ beats / weights.sum(axis=-1, keepdims=True)
    energy = np.sum(template**2, axis=-1) + np.finfo(np.float64).tiny
    gain = np.sum(beats * template, axis=-1) / energy
    trust = GAIN_SPREAD**2 / (GAIN_SPREAD**2 + noise / energy)  # in the gain, given the EMG around the beat
    return np.asarray(template * (1 + trust * (gain - 1))[:, None] * scipy.signal.windows.tukey(beats.shape[-1], 0.4))


def _band(samples: Array, rate_hz: float, band_hz: tuple[float, float]) -> Array:
    """Zero-phase band-pass; each channel is divided by its own median amplitude."""
    sos = scipy.signal.butter(BAND_ORDER, band_hz, btype="bandpass", fs=rate_hz, output="sos")
    n_pad = min(round(rate_hz), samples.shape[-1] - 1)
    passed = scipy.signal.sosfiltfilt(sos, samples, axis=-1, padlen=n_pad)
    return np.asarray(passed / (np.median(np.abs(passed), axis=-1, keepdims=True) + np.finfo(np.float64).tiny))


def _qrs_energy(narrow: Array, rate_hz: float) -> Array:
    """Squared slope, summed over channels, mean over 150 ms: (n_channels, n_samples) -> (n_samples,)."""
    squared_slope = np.sum(np.gradient(narrow, axis=-1) ** 2, axis=0)
    width = round(0.15 * rate_hz)
    return np.convolve(squared_slope, np.full(width, 1 / width), mode="same")


def _above_running_levels(energy: Array, rate_hz: float) -> Indices:
    """Peaks higher than the running noise level plus a quarter of its distance to the running beat level."""
    candidates, _ = scipy.signal.find_peaks(energy, distance=round(REFRACTORY_S * rate_hz))
    if not candidates.size:
        return candidates
    heights = energy[candidates]
    beat_level, noise_level = np.percentile(heights, 75), np.percentile(heights, 25) / 2
    peaks = []
    for candidate, height in zip(candidates, heights, strict=True):
        if height > noise_level + 0.25 * (beat_level - noise_level):
            beat_level += (min(height, 4 * beat_level) - beat_level) / 8  # limits the effect of one EMG burst
            peaks.append(candidate)
        else:
            noise_level += (height - noise_level) / 8
    return np.array(peaks, dtype=np.intp)


def _regular(peaks: Indices, energy: Array, rate_hz: float) -> Indices:
    """Remove peaks that come far too early, and add those that a second search finds where one is missing."""
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
    """(n_channels, n_samples) -> (n_channels, n_peaks, before + after), with zeros beyond the ends."""
    padded = np.pad(samples, ((0, 0), (before, after)))
    return np.asarray(padded[:, peaks[:, None] + np.arange(before + after)])


def _unit_beats(samples: Array, peaks: Indices, half: int) -> Array:
    """Windows around the peaks, each of norm 1, so that all beats have the same weight."""
    beats = _windows(samples, peaks, half, half)
    return np.asarray(beats / (np.linalg.norm(beats, axis=-1, keepdims=True) + np.finfo(np.float64).tiny))


def _aligned(narrow: Array, peaks: Indices, rate_hz: float) -> Indices:
    """Move each peak by up to 60 ms to the best agreement with the mean beat; repeat three times."""
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
    """Agreement of the beats' shapes, mean over channels: about 1 for random shapes, n_beats for equal ones."""
    mean = _unit_beats(wide, peaks, round(0.06 * rate_hz)).mean(axis=1)  # (n_channels, width)
    return float(peaks.size * np.mean(np.sum(mean**2, axis=-1)))


def _shifted_to_r_wave(samples: Array, peaks: Indices, rate_hz: float) -> Indices:
    """Shift all peaks by the same number of samples to the maximum of the mean beat."""
    reach = round(0.08 * rate_hz)
    mean = _unit_beats(_band(samples, rate_hz, (DETECTION_HZ[0], CONFIRMATION_HZ[1])), peaks, reach).mean(axis=1)
    shift = int(np.sum(mean**2, axis=0).argmax()) - reach
    return np.asarray(np.unique(np.clip(peaks + shift, 0, samples.shape[1] - 1)), dtype=np.intp)
