"""signals/recording.py: reading and writing recordings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.io import savemat

from builders import Payload, claimed_npy, noise, npy, truncate, write_members, write_npz
from semg_hht.errors import InputError
from semg_hht.recordings.recording import Recording, read_recording, write_recording


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def lines(n: int = 40, row: str = "{i}.5") -> str:
    return "".join(row.format(i=i) + "\n" for i in range(n))


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_a_recording_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    recording = noise(3)
    path = tmp_path / f"a{suffix}"
    write_recording(recording, path)
    back = read_recording(path, units="uV")
    assert_allclose(back.samples, recording.samples, rtol=1e-6 if suffix == ".csv" else 0)
    assert_allclose(back.rate_hz, 500)
    assert (back.channel_names, back.units, back.source) == (("ch1", "ch2", "ch3"), "uV", str(path))
    assert_allclose(back.duration_s, 2.0)


def test_npz_keeps_units_that_the_file_states(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    assert read_recording(tmp_path / "a.npz", units="mV").units == "uV"


def test_a_recording_is_written_as_npz_or_csv_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recordings are written as \.npz or \.csv; found \.wav"):
        write_recording(noise(), tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_a_table_without_header(tmp_path: Path, separator: str) -> None:
    path = table(tmp_path / "a.csv", lines(40, f"{{i}}{separator}-{{i}}"))
    recording = read_recording(path, rate_hz=1000)
    assert_allclose(recording.samples, [np.arange(40), -np.arange(40)])
    assert recording.channel_names == ("ch1", "ch2")


def test_a_table_with_header_bom_quotes_and_windows_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(("\ufeff" + '"Recto Femoral","肱二头肌"\n' + lines(40, "{i},1{i}")).replace("\n", "\r\n").encode())
    recording = read_recording(path, rate_hz=200)
    assert recording.channel_names == ("Recto Femoral", "肱二头肌")
    assert_allclose(recording.samples[0], np.arange(40))


@pytest.mark.parametrize(
    ("name", "step"), [("time_s", 0.002), ("Time (s)", 0.002), ("t", 0.002), ("time [ms]", 2), ("时间", 0.002)]
)
def test_a_time_column_tells_the_rate_and_is_no_channel(tmp_path: Path, name: str, step: float) -> None:
    body = "".join(f"{i * step:.6f},{i}\n" for i in range(40))
    recording = read_recording(table(tmp_path / "a.csv", f"{name},biceps\n{body}"))
    assert_allclose(recording.rate_hz, 500, rtol=1e-6)
    assert recording.channel_names == ("biceps",)
    assert recording.samples.shape == (1, 40)


def test_a_comment_tells_the_rate(tmp_path: Path) -> None:
    recording = read_recording(table(tmp_path / "a.txt", "# Sampling Rate (Hz):= 1000.00\n" + lines()))
    assert_allclose(recording.rate_hz, 1000)


def test_channels_are_chosen_by_name_or_number() -> None:
    recording = noise(3)
    assert recording.select(()) is recording
    chosen = recording.select(("ch3", "1"))
    assert chosen.channel_names == ("ch3", "ch1")
    assert_allclose(chosen.samples, recording.samples[[2, 0]])
    for wrong in ("4", "0", "biceps"):
        with pytest.raises(InputError, match=f"noise0: no channel '{wrong}'; the recording has ch1, ch2, ch3"):
            recording.select((wrong,))


def test_units_of_volts_are_known() -> None:
    samples = np.zeros((1, 40))
    assert [Recording(samples, 1.0, ("a",), u).microvolts_per_unit for u in ("V", "mV", "uV", "µV", "adc")] == [
        1e6, 1e3, 1.0, 1.0, None,
    ]  # fmt: skip


def test_mat_files(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((2, 50))
    savemat(tmp_path / "a.mat", {"EMG": samples, "Fs": 1000.0})
    recording = read_recording(tmp_path / "a.mat")
    assert_allclose(recording.samples, samples)
    assert_allclose(recording.rate_hz, 1000)


def test_the_longer_side_is_time_and_a_single_array_needs_no_name(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((50, 2))
    recording = read_recording(write_npz(tmp_path / "a.npz", biceps=samples, fs=np.array([500])))
    assert_allclose(recording.samples, samples.T)
    one = read_recording(write_npz(tmp_path / "b.npz", biceps=samples[:, 0], units="mV"), rate_hz=500)
    assert (one.samples.shape, one.units) == ((1, 50), "mV")


def test_stated_and_found_rates_must_agree(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", emg=np.arange(50.0), rate_hz=1000.0)
    assert_allclose(read_recording(path, rate_hz=1005).rate_hz, 1005)
    with pytest.raises(InputError, match=r"a\.npz: the file says 1000 Hz, but 2000 Hz was stated"):
        read_recording(path, rate_hz=2000)


def test_an_unknown_rate_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv: the sampling rate is unknown; state it with --rate_hz"):
        read_recording(table(tmp_path / "a.csv", lines()))


@pytest.mark.parametrize("rate", [0, -1, np.inf, np.nan])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: float) -> None:
    path = write_npz(tmp_path / "a.npz", emg=np.arange(50.0), rate_hz=rate)
    with pytest.raises(InputError, match=r"a\.npz: the sampling rate must be above 0 Hz; found"):
        read_recording(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one line a sample; found none"),
        ("# nothing\n\n", "expected one line a sample; found none"),
        ("biceps\n", "expected one line a sample after the header; found none"),
        ("a,b,c\n" + lines(40, "{i},1"), "the header names 3 columns; the lines below have 2"),
        (lines(31), "expected at least one channel of 32 samples; found 1 of 31"),
        ("time_s\n" + lines(40), "expected at least one channel of 32 samples; found 0 of 40"),
        (lines(40) + "1,2\n", "can't be read as CSV"),
        (lines(40) + "much\n", "can't be read as CSV"),
        (lines(40) + "nan\n" + "inf\n", "channel ch1 has 1 infinite samples; expected finite numbers"),
        ("biceps,t\n" + lines(40, "{i},1"), "column 't' must rise from line to line"),
        ("time_s,a\n" + lines(40, "{i},1") + "90,1\n", r"column 'time_s' has gaps (steps of 1 to 51 s)"),
    ],
)
def test_a_bad_table_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path / "a.csv", text)
    with pytest.raises(InputError, match=r"a\.csv") as caught:
        read_recording(path, rate_hz=None if "time_s" in text else 100)
    assert message in str(caught.value)


def test_text_in_another_encoding_is_an_error_naming_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"caf\xff\xff,b\n1,2\n")
    with pytest.raises(InputError, match=r"a\.csv: can't be read as CSV"):
        read_recording(tmp_path / "a.csv", rate_hz=100)


def test_other_endings_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("")
    with pytest.raises(InputError, match=r"a\.wav: recordings are read from \.csv, .*; found \.wav"):
        read_recording(tmp_path / "a.wav")
    with pytest.raises(InputError, match=r"b\.csv: no such file"):
        read_recording(tmp_path / "b.csv")


def test_arrays_that_could_all_be_the_samples_are_listed(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", left=np.arange(50.0), right=np.arange(50.0))
    with pytest.raises(InputError, match=r"expected samples under one of samples, emg.*; found left \(50,\), right"):
        read_recording(path, rate_hz=100)


def test_samples_of_three_dimensions_or_of_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"one or two dimensions; found shape \(2, 50, 3\)"):
        read_recording(write_npz(tmp_path / "a.npz", emg=np.zeros((2, 50, 3))), rate_hz=100)
    with pytest.raises(InputError, match="expected real numbers; found <U1"):
        read_recording(write_npz(tmp_path / "b.npz", emg=np.array(["x"] * 50)), rate_hz=100)
    with pytest.raises(InputError, match="expected real numbers; found complex128"):
        read_recording(write_npz(tmp_path / "c.npz", emg=np.zeros(50, complex)), rate_hz=100)


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    path = write_npz(tmp_path / "a.npz", emg=np.array([Payload(ran)] * 50, dtype=object))
    with pytest.raises(InputError, match=r"a\.npz: can't be read as NPZ; Object arrays cannot be loaded"):
        read_recording(path, rate_hz=100)
    assert not ran.exists()
    Payload(ran).__reduce__()[0](*Payload(ran).__reduce__()[1])  # the trap is armed
    assert ran.exists()


def test_a_header_that_claims_a_huge_shape_is_an_error_not_a_crash(tmp_path: Path) -> None:
    path = write_members(tmp_path / "a.npz", emg=claimed_npy((10**13, 2)), fs=npy(np.array(100.0)))
    with pytest.raises(InputError, match=r"a\.npz"):
        read_recording(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_npz_is_named(tmp_path: Path, share: float) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: can't be read as NPZ"):
        read_recording(truncate(tmp_path / "a.npz", share))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.5, 0.9])
def test_a_truncated_mat_file_is_named(tmp_path: Path, share: float, compressed: bool) -> None:
    savemat(tmp_path / "a.mat", {"EMG": noise().samples, "fs": 500.0}, do_compression=compressed)
    with pytest.raises(InputError, match=r"a\.mat"):
        read_recording(truncate(tmp_path / "a.mat", share))


def test_text_under_the_name_of_a_mat_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.mat: can't be read"):
        read_recording(table(tmp_path / "a.mat", "not a mat file\n" * 50))


def test_a_mat_file_of_version_7_3_that_is_damaged(tmp_path: Path) -> None:
    header = b"MATLAB 7.3 MAT-file".ljust(124) + (0x0200).to_bytes(2, "little") + b"IM"
    (tmp_path / "a.mat").write_bytes(header + b"\0" * 1000)
    with pytest.raises(InputError, match=r"a\.mat: can't be read as HDF5"):
        read_recording(tmp_path / "a.mat")


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table(tmp_path / "a.csv", lines())

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"a\.csv: can't be read as CSV; .*Permission denied"):
        read_recording(path, rate_hz=100)


def test_real_contraction_intensity_has_eight_channels_at_1000_hz(real_data: Path) -> None:
    path = sorted((real_data / "contraction_intensity" / "S1").glob("*.csv"))[0]
    recording = read_recording(path, rate_hz=1000, units="V")
    assert recording.samples.shape[0] == 8
    assert 2.0 < recording.duration_s < 4.0
    assert_allclose(recording.microvolts_per_unit, 1e6)


def test_real_myo_armband_has_a_header_and_200_hz(real_data: Path) -> None:
    path = real_data / "myo_armband" / "Female0" / "training0" / "rec0.csv"
    recording = read_recording(path, rate_hz=200, units="adc")
    assert recording.samples.shape[0] == 8
    assert recording.microvolts_per_unit is None
    assert 3.0 < recording.duration_s < 8.0


def test_real_biosppy_states_its_rate_in_a_comment(real_data: Path) -> None:
    recording = read_recording(real_data / "formats" / "biosppy" / "emg.txt")
    assert_allclose(recording.rate_hz, 1000)
    assert recording.samples.shape == (1, 100_000)


def test_real_lower_limb_needs_a_rate(real_data: Path) -> None:
    path = real_data / "formats" / "lower_limb" / "Abnormal-2Agait_-_Sheet1.csv"
    with pytest.raises(InputError, match="the sampling rate is unknown"):
        read_recording(path)
    recording = read_recording(path, rate_hz=1000)
    assert recording.channel_names[0] == "Recto Femoral"
    assert recording.samples.shape[0] == 5
