"""Small files that unpack to gigabytes, declare false sizes or carry code, for attacks.py to upload to the web page.

Each maker writes one file into a folder. Code that a file carries creates the file `MARKER` there when it runs.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MEGABYTE = bytes(2**20)
MARKER = "code_was_run"


def _npz_bomb(folder: Path) -> Path:
    """1.5 GiB of zeros, compressed to 1.5 MB."""
    path, head = folder / "bomb.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (1536 * 2**20,)})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("samples.npy", "w", force_zip64=True) as member,
    ):
        member.write(head.getvalue())
        for _ in range(1536):
            member.write(MEGABYTE)
    return path


class _Code:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def _npz_pickle(folder: Path) -> Path:
    path = folder / "pickle.npz"
    np.savez(path, hht=np.array([_Code(folder / MARKER)], dtype=object), rate_hz=1000.0)
    return path


def _npz_claim(folder: Path) -> Path:
    """A header that declares 10^12 samples, without samples."""
    path, head = folder / "claim.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("samples.npy", head.getvalue())
    return path


def _mat_bomb(folder: Path) -> Path:
    """MAT version 5 with a compressed element of 1.5 GiB."""
    packer = zlib.compressobj(1)
    head = np.array([14, 1536 * 2**20, 6, 8, 6, 0, 5, 8, 1, 192 * 2**20, 1, 0x10061, 9, 1535 * 2**20], "<u4").tobytes()
    packed = packer.compress(head) + b"".join(packer.compress(MEGABYTE) for _ in range(1536)) + packer.flush()
    path = folder / "bomb.mat"
    text = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(text + np.array([15, len(packed)], "<u4").tobytes() + packed)
    return path


def _hdf5_bomb(folder: Path) -> Path:
    """A data set of a terabyte that is declared but not written."""
    import h5py

    path = folder / "terabyte.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("emg", shape=(2**37,), dtype="f8", chunks=(2**17,), compression="gzip")
    return path


def _hdf5_zeros(folder: Path) -> Path:
    """A gigabyte of zeros in chunks that take a kilobyte each."""
    import h5py

    path = folder / "zeros.h5"
    packed = zlib.compress(MEGABYTE)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("emg", shape=(2**30,), dtype="u1", chunks=(2**20,), compression="gzip")
        for start in range(0, 2**30, 2**20):
            data.id.write_direct_chunk((start,), packed)
    return path


def _edf_claim(folder: Path) -> Path:
    path = folder / "claim.edf"
    signal = ("EMG", "", "uV", "-1", "1", "-32768", "32767", "", "99999999", "")
    widths = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
    head = "0".ljust(8) + " " * 160 + "01.01.2001.01.01" + "512".ljust(8) + " " * 44
    head += "99999999" + "1".ljust(8) + "1".ljust(4) + "".join(map(str.ljust, signal, widths))
    path.write_bytes(head.encode() + bytes(1000))
    return path


def _wfdb_claim(folder: Path) -> Path:
    path = folder / "claim.hea"
    path.write_text("claim 1 1000 1000000000000\n../../../etc/passwd 16 200 16 0 0 0 0 a\n", encoding="ascii")
    return path


def _wide_csv(folder: Path) -> Path:
    path = folder / "wide.csv"
    path.write_text("\n".join(",".join(["1"] * 200_000) for _ in range(10)), encoding="ascii")
    return path


def _table(folder: Path) -> Path:
    """A manifest that names files of the system and of other visits."""
    path = folder / "manifest.csv"
    path.write_text("file,start_s,stop_s\n/etc/passwd,0,1\n../../visits,0,1\n" + "a.csv,0,1e300\n" * 20_000)
    return path


BOMBS: tuple[Callable[[Path], Path], ...] = (
    _npz_bomb, _npz_pickle, _npz_claim, _mat_bomb, _hdf5_bomb, _hdf5_zeros, _edf_claim, _wfdb_claim, _wide_csv, _table,
)  # fmt: skip
