"""recordings/recording.py: reading, checking and writing recordings."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import noise, write_npz
from recording_files import write_edf, write_matlab_73, write_wfdb, write_xdf, xdf_channel, xdf_emg
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording, write_recording


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def lines(n: int = 40, row: str = "{i}.5") -> str:
    return "".join(row.format(i=i) + "\n" for i in range(n))


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_a_written_recording_is_read_back(tmp_path: Path, suffix: str) -> None:
    recording = noise(3)
    path = tmp_path / f"a{suffix}"
    write_recording(recording, path)
    back = read_recording(path, units="uV")
    assert_allclose(back.samples, recording.samples, rtol=1e-6 if suffix == ".csv" else 0)
    assert_allclose(back.rate_hz, 500)
    assert (back.channel_names, back.units, back.source) == (("ch1", "ch2", "ch3"), "uV", str(path))
    assert_allclose(back.duration_s, 2.0)


SIX_NAMES = ("EMG biceps", "Knee angle", "Trigger", "nSeq", "Timestamp", "FP1_Fx")


def six_columns(folder: Path, suffix: str) -> Path:
    """A recording of `SIX_NAMES` in one format. Each column is noise, so that the names decide."""
    path, samples = folder / f"a{suffix}", noise(6, rate_hz=1000.0).samples
    if suffix == ".npz":
        return write_npz(path, samples=samples, rate_hz=1000.0, channel_names=np.array(SIX_NAMES))
    if suffix == ".mat":
        pytest.importorskip("scipy.io").savemat(path, {"samples": samples, "fs": 1000.0, "channel_names": SIX_NAMES})
    elif suffix == ".xdf":
        pytest.importorskip("pyxdf")
        table, channels = samples.T.astype(np.float32), "".join(map(xdf_channel, SIX_NAMES))
        return write_xdf(folder, xdf_emg(100 + np.arange(len(table)) / 1000, table=table, channels=channels))
    elif suffix == ".hea":
        pytest.importorskip("wfdb")
        return write_wfdb(folder, names=SIX_NAMES)
    elif suffix in (".edf", ".bdf"):
        pytest.importorskip("pyedflib")
        return write_edf(path, SIX_NAMES, [1000] * 6, ["uV"] * 6)
    else:
        names = (*SIX_NAMES[:3], "Digital 1", "Event", "FP1_Fx")  # a table takes the others for clocks
        np.savetxt(path, samples.T, delimiter=",", header=",".join(names), comments="")
    return path


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of the pandas that wfdb writes its headers with
@pytest.mark.parametrize("suffix", [".csv", ".npz", ".mat", ".xdf", ".hea", ".edf", ".bdf"])
def test_in_every_format_only_the_emg_is_used_unless_a_channel_is_selected(tmp_path: Path, suffix: str) -> None:
    recording = read_recording(six_columns(tmp_path, suffix), rate_hz=1000)
    assert len(recording.channel_names) == 6
    assert recording.select(()).channel_names == ("EMG biceps",)
    assert recording.select(("Knee angle", "6")).channel_names == ("Knee angle", "FP1_Fx")
    remarks = "; ".join(recording.remarks)
    assert remarks.count("channels that are not EMG, by their names: Knee angle, Trigger, ") == 1
    assert all(remarks.count(name) == 1 for name in recording.channel_names[1:])


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".mat", ".h5"])
def test_in_every_format_columns_without_names_are_told_by_their_samples(tmp_path: Path, suffix: str) -> None:
    n = 1000
    muscle = np.rint(20 * np.random.default_rng(0).standard_normal((2, n)))
    samples = np.stack([*muscle, np.arange(n) % 256, np.repeat([0, 3], n // 2), np.full(n, 192), 1.7e9 + np.arange(n)])
    path = tmp_path / f"a{suffix}"
    if suffix == ".csv":
        np.savetxt(path, samples.T, delimiter=",", fmt="%d")
    elif suffix == ".npz":
        write_npz(path, samples=samples)
    elif suffix == ".mat":
        pytest.importorskip("scipy.io").savemat(path, {"samples": samples})
    else:
        pytest.importorskip("h5py")
        write_matlab_73(path, {"emg": samples})
    recording = read_recording(path, rate_hz=1000)
    assert recording.select(()).channel_names == ("ch1", "ch2")
    assert recording.non_emg == ("ch3", "ch4", "ch5", "ch6")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_long_gaps_in_channels_that_are_not_used_are_no_error(tmp_path: Path, bad: float) -> None:
    samples = noise(3).samples
    samples[1:, 100:] = bad
    names = np.array(["biceps", "ch2", "Knee angle"])
    path = write_npz(tmp_path / "a.npz", samples=samples, rate_hz=500.0, channel_names=names)
    with pytest.raises(InputError, match="channel ch2 (lacks|has) 900"):
        read_recording(path)
    recording = read_recording(path, channels=["1"])
    assert (recording.channel_names, recording.numbers) == (("biceps",), (1,))
    assert recording.remarks[-1] == (
        "channels with long gaps or infinite samples, which are not used, were left out: ch2, Knee angle"
    )
    with pytest.raises(InputError, match="channel Knee angle (lacks|has) 900"):
        read_recording(path, channels=["biceps", "3"])


def test_which_channels_are_not_emg_is_kept_in_npz(tmp_path: Path) -> None:
    recording = replace(noise(3), channel_names=("ch1", "biceps", "phase"), non_emg=("ch1", "biceps"))
    write_recording(recording, tmp_path / "a.npz")
    back = read_recording(tmp_path / "a.npz")
    assert back.non_emg == ("ch1", "biceps")
    assert back.remarks == ("channels that are not EMG, by the types that the file states: ch1, biceps",)
    write_recording(replace(recording, non_emg=()), tmp_path / "a.npz")
    assert read_recording(tmp_path / "a.npz").non_emg == ()


def test_the_stated_units_and_those_of_the_file_must_agree(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.npz")
    assert read_recording(tmp_path / "a.npz", units="µV").units == "uV"
    with pytest.raises(
        InputError, match=r"a\.npz: the file states uV as its units, but mV was given; expected the same"
    ):
        read_recording(tmp_path / "a.npz", units="mV")
    with pytest.raises(InputError, match=r"but manifest\.csv states mV; expected the same units"):
        read_recording(tmp_path / "a.npz", units="mV", rate_source="manifest.csv")


def test_the_stated_units_may_be_those_of_one_channel(tmp_path: Path) -> None:
    pytest.importorskip("pyedflib")
    path = write_edf(tmp_path / "a.edf", ["a", "b"], [1000, 1000], ["uV", "mV"])
    assert read_recording(path, units="mV").units == "uV"
    with pytest.raises(InputError, match="the file states uV as its units, but V was given"):
        read_recording(path, units="V")


def test_units_that_are_not_understood_are_reported(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", emg=noise().samples, rate_hz=500.0)
    assert read_recording(path, units="millivolt").units == "mV"
    assert not read_recording(path, units="adc").remarks
    (remark,) = read_recording(path, units="mVV").remarks
    assert remark.startswith("the units 'mVV' are not understood as V, mV or uV")


def test_a_recording_is_written_as_npz_or_csv_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"recordings are written as \.npz or \.csv; found \.wav"):
        write_recording(noise(), tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


def test_the_stated_rate_and_that_of_the_file_must_agree(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", emg=np.arange(50.0), rate_hz=1000.0)
    assert_allclose(read_recording(path, rate_hz=1005).rate_hz, 1005)
    with pytest.raises(InputError, match=r"a\.npz: the file states 1000 Hz, but 2000 Hz was given"):
        read_recording(path, rate_hz=2000)


def test_a_given_rate_replaces_one_at_which_the_samples_do_not_look_like_emg(tmp_path: Path) -> None:
    noise_2000_hz = np.random.default_rng(0).standard_normal(8000)
    emg = np.convolve(noise_2000_hz, np.ones(9) / 9, "same")  # most of its power lies below 150 Hz
    path = write_npz(tmp_path / "a.npz", emg=emg, sampling_frequency=20000.0)
    recording = read_recording(path, rate_hz=2000)
    assert recording.rate_hz == 2000
    assert recording.remarks == (
        "the file states 20000 Hz, at which the samples do not look like EMG; 2000 Hz was given, which is used",
    )
    with pytest.raises(InputError, match=r"the file states 20000 Hz, but 30000 Hz was given"):
        read_recording(path, rate_hz=30000)


def test_an_unknown_rate_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.csv: the sampling rate is unknown; state it with rate_hz="):
        read_recording(table(tmp_path / "a.csv", lines()))


@pytest.mark.parametrize("rate", [0, -1, np.inf, np.nan])
def test_an_impossible_rate_is_an_error(tmp_path: Path, rate: float) -> None:
    path = write_npz(tmp_path / "a.npz", emg=np.arange(50.0), rate_hz=rate)
    with pytest.raises(InputError, match=r"a\.npz: the sampling rate must be above 0 Hz; found"):
        read_recording(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one line per sample; found none"),
        ("# nothing\n\n", "expected one line per sample; found none"),
        ("biceps\n", "expected one line per sample after the header; found none"),
        ("a,b,c\n" + lines(40, "{i},1"), "the header names 3 columns; expected 2"),
        (lines(31), "expected at least one channel with 32 samples; found 1 with 31"),
        ("time_s\n" + lines(40), "expected at least one channel with 32 samples; found 0 with 40"),
        (lines(40) + "nan\n" + "inf\n", "channel ch1 has 1 infinite samples; expected finite numbers"),
    ],
)
def test_a_wrong_table_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    path = table(tmp_path / "a.csv", text)
    with pytest.raises(InputError, match=r"a\.csv") as caught:
        read_recording(path, rate_hz=None if "time_s" in text else 100)
    assert message in str(caught.value)


def test_other_suffixes_and_missing_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("")
    with pytest.raises(InputError, match=r"a\.wav: recordings are read from \.csv, .*; found \.wav"):
        read_recording(tmp_path / "a.wav")
    with pytest.raises(InputError, match=r"b\.csv: no such file"):
        read_recording(tmp_path / "b.csv")


def test_a_file_without_permission_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_real_lower_limb_needs_a_rate_and_has_a_knee_angle(real_data: Path) -> None:
    paths = sorted((real_data / "formats" / "lower_limb").glob("*.csv"))
    assert paths
    for path in paths:
        with pytest.raises(InputError, match="the sampling rate is unknown"):
            read_recording(path)
        recording = read_recording(path, rate_hz=1000)
        assert recording.channel_names[0] == "Recto Femoral"
        assert recording.samples.shape[0] == 5
        assert recording.non_emg == ("Flexo-Extension",)
        assert len(recording.select(()).channel_names) == 4


@pytest.mark.parametrize(
    ("suffix", "library", "extra"),
    [(".edf", "pyedflib", "readers"), (".bdf", "pyedflib", "readers"), (".h5", "h5py", "readers"),
     (".xdf", "pyxdf", "readers"), (".hea", "wfdb", "wfdb"), (".acq", "bioread", "biopac"),
     (".rhd", "neo", "intan")],
)  # fmt: skip
def test_the_error_without_a_library_states_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, library: str, extra: str
) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"reading \{suffix} needs {library}: pip install 'semg-hht\[{extra}\]'"):
        read_recording(tmp_path / f"a{suffix}")
