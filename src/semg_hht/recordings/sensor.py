"""Read one channel of a second sensor, such as a goniometer or a load cell, from a recording or a file of its own.

It works on files. It does not know repetitions or labels. Missing samples stay missing: a sensor may fail for a while.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError, RateUnknown
from semg_hht.recordings.channels import ChannelDescription, decide_channels, distinct_names
from semg_hht.recordings.formats.arrays import mat_arrays
from semg_hht.recordings.formats.hdf5 import hdf5_arrays, is_matlab_73
from semg_hht.recordings.recording import Recording, decode_recording
from semg_hht.system.files import require_file
from semg_hht.system.numpy_files import arrays_in_npz

Array = NDArray[np.float64]

_BRACKETED = re.compile(r"^(.*?)\s*[\[(（]([^\])）]+)[\])）]\s*$")  # Knee angle [deg]


@dataclass(frozen=True)
class Sensor:
    """The samples of a second sensor.

    samples : (n_samples,), NaN where missing. rate_hz : samples per second.
    unit : as the file states it, such as ``deg``; empty: not stated.
    """

    samples: Array
    rate_hz: float
    name: str
    unit: str = ""

    @property
    def duration_s(self) -> float:
        return self.samples.size / self.rate_hz


def read_sensor(path: Path, channel: str = "", *, rate_hz: float | None = None) -> Sensor:
    """Read a channel by name (in any case, with or without its unit) or number, or a vector of a MAT or NPZ file.

    Parameters
    ----------
    channel : empty: the only channel that is not EMG, or the only channel.
    rate_hz : for files that do not state their rate. Time stamps give the mean rate of the sensor's own clock.

    Raises
    ------
    InputError
        The file can't be read, has no such channel, or its rate is unknown; several channels could be meant.
    """
    require_file(path)
    decoded = decode_recording(path, rate_hz)
    table = decoded.table
    names = distinct_names([name.strip() for name in decoded.channel_names or ("",) * table.shape[1]], decoded.numbers)
    described = decoded.described(names)
    numbers = decoded.numbers or tuple(range(1, len(names) + 1))
    index = _index_of(channel, names, numbers) if channel else None
    units: dict[str, str] = {d.name: d.unit for d in described}
    vectors: dict[str, NDArray[Any]] = {}
    if index is None:
        vectors = {name: values for name, values in _vectors(path).items() if name not in names}
    same_length = [name for name, values in vectors.items() if values.size == len(table)]
    if not channel:
        index = _only_sensor(path, described, table, same_length, decoded.non_emg if decoded.is_decided else None)
    if index is not None:
        samples, name = table[:, index], names[index]
    else:
        found = next((v for v in vectors if v.casefold() == channel.casefold()), None)
        if found is None:
            listed = ", ".join([*names, *same_length])
            left_out = "".join(f" ({remark})" for remark in decoded.remarks if channel in remark)
            raise InputError(f"{path}: has no channel {channel!r}; expected one of {listed}{left_out}")
        samples, name = vectors[found], found
    if samples.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected real numbers in {name}; found {samples.dtype}")
    rate = rate_hz or decoded.rate_hz
    if rate is None or (index is None and samples.size != len(table) and rate_hz is None):
        raise RateUnknown(f"{path}: the sampling rate of {name} is unknown; state it with SensorSource(rate_hz=...)")
    values = np.asarray(samples, dtype=np.float64)
    values = np.where(np.isfinite(values), values, np.nan)
    match = _BRACKETED.match(name)
    return Sensor(values, float(rate), name, units.get(name) or (match[2] if match else ""))


def sensor_in(recording: Recording, channel: str = "") -> Sensor:
    """A channel of a recording in memory as a sensor, found as by `read_sensor`.

    Raises
    ------
    InputError
        There is no such channel, or several could be meant.
    """
    names, where = recording.channel_names, recording.source or "recording"
    if not channel:
        if len(recording.non_emg) != 1:
            raise InputError(f"{where}: name the channel of the sensor; found {', '.join(recording.non_emg or names)}")
        channel = recording.non_emg[0]
    index = _index_of(channel, names, recording.numbers or tuple(range(1, len(names) + 1)))
    if index is None:
        raise InputError(f"{where}: has no channel {channel!r}; expected one of {', '.join(names)}")
    match = _BRACKETED.match(names[index])
    return Sensor(recording.samples[index], recording.rate_hz, names[index], match[2] if match else "")


def _index_of(channel: str, names: tuple[str, ...], numbers: tuple[int, ...]) -> int | None:
    same: tuple[Callable[[str], str], ...] = (str, str.casefold, _without_unit)
    for spelling in same:
        found = [i for i, name in enumerate(names) if spelling(name) == spelling(channel)]
        if len(found) == 1:
            return found[0]
    return numbers.index(int(channel)) if channel.isdecimal() and int(channel) in numbers else None


def _without_unit(name: str) -> str:
    match = _BRACKETED.match(name)
    return (match[1] if match else name).casefold()


def _only_sensor(
    path: Path,
    described: list[ChannelDescription],
    table: NDArray[Any],
    vectors: list[str],
    stated: tuple[str, ...] | None,
) -> int:
    """The only channel that is not EMG, or the only channel."""
    others = decide_channels(described, list(table.T)).non_emg if stated is None else stated
    candidates = [*others, *vectors]
    names = [d.name for d in described]
    if len(candidates) == 1 and candidates[0] in names:
        return names.index(candidates[0])
    if len(names) == 1:
        return 0
    listed = ", ".join(candidates or names)
    raise InputError(f"{path}: name the channel of the sensor with sensor=...; found {listed}")


def _vectors(path: Path) -> dict[str, NDArray[Any]]:
    """The vectors of a file of named arrays, by name; nothing for other kinds of files."""
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5") or (suffix == ".mat" and is_matlab_73(path)):
        arrays = hdf5_arrays(path)
    elif suffix in (".mat", ".npz"):
        arrays = mat_arrays(path) if suffix == ".mat" else arrays_in_npz(path)
    else:
        return {}
    return {
        name: value.reshape(-1)  # (n, 1) or (1, n) -> (n,)
        for name, value in arrays.items()
        if value.dtype.kind in "biuf" and value.size > 1 and max(value.shape) == value.size
    }
