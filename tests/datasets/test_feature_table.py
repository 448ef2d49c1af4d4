"""Tests of the table of features and of the trends."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import noise
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


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_one_row_per_repetition_and_channel_with_all_digits(manifest: Path, tmp_path: Path) -> None:
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


def test_trends_are_found_channel_by_channel(manifest: Path, tmp_path: Path) -> None:
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


def test_trends_follow_time_and_not_the_order_of_the_rows(manifest: Path, tmp_path: Path) -> None:
    jobs = find_jobs(manifest)
    shuffled = [replace(job, rows=job.rows[::-1]) for job in jobs]
    one = measure(jobs, tmp_path / "a.csv", FILTERS, output=NO_PICTURES, n_jobs=1)
    other = measure(shuffled, tmp_path / "b.csv", FILTERS, output=NO_PICTURES, n_jobs=1)
    assert [d.trend for d in one.drifts] == [d.trend for d in other.drifts]


def test_more_than_maximal_has_a_remark(tmp_path: Path) -> None:
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


def test_too_few_repetitions_remove_the_trends_of_an_earlier_run(manifest: Path, tmp_path: Path) -> None:
    jobs = find_jobs(manifest)
    assert measure(jobs, tmp_path / "f.csv", FILTERS, output=NO_PICTURES, n_jobs=1).trends is not None
    few = [replace(job, rows=job.rows[:3]) for job in jobs]
    with pytest.raises(InputError, match=r"f\.csv: exists already"):
        measure(few, tmp_path / "f.csv", FILTERS, n_jobs=1)
    done = measure(few, tmp_path / "f.csv", FILTERS, output=TableOutput(overwrite=True), n_jobs=1)
    assert (done.trends, done.drifts, done.pictures) == (None, (), None)
    assert not (tmp_path / "f_trends.csv").exists()


def test_bad_recordings_are_failures_and_nothing_else_is_an_error(manifest: Path, tmp_path: Path) -> None:
    good, bad = find_jobs(manifest)
    bad = replace(bad, rows=tuple(replace(row, start_s=1.0, stop_s=1.01) for row in bad.rows[:1]))
    done = measure([good, bad], tmp_path / "f.csv", FILTERS, output=NO_PICTURES, n_jobs=1)
    assert "features need a repetition of at least 16 samples; got 10" in done.failures[0].reason
    with pytest.raises(InputError, match="at least 16 samples"):
        measure([bad], tmp_path / "g.csv", FILTERS, n_jobs=1)
