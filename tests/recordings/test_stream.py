"""recordings/stream.py: a recording that arrives at its own rate."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from semg_hht.errors import InputError
from semg_hht.recordings.recording import Recording
from semg_hht.recordings.stream import ReplayedRecording

SAMPLES = np.random.default_rng(0).standard_normal((2, 1015))
RECORDING = Recording(SAMPLES, 1000.0, ("biceps", "angle"), "uV", "curl.csv", ("angle",), ("a remark",))


def test_a_replayed_recording_arrives_whole_and_described() -> None:
    source = ReplayedRecording(RECORDING, float("inf"))
    assert_array_equal(np.concatenate(list(source.pieces()), axis=1), SAMPLES)
    description = source.description
    assert (description.name, description.rate_hz, description.units) == ("curl.csv", 1000.0, "uV")
    assert (description.channel_names, description.non_emg) == (("biceps", "angle"), ("angle",))
    assert description.remarks == ("a remark",)
    assert description.recording(SAMPLES).select(()).channel_names == ("biceps",)


def test_the_speed_is_kept_and_the_reader_can_stop_meanwhile() -> None:
    begin = time.monotonic()
    pieces = list(ReplayedRecording(RECORDING, 5.0).pieces())
    assert time.monotonic() - begin >= 0.2
    assert_array_equal(np.concatenate(pieces, axis=1), SAMPLES)
    slow = ReplayedRecording(RECORDING, 0.1).pieces()  # a piece of 50 ms takes half a second
    assert next(slow).shape == (2, 0)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(InputError, match="speed must be above 0"):
        ReplayedRecording(RECORDING, speed)
