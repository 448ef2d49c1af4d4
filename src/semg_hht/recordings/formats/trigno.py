"""Reader of Delsys Trigno tables, exported by EMGworks or Trigno Discover: each channel has its own column of times."""

# The package biosigio reads the older of the two layouts, but not the newer one; it gives all channels the times of the
# first column and needs pandas, matplotlib and wfdb.

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
from semg_hht.recordings.channels import distinct_names
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.sample_times import Times, remark_on_ignored
from semg_hht.recordings.units import one_unit

Array = NDArray[np.float64]

_TIME = re.compile(r"X ?\[s\](\.\d+)?|.* Time Series \(s\).*")
_UNIT = re.compile(r"\s*[(\[]([^()\[\]]+)[)\]]$")
_LABEL = re.compile(r"Label:\s*(.+?)\s*Sampling frequency:\s*([0-9.]+(?:e[+-]?[0-9]+)?)(?:.*?Unit:\s*([^\s,]+))?")
_HZ = re.compile(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*Hz", re.IGNORECASE)
_SENSOR_ROWS_ABOVE = 2  # Trigno Discover has a row of sensors and a row of their modes above the channel names
HEAD_BYTES = 2**16  # that `is_trigno` reads
RATE_TOLERANCE = 0.001


@dataclass(frozen=True)
class _Column:
    index: int
    time_index: int | None
    name: str
    unit: str
    stated_hz: float | None
    is_emg: bool  # by the name of the channel; that of its sensor may say EMG too


def is_trigno(path: Path) -> bool:
    """Whether a CSV file has time columns as Delsys names them, or is an export of Trigno Discover without them."""
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
    marks = (b"X[s]", b"X [s]", b" Time Series (s)", b"Trigno Discover")
    return b"EMG" in head.upper() and any(mark in head for mark in marks)


def read_trigno(path: Path, rate_hz: float | None = None) -> DecodedRecording:
    """Read the EMG channels with the most common rate, all cut to the length of the shortest.

    Times that give no rate, or contradict the header, are ignored with a remark if ``rate_hz`` is stated.

    Raises
    ------
    InputError
        There is no EMG, a column has gaps, the times contradict the rate in the header, or channels start at different
        times.
    """
    try:
        columns, emg, values = _read(path)
    except csv.Error as error:
        raise InputError(f"{path}: can't be read as CSV; {error}") from None
    remarks: list[str] = []
    rates = [_rate(path, column, values, rate_hz, remarks) for column in emg]
    # Rates computed from rounded times differ slightly between channels.
    alike = [[math.isclose(rate, other, rel_tol=RATE_TOLERANCE) for other in rates] for rate in rates]
    best = max(range(len(rates)), key=lambda i: (sum(alike[i]), rates[i]))
    rate_hz = rates[best]
    chosen = [column for column, is_alike in zip(emg, alike[best], strict=True) if is_alike]
    starts = [values[column.time_index][0] for column in chosen if column.time_index is not None]
    if starts and max(starts) - min(starts) > 1 / rate_hz:
        raise InputError(f"{path}: EMG channels start at {min(starts):g} to {max(starts):g} s; expected the same start")
    lengths = [values[column.index].size for column in chosen]
    unit, factors = one_unit([column.unit for column in chosen])
    table = np.column_stack(
        [values[column.index][: min(lengths)] * factor for column, factor in zip(chosen, factors, strict=True)]
    )
    left_out = [column.name for column in columns if column not in chosen]
    if left_out:
        remarks.append(f"channels that are not EMG or differ from {rate_hz:g} Hz were left out: {', '.join(left_out)}")
    if max(lengths) > min(lengths):
        remarks.append(f"channels of up to {max(lengths)} samples were cut to the shortest, {min(lengths)} samples")
    return DecodedRecording(
        table,
        rate_hz,
        distinct_names([c.name for c in chosen]),
        unit,
        remarks=tuple(remarks),
        channel_units=tuple(column.unit for column in chosen),
        numbers=tuple(columns.index(column) + 1 for column in chosen) if left_out else (),
    )


def _read(path: Path) -> tuple[list[_Column], list[_Column], dict[int, Array]]:
    """All columns, the EMG columns, and the numbers of the EMG columns and of their times, by column index."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        columns, rows = _columns(path, csv.reader(handle))
        emg = [column for column in columns if column.is_emg]
        if not emg:
            found = ", ".join(column.name for column in columns) or "none"
            raise InputError(f"{path}: expected at least one EMG channel; found {found}")
        needed = sorted({i for column in emg for i in (column.index, column.time_index) if i is not None})
        return columns, emg, _values(path, rows, needed)


def _columns(path: Path, rows: Iterator[list[str]]) -> tuple[list[_Column], Iterator[list[str]]]:
    """The columns as the lines above the samples describe them, and the remaining rows."""
    above: list[list[str]] = []
    labels: dict[str, tuple[float, str]] = {}
    for cells in rows:
        if any(_TIME.fullmatch(cell.strip()) for cell in cells):
            names, rate_cells, has_times = cells, [], True
            break
        filled = [cell.strip() for cell in cells if cell.strip()]
        if above and filled and all(_HZ.fullmatch(cell) for cell in filled):  # an export without times
            names, rate_cells, has_times = above.pop(), cells, False
            break
        if match := _LABEL.match(",".join(cells)):
            labels[match[1]] = (float(match[2]), match[3] or "")
        if any(cells):
            above.append(cells)
    else:
        raise InputError(f"{path}: expected a line with names of time columns, X[s], or of rates in Hz; found none")
    names = [cell.strip() for cell in names]
    is_discover = not has_times or any("Time Series" in name for name in names)
    sensors = above[-_SENSOR_ROWS_ABOVE] if is_discover and len(above) >= _SENSOR_ROWS_ABOVE else []
    below = next(rows, [])
    if is_below_rates := has_times and any("Hz" in cell for cell in below):
        rate_cells = below
    columns = []
    time_index: int | None = None
    sensor = ""
    for index, name in enumerate(names):
        sensor = (sensors[index].strip() if index < len(sensors) else "") or sensor
        if _TIME.fullmatch(name):
            time_index = index
        elif name and has_times and time_index is None:
            raise InputError(f"{path}: expected a time column before {name}; found none")
        elif name:
            hz, unit = labels.get(name, (None, ""))
            if match := _UNIT.search(name):
                name, unit = name[: match.start()], unit or match[1]
            if index < len(rate_cells) and (match := _HZ.search(rate_cells[index])):
                hz = float(match[1])
            columns.append(_Column(index, time_index, f"{sensor} {name}".strip(), unit, hz, "EMG" in name.upper()))
    return columns, rows if is_below_rates else chain([below], rows)


def _values(path: Path, rows: Iterator[list[str]], needed: list[int]) -> dict[int, Array]:
    """The numbers of each needed column, up to its first empty cell: columns of slower channels end earlier."""
    texts: dict[int, list[str]] = {i: [] for i in needed}
    ended: set[int] = set()
    for cells in rows:
        filled = {i: cells[i] for i in needed if i < len(cells) and cells[i].strip()}
        if not any(texts.values()) and not (filled and all(_is_number(text) for text in filled.values())):
            continue  # another line that describes the columns, such as their sampling interval
        if filled.keys() & ended:
            raise InputError(f"{path}: column {min(filled.keys() & ended) + 1} has an empty cell between its samples")
        ended |= texts.keys() - filled.keys()
        for i, text in filled.items():
            texts[i].append(text)
    try:
        return {i: np.array(text, dtype=np.float64) for i, text in texts.items()}
    except ValueError as error:
        raise InputError(f"{path}: expected numbers below the names of the columns; {error}") from None


def _rate(path: Path, column: _Column, values: dict[int, Array], given_hz: float | None, remarks: list[str]) -> float:
    stated_hz = column.stated_hz
    if column.time_index is None:
        if stated_hz is None:
            raise InputError(f"{path}: expected a rate in Hz for {column.name}; found none")
        return stated_hz
    n_samples, times = values[column.index].size, values[column.time_index]
    if n_samples == 0 or n_samples > times.size:
        raise InputError(
            f"{path}: {column.name} has {n_samples} samples at {times.size} times; expected one time for each sample"
        )
    try:
        measured = _rate_of_times(path, column.name, times)
    except InputError:
        if given_hz is None:
            raise
        remarks.append(remark_on_ignored(Times(column.name, times), given_hz))
        return given_hz
    if stated_hz is None:
        return measured
    if abs(measured - stated_hz) > 0.01 * stated_hz:
        if given_hz is not None:
            remarks.append(f"the header states {stated_hz:g} Hz for {column.name} and its times give {measured:g} Hz; "
                           f"both were ignored, because {given_hz:g} Hz is stated")  # fmt: skip
            return given_hz
        raise InputError(
            f"{path}: the header states {stated_hz:g} Hz for {column.name}, but its times give {measured:g} Hz; "
            "expected the same rate"
        )
    return stated_hz


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _rate_of_times(path: Path, name: str, time_s: Array) -> float:
    step = np.diff(time_s)
    if step.size == 0 or not np.all(step > 0):
        raise InputError(f"{path}: the times of {name} must increase from line to line")
    mean = float(step.mean())
    if float(np.max(np.abs(step - mean))) > 0.5 * mean:
        raise InputError(
            f"{path}: the times of {name} have gaps, with steps of {step.min():g} to {step.max():g} s; "
            "expected even steps"
        )
    return 1 / mean
