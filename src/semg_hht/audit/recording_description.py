"""A small description of a recording, which is compared with those of other recordings once the samples are released.

It works on arrays. It does not know files, people or labels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.recordings.recording import Recording
from semg_hht.recordings.welch import welch

Array = NDArray[np.float64]

MAX_CHANNELS = 64  # described; further channels only have a digest

# Third-octave bands, ten in a decade, so that a rate ten times too high moves the spectrum by ten bands.
BANDS_PER_DECADE = 10
BAND_EDGES_HZ = 10 ** ((np.arange(43) - 0.5) / BANDS_PER_DECADE)  # 0.9 Hz to 14 kHz
SEGMENT_SAMPLES = 2048  # of a spectrum
LEVEL_FROM_HZ = 10.0  # drift and movement artefacts lie below
MAX_SPECTRUM_SAMPLES = 2**18  # of a channel
MAX_MULTIPLE, MULTIPLE_TOLERANCE, MIN_MULTIPLES = 10, 0.15, 0.9  # differences of values that are multiples of a step

# Landmarks: the waveform around the moments of highest energy.
LANDMARK_BAND_HZ = (20.0, 90.0)  # which also a device with 200 Hz records
FINE_HZ = 800.0  # the time of a landmark is a multiple of 1.25 ms, a small part of a period of 90 Hz
STRIDE = 4  # samples of a landmark are 5 ms apart
HALF_WIDTH = 56  # samples before and after the moment: 0.28 s
WIDTH = 2 * HALF_WIDTH
MAX_LANDMARKS, MIN_EACH, MAX_EACH = 64, 1, 16  # in a recording, on a channel
WHITENING_S = 0.25  # length of the segments of the spectrum that whitens
SMOOTHING_S = 0.05  # of the energy
MIN_DISTANCE_S = 0.1  # between two landmarks of a channel


@dataclass(frozen=True)
class RecordingDescription:
    """What the audit keeps of one recording: about 10 kB.

    digests : SHA-256 of the samples of each channel.
    level : log10 of the RMS above 10 Hz of each channel, in the unit of the recording; -inf: constant.
    step : log10 of the smallest difference of two values of each channel; NaN: the values are no multiples of a step.
    spectrum : (n_channels, n_bands) log10 of the power density in third-octave bands; NaN outside the recorded band.
    coupling : (n_channels, n_channels) correlation of the channels above 10 Hz.
    landmark_channel, landmark_s : (n,) channel and time of each landmark.
    landmarks : (n, 112) int8, the whitened waveform around each landmark.
    """

    rate_hz: float
    n_samples: int
    channel_names: tuple[str, ...]
    units: str
    digests: tuple[str, ...]
    level: NDArray[np.float32] = field(repr=False)
    step: NDArray[np.float32] = field(repr=False)
    spectrum: NDArray[np.float32] = field(repr=False)
    coupling: NDArray[np.float32] = field(repr=False)
    landmark_channel: NDArray[np.int16] = field(repr=False)
    landmark_s: NDArray[np.float64] = field(repr=False)
    landmarks: NDArray[np.int8] = field(repr=False)

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.rate_hz

    @property
    def n_bytes(self) -> int:
        """Size in memory."""
        arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        return sum(array.nbytes for array in arrays) + 80 * len(self.digests)


def describe(recording: Recording) -> RecordingDescription:
    """The description of a recording; its channels are described alone and by their correlation."""
    samples = recording.samples
    kept = samples[:MAX_CHANNELS]
    each = int(np.clip(MAX_LANDMARKS // max(1, len(kept)), MIN_EACH, MAX_EACH))
    found = [_landmarks(channel, recording.rate_hz, each) for channel in kept]
    counts = [len(times) for times, _ in found]
    spectrum, level = _spectra(kept, recording.rate_hz)
    return RecordingDescription(
        rate_hz=recording.rate_hz,
        n_samples=recording.n_samples,
        channel_names=recording.channel_names,
        units=recording.units,
        digests=tuple(hashlib.sha256(channel.tobytes()).hexdigest() for channel in samples),
        level=level,
        step=np.array([_step(channel) for channel in kept], dtype=np.float32),
        spectrum=spectrum,
        coupling=_coupling(kept, recording.rate_hz),
        landmark_channel=np.repeat(np.arange(len(kept)), counts).astype(np.int16),
        landmark_s=np.concatenate([times for times, _ in found]),
        landmarks=np.concatenate([shapes for _, shapes in found]),
    )


def _spectra(samples: Array, rate_hz: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Power density in bands (n_channels, n_bands), and level (n_channels,)."""
    n_samples = samples.shape[1]
    start = max(0, (n_samples - MAX_SPECTRUM_SAMPLES) // 2)
    middle = samples[:, start : start + MAX_SPECTRUM_SAMPLES]
    segment = min(SEGMENT_SAMPLES, n_samples)
    hz, power = welch(middle, rate_hz, segment)
    width_hz = hz[1]
    edges_hz = np.concatenate([[0.0], hz + width_hz / 2])
    cumulative = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1) * width_hz], axis=1)
    at_edges = np.array([np.interp(BAND_EDGES_HZ, edges_hz, total) for total in cumulative])
    density = np.diff(at_edges, axis=1) / np.diff(BAND_EDGES_HZ)  # (n_channels, n_bands)
    inside = (BAND_EDGES_HZ[1:] <= rate_hz / 2) & (BAND_EDGES_HZ[:-1] >= width_hz / 2)
    with np.errstate(divide="ignore"):
        spectrum = np.where(inside & (density > 0), np.log10(np.maximum(density, 1e-300)), np.nan)
        level = 0.5 * np.log10(power[:, hz >= min(LEVEL_FROM_HZ, rate_hz / 4)].sum(axis=1) * width_hz)
    return spectrum.astype(np.float32), level.astype(np.float32)


def _step(channel: Array) -> float:
    """log10 of the resolution; NaN where the differences of neighbouring values are no multiples of a smallest one.

    Rounding to some digits changes the differences a little.
    """
    gaps = np.diff(np.unique(channel))
    gaps = gaps[gaps > 1e-6 * np.ptp(channel)] if gaps.size else gaps
    if not gaps.size:
        return float("nan")
    step = np.quantile(gaps, 0.02)
    multiples = gaps[gaps < MAX_MULTIPLE * step] / step
    is_multiple = np.abs(multiples - np.round(multiples)) < MULTIPLE_TOLERANCE
    return float(np.log10(step)) if is_multiple.mean() > MIN_MULTIPLES else float("nan")


def _coupling(samples: Array, rate_hz: float) -> NDArray[np.float32]:
    """Correlation of channels (n_channels, n_samples), of their differences: drift is left out. 0: constant channel."""
    lag = max(1, round(rate_hz / 400))
    moves = samples[:, lag:] - samples[:, :-lag]
    moves = moves - moves.mean(axis=1, keepdims=True)
    length = np.linalg.norm(moves, axis=1, keepdims=True)
    unit = np.where(length > 0, moves / np.maximum(length, 1e-300), 0)
    return np.asarray(unit @ unit.T, dtype=np.float32)


def _landmarks(channel: Array, rate_hz: float, n_landmarks: int) -> tuple[Array, NDArray[np.int8]]:
    """Times in seconds (n,) and waveforms (n, 112) at the moments of highest energy in 20 to 90 Hz.

    The waveform is whitened and its amplitude is levelled, so that gain, offset, hum and the shape of a contraction do
    not matter. Landmarks lie in the same places of a copy that was trimmed, resampled or inverted.
    """
    fine = _whitened(channel, rate_hz)
    margin = HALF_WIDTH * STRIDE
    if fine.size <= 2 * margin:
        return np.empty(0), np.empty((0, WIDTH), dtype=np.int8)
    energy = np.abs(fine) ** 2
    width = round(SMOOTHING_S * FINE_HZ)
    # Twice the same average: the peaks of a single moving average are rough.
    energy = scipy.ndimage.uniform_filter1d(scipy.ndimage.uniform_filter1d(energy, width), width)
    peaks = scipy.signal.find_peaks(energy[margin:-margin], distance=round(MIN_DISTANCE_S * FINE_HZ))[0] + margin
    peaks = np.sort(peaks[np.argsort(-energy[peaks])[:n_landmarks]])
    levelled = fine.real / np.sqrt(np.maximum(energy, 1e-300))
    shapes = levelled[peaks[:, None] + STRIDE * np.arange(-HALF_WIDTH, HALF_WIDTH)]  # (n, 112)
    return peaks / FINE_HZ, np.clip(np.round(40 * shapes), -127, 127).astype(np.int8)


def _whitened(channel: Array, rate_hz: float) -> NDArray[np.complex128]:
    """The analytic signal of a channel in 20 to 90 Hz with equal power at all frequencies, at 800 Hz."""
    low_hz, high_hz = LANDMARK_BAND_HZ
    if np.ptp(channel) == 0 or rate_hz < 2 * high_hz or channel.size < 0.5 * rate_hz:
        return np.empty(0, dtype=np.complex128)
    segment = min(channel.size, round(WHITENING_S * rate_hz))
    hz, power = welch(channel, rate_hz, segment)
    n_padded = scipy.fft.next_fast_len(channel.size)
    n_fine = round(n_padded * FINE_HZ / rate_hz)
    transform = scipy.fft.rfft(channel - channel.mean(), n_padded)
    at_hz = np.arange(transform.size) * rate_hz / n_padded
    used = (at_hz > low_hz) & (at_hz < high_hz)
    gain = 1 / np.sqrt(np.maximum(np.interp(at_hz[used], hz, power), 1e-12 * power.max()))
    ramp = np.minimum(1.0, np.minimum(at_hz[used] - low_hz, high_hz - at_hz[used]) / 5)  # soft edges do not ring
    analytic = np.zeros(n_fine, dtype=np.complex128)
    analytic[np.flatnonzero(used)] = transform[used] * gain * ramp
    fine = scipy.fft.ifft(analytic)
    return np.asarray(fine[: int(channel.size * FINE_HZ / rate_hz)])
