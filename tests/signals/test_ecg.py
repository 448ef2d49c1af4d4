"""Detection of heartbeats and removal of the ECG."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.errors import InputError
from semg_hht.signals.ecg import find_r_peaks, remove_ecg
from semg_hht.signals.filters import FilterConfig, filter_steps, preprocess

RATE_HZ = 1000.0
N_SAMPLES = 15_000
TIME_S = np.arange(N_SAMPLES) / RATE_HZ
CHANNELS = np.array([1.0, -0.6])[:, None]  # the ECG differs from channel to channel
FILTERS = FilterConfig(mains_hz=None)


def beats_s() -> np.ndarray:
    """Times of R peaks; breathing changes the interval by a tenth."""
    beats = [0.4]
    while beats[-1] < 14:
        beats.append(beats[-1] + 0.8 * (1 + 0.1 * np.sin(0.5 * np.pi * beats[-1])))
    return np.array(beats)


def heart(sizes: np.ndarray | None = None) -> np.ndarray:
    """ECG (n_samples,) of Gaussian Q, R, S and T waves; the R wave has height 1."""
    beats = beats_s()
    sizes = np.ones(beats.size) if sizes is None else sizes
    wave = np.zeros(N_SAMPLES)
    for beat, size in zip(beats, sizes, strict=True):
        for height, offset_s, width_s in (
            (-0.12, -0.028, 0.009),
            (1, 0, 0.011),
            (-0.25, 0.03, 0.01),
            (0.3, 0.28, 0.045),
        ):
            wave += size * height * np.exp(-0.5 * ((TIME_S - beat - offset_s) / width_s) ** 2)
    return wave


def muscle(seed: int, n_channels: int = 2) -> np.ndarray:
    """EMG-like noise (n_channels, n_samples) in bursts, with an RMS of about 0.1."""
    noise = np.random.default_rng(seed).standard_normal((n_channels, N_SAMPLES))
    activity = 0.2 + np.clip(np.sin(2 * np.pi * TIME_S / 4.3), 0, None)
    shaped = preprocess(noise, RATE_HZ, FilterConfig((30, 150), None)) * activity
    return 0.1 * shaped / np.sqrt(np.mean(shaped**2, axis=-1, keepdims=True))


def error_db(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(10 * np.log10(np.sum((actual - expected) ** 2) / np.sum(expected**2)))


@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_every_beat_is_found_at_its_time(drift: float) -> None:
    samples = heart() * CHANNELS + muscle(0) + drift * np.sin(2 * np.pi * 0.3 * TIME_S) + 5 * drift
    found_s = find_r_peaks(samples, RATE_HZ) / RATE_HZ
    assert found_s.shape == beats_s().shape
    assert_allclose(found_s, beats_s(), rtol=0, atol=0.0015)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_do_not_matter(factor: float) -> None:
    samples = heart() * CHANNELS + muscle(0)
    peaks = find_r_peaks(samples, RATE_HZ)
    assert_array_equal(find_r_peaks(factor * samples, RATE_HZ), peaks)
    cleaned = remove_ecg(samples, RATE_HZ, peaks)
    assert_allclose(remove_ecg(factor * samples, RATE_HZ, peaks), factor * cleaned, rtol=1e-9, atol=1e-9 * factor)


def test_a_channel_that_was_unplugged_for_half_the_time_stays_finite() -> None:
    samples = heart() * CHANNELS + muscle(0)
    samples[1, N_SAMPLES // 2 :] = 0.0
    cleaned = remove_ecg(samples, RATE_HZ, find_r_peaks(samples, RATE_HZ))
    assert np.all(np.isfinite(cleaned))
    assert np.ptp(cleaned[1, -round(RATE_HZ) :]) < 0.05 * np.ptp(samples[1])


def test_a_flat_channel_does_not_matter() -> None:
    samples = np.concatenate([heart() * CHANNELS + muscle(0), np.full((1, N_SAMPLES), 3.0)])
    peaks = find_r_peaks(samples, RATE_HZ)
    assert_allclose(peaks / RATE_HZ, beats_s(), rtol=0, atol=0.015)
    assert_allclose(remove_ecg(samples, RATE_HZ, peaks)[2], 3.0, rtol=0, atol=1e-9)


def test_a_weak_beat_is_found_by_the_second_search() -> None:
    sizes = np.ones(beats_s().size)
    sizes[10] = 0.45
    found_s = find_r_peaks(heart(sizes)[None] + 0.2 * muscle(0, 1), RATE_HZ) / RATE_HZ
    assert_allclose(found_s, beats_s(), rtol=0, atol=0.015)


@pytest.mark.parametrize("seed", range(5))
def test_emg_alone_has_no_heartbeat(seed: int) -> None:
    assert find_r_peaks(muscle(seed), RATE_HZ).size == 0


def test_filtered_emg_alone_has_no_heartbeat() -> None:
    # With flatter filters both bands would hold the same part of the EMG and would not be independent.
    short = [muscle(seed, 1)[:, :10_000] for seed in range(20)]
    assert sum(find_r_peaks(samples, RATE_HZ).size > 0 for samples in short) == 0


def test_steps_of_gait_are_not_heartbeats() -> None:
    gait = (np.sin(2 * np.pi * 1.3 * TIME_S) > 0.6) * np.random.default_rng(0).standard_normal((1, N_SAMPLES))
    assert find_r_peaks(gait, RATE_HZ).size == 0


@pytest.mark.parametrize("n_samples", [9, 1400, 1600, 3000])
def test_a_few_beats_are_not_enough(n_samples: int) -> None:
    assert find_r_peaks((heart() * CHANNELS)[:, :n_samples], RATE_HZ).size == 0


def test_silence_has_no_heartbeat() -> None:
    assert find_r_peaks(np.zeros((2, N_SAMPLES)), RATE_HZ).size == 0


def test_a_rate_too_low_is_refused() -> None:
    with pytest.raises(InputError, match="finding heart beats needs a rate of at least 100 Hz; got 80 Hz"):
        find_r_peaks(np.zeros((1, 1000)), 80)


def test_the_emg_is_preserved() -> None:
    clean = muscle(1)
    noisy = clean + 4 * heart() * CHANNELS
    expected = preprocess(clean, RATE_HZ, FILTERS)
    before = error_db(preprocess(noisy, RATE_HZ, FILTERS), expected)
    after = error_db(preprocess(noisy, RATE_HZ, FilterConfig(mains_hz=None, ecg=True)), expected)
    assert before > 0
    assert after < -20  # -19 without the weights for quiet beats


def test_beats_that_vary_with_breathing_are_removed() -> None:
    sizes = 1 + 0.15 * np.sin(0.5 * np.pi * beats_s())
    noisy = heart(sizes)[None] + 0.1 * muscle(1, 1)
    after = filter_steps(noisy, RATE_HZ, FilterConfig(mains_hz=None, ecg=True))[-1][1]
    assert error_db(after, preprocess(0.1 * muscle(1, 1), RATE_HZ, FILTERS)) < -10


def test_strong_emg_does_not_change_the_size_of_the_template() -> None:
    samples = heart() + np.random.default_rng(0).standard_normal((1, N_SAMPLES))
    peaks = np.round(beats_s() * RATE_HZ).astype(np.intp)
    removed = (samples - remove_ecg(samples, RATE_HZ, peaks))[0]
    sizes = np.array([np.ptp(removed[peak - 60 : peak + 60]) for peak in peaks])
    assert sizes.std() < 0.1 * sizes.mean()


def test_templates_begin_and_end_at_zero() -> None:
    samples = heart() * CHANNELS + muscle(0)
    peaks = find_r_peaks(samples, RATE_HZ)
    removed = samples - remove_ecg(samples, RATE_HZ, peaks)
    assert np.max(np.abs(removed[:, peaks - 100])) < 1e-3
    assert np.max(np.abs(removed[:, peaks + 149])) < 1e-3
    assert np.min(np.abs(removed[0, peaks])) > 0.5


def test_without_beats_nothing_changes() -> None:
    samples = muscle(2)
    assert_array_equal(remove_ecg(samples, RATE_HZ, np.zeros(0, dtype=np.intp)), samples)
    steps = dict(filter_steps(samples, RATE_HZ, FilterConfig(ecg=True)))
    assert_array_equal(steps["ECG removal (no heartbeat found)"], samples)
    assert_array_equal(
        preprocess(samples, RATE_HZ, FilterConfig(ecg=True)), preprocess(samples, RATE_HZ, FilterConfig())
    )


def test_samples_away_from_beats_do_not_change() -> None:
    samples = muscle(3) + heart() * CHANNELS
    peaks = find_r_peaks(samples, RATE_HZ)
    far = np.min(np.abs(np.arange(N_SAMPLES)[:, None] - peaks), axis=1) > 160
    assert 0.2 < far.mean() < 0.9
    assert_array_equal(remove_ecg(samples, RATE_HZ, peaks)[:, far], samples[:, far])


def test_beats_at_the_ends_are_accepted() -> None:
    samples = muscle(3)
    cleaned = remove_ecg(samples, RATE_HZ, np.array([0, 5000, 10_000, N_SAMPLES - 1]))
    assert cleaned.shape == samples.shape
    assert np.all(np.isfinite(cleaned))
