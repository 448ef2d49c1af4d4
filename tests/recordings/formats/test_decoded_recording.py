"""recordings/formats/decoded_recording.py: the most common rate, and remarks on channels."""

from __future__ import annotations

import numpy as np

from semg_hht.recordings.formats.decoded_recording import (
    DecodedRecording,
    most_common,
    remarks_on_other_rates,
)


def test_of_equally_common_rates_the_highest_is_chosen() -> None:
    assert most_common([100.0, 2000.0, 2000.0, 100.0, 1000.0]) == 2000.0
    assert most_common([100.0, 100.0, 2000.0]) == 100.0


def test_there_are_no_remarks_without_such_channels() -> None:
    assert remarks_on_other_rates(1000.0, []) == []


def test_what_a_file_does_not_state_is_empty() -> None:
    decoded = DecodedRecording(np.zeros((40, 1)))
    assert decoded.rate_hz is None
    assert (decoded.channel_names, decoded.units, decoded.non_emg, decoded.remarks) == ((), "", (), ())
