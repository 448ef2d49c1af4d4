"""Damaged and malicious files: each gives an error of one sentence, and the other files of a batch are predicted.

`benchmarks/fuzz.py` found the named cases; a few hundred inputs of the same kind are part of every test run.
"""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from safetensors.numpy import load_file, save_file

import malicious_files
import valid_files
from builders import Payload, noise, npy, write_members
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.learning.checkpoint import load_state
from semg_hht.learning.network import NetworkConfig
from semg_hht.learning.svm_training import load_svm
from semg_hht.matrices.matrix import read_matrix
from semg_hht.matrices.transform import configure
from semg_hht.prediction.run import open_run
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.system.files import read_json

# Of pandas, with which wfdb writes headers.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")
DEEP_JSON = "[" * 100_000
READERS = ("csv", "txt", "trigno", "mat", "npz", "npy", "hdf5", "edf", "bdf", "wfdb", "xdf", "otb", "c3d", "xlsx",
           "ods", "parquet", "feather", "acq", "rhd", "poly5", "smr")  # fmt: skip


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, valid_files.Reader]:
    folder = tmp_path_factory.mktemp("malicious")
    return valid_files.recordings(folder / "recordings") | valid_files.tables(folder / "tables")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*READERS, "manifest", "events", "bids", "matrix", "pack"])
def test_a_mutated_file_is_read_or_gives_an_error(
    readers: dict[str, valid_files.Reader], name: str, tmp_path: Path
) -> None:
    assert try_mutated(readers[name], name, tmp_path) < 40


def try_mutated(reader: valid_files.Reader, name: str, folder: Path) -> int:
    """The number of 40 mutated files that are read; the others must give an error with their path."""
    n_read = 0
    for number in range(40):
        rng = random.Random(f"{name}/{number}")
        at = rng.randrange(len(reader.inputs))
        files = reader.inputs[at]
        changed = rng.choice(sorted(files))
        for file, content in (files | {changed: malicious_files.mutated(files, changed, rng)}).items():
            (folder / str(number) / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / str(number) / file).write_bytes(content)
        try:
            reader.read(folder / str(number) / reader.names[at])
            n_read += 1
        except InputError as error:
            assert str(folder) in str(error)
    return n_read


@pytest.fixture(scope="module")
def run_readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, valid_files.Reader]:
    folder = tmp_path_factory.mktemp("malicious_runs")
    valid_files.train_and_export(folder)
    return valid_files.runs(folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["model", "state", "split", "report", "numpy"])  # others may crash
def test_a_mutated_run_is_opened_or_gives_an_error(
    run_readers: dict[str, valid_files.Reader], name: str, tmp_path: Path
) -> None:
    """The JSON, JSONL, safetensors, skops and arrays of a run, and the folder of an export."""
    assert 0 < try_mutated(run_readers[name], name, tmp_path) < 40


@pytest.mark.parametrize("text", [DEEP_JSON, "9" * 5000, '{"a": ', "\ud800"])
def test_json_nested_too_deeply_or_with_huge_numbers_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"a\.json: expected JSON; "):
        read_json(tmp_path / "a.json")


def test_settings_nested_too_deeply_in_a_matrix_are_an_error(tmp_path: Path) -> None:
    path = write_members(tmp_path / "a.npz", hht=npy(np.ones((256, 256))), settings=npy(np.array(DEEP_JSON)))
    with pytest.raises(InputError, match=r"a\.npz: expected the settings as JSON; "):
        read_matrix(path)


def bomb(path: Path, name: str, size: int = 3 * 2**30) -> Path:
    """An archive whose directory states that its empty member unpacks to ``size`` bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, b"")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # the size in the central directory, which readers use
    content[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_archives_that_unpack_to_too_much_are_an_error(tmp_path: Path) -> None:
    message = r": unpacks to 3221225472 bytes; expected no more than 10737"
    for read in (read_recording, read_matrix):
        with pytest.raises(InputError, match=r"a\.npz" + message):
            read(bomb(tmp_path / "a.npz", "emg.npy"))
    with pytest.raises(InputError, match=r"a\.skops" + message):
        load_svm(bomb(tmp_path / "a.skops", "schema.json"))


@pytest.mark.parametrize(("stated", "found"), [({"n_planes": 10**12}, "n_planes"), ({"dropout": "x"}, "dropout"),
                                               ({"dropout": float("inf")}, "dropout")])  # fmt: skip
def test_a_network_too_large_for_memory_is_an_error(stated: dict[str, object], found: str) -> None:
    with pytest.raises(InputError, match=rf"{found} must "):
        NetworkConfig(**{"n_classes": 2, **stated})  # type: ignore[arg-type]


def test_an_svm_with_inconsistent_parts_is_an_error(tiny_copy: Path) -> None:
    """libsvm does not check the sizes of its arrays."""
    path = tiny_copy / "best" / "gender.skops"
    svm = load_svm(path)
    machine = svm[-1].calibrated_classifiers_[0].estimator
    machine._n_support = machine._n_support + np.int32(1000)
    skops.io.dump(svm, path)
    with pytest.raises(InputError, match=r"gender\.skops: expected .* parts fit each other; vectors of a class"):
        load_svm(path)
    machine._n_support = machine._n_support - np.int32(1000)
    machine._gamma = float("nan")
    skops.io.dump(svm, path)
    with pytest.raises(InputError, match=r"gender\.skops: .*; it gives no probabilities"):
        load_svm(path)


def test_a_state_without_facts_is_an_error(tmp_path: Path) -> None:
    save_file({"network.a": np.zeros(1, np.float32)}, tmp_path / "state.safetensors", metadata={"facts": "1"})
    assert load_file(tmp_path / "state.safetensors")
    with pytest.raises(InputError, match=r"state\.safetensors: expected what resume needs as JSON; "):
        load_state(tmp_path)


def test_a_batch_with_damaged_files_of_every_format(
    simulated_run: Path, readers: dict[str, valid_files.Reader], tmp_path: Path
) -> None:
    """All intact files are predicted, each damaged one is listed with its reason, and no pickle is executed."""
    folder, bad = tmp_path / "batch", set()
    for name in READERS:
        reader = readers[name]
        (folder / name).mkdir(parents=True)
        for file, content in reader.inputs[0].items():
            kept = 1000 if file == reader.names[0] else len(content)
            (folder / name / file).write_bytes(content[:kept])
        main = folder / name / reader.names[0]
        if name in ("csv", "txt", "trigno", "wfdb"):
            main.write_bytes(b"\0\0" + b"words, no numbers\n" * 50)
        bad.add(f"{name}/{main.name}")
    np.savez(folder / "pickled.npz", hht=np.array([Payload(tmp_path / "run")], dtype=object))
    bad |= {"pickled.npz"}
    good = {f"good{i}.npz" for i in range(3)} | {"good.csv"}
    for i, name in enumerate(sorted(good)):
        write_recording(noise(seed=i), folder / name)
    found = open_run(simulated_run, cpu=True).predict(folder, n_jobs=1)
    assert {p.file for p in found.predictions} == good
    assert set(found.errors) >= bad
    assert all(file.rsplit("/")[-1].split(".")[0] in reason for file, reason in found.errors.items())
    assert not (tmp_path / "run").exists()


def test_results_of_recordings_elsewhere_are_written_only_into_the_output_folder(tmp_path: Path) -> None:
    """A manifest may name recordings anywhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("up.csv", "absolute.csv"):
        write_recording(noise(), elsewhere / name)
    work = tmp_path / "work"
    work.mkdir()
    rows = [
        "../elsewhere/up.csv,S1,../../m,full",
        f"{elsewhere}/absolute.csv,/S2,/tmp/m,../x",
        "../../etc/passwd,S3,m,full",
    ]
    (work / "manifest.csv").write_text("\n".join(["file,subject,muscle,movement", *rows, ""]))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    done = prepare(find_jobs(work / "manifest.csv"), work / "out", configure(band_hz=(20.0, 200.0)), n_jobs=1)
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert made
    assert all((work / "out") in path.parents for path in made)
    assert [failure.file for failure in done.failures] == ["../../etc/passwd"]
