"""Simulated recordings and their ground truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.signals.simulate import MOVEMENTS, SimulatedRecording, SimulationConfig, simulate_people

QUIET = {"noise_uv": 0.0, "mains_uv": 0.0, "ecg_uv": 0.0, "drift_uv": 0.0}


def samples_of(simulated: SimulatedRecording) -> list[np.ndarray]:
    """The samples of each repetition, (n_channels, n_samples)."""
    rate_hz = simulated.recording.rate_hz
    return [
        simulated.recording.samples[:, round(t.start_s * rate_hz) : round(t.stop_s * rate_hz)]
        for t in simulated.repetitions
    ]


def mean_frequency_hz(samples: np.ndarray, rate_hz: float) -> float:
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(np.sum(np.fft.rfftfreq(samples.size, 1 / rate_hz) * power) / np.sum(power))


def test_a_seed_always_gives_the_same_people() -> None:
    config = SimulationConfig(2, n_repetitions=1)
    first, again, other = (simulate_people(config, seed) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert a.repetitions == b.repetitions
        assert_allclose(a.recording.samples, b.recording.samples, rtol=0, atol=0)
    assert first[0].repetitions != other[0].repetitions


def test_a_person_does_not_depend_on_the_number_of_people() -> None:
    few = simulate_people(SimulationConfig(1, n_repetitions=1), 3)
    many = simulate_people(SimulationConfig(3, n_repetitions=1), 3)
    assert_allclose(few[0].recording.samples, many[0].recording.samples, rtol=0, atol=0)


def test_people_sessions_and_ground_truth() -> None:
    recordings = simulate_people(SimulationConfig(3, n_sessions=2, n_repetitions=2, n_channels=2), 0)
    assert [(r.person.subject, r.session, r.person.gender) for r in recordings] == [
        ("S01", "E01", "F"), ("S01", "E02", "F"), ("S02", "E01", "M"),
        ("S02", "E02", "M"), ("S03", "E01", "F"), ("S03", "E02", "F"),
    ]  # fmt: skip
    for simulated in recordings:
        movements = [truth.movement for truth in simulated.repetitions]
        assert sorted(movements) == sorted([*MOVEMENTS] * 2)
        assert simulated.recording.samples.shape[0] == 2
        assert simulated.recording.units == "uV"
        edges = [t for truth in simulated.repetitions for t in (truth.start_s, truth.stop_s)]
        assert edges == sorted(edges)
        assert edges[0] > 0
        assert edges[-1] < simulated.recording.duration_s


def test_people_differ_and_sessions_share_a_person() -> None:
    recordings = simulate_people(SimulationConfig(3, n_sessions=2, n_repetitions=1), 0)
    assert recordings[0].person == recordings[1].person
    assert len({r.person.high_hz for r in recordings}) == 3


def test_the_muscle_is_silent_at_rest() -> None:
    (simulated,) = simulate_people(SimulationConfig(1, n_repetitions=2, **QUIET), 0)
    rate_hz = simulated.recording.rate_hz
    silent = np.ones(simulated.recording.n_samples, dtype=bool)
    for truth in simulated.repetitions:
        silent[round(truth.start_s * rate_hz) : round(truth.stop_s * rate_hz)] = False
    assert_allclose(simulated.recording.samples[0, silent], 0, atol=0)
    assert min(np.sqrt(np.mean(samples**2)) for samples in samples_of(simulated)) > 10


def test_full_repetitions_are_longer_and_stronger_than_half() -> None:
    (simulated,) = simulate_people(SimulationConfig(1, n_repetitions=4, fatigue=0.0, **QUIET), 0)
    pieces = list(zip(simulated.repetitions, samples_of(simulated), strict=True))
    energy = {m: np.mean([np.sum(s**2) for t, s in pieces if t.movement == m]) for m in ("full", "half")}
    assert energy["full"] > 2 * energy["half"]
    length = {m: [s.shape[1] for t, s in pieces if t.movement == m] for m in ("full", "half")}
    assert min(length["full"]) > max(length["half"])


def test_fatigue_lowers_the_frequencies() -> None:
    config = SimulationConfig(1, n_repetitions=6, fatigue=0.4, **QUIET)
    (simulated,) = simulate_people(config, 0)
    frequencies = [mean_frequency_hz(samples[0], 1000) for samples in samples_of(simulated)]
    assert np.mean(frequencies[-5:]) < 0.85 * np.mean(frequencies[:5])


def test_hum_has_the_mains_frequency() -> None:
    config = SimulationConfig(1, n_repetitions=1, mains_hz=60, **{**QUIET, "mains_uv": 30.0})
    (simulated,) = simulate_people(config, 0)
    rest = simulated.recording.samples[0, : int(simulated.repetitions[0].start_s * 1000)]
    power = np.abs(np.fft.rfft(rest * np.hanning(rest.size))) ** 2
    assert_allclose(np.fft.rfftfreq(rest.size, 1e-3)[power.argmax()], 60, atol=1.5)


@pytest.mark.parametrize("name", ["n_subjects", "n_sessions", "n_repetitions", "n_channels"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be at least 1; got 0"):
        SimulationConfig(**{name: 0})


def test_a_low_rate_is_refused() -> None:
    with pytest.raises(InputError, match="needs a rate of at least 200 Hz; got 100"):
        SimulationConfig(rate_hz=100)
