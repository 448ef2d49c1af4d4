"""recordings/formats/xdf.py: files written by the XDF 1.0 specification."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recording_files import (
    XDF_CHANNELS,
    XDF_HZ,
    XDF_STAMPS,
    XDF_UV,
    write_xdf,
    xdf_channel,
    xdf_chunk,
    xdf_emg,
    xdf_footer,
    xdf_header,
    xdf_markers,
    xdf_samples,
)
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

pytest.importorskip("pyxdf")
DOCUMENT_TYPE = b'<!DOCTYPE d [<!ENTITY a "aaaa">]><info><name>&a;</name></info>'


@pytest.mark.parametrize("kind", ["EMG", "emg", "Biosignals"])
def test_samples_rate_names_and_units(tmp_path: Path, kind: str) -> None:
    recording = read_recording(write_xdf(tmp_path, xdf_markers(7), xdf_emg(kind=kind)))
    assert_allclose(recording.samples, XDF_UV.T)
    assert (recording.rate_hz, recording.units) == (XDF_HZ, "uV")
    assert recording.channel_names == ("biceps", "triceps")
    assert recording.remarks == ("other streams were left out: Events (Markers, string, 0 Hz)",)


def test_of_several_streams_with_a_rate_the_emg_is_read(tmp_path: Path) -> None:
    gaze = xdf_emg(key=2, kind="Gaze", channels="")
    recording = read_recording(write_xdf(tmp_path, gaze, xdf_emg(table=XDF_UV[:, ::-1])))
    assert_allclose(recording.samples, XDF_UV[:, ::-1].T)
    assert recording.remarks == ("other streams were left out: Amp (Gaze, float32, 1000 Hz)",)


@pytest.mark.parametrize(("form", "dtype"), [("int16", "<i2"), ("int32", "<i4"), ("double64", "<f8")])
def test_all_types_of_numbers_and_different_units_of_volts(tmp_path: Path, form: str, dtype: str) -> None:
    table = XDF_UV.astype(dtype)
    channels = xdf_channel("b", "µV") + xdf_channel("t", "millivolts")
    recording = read_recording(write_xdf(tmp_path, xdf_emg(table=table, form=form, channels=channels)))
    assert_allclose(recording.samples, table.T * np.array([[1.0], [1e3]]))
    assert recording.units == "uV"


def test_channels_of_another_type_are_marked(tmp_path: Path) -> None:
    channels = xdf_channel("biceps") + xdf_channel("pedal", "N", "Force")
    recording = read_recording(write_xdf(tmp_path, xdf_emg(channels=channels)))
    assert recording.non_emg == ("pedal",)
    assert recording.remarks == ("channels that are not EMG, by the types that the file states: pedal",)


def test_channels_without_description_get_numbers(tmp_path: Path) -> None:
    recording = read_recording(write_xdf(tmp_path, xdf_emg(channels="")))
    assert (recording.channel_names, recording.units, recording.non_emg) == (("ch1", "ch2"), "", ())


def test_jitter_and_small_drift_keep_the_nominal_rate(tmp_path: Path) -> None:
    late = np.random.default_rng(1).exponential(0.004, len(XDF_STAMPS))
    recording = read_recording(write_xdf(tmp_path, xdf_emg(100 + (XDF_STAMPS - 100) * 1.002 + late)))
    assert recording.rate_hz == XDF_HZ
    assert not recording.remarks


def test_a_late_bundle_is_not_a_gap(tmp_path: Path) -> None:
    stamps = XDF_STAMPS.copy()
    stamps[2000:2150] = XDF_STAMPS[2150]  # samples of 0.15 s arrive at once
    assert_allclose(read_recording(write_xdf(tmp_path, xdf_emg(stamps))).samples, XDF_UV.T)


def test_a_rate_that_contradicts_the_stamps_is_replaced(tmp_path: Path) -> None:
    recording = read_recording(write_xdf(tmp_path, xdf_emg(100 + (XDF_STAMPS - 100) / 0.95)))
    assert recording.rate_hz == pytest.approx(950.0)
    assert recording.remarks == ("the header states 1000 Hz, but the time stamps give 950 Hz, which is used",)


@pytest.mark.parametrize(
    ("jump_s", "message"),
    [(0.5, r"a\.xdf: the time stamps jump by 0\.5 s at 1\.499 s"), (-30.0, "the time stamps jump by -30 s")],
)
def test_lost_samples_are_an_error(tmp_path: Path, jump_s: float, message: str) -> None:
    stamps = np.where(np.arange(len(XDF_STAMPS)) < 1500, XDF_STAMPS, XDF_STAMPS + jump_s)
    with pytest.raises(InputError, match=message):
        read_recording(write_xdf(tmp_path, xdf_emg(stamps)))


@pytest.mark.filterwarnings("error")
def test_equal_stamps_keep_the_nominal_rate(tmp_path: Path) -> None:
    assert read_recording(write_xdf(tmp_path, xdf_emg(np.full(len(XDF_STAMPS), 100.0)))).rate_hz == XDF_HZ


def test_no_or_several_possible_emg_streams_are_an_error(tmp_path: Path) -> None:
    message = "expected one stream of type EMG, or a single one with a rate; found "
    with pytest.raises(InputError, match=message + r"Events \(Markers, string, 0 Hz\)$"):
        read_recording(write_xdf(tmp_path, xdf_markers(7)))
    with pytest.raises(InputError, match=message + "none"):
        read_recording(write_xdf(tmp_path))
    with pytest.raises(InputError, match=message + r"Amp \(Biosignals, float32, 1000 Hz\); Amp"):
        read_recording(write_xdf(tmp_path, xdf_emg(kind="Biosignals"), xdf_emg(key=2, kind="Biosignals")))


def test_an_empty_stream_beside_the_emg_is_passed_over(tmp_path: Path) -> None:
    empty = xdf_header(2, "EMG", 2, XDF_HZ, "float32")
    recording = read_recording(write_xdf(tmp_path, empty, xdf_emg()))
    assert_allclose(recording.samples, XDF_UV.T)
    assert recording.remarks == ("other streams were left out: Amp (EMG, float32, 1000 Hz)",)


def test_an_empty_emg_stream_is_not_replaced_by_another_signal(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stream Amp .EMG, float32, 1000 Hz. holds no samples"):
        read_recording(write_xdf(tmp_path, xdf_header(2, "EMG", 2, XDF_HZ, "float32"), xdf_emg(kind="Biosignals")))


def test_an_exg_stream_beside_accelerations_is_the_emg(tmp_path: Path) -> None:
    acc = xdf_emg(key=2, kind="ACC", table=XDF_UV[:, ::-1])
    recording = read_recording(write_xdf(tmp_path, acc, xdf_emg(kind="EXG")))
    assert_allclose(recording.samples, XDF_UV.T)
    assert recording.remarks == ("other streams were left out: Amp (ACC, float32, 1000 Hz)",)


def test_two_emg_streams_of_one_rate_are_joined_over_the_time_they_share(tmp_path: Path) -> None:
    left = xdf_emg()
    right = xdf_emg(XDF_STAMPS + 1.0, key=2, table=XDF_UV[:, ::-1]).replace(b"<name>Amp", b"<name>Leg")
    recording = read_recording(write_xdf(tmp_path, left, right))
    assert_allclose(recording.samples, np.vstack([XDF_UV[1000:].T, XDF_UV[:3000, ::-1].T]))
    assert recording.channel_names == ("Amp biceps", "Amp triceps", "Leg biceps", "Leg triceps")
    (remark,) = recording.remarks
    assert "Amp (EMG, float32, 1000 Hz) and Leg (EMG, float32, 1000 Hz) were joined over the 3000 samples" in remark


def test_of_emg_streams_one_after_the_other_the_longest_is_read(tmp_path: Path) -> None:
    recording = read_recording(write_xdf(tmp_path, xdf_emg(table=XDF_UV[:1000]), xdf_emg(XDF_STAMPS + 10, key=2)))
    assert_allclose(recording.samples, XDF_UV.T)
    assert "the longest was read: they share little time" in recording.remarks[0]


def test_of_emg_streams_of_two_rates_that_of_most_channels_is_read(tmp_path: Path) -> None:
    slow = xdf_emg(key=2, table=XDF_UV[:, :1], channels="").replace(b"srate>1000<", b"srate>500.<")
    recording = read_recording(write_xdf(tmp_path, slow, xdf_emg()))
    assert_allclose(recording.samples, XDF_UV.T)
    assert recording.remarks == ("other streams were left out: Amp (EMG, float32, 500 Hz)",)


def test_a_loss_below_the_limit_keeps_the_rate_and_is_counted(tmp_path: Path) -> None:
    late = np.random.default_rng(1).exponential(0.004, len(XDF_STAMPS))
    stamps = np.where(np.arange(len(XDF_STAMPS)) < 2000, XDF_STAMPS, XDF_STAMPS + 0.08) + late
    recording = read_recording(write_xdf(tmp_path, xdf_emg(stamps)))
    assert recording.rate_hz == XDF_HZ
    (remark,) = recording.remarks
    assert 75 <= int(remark.removeprefix("by the time stamps, about ").split()[0]) <= 85


def test_many_small_losses_are_an_error(tmp_path: Path) -> None:
    stamps = XDF_STAMPS + 0.09 * (np.arange(len(XDF_STAMPS)) // 1000)
    with pytest.raises(InputError, match="about 270 of 4270 samples are missing; expected at most 5%"):
        read_recording(write_xdf(tmp_path, xdf_emg(stamps)))


def test_a_stream_without_samples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stream Amp \(EMG, float32, 1000 Hz\) holds no samples"):
        read_recording(write_xdf(tmp_path, xdf_header(1, "EMG", 10**12, XDF_HZ, "float32")))


@pytest.mark.parametrize("n_bytes", [7, 40, 300, 60_000, 69_000])
def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path, n_bytes: int) -> None:
    path = write_xdf(tmp_path, xdf_emg())
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=rf"a\.xdf: (is cut short or damaged at byte \d+ of {n_bytes}|can't be read)"):
        read_recording(path)


def test_a_file_that_ends_between_two_chunks_is_read_with_a_remark(tmp_path: Path) -> None:
    recording = read_recording(write_xdf(tmp_path, xdf_emg()[: -len(xdf_footer(1, len(XDF_UV)))]))
    assert_allclose(recording.samples, XDF_UV.T)
    remark = "the file ends without the footer of the stream, so the recording may be incomplete"
    assert recording.remarks == (remark,)


def test_gaps_of_a_stream_that_may_drop_samples_are_an_error(tmp_path: Path) -> None:
    stamps = np.where(np.arange(len(XDF_STAMPS)) < 1500, XDF_STAMPS, XDF_STAMPS + 0.2)
    flag = b"<desc><synchronization><can_drop_samples>true</can_drop_samples></synchronization>"
    head = xdf_header(1, "EMG", 2, XDF_HZ, "float32", XDF_CHANNELS)
    changed = xdf_chunk(2, head[7:].replace(b"<desc>", flag)) + xdf_emg(stamps)[len(head) :]
    with pytest.raises(InputError, match=r"the time stamps jump by 0\.2 s at 1\.499 s"):
        read_recording(write_xdf(tmp_path, changed))


def test_samples_that_a_chunk_lacks_are_left_out_with_a_remark(tmp_path: Path) -> None:
    short = xdf_samples(1, XDF_UV[:60], XDF_STAMPS[-1] + np.arange(1, 61) / XDF_HZ)
    short = short.replace(struct.pack("<I", 60), struct.pack("<I", 100), 1)
    recording = read_recording(write_xdf(tmp_path, xdf_emg(), short))
    assert recording.n_samples == len(XDF_UV)
    assert recording.remarks == ("100 of 4100 samples are damaged and were left out",)


def test_a_file_that_is_not_xdf_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    path.write_bytes(b"<xdf/>")
    with pytest.raises(InputError, match="expected 'XDF:' at its start"):
        read_recording(path)


def test_a_chunk_that_declares_too_many_samples_is_an_error(tmp_path: Path) -> None:
    content = struct.pack("<I", 1) + b"\x08" + struct.pack("<Q", 10**12) + bytes(100)
    message = r"a chunk of 100 bytes declares 1000000000000 samples of stream Amp .*; expected at least 9000000000000 b"
    with pytest.raises(InputError, match=message):
        read_recording(write_xdf(tmp_path, xdf_header(1, "EMG", 2, XDF_HZ, "float32"), xdf_chunk(3, content)))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((xdf_header(1, "EMG", 2, XDF_HZ, "float32").replace(b"1000", b"fast"),), "can't be read as XDF.*'fast'"),
        ((xdf_samples(3, XDF_UV[:5], XDF_STAMPS[:5]),), r"can't be read as XDF; chunk before byte \d+: 3"),
        ((xdf_chunk(2, struct.pack("<I", 1) + b"<info>"),), "the description of stream 1 can't be read as XML"),
        ((xdf_chunk(2, struct.pack("<I", 1) + DOCUMENT_TYPE),), "stream 1 declares a document type 'd'"),
        ((b"\x03abc",), r"a length of b'\\x03' bytes; expected 1, 4 or 8"),
    ],
)
def test_damaged_chunks_are_an_error(tmp_path: Path, parts: tuple[bytes, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_recording(write_xdf(tmp_path, *parts))
