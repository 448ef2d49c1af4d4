"""Recording: samples, rate, channel names, units, and the file they came from; reading and writing it.

Knows files and physical units: nothing of filters, spectra or labels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.storage import BROKEN_NPZ, whole_file

Array = NDArray[np.float64]

RECORDING_SUFFIXES = (".csv", ".txt", ".tsv", ".mat", ".npz")
SAMPLE_KEYS = ("samples", "emg", "semg", "data", "signal")
RATE_KEYS = ("rate_hz", "fs", "sampling_rate", "sample_rate", "samplerate")
MICROVOLTS = {"v": 1e6, "mv": 1e3, "uv": 1.0, "µv": 1.0, "μv": 1.0}
MIN_SAMPLES = 32

_RATE_COMMENT = re.compile(r"sampl\w*[ _-]*(?:rate|freq\w*)[^0-9]*([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)
_TIME_NAME = re.compile(
    r"(time|times|timestamp|t|zeit|时间)[\s_]*([\[(/]?\s*(s|sec|seconds|ms)\s*[\])]?)?", re.IGNORECASE
)


@dataclass(frozen=True)
class Recording:
    """A recording of one or more channels at one rate.

    samples : (n_channels, n_samples) float64, finite, in ``units``.
    rate_hz : samples a second.
    units : ``V``, ``mV``, ``uV``, or a name of the device's own such as ``adc``; empty: not stated.
    source : the file, for messages.
    """

    samples: Array
    rate_hz: float
    channel_names: tuple[str, ...]
    units: str = ""
    source: str = ""

    @property
    def n_samples(self) -> int:
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.rate_hz

    @property
    def microvolts_per_unit(self) -> float | None:
        """Factor from ``units`` to microvolts; None where the units are not volts."""
        return MICROVOLTS.get(self.units.lower())

    def select(self, channels: tuple[str, ...]) -> Recording:
        """Only these channels, by name or 1-based number; all where ``channels`` is empty.

        Raises
        ------
        InputError
            A channel that the recording does not have.
        """
        if not channels:
            return self
        chosen = []
        for channel in channels:
            if channel in self.channel_names:
                chosen.append(self.channel_names.index(channel))
            elif channel.isdigit() and 1 <= int(channel) <= len(self.channel_names):
                chosen.append(int(channel) - 1)
            else:
                known = ", ".join(self.channel_names)
                raise InputError(f"{self.source}: no channel {channel!r}; the recording has {known}")
        return replace(self, samples=self.samples[chosen], channel_names=tuple(self.channel_names[i] for i in chosen))


def read_recording(path: str | Path, *, rate_hz: float | None = None, units: str = "") -> Recording:
    """Read a CSV/TXT table (one column a channel), a MAT file (version 5) or an NPZ file.

    Parameters
    ----------
    rate_hz : samples a second, where the file does not say. Where it does (a time column, a comment line, a key
        ``rate_hz`` or ``fs``) the two must agree within 1 %.
    units : units of the samples, where the file does not say.

    Raises
    ------
    InputError
        The file can't be read as one of these, holds no samples or values that are no finite numbers, or its rate is
        unknown or contradicts ``rate_hz``.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    readers = {".mat": _read_mat, ".npz": _read_npz}
    suffix = path.suffix.lower()
    if suffix not in RECORDING_SUFFIXES:
        known = ", ".join(RECORDING_SUFFIXES)
        raise InputError(f"{path}: recordings are read from {known}; found {suffix or 'no ending'}")
    try:
        found = readers.get(suffix, _read_table)(path)
    except InputError:
        raise
    except BROKEN_NPZ as error:
        raise InputError(f"{path}: can't be read as {suffix[1:].upper()}; {error}") from error
    return _checked(found, path, rate_hz, units)


@dataclass(frozen=True)
class _Found:
    """What a reader found: columns are channels, rows are samples."""

    table: NDArray[Any]  # (n_samples, n_channels)
    rate_hz: float | None = None
    channel_names: tuple[str, ...] = ()
    units: str = ""


def _checked(found: _Found, path: Path, rate_hz: float | None, units: str) -> Recording:
    if found.rate_hz is not None and rate_hz is not None and abs(found.rate_hz - rate_hz) > 0.01 * rate_hz:
        raise InputError(
            f"{path}: the file says {found.rate_hz:g} Hz, but {rate_hz:g} Hz was stated; expected them to agree"
        )
    rate = rate_hz if rate_hz is not None else found.rate_hz
    if rate is None:
        raise InputError(f"{path}: the sampling rate is unknown; state it with --rate_hz or in a manifest.csv")
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"{path}: the sampling rate must be above 0 Hz; found {rate:g}")
    table = found.table
    if table.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected real numbers; found {table.dtype}")
    samples = np.ascontiguousarray(table.T, dtype=np.float64)  # (n_samples, n_channels) -> (n_channels, n_samples)
    if samples.shape[0] == 0 or samples.shape[1] < MIN_SAMPLES:
        raise InputError(
            f"{path}: expected at least one channel of {MIN_SAMPLES} samples; "
            f"found {samples.shape[0]} of {samples.shape[1]}"
        )
    names = found.channel_names or tuple(f"ch{i + 1}" for i in range(samples.shape[0]))
    for name, channel in zip(names, samples, strict=True):
        n_bad = int(np.count_nonzero(~np.isfinite(channel)))
        if n_bad:
            raise InputError(
                f"{path}: channel {name} has {n_bad} samples that are NaN or infinite; expected finite numbers"
            )
    return Recording(samples, float(rate), names, found.units or units, str(path))


def _read_table(path: Path) -> _Found:
    """Text, one sample a line: comments behind ``#``, an optional header, separated by ``,`` ``;`` tab or space."""
    text = path.read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    if not body:
        raise InputError(f"{path}: expected one line a sample; found none")
    separator = max((";", "\t", ","), key=body[0].count)
    if separator not in body[0]:
        separator = " "
    header = _cells(body[0], separator)
    has_header = not all(_is_number(cell) for cell in header)
    if has_header:
        body = body[1:]
    if not body:
        raise InputError(f"{path}: expected one line a sample after the header; found none")
    table = np.loadtxt(body, delimiter=None if separator == " " else separator, ndmin=2, dtype=np.float64)
    names = tuple(header) if has_header else ()
    if names and len(names) != table.shape[1]:
        raise InputError(f"{path}: the header names {len(names)} columns; the lines below have {table.shape[1]}")
    rate = next((float(m.group(1)) for line in comments if (m := _RATE_COMMENT.search(line))), None)
    time = [i for i, name in enumerate(names) if _TIME_NAME.fullmatch(name)]
    if time:
        rate = _rate_of_time_column(path, names[time[0]], table[:, time[0]])
        names = tuple(name for i, name in enumerate(names) if i != time[0])
        table = np.delete(table, time[0], axis=1)
    return _Found(table, rate, names)


def _rate_of_time_column(path: Path, name: str, time: Array) -> float:
    step = np.diff(time) / (1000 if "ms" in name.lower() else 1)
    if step.size == 0 or not np.all(step > 0):
        raise InputError(f"{path}: column {name!r} must rise from line to line to be a time in seconds")
    mean = float(step.mean())
    if float(np.max(np.abs(step - mean))) > 0.5 * mean:
        raise InputError(
            f"{path}: column {name!r} has gaps (steps of {step.min():g} to {step.max():g} s); expected an even rate"
        )
    return 1 / mean


def _read_mat(path: Path) -> _Found:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path)
    except NotImplementedError:
        raise InputError(f"{path}: this is a MATLAB 7.3 file; save it with '-v7' to have it read") from None
    except (MatReadError, TypeError) as error:
        raise InputError(f"{path}: can't be read as a MAT file; {error}") from None
    return _from_arrays(path, {name: value for name, value in content.items() if not name.startswith("__")})


def _read_npz(path: Path) -> _Found:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
        return _from_arrays(path, {name: archive[name] for name in archive.files})


def _from_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> _Found:
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
    return _Found(
        table,
        float(rates[0].reshape(-1)[0]) if rates else None,
        tuple(str(n) for n in names.reshape(-1)) if names is not None and names.size == table.shape[1] else (),
        str(units.reshape(-1)[0]) if units is not None and units.size == 1 else "",
    )


def write_recording(recording: Recording, path: Path) -> None:
    """Write a recording as ``.npz`` (exact) or ``.csv`` (a time column, seven digits, header with the channel names).

    Raises
    ------
    InputError
        Another ending, or a disk that is full.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".csv"):
        raise InputError(f"{path}: recordings are written as .npz or .csv; found {suffix or 'no ending'}")
    with whole_file(path) as part:
        if suffix == ".npz":
            with part.open("wb") as handle:
                np.savez_compressed(
                    handle,
                    samples=recording.samples,
                    rate_hz=np.float64(recording.rate_hz),
                    channel_names=np.array(recording.channel_names),
                    units=np.array(recording.units),
                )
        else:
            time_s = np.arange(recording.n_samples) / recording.rate_hz
            table = np.column_stack([time_s, recording.samples.T])  # (n_samples, 1 + n_channels)
            header = ",".join(["time_s", *recording.channel_names])
            np.savetxt(part, table, fmt=["%.6f"] + ["%.7g"] * len(recording.channel_names), delimiter=",",
                       header=header, comments="", encoding="utf-8")  # fmt: skip


def _cells(line: str, separator: str) -> list[str]:
    cells = line.split() if separator == " " else line.split(separator)
    return [cell.strip().strip('"') for cell in cells]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
