"""Simulate raw sEMG with known ground truth: people, full, half and invalid repetitions, fatigue, hum and ECG.

The signal is an amplitude-modulated noise process (Shwedyk, Balasubramanian and Scott 1977, doi
10.1109/TBME.1977.326175) whose spectrum has the two corner frequencies of surface EMG (Stulen and De Luca 1981, doi
10.1109/TBME.1981.324738); fatigue lowers both.

The differences between the classes, and between men and women, are assumptions for trying and testing the software.
They say nothing about real people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.recording import Recording
from semg_hht.system.arguments import checked
from semg_hht.system.seeds import require_seed

Array = NDArray[np.float64]

MOVEMENTS = ("full", "half", "invalid")


@checked
@dataclass(frozen=True)
class SimulationConfig:
    """Size of the simulation and properties of the signal. Amplitudes are RMS in microvolts at the skin.

    Examples
    --------
    >>> import semg_hht as sh
    >>> people = sh.SimulationConfig(n_subjects=2, n_channels=2, fatigue=0.4)
    """

    n_subjects: int = 6
    n_sessions: int = 1
    n_repetitions: int = 4  # of each movement, in each recording
    rate_hz: float = 1000.0
    n_channels: int = 1
    noise_uv: float = 4.0
    snr_db: float | None = None  # power of the active muscle over that of the noise; replaces noise_uv
    mains_uv: float = 6.0
    mains_hz: float = 50.0
    ecg_uv: float = 5.0
    drift_uv: float = 20.0
    fatigue: float = 0.25  # relative decrease of the frequencies from the first to the last repetition

    def __post_init__(self) -> None:
        for name in ("n_subjects", "n_sessions", "n_repetitions", "n_channels"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.rate_hz < 200:
            raise InputError(f"simulated sEMG needs a rate of at least 200 Hz; got {self.rate_hz:g}")


@dataclass(frozen=True)
class Person:
    """A simulated person: corner frequencies of the spectrum, RMS of a full effort, duration of a full repetition."""

    subject: str
    gender: str
    low_hz: float
    high_hz: float
    full_effort_uv: float
    tempo_s: float


@dataclass(frozen=True)
class TrueRepetition:
    """Ground truth of one repetition: its times and its movement."""

    start_s: float
    stop_s: float
    movement: str


@dataclass(frozen=True)
class SimulatedRecording:
    """A recording with the person, the session and the true repetitions."""

    person: Person
    session: str
    recording: Recording
    repetitions: tuple[TrueRepetition, ...]


def simulate_people(config: SimulationConfig, seed: int) -> list[SimulatedRecording]:
    """One recording per person and session. It depends on the seed and its own number, not on the other recordings."""
    require_seed(seed)
    recordings = []
    for index in range(config.n_subjects):
        person = _person(index, np.random.default_rng([seed, index]))
        for session in range(config.n_sessions):
            rng = np.random.default_rng([seed, index, 1 + session])
            recordings.append(_record(person, session, config, rng))
    return recordings


def _person(index: int, rng: np.random.Generator) -> Person:
    gender = "FM"[index % 2]
    # Subcutaneous fat attenuates the signal, high frequencies most; people of one gender still differ widely.
    gain, frequency_scale = (0.6, 0.8) if gender == "F" else (1.0, 1.0)
    return Person(
        subject=f"S{index + 1:02d}",
        gender=gender,
        low_hz=float(rng.uniform(50, 65)),
        high_hz=float(rng.uniform(115, 140) * frequency_scale),
        full_effort_uv=float(220 * gain * rng.lognormal(0, 0.3)),
        tempo_s=float(rng.uniform(1.6, 2.4)),
    )


def _record(person: Person, session: int, config: SimulationConfig, rng: np.random.Generator) -> SimulatedRecording:
    order = rng.permutation(np.repeat(MOVEMENTS, config.n_repetitions))
    # Electrodes are placed anew in each session, which changes the gain and the spectrum of each channel.
    gain = rng.lognormal(0, 0.15, config.n_channels)
    shift = rng.uniform(0.95, 1.05, config.n_channels)
    pieces = [_rest(config, rng)]
    truth = []
    start = pieces[0].shape[1]
    for number, movement in enumerate(order):
        tired = number / max(1, len(order) - 1)
        activation = _activation(str(movement), person, config.rate_hz, rng)
        slowing = 1 - config.fatigue * tired
        corners_hz = [(person.low_hz * slowing * s, person.high_hz * slowing * s) for s in shift]
        burst = np.stack([coloured_noise(activation.size, config.rate_hz, corners, rng) for corners in corners_hz])
        # A fatigued muscle needs more activation for the same movement.
        pieces.append(burst * activation * gain[:, None] * person.full_effort_uv * (1 + 0.3 * tired))
        stop = start + activation.size
        truth.append(TrueRepetition(start / config.rate_hz, stop / config.rate_hz, str(movement)))
        pieces.append(_rest(config, rng))
        start = stop + pieces[-1].shape[1]
    samples = np.concatenate(pieces, axis=1)
    active = np.any(samples != 0, axis=0)  # (n_samples,)
    noise_uv = np.full((config.n_channels, 1), config.noise_uv)
    if config.snr_db is not None:
        muscle_uv = np.sqrt(np.mean(samples[:, active] ** 2, axis=1, keepdims=True))  # (n_channels, 1)
        noise_uv = muscle_uv / 10 ** (config.snr_db / 20)
    samples += _disturbances(samples.shape, noise_uv, config, rng)
    name = f"{person.subject}_E{session + 1:02d}"
    recording = Recording(
        samples=samples,
        rate_hz=config.rate_hz,
        channel_names=tuple(f"ch{i + 1}" for i in range(config.n_channels)),
        units="uV",
        source=name,
    )
    return SimulatedRecording(person, f"E{session + 1:02d}", recording, tuple(truth))


def _rest(config: SimulationConfig, rng: np.random.Generator) -> Array:
    """Zeros between repetitions; noise, hum, ECG and drift are added to the whole recording later."""
    return np.zeros((config.n_channels, round(rng.uniform(0.8, 1.4) * config.rate_hz)))


def _activation(movement: str, person: Person, rate_hz: float, rng: np.random.Generator) -> Array:
    """Activation of the muscle over one repetition, (n_samples,), about 1 at the peak of a full one.

    full: the weight is lifted, then lowered with less effort. half: one weaker and shorter hump, half the range of
    motion. invalid: the weight is jerked up and dropped, or moved with stops.
    """
    tempo_s = person.tempo_s * rng.uniform(0.9, 1.1)
    if movement == "full":
        t = _unit_time(tempo_s, rate_hz)
        return np.asarray(_hump(t, 0.28, 0.26) * rng.uniform(0.9, 1.1) + _hump(t, 0.74, 0.24) * rng.uniform(0.5, 0.65))
    if movement == "half":
        t = _unit_time(0.6 * tempo_s, rate_hz)
        return np.asarray(_hump(t, rng.uniform(0.45, 0.55), 0.45) * rng.uniform(0.5, 0.65))
    t = _unit_time(tempo_s * rng.uniform(0.7, 1.0), rate_hz)
    if rng.random() < 0.5:  # jerked up and dropped
        return np.asarray(_hump(t, 0.12, 0.12) * rng.uniform(1.1, 1.5) + 0.12 * _hump(t, 0.55, 0.45))
    n_stops = int(rng.integers(4, 7))
    return np.asarray(_hump(t, 0.5, 0.5) * (np.sin(np.pi * n_stops * t) ** 2) * rng.uniform(0.7, 1.0))


def _unit_time(duration_s: float, rate_hz: float) -> Array:
    n_samples = round(duration_s * rate_hz)
    return (np.arange(n_samples) + 0.5) / n_samples


def _hump(t: Array, centre: float, half_width: float) -> Array:
    """Raised cosine: 1 at the centre, 0 at distances of ``half_width`` and above."""
    return np.where(np.abs(t - centre) < half_width, 0.5 + 0.5 * np.cos(np.pi * (t - centre) / half_width), 0.0)


def coloured_noise(n_samples: int, rate_hz: float, corners_hz: tuple[float, float], rng: np.random.Generator) -> Array:
    """Gaussian noise (n_samples,) of unit RMS with the power spectrum f^2 fh^4 / ((f^2 + fl^2) (f^2 + fh^2)^2).

    corners_hz : the corner frequencies fl and fh.
    """
    low_hz, high_hz = corners_hz
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    f = np.fft.rfftfreq(n_samples, 1 / rate_hz)
    shaped = np.fft.irfft(spectrum * f * high_hz**2 / (np.sqrt(f**2 + low_hz**2) * (f**2 + high_hz**2)), n_samples)
    return np.asarray(shaped / np.sqrt(np.mean(shaped**2)))


def _disturbances(shape: tuple[int, ...], noise_uv: Array, config: SimulationConfig, rng: np.random.Generator) -> Array:
    """Noise of ``noise_uv`` (n_channels, 1), mains hum, ECG and drift: (n_channels, n_samples)."""
    n_channels, n_samples = shape
    t = np.arange(n_samples) / config.rate_hz
    hum = sum(
        share * np.sin(2 * np.pi * k * config.mains_hz * t + rng.uniform(0, 2 * np.pi))
        for k, share in ((1, 1.0), (3, 0.3))
        if k * config.mains_hz < config.rate_hz / 2
    )
    beats_s = np.cumsum(rng.normal(0.85, 0.04, int(t[-1] / 0.6) + 2))
    heart = np.zeros(n_samples)
    for beat in beats_s[beats_s < t[-1]]:  # QRS complex: an R wave between two smaller negative waves
        near = slice(*np.searchsorted(t, [beat - 0.1, beat + 0.1]))
        x = (t[near] - beat) / 0.012
        heart[near] += (1 - x**2) * np.exp(-(x**2) / 2)
    drift = np.sin(2 * np.pi * 0.3 * t + rng.uniform(0, 2 * np.pi))
    strength = rng.uniform(0.5, 1.5, (4, n_channels, 1))
    if config.snr_db is not None:
        strength[0] = 1.0  # the signal-to-noise ratio is given
    return np.asarray(
        strength[0] * noise_uv * rng.standard_normal(shape)
        + strength[1] * config.mains_uv * np.sqrt(2) * hum
        + strength[2] * config.ecg_uv * 4 * heart  # the peak of a QRS complex is about four times its RMS
        + strength[3] * config.drift_uv * np.sqrt(2) * drift
    )
