"""Recordings kept as named arrays: NPZ and MAT files.

Knows names and shapes of arrays: nothing of what a recording must be.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.signals.contents import Contents
from semg_hht.storage import require_modest, require_modest_zip

SAMPLE_KEYS = ("samples", "emg", "semg", "data", "signal")
COMPRESSED = 15  # miCOMPRESSED, "MAT-File Format", MathWorks
RATE_KEYS = ("rate_hz", "fs", "sampling_rate", "sample_rate", "samplerate")


def read_mat(path: Path) -> Contents:
    from scipy.io import loadmat

    try:
        require_modest(path, _unpacked(path))
        content = loadmat(path)
    except InputError:
        raise
    except Exception as error:  # scipy raises whatever a damaged file leads it to
        raise InputError(f"{path}: can't be read as a MAT file; {error}") from None
    return from_arrays(path, {name: value for name, value in content.items() if not name.startswith("__")})


def _unpacked(path: Path) -> int:
    """How many bytes the compressed elements of a MAT file of version 5 unpack to; counted, as nothing declares it."""
    total = 0
    with path.open("rb") as handle:
        order = {b"IM": "<", b"MI": ">"}.get(handle.read(128)[126:])
        while order and len(tag := handle.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != COMPRESSED:
                handle.seek(size, 1)
                continue
            packed, unpacking = handle.read(size), zlib.decompressobj()
            while packed and not unpacking.eof:
                total += len(unpacking.decompress(packed, 2**20))
                packed = unpacking.unconsumed_tail
                require_modest(path, total)
    return total


def read_npz(path: Path) -> Contents:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
        require_modest_zip(path, archive.zip)
        return from_arrays(path, {name: np.asarray(archive[name]) for name in archive.files})


def from_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> Contents:
    by_lower = {name.lower(): value for name, value in arrays.items()}
    rates = [by_lower[key] for key in RATE_KEYS if key in by_lower and by_lower[key].size == 1]
    tables = {
        name: value
        for name, value in arrays.items()
        if value.dtype.kind in "biuf" and value.ndim <= 2 and value.size > 1
    }
    named = [by_lower[key] for key in SAMPLE_KEYS if key in by_lower]
    if named:
        table = named[0]
    elif len(tables) == 1:
        table = next(iter(tables.values()))
    else:
        found = ", ".join(f"{name} {value.shape}" for name, value in arrays.items()) or "nothing"
        raise InputError(f"{path}: expected samples under one of {', '.join(SAMPLE_KEYS)}; found {found}")
    if table.ndim not in (1, 2):
        raise InputError(f"{path}: expected samples of one or two dimensions; found shape {table.shape}")
    table = np.atleast_2d(table)
    if table.shape[0] < table.shape[1]:  # recordings are longer than they have channels
        table = table.T
    names = by_lower.get("channel_names")
    units = by_lower.get("units")
    return Contents(
        table,
        float(rates[0].reshape(-1)[0]) if rates else None,
        tuple(str(n) for n in names.reshape(-1)) if names is not None and names.size == table.shape[1] else (),
        str(units.reshape(-1)[0]) if units is not None and units.size == 1 else "",
    )
