"""recordings/formats/biopac.py: files in the layout of AcqKnowledge 3.8.1."""

from __future__ import annotations

import struct
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from device_files import ACQ_COUNTS, COUNTS, AcqChannel, acq_content, write_acq
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

pytest.importorskip("bioread")

BICEPS = AcqChannel()
BICEPS_MV = ACQ_COUNTS * 1e-4 + 0.25
FLOATS = (COUNTS[:400, 1] / 1000).astype("<f8")
ANGLE = AcqChannel(b"Angle", b"deg", COUNTS[:50, 1].astype("<f8"), divider=8)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_samples_rate_names_and_units(tmp_path: Path, is_compressed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """AcqKnowledge scales integers alone; the scale of floats is not used."""
    channels = [BICEPS, ANGLE, AcqChannel(b"EMG triceps", b"mV", FLOATS)]
    recording = read_recording(write_acq(tmp_path, acq_content(channels, is_compressed=is_compressed)))
    assert_allclose(recording.samples, [BICEPS_MV, FLOATS])
    assert (recording.rate_hz, recording.units) == (2000.0, "mV")
    assert recording.channel_names == ("EMG biceps", "EMG triceps")
    assert recording.remarks[0] == "channels with a rate other than 2000 Hz were left out: Angle"
    assert recording.numbers == (1, 3)
    assert capsys.readouterr().err == ""


def test_microvolts_in_latin_1_are_not_volts(tmp_path: Path) -> None:
    """bioread drops bytes that are not UTF-8 in files of AcqKnowledge 4."""
    content = bytearray(acq_content([replace(BICEPS, name=b"EMG D\xe9bit", unit=b"\xb5V")]))
    recording = read_recording(write_acq(tmp_path, bytes(content)))
    assert (recording.units, recording.channel_names) == ("uV", ("EMG Débit",))


def test_channels_that_end_within_a_round_are_cut_to_the_shortest(tmp_path: Path) -> None:
    shorter = AcqChannel(b"EMG triceps", b"mV", FLOATS[:399])
    recording = read_recording(write_acq(tmp_path, acq_content([BICEPS, shorter])))
    assert_array_equal(recording.samples, [BICEPS_MV[:399], FLOATS[:399]])
    assert not any("length" in remark for remark in recording.remarks)


def test_a_much_shorter_channel_is_remarked(tmp_path: Path) -> None:
    shorter = AcqChannel(b"EMG triceps", b"mV", FLOATS[:100])
    recording = read_recording(write_acq(tmp_path, acq_content([BICEPS, shorter])))
    assert recording.remarks[0] == "the channels differ in length; the first 0.050 s, which all have, are used"


@pytest.mark.parametrize("is_compressed", [False, True])
def test_the_times_at_which_the_recording_was_continued_are_remarked(tmp_path: Path, is_compressed: bool) -> None:
    content = acq_content([BICEPS], is_compressed=is_compressed, segments=[0, 100, 300])
    recording = read_recording(write_acq(tmp_path, content))
    assert recording.remarks[0] == (
        "the recording was stopped and continued at 0.050 s, 0.150 s; a jump there is not EMG"
    )


@pytest.mark.parametrize(
    ("at", "form", "new", "message"),
    [
        (10, "<h", 0, "can't be read as AcqKnowledge; "),
        (10, "<h", 32767, "can't be read as AcqKnowledge; "),
        (6, "<i", 10**9, "can't be read as AcqKnowledge"),
        (16, "<d", 0.0, "can't be read as AcqKnowledge; float division by zero"),
        (16, "<d", np.nan, "channel 1 states 400 samples at nan Hz; expected samples at more than 0 Hz"),
        (1944 + 88, "<i", -5, "channel 1 states -5 samples at 2000 Hz"),
        (1944 + 88, "<i", 2**31 - 1, "unpacks to .* bytes; expected no more than"),
        (1944 + 88, "<i", 10**6, "has .* bytes; expected at least .*, as the header states"),
        (1944 + 250, "<h", -1, "channel 1 states 400 samples at -2000 Hz"),
        (1944 + 250, "<h", 32749, "the order of the channels repeats after 4191872 samples"),
    ],
)
def test_a_lying_header_is_an_error(tmp_path: Path, at: int, form: str, new: float, message: str) -> None:
    second = replace(ANGLE, divider=64, values=ANGLE.values[:7])
    content = bytearray(acq_content([BICEPS, second]))
    struct.pack_into(form, content, at, new)
    start_s = time.process_time()
    with pytest.raises(InputError, match=f"a.acq: {message}"):
        read_recording(write_acq(tmp_path, bytes(content)))
    assert time.process_time() - start_s < 10


@pytest.mark.parametrize("n_bytes", [0, 50, 2000, 2500, 2700])
def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path, n_bytes: int) -> None:
    content = acq_content([BICEPS, ANGLE])
    with pytest.raises(
        InputError, match=r"a.acq: (can't be read as Acq|has \d+ bytes; expected at least 3664|is empty)"
    ):
        read_recording(write_acq(tmp_path, content[:n_bytes]))


def test_a_damaged_journal_does_not_matter_to_samples_that_are_not_compressed(tmp_path: Path) -> None:
    content = acq_content([BICEPS]).replace(b"\x44\x33\x22\x11", b"\0\0\0\0")
    assert_allclose(read_recording(write_acq(tmp_path, content)).samples, [BICEPS_MV])


def test_compressed_samples_that_are_cut_short_are_an_error(tmp_path: Path) -> None:
    content = acq_content([BICEPS, ANGLE], is_compressed=True)
    with pytest.raises(InputError, match="a.acq: channel 2 unpacks to .* bytes or more; expected 400"):
        read_recording(write_acq(tmp_path, content[:-30]))


def test_compressed_samples_that_unpack_to_more_are_an_error(tmp_path: Path) -> None:
    content = bytearray(acq_content([replace(BICEPS, values=np.zeros(10**6, "<i2"))], is_compressed=True))
    struct.pack_into("<i", content, 1944 + 88, 400)
    with pytest.raises(InputError, match="a.acq: channel 1 unpacks to 801 bytes or more; expected 800"):
        read_recording(write_acq(tmp_path, bytes(content)))


def test_samples_that_are_not_numbers_are_found_without_a_warning(tmp_path: Path) -> None:
    values = np.frombuffer(
        b"\x01\x00\x00\x00\x00\x00\xf4\x7f" * 400, "<f8"
    )  # signaling NaN, which warn where multiplied
    with pytest.raises(InputError, match="a.acq: .*EMG biceps"):
        read_recording(write_acq(tmp_path, acq_content([replace(BICEPS, values=values)])))
