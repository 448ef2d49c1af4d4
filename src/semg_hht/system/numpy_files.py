"""Read NumPy's files in any number of threads, without unpickling.

NumPy parses the header of an array as Python, and Python 3.11 fails now and then where two threads parse at once
("AST constructor recursion depth mismatch"): a whole file was reported as damaged.
"""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import NDArray

from semg_hht.system.files import require_modest_zip

_PARSING = threading.Lock()
SMALL = 2**24  # bytes of an array that may be in memory twice, so that threads unpack at the same time


def arrays_in_npz(path: Path, names: Collection[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file by name; ``names``: only these.

    Raises
    ------
    InputError
        It unpacks to many times its size.
    One of `BROKEN_NPZ`
        It is damaged, holds objects, or lacks one of ``names``.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        require_modest_zip(path, archive)
        members = {member.removesuffix(".npy"): member for member in archive.namelist()}
        for name in members if names is None else names:
            with archive.open(members[name]) as member:
                if names is None and member.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
                    continue  # no array: a note, for example
                member.seek(0)
                is_small = archive.getinfo(members[name]).file_size <= SMALL
                content = BytesIO(member.read()) if is_small else member
                with _PARSING:
                    arrays[name] = np.lib.format.read_array(content, allow_pickle=False)
    return arrays


def shapes_in_npz(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays of an npz file, from their headers alone. Errors are those of `arrays_in_npz`."""
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        require_modest_zip(path, archive)
        for name in archive.namelist():
            with archive.open(name) as member, _PARSING:
                read = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }[np.lib.format.read_magic(member)]
                shapes[name.removesuffix(".npy")] = read(member)[0]
    return shapes


def map_npy(path: Path) -> NDArray[Any]:
    """The array of an npy file, which stays in the file until it is used."""
    with _PARSING:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped
