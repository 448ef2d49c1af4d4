"""Small valid files for every reader, and the function that reads them.

`malicious_files.py` damages the files; `test_malicious_files.py` and `benchmarks/fuzz.py` read the damaged ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np

import device_files
import recording_files
from builders import SETTINGS, make_dataset, rows, signal, with_time, write_dataset

Files = dict[str, bytes]  # name -> content, in one folder


@dataclass(frozen=True)
class Reader:
    """inputs : valid folders; names : the file in each folder (or ``.``, the folder itself) that ``read`` takes."""

    inputs: tuple[Files, ...]
    read: Callable[[Path], Any]
    names: tuple[str, ...]


def files_in(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def recordings(folder: Path) -> dict[str, Reader]:
    """The readers of recordings, each with its valid files; all are called through `read_recording`."""
    from semg_hht.recordings.recording import read_recording

    def read(path: Path) -> Any:
        return read_recording(path, rate_hz=1000.0 if path.suffix in (".txt", ".npy") else None)

    readers = {}
    writers = {"csv": _csv, "txt": _txt, "trigno": _trigno, "mat": _mat, "npz": _npz, "npy": _npy, "hdf5": _hdf5,
               "edf": _edf, "bdf": _edf, "wfdb": _wfdb, "xdf": _xdf, "otb": _otb, "c3d": _c3d,
               "xlsx": _xlsx, "ods": _ods, "parquet": _parquet, "feather": _parquet,
               "acq": _acq, "rhd": _rhd, "poly5": _poly5, "smr": _smr}  # fmt: skip
    for name, write in writers.items():
        paths = write(NewFolders(folder, name))
        readers[name] = Reader(tuple(files_in(p.parent) for p in paths), read, tuple(p.name for p in paths))
    return readers


@dataclass
class NewFolders:
    """A new folder for each file of a format, because files beside it may belong to it."""

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


def _csv(folders: NewFolders) -> list[Path]:
    return folders.texts(
        a="time,a [mV],b [mV]\n" + with_time(0.001, channels=2),
        b="sep=;\nt;a\n" + with_time(0.001).replace(",", ";").replace(".", ","),
        c="# fs = 1000 Hz\na,b\n" + rows(signal()),
    )


def _txt(folders: NewFolders) -> list[Path]:
    sensors = '"column": ["nSeq", "A1"], "sampling rate": 1000, "label": ["A1"], "sensor": ["EMG"]'
    samples = rows(signal(), "\t")
    timed = with_time(0.001, channels=2).replace(",", "\t")
    return folders.texts(
        a=samples,
        b=f'# OpenSignals Text File Format\n# {{"00:07": {{{sensors}}}}}\n# EndOfHeader\n' + samples,
        c="Interval=\t0.001 s\nChannelTitle=\tEMG\tB\nRange=\t10 mV\t10 mV\n" + timed,
        d="acq\n1 msec/sample\n2 channels\nA\nmV\nB\nmV\n" + samples,
    )


def _trigno(folders: NewFolders) -> list[Path]:
    def short(sensors: Any) -> Any:
        return [(name, rate, values[: 200 if rate > 1000 else 15]) for name, rate, values in sensors]

    return [
        recording_files.write_emgworks(folders.new(), short(recording_files.EMGWORKS)),
        recording_files.write_discover(folders.new(), short(recording_files.DISCOVER)),
    ]


def _mat(folders: NewFolders) -> list[Path]:
    import scipy.io

    paths = [folders.new() / "a.mat" for _ in range(3)]
    whole = {**_arrays(), "s": {"x": 1, "y": [1, 2]}, "c": np.array([1, "a"], object)}
    scipy.io.savemat(paths[0], whole)
    scipy.io.savemat(paths[1], whole, do_compression=True)
    scipy.io.savemat(paths[2], {"emg": signal(), "fs": 1000.0}, format="4")
    new = recording_files.write_matlab_73(folders.new() / "a.mat", {"emg": signal(), "fs": np.array(1000.0)})
    return [*paths, new]


def _npz(folders: NewFolders) -> list[Path]:
    paths = [folders.new() / "a.npz" for _ in range(2)]
    np.savez(paths[0], **_arrays())
    np.savez_compressed(paths[1], **_arrays())
    return paths


def _npy(folders: NewFolders) -> list[Path]:
    path = folders.new() / "a.npy"
    np.save(path, signal())
    return [path]


def _arrays() -> dict[str, Any]:
    return {"emg": signal(), "fs": np.array(1000.0), "channel_names": np.array(["a", "b"])}


def _hdf5(folders: NewFolders) -> list[Path]:
    import h5py

    plux, plain = (folders.new() / "a.h5" for _ in range(2))
    recording_files.write_plux(plux)
    with h5py.File(plain, "w") as file:
        data = file.create_dataset("emg", data=signal(), chunks=(20, 2), compression="gzip")
        data.attrs["sampling rate"] = 1000.0
    return [plux, plain]


def _edf(folders: NewFolders) -> list[Path]:
    labels = ["EMG biceps", "EMG triceps", "ACC"]
    return [recording_files.write_edf(folders.new() / f"a.{folders.name}", labels, [200, 200, 20], ["uV", "mV", "g"])]


def _wfdb(folders: NewFolders) -> list[Path]:
    short = recording_files.WFDB_MV[:200]
    return [
        recording_files.write_wfdb(folders.new(), signal_mv=short),
        recording_files.write_wfdb_segments(folders.new(), "a_1 200", "a_2 200", n_samples=400, signal_mv=short),
    ]


def _xdf(folders: NewFolders) -> list[Path]:
    emg = recording_files.xdf_emg(recording_files.XDF_STAMPS[:200], table=recording_files.XDF_UV[:200])
    return [recording_files.write_xdf(folders.new(), recording_files.xdf_markers(7), emg)]


def _otb(folders: NewFolders) -> list[Path]:
    members = recording_files.otb_members(content=recording_files.OTB_COUNTS[:200].tobytes())
    return [recording_files.write_otb(folders.new(), members, mode) for mode in ("w", "w:gz")]


def _acq(folders: NewFolders) -> list[Path]:
    angle = device_files.AcqChannel(b"Angle", b"deg", device_files.COUNTS[:50, 1].astype("<f8"), 8)
    channels = [device_files.AcqChannel(), angle]
    return [
        device_files.write_acq(
            folders.new(), device_files.acq_content(channels, is_compressed=is_compressed, segments=[100, 200])
        )
        for is_compressed in (False, True)
    ]


def _rhd(folders: NewFolders) -> list[Path]:
    return [device_files.write_rhd(folders.new())]


def _poly5(folders: NewFolders) -> list[Path]:
    return [device_files.write_poly5(folders.new())]


def _smr(folders: NewFolders) -> list[Path]:
    angle = device_files.SonChannel("angle", b"deg", device_files.COUNTS[:50, 1].astype("<f4"), 5000, per_block=20)
    return [
        device_files.write_spike2(folders.new(), [device_files.SonChannel(), angle], system=system)
        for system in (5, 8, 9)
    ]


def _c3d(folders: NewFolders) -> list[Path]:
    short = recording_files.C3D_V[:, :100]
    more = recording_files.c3d_parameter(3, "ACTUAL_END_FIELD", [10, 0], size=2)
    return [
        recording_files.write_c3d(folders.new(), short, scale=1e-7, more=more),
        recording_files.write_c3d(folders.new(), short, processor=recording_files.MIPS),
        recording_files.write_c3d(folders.new(), short, processor=recording_files.DEC),
    ]


def _xlsx(folders: NewFolders) -> list[Path]:
    rows = recording_files.SHEET_ROWS[:60]
    clock: list[list[object]] = [["t", "a"], *([time(10, 0, i % 60), i % 7 / 8] for i in range(60))]
    return [
        recording_files.write_xlsx(folders.new() / "a.xlsx", {"A": [["Notes", "x"]], "B": rows}),
        recording_files.write_xlsx(folders.new() / "a.xlsx", {"A": clock}),
    ]


def _ods(folders: NewFolders) -> list[Path]:
    return [recording_files.write_ods(folders.new() / "a.ods", {"A": recording_files.SHEET_ROWS[:60]})]


def _parquet(folders: NewFolders) -> list[Path]:
    import pyarrow

    clock = pyarrow.array(np.arange(60) * 1000, pyarrow.timestamp("us"))
    emg = pyarrow.array(np.round(signal()[:, 0], 3))
    fields = [pyarrow.field("t", clock.type), pyarrow.field("emg", emg.type, metadata={"unit": "mV"})]
    named = pyarrow.table([clock, emg], schema=pyarrow.schema(fields, metadata={"fs": "1000"}))
    plain = pyarrow.table({"a": emg, "b": pyarrow.array([None, *range(59)]), "c": ["x"] * 60})
    plain = plain.replace_schema_metadata({"pandas": '{"index_columns": ["b"], "attributes": {"fs": 500}}'})
    tables = [named, plain]
    return [recording_files.write_parquet(folders.new() / f"a.{folders.name}", table) for table in tables]


def tables(folder: Path) -> dict[str, Reader]:
    """The readers of manifests, events, BIDS datasets, matrices and packs."""
    from semg_hht.datasets.find_inputs import find_jobs, is_manifest
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.matrix_store import read_pack
    from semg_hht.learning.pack_index import Stamps
    from semg_hht.matrices.matrix import Matrix, is_matrix_file, read_facts, read_matrix, write_matrix
    from semg_hht.recordings.events import read_events
    from semg_hht.recordings.jobs import read_job
    from semg_hht.recordings.manifest import read_manifest

    data = write_dataset(make_dataset(n_subjects=2, n_repetitions=1), folder / "data")
    manifest = (data / "manifest.csv").read_bytes()
    small_manifest = (b"file,subject,movement,rate_hz,start_s,stop_s,channels\n"
                      b"a.csv,S1,full,1000,0,1.5,a;b\na.csv,S1,half,1000,2,3,1\n")  # fmt: skip
    values = np.round(np.random.default_rng(0).random((1, 256, 256), dtype=np.float32), 1)
    axis = np.arange(256.0)
    whole = Matrix(values, SETTINGS, axis, axis, {"rms": (1.0,)}, covariance=axis[:6])
    write_matrix(folder / "ours" / "a.npz", whole, rate_hz=1000, source="a.csv")
    (folder / "foreign").mkdir()
    np.savez_compressed(folder / "foreign" / "a.npz", spectrum=values[0], sampling_rate=np.array(1000))
    matrices = [files_in(folder / "ours"), files_in(folder / "foreign")]
    load_folder(data, pack=folder / "pack")
    stamps = Stamps.of(data, [row.file for row in read_manifest(data / "manifest.csv")])
    pack = files_in(folder / "pack")
    events = b"onset\tduration\ttrial_type\tchannel\n0.1\t0.5\tfull\tB1\n1\t0.5\thalf\tn/a\n"
    stem = recording_files.BIDS_STEM
    bids = files_in(
        recording_files.write_bids(folder / "bids", {
            f"{stem}_channels.tsv": recording_files.BIDS_CHANNELS, f"{stem}_events.tsv": events.decode(),
            f"{stem}_emg.json": '{"SamplingFrequency": 200, "TaskName": "curl"}',
            f"{stem}_events.json": '{"channel": {"Delimiter": ","}}',
            "participants.tsv": "participant_id\tsex\tage\nsub-01\tF\t30\n",
        })
    )  # fmt: skip
    edf = recording_files.write_edf(folder / "a.edf", ["B1", "B2", "K"], [200, 200, 200], ["uV", "uV", "oC"])
    bids[recording_files.BIDS_RECORDING] = edf.read_bytes()

    def read_manifest_and_jobs(path: Path) -> Any:
        return is_manifest(path), find_jobs(path), read_manifest(path)

    def read_bids_jobs(path: Path) -> Any:
        for job in find_jobs(path):
            read_job(job)

    def read_matrix_file(path: Path) -> Any:
        is_matrix_file(path)
        read_facts(path)
        return read_matrix(path)

    def read_first_of_pack(path: Path) -> Any:
        pack = read_pack(path, stamps)
        return None if pack is None else pack[0][:1]

    return {
        "manifest": Reader(
            ({"manifest.csv": manifest}, {"manifest.csv": small_manifest}), read_manifest_and_jobs,
            ("manifest.csv",) * 2,
        ),
        "events": Reader(
            ({"a.tsv": events}, {"a.tsv": b"0.5\n1.5\n"}, {"a.tsv": b"start_s;stop_s;label\n0,5;1;x\n"}),
            lambda path: read_events(path, 10.0), ("a.tsv",) * 3,
        ),
        "bids": Reader((bids,), read_bids_jobs, (".",)),
        "matrix": Reader(tuple(matrices), read_matrix_file, ("a.npz",) * 2),
        "pack": Reader((pack,), read_first_of_pack, (".",)),
    }  # fmt: skip


def train_and_export(folder: Path) -> None:
    """Write a run and its export for `runs`. A function of its own: the engines that check an export start threads."""
    from semg_hht.exports.export import export
    from semg_hht.learning.checkpoint import load_model
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    train(
        make_dataset(),
        folder / "run",
        TrainingConfig(epochs=2, batch_size=8, learning_rate=1e-3),
        NetworkSize(base_channels=2, n_layers=3),
        RunOptions(cpu=True),
    )
    export(load_model(folder / "run" / "best"), folder / "run" / "best", folder / "export")


def runs(folder: Path) -> dict[str, Reader]:
    """The readers of a run and of its export, which `train_and_export` wrote into ``folder``."""
    from semg_hht.audit.check import read_split
    from semg_hht.learning.checkpoint import load_state
    from semg_hht.prediction.run import open_run
    from semg_hht.reports.evaluations import open_evaluation

    matrix = np.zeros((1, 1, 256, 256), np.float32)

    def with_run(path: Path) -> Any:
        run = open_run(path, cpu=True)
        return run.engine.probabilities(np.repeat(matrix, run.description.network.n_planes, axis=1))

    def with_engine(engine: str) -> Callable[[Path], Any]:
        return lambda path: open_run(path, engine=engine).engine.probabilities(matrix)

    export_files = files_in(folder / "export")
    last = {name: content for name, content in files_in(folder / "run" / "last").items() if "state" in name}
    beside = {name: content for name, content in files_in(folder / "run").items() if "/" not in name}
    return {
        "model": Reader((files_in(folder / "run" / "best"),), with_run, (".",)),
        "state": Reader((last,), load_state, (".",)),
        "split": Reader(({"split.json": beside["split.json"]},), read_split, ("split.json",)),
        "report": Reader(
            ({k: v for k, v in beside.items() if k.endswith((".json", ".jsonl"))},), open_evaluation, (".",)
        ),
        **{
            engine: Reader((export_files,), with_engine(engine), (".",))
            for engine in ("numpy", "onnxruntime", "openvino")
        },
    }
