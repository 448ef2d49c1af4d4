"""Recordings in HDF5: the layout of PLUX devices (OpenSignals), plain datasets, and MATLAB 7.3 files.

Knows groups, datasets and attributes: nothing of what a recording must be.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.arrays import RATE_KEYS, from_arrays
from semg_hht.recordings.formats.contents import Contents
from semg_hht.system.files import require_modest

if TYPE_CHECKING:
    import h5py


def read_hdf5(path: Path) -> Contents:
    """The samples of an HDF5 file; of a MATLAB 7.3 file too, which is one.

    Raises
    ------
    InputError
        h5py is not installed, the file is none, or holds no samples that can be told from other arrays.
    """
    try:
        import h5py
    except ImportError:
        raise InputError(f"{path}: reading {path.suffix} needs h5py: pip install 'semg-hht[readers]'") from None
    try:
        with h5py.File(path, "r") as file:
            _require_modest(path, file, h5py)
            devices = [
                group for group in file.values() if isinstance(group, h5py.Group) and "sampling rate" in group.attrs
            ]
            if devices:
                return _of_plux(path, devices)
            return _of_datasets(path, file, h5py)
    except InputError:
        raise
    except Exception as error:  # h5py raises whatever a damaged file leads it to
        raise InputError(f"{path}: can't be read as HDF5; {error}") from None


def is_matlab_73(path: Path) -> bool:
    """Whether a MAT file is of version 7.3, which is HDF5 behind a header of MATLAB's."""
    with path.open("rb") as handle:
        return handle.read(19) == b"MATLAB 7.3 MAT-file"


def _of_plux(path: Path, devices: list[h5py.Group]) -> Contents:
    """Channels under ``raw/channel_N``; ``nSeq`` numbers the packets that arrived."""
    if len(devices) > 1:
        raise InputError(f"{path}: holds {len(devices)} devices; expected one")
    (device,) = devices
    channels = {name: data for name, data in device.get("raw", {}).items() if name.startswith("channel")}
    if not channels:
        raise InputError(f"{path}: expected channels under raw/channel_N; found {', '.join(device) or 'nothing'}")
    sensors = [str(data.attrs.get("sensor", "")) for data in channels.values()]
    labels = [str(data.attrs.get("label", name)) for name, data in channels.items()]
    if len(set(labels)) < len(labels):
        labels = list(channels)
    return Contents(
        np.column_stack([_values(path, data).reshape(-1) for data in channels.values()]),
        float(np.ravel(device.attrs["sampling rate"])[0]),
        tuple(labels),
        "adc",
        tuple(
            label
            for label, sensor in zip(labels, sensors, strict=True)
            if sensor not in ("", "RAW") and "EMG" not in sensor
        ),
        ("amplitudes are the converter's own counts: the file does not say what one is in volts",),
    )


def _of_datasets(path: Path, file: h5py.File, h5py: Any) -> Contents:
    arrays: dict[str, NDArray[Any]] = {}
    attributes = dict(file.attrs)

    def visit(name: str, found: Any) -> None:
        attributes.update(found.attrs)
        # "#refs#" is where MATLAB keeps the insides of cells.
        if isinstance(found, h5py.Dataset) and not name.startswith("#") and found.dtype.kind in "biuf":
            values = _values(path, found)
            is_text = found.attrs.get("MATLAB_class") == b"char"
            arrays[name.rsplit("/", 1)[-1]] = np.array("".join(map(chr, values.ravel()))) if is_text else values

    file.visititems(visit)
    by_lower = {str(key).lower().replace(" ", "_"): value for key, value in attributes.items()}
    for key in (*RATE_KEYS, "samplingfrequency"):
        if key in by_lower and key not in arrays:
            arrays.setdefault("rate_hz", np.asarray(by_lower[key], dtype=float))
    return from_arrays(path, arrays)


def _values(path: Path, data: h5py.Dataset) -> NDArray[Any]:
    if data.external or data.is_virtual or Path(data.file.filename) != path:
        raise InputError(f"{path}: {data.name} lies in another file; expected a recording that holds its own samples")
    return np.asarray(data[()])


def _require_modest(path: Path, file: h5py.File, h5py: Any) -> None:
    """A dataset may declare any shape and store nothing."""
    sizes: list[int] = []

    def visit(_: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            sizes.append((found.size or 0) * max(found.dtype.itemsize, 8))

    file.visititems(visit)
    require_modest(path, sum(sizes))
