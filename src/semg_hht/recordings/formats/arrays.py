"""Reader of recordings stored as named arrays: NPZ and MAT files; and of the single array of an NPY file."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.channels import ChannelDescription, reasons_by_description, remarks_on_stated
from semg_hht.recordings.formats.clocks import ColumnClock, find_clocks, is_time_name
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, most_common_of_emg, remarks_on_other_rates
from semg_hht.recordings.formats.sample_times import SampleLines
from semg_hht.recordings.units import one_unit
from semg_hht.system.files import require_modest
from semg_hht.system.numpy_files import arrays_in_npz, map_npy

SAMPLE_KEYS = ("samples", "emg", "semg", "data", "signal")
# Types of elements, and classes of arrays that contain other arrays: "MAT-File Format", MathWorks, tables 1-1 and 1-3.
NUMBERS, MATRIX, COMPRESSED = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18), 14, 15
NESTED = (1, 2, 3, 16, 17)
# Names without blanks and signs, in lower case.
RATE_KEYS = (
    "ratehz", "fs", "samplingrate", "samplerate", "samplingfrequency", "samplefrequency", "samplingfreq", "samplefreq",
    "srate", "sfreq", "fsample", "fshz", "samplingratehz", "sampleratehz", "emgfs", "fsemg",
)  # fmt: skip
INTERVAL_KEYS = ("ts", "dt", "samplinginterval", "sampleinterval", "samplingperiod")  # in seconds
WEAK_RATE_KEYS = (
    "frequency",
    "freq",
    "frequencyhz",
)  # may mean other frequencies, so they count only without the others
UNIT_KEYS = ("units", "unit", "emgunits", "amplitudeunits")
NAME_KEYS = ("channelnames", "chnames", "channellabels", "labels", "channels", "titles", "musclenames", "muscles")


def read_mat(path: Path) -> DecodedRecording:
    return from_arrays(path, mat_arrays(path))


def mat_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a MAT file up to version 7.2, by name; those of structs are named as paths."""
    from scipy.io import loadmat

    try:
        _check_mat_elements(path)
        content = loadmat(path)
    except InputError:
        raise
    except Exception as error:  # scipy raises many kinds of errors over damaged files
        raise InputError(f"{path}: can't be read as a MAT file; {error}") from None
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in content.items():
        if not name.startswith("__") and name != "None":  # scipy names objects of MATLAB classes None
            arrays |= _fields(name, np.asarray(value))
    return arrays


def _fields(name: str, value: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The arrays within a struct of MATLAB, named as paths."""
    if not value.dtype.names:
        return {name: value}
    elements = [(name if value.size == 1 else f"{name}({i + 1})", item) for i, item in enumerate(value.reshape(-1))]
    return {
        path: array
        for prefix, item in elements
        for field in value.dtype.names
        for path, array in _fields(f"{prefix}/{field}", np.asarray(item[field])).items()
    }


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
    return from_arrays(path, arrays_in_npz(path))


def read_npy(path: Path) -> DecodedRecording:
    # A mapped file must be as long as its header states; nothing is allocated for a larger one.
    return from_arrays(path, {"samples": np.array(map_npy(path))})


def from_arrays(
    path: Path, arrays: dict[str, NDArray[Any]], attributes: dict[str, NDArray[Any]] | None = None
) -> DecodedRecording:
    """Find samples, rate, channel names and units among named arrays, in any case of their names.

    The names are paths, such as ``trial1/emg`` for the field of a struct. What is stated nearest to the samples counts.

    arrays : may hold the samples.
    attributes : can't hold the samples; those of an array have its name as their folder.

    Raises
    ------
    InputError
        No array, or none of several arrays, is named as samples are; several are; or the samples have more than two
        dimensions.
    """
    stated = arrays | (attributes or {})
    found = _labchart_samples(path, arrays) or _named_samples(path, arrays) or _vectors(path, arrays)
    if found is None:
        listed = ", ".join(f"{name} {value.shape}" for name, value in arrays.items()) or "nothing"
        raise InputError(f"{path}: expected samples under one of {', '.join(SAMPLE_KEYS)}; found {listed}")
    table, near, names = found.table, found.name, found.channel_names
    rate_hz, remark = _rate(near, stated)
    remarks = [remark] if remark else []
    if not names:
        names = _texts(near, stated, NAME_KEYS, table.shape[1])
    units = found.units or _texts(near, stated, UNIT_KEYS, table.shape[1])
    if units:
        unit, factors = one_unit(list(units))
        table = table * np.array(factors) if set(factors) != {1.0} else table
    else:
        unit = next(iter(_texts(near, stated, UNIT_KEYS, 1)), "")
    rate_hz = found.rate_hz or rate_hz
    if rate_hz is None and (clock := _clock(path, found, arrays)):
        rate_hz = clock.rate_hz
        remarks += [clock.remark] if clock.remark else []
    non_emg = stated.get("non_emg")  # `write_recording` stores it, even where it is empty
    others = () if non_emg is None else tuple(map(_text, non_emg.reshape(-1)))
    return DecodedRecording(
        table,
        rate_hz,
        names,
        unit,
        others,
        (*found.remarks, *remarks, *remarks_on_stated(others)),
        channel_units=units,
        numbers=found.numbers,
        is_decided=non_emg is not None,
    )


@dataclass(frozen=True)
class _Samples:
    """Samples (n_samples, n_channels) that stand under ``name``, and what their layout states about them."""

    table: NDArray[Any]
    name: str
    channel_names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    rate_hz: float | None = None
    remarks: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()


def leaf_of(name: str) -> str:
    """The last part of a path in lower case, without blanks and signs: ``Sampling Rate`` -> ``samplingrate``."""
    return re.sub(r"[\W_]", "", name.rsplit("/", 1)[-1].lower())


def _is_table(value: NDArray[Any]) -> bool:
    return value.dtype.kind in "biuf" and value.ndim <= 2 and value.size > 1


def _named_samples(path: Path, arrays: dict[str, NDArray[Any]]) -> _Samples | None:
    """The array that is named as samples are, or the only table."""
    tables = [name for name, value in arrays.items() if _is_table(value)]
    names = next((same for key in SAMPLE_KEYS if (same := [name for name in arrays if leaf_of(name) == key])), tables)
    if len(names) > 1 and names is not tables:
        listed = ", ".join(f"{name} {arrays[name].shape}" for name in names)
        raise InputError(f"{path}: expected one array of samples; found {listed}. Write each into a file of its own")
    if len(names) != 1:
        return None
    table = arrays[names[0]]
    if table.ndim not in (1, 2):
        raise InputError(f"{path}: expected samples of one or two dimensions; found shape {table.shape}")
    table = np.atleast_2d(table)
    if table.shape[0] < table.shape[1]:  # a recording has more samples than channels
        table = table.T
    return _Samples(table, names[0])


def _vectors(path: Path, arrays: dict[str, NDArray[Any]]) -> _Samples | None:
    """One vector a channel: the fields of a struct that is named as samples are, or vectors with EMG in their names."""
    vectors = {name: value for name, value in arrays.items() if _is_table(value) and max(value.shape) == value.size}
    groups: dict[str, list[str]] = {}
    for name in vectors:
        groups.setdefault(name.rpartition("/")[0], []).append(name)
    named = [group for group in groups if group and leaf_of(group) in SAMPLE_KEYS]
    chosen = next((groups[group] for group in named), [name for name in vectors if "emg" in leaf_of(name)])
    lengths = {vectors[name].size for name in chosen if not is_time_name(name.rsplit("/", 1)[-1])}
    if len(named) > 1 or len(lengths) != 1:
        return None
    chosen = [name for name in chosen if not is_time_name(name.rsplit("/", 1)[-1])]
    table = np.column_stack([vectors[name].reshape(-1) for name in chosen])
    return _Samples(table, chosen[0], tuple(name.rsplit("/", 1)[-1] for name in chosen))


def _labchart_samples(path: Path, arrays: dict[str, NDArray[Any]]) -> _Samples | None:
    """The channels of LabChart, which stand one after the other in ``data``; those of the most common rate are kept."""
    by_leaf = {leaf_of(name): value for name, value in arrays.items()}
    if not {"data", "datastart", "dataend"} <= by_leaf.keys():
        return None
    data = by_leaf["data"].reshape(-1)
    n_channels, n_blocks = (*by_leaf["datastart"].shape, 1)[:2]
    if n_blocks > 1:
        raise InputError(f"{path}: expected one block of samples; found {n_blocks}. Export each block by itself")
    starts, ends = (by_leaf[key].reshape(-1).astype(int) for key in ("datastart", "dataend"))
    rates = by_leaf["samplerate"].reshape(-1).astype(float) if "samplerate" in by_leaf else np.zeros(n_channels)
    if rates.size == 1:
        rates = np.repeat(rates, n_channels)
    titles = [_text(title) for title in by_leaf.get("titles", np.array([])).reshape(-1)] or [""] * n_channels
    kept = [i for i in range(n_channels) if starts[i] > 0]
    if not kept or not ends.size == rates.size == len(titles) == n_channels or ends.max() > data.size:
        raise InputError(f"{path}: datastart, dataend, samplerate and titles must describe the same channels of data")
    texts = [_text(text) for text in by_leaf.get("unittext", np.array([])).reshape(-1)]
    places = by_leaf.get("unittextmap", np.zeros(n_channels)).reshape(-1).astype(int)
    all_units = [texts[place - 1] if 0 < place <= len(texts) else "" for place in places]
    reasons = reasons_by_description([ChannelDescription(titles[i], all_units[i]) for i in kept])
    rate_hz = most_common_of_emg(rates[kept].tolist(), reasons)
    left_out = [titles[i] for i in kept if rates[i] != rate_hz]
    kept = [i for i in kept if rates[i] == rate_hz]
    lengths = ends[kept] - starts[kept] + 1
    table = np.column_stack([data[starts[i] - 1 : starts[i] - 1 + lengths.min()] for i in kept])
    units = tuple(all_units[i] for i in kept) if texts else ()
    names = tuple(titles[i] for i in kept) if all(titles[i] for i in kept) else ()
    remarks = tuple(remarks_on_other_rates(rate_hz, left_out))
    numbers = tuple(i + 1 for i in kept) if len(kept) < n_channels else ()
    return _Samples(table, "data", names, units, rate_hz or None, remarks, numbers)


def _nearest(near: str, stated: dict[str, NDArray[Any]], keys: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Name -> value of those under the keys that stand nearest to the samples."""
    ranks = {name: _rank(name, near) for name in stated if name != near and leaf_of(name) in keys}
    return {name: stated[name] for name, rank in ranks.items() if rank == max(ranks.values())}


def _rank(name: str, near: str) -> tuple[bool, int]:
    """Whether the folder of ``name`` holds ``near``, and how many of its folders do."""
    folders, parts = name.split("/")[:-1], near.split("/")
    shared = next((i for i, pair in enumerate(zip(folders, parts, strict=False)) if pair[0] != pair[1]), len(folders))
    return shared == len(folders) <= len(parts), shared


def _rate(near: str, stated: dict[str, NDArray[Any]]) -> tuple[float | None, str]:
    """The rate, and a remark if it is stated in several ways that differ."""
    rates = set(_numbers(near, stated, RATE_KEYS))
    rates = rates or {1 / step for step in _numbers(near, stated, INTERVAL_KEYS) if step > 0}
    rates = rates or {1000 / step for step in _numbers(near, stated, ("isi",)) if step > 0}  # AcqKnowledge, in ms
    rates = rates or set(_numbers(near, stated, WEAK_RATE_KEYS))
    if len(rates) > 1:
        listed = ", ".join(f"{rate:g}" for rate in sorted(rates))
        return None, f"the file states several rates ({listed} Hz), so none of them is used"
    return (rates.pop() if rates else None), ""


def _numbers(near: str, stated: dict[str, NDArray[Any]], keys: tuple[str, ...]) -> list[float]:
    numbers = {
        name: number for name, value in stated.items() if leaf_of(name) in keys and (number := _number(value)).size
    }
    return [float(number[0]) for number in _nearest(near, numbers, keys).values()]


def _number(value: NDArray[Any]) -> NDArray[Any]:
    """The one number that an array of numbers or a text such as ``1000 Hz`` states; an empty array if there is none."""
    if value.dtype.kind in "biuf":
        return np.unique(value) if np.unique(value).size == 1 else np.array([])
    match = (
        re.match(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*(k?)(?:hz)?$", _text(value), re.IGNORECASE) if value.size == 1 else None
    )
    return np.array([float(match[1]) * (1000 if match[2] else 1)] if match else [])


def _texts(near: str, stated: dict[str, NDArray[Any]], keys: tuple[str, ...], n: int) -> tuple[str, ...]:
    """``n`` texts under the first of the keys that has as many; empty if arrays of one name differ."""
    arrays = {name: value for name, value in stated.items() if value.size == n and value.dtype.kind in "OSU"}
    nearest = _nearest(near, arrays, keys)
    for key in keys:
        texts = {tuple(map(_text, value.reshape(-1))) for name, value in nearest.items() if leaf_of(name) == key}
        if texts:
            return texts.pop() if len(texts) == 1 else ()
    return ()


def _text(value: Any) -> str:
    """The text of an item of an array; MATLAB keeps each text of a cell array in an array of its own."""
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()


def _clock(path: Path, samples: _Samples, arrays: dict[str, NDArray[Any]]) -> ColumnClock | None:
    """The clock of a vector of times as long as the samples."""
    n = samples.table.shape[0]
    for name, value in arrays.items():
        leaf = name.rsplit("/", 1)[-1]
        if is_time_name(leaf) and _is_table(value) and max(value.shape) == value.size == n:
            column = value.reshape(1, -1).astype(np.float64)  # (n,) or (n, 1) -> (1, n)
            try:
                return find_clocks(column, [leaf], (), SampleLines(path, lambda sample: sample + 1, "sample")).get(0)
            except InputError:
                return ColumnClock(None, n, f"the times in {leaf!r} give no plain rate")
    return None
