"""Tests of the alignment of a second sensor: rate, lag, sign and missing samples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.signals.sensor_alignment import FRAME_HZ, LagSearch, align, envelope_of, noise, smooth

N = round(40 * FRAME_HZ)
TIMES_S = (np.arange(N) + 0.5) / FRAME_HZ
STARTS_S = np.array([2.0, 6.5, 10.0, 15.5, 19.0, 24.5, 29.0, 35.0])
PERIOD_S = 4.5


def humps(times_s: np.ndarray, lag_s: float = 0.0) -> np.ndarray:
    """Movements of 2 s, of alternating height."""
    total = np.zeros(times_s.size)
    for i, start_s in enumerate(STARTS_S):
        u = (times_s - lag_s - start_s) / 2
        total += (1 + i % 3) * np.where((u > 0) & (u < 1), np.sin(np.pi * u) ** 2, 0)
    return total


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 148.1, 2000.0])
@pytest.mark.parametrize(("lag_s", "sign"), [(0.0, 1), (0.5, -1), (-0.5, 1)])
def test_lag_and_sign_are_found_at_any_rate(rate_hz: float, lag_s: float, sign: int) -> None:
    times_s = np.arange(round(40 * rate_hz)) / rate_hz
    movement = align(7 + sign * 30 * humps(times_s, lag_s), rate_hz, humps(TIMES_S), LagSearch(), PERIOD_S)
    assert movement.sign == sign
    assert movement.lag_s == pytest.approx(lag_s, abs=0.041)
    assert movement.correlation > 0.95
    assert_allclose(movement.values[100:-100], sign * 7 + 30 * humps(TIMES_S)[100:-100], atol=4)


def test_a_stated_lag_is_taken_as_it_is() -> None:
    movement = align(humps(TIMES_S, 0.5), FRAME_HZ, humps(TIMES_S), LagSearch(lag_s=0.2), PERIOD_S)
    assert movement.lag_s == 0.2


def test_a_weak_correlation_shows_no_lag() -> None:
    rng = np.random.default_rng(0)
    assert align(rng.standard_normal(N), FRAME_HZ, humps(TIMES_S), LagSearch(), PERIOD_S).lag_s == 0


def test_a_periodic_movement_is_marked() -> None:
    wave = 1 + np.sin(2 * np.pi * TIMES_S)
    assert align(wave, FRAME_HZ, wave, LagSearch(), 1.0).is_periodic
    assert not align(humps(TIMES_S), FRAME_HZ, humps(TIMES_S), LagSearch(), PERIOD_S).is_periodic


@pytest.mark.parametrize("sign", [1, -1])
def test_in_a_periodic_movement_the_time_at_rest_decides_the_sign(sign: int) -> None:
    """Steps of 1.2 s, in which the muscles work against the swing of the leg."""
    swing = np.maximum(np.sin(2 * np.pi * TIMES_S / 1.2), 0) ** 4
    muscle = 1 + np.sin(2 * np.pi * (TIMES_S / 1.2 + 0.5))
    movement = align(sign * swing, FRAME_HZ, muscle, LagSearch(), 1.2)
    assert movement.is_periodic
    assert movement.sign == sign


def test_short_gaps_are_filled_and_long_ones_stay() -> None:
    sensor = humps(TIMES_S)
    sensor[100:105] = np.nan
    sensor[500:700] = np.nan
    movement = align(sensor, FRAME_HZ, humps(TIMES_S), LagSearch(lag_s=0.0), PERIOD_S)
    assert np.flatnonzero(np.isnan(movement.values)).tolist() == list(range(500, 700))


def test_a_shorter_sensor_is_missing_at_the_end() -> None:
    movement = align(humps(TIMES_S)[:1000], FRAME_HZ, humps(TIMES_S), LagSearch(lag_s=0.0), PERIOD_S)
    assert np.isnan(movement.values[1000:]).all() and np.isfinite(movement.values[:1000]).all()


def test_the_envelope_weighs_every_channel_the_same() -> None:
    rng = np.random.default_rng(0)
    active = np.repeat(humps(TIMES_S), 20)
    samples = rng.standard_normal((2, active.size)) * active * np.array([[1.0], [1000.0]])
    together = envelope_of(samples, 20 * FRAME_HZ)
    assert together.size == N
    assert_allclose(together, envelope_of(samples * np.array([[1000.0], [1.0]]), 20 * FRAME_HZ), atol=1e-6)
    assert_allclose(envelope_of(np.zeros((1, 1000)), 1000.0), 0)


def test_smoothing_keeps_missing_frames_missing() -> None:
    values = np.ones(20)
    values[5] = np.nan
    assert np.isnan(smooth(values, 0.1)).tolist() == [i == 5 for i in range(20)]
    assert_allclose(np.delete(smooth(values, 0.1), 5), 1)


def test_noise_is_that_of_the_samples_not_of_the_movement() -> None:
    rng = np.random.default_rng(0)
    assert noise(100 * humps(TIMES_S) + 0.5 * rng.standard_normal(N)) == pytest.approx(0.5, rel=0.2)
    assert noise(np.full(3, np.nan)) == 0
