"""recordings/formats/wfdb.py: records written by the library wfdb."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import truncate
from recording_files import WFDB_GAIN, WFDB_MV, write_wfdb, write_wfdb_segments
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure
from semg_hht.recordings.recording import files_of, read_recording

wfdb = pytest.importorskip("wfdb")
# wfdb writes records, which only tests do, with a pandas option that is deprecated in pandas 3.1.
COUNTS = np.round(WFDB_MV * 1000).astype(np.int64)  # of 1 uV
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")


@pytest.mark.parametrize("ending", [".hea", ".dat"])
def test_samples_rate_names_and_units(tmp_path: Path, ending: str) -> None:
    recording = read_recording(write_wfdb(tmp_path).with_suffix(ending))
    assert_allclose(recording.samples, WFDB_MV.T, atol=0.5 / WFDB_GAIN)
    assert (recording.rate_hz, recording.units) == (1000.0, "mV")
    assert recording.channel_names == ("biceps", "triceps")
    assert not recording.remarks


def write_counts(folder: Path, fmt: str) -> Path:
    wfdb.wrsamp("a", fs=1000, units=["uV"] * 2, sig_name=["b", "c"], d_signal=COUNTS, fmt=[fmt] * 2,
                adc_gain=[1.0] * 2, baseline=[0] * 2, write_dir=str(folder))  # fmt: skip
    return folder / "a.hea"


@pytest.mark.parametrize("fmt", ["16", "32", "212", "516"])
def test_all_formats_of_signal_files_that_wfdb_writes(tmp_path: Path, fmt: str) -> None:
    recording = read_recording(write_counts(tmp_path, fmt))
    assert_allclose(recording.samples, COUNTS.T)
    assert recording.units == "uV"


def test_channels_whose_names_are_not_emg_are_marked(tmp_path: Path) -> None:
    recording = read_recording(write_wfdb(tmp_path, names=("biceps", "ECG II", "trigger")))
    assert recording.non_emg == ("ECG II", "trigger")
    assert recording.remarks == ("channels that are not EMG, by their names: ECG II, trigger",)


def test_channels_with_a_rate_other_than_that_of_emg_are_left_out(tmp_path: Path) -> None:
    fast, slow = (WFDB_MV[:, 0] * WFDB_GAIN).astype(int), np.arange(500)
    record = wfdb.Record(
        record_name="a", n_sig=3, fs=500, sig_len=500, file_name=["a.dat"] * 3, fmt=["24"] * 3,
        samps_per_frame=[1, 4, 1], adc_gain=[WFDB_GAIN] * 3, baseline=[0] * 3, units=["g", "mV", "mV"],
        adc_res=[24] * 3, adc_zero=[0] * 3, init_value=[0] * 3, block_size=[0] * 3, sig_name=["a", "b", "angle"],
        e_d_signal=[slow, fast, slow],
    )  # fmt: skip
    record.checksum = record.calc_checksum(expanded=True)
    record.wrsamp(expanded=True, write_dir=str(tmp_path))
    recording = read_recording(tmp_path / "a.hea")
    assert_allclose(recording.samples, np.array([fast]) / WFDB_GAIN)
    assert (recording.rate_hz, recording.channel_names, recording.numbers) == (2000.0, ("b",), (2,))
    assert recording.remarks[:1] == ("channels with a rate other than 2000 Hz were left out: a, angle",)


def test_segments_are_joined(tmp_path: Path) -> None:
    recording = read_recording(write_wfdb_segments(tmp_path, "a_1 2000", "a_2 2000"))
    assert_allclose(recording.samples, np.vstack([WFDB_MV, WFDB_MV]).T, atol=0.5 / WFDB_GAIN)
    assert (recording.rate_hz, recording.units, recording.channel_names) == (1000.0, "mV", ("biceps", "triceps"))


def test_segments_after_a_layout_are_joined(tmp_path: Path) -> None:
    layout = "a_layout 2 1000 0\n~ 0 1 0 0 0 0 0 biceps\n~ 0 1 0 0 0 0 0 triceps\n"
    (tmp_path / "a_layout.hea").write_text(layout)
    recording = read_recording(write_wfdb_segments(tmp_path, "a_layout 0", "a_1 2000", "a_2 2000"))
    assert_allclose(recording.samples, np.vstack([WFDB_MV, WFDB_MV]).T, atol=0.5 / WFDB_GAIN)


def test_a_gap_between_segments_is_an_error(tmp_path: Path) -> None:
    path = write_wfdb_segments(tmp_path, "a_1 2000", "~ 500", "a_2 2000", n_samples=4500)
    with pytest.raises(InputError, match=r"a\.hea: has a gap of 0\.5 s at 2 s; expected one unbroken recording"):
        read_recording(path)


def test_missing_samples_are_treated_as_in_all_recordings(tmp_path: Path) -> None:
    signal = WFDB_MV.copy()

    def written(n_missing: int) -> Path:
        signal[100 : 100 + n_missing, 1] = np.nan
        wfdb.wrsamp("a", fs=1000, units=["mV"] * 2, sig_name=["b", "c"], p_signal=signal, fmt=["16"] * 2,
                    write_dir=str(tmp_path))  # fmt: skip
        return tmp_path / "a.hea"

    assert read_recording(written(10)).remarks[0].startswith("channel c: 1 gap was filled")
    with pytest.raises(InputError, match="channel c lacks 80 of 2000 samples"):
        read_recording(written(80))


def test_jobs_are_headers_and_neither_signal_files_nor_segments(tmp_path: Path) -> None:
    write_wfdb_segments(tmp_path, "a_1 2000", "a_2 2000")
    write_wfdb(tmp_path, "b")
    assert [job.path.name for job in find_jobs(tmp_path)] == ["a.hea", "b.hea"]


def test_all_files_of_a_record(tmp_path: Path) -> None:
    path = write_wfdb_segments(tmp_path, "a_1 2000", "~ 500", "a_2 2000")
    write_wfdb(tmp_path, "b")
    assert [p.name for p in files_of(path)] == ["a.hea", "a_1.hea", "a_1.dat", "a_2.hea", "a_2.dat"]
    assert [p.name for p in files_of(tmp_path / "b.dat")] == ["b.hea", "b.dat"]
    assert files_of(tmp_path / "c.csv") == (tmp_path / "c.csv",)


def test_changed_samples_under_the_same_header_are_prepared_again(tmp_path: Path) -> None:
    path = write_wfdb(tmp_path)
    config = configure(band_hz=(20.0, 200.0))

    def run() -> int:
        return prepare(find_jobs(path), tmp_path / "out", config, n_jobs=1, overwrite=True).n_reused

    assert [run(), run()] == [0, 1]
    signal = path.with_suffix(".dat")
    signal.write_bytes(signal.read_bytes()[::-1])
    assert run() == 0


def test_a_header_without_its_signal_file_and_the_reverse_are_errors(tmp_path: Path) -> None:
    path = write_wfdb(tmp_path)
    signal = path.with_suffix(".dat")
    content = signal.read_bytes()
    signal.unlink()
    with pytest.raises(InputError, match=r"a\.hea: can't be read as WFDB; .*a\.dat"):
        read_recording(path)
    signal.write_bytes(content)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.dat: expected a WFDB header a\.hea beside it; found none"):
        read_recording(signal)


def test_a_signal_file_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    path = write_wfdb(tmp_path)
    signal = path.with_suffix(".dat")
    signal.write_bytes(signal.read_bytes()[:9000])
    with pytest.raises(InputError, match=r"a\.hea: a\.dat has 9000 bytes; expected 12000, as the header states"):
        read_recording(path)


def test_a_compressed_signal_file_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    write_counts(tmp_path, "516")
    truncate(tmp_path / "a.dat")
    with pytest.raises(InputError, match=r"a\.hea: can't be read as WFDB"):
        read_recording(tmp_path / "a.hea")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1000 2000", "1000 1000000000000", "declares 2000000000000 samples in all; expected at most"),
        ("1000 2000", "1000 20000000", r"a\.dat has 12000 bytes; expected 120000000"),
        ("a.dat 24 ", "a.dat 24+3000 ", r"a\.dat has 12000 bytes; expected 15000"),
        ("a.dat", "../a.dat", "can't be read as WFDB; invalid syntax"),
        ("a.dat", "/etc/hostname", "can't be read as WFDB; invalid syntax"),
        ("a.dat", "s3://bucket/a.dat", "can't be read as WFDB; invalid syntax"),
        ("a 2 1000 2000", "a 0 1000 2000", "expected at least one signal; found none"),
        ("a 2 1000", "a two 1000", "can't be read as WFDB"),
        ("24 2", "999 2", "can't be read as WFDB"),
    ],
)
def test_a_wrong_header_is_an_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_wfdb(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_recording(path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a_1 2000", "../a_2 2000"), "can't be read as WFDB; invalid syntax"),
        (("a_1 2000", "a_2 1000"), "states 4000 samples; expected the 3000 samples of its segments"),
        (("a_1 2000", "a 2000"), "segment a has segments of its own"),
        (("a_1 2000", "a_3 2000"), "can't be read as WFDB; .*a_3"),
    ],
)
def test_wrong_segments_are_an_error(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_recording(write_wfdb_segments(tmp_path, *lines))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a_2 2 1000", "a_2 2 500", "segment a_2 has 500 Hz; expected 1000 Hz"),
        ("biceps", "deltoid", r"segments have the channels .*deltoid.*; expected the same in all"),
        ("/mV", "/uV", "channel biceps is in mV and in uV; expected one unit"),
    ],
)
def test_segments_that_differ_are_an_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_wfdb_segments(tmp_path, "a_1 2000", "a_2 2000")
    text = (tmp_path / "a_2.hea").read_text()
    assert old in text
    (tmp_path / "a_2.hea").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_recording(path)


@pytest.mark.parametrize("content", ["", "# a comment\n", "\x00\x01\x02"])
def test_a_file_that_is_not_a_header_is_an_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.hea"
    path.write_text(content)
    with pytest.raises(InputError, match=r"a\.hea: can't be read as WFDB"):
        read_recording(path)


def test_a_path_that_could_be_an_address_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "memory::a"
    folder.mkdir()
    path = write_wfdb(tmp_path)
    with pytest.raises(InputError, match="expected a path without '::'"):
        read_recording(path.rename(folder / "a.hea"))
