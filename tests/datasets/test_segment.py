"""Tests of segmentation: the table of repetitions, its pictures and remarks, and stated events."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from builders import noise
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.segment import Pictures, clearest_channel, segment, with_events, with_repetitions
from semg_hht.datasets.simulated import write_simulation
from semg_hht.errors import InputError
from semg_hht.matrices.transform import configure, transform_job
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import ManifestRow, read_manifest
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import Repetition, SegmentConfig
from semg_hht.signals.simulate import SimulationConfig

NO_PICTURES = Pictures(repetitions=False)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated people, three repetitions each, with their truth."""
    folder = tmp_path_factory.mktemp("people") / "recordings"
    return write_simulation(folder, SimulationConfig(n_subjects=2, n_repetitions=1), seed=2)


def cut(jobs: list[Job], out: Path, **options: object) -> list[ManifestRow]:
    segment(jobs, out, SegmentConfig(), FilterConfig(), n_jobs=1, **options)  # type: ignore[arg-type]
    return read_manifest(out)


def test_the_table_holds_the_repetitions_and_the_columns_of_their_recording(manifest: Path, tmp_path: Path) -> None:
    rows = cut(find_jobs(manifest), tmp_path / "reps.csv")
    truth = read_manifest(manifest)
    assert len(rows) == len(truth) == 6
    assert_allclose([r.start_s for r in rows], [r.start_s for r in truth], atol=0.3)
    assert [r.repetition for r in rows] == ["1", "2", "3"] * 2
    assert [(r.subject, r.gender, r.units, r.rate_hz) for r in rows] == [
        (r.subject, r.gender, r.units, r.rate_hz) for r in truth
    ]
    assert {r.movement for r in rows} == {""}, "the rows of a recording differ in it, so the user fills it in"
    assert all((tmp_path / r.file).is_file() for r in rows)
    for row in rows:
        assert float(row.extra["peak"]) > float(row.extra["rms"]) > 0
        assert 0 <= float(row.extra["confidence"]) <= 1


def test_each_recording_is_drawn(manifest: Path, tmp_path: Path) -> None:
    cut(find_jobs(manifest), tmp_path / "reps.csv")
    assert sorted(p.name for p in (tmp_path / "reps_pictures").iterdir()) == [
        "S01_E01_BICEPS.png",
        "S02_E01_BICEPS.png",
    ]


def test_an_existing_table_is_not_replaced(manifest: Path, tmp_path: Path) -> None:
    table = tmp_path / "reps.csv"
    table.write_text("mine")
    with pytest.raises(InputError, match=r"reps\.csv: exists already and may have been edited; overwrite=True keeps"):
        cut(find_jobs(manifest), table)
    assert table.read_text() == "mine"


def test_noise_holds_no_repetition(tmp_path: Path) -> None:
    write_recording(noise(1, duration_s=10.0), tmp_path / "noise.npz")
    jobs = find_jobs(tmp_path / "noise.npz")
    with pytest.raises(InputError, match=r"noise\.npz: no repetition was found: no activity rises above rest"):
        cut(jobs, tmp_path / "reps.csv")
    with pytest.raises(InputError, match="no repetition was found"):
        with_repetitions(jobs, SegmentConfig(), FilterConfig(), n_jobs=1)


def test_the_reason_is_stated_where_nothing_is_found_not_a_remark_on_the_file(tmp_path: Path) -> None:
    counts = np.round(2048 + noise(1, duration_s=10.0).samples)
    write_recording(replace(noise(1), samples=counts, units=""), tmp_path / "counts.npz")
    jobs, table = find_jobs(tmp_path / "counts.npz"), tmp_path / "reps.csv"
    where = re.escape(
        f"counts.npz: no repetition was found: no activity rises above rest; the picture is in {tmp_path}"
    )
    with pytest.raises(InputError, match=where):
        segment(jobs, table, SegmentConfig(), FilterConfig(), n_jobs=1)
    assert (tmp_path / "reps_pictures" / "counts.png").is_file()


def test_repetitions_are_found_where_no_times_are_stated(manifest: Path, tmp_path: Path) -> None:
    write_recording(noise(1, duration_s=10.0), tmp_path / "noise.npz")
    stated, other = find_jobs(manifest)
    whole = replace(other, rows=(replace(other.rows[0], start_s=None, stop_s=None),))
    jobs = [stated, whole, *find_jobs(tmp_path / "noise.npz")]
    found, failures = with_repetitions(jobs, SegmentConfig(), FilterConfig(), n_jobs=1)
    assert found[0] is stated
    assert [row.repetition for row in found[1].rows] == ["1", "2", "3"]
    assert [failure.file for failure in failures] == ["noise.npz"]
    assert "no repetition was found" in failures[0].reason


def test_a_table_saved_with_semicolons_by_a_spreadsheet_is_read(manifest: Path, tmp_path: Path) -> None:
    rows = cut(find_jobs(manifest), tmp_path / "reps.csv")
    lines = (tmp_path / "reps.csv").read_text().splitlines()
    table = [line.split(",") for line in lines]
    (tmp_path / "excel.csv").write_text(
        "\n".join(";".join(cell.replace(".", ",") if cell[:1].isdigit() else cell for cell in row) for row in table),
        encoding="utf-8-sig",
    )
    edited = read_manifest(tmp_path / "excel.csv")
    assert [(r.file, r.start_s, r.stop_s) for r in edited] == [(r.file, r.start_s, r.stop_s) for r in rows]
    assert len(find_jobs(tmp_path / "excel.csv")) == 2


def test_a_long_recording_taken_as_one_repetition_has_a_remark(tmp_path: Path) -> None:
    long = noise(1, duration_s=25.0)
    write_recording(long, tmp_path / "long.npz")
    (example,) = transform_job(find_jobs(tmp_path / "long.npz")[0], None, configure(band_hz=(20, 200)))
    assert example.remarks == ("25 s were taken as one repetition; segmentation=... finds the repetitions in them",)


def test_a_bad_recording_does_not_stop_the_others(manifest: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("1\n2\n")
    jobs = [Job(bad, (ManifestRow("bad.csv", rate_hz=1000.0),)), *find_jobs(manifest)]
    done = segment(jobs, tmp_path / "reps.csv", SegmentConfig(), FilterConfig(), pictures=NO_PICTURES, n_jobs=1)
    assert [failure.file for failure in done.failures] == ["bad.csv"]
    assert (done.n_recordings, done.n_repetitions, done.pictures) == (2, 6, None)


def test_stated_intervals_are_taken_as_they_are(manifest: Path, tmp_path: Path) -> None:
    job = find_jobs(manifest)[0]
    stated = tmp_path / "run_events.tsv"
    stated.write_text("onset\tduration\ttrial_type\n1.5\t0.5\tfull\n0.25\t1\tn/a\n")
    rows = cut(with_events([job], stated), tmp_path / "reps.csv")
    assert [(r.start_s, r.stop_s, r.movement) for r in rows] == [(0.25, 1.25, ""), (1.5, 2.0, "full")]


def test_activity_gives_the_edges_of_intervals_between_clicks(manifest: Path, tmp_path: Path) -> None:
    job = find_jobs(manifest)[0]
    truth = [row for row in read_manifest(manifest) if row.file == job.rows[0].file]
    clicks = tmp_path / "clicks"
    clicks.mkdir()
    lines = "\n".join(f"{(row.start_s or 0) - 0.3:.3f}" for row in truth)
    (clicks / f"{job.path.stem}.txt").write_text(f"click_s\n{lines}\n")
    rows = cut(with_events([job], clicks), tmp_path / "reps.csv")
    assert len(rows) == len(truth)
    assert_allclose([r.stop_s for r in rows], [r.stop_s for r in truth], atol=0.35)


def test_events_must_belong_to_the_recordings(manifest: Path, tmp_path: Path) -> None:
    jobs = find_jobs(manifest)
    stated = tmp_path / "events.csv"
    stated.write_text("0.1,0.6\n")
    with pytest.raises(InputError, match="one file for 2 recordings; expected a folder with a file for each"):
        cut(with_events(jobs, stated), tmp_path / "reps.csv")
    with pytest.raises(InputError, match=r"no events for S01_E01_BICEPS\.csv; expected S01_E01_BICEPS\.csv or"):
        cut(with_events(jobs, tmp_path), tmp_path / "reps.csv")


def bursts(folder: Path, duration_s: float) -> Path:
    """Eight bursts of activity between rests, at 1000 Hz."""
    rng = np.random.default_rng(0)
    samples = 0.02 * rng.standard_normal(17_000)
    for start in range(1000, 17_000, 2000):
        samples[start : start + round(1000 * duration_s)] += rng.standard_normal(round(1000 * duration_s))
    write_recording(Recording(samples[None], 1000.0, ("ch1",), "mV"), folder / "bursts.npz")
    return folder / "bursts.npz"


def test_activity_that_is_too_short_has_a_remark(tmp_path: Path) -> None:
    config, filters = SegmentConfig(), FilterConfig()
    with pytest.raises(
        InputError, match=r"bursts\.npz: 8 activities shorter than 0\.3 s .* of 0\.2. to 0\.29 s"
    ) as caught:
        segment(find_jobs(bursts(tmp_path, 0.15)), tmp_path / "a.csv", config, filters, n_jobs=1)
    hint = float(str(caught.value).split("min_duration_s=")[1].split(" keeps")[0])
    kept = segment(find_jobs(bursts(tmp_path, 0.15)), tmp_path / "d.csv", SegmentConfig(min_duration_s=hint), filters)
    assert hint > 0.1
    assert kept.n_repetitions == 8
    recording = bursts(tmp_path, 0.15)
    found = segment(find_jobs(recording), tmp_path / "b.csv", SegmentConfig(min_duration_s=0.1), filters, n_jobs=1)
    assert (found.n_repetitions, found.remarks) == (8, ())
    long = segment(find_jobs(bursts(tmp_path, 0.8)), tmp_path / "c.csv", config, filters, n_jobs=1)
    assert (long.n_repetitions, long.remarks) == (8, ())


def test_activity_that_is_too_short_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[tuple[float, float]]] = []
    monkeypatch.setattr(
        "semg_hht.figures.repetitions_picture.draw_repetitions",
        lambda *_, left_out, **options: drawn.append(left_out),
    )
    recording = read_recording(bursts(tmp_path, 0.8))
    samples = recording.samples.copy()
    samples[:, 15_100:] = 0.02 * np.random.default_rng(1).standard_normal((1, 1900))  # the last burst: 0.1 s
    write_recording(replace(recording, samples=samples), tmp_path / "one_short.npz")
    for file in ("bursts.npz", "one_short.npz"):
        segment(find_jobs(tmp_path / file), tmp_path / f"{file}.csv", SegmentConfig(), FilterConfig(), n_jobs=1)
    none, one = drawn
    assert none == []
    assert [start_s for start_s, _ in one] == [pytest.approx(15, abs=0.1)]


def test_a_doubtful_rate_makes_the_times_doubtful(tmp_path: Path) -> None:
    recording = read_recording(bursts(tmp_path, 0.8))
    for rate_hz, doubted in ((1000.0, False), (100.0, True)):
        write_recording(replace(recording, rate_hz=rate_hz), tmp_path / f"{rate_hz:g}.npz")
        config = SegmentConfig(max_duration_s=60, min_duration_s=1000 * 0.3 / rate_hz)
        job = find_jobs(tmp_path / f"{rate_hz:g}.npz")
        found = segment(job, tmp_path / f"{rate_hz:g}.csv", config, FilterConfig(), pictures=NO_PICTURES, n_jobs=1)
        assert any("hold only if 100 Hz is the rate" in remark.text for remark in found.remarks) == doubted


def test_jumps_are_too_short_and_have_a_remark(real_data: Path, tmp_path: Path) -> None:
    jumps = real_data / "formats" / "biosignalsnotebooks" / "emg_1000_hz_16_bits_solo.h5"
    found = segment(
        find_jobs(jumps), tmp_path / "r.csv", SegmentConfig(), FilterConfig(), pictures=NO_PICTURES, n_jobs=1
    )
    assert any("shorter than 0.3 s were left out" in remark.text for remark in found.remarks)


def test_the_picture_shows_the_channel_that_rises_with_the_repetitions() -> None:
    rng = np.random.default_rng(0)
    found = [Repetition(200, 400), Repetition(600, 800)]
    muscle = rng.normal(0, 0.1, 1000)
    for repetition in found:
        muscle[repetition.start : repetition.stop] *= 20
    label = np.repeat([0.0, 50.0], 500)
    samples = np.array([label, muscle, np.zeros(1000)])
    assert clearest_channel(samples, found) == 1
    assert clearest_channel(samples, []) == 0
