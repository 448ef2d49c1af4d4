"""verbs/training.py: data of several kinds, and a run from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import semg_hht as sh
from builders import TINY
from conftest import Simulated
from semg_hht.verbs.training import LoadOptions, load_dataset, train

WORK = sh.Work(n_jobs=1)


def test_folders_manifests_and_results_are_the_same_data(simulated: Simulated) -> None:
    prepared = simulated.matrices.parent
    dataset = load_dataset(simulated.matrices)
    for data in (prepared, simulated.prepared_manifest, dataset):
        assert load_dataset(data).fingerprint() == dataset.fingerprint()
    of_recordings = load_dataset(simulated.manifest, options=LoadOptions(simulated.config), work=WORK)
    assert_array_equal(of_recordings.matrices, dataset.matrices)
    in_folder = load_dataset(simulated.manifest.parent, options=LoadOptions(simulated.config), work=WORK)
    assert in_folder.fingerprint() == of_recordings.fingerprint()


def test_repetitions_in_memory_are_training_data(simulated: Simulated) -> None:
    recording = sh.read_recording(simulated.manifest.parent / "S01_E01_BICEPS.csv")
    dataset = load_dataset(sh.segment(recording), work=WORK)
    assert dataset.matrices.shape == (3, 1, 256, 256)


def test_files_that_fail_are_said_and_other_files_are_refused(simulated: Simulated, tmp_path: Path) -> None:
    told: list[str] = []
    work = sh.Work(say_failures=lambda failures: told.extend(failure.file for failure in failures))
    (tmp_path / "manifest.csv").write_text(
        f"file,movement\n{next(simulated.matrices.glob('*.npz'))},full\nno.npz,half\n"
    )
    load_dataset(tmp_path, work=work)
    assert told == ["no.npz"]
    with pytest.raises(sh.InputError, match=r"expected a folder of matrices or a manifest\.csv; found another file"):
        load_dataset(next(simulated.matrices.glob("*.npz")))


def test_a_run_is_trained_and_its_scores_are_drawn(simulated: Simulated, tmp_path: Path) -> None:
    result = train(
        simulated.matrices, tmp_path / "run", training=TINY, size=sh.NetworkSize(base_channels=2),
        options=sh.RunOptions("action_quality", cpu=True),
    )  # fmt: skip
    assert set(result.reports) == {"action_quality"}
    assert (result.folder / "history.png").is_file() and (result.folder / "confusion.png").is_file()


def test_the_rate_of_recordings_that_a_table_names_is_stated(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(3000, 1))
    np.savetxt(tmp_path / "a.csv", samples, header="biceps", comments="")
    (tmp_path / "manifest.csv").write_text("file,movement\na.csv,full\n")
    with pytest.raises(sh.InputError, match="the sampling rate is unknown"):
        load_dataset(tmp_path / "manifest.csv")
    for stated in (
        load_dataset(tmp_path / "manifest.csv", rate_hz=1000, units="V"),
        load_dataset(tmp_path / "manifest.csv", options=LoadOptions(rate_hz=1000, units="V")),
        load_dataset([tmp_path / "manifest.csv"], options=LoadOptions(rate_hz=1000, units="V")),
    ):
        assert (stated.rows[0].rate_hz, stated.rows[0].units) == (1000, "V")
