"""recordings/formats/spike2.py: files in the layout of CED's SON filing system."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from device_files import COUNTS, SonChannel, son_content, write_spike2
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

BICEPS = SonChannel()
BICEPS_MV = COUNTS[:500, 0] * 2.0 / 6553.6 + 0.5  # sonintl.h: a count is 1/6553.6 of the scale


@pytest.mark.parametrize("system", [3, 5, 6, 8, 9])
def test_samples_rate_names_and_units(tmp_path: Path, system: int) -> None:
    triceps = replace(BICEPS, name="triceps", values=(COUNTS[:500, 1] / 100).astype("<f4"), per_block=130)
    recording = read_recording(write_spike2(tmp_path, [BICEPS, triceps], system=system))
    assert_allclose(recording.samples, [BICEPS_MV, (COUNTS[:500, 1] / 100).astype(np.float32)], rtol=1e-6)
    assert (recording.rate_hz, recording.units, recording.remarks) == (1000.0, "mV", ())
    assert recording.channel_names == ("biceps", "triceps")


@pytest.mark.parametrize("system", [5, 8])
def test_a_slow_channel_is_left_out(tmp_path: Path, system: int) -> None:
    """neo gives this channel a rate below 0 Hz, or an error."""
    slow = SonChannel("temp", b"C", COUNTS[:5, 0], interval=50_000, ideal_hz=10)
    recording = read_recording(write_spike2(tmp_path, [slow, BICEPS], system=system))
    assert_allclose(recording.samples, [BICEPS_MV])
    assert recording.remarks == ("channels with a rate other than 1000 Hz were left out: temp",)
    assert recording.numbers == (2,)


def test_samples_and_rate_are_those_of_neo(tmp_path: Path) -> None:
    spike2rawio = pytest.importorskip("neo.rawio.spike2rawio")
    path = write_spike2(tmp_path, [BICEPS])
    neo = spike2rawio.Spike2RawIO(str(path), ced_units=False)
    neo.parse_header()
    samples = neo.rescale_signal_raw_to_float(neo.get_analogsignal_chunk(stream_index=0), "float64", stream_index=0)
    recording = read_recording(path)
    assert_allclose(recording.samples, samples.T, rtol=1e-6)
    assert_allclose(recording.rate_hz, neo.get_signal_sampling_rate(0))


def test_the_unit_in_windows_1252_is_microvolts(tmp_path: Path) -> None:
    assert read_recording(write_spike2(tmp_path, [replace(BICEPS, unit=b"\xb5V")])).units == "uV"


def test_channels_that_are_read_one_after_the_other_keep_all_samples(tmp_path: Path) -> None:
    triceps = replace(BICEPS, name="triceps", start=120)
    recording = read_recording(write_spike2(tmp_path, [BICEPS, triceps]))
    assert_allclose(recording.samples, [BICEPS_MV, BICEPS_MV])
    assert recording.remarks == ()


def test_a_channel_that_starts_later_cuts_the_others(tmp_path: Path) -> None:
    triceps = replace(BICEPS, name="triceps", start=200 * 500)
    recording = read_recording(write_spike2(tmp_path, [BICEPS, triceps]))
    assert_allclose(recording.samples, [BICEPS_MV[200:], BICEPS_MV[:300]])
    assert recording.remarks[0] == "the channels do not start and end together; the 0.300 s that all have are used"


def test_channels_that_share_no_time_are_an_error(tmp_path: Path) -> None:
    triceps = replace(BICEPS, name="triceps", start=600 * 500)
    with pytest.raises(InputError, match="a.smr: biceps, triceps share no time"):
        read_recording(write_spike2(tmp_path, [BICEPS, triceps]))


def test_a_pause_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"channel 1 has a pause of 0.02\d* s at 0.199 s; expected one unbroken"):
        read_recording(write_spike2(tmp_path, [replace(BICEPS, gaps={1: 10_000})]))


def test_a_rate_that_was_wanted_but_not_reached_is_remarked(tmp_path: Path) -> None:
    recording = read_recording(write_spike2(tmp_path, [replace(BICEPS, ideal_hz=1100)]))
    assert recording.rate_hz == 1000
    assert recording.remarks[0].startswith("channel biceps: 1100 Hz were wanted; the times of the samples give 1000 Hz")


def test_channels_of_events_are_passed_over(tmp_path: Path) -> None:
    content = bytearray(son_content([BICEPS, replace(BICEPS, name="keyboard")]))
    content[512 + 140 + 122] = 5
    (tmp_path / "a.smr").write_bytes(content)
    assert read_recording(tmp_path / "a.smr").channel_names == ("biceps",)


@pytest.mark.parametrize(
    ("at", "new", "message"),
    [
        (0, b"S64\0", r"is a Spike2 file of 64 bits \(.smrx\); export it from Spike2 as text"),
        (2, b"(C) IBM", r"can't be read as Spike2; expected '\(C\) CED 87' in a header of 512 bytes"),
        (0, b"\x00\x03", "states system 768 and order of bytes 0; expected system 1 to 9"),
        (20, b"\0\0", "states a clock tick of 0 s"),
        (44, struct.pack("<d", np.nan), "states a clock tick of nan s"),
        (30, b"\xff\xff", "is cut short or damaged; expected a header at byte"),
        (512 + 14, b"\xff\xff", "declares 65535 blocks of channel 1; expected no more than fit"),
        (512 + 6, b"\xff\xff\xff\x7f", "is cut short or damaged; expected a header at byte 2147483647"),
        (512 + 122, b"\0", "expected at least one channel of waveforms; found none"),
        (1024 + 4, b"\0\x04\0\0", "the block of channel 1 at byte 1024 is cut short or damaged"),  # links to itself
        (1024 + 16, b"\x02\0", "the block of channel 1 at byte 1024 is cut short or damaged"),
        (1024 + 18, b"\xff\xff", "the block of channel 1 at byte 1024 is cut short or damaged"),
    ],
)
def test_a_damaged_header_is_an_error(tmp_path: Path, at: int, new: bytes, message: str) -> None:
    content = son_content([BICEPS])
    (tmp_path / "a.smr").write_bytes(content[:at] + new + content[at + len(new) :])
    with pytest.raises(InputError, match=f"a.smr: {message}"):
        read_recording(tmp_path / "a.smr")


@pytest.mark.parametrize("n_bytes", [1, 511, 600, 1100, 2000])
def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path, n_bytes: int) -> None:
    (tmp_path / "a.smr").write_bytes(son_content([BICEPS])[:n_bytes])
    with pytest.raises(InputError, match=r"a.smr: (can't be read as Spike2|is cut short|the block of channel 1 .* is)"):
        read_recording(tmp_path / "a.smr")


def test_samples_that_are_not_numbers_are_found_without_a_warning(tmp_path: Path) -> None:
    values = np.frombuffer(b"\x01\x00\xa0\x7f" * 500, "<f4")  # signaling NaN, which warn where cast
    with pytest.raises(InputError, match="a.smr: .*biceps"):
        read_recording(write_spike2(tmp_path, [replace(BICEPS, values=values)]))
