"""Small data sets, files and hostile files for the tests."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semg_hht.learning.dataset import Dataset
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.matrices.matrix import SIZE, Matrix, write_matrix
from semg_hht.matrices.transform import configure
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.tables import read_table
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Recording

SETTINGS = configure(band_hz=(20.0, 200.0)).to_json() | {}
MOVEMENTS = ("full", "half", "invalid")
TINY = TrainingConfig(epochs=2, batch_size=4, learning_rate=1e-3)


def as_json(settings: Any) -> Any:
    """Settings after a round trip through JSON (tuples become lists)."""
    import json

    return json.loads(json.dumps(settings))


def values(label: int, rng: np.random.Generator, n_planes: int = 1) -> np.ndarray:
    """A matrix (n_planes, 256, 256) with a bright band whose position depends on the label."""
    matrix = rng.random((n_planes, SIZE, SIZE), dtype=np.float32)
    matrix[:, 60 * label : 60 * label + 50] += 2
    return matrix


def make_dataset(
    *,
    n_subjects: int = 5,
    n_repetitions: int = 2,
    movements: Sequence[str] = MOVEMENTS,
    genders: Sequence[str] = ("F", "M"),
    n_planes: int = 1,
    n_channels: int = 1,
    n_unlabelled: int = 0,
    seed: int = 0,
    subject: str = "S{:02d}",
) -> Dataset:
    """Every subject performs every movement ``n_repetitions`` times, with ``n_channels`` matrices each."""
    rng = np.random.default_rng(seed)
    rows, matrices, repetitions = [], [], []
    for who in range(n_subjects):
        for number, movement in enumerate(movements):
            for repetition in range(n_repetitions):
                for channel in range(n_channels):
                    name = f"p{who}_{movement}_{repetition}"
                    rows.append(
                        ManifestRow(
                            file=f"{name}_ch{channel}.npz",
                            subject=subject.format(who + 1),
                            movement=movement,
                            gender=genders[who % len(genders)] if genders else "",
                        )
                    )
                    matrices.append(values(number, rng, n_planes))
                    repetitions.append(name)
    for number in range(n_unlabelled):
        rows.append(ManifestRow(file=f"Test1_1_{number + 1:03d}.npz"))
        matrices.append(values(number % max(1, len(movements)), rng, n_planes))
        repetitions.append(rows[-1].file)
    return Dataset(np.stack(matrices), tuple(rows), tuple(repetitions), as_json(SETTINGS))


def with_features(dataset: Dataset, seed: int = 0) -> Dataset:
    """Add features: RMS depends on the movement, covariance on the gender, and duration on neither."""
    rng = np.random.default_rng(seed)
    order = ("full", "half", "invalid")
    features = tuple(
        {"duration_s": (float(rng.uniform(1, 2)),), "rms": (10.0 ** order.index(row.movement),), "mdf_hz": (80.0,)}
        for row in dataset.rows
    )
    covariance = np.array([[float(row.gender == "M"), rng.normal()] for row in dataset.rows])
    return replace(dataset, features=features, covariance=covariance)


def write_dataset(dataset: Dataset, folder: Path, *, settings: Any = SETTINGS, manifest: bool = True) -> Path:
    """A dataset as a folder of npz files with a manifest.csv in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for row, matrix in zip(dataset.rows, dataset.matrices, strict=True):
        write_matrix(folder / row.file, Matrix(matrix, settings))
    if manifest:
        (folder / "manifest.csv").write_text(manifest_text(dataset.rows), encoding="utf-8")
    return folder


def write_npz(path: Path, **arrays: Any) -> Path:
    """An npz as another tool writes it."""
    np.savez(path, **arrays)
    return path


def foreign_matrix(path: Path, *, key: str = "spectrum", seed: int = 0) -> Path:
    matrix = np.random.default_rng(seed).random((SIZE, SIZE)) * 8.8
    return write_npz(path, **{key: matrix, "sampling_rate": np.array(1000), "time": np.arange(SIZE) / 100})


class Payload:
    """An object whose unpickling makes a folder: proof that code ran."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.target,)


def claimed_npy(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    """An npy header that claims ``shape``, followed by 64 bytes."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
    return out.getvalue() + b"\0" * 64


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array)
    return out.getvalue()


def write_members(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def truncate(path: Path, share: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def noise(n_channels: int = 1, duration_s: float = 2.0, rate_hz: float = 500.0, seed: int = 0) -> Recording:
    samples = 50 * np.random.default_rng(seed).standard_normal((n_channels, round(duration_s * rate_hz)))
    return Recording(samples, rate_hz, tuple(f"ch{i + 1}" for i in range(n_channels)), "uV", f"noise{seed}")


def signal(n: int = 60, channels: int = 2) -> np.ndarray:
    """(n, channels) of random numbers with few digits."""
    return np.round(np.random.default_rng(0).normal(0, 50, (n, channels)), 3)


def rows(table: np.ndarray, separator: str = ",", end: str = "\n", fmt: str = "{:g}") -> str:
    """Lines of text, one a row."""
    return "".join(separator.join(fmt.format(value) for value in row) + end for row in table)


def read_text_table(tmp_path: Path, text: str | bytes, name: str = "a.csv") -> DecodedRecording:
    """Write text and read it as a table."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


def with_time(step: float, n: int = 60, digits: int = 6, channels: int = 1, start: float = 0) -> str:
    """Lines of a time and ``signal``, separated by commas."""
    times = np.arange(n) * step + start
    return "".join(
        f"{time:.{digits}f}," + ",".join(map(str, row)) + "\n"
        for time, row in zip(times, signal(n, channels), strict=True)
    )
