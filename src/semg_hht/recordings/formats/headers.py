"""What stands above the samples of a text file: names, units, the sampling rate, the layout of a known program.

Knows LabChart, OpenSignals, and what most others write: nothing of samples.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.recordings.formats.cells import (
    N_PROBED,
    Dialect,
    find_samples,
    is_comment,
    is_content,
    number,
    seconds_of_day,
)
from semg_hht.recordings.units import volts

MAX_COLUMNS = 4096
_NUMBER = r"([0-9]+(?:[.,][0-9]+)?(?:e[+-]?[0-9]+)?)"
_RATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"sampl\w*[ _-]*(?:rate|freq\w*)[^0-9]*" + _NUMBER + r"\s*(k?)",
        r"采样(?:频)?率[^0-9]*" + _NUMBER + r"\s*(k?)",
        r"^\W*(?:fs|freq|frequency)\b\s*[:=][^0-9]*" + _NUMBER + r"\s*(k?)hz",
        r"^\W*fs\s*[:=]\s*" + _NUMBER + r"\s*(k?)",
    )
)
_INTERVAL = re.compile(
    r"(?:^\W*|sampl\w*[ _-]*)(?:interval|period)\b[^0-9]*" + _NUMBER + r"\s*(s|ms|us|µs|μs)(?:ec\w*)?\b", re.IGNORECASE
)
_UNIT_STATED = re.compile(r"^\W*(?:measure\s+)?units?\s*[:=]\s*(\S+)", re.IGNORECASE)
_NAME_WITH_UNIT = (re.compile(r"(.*?)\s*[\[(（【]\s*([^\[\]()]+?)\s*[\])）】]"), re.compile(r"(.*?)\s*[,/]\s*(\w+)"),
                   re.compile(r"(.*?)_([mu]V)"))  # fmt: skip
_OPENSIGNALS_DIGITAL = re.compile(r"nSeq|DI\d*|[IO]\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """How to read the samples, and what is said of them; a tuple is empty where nothing is said.

    start : index of the first line that is a sample.
    trailing : whether each line ends with a separator behind its last cell.
    names : of the columns, as they are written; ``units`` and ``sensors`` are as long, empty where not stated.
    rates_hz : all different rates that are stated.
    stamps : indices of columns that hold times of day.
    left_out : indices of columns that the file itself says are no signal.
    counts : whether it says that samples are the converter's counts.
    """

    dialect: Dialect
    start: int
    n_columns: int
    trailing: bool = False
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    sensors: tuple[str, ...] = ()
    rates_hz: tuple[float, ...] = ()
    stamps: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    counts: bool = False
    remarks: tuple[str, ...] = ()


def read_layout(path: Path, lines: list[str]) -> Layout:
    """What the beginning of a file says of the rest.

    Raises
    ------
    InputError
        There are no samples, or not as many names as columns.
    """
    rate_above = bool(lines) and lines[0].rstrip(",;\t \n") == "Devices"  # Vicon: the second line is the rate alone
    found = find_samples(["\n", "\n", *lines[2:]] if rate_above else lines)
    if found is None:
        return _supposed(path, lines)
    dialect, start, n_columns = found
    if n_columns > MAX_COLUMNS:
        raise InputError(
            f"{path}: line {start + 1} has {n_columns} cells; expected one sample a line, at most {MAX_COLUMNS} columns"
        )
    above = [line.rstrip("\n") for line in lines[:start]]
    layout = Layout(dialect, start, n_columns, rates_hz=_rates(above, rate_above))
    row = _last_row(above)
    probed = [line for line in lines[start : start + N_PROBED] if is_content(line)]
    ends_empty = n_columns > 1 and all(dialect.samples(line)[-1:] == [""] for line in probed)
    if ends_empty and len(_without_empty_end(dialect.cells(row))) != n_columns:
        layout = replace(layout, n_columns=n_columns - 1, trailing=True)
    layout = (
        _of_labchart(layout, above)
        or _of_acqknowledge(layout, lines)
        or _of_opensignals(path, layout, above)
        or _of_rows(path, layout, above)
    )
    if not layout.names:
        layout = _of_numbers_for_names(layout, lines)
    first = dialect.samples(lines[layout.start])[: layout.n_columns]
    stamps = (i for i, cell in enumerate(first) if number(cell) is None and seconds_of_day(cell) is not None)
    layout = replace(layout, stamps=tuple(stamps))
    stated = {unit for line in above if (match := _UNIT_STATED.search(line)) and (unit := volts(match[1]))}
    if not any(layout.units) and len(stated) == 1:
        layout = replace(layout, units=tuple(stated) * layout.n_columns)
    return layout


def name_and_unit(name: str) -> tuple[str, str]:
    """``EMG 1 [mV]`` -> (``EMG 1``, ``mV``); the unit is empty, and the name whole, where it is no volts."""
    for pattern in _NAME_WITH_UNIT:
        match = pattern.fullmatch(name)
        if match and volts(match[2]):
            return match[1], volts(match[2])
    return name, ""


def _supposed(path: Path, lines: list[str]) -> Layout:
    """Where no line is all numbers: the first is the header, so that the next can be told from it."""
    content = [i for i, line in enumerate(lines) if is_content(line)]
    if not content:
        raise InputError(f"{path}: expected one line a sample; found none")
    if len(content) == 1:
        raise InputError(f"{path}: expected one line a sample after the header; found none")
    header, below = lines[content[0]], lines[content[1]]
    separator = max((";", "\t", ","), key=lambda separator: min(header.count(separator), below.count(separator)))
    dialect = Dialect(separator if separator in below else " ")
    names, cells = dialect.cells(header), dialect.samples(below)
    return Layout(dialect, content[1], len(cells), names=tuple(names) if len(names) == len(cells) else ())


def _rates(above: list[str], rate_above: bool) -> tuple[float, ...]:
    rates: dict[float, None] = {}
    if rate_above and (alone := re.match(_NUMBER, above[1])):
        rates[_float(alone[1])] = None
    for line in above:
        match = next((m for pattern in _RATES if (m := pattern.search(line))), None)
        interval = _INTERVAL.search(line)
        if match:
            rates[_float(match[1]) * (1000 if match[2] else 1)] = None
        elif interval and _float(interval[1]) > 0:
            per_second = {"s": 1, "m": 1000}.get(interval[2][0].lower(), 1_000_000)
            rates[per_second / _float(interval[1])] = None
    return tuple(rates)


def _float(text: str) -> float:
    thousands = re.fullmatch(r"[1-9][0-9]{0,2},[0-9]{3}", text)  # "2,000 Hz"; but "1111,111 Hz"
    return float(text.replace(",", "" if thousands else "."))


def _last_row(above: list[str]) -> str:
    return next((line for line in reversed(above) if is_content(line)), "")


def _without_empty_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _of_labchart(layout: Layout, above: list[str]) -> Layout | None:
    """``ChannelTitle=``, ``Range=`` and ``UnitName=``, one a line; the first column is time, if it was exported."""
    cells = [[cell.strip() for cell in line.split("\t")] for line in above if "=" in line]
    rows = {row[0].rstrip("="): row[1:] for row in cells}
    titles = _without_empty_end(rows.get("ChannelTitle", []))
    n_times = layout.n_columns - len(titles)
    if not titles or n_times not in (0, 1):
        return None
    ranges = [cell.split()[-1] if cell.split() else "" for cell in rows.get("Range", [])]
    named = rows.get("UnitName", [])
    units = []
    for i in range(len(titles)):
        by_name = named[i] if i < len(named) and named[i] not in ("", "*") else ""
        units.append(by_name or (ranges[i] if i < len(ranges) else ""))
    # Units that are no volts stay in the name: they tell that a channel is no EMG.
    for i, unit in enumerate(units):
        if unit and not volts(unit):
            titles[i] += f" [{unit}]"
    time = ("",) * n_times
    return replace(layout, names=("Time (s)",) * n_times + tuple(titles), units=time + tuple(map(volts, units)))


def _of_acqknowledge(layout: Layout, lines: list[str]) -> Layout | None:
    """``0.5 msec/sample``, the number of channels, name and unit of each; above the samples, how many there are."""
    above = [line.strip() for line in lines[: layout.start]]
    at = next((i for i, line in enumerate(above) if re.fullmatch(_NUMBER + r" m?sec/sample", line)), -1)
    if at < 0:
        return None
    channels = re.fullmatch(r"([0-9]+) channels?", above[at + 1]) if at + 1 < len(above) else None
    n = int(channels[1]) if channels else 0
    step = float(above[at].split()[0].replace(",", ".")) * (1e-3 if "msec" in above[at] else 1)
    if not step > 0 or layout.n_columns not in (n, n + 1) or len(above) < at + 2 + 2 * n:
        return None
    names, units = above[at + 2 : at + 2 + 2 * n : 2], above[at + 3 : at + 3 + 2 * n : 2]
    time = tuple(layout.dialect.cells(_last_row(above))[: layout.n_columns - n])
    is_count = not layout.dialect.samples(lines[layout.start])[0] and layout.start + 1 < len(lines)
    return replace(layout, start=layout.start + is_count, names=time + tuple(names), rates_hz=(1 / step,),
                   units=("",) * len(time) + tuple(map(volts, units)))  # fmt: skip


def _of_opensignals(path: Path, layout: Layout, above: list[str]) -> Layout | None:
    """A comment holds JSON: a device's address -> sampling rate, columns, label and sensor of each analog one."""
    devices = [device for line in above if is_comment(line) and "{" in line for device in _devices(line)]
    if not devices:
        return None
    if len(devices) > 1:
        raise InputError(f"{path}: holds {len(devices)} devices; expected one")
    (device,) = devices
    names = [str(name) for name in device["column"]]
    if len(names) != layout.n_columns:
        raise _mismatch(path, len(names), layout.n_columns)
    labels, sensors = ([str(item) for item in _list(device.get(key))] for key in ("label", "sensor"))
    left_out = tuple(i for i, name in enumerate(names) if _OPENSIGNALS_DIGITAL.fullmatch(name))
    analog = [i for i in range(len(names)) if i not in left_out]
    stated = [""] * len(names)
    if len(labels) == len(analog) and len(set(labels)) == len(labels):
        for i, label in zip(analog, labels, strict=True):
            names[i] = label
    if len(sensors) == len(analog):
        for i, sensor in zip(analog, sensors, strict=True):
            stated[i] = sensor
    return replace(layout, names=tuple(names), sensors=tuple(stated), left_out=left_out, counts=True)


def _devices(line: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(line[line.index("{") :])
    except (ValueError, RecursionError):
        return []
    return [device for device in found.values() if isinstance(device, dict) and _list(device.get("column"))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _of_rows(path: Path, layout: Layout, above: list[str]) -> Layout:
    """A row of names, or of names and one of units; behind a comment sign too, as NumPy writes it."""
    rows = [line for line in above if is_content(line)]
    n = layout.n_columns
    if rows and n > 1:
        units = [cell.strip(" []()") for cell in _cells_of_row(layout.dialect, rows[-1], n)]
        names = _cells_of_row(layout.dialect, rows[-2], n) if len(rows) > 1 else []
        known = [unit in ("", "-", "s", "ms", "sec") or bool(volts(unit)) for unit in units]
        if len(units) == len(names) == n and all(known) and any(units):
            seconds = [f" [{unit}]" if unit in ("s", "ms", "sec") else "" for unit in units]
            return replace(layout, units=tuple(map(volts, units)),
                           names=tuple(name + unit for name, unit in zip(names, seconds, strict=True)))  # fmt: skip
    if rows:
        cells = _cells_of_row(layout.dialect, rows[-1], n)
        is_statement = ":" in cells[0] or "=" in cells[0]
        if len(cells) == n and not is_statement:
            return replace(layout, names=tuple(cells))
        if not is_statement and (len(rows) == 1 or (len(cells) > 1 and layout.dialect.separator in "\t;,")):
            raise _mismatch(path, len(cells), n)
        return layout
    comment = next((line.lstrip(" #%/") for line in reversed(above) if is_comment(line)), "")
    cells = _cells_of_row(layout.dialect, comment, n)
    if n > 1 and len(cells) == n and not (":" in comment or "=" in comment):
        return replace(layout, names=tuple(cells))
    return layout


def _cells_of_row(dialect: Dialect, row: str, n: int) -> list[str]:
    """As the samples are cut, or, where that gives another number than ``n``, as a header may be cut besides."""
    cells = _without_empty_end(Dialect(dialect.separator).cells(row)) or [""]
    if len(cells) < n and row.count(dialect.separator) + 1 == n:
        cells = cells + [""] * (n - len(cells))  # the last columns have no names
    if len(cells) == n:
        return cells
    if len(cells) == n + 1 and volts(cells[1]) == "" and cells[1] in ("s", "ms"):
        return [f"{cells[0]},{cells[1]}", *cells[2:]]  # Noraxon: Time,s,"EMG 1,uV"
    others = [Dialect(separator).cells(row) for separator in ("\t", ";", ",")]
    others.append(re.split(r"\s{2,}|\t", row.strip()))
    return next((other for other in others if len(other) == n > 1), cells)


def _of_numbers_for_names(layout: Layout, lines: list[str]) -> Layout:
    """A table that pandas wrote without names has its columns' numbers for names: no sample counts 0, 1, 2, 3."""
    cells = layout.dialect.cells(lines[layout.start])
    n = layout.n_columns
    numbered = [["", *map(str, range(n - 1))], [str(i) for i in range(n)], [str(i + 1) for i in range(n)]]
    below = [line for line in lines[layout.start + 1 : layout.start + 100] if is_content(line)]
    if n < 4 or cells not in numbered or not below:
        return layout
    remark = f"the first line counts {cells[-3]}, {cells[-2]}, {cells[-1]} and was taken for the names of the columns"
    return replace(layout, start=layout.start + 1, names=tuple(cells), remarks=(remark,))


def _mismatch(path: Path, n_names: int, n_columns: int) -> InputError:
    return InputError(f"{path}: the header names {n_names} columns; the lines below have {n_columns}")
