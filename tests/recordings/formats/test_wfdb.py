"""signals/wfdb.py: records written by wfdb."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure
from semg_hht.recordings.recording import files_of, read_recording

wfdb = pytest.importorskip("wfdb")
# wfdb writes records, which only these tests do, through a way of pandas' that pandas 3.1 calls outdated.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")
SIGNAL_MV = 0.3 * np.random.default_rng(0).standard_normal((2000, 2))
GAIN = 20000.0  # counts a mV


def write(folder: Path, name: str = "a", names: tuple[str, ...] = ("biceps", "triceps"), units: str = "mV") -> Path:
    signal = SIGNAL_MV[:, [i % 2 for i in range(len(names))]]
    wfdb.wrsamp(
        name, fs=1000, units=[units] * len(names), sig_name=list(names), p_signal=signal, fmt=["24"] * len(names),
        adc_gain=[GAIN] * len(names), baseline=[0] * len(names), write_dir=str(folder),
    )  # fmt: skip
    return folder / f"{name}.hea"


@pytest.mark.parametrize("ending", [".hea", ".dat"])
def test_samples_rate_names_and_units(tmp_path: Path, ending: str) -> None:
    recording = read_recording(write(tmp_path).with_suffix(ending))
    assert_allclose(recording.samples, SIGNAL_MV.T, atol=0.5 / GAIN)
    assert (recording.rate_hz, recording.units) == (1000.0, "mV")
    assert recording.channel_names == ("biceps", "triceps")
    assert not recording.remarks


@pytest.mark.parametrize("fmt", ["16", "32", "212", "516"])
def test_every_format_of_signal_files_that_wfdb_writes(tmp_path: Path, fmt: str) -> None:
    counts = np.round(SIGNAL_MV * 1000).astype(np.int64)
    wfdb.wrsamp("a", fs=1000, units=["uV"] * 2, sig_name=["b", "c"], d_signal=counts, fmt=[fmt] * 2,
                adc_gain=[1.0] * 2, baseline=[0] * 2, write_dir=str(tmp_path))  # fmt: skip
    recording = read_recording(tmp_path / "a.hea")
    assert_allclose(recording.samples, counts.T)
    assert recording.units == "uV"


def test_what_is_no_emg_by_name_is_not_taken_unasked(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, names=("biceps", "ECG II", "trigger")))
    assert recording.other == ("ECG II", "trigger")
    assert recording.remarks == ("not taken for EMG, by name: ECG II, trigger",)


def test_signals_of_another_rate_are_left_out_aloud(tmp_path: Path) -> None:
    fast, slow = (SIGNAL_MV[:, 0] * GAIN).astype(int), np.arange(500)
    record = wfdb.Record(
        record_name="a", n_sig=3, fs=500, sig_len=500, file_name=["a.dat"] * 3, fmt=["24"] * 3,
        samps_per_frame=[4, 4, 1], adc_gain=[GAIN] * 3, baseline=[0] * 3, units=["mV"] * 3, adc_res=[24] * 3,
        adc_zero=[0] * 3, init_value=[0] * 3, block_size=[0] * 3, sig_name=["b", "t", "angle"],
        e_d_signal=[fast, -fast, slow],
    )  # fmt: skip
    record.checksum = record.calc_checksum(expanded=True)
    record.wrsamp(expanded=True, write_dir=str(tmp_path))
    recording = read_recording(tmp_path / "a.hea")
    assert_allclose(recording.samples, np.array([fast, -fast]) / GAIN)
    assert recording.rate_hz == 2000.0
    assert recording.remarks[:1] == ("signals of another rate than 2000 Hz were left out: angle",)


def segmented(folder: Path, *lines: str, n_samples: int = 4000) -> Path:
    write(folder, "a_1")
    write(folder, "a_2")
    path = folder / "a.hea"
    path.write_text("\n".join([f"a/{len(lines)} 2 1000 {n_samples}", *lines, ""]))
    return path


def test_segments_follow_one_another(tmp_path: Path) -> None:
    recording = read_recording(segmented(tmp_path, "a_1 2000", "a_2 2000"))
    assert_allclose(recording.samples, np.vstack([SIGNAL_MV, SIGNAL_MV]).T, atol=0.5 / GAIN)
    assert (recording.rate_hz, recording.units, recording.channel_names) == (1000.0, "mV", ("biceps", "triceps"))


def test_segments_behind_a_layout_follow_one_another(tmp_path: Path) -> None:
    layout = "a_layout 2 1000 0\n~ 0 1 0 0 0 0 0 biceps\n~ 0 1 0 0 0 0 0 triceps\n"
    (tmp_path / "a_layout.hea").write_text(layout)
    recording = read_recording(segmented(tmp_path, "a_layout 0", "a_1 2000", "a_2 2000"))
    assert_allclose(recording.samples, np.vstack([SIGNAL_MV, SIGNAL_MV]).T, atol=0.5 / GAIN)


def test_a_gap_between_segments_is_refused(tmp_path: Path) -> None:
    path = segmented(tmp_path, "a_1 2000", "~ 500", "a_2 2000", n_samples=4500)
    with pytest.raises(InputError, match=r"a\.hea: has a gap of 0\.5 s at 2 s; expected one unbroken recording"):
        read_recording(path)


def test_samples_marked_as_missing_are_left_to_the_rule_for_all_recordings(tmp_path: Path) -> None:
    signal = SIGNAL_MV.copy()

    def written(n_missing: int) -> Path:
        signal[100 : 100 + n_missing, 1] = np.nan
        wfdb.wrsamp("a", fs=1000, units=["mV"] * 2, sig_name=["b", "c"], p_signal=signal, fmt=["16"] * 2,
                    write_dir=str(tmp_path))  # fmt: skip
        return tmp_path / "a.hea"

    assert read_recording(written(10)).remarks[0].startswith("channel c: 1 gap bridged")
    with pytest.raises(InputError, match="channel c has no numbers in 80 of 2000 samples"):
        read_recording(written(80))


def test_a_folder_lists_headers_and_neither_signal_files_nor_segments(tmp_path: Path) -> None:
    segmented(tmp_path, "a_1 2000", "a_2 2000")
    write(tmp_path, "b")
    assert [job.path.name for job in find_jobs(tmp_path)] == ["a.hea", "b.hea"]


def test_all_files_of_a_record_are_known(tmp_path: Path) -> None:
    path = segmented(tmp_path, "a_1 2000", "~ 500", "a_2 2000")
    write(tmp_path, "b")
    assert [p.name for p in files_of(path)] == ["a.hea", "a_1.hea", "a_1.dat", "a_2.hea", "a_2.dat"]
    assert [p.name for p in files_of(tmp_path / "b.dat")] == ["b.hea", "b.dat"]
    assert files_of(tmp_path / "c.csv") == (tmp_path / "c.csv",)


def test_samples_that_changed_behind_the_same_header_are_prepared_again(tmp_path: Path) -> None:
    path = write(tmp_path)
    config = configure(band_hz=(20.0, 200.0))

    def run() -> int:
        return prepare(find_jobs(path), tmp_path / "out", config, n_jobs=1, overwrite=True).n_reused

    assert [run(), run()] == [0, 1]
    signal = path.with_suffix(".dat")
    signal.write_bytes(signal.read_bytes()[::-1])
    assert run() == 0


def test_a_header_without_its_signal_file_and_the_reverse(tmp_path: Path) -> None:
    path = write(tmp_path)
    signal = path.with_suffix(".dat")
    content = signal.read_bytes()
    signal.unlink()
    with pytest.raises(InputError, match=r"a\.hea: can't be read as WFDB; .*a\.dat"):
        read_recording(path)
    signal.write_bytes(content)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.dat: expected a WFDB header a\.hea beside it; found none"):
        read_recording(signal)


def test_a_signal_file_that_is_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path)
    signal = path.with_suffix(".dat")
    signal.write_bytes(signal.read_bytes()[:9000])
    with pytest.raises(InputError, match=r"a\.hea: a\.dat holds 9000 bytes; the header says 12000"):
        read_recording(path)


def test_a_compressed_signal_file_that_is_cut_short(tmp_path: Path) -> None:
    counts = np.round(SIGNAL_MV * 1000).astype(np.int64)
    wfdb.wrsamp("a", fs=1000, units=["uV"] * 2, sig_name=["b", "c"], d_signal=counts, fmt=["516"] * 2,
                adc_gain=[1.0] * 2, baseline=[0] * 2, write_dir=str(tmp_path))  # fmt: skip
    signal = tmp_path / "a.dat"
    signal.write_bytes(signal.read_bytes()[: signal.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.hea: can't be read as WFDB"):
        read_recording(tmp_path / "a.hea")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("1000 2000", "1000 1000000000000", "declares 2000000000000 samples in all; expected no more than"),
        ("1000 2000", "1000 20000000", r"a\.dat holds 12000 bytes; the header says 120000000"),
        ("a.dat 24 ", "a.dat 24+3000 ", r"a\.dat holds 12000 bytes; the header says 15000"),
        ("a.dat", "../a.dat", "can't be read as WFDB; invalid syntax"),
        ("a.dat", "/etc/hostname", "can't be read as WFDB; invalid syntax"),
        ("a.dat", "s3://bucket/a.dat", "can't be read as WFDB; invalid syntax"),
        ("a 2 1000 2000", "a 0 1000 2000", "expected at least one signal; found none"),
        ("a 2 1000", "a two 1000", "can't be read as WFDB"),
        ("24 2", "999 2", "can't be read as WFDB"),
    ],
)
def test_headers_that_lie(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=said):
        read_recording(path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("a_1 2000", "../a_2 2000"), "can't be read as WFDB; invalid syntax"),
        (("a_1 2000", "a_2 1000"), "says 4000 samples; its segments hold 3000"),
        (("a_1 2000", "a 2000"), "segment a has segments of its own"),
        (("a_1 2000", "a_3 2000"), "can't be read as WFDB; .*a_3"),
    ],
)
def test_segments_that_lie(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_recording(segmented(tmp_path, *lines))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a_2 2 1000", "a_2 2 500", "segment a_2 has 500 Hz; the record has 1000 Hz"),
        ("biceps", "deltoid", r"segments have the channels .*deltoid.*; expected the same in all"),
        ("/mV", "/uV", "channel biceps is in mV and in uV; expected one unit"),
    ],
)
def test_segments_that_differ(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = segmented(tmp_path, "a_1 2000", "a_2 2000")
    text = (tmp_path / "a_2.hea").read_text()
    assert old in text
    (tmp_path / "a_2.hea").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=said):
        read_recording(path)


@pytest.mark.parametrize("content", ["", "# a comment\n", "\x00\x01\x02"])
def test_a_header_that_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.hea"
    path.write_text(content)
    with pytest.raises(InputError, match=r"a\.hea: can't be read as WFDB"):
        read_recording(path)


def test_a_path_that_could_be_an_address_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "memory::a"
    folder.mkdir()
    path = write(tmp_path)
    with pytest.raises(InputError, match="expected a path without '::'"):
        read_recording(path.rename(folder / "a.hea"))


def test_without_wfdb_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(InputError, match=r"reading \.hea needs wfdb: pip install 'semg-hht\[wfdb\]'"):
        read_recording(path)
