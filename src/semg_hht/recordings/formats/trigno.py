"""Delsys Trigno's recordings as text: what EMGworks and Trigno Discover export.

Knows columns that each have times of their own: nothing of what a recording must be.
"""

# biosigio reads the older of the two layouts, through pandas and beside matplotlib and wfdb, and gives every channel
# the first column's times; the newer one it doesn't know. What is needed of both is less than what it brings along.

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.channels import distinct
from semg_hht.recordings.formats.contents import Contents
from semg_hht.recordings.units import one_unit

Array = NDArray[np.float64]

_TIME = re.compile(r"X ?\[s\](\.\d+)?|.* Time Series \(s\).*")
_UNIT = re.compile(r"\s*[(\[]([^()\[\]]+)[)\]]$")
_LABEL = re.compile(r"Label:\s*(.+?)\s*Sampling frequency:\s*([0-9.]+)(?:.*?Unit:\s*([^\s,]+))?")
_HZ = re.compile(r"([0-9.]+)\s*Hz")
_SENSOR_ROWS_ABOVE = 2  # Trigno Discover: sensors, their modes, then the channels
LOOK_BYTES = 2**16
RATE_TOLERANCE = 0.001


@dataclass(frozen=True)
class _Column:
    at: int  # of the samples
    time_at: int
    name: str
    unit: str
    stated_hz: float | None


def is_trigno(path: Path) -> bool:
    """Whether a CSV file has Delsys' columns of times."""
    with path.open("rb") as handle:
        head = handle.read(LOOK_BYTES)
    return b"EMG" in head.upper() and any(mark in head for mark in (b"X[s]", b"X [s]", b" Time Series (s)"))


def read_trigno(path: Path) -> Contents:
    """The EMG channels that share the commonest rate, cut to the shortest of them.

    Raises
    ------
    InputError
        No EMG, a column with gaps, times that contradict the rate stated, or channels that begin at different times.
    """
    try:
        columns, emg, values = _read(path)
    except csv.Error as error:
        raise InputError(f"{path}: can't be read as CSV; {error}") from None
    rates = [_rate(path, column, values) for column in emg]
    # Rates that follow from rounded times differ a little from channel to channel.
    alike = [[math.isclose(rate, other, rel_tol=RATE_TOLERANCE) for other in rates] for rate in rates]
    commonest = max(range(len(rates)), key=lambda i: (sum(alike[i]), rates[i]))
    rate_hz = rates[commonest]
    chosen = [column for column, is_kept in zip(emg, alike[commonest], strict=True) if is_kept]
    starts = [values[column.time_at][0] for column in chosen]
    if max(starts) - min(starts) > 1 / rate_hz:
        raise InputError(
            f"{path}: EMG channels begin at {min(starts):g} to {max(starts):g} s; expected them to begin together"
        )
    lengths = [values[column.at].size for column in chosen]
    unit, factors = one_unit([column.unit for column in chosen])
    table = np.column_stack(
        [values[column.at][: min(lengths)] * factor for column, factor in zip(chosen, factors, strict=True)]
    )
    remarks = []
    left = [column.name for column in columns if column not in chosen]
    if left:
        remarks.append(f"channels of another rate than {rate_hz:g} Hz, or no EMG, were left out: {', '.join(left)}")
    if max(lengths) > min(lengths):
        remarks.append(f"channels of up to {max(lengths)} samples were cut to the shortest, {min(lengths)}")
    return Contents(table, rate_hz, distinct([c.name for c in chosen]), unit, remarks=tuple(remarks))


def _read(path: Path) -> tuple[list[_Column], list[_Column], dict[int, Array]]:
    """All columns, those of EMG, and the numbers of these and of their times, by position."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        columns, rows = _columns(path, csv.reader(handle))
        emg = [column for column in columns if "EMG" in column.name.upper()]
        if not emg:
            found = ", ".join(column.name for column in columns) or "none"
            raise InputError(f"{path}: no channel is EMG; found {found}")
        return columns, emg, _values(path, rows, sorted({at for column in emg for at in (column.at, column.time_at)}))


def _columns(path: Path, rows: Iterator[list[str]]) -> tuple[list[_Column], Iterator[list[str]]]:
    """What the lines above the samples say, and the rows behind them."""
    above: list[list[str]] = []
    labels: dict[str, tuple[float, str]] = {}
    for cells in rows:
        if any(_TIME.fullmatch(cell.strip()) for cell in cells):
            break
        if found := _LABEL.match(",".join(cells)):
            labels[found[1]] = (float(found[2]), found[3] or "")
        if any(cells):
            above.append(cells)
    else:
        raise InputError(f"{path}: expected a line that names columns of times, X[s]; found none")
    names = [cell.strip() for cell in cells]
    is_discover = any("Time Series" in name for name in names)
    sensors = above[-_SENSOR_ROWS_ABOVE] if is_discover and len(above) >= _SENSOR_ROWS_ABOVE else []
    behind = next(rows, [])
    stated = behind if any("Hz" in cell for cell in behind) else []
    columns = []
    time_at, sensor = -1, ""
    for at, name in enumerate(names):
        sensor = (sensors[at].strip() if at < len(sensors) else "") or sensor
        if _TIME.fullmatch(name):
            time_at = at
        elif name and time_at < 0:
            raise InputError(f"{path}: {name} has no column of times before it")
        elif name:
            hz, unit = labels.get(name, (None, ""))
            if found := _UNIT.search(name):
                name, unit = name[: found.start()], unit or found[1]
            if at < len(stated) and (found := _HZ.search(stated[at])):
                hz = float(found[1])
            columns.append(_Column(at, time_at, f"{sensor} {name}".strip(), unit, hz))
    return columns, rows if stated else chain([behind], rows)


def _values(path: Path, rows: Iterator[list[str]], wanted: list[int]) -> dict[int, Array]:
    """Numbers of each column down to its first empty cell: the slower a channel, the sooner its column ends."""
    texts: dict[int, list[str]] = {at: [] for at in wanted}
    ended: set[int] = set()
    for cells in rows:
        filled = {at: cells[at] for at in wanted if at < len(cells) and cells[at].strip()}
        if not any(texts.values()) and not (filled and all(_is_number(text) for text in filled.values())):
            continue  # another line that says something of the columns, such as their sampling interval
        if filled.keys() & ended:
            raise InputError(f"{path}: column {min(filled.keys() & ended) + 1} has an empty cell between its samples")
        ended |= texts.keys() - filled.keys()
        for at, text in filled.items():
            texts[at].append(text)
    try:
        return {at: np.array(text, dtype=np.float64) for at, text in texts.items()}
    except ValueError as error:
        raise InputError(f"{path}: expected numbers below the names of the columns; {error}") from None


def _rate(path: Path, column: _Column, values: dict[int, Array]) -> float:
    if values[column.at].size == 0 or values[column.at].size > values[column.time_at].size:
        raise InputError(
            f"{path}: {column.name} has {values[column.at].size} samples at {values[column.time_at].size} times; "
            "expected a time for each"
        )
    measured = _rate_of_times(path, column.name, values[column.time_at])
    if column.stated_hz is None:
        return measured
    if abs(measured - column.stated_hz) > 0.01 * column.stated_hz:
        raise InputError(
            f"{path}: {column.name} is said to have {column.stated_hz:g} Hz, its times {measured:g} Hz; "
            "expected them to agree"
        )
    return column.stated_hz


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rate_of_times(path: Path, name: str, time_s: Array) -> float:
    step = np.diff(time_s)
    if step.size == 0 or not np.all(step > 0):
        raise InputError(f"{path}: the times of {name} must rise from line to line")
    mean = float(step.mean())
    if float(np.max(np.abs(step - mean))) > 0.5 * mean:
        raise InputError(
            f"{path}: the times of {name} have gaps, steps of {step.min():g} to {step.max():g} s; expected an even rate"
        )
    return 1 / mean
