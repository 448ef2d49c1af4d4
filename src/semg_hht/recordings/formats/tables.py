"""Recordings written as text: CSV, TXT, TSV, one sample a line; read a piece at a time.

Knows encodings, lines and columns: nothing of what a recording must be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.channels import is_other
from semg_hht.recordings.formats.cells import is_content, number, seconds_of_day
from semg_hht.recordings.formats.clocks import Clock, Lines, clock_of, find_clocks
from semg_hht.recordings.formats.contents import MAX_BYTES, Contents
from semg_hht.recordings.formats.headers import Layout, name_and_unit, read_layout
from semg_hht.recordings.units import one_unit

Array = NDArray[np.float64]

_LONELY_BYTE = re.compile(rb"[\x80-\xff]")
_PAIR_OF_BYTES = re.compile(rb"[\x80-\xff]{2}")
PIECE = 2**19  # characters read at a time; more of them gain no speed


def read_table(path: Path) -> Contents:
    """Text, one sample a line, as recorders, spreadsheets and programs write it; the columns are found by themselves.

    Separated by ``,`` ``;`` tab or space, with a decimal point or comma, in UTF-8, UTF-16 or GB18030. What stands above
    the samples may name the columns, their units and the rate; a time column tells the rate and is no channel. The
    table is the transpose of a C-contiguous (n_channels, n_samples) array.

    Raises
    ------
    InputError
        The text can't be decoded, a line has another number of cells, a cell is no number, a time column does not rise
        evenly, or there are more samples than fit.
    """
    encoding, n_lines = _survey(path)
    with path.open(encoding=encoding) as handle:
        head = handle.readlines(PIECE)
        layout = read_layout(path, head)
        table = _read(path, layout, _pieces(handle, head, layout), n_lines - layout.start)
    names = list(layout.names) or [""] * layout.n_columns
    lines = Lines(path, lambda sample: _line_of(path, encoding, layout, sample))
    clocks = find_clocks(table, names, layout.stamps, lines)
    kept = [i for i in range(layout.n_columns) if i not in clocks and i not in layout.left_out]
    remarks = [*layout.remarks, *(clock.remark for clock in clocks.values() if clock.remark)]
    if encoding in ("gb18030", "cp1252"):
        name = {"gb18030": "GB18030", "cp1252": "Windows-1252"}[encoding]
        remarks.append(f"the text is no UTF-8 and was read as {name}")
    silent = [names[i] for i in layout.left_out if i not in clocks]
    if silent:
        remarks.append(f"left out, no signals by the header: {', '.join(silent)}")
    other = {i for i in kept if _is_no_emg(layout, i)}
    kept, rate_hz, n, left = _of_one_rate(kept, other, clocks, table.shape[1])
    ends = {found.n for i in kept if (found := clock_of(i, clocks))}
    if len(ends) > 1:
        remarks.append(f"channels end after {min(ends)} to {max(ends)} samples; all were cut to the shortest")
    if left:
        remarks.append(f"left out, of another rate than {rate_hz:g} Hz: {', '.join(names[i] for i in left)}")
    stated = ", ".join(f"{rate:g}" for rate in layout.rates_hz)
    if rate_hz is None and len(layout.rates_hz) == 1:
        rate_hz = layout.rates_hz[0]
    elif rate_hz is None and stated:
        remarks.append(f"the header states several rates ({stated} Hz), so none was taken")
    elif rate_hz is not None and stated and not np.isclose(rate_hz, layout.rates_hz, rtol=0.01).any():
        remarks.append(f"the header states {stated} Hz, the time column {rate_hz:g} Hz, which was taken")
    return _contents(_compact(table, kept, n), kept, other, rate_hz, layout, remarks)


def _is_no_emg(layout: Layout, column: int) -> bool:
    sensor = layout.sensors[column] if layout.sensors else ""
    by_sensor = sensor not in ("", "RAW") and "EMG" not in sensor.upper()
    return by_sensor or bool(layout.names and is_other(layout.names[column]))


def _of_one_rate(
    kept: list[int], other: set[int], clocks: dict[int, Clock], n: int
) -> tuple[list[int], float | None, int, list[int]]:
    """(channels of the rate that most EMG has, that rate, their samples, channels left out)."""
    clock = {i: found for i in kept if (found := clock_of(i, clocks))}
    votes = Counter(clock[i].rate_hz or 0.0 for i in clock if i not in other) or Counter(
        found.rate_hz or 0.0 for found in clock.values()
    )
    if not votes:
        return kept, next((found.rate_hz for found in clocks.values() if found.rate_hz), None), n, []
    rate_hz = max(votes.items(), key=lambda item: (item[1], item[0]))[0]
    # Times printed with few digits give one rate as two that hardly differ.
    chosen = [i for i in kept if abs((clock[i].rate_hz or 0.0) - rate_hz) <= 1e-3 * rate_hz]
    return chosen, rate_hz, min(clock[i].n for i in chosen), [i for i in kept if i not in chosen]


def _contents(
    table: Array, kept: list[int], other: set[int], rate_hz: float | None, layout: Layout, remarks: list[str]
) -> Contents:
    """Names without units, and one unit for what is EMG; ``table`` is (n_channels, n_samples)."""
    names, units = _names_and_units(layout, kept)
    emg = [place for place, column in enumerate(kept) if column not in other]
    stated = [units[place] for place in emg]
    unit = ""
    if emg and all(stated):
        unit, factors = one_unit(stated)
        for place, factor in zip(emg, factors, strict=True):
            if factor != 1:
                table[place] *= factor
    elif any(stated):
        without = ", ".join(names[place] for place in emg if not units[place])
        remarks.append(f"no unit was taken from the header: {without} state none")
    elif layout.counts and np.array_equal(table[:, :1000], np.rint(table[:, :1000])):
        unit = "adc"
        remarks.append("amplitudes are the converter's own counts: the file does not say what one is in volts")
    beside = tuple(names[place] for place, column in enumerate(kept) if column in other)
    if beside:
        remarks.append(f"not taken for EMG, by name: {', '.join(beside)}")
    return Contents(table.T, rate_hz, tuple(names) if layout.names else (), unit, beside, tuple(remarks))


def _names_and_units(layout: Layout, kept: list[int]) -> tuple[list[str], list[str]]:
    split = [name_and_unit(layout.names[i]) if layout.names else ("", "") for i in kept]
    units = [(layout.units[i] if layout.units else "") or unit for i, (_, unit) in zip(kept, split, strict=True)]
    names = [name or f"ch{i + 1}" for i, (name, _) in zip(kept, split, strict=True)]
    return [name if names.count(name) == 1 else f"{name} {i + 1}" for i, name in zip(kept, names, strict=True)], units


def _survey(path: Path) -> tuple[str, int]:
    """The encoding, by decoding the whole text strictly, and the number of lines."""
    with path.open("rb") as raw:
        head = raw.read(PIECE)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in head:
        raise InputError(f"{_unread(path)}; found NUL bytes, expected text (or UTF-16 with a byte order mark)")
    else:
        # Chinese characters stand in pairs of high bytes; single ones between letters are Western accents and signs.
        lonely = _LONELY_BYTE.search(head) and not _PAIR_OF_BYTES.search(head)
        encodings = ["utf-8-sig", "cp1252" if lonely else "gb18030"]
    reason = ""
    for encoding in encodings:
        try:
            n_lines, last = 0, "\n"
            with path.open(encoding=encoding) as handle:
                while piece := handle.read(PIECE):
                    if "\0" in piece:
                        raise InputError(f"{_unread(path)}; found NUL characters, expected text")
                    n_lines, last = n_lines + piece.count("\n"), piece[-1]
            return encoding, n_lines + (last != "\n")
        except UnicodeDecodeError as error:
            reason = f"{error.object[error.start]:#04x}"
    known = "UTF-16, as its byte order mark says" if encodings == ["utf-16"] else "UTF-8 or GB18030"
    raise InputError(f"{_unread(path)}; found a byte {reason} that is none of text in {known}")


def _unread(path: Path) -> str:
    return f"{path}: can't be read as {path.suffix[1:].upper()}"


def _pieces(handle: TextIO, head: list[str], layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, counted from 1; lines) from the first sample on; ``head`` was read already."""
    first, lines = layout.start + 1, head[layout.start :]
    while lines:
        yield first, lines
        first += len(lines)
        lines = handle.readlines(PIECE)


def _read(path: Path, layout: Layout, pieces: Iterator[tuple[int, list[str]]], bound: int) -> Array:
    """All columns, (n_columns, n_samples), in one array; time stamps in seconds of the day."""
    if bound * layout.n_columns * 8 > MAX_BYTES:
        raise InputError(
            f"{path}: {bound} lines of {layout.n_columns} columns; expected no more than {MAX_BYTES // 8} values"
        )
    table = np.empty((layout.n_columns, bound))
    n = 0
    for first, lines in pieces:
        values = _quickly(layout, lines)
        if values is None:
            values = _carefully(path, layout, lines, first)
        table[:, n : n + len(values)] = values.T  # (n_in_piece, n_columns) -> (n_columns, n_in_piece)
        n += len(values)
    return table[:, :n]


def _quickly(layout: Layout, lines: list[str]) -> Array | None:
    """By NumPy's reader: None where it stumbles, for it does not say where."""
    plain = layout.dialect.plain(lines, layout.trailing)
    if plain is None or layout.stamps or not any(map(str.strip, lines)):
        return None
    try:
        values = np.loadtxt(plain[0], delimiter=plain[1], ndmin=2, dtype=np.float64, comments=None, quotechar='"')
    except ValueError:
        return None
    return values if values.shape[1] == layout.n_columns else None


def _carefully(path: Path, layout: Layout, lines: list[str], first: int) -> Array:
    """Cell by cell: comments between the samples, missing samples, time stamps; and what is wrong, with its place."""
    rows = []
    for line_no, line in enumerate(lines, first):
        if not is_content(line):
            continue
        cells = layout.dialect.samples(line)
        if layout.trailing and len(cells) == layout.n_columns + 1 and not cells[-1]:
            cells.pop()
        if len(cells) != layout.n_columns:
            raise InputError(
                f"{_unread(path)}; line {line_no} has {len(cells)} cells, expected {layout.n_columns} as above it"
            )
        row = [seconds_of_day(cell) if i in layout.stamps else number(cell) for i, cell in enumerate(cells)]
        if None in row:
            column = row.index(None)
            name = repr(layout.names[column]) if layout.names else column + 1
            expected = "a time of the day" if column in layout.stamps else "a number"
            raise InputError(
                f"{_unread(path)}; line {line_no}, column {name}: found {cells[column][:60]!r}, expected {expected}"
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, layout.n_columns)


def _line_of(path: Path, encoding: str, layout: Layout, sample: int) -> int:
    with path.open(encoding=encoding) as handle:
        for first, lines in _pieces(handle, handle.readlines(PIECE), layout):
            content = [i for i, line in enumerate(lines, first) if is_content(line)]
            if sample < len(content):
                return content[sample]
            sample -= len(content)
    raise IndexError(sample)


def _compact(table: Array, kept: list[int], n: int) -> Array:
    """The first ``n`` samples of these columns, moved to the front of the same memory: a copy would double it."""
    whole = table.base if table.base is not None else table  # rows as long as the file had lines
    bound = whole.shape[1]
    if n == bound and kept == list(range(len(whole))):
        return whole
    flat = whole.reshape(-1)
    for place, column in enumerate(kept):
        flat[place * n : (place + 1) * n] = flat[column * bound : column * bound + n]
    return flat[: len(kept) * n].reshape(len(kept), n)
