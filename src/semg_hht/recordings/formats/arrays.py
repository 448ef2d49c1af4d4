"""Reader of recordings stored as named arrays: NPZ and MAT files."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.channels import remarks_on_stated
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.system.files import require_modest, require_modest_zip

SAMPLE_KEYS = ("samples", "emg", "semg", "data", "signal")
# Types of elements, and classes of arrays that contain other arrays: "MAT-File Format", MathWorks, tables 1-1 and 1-3.
NUMBERS, MATRIX, COMPRESSED = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18), 14, 15
NESTED = (1, 2, 3, 16, 17)
RATE_KEYS = ("rate_hz", "fs", "sampling_rate", "sample_rate", "samplerate")


def read_mat(path: Path) -> DecodedRecording:
    from scipy.io import loadmat

    try:
        _check_mat_elements(path)
        content = loadmat(path)
    except InputError:
        raise
    except Exception as error:  # scipy raises many kinds of errors over damaged files
        raise InputError(f"{path}: can't be read as a MAT file; {error}") from None
    return from_arrays(path, {name: value for name, value in content.items() if not name.startswith("__")})


def _check_mat_elements(path: Path) -> None:
    """Check the unpacked size and the element types of a MAT file of version 5, which scipy does not check.

    scipy looks up an element type in a table without a bounds check, and an unknown type crashes the process.
    """
    total = 0
    with path.open("rb") as handle:
        order = {b"IM": "<", b"MI": ">"}.get(handle.read(128)[126:])
        while order and len(tag := handle.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            content = handle.read(size)
            if kind != COMPRESSED:
                _check_elements(order, tag + content)
                continue
            decompressor, parts = zlib.decompressobj(), []
            while content and not decompressor.eof:
                parts.append(decompressor.decompress(content, 2**20))
                content = decompressor.unconsumed_tail
                total += len(parts[-1])
                require_modest(path, total)
            _check_elements(order, b"".join(parts))


def _check_elements(order: str, content: bytes, kinds: tuple[int, ...] = (*NUMBERS, MATRIX)) -> None:
    """Check consecutive elements. The first element of a matrix holds its flags, which state its class."""
    at = 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, at)
        start, stop = at + 8, at + 8 + size
        if kind >> 16:  # an element of up to four bytes is stored in its tag
            kind, start, stop = kind & 0xFFFF, at + 4, at + 4 + (kind >> 16)
        if kind not in kinds:
            raise ValueError(f"an element has type {kind}, which is unknown or not allowed there")
        if kind == MATRIX and size >= 12:
            (flags,) = struct.unpack_from(f"{order}I", content.ljust(start + 12), start + 8)
            array_class = flags & 0xFF
            if not 1 <= array_class <= 17:
                raise ValueError(f"an array has class {array_class}; expected 1 to 17")
            _check_elements(order, content[start:stop], (*NUMBERS, MATRIX) if array_class in NESTED else NUMBERS)
        at = stop + -stop % 8


def read_npz(path: Path) -> DecodedRecording:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
        require_modest_zip(path, archive.zip)
        return from_arrays(path, {name: np.asarray(archive[name]) for name in archive.files})


def from_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> DecodedRecording:
    """Find samples, rate, channel names and units among named arrays, in any case of their names.

    Raises
    ------
    InputError
        No array, or none of several arrays, is named as samples are; or the samples have more than two dimensions.
    """
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
    if table.shape[0] < table.shape[1]:  # a recording has more samples than channels
        table = table.T
    names = by_lower.get("channel_names")
    units = by_lower.get("units")
    non_emg = by_lower.get("non_emg")  # `write_recording` stores it, even where it is empty
    others = () if non_emg is None else tuple(str(name) for name in non_emg.reshape(-1))
    return DecodedRecording(
        table,
        float(rates[0].reshape(-1)[0]) if rates else None,
        tuple(str(n) for n in names.reshape(-1)) if names is not None and names.size == table.shape[1] else (),
        str(units.reshape(-1)[0]) if units is not None and units.size == 1 else "",
        others,
        remarks_on_stated(others),
        is_decided=non_emg is not None,
    )
