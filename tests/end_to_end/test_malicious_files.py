"""Files made to harm or simply broken: refused in a sentence, one by one; the others of a batch are answered.

`benchmarks/fuzz.py` found the cases that stand here by name; a few hundred inputs of its kind run with every test run.
"""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
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
from semg_hht.recordings.events import read_events
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.system.files import read_json

# Of the pandas that wfdb writes its headers with.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")
DEEP = "[" * 100_000
READERS = ("csv", "txt", "trigno", "mat", "npz", "hdf5", "edf", "bdf", "wfdb", "xdf", "otb")


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, valid_files.Reader]:
    folder = tmp_path_factory.mktemp("hostile")
    return valid_files.recordings(folder / "recordings") | valid_files.tables(folder / "tables")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*READERS, "manifest", "events", "bids", "matrix", "pack"])
def test_a_mutated_file_is_read_or_refused(readers: dict[str, valid_files.Reader], name: str, tmp_path: Path) -> None:
    assert try_mutated(readers[name], name, tmp_path) < 40


def try_mutated(reader: valid_files.Reader, name: str, folder: Path) -> int:
    """How many of 40 mutated files are read; the others must be refused by name."""
    n_read = 0
    for number in range(40):
        rng = random.Random(f"{name}/{number}")
        at = rng.randrange(len(reader.seeds))
        files = reader.seeds[at]
        changed = rng.choice(sorted(files))
        for file, content in (files | {changed: malicious_files.mutated(files, changed, rng)}).items():
            (folder / str(number) / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / str(number) / file).write_bytes(content)
        try:
            reader.door(folder / str(number) / reader.main[at])
            n_read += 1
        except InputError as error:
            assert str(folder) in str(error)
    return n_read


@pytest.fixture(scope="module")
def run_readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, valid_files.Reader]:
    folder = tmp_path_factory.mktemp("hostile_runs")
    valid_files.train_and_export(folder)
    return valid_files.runs(folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["model", "state", "split", "report", "numpy"])  # the others may end the process
def test_a_mutated_run_is_opened_or_refused(
    run_readers: dict[str, valid_files.Reader], name: str, tmp_path: Path
) -> None:
    """Its JSON and JSONL, safetensors, skops, arrays, and the folder of an export."""
    assert 0 < try_mutated(run_readers[name], name, tmp_path) < 40


@pytest.mark.parametrize("text", [DEEP, "9" * 5000, '{"a": ', "\ud800"])
def test_json_without_end_and_numbers_of_thousands_of_digits(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"a\.json: expected JSON; "):
        read_json(tmp_path / "a.json")


def test_settings_without_end_in_a_matrix(tmp_path: Path) -> None:
    path = write_members(tmp_path / "a.npz", hht=npy(np.ones((256, 256))), settings=npy(np.array(DEEP)))
    with pytest.raises(InputError, match=r"a\.npz: expected the settings as JSON; "):
        read_matrix(path)


def bomb(path: Path, name: str, size: int = 3 * 2**30) -> Path:
    """An archive of a few MB whose one member unpacks to ``size`` zeros, which were never in memory."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, b"")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # what the central directory says of it, which readers go by
    content[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_archives_that_unpack_to_far_more_than_they_hold(tmp_path: Path) -> None:
    said = r": unpacks to 3221225472 bytes; expected no more than 10737"
    for read in (read_recording, read_matrix):
        with pytest.raises(InputError, match=r"a\.npz" + said):
            read(bomb(tmp_path / "a.npz", "emg.npy"))
    with pytest.raises(InputError, match=r"a\.skops" + said):
        load_svm(bomb(tmp_path / "a.skops", "schema.json"))


def test_a_compressed_mat_file_that_unpacks_to_far_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"emg": np.zeros((200_000, 2)), "fs": 1000.0}, do_compression=True)
    monkeypatch.setattr("semg_hht.system.files.MAX_BYTES", 2**20)
    with pytest.raises(InputError, match=r"a\.mat: unpacks to \d+ bytes; expected no more than 1048576"):
        read_recording(tmp_path / "a.mat")


def test_an_element_that_mat_files_do_not_have_never_reaches_scipy(tmp_path: Path) -> None:
    """scipy 1.17 looks the type up beyond its table and the process ends (signal 11)."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"emg": np.zeros((100, 2)), "fs": 1000.0})
    whole = path.read_bytes()
    at = whole.index(b"\x09\0\0\0\x40\x06\0\0")  # the samples: doubles, of 1600 bytes
    for kind in (0, 8, 10, 14, 15, 19, 128):
        path.write_bytes(whole[:at] + bytes([kind]) + whole[at + 1 :])
        with pytest.raises(InputError, match=rf"a\.mat: can't be read as a MAT file; an element of type {kind}, which"):
            read_recording(path)
    path.write_bytes(whole[:144] + b"\x63" + whole[145:])
    with pytest.raises(InputError, match=r"an array of class 99; expected 1 to 17"):
        read_recording(path)


def test_a_link_to_nothing_in_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        device = file.create_group("device")
        device.attrs["sampling rate"] = 1000
        device.create_group("raw")["channel_1"] = h5py.SoftLink("/nowhere")
    with pytest.raises(InputError, match=r"a\.h5: can't be read as HDF5; "):
        read_recording(tmp_path / "a.h5")


def test_events_that_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x" * 200_000)
    with pytest.raises(InputError, match=r"a\.csv: expected a table of events; field larger than field limit"):
        read_events(tmp_path / "a.csv", 10.0)


def test_events_of_a_single_cell(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("click\n")
    with pytest.raises(InputError, match=r"a\.csv: expected one line an event; found only a header"):
        read_events(tmp_path / "a.csv", 10.0)
    (tmp_path / "a.csv").write_text("1,2\n3\n")
    with pytest.raises(InputError, match=r"a\.csv, line 2: expected a time in seconds; found ''"):
        read_events(tmp_path / "a.csv", 10.0)


@pytest.mark.parametrize(("stated", "found"), [({"n_planes": 10**12}, "n_planes"), ({"dropout": "x"}, "dropout"),
                                               ({"dropout": float("inf")}, "dropout")])  # fmt: skip
def test_a_network_that_no_memory_holds(stated: dict[str, object], found: str) -> None:
    with pytest.raises(InputError, match=rf"{found} must "):
        NetworkConfig(**{"n_classes": 2, **stated})  # type: ignore[arg-type]


def test_an_svm_whose_parts_do_not_fit(tiny_copy: Path) -> None:
    """libsvm trusts the sizes of its arrays."""
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


def test_a_state_whose_facts_are_none(tmp_path: Path) -> None:
    save_file({"network.a": np.zeros(1, np.float32)}, tmp_path / "state.safetensors", metadata={"facts": "1"})
    assert load_file(tmp_path / "state.safetensors")
    with pytest.raises(InputError, match=r"state\.safetensors: expected what resume needs as JSON; "):
        load_state(tmp_path)


def test_a_batch_with_bad_files_of_every_kind(
    simulated_run: Path, readers: dict[str, valid_files.Reader], tmp_path: Path
) -> None:
    """All good files are answered, and each bad one is listed with its reason; no pickle is run."""
    folder, bad = tmp_path / "batch", set()
    for name in READERS:
        reader = readers[name]
        (folder / name).mkdir(parents=True)
        for file, content in reader.seeds[0].items():
            kept = 1000 if file == reader.main[0] else len(content)
            (folder / name / file).write_bytes(content[:kept])
        main = folder / name / reader.main[0]
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


def test_a_manifest_may_point_anywhere_but_nothing_is_written_there(tmp_path: Path) -> None:
    """Recordings may lie elsewhere; what is made of them lies in the folder that was named."""
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
