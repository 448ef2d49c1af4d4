"""Reader of HDF5 recordings: files of PLUX devices (OpenSignals), plain datasets, and MATLAB 7.3 files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.arrays import from_arrays
from semg_hht.recordings.formats.decoded_recording import COUNTS_REMARK, DecodedRecording
from semg_hht.system.files import require_modest

if TYPE_CHECKING:
    import h5py


def read_hdf5(path: Path) -> DecodedRecording:
    """Read an HDF5 file; a MATLAB 7.3 file is one too.

    Raises
    ------
    InputError
        The file is not HDF5, or it does not show which of its arrays holds the samples.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _require_modest(path, file, h5py)
            devices = [
                group for group in file.values() if isinstance(group, h5py.Group) and "sampling rate" in group.attrs
            ]
            if devices:
                return _from_plux(path, devices)
            return from_arrays(path, *_datasets(path, file, h5py))
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds of errors over damaged files
        raise InputError(f"{path}: can't be read as HDF5; {error}") from None


def hdf5_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All datasets of an HDF5 file that `read_hdf5` reads, by name."""
    import h5py

    with h5py.File(path, "r") as file:
        return _datasets(path, file, h5py)[0]


def is_matlab_73(path: Path) -> bool:
    """Whether a MAT file has version 7.3, which is HDF5 after a header of MATLAB."""
    with path.open("rb") as handle:
        return handle.read(19) == b"MATLAB 7.3 MAT-file"


def _from_plux(path: Path, devices: list[h5py.Group]) -> DecodedRecording:
    """Read the channels ``raw/channel_N``; ``nSeq`` only counts packets."""
    if len(devices) > 1:
        raise InputError(f"{path}: expected one device; found {len(devices)}")
    (device,) = devices
    channels = {name: data for name, data in device.get("raw", {}).items() if name.startswith("channel")}
    if not channels:
        raise InputError(f"{path}: expected channels under raw/channel_N; found {', '.join(device) or 'nothing'}")
    sensors = [str(data.attrs.get("sensor", "")) for data in channels.values()]
    labels = [str(data.attrs.get("label", name)) for name, data in channels.items()]
    if len(set(labels)) < len(labels):
        labels = list(channels)
    return DecodedRecording(
        np.column_stack([_values(path, data).reshape(-1) for data in channels.values()]),
        float(np.ravel(device.attrs["sampling rate"])[0]),
        tuple(labels),
        "adc",
        tuple(
            label
            for label, sensor in zip(labels, sensors, strict=True)
            if sensor not in ("", "RAW") and "EMG" not in sensor
        ),
        (COUNTS_REMARK,),
    )


def _datasets(path: Path, file: h5py.File, h5py: Any) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """The arrays and the attributes of all datasets, by name."""
    arrays: dict[str, NDArray[Any]] = {}
    attributes = _attributes("", file)

    def visit(name: str, item: Any) -> None:
        # MATLAB keeps the content of cells under "#refs#".
        if name.startswith("#"):
            return
        attributes.update(_attributes(f"{name}/", item))
        if not isinstance(item, h5py.Dataset):
            return
        if item.dtype.kind in "biuf":
            values = _values(path, item)
            is_text = item.attrs.get("MATLAB_class") == b"char"
            arrays[name] = np.array("".join(map(chr, values.ravel()))) if is_text else values
        elif h5py.check_string_dtype(item.dtype):
            attributes[name] = _values(path, item)

    file.visititems(visit)
    return arrays, attributes


def _attributes(prefix: str, item: h5py.Group | h5py.Dataset) -> dict[str, NDArray[Any]]:
    return {prefix + str(key): np.asarray(value) for key, value in item.attrs.items()}


def _values(path: Path, data: h5py.Dataset) -> NDArray[Any]:
    if data.external or data.is_virtual or Path(data.file.filename) != path:
        raise InputError(f"{path}: {data.name} is stored in another file; expected samples in the recording itself")
    return np.asarray(data[()])


def _require_modest(path: Path, file: h5py.File, h5py: Any) -> None:
    """Check the declared sizes: a dataset may declare any shape and store nothing."""
    sizes: list[int] = []

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            sizes.append((item.size or 0) * max(item.dtype.itemsize, 8))

    file.visititems(visit)
    require_modest(path, sum(sizes))
