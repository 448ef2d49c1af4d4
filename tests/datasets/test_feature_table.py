"""measure.py and `semg-hht features`: a table of features, their drift, %MVC."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import noise
from semg_hht.cli.main import main
from semg_hht.datasets.feature_table import TableOutput, measure
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.simulated import write_simulation
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.signals.features import mdf, rms
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.simulate import SimulationConfig

FILTERS = FilterConfig((20, 200), None)
NO_PICTURES = TableOutput(pictures=False)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated people who tire, six repetitions each."""
    folder = tmp_path_factory.mktemp("people") / "recordings"
    return write_simulation(folder, SimulationConfig(n_subjects=2, n_repetitions=2, n_channels=2), seed=2)


def run(*words: str, code: int = 0) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == code


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_a_row_a_repetition_and_channel_with_all_digits(manifest: Path, tmp_path: Path) -> None:
    done = measure(find_jobs(manifest), tmp_path / "f.csv", FILTERS, output=NO_PICTURES, n_jobs=1)
    rows = rows_of(done.table)
    assert len(rows) == 2 * 6 * 2
    assert done.pictures is None
    assert not (tmp_path / "f_pictures").exists()
    recording = read_recording(manifest.parent / rows[0]["file"])
    filtered = preprocess(recording.samples, recording.rate_hz, FILTERS)
    for row in rows[:12]:
        start, stop = (round(float(row[name]) * recording.rate_hz) for name in ("start_s", "stop_s"))
        own = filtered[recording.channel_names.index(row["channel"]), start:stop][None]
        assert float(row["rms"]) == rms(own)[0]
        assert float(row["mdf_hz"]) == mdf(own, recording.rate_hz)[0]
    assert "percent_mvc" not in rows[0]
    assert {row["movement"] for row in rows} == {"full", "half", "invalid"}


def test_drift_is_found_channel_by_channel(manifest: Path, tmp_path: Path) -> None:
    done = measure(find_jobs(manifest), tmp_path / "f.csv", FILTERS, n_jobs=1)
    assert [(d.channel, d.feature, d.trend.n) for d in done.drifts[:4]] == [
        (channel, feature, 6) for channel in ("ch1", "ch2") for feature in ("mdf_hz", "rms")
    ]
    assert done.trends is not None
    rows = rows_of(done.trends)
    assert [float(row["slope"]) for row in rows] == [d.trend.slope for d in done.drifts]
    assert [row["units"] for row in rows[:2]] == ["Hz", "uV"]
    falls = [d.trend.slope for d in done.drifts if d.feature == "mdf_hz"]
    assert np.mean(falls) < 0, "the simulated muscle tires"
    assert done.pictures is not None
    pictures = sorted(done.pictures.glob("*.png"))
    assert len(pictures) == 2
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_repetitions_are_numbered_in_time_whatever_the_order_of_the_rows(manifest: Path, tmp_path: Path) -> None:
    jobs = find_jobs(manifest)
    shuffled = [replace(job, rows=job.rows[::-1]) for job in jobs]
    one = measure(jobs, tmp_path / "a.csv", FILTERS, output=NO_PICTURES, n_jobs=1)
    other = measure(shuffled, tmp_path / "b.csv", FILTERS, output=NO_PICTURES, n_jobs=1)
    assert [d.trend for d in one.drifts] == [d.trend for d in other.drifts]


def test_amplitudes_in_percent_of_maximal_contractions(tmp_path: Path) -> None:
    for name, gain in (("a.npz", 1.0), ("max.npz", 4.0)):
        recording = noise(2)
        write_recording(replace(recording, samples=gain * recording.samples), tmp_path / name)
    (tmp_path / "m.csv").write_text("file,subject\na.npz,S1\n")
    (tmp_path / "mvc.csv").write_text("file,subject\nmax.npz,S1\n")
    words = ["features", str(tmp_path / "m.csv"), "--references", str(tmp_path / "mvc.csv"), "--out"]
    run(*words, str(tmp_path / "f.csv"))
    assert_allclose([float(row["percent_mvc"]) for row in rows_of(tmp_path / "f.csv")], 25, rtol=1e-9)
    (tmp_path / "mvc.csv").write_text("file,subject\nmax.npz,S2\n")
    run(*words, str(tmp_path / "g.csv"), code=1)
    assert not (tmp_path / "g.csv").exists()


def test_more_than_maximal_is_said(tmp_path: Path) -> None:
    for name, gain in (("a.npz", 4.0), ("b.npz", 0.5), ("max.npz", 1.0)):
        recording = noise(2)
        write_recording(replace(recording, samples=gain * recording.samples), tmp_path / name)
    (tmp_path / "m.csv").write_text("file,subject\na.npz,S1\nb.npz,S1\n")
    (tmp_path / "mvc.csv").write_text("file,subject\nmax.npz,S1\n")
    config = configure(band_hz=(20, 200), mains_hz=None, scaling="mvc")
    jobs = with_references(find_jobs(tmp_path / "m.csv"), config, tmp_path / "mvc.csv", n_jobs=1)
    done = measure(jobs, tmp_path / "f.csv", config.filter, output=NO_PICTURES, n_jobs=1)
    (remark,) = [remark for remark in done.remarks if "above 100 % MVC" in remark.text]
    assert remark.file == "a.npz"


def test_the_command_finds_repetitions_and_says_what_drifts(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = real_data / "formats" / "biosignalsnotebooks" / "emg_fatigue.h5"
    run("features", str(file), "--segment", "--out", str(tmp_path / "f.csv"), "--json")
    said = json.loads(capsys.readouterr().out)
    (slope,) = [d for d in said["drifts"] if d["feature"] == "mdf_hz"]
    assert slope["n"] == 30
    assert slope["low"] < slope["slope"] < slope["high"] < 0
    run("features", str(file), "--segment", "--out", str(tmp_path / "f.csv"), code=1)
    assert "exists already" in capsys.readouterr().err
    run("features", str(file), "--segment", "--out", str(tmp_path / "f.csv"), "--overwrite")
    assert "MDF 75.36 Hz, -0.77 % a repetition" in capsys.readouterr().out


def test_too_few_repetitions_leave_no_trend_of_an_earlier_run(manifest: Path, tmp_path: Path) -> None:
    jobs = find_jobs(manifest)
    assert measure(jobs, tmp_path / "f.csv", FILTERS, output=NO_PICTURES, n_jobs=1).trends is not None
    few = [replace(job, rows=job.rows[:3]) for job in jobs]
    with pytest.raises(InputError, match=r"f\.csv: exists already"):
        measure(few, tmp_path / "f.csv", FILTERS, n_jobs=1)
    done = measure(few, tmp_path / "f.csv", FILTERS, output=TableOutput(overwrite=True), n_jobs=1)
    assert (done.trends, done.drifts, done.pictures) == (None, (), None)
    assert not (tmp_path / "f_trends.csv").exists()


def test_a_bad_file_is_left_out_and_nothing_but_bad_files_is_an_error(manifest: Path, tmp_path: Path) -> None:
    good, bad = find_jobs(manifest)
    bad = replace(bad, rows=tuple(replace(row, start_s=1.0, stop_s=1.01) for row in bad.rows[:1]))
    done = measure([good, bad], tmp_path / "f.csv", FILTERS, output=NO_PICTURES, n_jobs=1)
    assert "features need a repetition of at least 16 samples; got 10" in done.failures[0].reason
    with pytest.raises(InputError, match="none of 1 recordings could be used; the first: .*at least 16 samples"):
        measure([bad], tmp_path / "g.csv", FILTERS, n_jobs=1)
