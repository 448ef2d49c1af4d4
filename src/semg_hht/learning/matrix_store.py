"""A pack: all matrices of a data set in one file, from which a batch is read in microseconds.

A pack is a folder with ``matrices.f32``, the values of one matrix after the other, and ``pack.json``, which lists the
source files with their size and time of change. Memory holds only the matrices that are in use. Values are read, not
memory-mapped, so that a file that was cut short is an error and not a crash.

It knows files and arrays, and does not know labels, people or networks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.matrices.matrix import MAX_PLANES, SIZE, Matrix, split_reference
from semg_hht.system.files import read_json, require_new_folder, require_space, whole_folder
from semg_hht.system.processes import map_ahead

FORMAT = 3
INDEX_FILE, VALUES_FILE = "pack.json", "matrices.f32"
VALUE = np.dtype("<f4")
N_AHEAD = 2  # batches that are read in advance


@dataclass(frozen=True)
class PackedMatrices:
    """Matrices (n, n_planes, 256, 256) float32 on disk, indexed like an array; each access reads the file.

    path : file of the values.
    numbers : (n,) position of each matrix in the file.
    digests : SHA-256 of each matrix at the time of writing.
    peaks : (n,) largest value of each matrix, stored so that it needs no reading.
    """

    path: Path
    n_planes: int
    numbers: NDArray[np.intp]
    digests: tuple[str, ...]
    peaks: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[i] for i in range(len(self)))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self.n_planes, SIZE, SIZE

    def subset(self, indices: NDArray[np.intp]) -> PackedMatrices:
        """A selection of the same file; nothing is read."""
        digests = tuple(self.digests[i] for i in indices)
        return replace(self, numbers=self.numbers[indices], digests=digests, peaks=self.peaks[indices])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """One matrix for a number, several for a slice or an array of numbers.

        Raises
        ------
        InputError
            The file is missing, or ends before a requested matrix.
        """
        chosen = self.numbers[key]
        values = np.empty((np.size(chosen), self.n_planes, SIZE, SIZE), VALUE)
        try:
            with self.path.open("rb", buffering=0) as handle:
                for number, matrix in zip(np.ravel(chosen), values, strict=True):
                    handle.seek(int(number) * matrix.nbytes)
                    if handle.readinto(matrix.data.cast("B")) != matrix.nbytes:
                        raise InputError(f"{self.path}: ends before matrix {number}; it was changed while in use")
        except OSError as error:
            raise InputError(f"{self.path}: can't be read any more; {error.strerror}") from None
        return values[0] if np.ndim(chosen) == 0 else values


def read_parts(matrices: NDArray[np.float32] | PackedMatrices, parts: Sequence[Any]) -> Iterator[NDArray[np.float32]]:
    """Matrices of each part (a slice, or numbers). The next parts of a pack are read while the caller uses one."""
    return map_ahead(matrices.__getitem__, parts, N_AHEAD if isinstance(matrices, PackedMatrices) else 0)


@dataclass(frozen=True)
class PackEntry:
    """The entry of one source file: position and features of its matrix, or the ``reason`` why it has none."""

    number: int | None
    digest: str = ""
    peak: float = 0.0
    settings: dict[str, Any] | None = None
    features: dict[str, tuple[float, ...]] = field(default_factory=dict)
    reference: tuple[float, ...] = ()
    covariance: NDArray[np.float64] | None = None
    profile: NDArray[np.float64] | None = None
    reason: str = ""


@dataclass
class PackWriter:
    """Writes a pack, file by file in the order of its stamps."""

    values: IO[bytes]
    entries: list[dict[str, Any]] = field(default_factory=list)
    settings: list[Any] = field(default_factory=list)
    n_planes: int = 0
    n_matrices: int = 0

    def add(self, path: Path, matrix: Matrix) -> None:
        if self.n_planes and len(matrix.values) != self.n_planes:
            raise InputError(
                f"{path} has {len(matrix.values)} channels, others before it have {self.n_planes}; "
                "expected the same number in every stacked example"
            )
        self.n_planes = len(matrix.values)
        if matrix.settings not in self.settings:
            self.settings.append(matrix.settings)
        content = np.ascontiguousarray(matrix.values, VALUE).tobytes()
        self.values.write(content)
        self.entries.append(
            {
                "number": self.n_matrices,
                "digest": hashlib.sha256(content).hexdigest(),
                "peak": float(matrix.values.max()),
                "settings": self.settings.index(matrix.settings),
                "features": matrix.stored_features,
                "mixing": None if matrix.covariance is None else matrix.covariance.tolist(),
                "profile": None if matrix.profile is None else matrix.profile.tolist(),
            }
        )
        self.n_matrices += 1

    def skip(self, reason: str) -> None:
        self.entries.append({"number": None, "reason": reason})


def stamp(path: Path, name: str) -> list[Any]:
    """Name, size and time of change of a file, to detect whether it is still the packed one."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # a zero in the name
        return [name, -1, 0]
    return [name, status.st_size, status.st_mtime_ns]


@contextmanager
def new_pack(folder: Path, stamps: Sequence[list[Any]]) -> Iterator[PackWriter]:
    """Write a pack; the complete pack replaces an existing one.

    Raises
    ------
    InputError
        The folder holds other files, or the disk is full.
    """
    require_new_folder(folder, overwrite=False, except_for=(INDEX_FILE, VALUES_FILE))
    require_space(folder, len(stamps) * SIZE * SIZE * VALUE.itemsize)
    with whole_folder(folder) as part:
        with (part / VALUES_FILE).open("wb") as values:
            packing = PackWriter(values)
            yield packing
        content = {
            "format": FORMAT,
            "n_planes": packing.n_planes,
            "stamps": list(stamps),
            "settings": packing.settings,
            "files": packing.entries,
        }
        (part / INDEX_FILE).write_text(json.dumps(content), encoding="utf-8")


def read_pack(folder: Path, stamps: Sequence[list[Any]]) -> tuple[PackedMatrices, list[PackEntry]] | None:
    """The matrices and entries of a pack; None if ``folder`` is no pack of these files or a file has changed.

    Raises
    ------
    InputError
        The index lists these files but does not fit the values.
    """
    path, values = folder / INDEX_FILE, folder / VALUES_FILE
    if not path.is_file() or not values.is_file():
        return None
    content = read_json(path)
    try:
        if content["format"] != FORMAT or content["stamps"] != list(stamps):
            return None
        n_planes = int(content["n_planes"])
        entries = [_entry(stated, content["settings"]) for stated in content["files"]]
        held = [entry for entry in entries if entry.number is not None]
        size = n_planes * SIZE * SIZE * VALUE.itemsize
        if len(entries) != len(stamps) or [entry.number for entry in held] != list(range(len(held))):
            raise ValueError("it does not list its files one by one")
        if values.stat().st_size != len(held) * size or not 0 <= n_planes <= MAX_PLANES:
            raise ValueError(f"{VALUES_FILE} has another size")
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path}: expected the index of a pack; {error}. Delete the folder to write a new pack"
        ) from None
    digests, peaks = tuple(entry.digest for entry in held), np.array([entry.peak for entry in held], dtype=np.float32)
    return PackedMatrices(values, n_planes, np.arange(len(held)), digests, peaks), entries


def _entry(stated: dict[str, Any], settings: list[Any]) -> PackEntry:
    if stated["number"] is None:
        return PackEntry(None, reason=str(stated["reason"]))
    stored = {str(name): tuple(map(float, values)) for name, values in stated["features"].items()}
    features, reference = split_reference(stored)
    return PackEntry(
        number=int(stated["number"]),
        digest=str(stated["digest"]),
        peak=float(stated["peak"]),
        settings=settings[stated["settings"]],
        features=features,
        reference=reference,
        covariance=None if stated["mixing"] is None else np.array(stated["mixing"], dtype=np.float64),
        profile=None if stated["profile"] is None else np.array(stated["profile"], dtype=np.float64),
    )
