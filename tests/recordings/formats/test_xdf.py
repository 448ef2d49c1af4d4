"""signals/xdf.py: files built by the XDF 1.0 specification (https://github.com/sccn/xdf/wiki/Specifications)."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

pytest.importorskip("pyxdf")
SIGNAL_UV = (300 * np.random.default_rng(0).standard_normal((4000, 2))).astype(np.float32)
RATE_HZ = 1000.0


def chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<I", len(content) + 2) + struct.pack("<H", tag) + content


def header(key: int, name: str, kind: str, n_channels: int, rate_hz: float, form: str, channels: str = "") -> bytes:
    text = (
        f'<?xml version="1.0"?><info><name>{name}</name><type>{kind}</type><channel_count>{n_channels}</channel_count>'
        f"<nominal_srate>{rate_hz:g}</nominal_srate><channel_format>{form}</channel_format>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )
    return chunk(2, struct.pack("<I", key) + text.encode())


def channel(label: str, unit: str = "microvolts", kind: str = "EMG") -> str:
    return f"<channel><label>{label}</label><unit>{unit}</unit><type>{kind}</type></channel>"


def samples(key: int, table: NDArray[np.generic], stamps: NDArray[np.float64]) -> bytes:
    """One chunk; every sample has its time stamp."""
    rows = b"".join(b"\x08" + struct.pack("<d", t) + row.tobytes() for t, row in zip(stamps, table, strict=True))
    return chunk(3, struct.pack("<I", key) + b"\x04" + struct.pack("<I", len(table)) + rows)


def footer(key: int, n_samples: int) -> bytes:
    text = f'<?xml version="1.0"?><info><sample_count>{n_samples}</sample_count></info>'
    return chunk(6, struct.pack("<I", key) + text.encode())


def markers(key: int) -> bytes:
    word = b"\x01\x05start"
    content = struct.pack("<I", key) + b"\x01\x01" + b"\x08" + struct.pack("<d", 100.5) + word
    return header(key, "Events", "Markers", 1, 0, "string") + chunk(3, content)


BICEPS = channel("biceps") + channel("triceps")
STAMPS = 100 + np.arange(len(SIGNAL_UV)) / RATE_HZ


def emg(
    stamps: NDArray[np.float64] = STAMPS,
    *,
    key: int = 1,
    kind: str = "EMG",
    channels: str = BICEPS,
    table: NDArray[np.generic] = SIGNAL_UV,
    form: str = "float32",
) -> bytes:
    parts = range(0, len(table), 100)
    body = b"".join(samples(key, table[i : i + 100], stamps[i : i + 100]) for i in parts)
    return header(key, "Amp", kind, table.shape[1], RATE_HZ, form, channels) + body + footer(key, len(table))


def write(folder: Path, *parts: bytes) -> Path:
    path = folder / "a.xdf"
    start = chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    path.write_bytes(b"XDF:" + start + b"".join(parts))
    return path


@pytest.mark.parametrize("kind", ["EMG", "emg", "Biosignals"])
def test_samples_rate_names_and_units(tmp_path: Path, kind: str) -> None:
    recording = read_recording(write(tmp_path, markers(7), emg(kind=kind)))
    assert_allclose(recording.samples, SIGNAL_UV.T)
    assert (recording.rate_hz, recording.units) == (RATE_HZ, "uV")
    assert recording.channel_names == ("biceps", "triceps")
    assert recording.remarks == ("streams that were left out: Events (Markers, string, 0 Hz)",)


def test_among_streams_with_a_rate_the_emg_is_taken(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, emg(key=2, kind="Gaze", channels=""), emg(table=SIGNAL_UV[:, ::-1])))
    assert_allclose(recording.samples, SIGNAL_UV[:, ::-1].T)
    assert recording.remarks == ("streams that were left out: Amp (Gaze, float32, 1000 Hz)",)


@pytest.mark.parametrize(("form", "dtype"), [("int16", "<i2"), ("int32", "<i4"), ("double64", "<f8")])
def test_numbers_of_every_kind_and_volts_of_different_kinds(tmp_path: Path, form: str, dtype: str) -> None:
    table = SIGNAL_UV.astype(dtype)
    channels = channel("b", "µV") + channel("t", "millivolts")
    recording = read_recording(write(tmp_path, emg(table=table, form=form, channels=channels)))
    assert_allclose(recording.samples, table.T * np.array([[1.0], [1e3]]))
    assert recording.units == "uV"


def test_channels_of_another_type_are_not_taken_unasked(tmp_path: Path) -> None:
    channels = channel("biceps") + channel("pedal", "N", "Force")
    recording = read_recording(write(tmp_path, emg(channels=channels)))
    assert recording.other == ("pedal",)
    assert recording.remarks == ("not taken for EMG: pedal",)


def test_channels_that_nobody_described_get_numbers(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, emg(channels="")))
    assert (recording.channel_names, recording.units, recording.other) == (("ch1", "ch2"), "", ())


def test_jitter_and_small_drift_leave_the_nominal_rate(tmp_path: Path) -> None:
    late = np.random.default_rng(1).exponential(0.004, len(STAMPS))
    recording = read_recording(write(tmp_path, emg(100 + (STAMPS - 100) * 1.002 + late)))
    assert recording.rate_hz == RATE_HZ
    assert not recording.remarks


def test_a_bundle_that_came_late_is_no_gap(tmp_path: Path) -> None:
    stamps = STAMPS.copy()
    stamps[2000:2150] = STAMPS[2150]  # 0.15 s arrived at once
    assert_allclose(read_recording(write(tmp_path, emg(stamps))).samples, SIGNAL_UV.T)


def test_a_rate_that_the_stamps_contradict_is_replaced_aloud(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, emg(100 + (STAMPS - 100) / 0.95)))
    assert recording.rate_hz == pytest.approx(950.0)
    assert recording.remarks == ("samples arrived at 950 Hz, the header says 1000 Hz: 950 Hz was taken",)


@pytest.mark.parametrize(
    ("jump_s", "said"),
    [(0.5, r"a\.xdf: the time stamps jump by 0\.5 s at 1\.499 s"), (-30.0, "the time stamps jump by -30 s")],
)
def test_lost_samples_are_refused(tmp_path: Path, jump_s: float, said: str) -> None:
    stamps = np.where(np.arange(len(STAMPS)) < 1500, STAMPS, STAMPS + jump_s)
    with pytest.raises(InputError, match=said):
        read_recording(write(tmp_path, emg(stamps)))


@pytest.mark.filterwarnings("error")
def test_stamps_that_are_all_alike_leave_the_nominal_rate(tmp_path: Path) -> None:
    assert read_recording(write(tmp_path, emg(np.full(len(STAMPS), 100.0)))).rate_hz == RATE_HZ


def test_no_stream_or_several_that_could_be_the_emg(tmp_path: Path) -> None:
    said = "expected one stream of type EMG, or a single one with a rate; found "
    with pytest.raises(InputError, match=said + r"Events \(Markers, string, 0 Hz\)$"):
        read_recording(write(tmp_path, markers(7)))
    with pytest.raises(InputError, match=said + "none"):
        read_recording(write(tmp_path))
    for kind in ("EMG", "EEG"):
        with pytest.raises(InputError, match=said + rf"Amp \({kind}, float32, 1000 Hz\); Amp"):
            read_recording(write(tmp_path, emg(kind=kind), emg(key=2, kind=kind)))


def test_a_stream_without_samples(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stream Amp \(EMG, float32, 1000 Hz\) holds no samples"):
        read_recording(write(tmp_path, header(1, "Amp", "EMG", 10**12, RATE_HZ, "float32")))


@pytest.mark.parametrize("n_bytes", [7, 40, 300, 60_000, 69_000])
def test_a_file_that_is_cut_short(tmp_path: Path, n_bytes: int) -> None:
    path = write(tmp_path, emg())
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=rf"a\.xdf: (is cut short or damaged at byte \d+ of {n_bytes}|can't be read)"):
        read_recording(path)


def test_a_file_that_ends_between_two_chunks_is_read_aloud(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, emg()[: -len(footer(1, len(SIGNAL_UV)))]))
    assert_allclose(recording.samples, SIGNAL_UV.T)
    said = "the file ends without the footer of the stream: the recording may have been broken off"
    assert recording.remarks == (said,)


def test_a_stream_that_says_it_may_lose_samples_is_measured_too(tmp_path: Path) -> None:
    stamps = np.where(np.arange(len(STAMPS)) < 1500, STAMPS, STAMPS + 0.2)
    flag = b"<desc><synchronization><can_drop_samples>true</can_drop_samples></synchronization>"
    head = header(1, "Amp", "EMG", 2, RATE_HZ, "float32", BICEPS)
    changed = chunk(2, head[7:].replace(b"<desc>", flag)) + emg(stamps)[len(head) :]
    with pytest.raises(InputError, match=r"the time stamps jump by 0\.2 s at 1\.499 s"):
        read_recording(write(tmp_path, changed))


def test_samples_that_a_chunk_lacks_are_left_out_aloud(tmp_path: Path) -> None:
    short = samples(1, SIGNAL_UV[:60], STAMPS[-1] + np.arange(1, 61) / RATE_HZ)
    short = short.replace(struct.pack("<I", 60), struct.pack("<I", 100), 1)
    recording = read_recording(write(tmp_path, emg(), short))
    assert recording.n_samples == len(SIGNAL_UV)
    assert recording.remarks == ("100 of 4100 samples are damaged and were left out",)


def test_a_description_larger_than_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.recordings.formats.safe_xml.MAX_BYTES", 200)
    with pytest.raises(InputError, match=r"the description of stream 1 takes \d+ bytes; expected no more than 200"):
        read_recording(write(tmp_path, emg()))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.xdf"
    path.write_bytes(b"<xdf/>")
    with pytest.raises(InputError, match="it does not begin with 'XDF:'"):
        read_recording(path)


def test_a_chunk_that_declares_a_million_million_samples(tmp_path: Path) -> None:
    content = struct.pack("<I", 1) + b"\x08" + struct.pack("<Q", 10**12) + bytes(100)
    said = r"a chunk of 100 bytes declares 1000000000000 samples of stream Amp .*; expected at least 9000000000000 b"
    with pytest.raises(InputError, match=said):
        read_recording(write(tmp_path, header(1, "Amp", "EMG", 2, RATE_HZ, "float32"), chunk(3, content)))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ((header(1, "Amp", "EMG", 2, RATE_HZ, "float32").replace(b"1000", b"fast"),), "can't be read as XDF.*'fast'"),
        ((samples(3, SIGNAL_UV[:5], STAMPS[:5]),), r"can't be read as XDF; chunk before byte \d+: 3"),
        ((chunk(2, struct.pack("<I", 1) + b"<info>"),), "the description of stream 1 can't be read as XML"),
        ((b"\x03abc",), r"a length of b'\\x03' bytes; expected 1, 4 or 8"),
    ],
)
def test_chunks_that_are_damaged(tmp_path: Path, parts: tuple[bytes, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_recording(write(tmp_path, *parts))


def test_entities_that_grow_without_end_are_not_read(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE lol [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><info><name>&b;</name></info>'
    with pytest.raises(InputError, match="the description of stream 1 declares a document type 'lol'"):
        read_recording(write(tmp_path, chunk(2, struct.pack("<I", 1) + bomb)))


def test_without_pyxdf_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyxdf", None)
    with pytest.raises(InputError, match=r"reading \.xdf needs pyxdf: pip install 'semg-hht\[readers\]'"):
        read_recording(write(tmp_path, emg()))
