"""recordings/formats/edf.py: files written by pyedflib."""

from __future__ import annotations

from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from recording_files import EDF_UV, write_edf
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Failure, for_each, read_job
from semg_hht.recordings.recording import read_recording

pytest.importorskip("pyedflib")


@pytest.mark.parametrize(("name", "error_uv"), [("a.edf", 0.07), ("a.bdf", 0.0003)])
def test_samples_rate_names_and_units(tmp_path: Path, name: str, error_uv: float) -> None:
    recording = read_recording(write_edf(tmp_path / name, ["EMG biceps", "EMG triceps"], [1000, 1000], ["uV", "uV"]))
    assert_allclose(recording.samples, EDF_UV, atol=error_uv)
    assert (recording.rate_hz, recording.units) == (1000.0, "uV")
    assert recording.channel_names == ("EMG biceps", "EMG triceps")


def test_channels_in_different_units_of_volts_become_microvolts(tmp_path: Path) -> None:
    recording = read_recording(write_edf(tmp_path / "a.edf", ["a", "b"], [1000, 1000], ["uV", "mV"]))
    assert recording.units == "uV"
    assert_allclose(recording.samples, EDF_UV, atol=0.07)


def test_channels_in_other_units_do_not_change_the_unit_of_volts(tmp_path: Path) -> None:
    recording = read_recording(write_edf(tmp_path / "a.edf", ["EMG", "ACC x"], [1000, 1000], ["mV", "g"]))
    assert recording.units == "mV"
    assert_allclose(recording.samples[0], EDF_UV[0] * 1e-3, atol=7e-5)
    assert_allclose(recording.samples[1], EDF_UV[1], atol=0.07)


def test_other_signals_are_marked_and_channels_of_another_rate_are_left_out(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", ["EMG", "ECG", "ACC x"], [1000, 1000, 100], ["uV", "uV", "g"])
    recording = read_recording(path)
    assert recording.channel_names == ("EMG", "ECG")
    assert recording.non_emg == ("ECG",)
    assert recording.remarks == (
        "channels with a rate other than 1000 Hz were left out: ACC x",
        "channels that are not EMG, by their names: ECG",
    )


@pytest.mark.parametrize("labels", [("ACC X", "Bic EMG", "ACC Y", "Tri EMG", "ACC Z"), ("Flow", "a", "SpO2", "b", "x")])
def test_only_emg_decides_which_rate_is_kept(tmp_path: Path, labels: tuple[str, ...]) -> None:
    path = write_edf(tmp_path / "a.bdf", labels, [100, 1000, 100, 1000, 100], ["g", "uV", "g", "uV", "g"])
    recording = read_recording(path)
    assert (recording.rate_hz, recording.channel_names) == (1000.0, (labels[1], labels[3]))
    assert recording.remarks == (f"channels with a rate other than 1000 Hz were left out: {', '.join(labels[::2])}",)
    assert recording.select(("4",)).channel_names == (labels[3],), "numbers count the signals that were left out"
    with pytest.raises(InputError, match="has no channel '1'; expected one of .*, or of the numbers 2, 4"):
        recording.select(("1",))


def test_units_decide_where_labels_say_nothing(tmp_path: Path) -> None:
    recording = read_recording(write_edf(tmp_path / "a.edf", ["a", "b", "c"], [1000] * 3, ["uV", "deg", "N"]))
    assert recording.select(()).channel_names == ("a",)
    assert recording.remarks == ("channels that are not EMG, by their units: b, c",)


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "gb18030"])
def test_a_header_that_is_not_ascii_is_read(tmp_path: Path, suffix: str, encoding: str) -> None:
    path = write_edf(tmp_path / f"a{suffix}", ["EMG biceps", "EMG 2"], [1000, 1000], ["uV", "mV"])
    content = bytearray(path.read_bytes())
    n_signals = int(content[252:256])  # with the annotations
    name, label, unit = ("José", "EMG bíceps", "µV") if encoding == "latin-1" else ("王", "肌电1", "uV")
    unit = "µV" if encoding == "utf-8" else unit
    for at, text in ((8, f"X X X {name}"), (256, label), (256 + 96 * n_signals, unit)):
        width = {8: 80, 256: 16}.get(at, 8)
        content[at : at + width] = text.encode(encoding).ljust(width)
    path.write_bytes(content)
    recording = read_recording(path)
    assert recording.channel_names == (label, "EMG 2")
    assert recording.units == "uV"
    assert_allclose(recording.samples, EDF_UV, atol=0.07)


def test_pauses_are_an_error(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", ["EMG"], [1000], ["uV"])
    content = bytearray(path.read_bytes())
    content[192:197] = b"EDF+D"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.edf: has pauses between its segments \(EDF\+D\)"):
        read_recording(path)


@pytest.mark.parametrize("n_bytes", [0, 100, 700])
def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path, n_bytes: int) -> None:
    path = write_edf(tmp_path / "a.edf", ["EMG"], [1000], ["uV"])
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"a\.edf: can't be read as EDF or BDF"):
        read_recording(path)


def test_any_error_of_the_library_is_the_file_s_own(tmp_path: Path) -> None:
    """A record duration of 0 makes pyedflib divide by zero; the other files of a batch are used."""
    for name in ("a.edf", "b.edf"):
        path = write_edf(tmp_path / name, ["EMG"], [1000], ["uV"])
    content = bytearray(path.read_bytes())
    content[192:236] = b" " * 44  # a plain EDF file; in EDF+ the library refuses a duration of 0 itself
    content[244:252] = b"0       "
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"b\.edf: can't be read as EDF; float division by zero"):
        read_recording(path)
    good, bad = for_each(lambda job, _: read_job(job).rate_hz, find_jobs(tmp_path), n_jobs=1)
    assert good == 1000
    assert isinstance(bad, Failure) and bad.file == "b.edf"
