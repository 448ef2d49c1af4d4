"""Tests of the files of simulated people."""

from __future__ import annotations

from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from conftest import Simulated
from semg_hht.datasets import simulated as samples
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.simulated import write_samples, write_simulation
from semg_hht.errors import InputError
from semg_hht.matrices.matrix import read_matrix
from semg_hht.matrices.transform import PipelineConfig, transform_job
from semg_hht.recordings.jobs import Failure
from semg_hht.recordings.manifest import is_test_name, parse_file_name, read_manifest
from semg_hht.recordings.recording import read_recording
from semg_hht.signals.simulate import SimulationConfig


def test_a_simulation_writes_recordings_and_their_labels(simulated: Simulated) -> None:
    rows = read_manifest(simulated.manifest)
    assert len(rows) == 12
    assert {row.subject for row in rows} == {"S01", "S02", "S03", "S04"}
    for row in rows:
        recording = read_recording(simulated.manifest.parent / row.file, rate_hz=row.rate_hz, units=row.units)
        assert row.start_s is not None
        assert row.stop_s is not None
        assert 0 < row.start_s < row.stop_s < recording.duration_s
        assert row.movement in ("full", "half", "invalid")
        assert (recording.rate_hz, recording.units) == (pytest.approx(500), "uV")


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    config = SimulationConfig(1, n_repetitions=1, rate_hz=200.0)
    write_simulation(tmp_path, config, 0)
    with pytest.raises(InputError, match="this folder is not empty"):
        write_simulation(tmp_path, config, 0)
    write_simulation(tmp_path, config, 0, overwrite=True)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture(scope="module")
def sample_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_samples(tmp_path_factory.mktemp("samples") / "data", 7, 2, seed=3)


def test_samples_are_named_by_the_convention(sample_files: list[Path]) -> None:
    names = [path.name for path in sample_files]
    assert sorted(names) == sorted(path.name for path in sample_files[0].parent.iterdir())
    labelled = [parse_file_name(name) for name in names if not is_test_name(name)]
    assert len(labelled) == 7
    assert {row.movement for row in labelled} == {"full", "half", "invalid"}
    assert {row.gender for row in labelled} == {"M", "F"}
    assert len({row.subject for row in labelled}) == 7
    assert [name for name in names if is_test_name(name)] == ["Test1_1_001.npz", "Test2_1_002.npz"]


def test_sample_matrices_are_the_transform_of_recordings(sample_files: list[Path], tmp_path: Path) -> None:
    recordings = write_samples(tmp_path / "raw", 7, 2, seed=3, raw=True)
    assert sorted(p.stem for p in recordings) == sorted(p.stem for p in sample_files)
    path = sample_files[0]
    (job,) = find_jobs(tmp_path / "raw" / f"{path.stem}.csv", units="uV")
    (example,) = transform_job(job, None, PipelineConfig())
    matrix = read_matrix(path)
    assert matrix.settings is not None
    assert_allclose(matrix.values, example.matrix.values, rtol=0)


def test_classes_are_balanced(tmp_path: Path) -> None:
    written = write_samples(tmp_path / "raw", 48, 0, seed=3, raw=True)
    movements = [parse_file_name(path.name).movement for path in written]
    assert {movement: movements.count(movement) for movement in movements} == {"full": 16, "half": 16, "invalid": 16}


@pytest.mark.parametrize(("n_samples", "n_test"), [(0, 0), (-1, 3), (3, -1)])
def test_nothing_to_write_is_refused(tmp_path: Path, n_samples: int, n_test: int) -> None:
    with pytest.raises(InputError, match=f"expected at least one file to write; got n_samples {n_samples}"):
        write_samples(tmp_path, n_samples, n_test, 0)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(InputError, match="this folder is not empty"):
        write_samples(tmp_path, 1, 0, 0)


def test_a_transform_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "transform_all", lambda *_: [Failure("a.csv", "a.csv: broken")])
    with pytest.raises(InputError, match=r"a\.csv: broken"):
        write_samples(tmp_path, 1, 0, 0)
