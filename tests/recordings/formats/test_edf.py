"""signals/edf.py: files written by pyedflib."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

pyedflib = pytest.importorskip("pyedflib")
SIGNAL_UV = 300 * np.random.default_rng(0).standard_normal((2, 2000))


def write(path: Path, labels: list[str], rates: list[int], units: list[str]) -> Path:
    kind = pyedflib.FILETYPE_BDFPLUS if path.suffix == ".bdf" else pyedflib.FILETYPE_EDFPLUS
    steps = 2**23 if path.suffix == ".bdf" else 2**15
    signals = []
    with pyedflib.EdfWriter(str(path), len(labels), file_type=kind) as file:
        for i, (label, rate, unit) in enumerate(zip(labels, rates, units, strict=True)):
            scale = {"uV": 1.0, "mV": 1e-3}.get(unit, 1.0)
            top = 2000 * scale
            header = {"label": label, "dimension": unit, "sample_frequency": rate, "prefilter": "", "transducer": "",
                      "physical_max": top, "physical_min": -top, "digital_max": steps - 1,
                      "digital_min": -steps}  # fmt: skip
            file.setSignalHeader(i, header)
            signals.append(np.ascontiguousarray(SIGNAL_UV[i % 2][: 2 * rate] * scale))
        file.writeSamples(signals)
    return path


@pytest.mark.parametrize(("name", "error_uv"), [("a.edf", 0.07), ("a.bdf", 0.0003)])
def test_samples_rate_names_and_units(tmp_path: Path, name: str, error_uv: float) -> None:
    recording = read_recording(write(tmp_path / name, ["EMG biceps", "EMG triceps"], [1000, 1000], ["uV", "uV"]))
    assert_allclose(recording.samples, SIGNAL_UV, atol=error_uv)
    assert (recording.rate_hz, recording.units) == (1000.0, "uV")
    assert recording.channel_names == ("EMG biceps", "EMG triceps")


def test_volts_of_different_kinds_become_microvolts(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path / "a.edf", ["a", "b"], [1000, 1000], ["uV", "mV"]))
    assert recording.units == "uV"
    assert_allclose(recording.samples, SIGNAL_UV, atol=0.07)


def test_volts_beside_other_things_stay_the_volts_they_are(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path / "a.edf", ["EMG", "ACC x"], [1000, 1000], ["mV", "g"]))
    assert recording.units == "mV"
    assert_allclose(recording.samples[0], SIGNAL_UV[0] * 1e-3, atol=7e-5)
    assert_allclose(recording.samples[1], SIGNAL_UV[1], atol=0.07)


def test_what_is_no_emg_is_not_taken_unasked_and_another_rate_is_left_out_aloud(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", ["EMG", "ECG", "ACC x"], [1000, 1000, 100], ["uV", "uV", "g"])
    recording = read_recording(path)
    assert recording.channel_names == ("EMG", "ECG")
    assert recording.other == ("ECG",)
    assert recording.remarks == ("signals of another rate than 1000 Hz were left out: ACC x",)


def test_pauses_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", ["EMG"], [1000], ["uV"])
    content = bytearray(path.read_bytes())
    content[192:197] = b"EDF+D"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.edf: has pauses between its segments \(EDF\+D\)"):
        read_recording(path)


@pytest.mark.parametrize("n_bytes", [0, 100, 700])
def test_a_file_that_is_cut_short(tmp_path: Path, n_bytes: int) -> None:
    path = write(tmp_path / "a.edf", ["EMG"], [1000], ["uV"])
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"a\.edf: can't be read as EDF or BDF"):
        read_recording(path)


def test_without_pyedflib_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.edf", ["EMG"], [1000], ["uV"])
    monkeypatch.setitem(sys.modules, "pyedflib", None)
    with pytest.raises(InputError, match=r"reading \.edf needs pyedflib: pip install 'semg-hht\[readers\]'"):
        read_recording(path)
