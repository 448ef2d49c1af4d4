"""Tests of the simulated goniometer."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.signals.simulate import SimulationConfig, simulate_people
from semg_hht.signals.simulated_sensor import NAME, SimulatedSensor, simulate_sensor, with_sensor

(PERSON,) = simulate_people(SimulationConfig(n_subjects=1, n_repetitions=4), seed=1)
CLEAN = SimulatedSensor(noise=0.0)


def test_the_movement_has_the_range_of_its_label() -> None:
    angle = simulate_sensor(PERSON, CLEAN, seed=2) - CLEAN.rest
    assert_array_equal(angle, simulate_sensor(PERSON, CLEAN, seed=2) - CLEAN.rest)
    for repetition in PERSON.repetitions:
        start, stop = (round(1000 * t) for t in (repetition.start_s, repetition.stop_s))
        share = angle[start:stop].max() / CLEAN.range_of_motion
        expected = {"full": (0.9, 1.0), "half": (0.42, 0.58), "invalid": (0.03, 1.0)}[repetition.movement]
        assert expected[0] - 1e-3 <= share <= expected[1]
        assert angle[start] < 1


def test_sign_lag_drift_and_rate() -> None:
    plain = simulate_sensor(PERSON, CLEAN, seed=2)
    reversed_ = simulate_sensor(PERSON, SimulatedSensor(noise=0.0, is_reversed=True), seed=2)
    assert_allclose(plain - CLEAN.rest, CLEAN.rest - reversed_)
    late = simulate_sensor(PERSON, SimulatedSensor(noise=0.0, lag_s=0.3), seed=2)
    assert_allclose(late[300:], plain[:-300], atol=1e-9)
    drifting = simulate_sensor(PERSON, SimulatedSensor(noise=0.0, drift=0.5), seed=2) - plain
    assert_allclose(drifting[-1] - drifting[0], 0.5 * CLEAN.range_of_motion, rtol=0.01)
    slow = simulate_sensor(PERSON, SimulatedSensor(noise=0.0, rate_hz=100.0), seed=2)
    assert_allclose(slow, plain[::10][: slow.size], atol=1e-9)


def test_the_angle_is_a_channel_that_is_not_emg() -> None:
    joined = with_sensor(PERSON, SimulatedSensor(), seed=2).recording
    assert (joined.channel_names, joined.non_emg) == (("ch1", NAME), (NAME,))
    assert_array_equal(joined.select(()).samples, PERSON.recording.samples)
    assert np.isfinite(joined.samples).all()
