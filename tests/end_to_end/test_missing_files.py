"""Paths that are not ordinary files: pipes, devices without end, links to themselves, missing files.

Each gives an error of one sentence in every format. Nothing blocks, and the other files of a batch are predicted.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders import noise
from conftest import Simulated
from recording_files import BIDS_CHANNELS, BIDS_STEM, write_bids
from semg_hht.audit.check import check_data
from semg_hht.cli.main import main
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.errors import InputError
from semg_hht.exports.export import export
from semg_hht.inference.engines import installed
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.dataset import load_folder
from semg_hht.matrices.transform import configure
from semg_hht.prediction.run import open_run
from semg_hht.recordings.formats.readers import READERS
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.system.files import read_json, require_file, write_json

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes"),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),  # of pandas, with which wfdb reads headers
]
SECONDS = 120


@pytest.fixture(autouse=True)
def time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"the test takes more than {SECONDS} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="module")
def exported(simulated_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("no_files") / "exported"
    export(load_model(simulated_run / "best"), simulated_run / "best", out)
    return out


def make_unreadable(folder: Path, suffix: str) -> dict[str, str]:
    """Make one path of each kind. Returns its name -> a part of the error that it must give."""
    os.mkfifo(folder / f"pipe{suffix}")
    (folder / f"zero{suffix}").symlink_to("/dev/zero")
    (folder / f"loop{suffix}").symlink_to(f"loop{suffix}")
    (folder / f"gone{suffix}").symlink_to("/nowhere/at/all")
    (folder / f"folder{suffix}").mkdir()
    (folder / f"empty{suffix}").write_bytes(b"")
    errors = {"pipe": "found a pipe", "zero": "found a device", "loop": "can't be read; Too many levels",
              "gone": "no such file", "folder": "found a folder", "empty": ""}  # fmt: skip
    return {f"{stem}{suffix}": text for stem, text in errors.items()}


def require_errors(errors: dict[str, str], expected: dict[str, str]) -> None:
    assert errors.keys() == expected.keys()
    assert [file for file, text in expected.items() if text not in errors[file] or file not in errors[file]] == []


@pytest.mark.parametrize("engine", ["torch", *installed()])
def test_a_batch_is_predicted_except_for_unreadable_paths(
    simulated: Simulated, simulated_run: Path, exported: Path, tmp_path: Path, engine: str
) -> None:
    expected: dict[str, str] = {}
    for suffix in READERS:
        expected |= make_unreadable(tmp_path, suffix)
    write_recording(noise(), tmp_path / "good.csv")
    shutil.copy(sorted(simulated.matrices.iterdir())[0], tmp_path / "good.npz")
    (tmp_path / "up").symlink_to(tmp_path)
    run = open_run(simulated_run if engine == "torch" else exported, cpu=True, engine=engine)
    found = run.predict(tmp_path, n_jobs=1)
    assert {prediction.file for prediction in found.predictions} == {"good.csv", "good.npz"}
    require_errors(found.errors, expected)


def test_a_folder_is_prepared_except_for_unreadable_paths(tmp_path: Path) -> None:
    """`prepare` reads the bytes of a recording before it reads its samples."""
    (tmp_path / "data").mkdir()
    expected = make_unreadable(tmp_path / "data", ".csv") | make_unreadable(tmp_path / "data", ".hea")
    write_recording(noise(), tmp_path / "data" / "good.csv")
    done = prepare(find_jobs(tmp_path / "data"), tmp_path / "out", configure(band_hz=(20.0, 200.0)), n_jobs=1)
    assert done.n_recordings == 1
    require_errors({failure.file: failure.reason for failure in done.failures}, expected)


@pytest.fixture
def listed(simulated: Simulated, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder of matrices whose manifest also lists unreadable paths, and these with a part of their errors."""
    folder = tmp_path / "listed"
    shutil.copytree(simulated.matrices, folder)
    expected = make_unreadable(folder, ".npz")
    expected |= {f"{'n' * 300}.npz": "can't be read; File name too long", "zero\0.npz": "no name of a file",
             "/dev/stdin.npz": "no such file", "../../../../etc/passwd.npz": "no such file",
             "pipe.npz/a.npz": "no such file"}  # fmt: skip
    lines = simulated.prepared_manifest.read_text(encoding="utf-8").replace("hht_matrices/", "").splitlines()
    labels = lines[1].split(",", 1)[1]
    text = "\n".join([*lines, *(f"{file},{labels}" for file in expected), ""])
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    return folder, {file.replace("\0", "\\x00"): text for file, text in expected.items()}


def test_training_leaves_out_unreadable_paths(
    listed: tuple[Path, dict[str, str]], tmp_path: Path, simulated: Simulated
) -> None:
    folder, expected = listed
    for pack in (None, tmp_path / "pack"):
        data = load_folder(folder, pack=pack)
        assert len(data) == len(load_folder(simulated.matrices))
        require_errors({failure.file.replace("\0", "\\x00"): failure.reason for failure in data.failures}, expected)


def test_the_audit_names_unreadable_paths(listed: tuple[Path, dict[str, str]]) -> None:
    folder, expected = listed
    texts = "\n".join(finding.sentence for finding in check_data(folder).findings)
    assert [text for text in expected.values() if text not in texts] == []


@pytest.mark.parametrize("name", ["channels.tsv", "events.tsv", "emg.json"])
def test_a_bids_dataset_with_a_pipe_as_sidecar_is_an_error(tmp_path: Path, name: str) -> None:
    write_bids(tmp_path, {f"{BIDS_STEM}_channels.tsv": BIDS_CHANNELS})
    sidecar = tmp_path / f"{BIDS_STEM}_{name}"
    sidecar.unlink(missing_ok=True)
    os.mkfifo(sidecar)
    with pytest.raises(InputError, match=rf"{name}: expected a file; found a pipe"):
        find_jobs(tmp_path)


@pytest.mark.parametrize(
    ("pipe", "header"), [("a.dat", "a 1 1000\na.dat 16 200/mV 16 0 0 0 0 b\n"), ("b.hea", "a/1 1 1000 40\nb 40\n")]
)
def test_a_wfdb_header_that_names_a_pipe_is_an_error(tmp_path: Path, pipe: str, header: str) -> None:
    pytest.importorskip("wfdb")
    (tmp_path / "a.hea").write_text(header)
    os.mkfifo(tmp_path / pipe)
    with pytest.raises(InputError, match=rf"{pipe}: expected a file; found a pipe"):
        read_recording(tmp_path / "a.hea")


@pytest.mark.parametrize("name", ["network.onnx", "network.bin", "network.json", "gender.npz"])
def test_an_export_with_a_pipe_is_an_error(exported: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "exported"))
    (folder / name).unlink()
    os.mkfifo(folder / name)
    for engine in ("auto", "numpy"):
        with pytest.raises(InputError, match=rf"{name}: expected a file; found a pipe"):
            open_run(folder, engine=engine)


def test_a_run_with_a_pipe_as_weights_is_an_error(tiny_copy: Path) -> None:
    (tiny_copy / "best" / "network.safetensors").unlink()
    os.mkfifo(tiny_copy / "best" / "network.safetensors")
    with pytest.raises(InputError, match=r"network\.safetensors: expected a file; found a pipe"):
        open_run(tiny_copy, cpu=True)


def test_a_file_without_permission_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(InputError, match=r"a\.csv: can't be read; Permission denied"):
        require_file(tmp_path / "a.csv")


def test_a_missing_input_does_not_stop_the_others(simulated: Simulated, simulated_run: Path, tmp_path: Path) -> None:
    good = sorted(simulated.matrices.iterdir())[0]
    found = open_run(simulated_run, cpu=True).predict([tmp_path / "none.csv", good, tmp_path], n_jobs=1)
    assert [prediction.file for prediction in found.predictions] == [good.name]
    assert set(found.errors) == {str(tmp_path / "none.csv"), str(tmp_path)}


def test_a_file_name_that_is_not_text(
    simulated: Simulated, simulated_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Linux accepts any bytes as a file name."""
    (tmp_path / "data").mkdir()
    name = os.fsdecode(b"odd\xff.npz")
    try:
        shutil.copy(sorted(simulated.matrices.iterdir())[0], tmp_path / "data" / name)
    except OSError:
        pytest.skip("this system accepts only text as file names")
    words: list[Any] = ["predict", "--checkpoint", simulated_run, "--input", tmp_path / "data", "--cpu", "--json"]
    with pytest.raises(SystemExit, match="0"):
        main([*map(str, words), "--output", str(tmp_path / "a.json")])
    assert list(read_json(tmp_path / "a.json")) == list(json.loads(capsys.readouterr().out)) == [name]
    write_json(tmp_path / "b.json", {name: 1})
    assert read_json(tmp_path / "b.json") == {name: 1}
