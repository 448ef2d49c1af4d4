"""Classical features of signals for which they are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import butter, resample_poly, sosfiltfilt

from semg_hht.errors import InputError
from semg_hht.signals import features
from semg_hht.signals.features import FEATURES, percent_mvc, repetition_features

RATE_HZ = 1000.0


def sine(frequency_hz: float, amplitude: float = 1.0, n_samples: int = 2000) -> np.ndarray:
    """One channel (1, n_samples); no sample is exactly zero."""
    return amplitude * np.sin(2 * np.pi * frequency_hz * (np.arange(n_samples) + 0.3) / RATE_HZ)[None]


def noise(n_channels: int = 2, n_samples: int = 2000) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n_channels, n_samples))


def test_amplitudes_of_a_few_numbers() -> None:
    samples = np.array([[3.0, -3.0, 3.0, -3.0], [1.0, 7.0, 1.0, 7.0]])
    assert_allclose(features.rms(samples), [3, 5])
    assert_allclose(features.mav(samples), [3, 4])
    assert_allclose(features.var(samples), [12, 12])
    assert_allclose(features.wl(samples), [18, 18])


def test_the_loudest_half_second() -> None:
    samples = np.ones((2, 3000))
    samples[:, 1000:1500] = [[3], [5]]
    assert_allclose(features.loudest_rms(samples, 1000.0), [3, 5])
    assert_allclose(features.loudest_rms(samples, 2000.0), np.sqrt([5, 13]))  # half of a second
    assert_allclose(features.loudest_rms(samples[:, :10], 1000.0), 1)


def test_features_of_a_sine() -> None:
    values = repetition_features(sine(40, 2.0), RATE_HZ)
    assert_allclose(values["duration_s"], 2)
    assert_allclose(values["rms"], np.sqrt(2))
    assert_allclose(values["mav"], 4 / np.pi, rtol=0.01)
    assert_allclose(values["wl"], 40 * 2 * 2 * 4, rtol=0.01)  # four amplitudes per period, for 2 s
    assert_array_equal(values["zc"], 159)  # the first crossing lies before the first sample
    assert_array_equal(values["ssc"], 160)
    assert_allclose(values["mnf_hz"], 40, atol=0.1)
    assert_allclose(values["mdf_hz"], 40, atol=0.1)
    assert_allclose(values["pkf_hz"], 40)
    assert_allclose(values["ttp"], 2, rtol=0.01)
    assert_allclose(values["finsm5"], 40.0**-6, rtol=0.2)  # includes leakage of the window


def test_two_lines_separate_mean_and_median_frequency() -> None:
    samples = sine(40, 2.0) + sine(200)
    assert_allclose(features.mnf(samples, RATE_HZ), (4 * 40 + 200) / 5, atol=0.2)
    assert 38 < features.mdf(samples, RATE_HZ)[0] < 42
    assert_allclose(features.pkf(samples, RATE_HZ), 40)


def test_the_median_frequency_halves_white_noise() -> None:
    samples = noise(20, 10_000)
    # Removing the mean of each window removes the power below 4 Hz.
    assert_allclose(features.mdf(samples, RATE_HZ).mean(), 252, atol=2)
    assert_allclose(features.mnf(samples, RATE_HZ).mean(), 252, atol=2)
    assert_allclose(features.ttp(samples, RATE_HZ), np.var(samples, axis=-1), rtol=0.02)


def test_the_median_frequency_is_interpolated_in_its_bin() -> None:
    steps = [features.mdf(sine(100 + shift), RATE_HZ)[0] for shift in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert np.all(np.diff(steps) > 0.1)


def test_dimitrovs_index_rises_as_frequencies_fall() -> None:
    rested, fatigued = sine(100) + sine(200), sine(80) + sine(160)
    ratio = features.finsm5(fatigued, RATE_HZ) / features.finsm5(rested, RATE_HZ)
    assert_allclose(ratio, (100 / 80) ** 6, rtol=0.02)


def test_dimitrovs_index_ignores_power_above_500_hz() -> None:
    t = np.arange(4000) / 2000
    low, high = (np.sin(2 * np.pi * frequency_hz * t)[None] for frequency_hz in (100, 700))
    assert_allclose(features.finsm5(low + high, 2000), features.finsm5(low, 2000), rtol=0.01)


def test_small_steps_are_ignored() -> None:
    noise_steps = np.where(np.arange(10_000) % 2, 0.0015, -0.0015)  # steps of half a percent of the RMS
    samples = sine(0.2, n_samples=10_000) + noise_steps
    assert features.zc(samples, 0.0)[0] > 3
    assert features.ssc(samples, 0.0)[0] > 50
    assert_array_equal(features.zc(samples), 0)
    assert_array_equal(features.ssc(samples), 0)
    assert_array_equal(features.zc(np.array([[1.0, -1.0, 1.0, -1.0, 5.0]]), 3.0), 1)
    assert_array_equal(features.ssc(np.array([[1.0, -1.0, 1.0, -1.0, 5.0]]), 3.0), 1)


@pytest.mark.parametrize("rate_hz", [3000, 4000, 10_000])
def test_crossings_and_turns_do_not_depend_on_a_high_rate(rate_hz: int) -> None:
    noise = np.random.default_rng(0).normal(size=(2, 8000))
    samples = sosfiltfilt(butter(4, (20, 150), "bandpass", fs=2000, output="sos"), noise)
    resampled = resample_poly(samples, rate_hz, 2000, axis=1)
    found, expected = repetition_features(resampled, rate_hz), repetition_features(samples, 2000)
    for name in ("zc", "ssc", "wl"):
        assert_allclose(found[name], expected[name], rtol=0.04)


def test_a_sample_of_zero_is_crossed_once() -> None:
    assert_array_equal(features.zc(np.array([[2.0, 0.0, -2.0, 0.0, 2.0]])), 2)
    assert_array_equal(features.zc(np.array([[2.0, 0.0, 2.0, 0.0, 2.0]])), 0)


def test_channels_do_not_affect_each_other() -> None:
    together = repetition_features(noise(3), RATE_HZ)
    alone = repetition_features(noise(3)[1:2], RATE_HZ)
    for name, values in together.items():
        assert values.shape == (3,)
        assert_allclose(values[1:2], alone[name])


# Power of the amplitude to which each feature is proportional.
DEGREE = {"rms": 1, "mav": 1, "wl": 1, "var": 2, "ttp": 2}


@settings(max_examples=20)
@given(st.floats(1e-6, 1e6))
def test_features_scale_with_the_amplitude(factor: float) -> None:
    original, scaled = (repetition_features(f * noise(), RATE_HZ) for f in (1.0, factor))
    assert list(original) == list(FEATURES)
    for name, values in original.items():
        assert_allclose(scaled[name], values * factor ** DEGREE.get(name, 0), rtol=1e-6)


@settings(max_examples=20)
@given(st.integers(16, 400), st.sampled_from([200.0, 1000.0, 2148.148]))
def test_short_repetitions_have_finite_features(n_samples: int, rate_hz: float) -> None:
    for values in repetition_features(noise(2, n_samples), rate_hz).values():
        assert np.all(np.isfinite(values))


@settings(max_examples=20)
@given(st.floats(1.5, 4))
def test_frequencies_scale_with_the_rate(faster: float) -> None:
    for feature in (features.mnf, features.mdf, features.pkf):
        slow = feature(noise(), RATE_HZ)
        # The same samples at a higher rate, with a window of as many samples, have proportionally higher frequencies.
        features_s, features.WELCH_S = features.WELCH_S, features.WELCH_S / faster
        try:
            assert_allclose(feature(noise(), RATE_HZ * faster), faster * slow, rtol=1e-6)
        finally:
            features.WELCH_S = features_s


def test_a_constant_channel_has_no_frequency() -> None:
    values = repetition_features(np.zeros((1, 1000)), RATE_HZ)
    for name in ("mnf_hz", "mdf_hz", "pkf_hz", "finsm5"):
        assert np.isnan(values[name]).all()
    for name in ("rms", "mav", "var", "wl", "zc", "ssc", "ttp"):
        assert_array_equal(values[name], 0)


def test_percent_mvc_is_relative_to_the_reference() -> None:
    values = repetition_features(np.concatenate([sine(40), sine(40, 3.0)]), RATE_HZ, np.sqrt([2, 18]))
    assert_allclose(values["percent_mvc"], [50, 50])
    assert list(values) == [*FEATURES, "percent_mvc"]


def test_invalid_input_is_refused() -> None:
    with pytest.raises(InputError, match="features need a repetition of at least 16 samples; got 15"):
        repetition_features(noise(2, 15), RATE_HZ)
    with pytest.raises(InputError, match="a reference amplitude must be above 0; got 0"):
        percent_mvc(noise(), np.array([1.0, 0.0]))
