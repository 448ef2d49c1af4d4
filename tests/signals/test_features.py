"""signals/features.py and signals/trend.py: classical features, and their drift over repetitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from semg_hht.errors import InputError
from semg_hht.signals import features
from semg_hht.signals.features import FEATURES, percent_mvc, repetition_features
from semg_hht.signals.trend import Trend, trend

RATE_HZ = 1000.0


def sine(frequency_hz: float, amplitude: float = 1.0, n_samples: int = 2000) -> np.ndarray:
    """One channel, (1, n_samples); no sample lies on a zero."""
    return amplitude * np.sin(2 * np.pi * frequency_hz * (np.arange(n_samples) + 0.3) / RATE_HZ)[None]


def noise(n_channels: int = 2, n_samples: int = 2000) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n_channels, n_samples))


def test_amplitudes_of_a_few_numbers() -> None:
    samples = np.array([[3.0, -3.0, 3.0, -3.0], [1.0, 7.0, 1.0, 7.0]])
    assert_allclose(features.rms(samples), [3, 5])
    assert_allclose(features.mav(samples), [3, 4])
    assert_allclose(features.var(samples), [12, 12])
    assert_allclose(features.wl(samples), [18, 18])


def test_features_of_a_sine() -> None:
    found = repetition_features(sine(40, 2.0), RATE_HZ)
    assert_allclose(found["duration_s"], 2)
    assert_allclose(found["rms"], np.sqrt(2))
    assert_allclose(found["mav"], 4 / np.pi, rtol=0.01)
    assert_allclose(found["wl"], 40 * 2 * 2 * 4, rtol=0.01)  # up and down four amplitudes a period, 2 s
    assert_array_equal(found["zc"], 159)  # the first of them lies before the first sample
    assert_array_equal(found["ssc"], 160)
    assert_allclose(found["mnf_hz"], 40, atol=0.1)
    assert_allclose(found["mdf_hz"], 40, atol=0.1)
    assert_allclose(found["pkf_hz"], 40)
    assert_allclose(found["ttp"], 2, rtol=0.01)
    assert_allclose(found["finsm5"], 40.0**-6, rtol=0.2)  # the window's skirt counts too


def test_two_lines_pull_mean_and_median_apart() -> None:
    samples = sine(40, 2.0) + sine(200)
    assert_allclose(features.mnf(samples, RATE_HZ), (4 * 40 + 200) / 5, atol=0.2)
    assert 38 < features.mdf(samples, RATE_HZ)[0] < 42
    assert_allclose(features.pkf(samples, RATE_HZ), 40)


def test_the_median_halves_white_noise() -> None:
    samples = noise(20, 10_000)
    # Each window less its mean lacks what lies below 4 Hz.
    assert_allclose(features.mdf(samples, RATE_HZ).mean(), 252, atol=2)
    assert_allclose(features.mnf(samples, RATE_HZ).mean(), 252, atol=2)
    assert_allclose(features.ttp(samples, RATE_HZ), np.var(samples, axis=-1), rtol=0.02)


def test_the_median_is_found_within_its_bin() -> None:
    steps = [features.mdf(sine(100 + shift), RATE_HZ)[0] for shift in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert np.all(np.diff(steps) > 0.1)


def test_dimitrovs_index_rises_as_the_spectrum_falls() -> None:
    fresh, tired = sine(100) + sine(200), sine(80) + sine(160)
    ratio = features.finsm5(tired, RATE_HZ) / features.finsm5(fresh, RATE_HZ)
    assert_allclose(ratio, (100 / 80) ** 6, rtol=0.02)


def test_dimitrovs_index_ends_at_500_hz() -> None:
    t = np.arange(4000) / 2000
    low, high = (np.sin(2 * np.pi * frequency_hz * t)[None] for frequency_hz in (100, 700))
    assert_allclose(features.finsm5(low + high, 2000), features.finsm5(low, 2000), rtol=0.01)


def test_small_steps_are_noise() -> None:
    flicker = np.where(np.arange(10_000) % 2, 0.0015, -0.0015)  # steps of half a percent of the RMS
    samples = sine(0.2, n_samples=10_000) + flicker
    assert features.zc(samples, 0.0)[0] > 3
    assert features.ssc(samples, 0.0)[0] > 50
    assert_array_equal(features.zc(samples), 0)
    assert_array_equal(features.ssc(samples), 0)
    assert_array_equal(features.zc(np.array([[1.0, -1.0, 1.0, -1.0, 5.0]]), 3.0), 1)
    assert_array_equal(features.ssc(np.array([[1.0, -1.0, 1.0, -1.0, 5.0]]), 3.0), 1)


def test_whole_numbers_cross_zero_once() -> None:
    assert_array_equal(features.zc(np.array([[2.0, 0.0, -2.0, 0.0, 2.0]])), 2)
    assert_array_equal(features.zc(np.array([[2.0, 0.0, 2.0, 0.0, 2.0]])), 0)


def test_each_channel_on_its_own() -> None:
    together = repetition_features(noise(3), RATE_HZ)
    alone = repetition_features(noise(3)[1:2], RATE_HZ)
    for name, values in together.items():
        assert values.shape == (3,)
        assert_allclose(values[1:2], alone[name])


# Power of the amplitude that each feature grows with.
DEGREE = {"rms": 1, "mav": 1, "wl": 1, "var": 2, "ttp": 2}


@settings(max_examples=20)
@given(st.floats(1e-6, 1e6))
def test_features_scale_as_they_should(factor: float) -> None:
    found, scaled = (repetition_features(f * noise(), RATE_HZ) for f in (1.0, factor))
    assert list(found) == list(FEATURES)
    for name, values in found.items():
        assert_allclose(scaled[name], values * factor ** DEGREE.get(name, 0), rtol=1e-6)


@settings(max_examples=20)
@given(st.integers(16, 400), st.sampled_from([200.0, 1000.0, 2148.148]))
def test_short_repetitions_have_finite_features(n_samples: int, rate_hz: float) -> None:
    for values in repetition_features(noise(2, n_samples), rate_hz).values():
        assert np.all(np.isfinite(values))


@settings(max_examples=20)
@given(st.floats(1.5, 4))
def test_time_runs_in_hz(faster: float) -> None:
    for feature in (features.mnf, features.mdf, features.pkf):
        slow = feature(noise(), RATE_HZ)
        # The same samples in half the time, seen through a window of as many samples, have twice the frequency.
        features_s, features.WELCH_S = features.WELCH_S, features.WELCH_S / faster
        try:
            assert_allclose(feature(noise(), RATE_HZ * faster), faster * slow, rtol=1e-6)
        finally:
            features.WELCH_S = features_s


def test_a_still_channel_has_no_frequency() -> None:
    found = repetition_features(np.zeros((1, 1000)), RATE_HZ)
    for name in ("mnf_hz", "mdf_hz", "pkf_hz", "finsm5"):
        assert np.isnan(found[name]).all()
    for name in ("rms", "mav", "var", "wl", "zc", "ssc", "ttp"):
        assert_array_equal(found[name], 0)


def test_effort_is_a_share_of_the_reference() -> None:
    found = repetition_features(np.concatenate([sine(40), sine(40, 3.0)]), RATE_HZ, np.sqrt([2, 18]))
    assert_allclose(found["percent_mvc"], [50, 50])
    assert list(found) == [*FEATURES, "percent_mvc"]


def test_bad_input_is_a_sentence() -> None:
    with pytest.raises(InputError, match="features need a repetition of at least 16 samples; got 15"):
        repetition_features(noise(2, 15), RATE_HZ)
    with pytest.raises(InputError, match="a reference amplitude must be above 0; got 0"):
        percent_mvc(noise(), np.array([1.0, 0.0]))


def test_the_trend_of_a_straight_line_is_the_line() -> None:
    found = trend(80 - 0.5 * np.arange(12))
    assert_allclose([found.slope, found.low, found.high], -0.5, rtol=1e-9)
    assert_allclose(found.start, 80)
    assert_allclose(found.percent, -0.625)
    assert found.n == 12


def test_the_trend_of_a_constant_is_none() -> None:
    found = trend([3.0] * 6)
    assert_allclose([found.slope, found.low, found.high, found.start], [0, 0, 0, 3], atol=1e-12)
    assert np.isnan(Trend(1, 0, 2, 0, 5).percent).all()


def test_the_trend_is_that_of_whole_covariance_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    strengths = np.array([0.0, 0.4, 0.8])
    monkeypatch.setattr("semg_hht.signals.trend.FOLLOWING", strengths)
    y, x = wobbly(0.5, 3, 8), np.array([0.0, 1, 2, 4, 5, 6, 7.5, 8])
    design = np.stack([np.ones(8), x], axis=1)
    fits = []
    for strength in strengths:
        covariance = strength ** np.abs(np.subtract.outer(np.arange(8), np.arange(8))) / (1 - strength**2)
        information = design.T @ np.linalg.solve(covariance, design)
        line = np.linalg.solve(information, design.T @ np.linalg.solve(covariance, y))
        residual = y - design @ line
        variance = residual @ np.linalg.solve(covariance, residual) / 6
        weight = np.linalg.det(covariance) ** -0.5 * np.linalg.det(information) ** -0.5 * variance**-3
        fits.append((line[1], np.sqrt(variance * np.linalg.inv(information)[1, 1]), line[0], weight))
    slopes, spreads, starts, weights = np.array(fits).T
    weights /= weights.sum()
    found = trend(y, x)
    assert_allclose([found.slope, found.start], [weights @ slopes, weights @ starts])
    assert_allclose(weights @ stats.t.cdf((found.low - slopes) / spreads, 6), 0.025)
    assert_allclose(weights @ stats.t.cdf((found.high - slopes) / spreads, 6), 0.975)


def wobbly(following: float, seed: int, n: int = 15) -> np.ndarray:
    """A fall of 1 a repetition, with errors of SD about 2 of which a share goes on into the next."""
    rng = np.random.default_rng(seed)
    errors = np.zeros(n + 50)
    for i in range(1, errors.size):
        errors[i] = following * errors[i - 1] + 2 * rng.standard_normal()
    return 50 - np.arange(n) + errors[-n:]


@settings(max_examples=20)
@given(st.floats(1e-12, 1e12), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_the_trend_follows_its_units(factor: float, offset: float, tempo: float) -> None:
    base = trend(wobbly(0.3, 0))
    found = trend(factor * (wobbly(0.3, 0) + offset), tempo * np.arange(15))
    for name in ("slope", "low", "high"):
        assert_allclose(getattr(found, name), factor / tempo * getattr(base, name), rtol=1e-6)
    assert_allclose(found.start, factor * (base.start + offset), rtol=1e-6, atol=1e-6 * factor)


def test_the_slope_lies_in_its_interval_and_confidence_widens_it() -> None:
    intervals = [trend(wobbly(0.3, 1), confidence=confidence) for confidence in (0.5, 0.9, 0.99)]
    lows, highs = [t.low for t in intervals], [t.high for t in intervals]
    assert lows == sorted(lows, reverse=True)
    assert highs == sorted(highs)
    assert lows[0] < intervals[0].slope < highs[0]


@pytest.mark.parametrize("following", [0.0, 0.6])
def test_the_interval_holds_the_truth_as_often_as_it_says(following: float) -> None:
    found = [trend(wobbly(following, seed)) for seed in range(120)]
    assert np.mean([t.low <= -1 <= t.high for t in found]) > 0.91  # 0.95 less two standard errors
    assert np.mean([t.high < 0 for t in found]) > 0.2  # and it still says something
    assert_allclose(np.mean([t.slope for t in found]), -1, atol=0.1)


@pytest.mark.parametrize(
    ("values", "times", "message"),
    [
        ([1.0, 2.0, 3.0], None, "a trend needs at least 4 values; got 3"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0], "a trend needs one time for each value; got 3 times and 4 values"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 3.0], "a trend needs finite values at times that rise"),
        ([1.0, 2.0, np.nan, 4.0], None, "a trend needs finite values at times that rise"),
    ],
)
def test_no_trend_of_bad_values(values: list[float], times: list[float] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trend(values, times)


def test_confidence_is_a_share() -> None:
    with pytest.raises(InputError, match="confidence must lie between 0 and 1; got 95"):
        trend([1.0, 2.0, 3.0, 5.0], confidence=95)
