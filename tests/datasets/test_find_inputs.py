"""Tests of finding recordings and matrices in files, folders and manifests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders import foreign_matrix, make_dataset, noise, write_dataset
from semg_hht.datasets.find_inputs import find_inputs, find_jobs, is_manifest, note_unlisted, unlisted
from semg_hht.errors import InputError
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.train import Result
from semg_hht.prediction.run import open_run
from semg_hht.recordings.jobs import read_job
from semg_hht.recordings.manifest import read_manifest
from semg_hht.recordings.recording import write_recording


def test_a_single_recording_is_labelled_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "S01_BICEPS_half_F_003.csv"
    write_recording(noise(), path)
    (job,) = find_jobs(path, rate_hz=500.0, units="mV")
    (row,) = job.rows
    assert job.path == path
    assert (row.file, row.subject, row.movement, row.rate_hz, row.units) == (path.name, "S01", "half", 500.0, "mV")


def test_a_name_outside_the_convention_gives_empty_labels(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "curl.csv")
    (job,) = find_jobs(tmp_path)
    assert (job.rows[0].movement, job.rows[0].gender, job.rows[0].file) == ("", "", "curl.csv")


def test_a_folder_is_searched_for_recordings_but_not_matrices(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write_recording(noise(), tmp_path / "deep" / "b.npz")
    write_recording(noise(), tmp_path / "a.csv")
    (tmp_path / "notes.md").write_text("")
    foreign_matrix(tmp_path / "matrix.npz")
    assert [job.rows[0].file for job in find_jobs(tmp_path)] == ["a.csv", "deep/b.npz"]


def test_the_manifest_of_a_folder_lists_its_recordings(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        "file,rate_hz,units,start_s,stop_s\na.csv,1000,,0,1\na.csv,1000,,1,2\nb.csv,,V,,\n"
    )
    write_recording(noise(), tmp_path / "unlisted.csv")
    jobs = find_jobs(tmp_path, rate_hz=200.0, units="mV")
    assert [(job.path, len(job.rows)) for job in jobs] == [(tmp_path / "a.csv", 2), (tmp_path / "b.csv", 1)]
    assert [(row.rate_hz, row.units) for job in jobs for row in job.rows] == [
        (1000.0, "mV"), (1000.0, "mV"), (200.0, "V"),
    ]  # fmt: skip


def test_the_files_of_a_manifest_may_be_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,movement\na.csv,low\n")
    assert find_jobs(tmp_path / "labels.csv", base=tmp_path / "data")[0].path == tmp_path / "data" / "a.csv"


def test_a_table_of_samples_is_no_manifest(tmp_path: Path) -> None:
    write_recording(noise(), tmp_path / "a.csv")
    (tmp_path / "labels.csv").write_text("subject, file\n", encoding="utf-8-sig")
    assert not is_manifest(tmp_path / "a.csv")
    assert is_manifest(tmp_path / "labels.csv")
    assert not is_manifest(tmp_path / "nowhere.csv")


def test_a_manifest_with_quoted_header_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text('"file","movement"\n"a.csv","low"\n')
    assert is_manifest(tmp_path / "labels.csv")


def test_files_of_kinds_that_are_not_read_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_recording(noise(), tmp_path / "a.csv")
    for name in ("b.hpf", "c.vhdr", "inner/d.hpf", "e.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [job.path.name for job in find_jobs(tmp_path)] == ["a.csv"]
    (message,) = caplog.messages
    assert "3 files of kinds that are not read were left alone (.hpf, .vhdr): .hpf: open it in Delsys" in message


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected recordings \(\.csv, .*\) or a manifest\.csv; found none"):
        find_jobs(tmp_path)
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        find_jobs(tmp_path / "nowhere")


def test_npz_files_that_a_manifest_does_not_list_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.npz", "Test1_1_001.npz"):
        np.savez(tmp_path / name, hht=np.zeros((256, 256)))
    (tmp_path / "manifest.csv").write_text("file,movement\na.npz,low\n")
    note_unlisted(tmp_path, tmp_path / "manifest.csv")
    assert "manifest.csv does not list them: 1" in caplog.text
    caplog.clear()
    (tmp_path / "manifest.csv").write_text("file,movement\na.npz,low\nTest1_1_001.npz,\n")
    note_unlisted(tmp_path, tmp_path / "manifest.csv")
    assert not caplog.text


def test_training_and_prediction_warn_of_unlisted_files(
    tiny_result: Result, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_dataset(make_dataset(n_subjects=1, n_repetitions=1), tmp_path)
    np.savez(tmp_path / "more.npz", hht=np.zeros((256, 256)))
    load_folder(tmp_path)
    open_run(tiny_result.folder, cpu=True).predict(tmp_path)
    assert caplog.text.count("manifest.csv does not list them: 1") == 2


def test_a_contradictory_rate_is_an_error_that_names_where_it_is_stated(tmp_path: Path) -> None:
    table = "time,ch1\n" + "".join(f"{i / 1000},{i}\n" for i in range(100))
    (tmp_path / "a.csv").write_text(table)
    (tmp_path / "b.csv").write_text(table)
    (tmp_path / "manifest.csv").write_text("file,rate_hz\na.csv,500\nb.csv,\n")
    by_manifest, by_user = find_jobs(tmp_path, rate_hz=200.0)
    with pytest.raises(InputError, match=r"a\.csv: the file states 1000 Hz, but \S+manifest\.csv states 500 Hz"):
        read_job(by_manifest)
    with pytest.raises(InputError, match=r"b\.csv: the file states 1000 Hz, but 200 Hz was given; expected"):
        read_job(by_user)


def test_hidden_copies_are_no_recordings_and_no_matrices(tmp_path: Path) -> None:
    for name in ("S01_a.csv", ".ipynb_checkpoints/S01_a-checkpoint.csv", "__MACOSX/._S01_a.csv", "._S01_a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_recording(noise(), tmp_path / name)
    for name in ("m.npz", ".ipynb_checkpoints/m-checkpoint.npz", "._m.npz"):
        foreign_matrix(tmp_path / name)
    assert [job.rows[0].file for job in find_jobs(tmp_path)] == ["S01_a.csv"]
    matrices, jobs = find_inputs(tmp_path)
    assert [name for _, name in matrices] == ["m.npz"]
    assert [job.file for job in jobs] == ["S01_a.csv"]
    (tmp_path / "manifest.csv").write_text("file\nm.npz\n")
    assert not unlisted(tmp_path, tmp_path / "manifest.csv", read_manifest(tmp_path / "manifest.csv"))


def test_names_of_files_that_spell_a_person_twice_are_an_error(tmp_path: Path) -> None:
    for name in ("S1_BICEPS_half_F_001.csv", "S01_BICEPS_full_F_002.csv", "S10_BICEPS_full_F_003.csv"):
        write_recording(noise(), tmp_path / name)
    for find in (find_jobs, find_inputs):
        with pytest.raises(InputError, match=r"subject 'S01' \(of S01_\S+\) and 'S1' \(of S1_\S+\) differ only in"):
            find(tmp_path)


def test_a_manifest_finds_a_file_that_a_mac_has_named(tmp_path: Path) -> None:
    composed, decomposed = "Jos\u00e9_\u00fcbung", "Jose\u0301_u\u0308bung"
    write_recording(noise(), tmp_path / f"{decomposed}.csv")
    foreign_matrix(tmp_path / f"{decomposed}.npz")
    path = tmp_path / "manifest.csv"
    path.write_text(f"file\n{composed}.csv\n{composed}.npz\n", encoding="utf-8")
    ((matrix, name),), (job,) = find_inputs(tmp_path)
    assert (matrix, name) == (tmp_path / f"{decomposed}.npz", f"{composed}.npz")
    assert (job.path, job.file) == (tmp_path / f"{decomposed}.csv", f"{composed}.csv")
    assert not unlisted(tmp_path, path, read_manifest(path))


@pytest.mark.parametrize("content", [bytes(200_000), b"x" * 200_000])
def test_a_first_line_that_is_no_csv_is_no_manifest(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert not is_manifest(path)


def test_a_manifest_without_the_column_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("Datei;Person\na.csv;Anna\n")
    for path in (tmp_path, tmp_path / "manifest.csv"):
        with pytest.raises(InputError, match=r"manifest\.csv: expected a header line with a column 'file'"):
            find_jobs(path)
