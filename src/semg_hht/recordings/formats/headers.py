"""Interpret the lines above the samples of a text file: names, units, sampling rate, and the layout of known programs.

It knows LabChart, AcqKnowledge, OpenSignals and common layouts of others. It does not read samples.
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
    parse_number,
    seconds_of_day,
)
from semg_hht.recordings.formats.typed_numbers import require_decimal_comma
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
_OPENBCI_EMG = re.compile(r"EXG Channel \d+")
_BIOMETRICS_CHANNEL = re.compile(r"Channel \d+: '(.*)', \d+ values, engineering units: ([^,\s]*?)[,.]")
_BIOMETRICS_DIGITALS = re.compile(r"Digitals combined\b.*\d+ values")
# In a row of units below the names, beside units of volts.
_OTHER_UNITS = (
    "no_units",
    "n",
    "nm",
    "kg",
    "g",
    "deg",
    "deg/s",
    "dps",
    "m/s^2",
    "m/(s^2)",
    "local_flux",
    "%",
    "mmhg",
    "°",
)
_OPENSIGNALS_DIGITAL = re.compile(r"nSeq|DI\d*|[IO]\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """How to read the samples, and what the header states about them; a tuple is empty if the header states nothing.

    start : index of the first line that is a sample.
    trailing : whether each line ends with a separator after its last cell.
    names : of the columns, as written; ``units`` and ``sensors`` have the same length, with empty text if not stated.
    rates_hz : all different rates that are stated.
    stamps : indices of columns with times of day.
    left_out : indices of columns that are not signals according to the header.
    counts : whether the header states that samples are counts of the converter.
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
    """Interpret the first lines of a file.

    Raises
    ------
    InputError
        There are no samples, or the numbers of names and columns differ.
    """
    # In Vicon's files the second line holds only the rate.
    rate_above = bool(lines) and lines[0].rstrip(",;\t \n") == "Devices"
    samples = find_samples(["\n", "\n", *lines[2:]] if rate_above else lines)
    if samples is None:
        return _layout_without_samples(path, lines)
    dialect, start, n_columns = samples
    above = [line.rstrip("\n") for line in lines[:start]]
    if n_columns > MAX_COLUMNS and (any(map(is_content, above)) or len(lines) - start >= n_columns):
        raise InputError(
            f"{path}: line {start + 1} has {n_columns} cells; expected one sample per line and at most "
            f"{MAX_COLUMNS} columns"
        )
    if dialect.decimal == ",":
        _refuse_thousands(path, dialect, lines[start:])
    layout = Layout(dialect, start, n_columns, rates_hz=_rates(above, rate_above))
    row = _last_row(above)
    probed = [line for line in lines[start : start + N_PROBED] if is_content(line)]
    ends_empty = n_columns > 1 and all(dialect.samples(line)[-1:] == [""] for line in probed)
    if ends_empty and len(_without_empty_end(dialect.cells(row))) != n_columns:
        layout = replace(layout, n_columns=n_columns - 1, trailing=True)
    layout = (
        _labchart_layout(layout, above)
        or _acqknowledge_layout(layout, lines)
        or _opensignals_layout(path, layout, above)
        or _biometrics_layout(layout, above)
        or _common_layout(path, layout, above)
    )
    if not layout.names:
        layout = _with_numbers_as_names(layout, lines)
    first = dialect.samples(lines[layout.start])[: layout.n_columns]
    stamps = (i for i, cell in enumerate(first) if parse_number(cell) is None and seconds_of_day(cell) is not None)
    layout = replace(layout, stamps=tuple(stamps))
    if not layout.sensors and any(_OPENBCI_EMG.fullmatch(name) for name in layout.names):
        sensors = ("EMG" if _OPENBCI_EMG.fullmatch(name) else "no electrode" for name in layout.names)
        layout = replace(layout, sensors=tuple(sensors))
    stated = {unit for line in above if (match := _UNIT_STATED.search(line)) and (unit := volts(match[1]))}
    if not any(layout.units) and len(stated) == 1:
        layout = replace(layout, units=tuple(stated) * layout.n_columns)
    return layout


def _refuse_thousands(path: Path, dialect: Dialect, lines: list[str]) -> None:
    """Refuse commas that may all separate thousands, so that 1,234 is never read as 1.234 unasked."""
    as_written = Dialect(dialect.separator)
    samples = (line for line in lines if "," in line and is_content(line))
    try:
        require_decimal_comma(cell for line in samples for cell in as_written.samples(line) if "," in cell)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def name_and_unit(name: str) -> tuple[str, str]:
    """``EMG 1 [mV]`` -> (``EMG 1``, ``mV``); without a unit of volts, the whole name and an empty unit."""
    for pattern in _NAME_WITH_UNIT:
        match = pattern.fullmatch(name)
        if match and volts(match[2]):
            return match[1], volts(match[2])
    return name, ""


def _layout_without_samples(path: Path, lines: list[str]) -> Layout:
    """The layout if no line consists of numbers: the first line is the header, and the second will be an error."""
    content = [i for i, line in enumerate(lines) if is_content(line)]
    if not content:
        raise InputError(f"{path}: expected one line per sample; found none")
    if len(content) == 1:
        raise InputError(f"{path}: expected one line per sample after the header; found none")
    header, below = lines[content[0]], lines[content[1]]
    separator = max((";", "\t", ","), key=lambda separator: min(header.count(separator), below.count(separator)))
    dialect = Dialect(separator if separator in below else " ")
    names, cells = dialect.cells(header), dialect.samples(below)
    return Layout(dialect, content[1], len(cells), names=tuple(names) if len(names) == len(cells) else ())


def _rates(above: list[str], rate_above: bool) -> tuple[float, ...]:
    rates: dict[float, None] = {}
    if rate_above and (match := re.match(_NUMBER, above[1])):
        rates[_float(match[1])] = None
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
    thousands = re.fullmatch(r"[1-9][0-9]{0,2},[0-9]{3}", text)  # "2,000 Hz", but not "1111,111 Hz"
    return float(text.replace(",", "" if thousands else "."))


def _last_row(above: list[str]) -> str:
    return next((line for line in reversed(above) if is_content(line)), "")


def _without_empty_end(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _labchart_layout(layout: Layout, above: list[str]) -> Layout | None:
    """Lines ``ChannelTitle=``, ``Range=`` and ``UnitName=``; the first column is time if it was exported."""
    cells = [[cell.strip() for cell in line.split("\t")] for line in above if "=" in line]
    rows = {row[0].rstrip("="): row[1:] for row in cells}
    titles = _without_empty_end(rows.get("ChannelTitle", []))
    n_times = layout.n_columns - len(titles)
    if not titles or n_times not in (0, 1):
        return None
    ranges = [cell.split()[-1] if cell.split() else "" for cell in rows.get("Range", [])]
    unit_names = rows.get("UnitName", [])
    units = []
    for i in range(len(titles)):
        unit_name = unit_names[i] if i < len(unit_names) and unit_names[i] not in ("", "*") else ""
        units.append(unit_name or (ranges[i] if i < len(ranges) else ""))
    # Other units than volts stay in the name, which shows that the channel is not EMG.
    for i, unit in enumerate(units):
        if unit and not volts(unit):
            titles[i] += f" [{unit}]"
    time = ("",) * n_times
    return replace(layout, names=("Time (s)",) * n_times + tuple(titles), units=time + tuple(map(volts, units)))


def _acqknowledge_layout(layout: Layout, lines: list[str]) -> Layout | None:
    """``0.5 msec/sample``, the number of channels, and two lines per channel; the first row may count its samples."""
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


def _opensignals_layout(path: Path, layout: Layout, above: list[str]) -> Layout | None:
    """A comment with JSON: the address of a device -> its rate, columns, and labels and sensors of analog columns."""
    devices = [device for line in above if is_comment(line) and "{" in line for device in _devices(line)]
    if not devices:
        return None
    if len(devices) > 1:
        raise InputError(f"{path}: expected one device; found {len(devices)}")
    (device,) = devices
    names = [str(name) for name in device["column"]]
    if len(names) != layout.n_columns:
        raise _wrong_number_of_names(path, len(names), layout.n_columns)
    labels, sensors = ([str(item) for item in _list(device.get(key))] for key in ("label", "sensor"))
    left_out = tuple(i for i, name in enumerate(names) if _OPENSIGNALS_DIGITAL.fullmatch(name))
    analog = [i for i in range(len(names)) if i not in left_out]
    sensor_of = [""] * len(names)
    if len(labels) == len(analog) and len(set(labels)) == len(labels):
        for i, label in zip(analog, labels, strict=True):
            names[i] = label
    if len(sensors) == len(analog):
        for i, sensor in zip(analog, sensors, strict=True):
            sensor_of[i] = sensor
    return replace(layout, names=tuple(names), sensors=tuple(sensor_of), left_out=left_out, counts=True)


def _biometrics_layout(layout: Layout, above: list[str]) -> Layout | None:
    """Biometrics DataLOG: a line per channel with its name and unit, and perhaps a last column of digital inputs."""
    channels = [match for line in above if (match := _BIOMETRICS_CHANNEL.match(line))]
    n_digital = sum(bool(_BIOMETRICS_DIGITALS.match(line)) for line in above)
    if not channels or len(channels) + n_digital != layout.n_columns:
        return None
    # Other units than volts stay in the name, which shows that the channel is not EMG.
    names = [match[1] if volts(match[2]) or not match[2] else f"{match[1]} [{match[2]}]" for match in channels]
    units = [volts(match[2]) for match in channels]
    return replace(layout, names=(*names, *["Digitals"] * n_digital), units=(*units, *[""] * n_digital),
                   sensors=(*[""] * len(channels), *["digital"] * n_digital))  # fmt: skip


def _devices(line: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(line[line.index("{") :])
    except (ValueError, RecursionError):
        return []
    return [device for device in content.values() if isinstance(device, dict) and _list(device.get("column"))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _common_layout(path: Path, layout: Layout, above: list[str]) -> Layout:
    """A row of names, perhaps with a row of units below it, or a comment with names as NumPy writes it."""
    rows = [line for line in above if is_content(line)]
    n = layout.n_columns
    if rows and n > 1:
        units = [cell.strip(" []()") for cell in _cells_of_row(layout.dialect, rows[-1], n)]
        names = _cells_of_row(layout.dialect, rows[-2], n) if len(rows) > 1 else []
        others = [unit.lower() in _OTHER_UNITS for unit in units]
        are_units = [is_other or unit in ("", "-", "s", "ms", "sec") or bool(volts(unit))
                     for unit, is_other in zip(units, others, strict=True)]  # fmt: skip
        if (
            len(units) == len(names) == n
            and all(are_units)
            and (any(map(volts, units)) or (any(units) and not any(others)))
        ):
            sensors = tuple(unit if is_other else "" for unit, is_other in zip(units, others, strict=True))
            layout = replace(layout, sensors=sensors if any(others) else ())
            seconds = [f" [{unit}]" if unit in ("s", "ms", "sec") else "" for unit in units]
            return replace(layout, units=tuple(map(volts, units)),
                           names=tuple(name + unit for name, unit in zip(names, seconds, strict=True)))  # fmt: skip
    if rows:
        cells = _cells_of_row(layout.dialect, rows[-1], n)
        is_statement = ":" in cells[0] or "=" in cells[0]
        if len(cells) == n and not is_statement:
            return replace(layout, names=tuple(cells))
        if not is_statement and (len(rows) == 1 or (len(cells) > 1 and layout.dialect.separator in "\t;,")):
            raise _wrong_number_of_names(path, len(cells), n)
        return layout
    comment = next((line.lstrip(" #%/") for line in reversed(above) if is_comment(line)), "")
    cells = _cells_of_row(layout.dialect, comment, n)
    if n > 1 and len(cells) == n and not (":" in comment or "=" in comment):
        return replace(layout, names=tuple(cells))
    return layout


def _cells_of_row(dialect: Dialect, row: str, n: int) -> list[str]:
    """The cells of a header row: split as the samples, or by another separator if that does not give ``n`` cells."""
    cells = _without_empty_end(Dialect(dialect.separator).cells(row)) or [""]
    if len(cells) < n and row.count(dialect.separator) + 1 == n:
        cells = cells + [""] * (n - len(cells))  # the last columns have no name
    if len(cells) == n:
        return cells
    if len(cells) == n + 1 and volts(cells[1]) == "" and cells[1] in ("s", "ms"):
        return [f"{cells[0]},{cells[1]}", *cells[2:]]  # Noraxon: Time,s,"EMG 1,uV"
    others = [Dialect(separator).cells(row) for separator in ("\t", ";", ",")]
    others.append(re.split(r"\s{2,}|\t", row.strip()))
    return next((other for other in others if len(other) == n > 1), cells)


def _with_numbers_as_names(layout: Layout, lines: list[str]) -> Layout:
    """Numbers as names, as pandas writes them for columns without names; no sample counts 0, 1, 2, 3."""
    cells = layout.dialect.cells(lines[layout.start])
    n = layout.n_columns
    numbered = [["", *map(str, range(n - 1))], [str(i) for i in range(n)], [str(i + 1) for i in range(n)]]
    below = [line for line in lines[layout.start + 1 : layout.start + 100] if is_content(line)]
    if n < 4 or cells not in numbered or not below:
        return layout
    remark = f"the first line counts {cells[-3]}, {cells[-2]}, {cells[-1]} and is taken for the names of the columns"
    return replace(layout, start=layout.start + 1, names=tuple(cells), remarks=(remark,))


def _wrong_number_of_names(path: Path, n_names: int, n_columns: int) -> InputError:
    return InputError(f"{path}: the header names {n_names} columns; expected {n_columns}, as in the lines below it")
