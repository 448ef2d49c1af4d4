"""recordings/formats/c3d.py: files that ezc3d writes, and files written byte by byte from the C3D User Guide."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from recording_files import C3D_LABELS, C3D_V, DEC, INTEL, MIPS, c3d_parameter, write_c3d
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording


@pytest.mark.parametrize("processor", [INTEL, DEC, MIPS])
@pytest.mark.parametrize("scale", [0.0, 1e-7])
def test_samples_rate_names_and_units(tmp_path: Path, processor: int, scale: float) -> None:
    recording = read_recording(write_c3d(tmp_path, processor=processor, scale=scale))
    assert_allclose(recording.samples, C3D_V, rtol=1e-6, atol=0.51 * scale)
    assert (recording.rate_hz, recording.units) == (1000.0, "V")
    assert recording.channel_names == C3D_LABELS
    assert recording.non_emg == ("FP1_Fx",)


def test_a_file_of_ezc3d(tmp_path: Path) -> None:
    ezc3d = pytest.importorskip("ezc3d")
    file = ezc3d.c3d()
    analog = file["parameters"]["ANALOG"]
    file["parameters"]["POINT"]["RATE"]["value"] = [100]
    file["data"]["points"] = np.ones((3, 0, 50))
    analog["RATE"]["value"], analog["LABELS"]["value"], analog["UNITS"]["value"] = [1000], C3D_LABELS, ("V", "V", "N")
    file["data"]["analogs"] = C3D_V[np.newaxis]
    file.write(str(tmp_path / "a.c3d"))
    recording = read_recording(tmp_path / "a.c3d")
    assert_array_equal(recording.samples, ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["analogs"][0])
    assert (recording.channel_names, recording.rate_hz, recording.units) == (C3D_LABELS, 1000.0, "V")


def test_more_than_255_channels_have_a_second_list_of_labels(tmp_path: Path) -> None:
    labels = [f"EMG {i}" for i in range(260)]
    more = c3d_parameter(2, "LABELS2", labels[255:])
    path = write_c3d(tmp_path, np.tile(C3D_V[:1], (260, 1)), labels[:255], ("V",) * 255, more=more)
    assert read_recording(path).channel_names[-1] == "EMG 259"


def test_a_long_recording_states_its_frames_beside_the_header(tmp_path: Path) -> None:
    signals = np.tile(C3D_V[:1], (1, 1400))
    ends = c3d_parameter(3, "ACTUAL_START_FIELD", [1, 0], size=2)
    ends += c3d_parameter(3, "ACTUAL_END_FIELD", [70000 - 65536, 1], size=2)
    path = write_c3d(tmp_path, signals, ["EMG 1"], ["V"], more=ends)
    assert read_recording(path).n_samples == 700_000


def test_a_rate_that_the_frames_contradict_is_remarked(tmp_path: Path) -> None:
    path = write_c3d(tmp_path)
    path.write_bytes(path.read_bytes().replace(struct.pack("<f", 1000.0), struct.pack("<f", 1200.0)))
    recording = read_recording(path)
    assert recording.rate_hz == 1200.0
    assert "the analog channels state 1200 Hz, which is used, but the frames give 1000 Hz" in recording.remarks[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:2000], "is cut short; 2000 bytes hold fewer frames than it states"),
        (lambda content: b"\x02\x51" + content[2:], "can't be read as C3D; expected the byte 0x50"),
        (lambda content: content[:100], "can't be read as C3D; expected the byte 0x50"),
        (lambda content: content[:515] + b"\x09" + content[516:], "the type of the processor is 9"),
        (lambda content: b"", "can't be read as C3D"),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, change: object, message: str) -> None:
    path = write_c3d(tmp_path)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        read_recording(path)


def test_markers_alone_are_an_error(tmp_path: Path) -> None:
    path = write_c3d(tmp_path)
    used = c3d_parameter(2, "USED", [3], size=2)
    path.write_bytes(path.read_bytes().replace(used, c3d_parameter(2, "USED", [0], size=2)))
    with pytest.raises(InputError, match="expected analog channels; found 2 markers alone"):
        read_recording(path)
