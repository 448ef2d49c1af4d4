"""Checking folders, manifests, runs and splits, and `semg-hht check`."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from audit_builders import emg, kinds, matrices, sentences
from builders import SETTINGS, foreign_matrix, make_dataset, noise, truncate, write_dataset, write_npz
from conftest import Simulated
from semg_hht.audit import Finding
from semg_hht.audit.check import CheckResult, check_data, read_split
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.learning.train import Result
from semg_hht.matrices.matrix import SIZE, Matrix, write_matrix
from semg_hht.matrices.transform import configure
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.recordings.recording import Recording, read_recording, write_recording


def resaved(recording: Recording, way: str) -> Recording:
    if way == "slower":
        samples = resample_poly(recording.samples, 4, 5, axis=1)
        return replace(recording, samples=samples, rate_hz=recording.rate_hz * 0.8)
    if way == "gain":
        return replace(recording, samples=recording.samples * 0.37)
    step = np.abs(recording.samples).max() / 127
    return replace(recording, samples=np.round(recording.samples / step) * step)


@pytest.mark.parametrize("way", ["slower", "gain", "rounded"])
def test_a_recording_saved_again_under_another_name_is_found(simulated: Simulated, tmp_path: Path, way: str) -> None:
    """A recording is resampled, scaled or quantised, then prepared like the others."""
    rows = read_manifest(simulated.manifest)
    own = [row for row in rows if row.file == rows[0].file]
    recording = read_recording(simulated.manifest.parent / own[0].file, rate_hz=own[0].rate_hz, units=own[0].units)
    copy = resaved(recording, way)
    write_recording(copy, tmp_path / "copy.csv")
    (tmp_path / "manifest.csv").write_text(
        manifest_text(replace(row, file="copy.csv", subject="S99", rate_hz=copy.rate_hz) for row in own), "utf-8"
    )
    config = configure(band_hz=(20.0, 200.0))
    prepare(find_jobs(tmp_path / "manifest.csv"), tmp_path / "prepared", config, n_jobs=1)
    both = tmp_path / "both"
    both.mkdir()
    listed = []
    for folder in (simulated.prepared_manifest.parent, tmp_path / "prepared"):
        listed += [replace(r, file=str(folder / r.file)) for r in read_manifest(folder / "manifest.csv")]
    (both / "manifest.csv").write_text(manifest_text(listed), "utf-8")
    found = [f for f in check_data(both).findings if f.what == "near-duplicate"]
    assert {Path(f.files[1]).parent.parent for f in found} == {tmp_path / "prepared"}
    assert len(found) == len(own)
    assert all(f.severity == "error" and " S99" in f.sentence for f in found)


def test_simulated_people_are_not_reported_as_copies(simulated: Simulated) -> None:
    found = check_data(simulated.prepared_manifest.parent)
    assert not kinds(found.findings)
    assert repr(found).startswith(f"<CheckResult of {found.source}: {found.n_files} files of {found.n_subjects} people")
    assert repr(replace(found, findings=(Finding("error", "labels", "none"),) * 8)).endswith("none\n  and 2 more>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(make_dataset(), tmp_path / "data")


def test_unreadable_files_are_named_and_the_others_are_checked(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"))
    truncate(files[0])
    write_npz(files[1], hht=np.full((SIZE, SIZE), np.nan))
    write_npz(files[2], hht=np.zeros((SIZE, 3)))
    files[3].unlink()
    foreign_matrix(folder / "more.npz")
    found = check_data(folder)
    said = sentences(found.findings, "unreadable")
    assert len(said) == 4
    for part in ("can't be read", "NaN or infinite", "expected a matrix of 256x256", "no such file"):
        assert sum(part in text for text in said) == 1
    assert sentences(found.findings, "unlisted") == ["1 npz files are not in manifest.csv, as more.npz"]
    assert found.n_files == 30
    assert found.n_subjects == 5


def test_a_folder_labelled_by_names_is_checked_and_a_bad_name_listed(tmp_path: Path) -> None:
    for i, name in enumerate(["S01_BICEPS_full_M_001", "S02_BICEPS_half_F_001", "Test1_1_001", "who_knows"]):
        foreign_matrix(tmp_path / f"{name}.npz", seed=i)
    found = check_data(tmp_path)
    assert sentences(found.findings, "file names") == [
        "1 of 4 names don't state one movement and one gender, as who_knows.npz"
    ]
    assert [f.files for f in found.findings if f.what == "file names"] == [("who_knows.npz",)]
    assert not sentences(found.findings, "labels")
    assert "1 named Test* are to be predicted, not trained on" in sentences(found.findings, "what was checked")


def test_matrices_of_two_preparations_are_named(folder: Path) -> None:
    other = json.loads(json.dumps(SETTINGS)) | {"scaling": "db"}
    first = sorted(folder.glob("*.npz"))[0]
    write_matrix(first, Matrix(matrices(1)[0], other))
    assert sentences(check_data(folder).findings, "settings") == [
        f"prepared in 2 ways: 29 like {load_first(folder, first.name)}, 1 like {first.name}"
    ]


def load_first(folder: Path, but: str) -> str:
    return next(row.file for row in read_manifest(folder / "manifest.csv") if row.file != but)


def test_no_matrices_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected recordings .* or a manifest.csv; found none"):
        check_data(tmp_path)
    (tmp_path / "hht_matrices").mkdir()
    with pytest.raises(InputError, match="expected npz matrices or a manifest.csv; found none"):
        check_data(tmp_path / "hht_matrices")
    with pytest.raises(InputError, match="no such file or folder"):
        check_data(tmp_path / "none")


def test_a_run_is_compared_with_its_data(tiny_copy: Path, tmp_path: Path) -> None:
    data = write_dataset(make_dataset(n_unlabelled=2), tmp_path / "data")
    sound_run = check_data(data, tiny_copy).findings
    assert not sentences(sound_run, "split")
    assert "files, labels and values are those the run was trained on" in sentences(sound_run, "what was checked")
    write_matrix(sorted(data.glob("p0*.npz"))[0], Matrix(matrices(1)[0], SETTINGS))
    changed = check_data(data, tiny_copy / "split.json").findings
    assert sentences(changed, "split") == ["files, labels or values are not those the run was trained on"]


def test_a_leak_in_a_split_is_found_in_the_run_alone(tiny_copy: Path) -> None:
    assert not kinds(check_data(tiny_copy).findings)
    path = tiny_copy / "split.json"
    content = json.loads(path.read_text())
    leaked = content["test"]["subjects"][0]
    content["train"]["subjects"].append(leaked)
    path.write_text(json.dumps(content))
    assert sentences(check_data(tiny_copy).findings, "split") == [f"subject {leaked} is in train and in test"]
    with pytest.raises(InputError, match="is a run itself; name the data"):
        check_data(tiny_copy, path)


def test_an_invalid_split_or_config_is_an_error(folder: Path, tiny_copy: Path) -> None:
    (tiny_copy / "config.json").write_text("{}")
    with pytest.raises(InputError, match="expected a run's config with 'data_fingerprint'"):
        check_data(folder, tiny_copy)
    (tiny_copy / "split.json").write_text("[]")
    with pytest.raises(InputError, match="expected a split with 'by'"):
        read_split(tiny_copy)


def test_recordings_are_checked_before_they_are_prepared(simulated: Simulated, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(simulated.manifest.parent, tmp_path / "recordings"))
    assert not kinds(check_data(folder).findings)
    rows = read_manifest(folder / "manifest.csv")
    files = list(dict.fromkeys(row.file for row in rows))
    shutil.copy(folder / files[0], folder / "copy.csv")
    truncate(folder / files[1], 0)
    copied = [replace(row, file="copy.csv", subject="S77") for row in rows if row.file == files[0]]
    relabelled_row = replace(copied[0], movement="half" if copied[0].movement == "full" else "full", stop_s=None)
    (folder / "manifest.csv").write_text(manifest_text([*rows, *copied, relabelled_row]), "utf-8")
    found = check_data(folder).findings
    [same] = sentences(found, "duplicate")  # one for all its repetitions
    assert same == f"{files[0]} and copy.csv hold the same samples as subject S01 and S77"
    assert files[1] in sentences(found, "unreadable")[0]
    assert "copy.csv and copy.csv overlap in time but are movement" in sentences(found, "overlap")[0]


def test_a_copy_of_a_recording_that_was_changed_is_found_by_its_signal(tmp_path: Path) -> None:
    for i in range(3):
        write_recording(emg(i), tmp_path / f"S0{i}_BICEPS_full_M_001.csv")
    copy = replace(emg(1), samples=np.round(-0.4 * emg(1).samples[:, 300:], 2))
    write_recording(copy, tmp_path / "S05_BICEPS_full_M_001.csv")
    [sentence] = sentences(check_data(tmp_path).findings, "near-duplicate")
    assert sentence.startswith("S01_BICEPS_full_M_001.csv and S05_BICEPS_full_M_001.csv hold the same signal")
    assert "shifted by +0.30 s" in sentence


def test_many_copies_of_a_recording_are_one_finding_each_way(tmp_path: Path) -> None:
    """Five equal files, and five of the same signal with the other sign."""
    for i in range(5):
        write_recording(emg(1), tmp_path / f"S0{i}_BICEPS_full_M_001.csv")
        write_recording(replace(emg(1), samples=-emg(1).samples), tmp_path / f"S1{i}_BICEPS_full_M_001.csv")
    found = check_data(tmp_path).findings
    equal, inverted = sentences(found, "duplicate")
    assert equal.startswith("5 files hold the same samples as subject S00, S01, S02 and 2 more: ")
    assert inverted.endswith(
        ": S10_BICEPS_full_M_001.csv, S11_BICEPS_full_M_001.csv, S12_BICEPS_full_M_001.csv and 2 more"
    )
    [signal] = sentences(found, "near-duplicate")
    assert signal.startswith("10 files hold the same signal (likeness 1.00, unrelated ones stay below 0.65) as subject")


def test_findings_come_errors_first(tiny_result: Result, folder: Path) -> None:
    found: CheckResult = check_data(folder, tiny_result.folder)
    ranks = [("error", "warning", "note").index(f.severity) for f in found.findings]
    assert ranks == sorted(ranks)
    assert all(isinstance(f, Finding) for f in found.findings)


def test_recordings_with_and_without_volts_are_a_warning(tmp_path: Path) -> None:
    for seed, name in enumerate(("a", "b", "c")):
        write_recording(replace(noise(seed=seed), units=""), tmp_path / f"{name}.npz")
    table = "file,subject,movement,units\na.npz,S1,full,uV\nb.npz,S2,half,mV\nc.npz,S3,half,\n"
    (tmp_path / "manifest.csv").write_text(table)
    said = [
        "units: 2 of 3 recordings are in volts, 1 are not (1 not stated; such as c.npz), so their amplitudes can't "
        "be compared, and may lie 60 dB apart"
    ]
    assert sentences(check_data(tmp_path).findings, "units") == said
    for scaling, expected in (("log", said), ("minmax", [])):
        config = configure(band_hz=(20, 200), scaling=scaling)
        prepare(find_jobs(tmp_path), tmp_path / scaling, config, n_jobs=1)
        assert sentences(check_data(tmp_path / scaling).findings, "units") == expected
