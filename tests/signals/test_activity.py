"""Detection of activity and rest, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.signals.activity import METHODS, MIN_CONTRAST_DB, find_activity, runs
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
