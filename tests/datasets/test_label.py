"""Tests of labelling: the table, labels that a person set, sensors in other files, people and sessions, bad sensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.label import Labelled, LabelOptions, SensorSource, label_jobs
from semg_hht.datasets.simulated import write_simulation
from semg_hht.errors import InputError
from semg_hht.recordings.manifest import ManifestRow, manifest_text, read_manifest
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.signals.sensor_alignment import LagSearch
from semg_hht.signals.sensor_labels import LabelConfig
from semg_hht.signals.simulate import SimulationConfig
from semg_hht.signals.simulated_sensor import NAME

QUIET = LabelOptions(pictures=False)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest, with its truth, of two simulated people with a goniometer."""
    folder = tmp_path_factory.mktemp("people") / "recordings"
    config = SimulationConfig(n_subjects=2, n_repetitions=2, rate_hz=500.0)
    return write_simulation(folder, config, seed=3, goniometer=True)


def unlabelled(people: Path, folder: Path, *, keep: int = 0) -> Path:
    """A table of the repetitions, of which the first ``keep`` of each recording have their labels."""
    rows = [
        replace(row, file=(people.parent / row.file).as_posix(), movement=row.movement if i % 6 < keep else "")
        for i, row in enumerate(read_manifest(people))
    ]
    path = folder / "reps.csv"
    path.write_text(manifest_text(rows), encoding="utf-8")
    return path


def fill(table: Path, options: LabelOptions = QUIET, source: SensorSource = SensorSource()) -> Labelled:
    return label_jobs(find_jobs(table), source, table, options, n_jobs=1)


def test_the_table_is_filled_with_the_truth(people: Path, tmp_path: Path) -> None:
    table = unlabelled(people, tmp_path)
    done = fill(table)
    rows, truth = read_manifest(table), read_manifest(people)
    assert [row.movement for row in rows] == [row.movement for row in truth]
    assert (done.n_recordings, done.n_kept, done.n_open, done.pictures) == (2, 0, 0, None)
    assert done.counts == {"full": 4, "half": 4, "invalid": 4}
    assert [sensor.file for sensor in done.sensors] == [job.file for job in done.jobs]
    assert [span.label for sensor in done.sensors for span in sensor.spans] == [row.movement for row in truth]
    first = rows[0].extra
    assert (first["sensor"], first["labelled_by"], first["sensor_label"]) == (NAME, "sensor", rows[0].movement)
    assert float(first["sensor_excursion"]) / float(first["sensor_best"]) == pytest.approx(
        float(first["sensor_share"]), rel=1e-3
    )
    assert first["sensor_thresholds"] == "full from 0.85, half 0.35 to 0.65, invalid below 0.2"
    assert 0 < float(first["sensor_lag_s"]) < 0.5
    assert [remark.text for remark in done.remarks] == [
        "the sensor falls when the muscles work, so its sign was reversed"
    ]
    assert all((tmp_path / row.file).is_file() for row in rows)


def test_a_label_that_a_person_set_stays(people: Path, tmp_path: Path) -> None:
    table = unlabelled(people, tmp_path, keep=2)
    rows = read_manifest(table)
    wrong = {"full": "half", "half": "full", "invalid": "full"}[rows[1].movement]
    rows[1] = replace(rows[1], movement=wrong)
    table.write_text(manifest_text(rows), encoding="utf-8")
    done = fill(table)
    again = read_manifest(table)
    assert (again[1].movement, again[1].extra["labelled_by"]) == (wrong, "person")
    assert (
        again[1]
        .extra["sensor_remark"]
        .endswith(f"a person set {wrong}, the sensor says {again[1].extra['sensor_label']}")
    )
    assert done.n_kept == 4
    texts = [remark.text for remark in done.remarks]
    assert "2 labels that a person set stay as they are" in texts
    assert "the sensor disagrees with a person in the repetitions 2" in texts
    # Labels of an earlier call follow new thresholds; those of a person, and what a person corrected since, do not.
    index = next(i for i, row in enumerate(again) if row.movement == "full" and row.extra["labelled_by"] == "sensor")
    other = next(i for i, row in enumerate(again) if row.movement == "half" and row.extra["labelled_by"] == "sensor")
    again[other] = replace(again[other], movement="invalid")
    table.write_text(manifest_text(again), encoding="utf-8")
    fill(table, replace(QUIET, labels=LabelConfig(full_at=1000.0)))
    last = read_manifest(table)
    assert [row.movement for row in last[:2]] == [row.movement for row in again[:2]]
    assert (last[index].movement, last[other].movement) == ("invalid", "invalid")
    assert last[other].extra["labelled_by"] == "person"


def test_other_classes_in_the_column_stay(people: Path, tmp_path: Path) -> None:
    table = unlabelled(people, tmp_path)
    rows = [replace(row, movement="curl") if i < 6 else row for i, row in enumerate(read_manifest(table))]
    table.write_text(manifest_text(rows), encoding="utf-8")
    done = fill(table)
    assert done.remarks[0].text.startswith("the column movement holds curl, which stays; empty its cells to label")
    assert {row.movement for row in read_manifest(table)[:6]} == {"curl"}
    assert "a person set" not in read_manifest(table)[0].extra["sensor_remark"]


@pytest.mark.parametrize("rate_hz", [100.0, 148.1])
def test_a_sensor_in_files_of_their_own_with_another_clock(people: Path, tmp_path: Path, rate_hz: float) -> None:
    table = unlabelled(people, tmp_path)
    folder = tmp_path / "angles"
    folder.mkdir()
    for job in find_jobs(people):
        recording = read_recording(job.path)
        angle = recording.samples[recording.channel_names.index(NAME)]
        times_s = np.arange(0, recording.duration_s, 1 / rate_hz)
        late = np.interp(times_s - 0.3, np.arange(angle.size) / recording.rate_hz, angle)
        np.savetxt(folder / f"{job.path.stem}.csv", np.column_stack([times_s, late]), delimiter=",",
                   header="time_s,angle", comments="")  # fmt: skip
    done = fill(table, source=SensorSource("angle", folder))
    assert [row.movement for row in done.rows] == [row.movement for row in read_manifest(people)]
    assert 0.3 < float(done.rows[0].extra["sensor_lag_s"]) < 0.8
    with pytest.raises(InputError, match="one file for 2 recordings; expected a folder with a file for each"):
        fill(table, source=SensorSource("angle", folder / "S01_E01_BICEPS.csv"))
    (folder / "S01_E01_BICEPS.csv").unlink()
    done = fill(table, source=SensorSource("angle", folder))
    assert "expected one sensor file S01_E01_BICEPS.*; found 0" in done.failures[0].reason
    assert len(read_manifest(table)) == 12, "the rows of a recording that failed stay"


def test_each_recording_is_drawn(people: Path, tmp_path: Path) -> None:
    done = fill(unlabelled(people, tmp_path), LabelOptions())
    assert done.pictures == tmp_path / "reps_labels"
    assert len(list(done.pictures.iterdir())) == 2


def humps(*tops: float, rate_hz: float = 500.0, seed: int = 0) -> Recording:
    """EMG with a contraction of 2 s every 4 s, and a sensor that rises to each of ``tops``."""
    rng = np.random.default_rng(seed)
    n = round((2 + 4 * len(tops)) * rate_hz)
    emg, angle = 0.02 * rng.standard_normal(n), np.zeros(n)
    for i, top in enumerate(tops):
        part = slice(round((2 + 4 * i) * rate_hz), round((4 + 4 * i) * rate_hz))
        wave = np.sin(np.pi * np.arange(part.stop - part.start) / (part.stop - part.start)) ** 2
        emg[part] += wave * rng.standard_normal(wave.size)
        angle[part] += top * wave
    angle += 0.1 * rng.standard_normal(n)
    return Recording(np.stack([emg, angle]), rate_hz, ("biceps", "angle"), "mV", non_emg=("angle",))


def rows_of(name: str, n: int, **labels: str) -> list[ManifestRow]:
    return [
        ManifestRow(name, repetition=str(i + 1), start_s=2.0 + 4 * i, stop_s=4.0 + 4 * i, units="mV", **labels)
        for i in range(n)
    ]


def session(folder: Path, *recordings: Recording, **labels: str) -> Path:
    rows = []
    for i, recording in enumerate(recordings):
        write_recording(recording, folder / f"r{i}.npz")
        rows += rows_of(f"r{i}.npz", round((recording.duration_s - 2) / 4), **labels)
    table = folder / "reps.csv"
    table.write_text(manifest_text(rows), encoding="utf-8")
    return table


def test_the_best_is_that_of_the_person_in_the_session(tmp_path: Path) -> None:
    table = session(tmp_path, humps(90, 85, 88), humps(45, 44, 43, seed=1), subject="S01", session="E01")
    done = fill(table)
    assert [row.movement for row in done.rows] == ["full"] * 3 + ["half"] * 3
    assert not done.remarks[1:], "half the best is no reason for a remark"
    alone = fill(table, replace(QUIET, shares_best=False))
    assert [row.movement for row in alone.rows] == ["full"] * 6
    assert "every labelled repetition is full; a classifier needs repetitions of at least two" in alone.remarks[0].text
    small = session(tmp_path, humps(90, 85, 88), humps(14, 13, 12, seed=1), subject="S01", session="E01")
    assert "its largest excursion is 1" in fill(small).remarks[0].text


def test_rows_of_several_channels_are_one_repetition(tmp_path: Path) -> None:
    recording = humps(90, 45, 80)
    write_recording(replace(recording, samples=recording.samples[[0, 0, 1]], channel_names=("a", "b", "angle")),
                    tmp_path / "r.npz")  # fmt: skip
    rows = [replace(row, channels=(name,)) for row in rows_of("r.npz", 3) for name in ("a", "b")]
    (tmp_path / "reps.csv").write_text(manifest_text(rows), encoding="utf-8")
    done = fill(tmp_path / "reps.csv", source=SensorSource("angle"))
    assert [row.movement for row in done.rows] == ["full", "full", "half", "half", "full", "full"]


def with_angle(change: Callable[[np.ndarray], np.ndarray]) -> Recording:
    recording = humps(90, 45, 80, 88)
    return replace(recording, samples=np.stack([recording.samples[0], change(recording.samples[1])]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x: np.full(x.size, 3.0), "the sensor is 3 throughout; expected a movement"),
        (lambda x: np.random.default_rng(5).standard_normal(x.size), "no movement rises above the noise"),
        (lambda x: np.interp(np.arange(x.size) * 0.31 % x.size, np.arange(x.size), x),
         "the sensor does not follow the muscles"),
    ],
)  # fmt: skip
def test_a_sensor_that_shows_no_movement_gives_no_labels(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], reason: str
) -> None:
    table = session(tmp_path, with_angle(change))
    before = table.read_text()
    with pytest.raises(InputError, match=rf"r0\.npz: no repetition could be labelled by angle: {reason}"):
        fill(table)
    assert table.read_text() == before
    both = session(tmp_path, with_angle(change), humps(90, 45, 80, 88))
    done = fill(both)
    assert [row.movement for row in done.rows] == [""] * 4 + ["full", "half", "full", "full"]
    assert reason in done.rows[0].extra["sensor_remark"]
    assert done.n_open == 4


def test_a_reversed_and_a_clipped_sensor_have_remarks(tmp_path: Path) -> None:
    done = fill(session(tmp_path, with_angle(lambda x: 40 - x)))
    assert [row.movement for row in done.rows] == ["full", "half", "full", "full"]
    assert "its sign was reversed" in done.remarks[0].text
    table = session(tmp_path, with_angle(lambda x: np.minimum(x, 60)))
    with pytest.raises(InputError, match="no repetition could be labelled by angle: the sensor is clipped"):
        fill(table)
    done = fill(table, replace(QUIET, labels=LabelConfig(full_at=62.0)))
    assert [row.movement for row in done.rows] == ["full", "", "full", "full"]
    wide = fill(table, replace(QUIET, labels=LabelConfig(full_at=100.0)))
    assert [row.movement for row in wide.rows] == ["", "half", "", ""], "at least 60 % may be full"
    assert "the sensor is clipped at 60 in 3 repetitions" in done.remarks[0].text


def test_a_doubtful_best_is_asked_for(tmp_path: Path) -> None:
    table = session(tmp_path, humps(90, 30, 31, 29))
    with pytest.raises(InputError, match=r"is 2\.9 times the next: it may be an artefact, so state the full range"):
        fill(table)
    done = fill(table, replace(QUIET, labels=LabelConfig(full_at=90)))
    assert [row.movement for row in done.rows] == ["full", "", "", ""]


def test_a_shorter_sensor_leaves_the_rest_open(tmp_path: Path) -> None:
    recording = humps(90, 45, 80, 88)
    table = session(tmp_path, recording)
    short = recording.samples[1][: round(9.5 * 500)]
    np.savez(tmp_path / "angle.npz", samples=short[None], rate_hz=500.0)
    done = fill(table, source=SensorSource(file=tmp_path / "angle.npz"))
    assert [row.movement for row in done.rows] == ["full", "half", "", ""]
    assert done.rows[3].extra["sensor_remark"] == "the sensor has no samples here"
    assert done.remarks[0].text == "the sensor has no samples in 2 of 4 repetitions"


def test_a_sensor_that_fails_for_a_while_leaves_its_repetitions_open(tmp_path: Path) -> None:
    table = session(
        tmp_path, with_angle(lambda x: np.where((np.arange(x.size) > 2900) & (np.arange(x.size) < 4200), np.nan, x))
    )
    done = fill(table)
    assert [row.movement for row in done.rows] == ["full", "", "full", "full"]


def test_a_stated_lag_is_used(tmp_path: Path) -> None:
    table = session(tmp_path, with_angle(lambda x: np.roll(x, 250)))
    done = fill(table, replace(QUIET, labels=LabelConfig(lag=LagSearch(lag_s=0.5))))
    assert {row.extra["sensor_lag_s"] for row in done.rows} == {"0.5"}
    assert [row.movement for row in done.rows] == ["full", "half", "full", "full"]


def test_the_only_channel_can_not_be_sensor_and_muscle(tmp_path: Path) -> None:
    table = session(tmp_path, humps(90, 45))
    with pytest.raises(InputError, match="expected an EMG channel beside the sensor biceps; found none"):
        fill(table, source=SensorSource("biceps"))
