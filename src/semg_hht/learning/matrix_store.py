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
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.learning.pack_index import DIGEST_BYTES, PackIndex, Stamps, read_index, write_index
from semg_hht.matrices.matrix import MAX_PLANES, SIZE, Matrix
from semg_hht.system.files import require_new_folder, require_space, whole_folder
from semg_hht.system.processes import map_ahead

INDEX_FILE, VALUES_FILE = "pack.json", "matrices.f32"
VALUE = np.dtype("<f4")
N_AHEAD = 2  # batches that are read in advance


@dataclass(frozen=True)
class PackedMatrices:
    """Matrices (n, n_planes, 256, 256) float32 on disk, indexed like an array; each access reads the file.

    path : file of the values.
    numbers : (n,) position of each matrix in the file.
    digests : (n, 32) bytes, the SHA-256 of each matrix at the time of writing.
    peaks : (n,) largest value of each matrix, stored so that it needs no reading.
    """

    path: Path
    n_planes: int
    numbers: NDArray[np.intp]
    digests: NDArray[np.uint8]
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
        return replace(self, numbers=self.numbers[indices], digests=self.digests[indices], peaks=self.peaks[indices])

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


@dataclass
class PackWriter:
    """Writes a pack, file by file in the order of its stamps."""

    values: IO[bytes]
    entries: IO[str]  # one line of JSON for each file
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
        self._write(
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
        self._write({"number": None, "reason": reason})

    def _write(self, entry: dict[str, Any]) -> None:
        self.entries.write(json.dumps(entry) + "\n")


@contextmanager
def new_pack(folder: Path, stamps: Stamps) -> Iterator[PackWriter]:
    """Write a pack; the complete pack replaces an existing one.

    Raises
    ------
    InputError
        The folder holds other files, or the disk is full.
    """
    require_new_folder(folder, overwrite=False, except_for=(INDEX_FILE, VALUES_FILE))
    require_space(folder, len(stamps) * SIZE * SIZE * VALUE.itemsize)
    with whole_folder(folder) as part, TemporaryFile("w+", encoding="utf-8", dir=part) as entries:
        with (part / VALUES_FILE).open("wb") as values:
            packing = PackWriter(values, entries)
            yield packing
        with (part / INDEX_FILE).open("w", encoding="utf-8") as index:
            write_index(index, packing.n_planes, stamps, packing.settings, entries)


def read_pack(folder: Path, stamps: Stamps) -> tuple[PackedMatrices, PackIndex] | None:
    """The matrices and the index of a pack; None if ``folder`` is no pack of these files or a file has changed.

    Raises
    ------
    InputError
        The index lists these files but does not fit the values.
    """
    path, values = folder / INDEX_FILE, folder / VALUES_FILE
    if not path.is_file() or not values.is_file():
        return None
    try:
        index = read_index(path, stamps)
        if index is None:
            return None
        n_planes, n_matrices = index.n_planes, len(index.entries.peaks)
        size = n_planes * SIZE * SIZE * VALUE.itemsize
        if values.stat().st_size != n_matrices * size or not 0 <= n_planes <= MAX_PLANES:
            raise ValueError(f"{VALUES_FILE} has another size")
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path}: expected the index of a pack; {error}. Delete the folder to write a new pack"
        ) from None
    digests = np.frombuffer(index.entries.digests, np.uint8).reshape(-1, DIGEST_BYTES)  # (32 n,) -> (n, 32)
    peaks = np.frombuffer(index.entries.peaks, np.float32) if n_matrices else np.zeros(0, np.float32)
    return PackedMatrices(values, n_planes, np.arange(n_matrices), digests, peaks), index
