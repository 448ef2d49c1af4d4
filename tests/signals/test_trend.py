"""The trend of a value over repetitions, with its confidence interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from semg_hht.errors import InputError
from semg_hht.signals.trend import Trend, trend, trend_band


def test_the_trend_of_a_straight_line_is_the_line() -> None:
    line = trend(80 - 0.5 * np.arange(12))
    assert_allclose([line.slope, line.low, line.high], -0.5, rtol=1e-9)
    assert_allclose(line.start, 80)
    assert_allclose(line.percent, -0.625)
    assert line.n == 12


def test_the_trend_of_a_constant_is_zero() -> None:
    line = trend([3.0] * 6)
    assert_allclose([line.slope, line.low, line.high, line.start], [0, 0, 0, 3], atol=1e-12)
    assert np.isnan(Trend(1, 0, 2, 0, 5).percent).all()


def test_the_trend_agrees_with_full_covariance_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    autocorrelations = np.array([0.0, 0.4, 0.8])
    monkeypatch.setattr("semg_hht.signals.trend.AUTOCORRELATIONS", autocorrelations)
    y, x = falling_values(0.5, 3, 8), np.array([0.0, 1, 2, 4, 5, 6, 7.5, 8])
    design = np.stack([np.ones(8), x], axis=1)
    fits = []
    for rho in autocorrelations:
        covariance = rho ** np.abs(np.subtract.outer(np.arange(8), np.arange(8))) / (1 - rho**2)
        information = design.T @ np.linalg.solve(covariance, design)
        line = np.linalg.solve(information, design.T @ np.linalg.solve(covariance, y))
        residual = y - design @ line
        variance = residual @ np.linalg.solve(covariance, residual) / 6
        weight = np.linalg.det(covariance) ** -0.5 * np.linalg.det(information) ** -0.5 * variance**-3
        fits.append((line[1], np.sqrt(variance * np.linalg.inv(information)[1, 1]), line[0], weight))
    slopes, spreads, starts, weights = np.array(fits).T
    weights /= weights.sum()
    line = trend(y, x)
    assert_allclose([line.slope, line.start], [weights @ slopes, weights @ starts])
    assert_allclose(weights @ stats.t.cdf((line.low - slopes) / spreads, 6), 0.025)
    assert_allclose(weights @ stats.t.cdf((line.high - slopes) / spreads, 6), 0.975)


def falling_values(autocorrelation: float, seed: int, n: int = 15) -> np.ndarray:
    """Values that fall by 1 per repetition, with autocorrelated errors (innovations of standard deviation 2)."""
    rng = np.random.default_rng(seed)
    errors = np.zeros(n + 50)
    for i in range(1, errors.size):
        errors[i] = autocorrelation * errors[i - 1] + 2 * rng.standard_normal()
    return 50 - np.arange(n) + errors[-n:]


@settings(max_examples=20)
@given(st.floats(1e-12, 1e12), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_the_trend_scales_with_the_units(factor: float, offset: float, interval: float) -> None:
    base = trend(falling_values(0.3, 0))
    line = trend(factor * (falling_values(0.3, 0) + offset), interval * np.arange(15))
    for name in ("slope", "low", "high"):
        assert_allclose(getattr(line, name), factor / interval * getattr(base, name), rtol=1e-6)
    assert_allclose(line.start, factor * (base.start + offset), rtol=1e-6, atol=1e-6 * factor)


def test_the_interval_contains_the_slope_and_widens_with_confidence() -> None:
    intervals = [trend(falling_values(0.3, 1), confidence=confidence) for confidence in (0.5, 0.9, 0.99)]
    lows, highs = [t.low for t in intervals], [t.high for t in intervals]
    assert lows == sorted(lows, reverse=True)
    assert highs == sorted(highs)
    assert lows[0] < intervals[0].slope < highs[0]


@pytest.mark.parametrize("autocorrelation", [0.0, 0.6])
def test_the_interval_contains_the_true_slope_as_often_as_stated(autocorrelation: float) -> None:
    trends = [trend(falling_values(autocorrelation, seed)) for seed in range(120)]
    assert np.mean([t.low <= -1 <= t.high for t in trends]) > 0.91  # 0.95 less two standard errors
    assert np.mean([t.high < 0 for t in trends]) > 0.2  # the interval excludes 0 in some cases
    assert_allclose(np.mean([t.slope for t in trends]), -1, atol=0.1)


@pytest.mark.parametrize(
    ("values", "times", "message"),
    [
        ([1.0, 2.0, 3.0], None, "a trend needs at least 4 values; got 3"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0], "a trend needs one time for each value; got 3 times and 4 values"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 3.0], "a trend needs finite values at increasing times"),
        ([1.0, 2.0, np.nan, 4.0], None, "a trend needs finite values at increasing times"),
    ],
)
def test_invalid_values_are_refused(values: list[float], times: list[float] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trend(values, times)


def test_a_confidence_in_percent_is_refused() -> None:
    with pytest.raises(InputError, match="confidence must lie between 0 and 1; got 95"):
        trend([1.0, 2.0, 3.0, 5.0], confidence=95)


@pytest.mark.parametrize("autocorrelation", [0.0, 0.6])
def test_the_band_contains_the_true_line_as_often_as_stated_at_each_repetition(autocorrelation: float) -> None:
    true = 50.0 - np.arange(15)
    bands = [trend_band(falling_values(autocorrelation, seed)) for seed in range(100)]
    hits = np.array([(low <= true) & (true <= high) for low, high in bands])  # (n_trials, n)
    assert hits.mean(axis=0).min() > 0.9  # 0.95 less two standard errors


def test_the_band_holds_the_line_and_is_narrowest_but_not_zero_in_the_middle() -> None:
    values = falling_values(0.3, 1)
    line = trend(values)
    low, high = trend_band(values)
    fitted = line.start + line.slope * np.arange(15)
    assert (low < fitted).all()
    assert (fitted < high).all()
    width = high - low
    assert 5 < np.argmin(width) < 9
    assert 0.3 * width[0] < width.min() < 0.9 * width[0]
    assert width.min() > 0.5  # the mean of 15 values with deviations of 2 is no more certain


def test_the_band_without_autocorrelation_is_that_of_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.signals.trend.AUTOCORRELATIONS", np.array([0.0]))
    y, x = falling_values(0.0, 5, 9), np.arange(9.0)
    fit = stats.linregress(x, y)
    error = np.sqrt(np.sum((y - fit.intercept - fit.slope * x) ** 2) / 7)
    half = stats.t.ppf(0.975, 7) * error * np.sqrt(1 / 9 + (x - 4) ** 2 / np.sum((x - 4) ** 2))
    low, high = trend_band(y)
    assert_allclose(low, fit.intercept + fit.slope * x - half)
    assert_allclose(high, fit.intercept + fit.slope * x + half)
    assert_allclose(trend_band([3.0] * 6), 3, atol=1e-12)
