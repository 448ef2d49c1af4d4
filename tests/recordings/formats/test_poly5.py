"""recordings/formats/poly5.py: files as TMSi's interface for Python writes them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from device_files import POLY5_UV, Poly5, write_poly5
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording


@pytest.mark.parametrize("is_last_full", [True, False])
def test_samples_rate_names_and_units(tmp_path: Path, is_last_full: bool) -> None:
    recording = read_recording(write_poly5(tmp_path, Poly5(is_last_full=is_last_full).content()))
    assert_array_equal(recording.samples, POLY5_UV.T.astype(np.float64))
    assert (recording.rate_hz, recording.units) == (2000.0, "uV")
    assert recording.channel_names == ("biceps", "TRIGGERS")
    assert recording.non_emg == ("TRIGGERS",)


def test_channels_in_volts_and_millivolts_become_microvolts(tmp_path: Path) -> None:
    content = dataclasses.replace(Poly5(), names=("a", "b"), units=(b"V", b"mV")).content()
    recording = read_recording(write_poly5(tmp_path, content))
    assert_allclose(recording.samples, POLY5_UV.T * np.array([[1e6], [1e3]]))
    assert recording.units == "uV"


def test_samples_in_steps_of_the_converter_are_scaled_to_the_unit(tmp_path: Path) -> None:
    recording = read_recording(write_poly5(tmp_path, Poly5(ranges=(-10, 10, -1000, 1000)).content()))
    assert_allclose(recording.samples, POLY5_UV.T.astype(np.float64) / 100, atol=1e-9)


def test_ranges_without_extent_leave_the_samples(tmp_path: Path) -> None:
    recording = read_recording(write_poly5(tmp_path, Poly5(ranges=(0, 0, 1, 0)).content()))
    assert_array_equal(recording.samples, POLY5_UV.T.astype(np.float64))


@pytest.mark.parametrize(
    ("at", "new", "message"),
    [
        (0, b"P0LY", "can't be read as Poly5; expected 'POLY SAMPLE FILEversion 2.03' and a header at its start"),
        (119, b"\x03\x00", "declares 3 signals of 250 samples; expected two signals for each channel"),
        (119, b"\xfe\xff", "has 3419 bytes; expected .*, as the header states"),
        (121, b"\x00\x00\x00\x00", "declares 4 signals of 0 samples"),
        (121, b"\xff\xff\xff\xff", "declares 4294967295 samples in 3 blocks of 100"),
        (147, b"\x00\x00", "declares 250 samples in 3 blocks of 0"),
        (151, b"\x01\x00", "the samples are compressed; expected plain samples"),
        (218, b"(Hi)", r"expected channels of 32 bits, named \(Lo\) and \(Hi\) ; found \(Hi\) biceps, \(Hi\) biceps"),
    ],
)
def test_a_wrong_header_is_an_error(tmp_path: Path, at: int, new: bytes, message: str) -> None:
    content = Poly5().content()
    path = write_poly5(tmp_path, content[:at] + new + content[at + len(new) :])
    with pytest.raises(InputError, match=f"a.poly5: {message}"):
        read_recording(path)


@pytest.mark.parametrize("n_bytes", [0, 100, 300, 3000])
def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path, n_bytes: int) -> None:
    path = write_poly5(tmp_path, Poly5(is_last_full=False).content()[:n_bytes])
    with pytest.raises(InputError, match=r"a.poly5: (can't be read as Poly5|has \d+ bytes; expected 3019|is empty)"):
        read_recording(path)


def test_one_byte_less_than_the_samples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected 3019"):
        read_recording(write_poly5(tmp_path, Poly5(is_last_full=False).content()[:-1]))


def test_samples_that_are_not_numbers_are_found_without_a_warning(tmp_path: Path) -> None:
    content = Poly5(is_last_full=False).content()
    path = write_poly5(tmp_path, content[:-1600] + b"\x01\x00\xa0\x7f" * 400)  # signaling NaN, which warn where cast
    with pytest.raises(InputError, match="a.poly5: .*biceps"):
        read_recording(path)
