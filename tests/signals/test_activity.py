"""Detection of activity and rest, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from semg_hht.signals.activity import METHODS, MIN_CONTRAST_DB, find_activity, fit_detector, runs
from signal_builders import bursts

RATE_HZ = 1000.0


@pytest.mark.parametrize("method", METHODS)
def test_activity_has_one_value_per_frame(method: str) -> None:
    activity = find_activity(bursts((4, 8, 10.0)), RATE_HZ, method)
    assert activity.n_frame == 10
    assert activity.active.shape == activity.level_db.shape == (1200,)
    ((start, stop),) = runs(activity.active)
    assert_allclose([start, stop], [400, 800], atol=12)
    assert_allclose(np.median(activity.level_db[:380]), 0, atol=1)


def test_the_contrast_is_the_level_of_the_burst() -> None:
    assert find_activity(bursts((4, 8, 10.0)), RATE_HZ).contrast_db == pytest.approx(20, abs=3)


@pytest.mark.parametrize("method", METHODS)
def test_noise_alone_has_no_contrast_and_no_activity(method: str) -> None:
    activity = find_activity(bursts(), RATE_HZ, method)
    assert activity.contrast_db < MIN_CONTRAST_DB
    assert not activity.active.any()


def test_a_frame_has_at_least_four_samples() -> None:
    assert find_activity(bursts((4, 8, 10.0)), 200.0).n_frame == 4


def test_runs_are_half_open() -> None:
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.zeros(3, dtype=bool)) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_detector_judges_later_samples_as_a_search_does(method: str) -> None:
    signal = bursts((2, 4, 8.0), (6, 8, 8.0), (13, 15, 8.0), duration_s=18.0, n_channels=2)
    detector, first = fit_detector(signal[:, :10000], RATE_HZ, method)
    assert_array_equal(first.active, find_activity(signal[:, :10000], RATE_HZ, method).active)
    assert_array_equal(detector.judged(detector.energy(signal[:, :10000])).active, first.active)
    later = detector.judged(detector.energy(signal[:, 10000:]))
    assert_allclose(runs(later.active), [(300, 500)], atol=12)
    assert later.contrast_db == first.contrast_db


def test_a_detector_without_a_muscle_finds_nothing() -> None:
    detector, first = fit_detector(np.zeros((2, 4000)), RATE_HZ)
    assert detector.channels == () and not first.active.any()
    assert not detector.judged(detector.energy(bursts((1, 2, 8.0), n_channels=2))).active.any()
