"""signals/running_rms.py: the amplitude of the last quarter second."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.running_rms import RunningRms

TIME_S = np.arange(2000) / 1000


def test_the_rms_of_a_sine_within_the_band_and_of_an_offset() -> None:
    running = RunningRms(2, 1000.0, FilterConfig())
    for start in range(0, 2000, 130):
        piece = TIME_S[start : start + 130]
        running.add(np.stack([3 * np.sin(2 * np.pi * 100 * piece), np.full(piece.size, 5000.0)]))
        assert running.value[1] < 1e-6  # an offset is none, from the first sample on
    assert_allclose(running.value[0], 3 / np.sqrt(2), rtol=0.01)


def test_activity_is_forgotten_after_a_quarter_second() -> None:
    running = RunningRms(1, 1000.0, FilterConfig())
    running.add(np.random.default_rng(0).standard_normal((1, 1000)))
    assert running.value[0] > 0.5
    running.add(np.zeros((1, 400)))
    assert running.value[0] < 0.01


def test_a_rate_that_does_not_fit_the_band_is_refused() -> None:
    with pytest.raises(InputError, match="needs a rate above"):
        RunningRms(1, 30.0, FilterConfig())
