"""Small valid files for every reader, and the one door each is read through.

Knows the readers and formats of files: nothing of what turns them hostile, of processes, limits or counts;
`hostile.py`, `benchmarks/fuzz.py` and `test_hostile.py` bring those.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import test_bids
import test_edf
import test_hdf5
import test_otb
import test_trigno
import test_wfdb
import test_xdf

from builders import SETTINGS, make_dataset, rows, signal, with_time, write_dataset

Files = dict[str, bytes]  # name -> content, in one folder

SUB = "sub-01/emg/sub-01_task-curl"


@dataclass(frozen=True)
class Reader:
    """seeds : valid folders; main : the file (or ``.``, the folder) that ``door`` is given."""

    seeds: tuple[Files, ...]
    door: Callable[[Path], Any]
    main: tuple[str, ...]


def files_in(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def recordings(folder: Path) -> dict[str, Reader]:
    """Readers of recordings, which share one door."""
    from semg_hht.recordings.recording import read_recording

    def door(path: Path) -> Any:
        return read_recording(path, rate_hz=None if path.suffix != ".txt" else 1000.0)

    found = {}
    for write in (_csv, _txt, _trigno, _mat, _npz, _hdf5, _edf, _bdf, _wfdb, _xdf, _otb):
        name = write.__name__[1:]
        paths = write(NotebookFolders(folder, name))
        found[name] = Reader(tuple(files_in(p.parent) for p in paths), door, tuple(p.name for p in paths))
    return found


@dataclass
class NotebookFolders:
    """A new folder for each file of a format: what stands beside it belongs to it."""

    folder: Path
    name: str
    n: int = 0

    def new(self) -> Path:
        inner = self.folder / f"{self.name}{self.n}"
        inner.mkdir(parents=True)
        self.n += 1
        return inner

    def texts(self, **contents: str) -> list[Path]:
        paths = []
        for stem, text in contents.items():
            paths.append(self.new() / f"{stem}.{self.name}")
            paths[-1].write_text(text)
        return paths


def _csv(places: NotebookFolders) -> list[Path]:
    return places.texts(
        a="time,a [mV],b [mV]\n" + with_time(0.001, channels=2),
        b="sep=;\nt;a\n" + with_time(0.001).replace(",", ";").replace(".", ","),
        c="# fs = 1000 Hz\na,b\n" + rows(signal()),
    )


def _txt(places: NotebookFolders) -> list[Path]:
    sensors = '"column": ["nSeq", "A1"], "sampling rate": 1000, "label": ["A1"], "sensor": ["EMG"]'
    samples = rows(signal(), "\t")
    timed = with_time(0.001, channels=2).replace(",", "\t")
    return places.texts(
        a=samples,
        b=f'# OpenSignals Text File Format\n# {{"00:07": {{{sensors}}}}}\n# EndOfHeader\n' + samples,
        c="Interval=\t0.001 s\nChannelTitle=\tEMG\tB\nRange=\t10 mV\t10 mV\n" + timed,
        d="acq\n1 msec/sample\n2 channels\nA\nmV\nB\nmV\n" + samples,
    )


def _trigno(places: NotebookFolders) -> list[Path]:
    def short(sensors: Any) -> Any:
        return [(name, rate, values[: 200 if rate > 1000 else 15]) for name, rate, values in sensors]

    return [
        test_trigno.emgworks(places.new(), short(test_trigno.EMGWORKS)),
        test_trigno.discover(places.new(), short(test_trigno.DISCOVER)),
    ]


def _mat(places: NotebookFolders) -> list[Path]:
    import scipy.io

    paths = [places.new() / "a.mat" for _ in range(3)]
    whole = {**_arrays(), "s": {"x": 1, "y": [1, 2]}, "c": np.array([1, "a"], object)}
    scipy.io.savemat(paths[0], whole)
    scipy.io.savemat(paths[1], whole, do_compression=True)
    scipy.io.savemat(paths[2], {"emg": signal(), "fs": 1000.0}, format="4")
    new = test_hdf5.write_matlab_73(places.new() / "a.mat", {"emg": signal(), "fs": np.array(1000.0)})
    return [*paths, new]


def _npz(places: NotebookFolders) -> list[Path]:
    paths = [places.new() / "a.npz" for _ in range(2)]
    np.savez(paths[0], **_arrays())
    np.savez_compressed(paths[1], **_arrays())
    return paths


def _arrays() -> dict[str, Any]:
    return {"emg": signal(), "fs": np.array(1000.0), "channel_names": np.array(["a", "b"])}


def _hdf5(places: NotebookFolders) -> list[Path]:
    plux, plain = (places.new() / "a.h5" for _ in range(2))
    test_hdf5.write_plux(plux)
    with test_hdf5.h5py.File(plain, "w") as file:
        data = file.create_dataset("emg", data=signal(), chunks=(20, 2), compression="gzip")
        data.attrs["sampling rate"] = 1000.0
    return [plux, plain]


def _edf(places: NotebookFolders) -> list[Path]:
    labels = ["EMG biceps", "EMG triceps", "ACC"]
    return [test_edf.write(places.new() / f"a.{places.name}", labels, [200, 200, 20], ["uV", "mV", "g"])]


def _bdf(places: NotebookFolders) -> list[Path]:
    return _edf(places)


def _wfdb(places: NotebookFolders) -> list[Path]:
    long, test_wfdb.SIGNAL_MV = test_wfdb.SIGNAL_MV, test_wfdb.SIGNAL_MV[:200]
    paths = [
        test_wfdb.write(places.new()),
        test_wfdb.segmented(places.new(), "a_1 200", "a_2 200", n_samples=400),
    ]
    test_wfdb.SIGNAL_MV = long
    return paths


def _xdf(places: NotebookFolders) -> list[Path]:
    emg = test_xdf.emg(test_xdf.STAMPS[:200], table=test_xdf.SIGNAL_UV[:200])
    return [test_xdf.write(places.new(), test_xdf.markers(7), emg)]


def _otb(places: NotebookFolders) -> list[Path]:
    whole = test_otb.whole(content=test_otb.COUNTS[:200].tobytes())
    return [test_otb.write(places.new(), whole, kind) for kind in ("w", "w:gz")]


def tables(folder: Path) -> dict[str, Reader]:
    """A manifest, events, a BIDS dataset, a matrix, a pack."""
    from semg_hht.datasets.find_inputs import find_jobs, is_manifest
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.matrix_store import INDEX_FILE, read_pack
    from semg_hht.matrices.matrix import Matrix, is_matrix_file, read_facts, read_matrix, write_matrix
    from semg_hht.recordings.jobs import read_job
    from semg_hht.recordings.events import read_events
    from semg_hht.recordings.manifest import read_manifest

    data = write_dataset(make_dataset(n_subjects=2, n_repetitions=1), folder / "data")
    manifest = (data / "manifest.csv").read_bytes()
    short = (b"file,subject,movement,rate_hz,start_s,stop_s,channels\n"
             b"a.csv,S1,full,1000,0,1.5,a;b\na.csv,S1,half,1000,2,3,1\n")  # fmt: skip
    values = np.round(np.random.default_rng(0).random((1, 256, 256), dtype=np.float32), 1)
    axis = np.arange(256.0)
    whole = Matrix(values, SETTINGS, axis, axis, {"rms": (1.0,)}, axis[:6])
    write_matrix(folder / "ours" / "a.npz", whole, rate_hz=1000, source="a.csv")
    (folder / "foreign").mkdir()
    np.savez_compressed(folder / "foreign" / "a.npz", spectrum=values[0], sampling_rate=np.array(1000))
    matrices = [files_in(folder / "ours"), files_in(folder / "foreign")]
    load_folder(data, pack=folder / "pack")
    stamps = json.loads((folder / "pack" / INDEX_FILE).read_text())["stamps"]
    pack = files_in(folder / "pack")
    events = b"onset\tduration\ttrial_type\tchannel\n0.1\t0.5\tfull\tB1\n1\t0.5\thalf\tn/a\n"
    bids = files_in(
        test_bids.dataset(
            folder / "bids", **{f"{SUB}_channels.tsv": test_bids.CHANNELS, f"{SUB}_events.tsv": events.decode(),
            f"{SUB}_emg.json": '{"SamplingFrequency": 200, "TaskName": "curl"}',
            f"{SUB}_events.json": '{"channel": {"Delimiter": ","}}',
            "participants.tsv": "participant_id\tsex\tage\nsub-01\tF\t30\n"},
        )
    )  # fmt: skip
    edf = test_edf.write(folder / "a.edf", ["B1", "B2", "K"], [200, 200, 200], ["uV", "uV", "oC"])
    bids[test_bids.CURL] = edf.read_bytes()

    def of_manifest(path: Path) -> Any:
        return is_manifest(path), find_jobs(path), read_manifest(path)

    def of_bids(path: Path) -> Any:
        for job in find_jobs(path):
            read_job(job)

    def of_matrix(path: Path) -> Any:
        is_matrix_file(path)
        read_facts(path)
        return read_matrix(path)

    def of_pack(path: Path) -> Any:
        found = read_pack(path, stamps)
        return None if found is None else found[0][:1]

    return {
        "manifest": Reader(({"manifest.csv": manifest}, {"manifest.csv": short}), of_manifest, ("manifest.csv",) * 2),
        "events": Reader(
            ({"a.tsv": events}, {"a.tsv": b"0.5\n1.5\n"}, {"a.tsv": b"start_s;stop_s;label\n0,5;1;x\n"}),
            lambda path: read_events(path, 10.0), ("a.tsv",) * 3,
        ),
        "bids": Reader((bids,), of_bids, (".",)),
        "matrix": Reader(tuple(matrices), of_matrix, ("a.npz",) * 2),
        "pack": Reader((pack,), of_pack, (".",)),
    }  # fmt: skip


def train_and_export(folder: Path) -> None:
    """The run and the export that `runs` damages. Apart: the engines that check an export start threads."""
    from semg_hht.export.export import export
    from semg_hht.learning.checkpoint import load_model
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import train

    train(make_dataset(), folder / "run", TrainingConfig(epochs=2, batch_size=8, learning_rate=1e-3), base_channels=2,
          n_layers=3, cpu=True)  # fmt: skip
    export(load_model(folder / "run" / "best"), folder / "run" / "best", folder / "export")


def runs(folder: Path) -> dict[str, Reader]:
    """A run directory and what it exports, as `train_and_export` left them in ``folder``."""
    from semg_hht.audit.check import read_split
    from semg_hht.learning.checkpoint import load_state
    from semg_hht.prediction.run import open_run
    from semg_hht.report.evaluations import open_evaluation

    one = np.zeros((1, 1, 256, 256), np.float32)

    def of_run(path: Path) -> Any:
        run = open_run(path, cpu=True)
        return run.engine.probabilities(np.repeat(one, run.n_planes, axis=1))

    def with_onnxruntime(path: Path) -> Any:
        return open_run(path, engine="onnxruntime").engine.probabilities(one)

    def with_openvino(path: Path) -> Any:
        return open_run(path, engine="openvino").engine.probabilities(one)

    def with_numpy(path: Path) -> Any:
        return open_run(path, engine="numpy").engine.probabilities(one)

    export_files = files_in(folder / "export")
    last = {name: content for name, content in files_in(folder / "run" / "last").items() if "state" in name}
    beside = {name: content for name, content in files_in(folder / "run").items() if "/" not in name}
    return {
        "model": Reader((files_in(folder / "run" / "best"),), of_run, (".",)),
        "state": Reader((last,), load_state, (".",)),
        "split": Reader(({"split.json": beside["split.json"]},), read_split, ("split.json",)),
        "report": Reader(
            ({k: v for k, v in beside.items() if k.endswith((".json", ".jsonl"))},), open_evaluation, (".",)
        ),
        "numpy": Reader((export_files,), with_numpy, (".",)),
        "onnxruntime": Reader((export_files,), with_onnxruntime, (".",)),
        "openvino": Reader((export_files,), with_openvino, (".",)),
    }
