"""Small valid files for every reader, the one door each is read through, and what turns them hostile.

Knows the readers and formats of files: nothing of processes, limits or counts; `benchmarks/fuzz.py` and
`test_hostile.py` bring those.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Files = dict[str, bytes]  # name -> content, in one folder

BOMB = 48 * 2**20  # bytes that a member of zeros unpacks to; packed it takes some 48 kB
TEXT = (".csv", ".txt", ".tsv", ".json", ".jsonl", ".hea", ".xml")
SUB = "sub-01/emg/sub-01_task-curl"
# What a header may claim.
NUMBERS = ("0", "-1", "1", "1e400", "-1e400", "nan", "inf", "1000000000000", "99999999999999999999", "0.0", "1e-320",
           "9" * 5000, "abc", "", "٣", "1_000", "0x10", "1,5")  # fmt: skip
INTEGERS = (0, 1, -1, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 10**12, 2**63 - 1, 2**64 - 1)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**12, 10**400, 1e308, float("nan"), float("inf"), "", "x", "../../escaped", "/etc/passwd", [],
    {}, [None], [[[]]], {"": 0}, "\0", "\ud800", "x" * 10_000,
)  # fmt: skip
WORDS = ("\0", "\ufeff", '"', "'", ";", "\t", ",", ",,,,", "\r", "\n\n", "nan", "#", "{", "[" * 3000, "\u2028", "-",
         "1e9", "ÿ", "file", "Time (s)", "=", ":", "Hz", "\x1a")  # fmt: skip


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
    import scipy.io

    import test_edf
    import test_hdf5
    import test_otb
    import test_trigno
    import test_wfdb
    import test_xdf
    from making import rows, signal, with_time
    from semg_hht.signals.recording import read_recording

    def door(path: Path) -> Any:
        return read_recording(path, rate_hz=None if path.suffix != ".txt" else 1000.0)

    table = signal()
    arrays = {"emg": table, "fs": np.array(1000.0), "channel_names": np.array(["a", "b"])}
    found: dict[str, list[Path]] = {}

    def place(name: str) -> Path:
        inner = folder / f"{name}{len(found.setdefault(name, []))}"
        inner.mkdir(parents=True)
        return inner

    for name, text in {
        "a.csv": "time,a [mV],b [mV]\n" + with_time(0.001, channels=2),
        "b.csv": "sep=;\nt;a\n" + with_time(0.001).replace(",", ";").replace(".", ","),
        "c.csv": "# fs = 1000 Hz\na,b\n" + rows(table),
    }.items():
        path = place("csv") / name
        path.write_text(text)
        found["csv"].append(path)
    sensors = '"column": ["nSeq", "A1"], "sampling rate": 1000, "label": ["A1"], "sensor": ["EMG"]'
    for name, text in {
        "a.txt": rows(table, "\t"),
        "b.txt": f'# OpenSignals Text File Format\n# {{"00:07": {{{sensors}}}}}\n# EndOfHeader\n' + rows(table, "\t"),
        "c.txt": "Interval=\t0.001 s\nChannelTitle=\tEMG\tB\nRange=\t10 mV\t10 mV\n" + with_time(0.001, channels=2)
        .replace(",", "\t"),
        "d.txt": "acq\n1 msec/sample\n2 channels\nA\nmV\nB\nmV\n" + rows(table, "\t"),
    }.items():  # fmt: skip
        path = place("txt") / name
        path.write_text(text)
        found["txt"].append(path)
    short = [(name, rate, values[: 200 if rate > 1000 else 15]) for name, rate, values in test_trigno.EMGWORKS]
    found["trigno"] = [test_trigno.emgworks(place("trigno"), short)]
    short = [(name, rate, values[: 200 if rate > 1000 else 15]) for name, rate, values in test_trigno.DISCOVER]
    found["trigno"].append(test_trigno.discover(place("trigno"), short))
    for compressed in (False, True):
        path = place("mat") / "a.mat"
        scipy.io.savemat(path, {**arrays, "s": {"x": 1, "y": [1, 2]}, "c": np.array([1, "a"], object)},
                         do_compression=compressed)  # fmt: skip
        found["mat"].append(path)
    path = place("mat") / "a.mat"
    scipy.io.savemat(path, {"emg": table, "fs": 1000.0}, format="4")
    found["mat"].append(path)
    found["mat"].append(test_hdf5.write_matlab_73(place("mat") / "a.mat", {"emg": table, "fs": np.array(1000.0)}))
    for save in (np.savez, np.savez_compressed):
        path = place("npz") / "a.npz"
        save(path, **arrays)
        found["npz"].append(path)
    found["hdf5"] = [test_hdf5.write_plux(place("hdf5") / "a.h5")]
    path = place("hdf5") / "a.h5"
    with test_hdf5.h5py.File(path, "w") as file:
        data = file.create_dataset("emg", data=table, chunks=(20, 2), compression="gzip")
        data.attrs["sampling rate"] = 1000.0
    found["hdf5"].append(path)
    for kind in ("edf", "bdf"):
        labels = ["EMG biceps", "EMG triceps", "ACC"]
        found[kind] = [test_edf.write(place(kind) / f"a.{kind}", labels, [200, 200, 20], ["uV", "mV", "g"])]
    long, test_wfdb.SIGNAL_MV = test_wfdb.SIGNAL_MV, test_wfdb.SIGNAL_MV[:200]
    found["wfdb"] = [test_wfdb.write(place("wfdb"))]
    found["wfdb"].append(test_wfdb.segmented(place("wfdb"), "a_1 200", "a_2 200", n_samples=400))
    test_wfdb.SIGNAL_MV = long
    few, stamps = test_xdf.SIGNAL_UV[:200], test_xdf.STAMPS[:200]
    found["xdf"] = [test_xdf.write(place("xdf"), test_xdf.markers(7), test_xdf.emg(stamps, table=few))]
    for kind in ("w", "w:gz"):
        content = test_otb.COUNTS[:200].tobytes()
        found["otb"] = [*found.get("otb", []), test_otb.write(place("otb"), test_otb.whole(content=content), kind)]
    return {
        name: Reader(tuple(files_in(p.parent) for p in paths), door, tuple(p.name for p in paths))
        for name, paths in found.items()
    }


def tables(folder: Path) -> dict[str, Reader]:
    """A manifest, events, a BIDS dataset, a matrix, a pack."""
    import test_bids
    import test_edf
    from making import SETTINGS, make_dataset, write_dataset
    from semg_hht.labels import read_manifest
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.pack import INDEX_FILE, read_pack
    from semg_hht.matrices import Matrix, is_matrix_file, read_facts, read_matrix, write_matrix
    from semg_hht.pipeline import read_job
    from semg_hht.signals.events import read_events
    from semg_hht.sources import find_jobs, is_manifest

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
    from making import make_dataset
    from semg_hht.learning.checkpoint import load_model
    from semg_hht.learning.export import export
    from semg_hht.learning.run import train
    from semg_hht.learning.training import TrainingConfig

    train(make_dataset(), folder / "run", TrainingConfig(epochs=2, batch_size=8, learning_rate=1e-3), base_channels=2,
          n_layers=3, cpu=True)  # fmt: skip
    export(load_model(folder / "run" / "best"), folder / "run" / "best", folder / "export")


def runs(folder: Path) -> dict[str, Reader]:
    """A run directory and what it exports, as `train_and_export` left them in ``folder``."""
    from semg_hht.examine import read_split
    from semg_hht.learning.checkpoint import load_state
    from semg_hht.predict import open_run
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


def mutated(files: Files, name: str, rng: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """The content of file ``name``, made hostile once or a few times; ``others`` to splice with."""
    content = files[name]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_ways(name, content))(content, rng)
        if others and rng.random() < 0.03:
            other = rng.choice(others)
            content = content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]
    return content


def _ways(name: str, content: bytes) -> list[Callable[[bytes, random.Random], bytes]]:
    ways = [_bits, _bytes, _insert, _cut_out, _truncate, _integer, _digits]
    if name.endswith(TEXT):
        ways += [_words, _lines, _digits, _digits]
    if name.endswith((".json", ".jsonl")):
        ways += [_json] * 8
    if content[:2] == b"PK":
        ways += [_zip] * 8
    if name.endswith(".otb+"):
        ways += [_tar] * 8
    if name.endswith(".safetensors"):
        ways += [_safetensors] * 6
    return ways


def _at(content: bytes, rng: random.Random) -> int:
    """Somewhere; half of the time near the start, where headers are."""
    return rng.randrange(min(len(content), 512 if rng.random() < 0.5 else len(content)) or 1)


def _bits(content: bytes, rng: random.Random) -> bytes:
    out = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        out[_at(out, rng)] ^= 1 << rng.randrange(8)
    return bytes(out)


def _bytes(content: bytes, rng: random.Random) -> bytes:
    out, at = bytearray(content or b"\0"), _at(content, rng)
    run = rng.choice((1, 2, 4, 32))
    out[at : at + run] = rng.choice((b"\0" * run, b"\xff" * run, rng.randbytes(run), b"\x80" * run))
    return bytes(out)


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    new = rng.choice((rng.randbytes(rng.choice((1, 3, 64))), content[at : at + 100], b"\0" * 512))
    return content[:at] + new + content[at:]


def _cut_out(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    return content[:at] + content[at + rng.choice((1, 2, 7, 100, 1000)) :]


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: _at(content, rng)]


def _integer(content: bytes, rng: random.Random) -> bytes:
    at, value, form = _at(content, rng), rng.choice(INTEGERS), rng.choice("bhiqd")
    order = rng.choice("<>")
    size = struct.calcsize(form)
    if form == "d":
        new = struct.pack(order + form, rng.choice((float("nan"), float("inf"), -1.0, 1e300, 1e12, float(value))))
    else:
        new = (value % 256**size).to_bytes(size, "little" if order == "<" else "big")
    return content[:at] + new + content[at + size :]


def _digits(content: bytes, rng: random.Random) -> bytes:
    """A number that is written out, as headers of EDF, WFDB, XDF and tables do, becomes another."""
    found = [m.span() for m in re.finditer(rb"-?\d+(?:\.\d+)?", content[:20_000])]
    if not found:
        return _bits(content, rng)
    start, stop = rng.choice(found[: 20 if rng.random() < 0.5 else len(found)])
    new = rng.choice(NUMBERS).encode()
    if rng.random() < 0.5:  # fixed columns stay where they are
        new = new[: stop - start].ljust(stop - start)
    return content[:start] + new + content[stop:]


def _words(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    return content[:at] + rng.choice(WORDS).encode("utf-8", "surrogatepass") * rng.choice((1, 1, 3)) + content[at:]


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = rng.randrange(min(len(lines), rng.choice((8, 1000))))
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        case 2:
            old, new = rng.choice(((b",", b";"), (b",", b"\t"), (b".", b","), (b"\t", b","), (b";", b",")))
            lines = [line.replace(old, new) for line in lines] if rng.random() < 0.5 else lines
            lines[at] = lines[at].replace(old, new)
        case 3:
            lines = lines[: at + 1]
        case _:
            lines[at] = lines[at] * rng.choice((2, 50))
    return b"\n".join(lines)


def _json(content: bytes, rng: random.Random) -> bytes:
    """Another value somewhere in the tree, a key gone, or nesting without end."""
    try:
        tree = json.loads(content.split(b"\n")[0] if rng.random() < 0.1 else content)
    except (ValueError, RecursionError):
        return _bits(content, rng)
    if rng.random() < 0.03:
        deep = rng.choice((b"[", b'{"a":'))
        return deep * 100_000
    text = json.dumps(_changed(tree, rng))
    if rng.random() < 0.1:
        text = re.sub(r"\d+", "9" * 5000, text, count=1)
    return text.encode("utf-8", "surrogatepass")


def _changed(tree: Any, rng: random.Random) -> Any:
    if isinstance(tree, (dict, list)) and tree and rng.random() < 0.9:
        key = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        match rng.randrange(12):
            case 0:
                return {k: v for k, v in tree.items() if k != key} if isinstance(tree, dict) else tree[1:]
            case 1:
                return tree | {"unknown": 1} if isinstance(tree, dict) else tree * 2
            case _:
                out = tree.copy()
                out[key] = _changed(tree[key], rng)
                return out
    return rng.choice(VALUES)


def _zip(content: bytes, rng: random.Random) -> bytes:
    """The members unpacked, one of them changed, dropped, renamed, doubled or a bomb, and packed again."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist() if info.file_size < 2**22]
    except Exception:  # noqa: BLE001 - what an earlier change has broken is changed as bytes
        return _bits(content, rng)
    if not members:
        return _bits(content, rng)
    at = rng.randrange(len(members))
    name, inner = members[at]
    match rng.randrange(10):
        case 0:
            members[at] = (rng.choice(("../../escaped", "/tmp/escaped.npy", "", "a" * 3000, "hht.npy")), inner)
        case 1:
            del members[at]
        case 2:
            members.append((name, members[rng.randrange(len(members))][1]))
        case 3 if rng.random() < 0.02:
            members[at] = (name, inner[:200] + b"\0" * BOMB)
        case 4 | 5 if inner[:6] == b"\x93NUMPY":
            members[at] = (name, _npy(inner, rng))
        case 6 | 7 if name.endswith(".json"):
            members[at] = (name, _json(inner, rng))
        case _:
            members[at] = (name, rng.choice((_bits, _bytes, _insert, _truncate, _integer, _digits))(inner, rng))
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand twice
        with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), compresslevel=1) as to:
            for name, inner in members:
                with suppress(ValueError, IndexError):  # names that no archive can hold
                    to.writestr(name, inner)
    return out.getvalue()


def _npy(content: bytes, rng: random.Random) -> bytes:
    """Another shape, type or order in an npy header."""
    size = struct.unpack("<H", content[8:10])[0]
    shape = rng.choice(
        ((), (0,), (1,), (10**12,), (2**62,), (2**31, 2**31, 2**31), (256, 256), (-1,), (64, 2), (2, 64))
    )
    descr = rng.choice(("<f8", "<f4", "<i8", "|O", "<U1", "<U1000000000", "|S5", "<c16", "<M8[s]", "|V8", "|b1"))
    header = {"descr": descr, "fortran_order": rng.random() < 0.3, "shape": shape}
    text = repr(header if rng.random() < 0.9 else rng.choice(VALUES)).encode("utf-8", "surrogatepass")[:60_000]
    return content[:8] + struct.pack("<H", len(text) + 1) + text + b"\n" + content[10 + size :]


def _tar(content: bytes, rng: random.Random) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = [(m, archive.extractfile(m).read()) for m in archive if m.isfile()]  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001 - as with zip
        return _bits(content, rng)
    if not members:
        return _bits(content, rng)
    at = rng.randrange(len(members))
    info, inner = members[at]
    match rng.randrange(8):
        case 0:
            info.name = rng.choice(("../../escaped.sig", "/tmp/escaped.xml", "", "a" * 3000, "b.sig"))
        case 1:
            info.type = rng.choice(
                (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
            )
            info.linkname = rng.choice(("../../escaped", "/etc/passwd", "a1.sig", info.name))
        case 2:
            del members[at]
        case 3 if rng.random() < 0.05:
            members[at] = (info, inner + b"\0" * BOMB)
        case _:
            members[at] = (info, rng.choice((_bits, _digits, _digits, _truncate, _insert))(inner, rng))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=rng.choice(("w", "w:gz"))) as to:
        for info, inner in members:
            info.size = len(inner) if info.isreg() else 0
            with suppress(ValueError, UnicodeError):
                to.addfile(info, io.BytesIO(inner))
    return out.getvalue()


def _safetensors(content: bytes, rng: random.Random) -> bytes:
    """Another header: shapes, types, offsets, facts; its stated length fits it, or not."""
    size = int.from_bytes(content[:8], "little")
    header = _json(content[8 : 8 + size], rng)
    length = len(header) if rng.random() < 0.9 else rng.choice(INTEGERS) % 2**64
    return length.to_bytes(8, "little") + header + content[8 + size :]
