"""recordings/formats/decoded_recording.py: the most common rate, and remarks on channels."""

from __future__ import annotations

import numpy as np

from semg_hht.recordings.formats.decoded_recording import (
    DecodedRecording,
    Signal,
    decode_signals,
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


def test_signals_of_another_rate_than_the_emg_are_not_read_and_the_numbers_count_them() -> None:
    def refuse() -> np.ndarray:
        raise AssertionError("read")

    emg = [
        Signal(name, unit, 2000.0, lambda: np.ones(40)) for name, unit in (("EMG biceps", "mV"), ("EMG triceps", "uV"))
    ]
    others = [Signal(f"Acc {axis}", "g", 148.0, refuse) for axis in "XYZ"]
    decoded = decode_signals([*others, *emg])
    assert (decoded.rate_hz, decoded.channel_names, decoded.numbers) == (2000.0, ("EMG biceps", "EMG triceps"), (4, 5))
    assert decoded.units == "uV"
    np.testing.assert_allclose(decoded.table[0], [1e3, 1.0])
    assert decoded.remarks == ("channels with a rate other than 2000 Hz were left out: Acc X, Acc Y, Acc Z",)
