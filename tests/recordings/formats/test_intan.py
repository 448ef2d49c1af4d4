"""recordings/formats/intan.py: files in Intan's traditional format, version 3.0."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from device_files import RHD_COUNTS, write_rhd
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

pytest.importorskip("neo")


@pytest.mark.parametrize("name", ["a.rhd", "A.RHD"])
def test_samples_rate_names_and_units(tmp_path: Path, name: str) -> None:
    recording = read_recording(write_rhd(tmp_path).rename(tmp_path / name))
    microvolts = 0.195 * (RHD_COUNTS.T.astype(np.float64) - 32768)  # RHD data file formats: 0.195 uV a step
    assert_allclose(recording.samples[:2], microvolts, atol=1e-9)
    assert_allclose(recording.samples[2], np.tile(np.arange(128) * 0.000050354 * 1e6, 10))
    assert (recording.rate_hz, recording.units) == (2000.0, "uV")
    assert recording.channel_names == ("biceps", "A-001", "force")
    assert recording.non_emg == ("force",)
    assert recording.remarks[:2] == (
        "channels with a rate other than 2000 Hz were left out: A-AUX1, A-VDD1",
        "channels that are not EMG, by the types that the file states: force",
    )


def test_a_first_number_below_zero_is_no_gap(tmp_path: Path) -> None:
    """Where a trigger started the recording, the samples before it have numbers below zero."""
    assert read_recording(write_rhd(tmp_path, first=-500)).n_samples == len(RHD_COUNTS)


def test_missing_samples_are_an_error(tmp_path: Path) -> None:
    message = "the numbers of the samples jump from 639 to 896 at 0.320 s; expected one unbroken recording"
    with pytest.raises(InputError, match=f"a.rhd: {message}"):
        read_recording(write_rhd(tmp_path, jump=256))


def test_many_gaps_give_one_short_error(tmp_path: Path) -> None:
    content = bytearray(write_rhd(tmp_path).read_bytes())
    content[-5000:] = np.random.default_rng(0).bytes(5000)
    (tmp_path / "a.rhd").write_bytes(content)
    with pytest.raises(InputError, match="the numbers of the samples jump") as error:
        read_recording(tmp_path / "a.rhd")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("n_bytes", [4, 60, 300, 5000, -1])
def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path, n_bytes: int) -> None:
    path = write_rhd(tmp_path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match="a.rhd: can't be read as RHD, is cut short or damaged"):
        read_recording(path)


def test_another_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.rhd").write_bytes(bytes(1000))
    with pytest.raises(InputError, match="a.rhd: can't be read as RHD; expected the bytes 022791c6 at its start"):
        read_recording(tmp_path / "a.rhd")


def test_a_note_of_four_gigabytes_is_an_error(tmp_path: Path) -> None:
    content = bytearray(write_rhd(tmp_path).read_bytes())
    struct.pack_into("<I", content, 48, 2**32 - 2)
    (tmp_path / "a.rhd").write_bytes(content)
    with pytest.raises(InputError, match="a.rhd: can't be read as RHD, is cut short or damaged"):
        read_recording(tmp_path / "a.rhd")


def test_a_header_without_samples_names_the_format_that_is_read(tmp_path: Path) -> None:
    path = write_rhd(tmp_path).rename(tmp_path / "info.rhd")
    with pytest.raises(InputError, match="info.rhd: holds the header alone; .* Intan's traditional format"):
        read_recording(path)
