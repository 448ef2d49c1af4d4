"""verbs/preparing.py: matrices of paths and of objects."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

import semg_hht as sh
from conftest import Simulated
from semg_hht.recordings.manifest import read_manifest
from semg_hht.verbs.preparing import PrepareOptions, prepare

WORK = sh.Work(n_jobs=1)


def test_a_recording_in_memory_gives_the_matrices_of_its_file(simulated: Simulated, tmp_path: Path) -> None:
    row = read_manifest(simulated.manifest)[0]
    recording = sh.read_recording(simulated.manifest.parent / row.file)
    repetitions = sh.segment(recording, options=sh.SegmentOptions(events=[(row.start_s, row.stop_s, row.movement)]))
    done = prepare(repetitions, tmp_path / "p", transform=simulated.config)
    assert (done.n_matrices, done.n_labelled, done.bids) == (1, 1, None)
    (path,) = (tmp_path / "p" / "hht_matrices").glob("*.npz")
    expected = sh.read_matrix(simulated.prepared_manifest.parent / read_manifest(simulated.prepared_manifest)[0].file)
    assert_array_equal(sh.read_matrix(path).values, expected.values)


def test_matrices_of_a_recording_in_memory_are_reused_until_it_changes(simulated: Simulated, tmp_path: Path) -> None:
    recording = sh.read_recording(simulated.manifest.parent / "S01_E01_BICEPS.csv").crop(0, 3)
    again = PrepareOptions(overwrite=True)
    reused = [
        prepare(data, tmp_path / "p", options=again).n_reused for data in (recording, recording, recording.crop(0, 2))
    ]
    assert reused == [0, 1, 0]


def test_repetitions_are_found_and_the_manifest_is_a_dataframe(simulated: Simulated, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    recording = sh.read_recording(simulated.manifest.parent / "S01_E01_BICEPS.csv")
    done = prepare(recording, tmp_path / "p", options=PrepareOptions(sh.SegmentConfig()), work=WORK)
    assert len(done.to_dataframe()) == done.n_matrices == 3


def test_without_a_folder_matrices_last_as_long_as_the_result_or_its_folder(
    simulated: Simulated, tmp_path: Path
) -> None:
    recording = sh.read_recording(simulated.manifest.parent / "S01_E01_BICEPS.csv")
    options = PrepareOptions(sh.SegmentConfig())
    kept, done = prepare(recording, tmp_path / "p", options=options, work=WORK), prepare(recording, options=options)
    assert len(done) == len(list(done)) == len(kept) == 3
    for ours, theirs in zip(done, kept, strict=True):
        assert_array_equal(ours.values, theirs.values)
    assert_array_equal(done[1].values, kept[1].values)
    assert done.rows == kept.rows
    assert len(sh.load_dataset(done)) == 3
    assert len(sh.load_dataset(prepare(recording, options=options))) == 3  # nothing else refers to the result
    matrices, name = done.folder / "hht_matrices", str(done.folder)
    assert repr(done.folder) == f"TemporaryFolder({name!r})"
    del done
    gc.collect()
    assert len(sh.load_dataset(matrices)) == 3
    del matrices
    gc.collect()
    assert not Path(name).exists()


def test_a_folder_that_nobody_named_is_removed_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(sh.InputError, match="no such file"):
        prepare(tmp_path / "none.csv")
    assert list(tmp_path.iterdir()) == []
