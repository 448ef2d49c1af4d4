"""signals/repetitions.py: cutting."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

from making import noise
from semg_hht.errors import InputError
from semg_hht.signals.repetitions import Repetition, cut_repetition

RECORDING = noise(2, duration_s=2.0, rate_hz=500.0)


def test_seconds_become_samples() -> None:
    repetition = cut_repetition(RECORDING, 0.5, 1.25)
    assert repetition == Repetition(250, 625)
    assert_allclose(repetition.cut(RECORDING.samples), RECORDING.samples[:, 250:625])


def test_nothing_stated_is_the_whole_recording() -> None:
    assert cut_repetition(RECORDING, None, None) == Repetition(0, 1000)
    assert cut_repetition(RECORDING, 1.0, None) == Repetition(500, 1000)


def test_a_rounded_end_is_the_end() -> None:
    assert cut_repetition(RECORDING, None, 2.001) == Repetition(0, 1000)


@pytest.mark.parametrize(("start_s", "stop_s"), [(0.0, 2.5), (1.0, 1.0), (3.0, None), (1.5, 0.5), (-1.0, 1.0)])
def test_an_interval_outside_is_refused(start_s: float, stop_s: float | None) -> None:
    with pytest.raises(InputError, match=r"noise0: a repetition from .* s does not lie within the recording of 2 s"):
        cut_repetition(RECORDING, start_s, stop_s)
