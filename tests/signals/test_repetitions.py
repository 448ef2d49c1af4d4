"""Repetitions: detected in the signal, or cut at given times."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy
from numpy.testing import assert_allclose

from builders import noise
from semg_hht.errors import InputError, RateUnknown
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.signals.activity import METHODS
from semg_hht.signals.repetitions import (
    Repetition,
    SegmentConfig,
    cut_repetition,
    find_repetitions,
    repetitions_in,
)
from semg_hht.signals.simulate import SimulationConfig, simulate_people
from signal_builders import bursts, columns_without_muscle

RECORDING = noise(2, duration_s=2.0, rate_hz=500.0)


def test_seconds_become_samples() -> None:
    repetition = cut_repetition(RECORDING, 0.5, 1.25)
    assert repetition == Repetition(250, 625)
    assert_allclose(repetition.cut(RECORDING.samples), RECORDING.samples[:, 250:625])


def test_without_times_the_repetition_is_the_whole_recording() -> None:
    assert cut_repetition(RECORDING, None, None) == Repetition(0, 1000)
    assert cut_repetition(RECORDING, 1.0, None) == Repetition(500, 1000)


def test_a_time_rounded_past_the_end_means_the_end() -> None:
    assert cut_repetition(RECORDING, None, 2.001) == Repetition(0, 1000)


@pytest.mark.parametrize(("start_s", "stop_s"), [(0.0, 2.5), (1.0, 1.0), (3.0, None), (1.5, 0.5), (-1.0, 1.0)])
def test_an_interval_outside_the_recording_is_refused(start_s: float, stop_s: float | None) -> None:
    with pytest.raises(InputError, match=r"noise0: a repetition from .* s does not lie within the recording of 2 s"):
        cut_repetition(RECORDING, start_s, stop_s)


RATE_HZ = 1000.0


def spans_s(repetitions: list[Repetition]) -> list[tuple[float, float]]:
    return [(repetition.start / RATE_HZ, repetition.stop / RATE_HZ) for repetition in repetitions]


def detected_s(samples: np.ndarray, config: SegmentConfig) -> list[tuple[float, float]]:
    return spans_s(repetitions_in(samples, RATE_HZ, config))


@pytest.mark.parametrize("method", METHODS)
def test_bursts_are_detected_at_their_times(method: str) -> None:
    truth = [(2.0, 3.5), (6.0, 7.2), (9.0, 10.5)]
    samples = bursts(*((*span, 8.0) for span in truth))
    assert_allclose(detected_s(samples, SegmentConfig(method)), truth, atol=0.12)


@pytest.mark.parametrize("method", METHODS)
def test_the_gain_of_a_channel_does_not_matter(method: str) -> None:
    samples = bursts((2, 4, 5.0), (7, 9, 5.0), n_channels=2)
    config = SegmentConfig(method)
    repetitions = repetitions_in(samples, RATE_HZ, config)
    assert len(repetitions) == 2
    assert repetitions_in(samples * [[1e-6], [1e3]], RATE_HZ, config) == repetitions


def test_a_constant_channel_does_not_matter() -> None:
    samples = bursts((2, 4, 5.0), (7, 9, 5.0))
    with_constant = np.concatenate([samples, np.zeros_like(samples)])
    assert repetitions_in(with_constant, RATE_HZ, SegmentConfig()) == repetitions_in(samples, RATE_HZ, SegmentConfig())
    assert repetitions_in(np.zeros((1, 5000)), RATE_HZ, SegmentConfig()) == []


TRUTH_S = [(1.5, 2.5), (4.0, 5.2), (6.1, 7.0), (9.0, 10.5)]
NO_MUSCLES = columns_without_muscle(bursts(*((*span, 20.0) for span in TRUTH_S))[0], RATE_HZ)


def with_column(name: str, rate_hz: float) -> Recording:
    """Two channels with bursts at `TRUTH_S` at 1000 Hz, and a column without a muscle, resampled."""
    samples = bursts(*((*span, 20.0) for span in TRUTH_S), n_channels=2)
    resampled = scipy.signal.resample_poly(samples, round(rate_hz / 100), 10, axis=1)
    column = columns_without_muscle(resampled[0], rate_hz)[name]
    return Recording(np.vstack([resampled, column]), rate_hz, ("biceps", "triceps", name))


@pytest.mark.parametrize("rate_hz", [200.0, 1000.0, 4000.0])
@pytest.mark.parametrize("name", NO_MUSCLES)
def test_a_column_without_a_muscle_does_not_matter(name: str, rate_hz: float) -> None:
    recording = with_column(name, rate_hz)
    expected = find_repetitions(recording.select(("biceps", "triceps")))
    assert_allclose([[r.start / rate_hz, r.stop / rate_hz] for r in expected], TRUTH_S, atol=0.15)
    detected = find_repetitions(recording)
    limits = [[(r.start / rate_hz, r.stop / rate_hz) for r in repetitions] for repetitions in (expected, detected)]
    assert_allclose(limits[1], limits[0], atol=0.15)  # hum brings a notch


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [name for name in NO_MUSCLES if "copy" not in name])
def test_a_column_without_a_muscle_has_no_repetition(name: str, method: str) -> None:
    recording = Recording(NO_MUSCLES[name][None], RATE_HZ, (name,))
    assert find_repetitions(recording, SegmentConfig(method)) == []


def test_counts_of_a_force_do_not_matter_beside_muscles() -> None:
    rate_hz = 200.0
    muscles = with_column("ramp", rate_hz).select(("biceps", "triceps"))
    pressed = np.floor(np.arange(muscles.n_samples) / rate_hz / 1.7) % 2
    force = scipy.signal.sosfiltfilt(scipy.signal.butter(2, 2.0, fs=rate_hz, output="sos"), pressed)
    together = Recording(np.vstack([muscles.samples, np.round(1000 * force)]), rate_hz, ("biceps", "triceps", "grip"))
    assert find_repetitions(together) == find_repetitions(muscles)


def test_silence_between_the_bursts_is_rest() -> None:
    recording = Recording(NO_MUSCLES["gated copy"][None], RATE_HZ, ("biceps",))
    detected = spans_s(find_repetitions(recording))
    assert n_matched(detected, [(1.7, 3.4), (5.1, 6.8), (8.5, 10.2)]) == len(detected) == 3


def test_channels_that_disagree_lower_the_confidence() -> None:
    one = bursts((1, 2, 8.0), (5, 6, 8.0), (9, 10, 8.0))
    other = bursts((3, 4, 3000.0), (7, 8, 3000.0), (11, 11.9, 3000.0))
    together = repetitions_in(np.concatenate([one, one, one, other]), RATE_HZ, SegmentConfig())
    assert max(repetition.confidence for repetition in together) < 0.5
    agreed = repetitions_in(np.concatenate([one, one, one, one]), RATE_HZ, SegmentConfig())
    assert min(repetition.confidence for repetition in agreed) > 0.9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate_hz", [100.0, 200.0, 1000.0, 2000.0, 5000.0, 10_000.0, 30_000.0])
def test_the_rate_does_not_matter(rate_hz: float, method: str) -> None:
    samples = with_column("ramp", 1000.0).samples[:1]
    resampled = scipy.signal.resample_poly(samples, round(rate_hz / 100), 10, axis=1)
    repetitions = find_repetitions(Recording(resampled, rate_hz, ("biceps",)), SegmentConfig(method))
    assert_allclose([[r.start / rate_hz, r.stop / rate_hz] for r in repetitions], TRUTH_S, atol=0.25)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("amplitude", [3.0, 30.0, 100.0])
@pytest.mark.parametrize(("active_s", "rest_s"), [(2, 1), (4, 1), (10, 1)])
def test_activity_may_last_longer_than_rest(active_s: float, rest_s: float, amplitude: float, method: str) -> None:
    period_s = active_s + rest_s
    truth = [(k * period_s + rest_s / 2, k * period_s + rest_s / 2 + active_s) for k in range(8)]
    samples = bursts(*((*span, amplitude) for span in truth), duration_s=8 * period_s)
    assert_allclose(detected_s(samples, SegmentConfig(method)), truth, atol=0.25)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_has_no_repetition(method: str, seed: int) -> None:
    samples = np.random.default_rng(seed).standard_normal((1, 20_000))
    assert repetitions_in(samples, RATE_HZ, SegmentConfig(method)) == []


def test_a_short_rest_joins_and_a_long_rest_separates() -> None:
    samples = bursts((2, 3, 8.0), (3.3, 4.3, 8.0), (7, 8, 8.0))
    assert_allclose(detected_s(samples, SegmentConfig()), [(2, 4.3), (7, 8)], atol=0.12)
    assert len(detected_s(samples, SegmentConfig(merge_gap_s=0.1))) == 3


def test_short_activity_is_ignored() -> None:
    samples = bursts((2, 4, 8.0), (6, 6.15, 8.0), (8, 10, 8.0))
    assert len(detected_s(samples, SegmentConfig())) == 2
    assert len(detected_s(samples, SegmentConfig(min_duration_s=0.05))) == 3


def test_weak_activity_is_ignored() -> None:
    samples = bursts((1, 2.5, 30.0), (4, 5.5, 2.5), (7, 8.5, 30.0), (10, 11.5, 30.0))
    assert len(detected_s(samples, SegmentConfig())) == 3
    assert len(detected_s(samples, SegmentConfig(ghost_share=0.0))) == 4


def test_long_activity_is_split_at_its_pause_and_a_hold_is_not() -> None:
    samples = bursts((1, 5, 20.0), (5.0, 5.3, 4.0), (5.3, 10, 20.0))
    assert len(detected_s(samples, SegmentConfig())) == 1
    assert_allclose(detected_s(samples, SegmentConfig(max_duration_s=6.0)), [(1, 5.15), (5.15, 10)], atol=0.25)
    assert len(detected_s(bursts((1, 10, 20.0)), SegmentConfig(max_duration_s=6.0))) == 1


def test_periodic_activity_is_split_at_short_rests() -> None:
    steps = [(0.3 + k * 1.2, 1.0 + k * 1.2, 6.0) for k in range(20)]  # rests of half a second
    detected = detected_s(bursts(*steps, duration_s=25.0), SegmentConfig(merge_gap_s=0.8))
    assert_allclose(detected, [(start, stop) for start, stop, _ in steps], atol=0.15)


def test_a_fragment_has_a_lower_confidence() -> None:
    samples = bursts((1, 3, 9.0), (5, 5.4, 9.0), (7, 9, 9.0))
    whole, fragment, _ = repetitions_in(samples, RATE_HZ, SegmentConfig())
    assert whole.confidence > 0.95
    assert fragment.confidence < 0.3


def n_matched(detected: list[tuple[float, float]], truth: list[tuple[float, float]]) -> int:
    """Number of true repetitions that share at least half of the union with a detected one."""
    shares = [
        max(((min(b, d) - max(a, c)) / (max(b, d) - min(a, c)) for c, d in detected), default=0.0) for a, b in truth
    ]
    return sum(share >= 0.5 for share in shares)


@pytest.mark.parametrize(
    ("method", "snr_db", "at_least"), [("markov", 20, 0.9), ("markov", 5, 0.7), ("threshold", 20, 0.9)]
)
def test_simulated_repetitions_are_detected(method: str, snr_db: float, at_least: float) -> None:
    config = SimulationConfig(n_subjects=4, n_repetitions=3, snr_db=snr_db)
    n_true = n_detected = n_right = 0
    for simulated in simulate_people(config, seed=7):
        spans = spans_s(find_repetitions(simulated.recording, SegmentConfig(method)))
        truth = [(r.start_s, r.stop_s) for r in simulated.repetitions]
        n_true, n_detected = n_true + len(truth), n_detected + len(spans)
        n_right += n_matched(spans, truth)
    assert 2 * n_right / (n_true + n_detected) >= at_least


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "channel"), [("emg_bursts.h5", "channel_3"), ("emg_fatigue.h5", "channel_2")])
def test_detected_repetitions_agree_with_those_of_a_person(
    real_data: Path, method: str, name: str, channel: str
) -> None:
    h5py = pytest.importorskip("h5py")
    marked = json.loads((Path(__file__).parents[1] / "references" / "repetitions_seen.json").read_text())[name]
    with h5py.File(real_data / "formats" / "biosignalsnotebooks" / name) as file:
        (device,) = file.values()
        samples = device["raw"][channel][:].reshape(1, -1).astype(float)
    spans = spans_s(find_repetitions(Recording(samples, RATE_HZ, ("biceps",)), SegmentConfig(method)))
    assert len(spans) == n_matched(spans, marked) == len(marked)
    assert_allclose([start for start, _ in spans], [start for start, _ in marked], atol=0.3)


def test_a_rate_of_200_hz() -> None:
    samples = np.random.default_rng(0).standard_normal((8, 4000))
    samples[:, 800:1400] *= 6
    (only,) = repetitions_in(samples, 200.0, SegmentConfig())
    assert_allclose([only.start, only.stop], [800, 1400], atol=40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "method 'guess' is unknown; expected one of markov, threshold"),
        ({"min_duration_s": 3.0, "max_duration_s": 2.0}, "expected 0 <= min_duration_s < max_duration_s; got 3 and 2"),
        ({"merge_gap_s": -1.0}, "expected merge_gap_s >= 0"),
        ({"ghost_share": 1.0}, "0 <= ghost_share < 1; got 0.5 and 1"),
    ],
)
def test_invalid_settings_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SegmentConfig(**options)


def test_the_error_names_a_recording_that_cannot_be_filtered() -> None:
    with pytest.raises(InputError, match=r"slow\.csv: band 20-450 Hz needs a rate above"):
        find_repetitions(Recording(np.ones((1, 200)), 20.0, ("a",), source="slow.csv"))


@pytest.mark.parametrize(("walker", "n_bends"), [(1, 7), (2, 9), (3, 33)])
def test_steps_agree_with_bends_of_the_knee(real_data: Path, walker: int, n_bends: int) -> None:
    path = real_data / "formats" / "lower_limb" / f"Abnormal-{walker}Agait_-_Sheet1.csv"
    recording = read_recording(path, rate_hz=1000)
    assert abs(len(find_repetitions(recording.select(()))) - n_bends) <= 1
    semitendinosus = recording.select((recording.channel_names[3],))
    assert abs(len(find_repetitions(semitendinosus)) - n_bends) <= 2


def test_repetitions_are_found_in_what_holds_a_recording(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(1, 12000))
    samples[:, 2000:4000] *= 10
    samples[:, 6000:8000] *= 10
    angle = 1e5 * np.sin(np.arange(12000) / 100)[None]
    recording = Recording(np.concatenate([samples, angle]), 1000.0, ("biceps", "angle"), "uV", non_emg=("angle",))
    write_recording(recording.select("biceps"), tmp_path / "a.npz")
    expected = find_repetitions(recording.select("biceps"))
    assert len(expected) == 2
    assert find_repetitions(recording) == expected  # the angle is not searched
    assert find_repetitions(samples, rate_hz=1000.0) == expected
    assert find_repetitions(str(tmp_path / "a.npz")) == expected
    with pytest.raises(RateUnknown):
        find_repetitions(samples)
