"""recordings/given.py: arrays, tables and recordings in memory, checked as files are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import noise
from semg_hht.errors import InputError, RateUnknown
from semg_hht.recordings.given import is_recording_like, recording_of

RECORDING = noise(2, duration_s=4.0)


def test_an_array_has_channels_and_samples() -> None:
    recording = recording_of(RECORDING.samples, rate_hz=500.0, units="mV", name="mine")
    assert (recording.channel_names, recording.rate_hz, recording.units) == (("ch1", "ch2"), 500.0, "mV")
    assert_allclose(recording.samples, RECORDING.samples)
    assert recording_of(RECORDING.samples[0], rate_hz=500.0).samples.shape == (1, 2000)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (RECORDING.samples.T, r"found \(2000, 2\), more channels than samples: pass its transpose, array\.T"),
        (np.zeros((2, 3, 40)), r"expected an array of \(n_channels, n_samples\) or \(n_samples,\); found \(2, 3, 40\)"),
        (np.full((1, 400), "a"), "expected real numbers"),
        (np.full((1, 400), np.nan), "recording: "),
    ],
)
def test_an_array_of_another_kind_is_an_error(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        recording_of(array, rate_hz=500.0)


def test_a_rate_that_nothing_states_is_an_error() -> None:
    with pytest.raises(
        RateUnknown, match="recording: an array does not state its sampling rate; expected rate_hz=1000"
    ):
        recording_of(RECORDING.samples)


@pytest.mark.parametrize("rate_hz", ["1000", "1 kHz", -5, 0, float("nan")])
def test_a_rate_that_is_no_number_of_hz_is_an_error(rate_hz: Any) -> None:
    for data in (np.zeros((1, 100)), RECORDING):
        with pytest.raises(InputError, match=f"expected rate_hz as a number above 0, in Hz; found {rate_hz!r}"):
            recording_of(data, rate_hz=rate_hz)


def test_an_empty_array_is_not_called_transposed() -> None:
    with pytest.raises(InputError, match="expected at least one channel with .* samples; found 2 with 0"):
        recording_of(np.zeros((2, 0)), rate_hz=1000)


def test_a_recording_agrees_with_what_is_stated_beside_it() -> None:
    assert recording_of(RECORDING, rate_hz=501.0) is RECORDING
    assert recording_of(replace(RECORDING, units=""), units="mV").units == "mV"
    with pytest.raises(InputError, match="noise0: the recording states 500 Hz, but 1000 Hz was given"):
        recording_of(RECORDING, rate_hz=1000.0)
    with pytest.raises(InputError, match="noise0: the recording states uV, but mV was given"):
        recording_of(RECORDING, units="mV")
    with pytest.raises(InputError, match="noise0: expected finite samples; found NaN"):
        recording_of(replace(RECORDING, samples=np.full((2, 2000), np.nan)))


def test_a_table_has_a_column_per_channel_and_states_its_rate() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(RECORDING.samples.T, columns=["biceps", "triceps"])
    timed = recording_of(table.assign(time_s=RECORDING.time_s))
    assert (timed.channel_names, timed.rate_hz) == (("biceps", "triceps"), 500.0)
    assert_allclose(timed.samples, RECORDING.samples)
    assert recording_of(table.assign(time_ms=1000 * RECORDING.time_s)).rate_hz == 500.0
    assert recording_of(table.assign(rate_hz=500)).rate_hz == 500.0
    assert recording_of(table, rate_hz=250.0).rate_hz == 250.0
    with pytest.raises(RateUnknown, match="a table without a column time_s or rate_hz does not state"):
        recording_of(table)
    with pytest.raises(InputError, match="column time_s: expected times in seconds with even steps"):
        recording_of(table.assign(time_s=RECORDING.time_s**2))
    with pytest.raises(InputError, match="the file states 500 Hz, but 1000 Hz was given"):
        recording_of(table.assign(time_s=RECORDING.time_s), rate_hz=1000.0)
    with pytest.raises(InputError, match="expected one sampling rate in its column; found 2"):
        recording_of(table.assign(rate_hz=[500] * 1999 + [400]))
    with pytest.raises(InputError, match="expected one column of numbers per channel; found the column who"):
        recording_of(table.assign(who="me"), rate_hz=500.0)


def test_other_objects_are_no_recordings() -> None:
    assert not any(map(is_recording_like, (3, "a.csv", [1.0], None)))
