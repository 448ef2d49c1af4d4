"""Reader of text recordings: CSV, TXT or TSV, one sample per line, read in pieces; and of tables from other readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.channels import ChannelDescription, decide_channels, distinct_names, reasons_by_description
from semg_hht.recordings.formats.cells import is_content, parse_number, seconds_of_day
from semg_hht.recordings.formats.clocks import ColumnClock, clock_of, find_clocks, is_time_name
from semg_hht.recordings.formats.decoded_recording import (
    COUNTS_REMARK,
    MAX_DECODED_BYTES,
    DecodedRecording,
    most_common,
    remarks_on_other_rates,
)
from semg_hht.recordings.formats.encodings import CHINESE, WESTERN, legacy_encoding
from semg_hht.recordings.formats.headers import Layout, name_and_unit, read_layout
from semg_hht.recordings.formats.sample_times import SampleLines
from semg_hht.recordings.quality import MAX_GAP_SHARE
from semg_hht.recordings.units import one_unit

Array = NDArray[np.float64]

MAX_CHANNELS = 512  # a table with more columns than this, and than lines, holds a channel in each line
MIN_LINES = 32  # of a table of one sample per line; fewer lines of many more values hold a channel each
PIECE = 2**19  # characters read at a time; larger pieces are not faster


@dataclass(frozen=True)
class Text:
    """A text that is opened from its start as often as needed, the number of its lines, and remarks on it."""

    open: Callable[[], TextIO]
    n_lines: int
    remarks: tuple[str, ...] = ()


def read_table(path: Path, rate_hz: float | None = None) -> DecodedRecording:
    """Read a text table of one sample per line, as recorders, spreadsheets and programs write it.

    The separator is ``,`` ``;`` tab or space, the decimal separator a point or a comma, the encoding UTF-8, UTF-16 or
    GB18030; all are recognised. Lines above the samples may state the names of the columns, their units and the rate.
    A time column gives the rate and is not a channel. Times that are not even are ignored if ``rate_hz`` or the header
    states the rate. The returned table is the transpose of a C-contiguous
    (n_channels, n_samples) array.

    Raises
    ------
    InputError
        The text can't be decoded, a line has another number of cells, a cell is not a number, a time column gives
        no plain rate and none is stated, or the table is too large.
    """
    encoding, n_lines = _survey(path)
    remarks: tuple[str, ...] = ()
    if encoding in (CHINESE, WESTERN):
        name = {CHINESE: "GB18030", WESTERN: "Windows-1252"}[encoding]
        remarks = (f"the text is not UTF-8 and was read as {name}",)
    return decode_text(path, Text(lambda: path.open(encoding=encoding), n_lines, remarks), rate_hz)


def decode_text(path: Path, text: Text, rate_hz: float | None = None) -> DecodedRecording:
    """Decode a text of one sample per line, as `read_table` does; ``path`` is for messages."""
    with text.open() as handle:
        head = handle.readlines(PIECE)
        layout = read_layout(path, head)
        table = _read(path, layout, _pieces(handle, head, layout), text.n_lines - layout.start)
    n_values, n_lines = table.shape
    is_channel_per_line = n_lines == 1 or n_values > max(n_lines, MAX_CHANNELS)
    if not layout.names and (is_channel_per_line or (n_lines < MIN_LINES and n_values >= 10 * n_lines)):
        table, layout = _channels_of_lines(table, layout)
    lines = SampleLines(path, lambda sample: _line_of(text, layout, sample))
    return decode_columns(table, replace(layout, remarks=layout.remarks + text.remarks), lines, rate_hz)


def decode_columns(table: Array, layout: Layout, lines: SampleLines, rate_hz: float | None = None) -> DecodedRecording:
    """Decode a table (n_columns, n_samples), whose memory is reused: clocks, channels, rates and units.

    Raises
    ------
    InputError
        A time column gives no plain rate and none is stated.
    """
    names = list(layout.names) or [""] * layout.n_columns
    stated_hz = rate_hz or (layout.rates_hz[0] if len(layout.rates_hz) == 1 else None)
    clocks = find_clocks(table, names, layout.stamps, lines, stated_hz)
    kept = [i for i in range(layout.n_columns) if i not in clocks and i not in layout.left_out]
    remarks = [*layout.remarks, *(clock.remark for clock in clocks.values() if clock.remark)]
    not_signals = [names[i] for i in layout.left_out if i not in clocks]
    if not_signals:
        remarks.append(f"columns that are not signals, by the header, were left out: {', '.join(not_signals)}")
    numbers = {column: number for number, column in enumerate(kept, start=1)}
    non_emg = _non_emg_columns(layout, kept)
    kept, rate_hz, n, left_out = _channels_of_one_rate(kept, non_emg, clocks, table.shape[1])
    ends = {clock.n for i in kept if (clock := clock_of(i, clocks))}
    if len(ends) > 1:
        remarks.append(f"channels of {min(ends)} to {max(ends)} samples were all cut to the shortest")
    if left_out and rate_hz is not None:
        remarks += remarks_on_other_rates(rate_hz, [names[i] for i in left_out])
    kept, n, early = _columns_to_the_end(table, kept, non_emg, n)
    if early:
        remarks.append(
            "columns that end early hold signals of another rate and were left out: "
            + ", ".join(f"{names[i] or f'column {i + 1}'} (after {end} of {n} samples)" for i, end in early.items())
        )
    stated = ", ".join(f"{rate:g}" for rate in layout.rates_hz)
    if rate_hz is None and len(layout.rates_hz) == 1:
        rate_hz = layout.rates_hz[0]
    elif rate_hz is None and stated:
        remarks.append(f"the header states several rates ({stated} Hz), so none of them is used")
    elif rate_hz is not None and stated and not np.isclose(rate_hz, layout.rates_hz, rtol=0.01).any():
        remarks.append(f"the header states {stated} Hz, but the time column gives {rate_hz:g} Hz, which is used")
    decoded = _to_decoded(_compact(table, kept, n), kept, rate_hz, layout, remarks)
    if left_out or early:
        return replace(decoded, numbers=tuple(numbers[i] for i in kept))
    return decoded if layout.names else replace(decoded, channel_names=())


def _channels_of_lines(table: Array, layout: Layout) -> tuple[Array, Layout]:
    """Take each line for a channel: (n_values, n_lines) -> (n_lines, n_values)."""
    n_values, n_lines = table.shape
    lines = "one line" if n_lines == 1 else f"{n_lines} lines"
    remark = f"the text is {lines} of {n_values} values, so each line was read as a channel"
    layout = replace(layout, n_columns=n_lines, stamps=(), units=layout.units[:1] * n_lines)
    return np.ascontiguousarray(table.T), replace(layout, remarks=(*layout.remarks, remark))


def _non_emg_columns(layout: Layout, kept: list[int]) -> set[int]:
    """The columns that are not EMG by the header; the samples are not yet considered."""
    reasons = reasons_by_description(_described(layout, kept))
    return {i for i, reason in zip(kept, reasons, strict=True) if reason or _is_other_sensor(layout, i)}


def _is_other_sensor(layout: Layout, column: int) -> bool:
    sensor = layout.sensors[column] if layout.sensors else ""
    return sensor not in ("", "RAW") and "EMG" not in sensor.upper()


def _described(layout: Layout, kept: list[int]) -> list[ChannelDescription]:
    names, units = _names_and_units(layout, kept)
    return [ChannelDescription(name, unit) for name, unit in zip(names, units, strict=True)]


def _channels_of_one_rate(
    kept: list[int], non_emg: set[int], clocks: dict[int, ColumnClock], n: int
) -> tuple[list[int], float | None, int, list[int]]:
    """The channels of the most common rate of EMG, that rate, their number of samples, and the channels left out."""
    clock = {i: found for i in kept if (found := clock_of(i, clocks))}
    rates = [clock[i].rate_hz or 0.0 for i in clock if i not in non_emg] or [c.rate_hz or 0.0 for c in clock.values()]
    if not rates:
        return kept, next((found.rate_hz for found in clocks.values() if found.rate_hz), None), n, []
    rate_hz = most_common(rates)
    # Times with few digits give slightly different numbers for the same rate.
    chosen = [i for i in kept if abs((clock[i].rate_hz or 0.0) - rate_hz) <= 1e-3 * rate_hz]
    return chosen, rate_hz, min(clock[i].n for i in chosen), [i for i in kept if i not in chosen]


def _columns_to_the_end(
    table: Array, kept: list[int], non_emg: set[int], n: int
) -> tuple[list[int], int, dict[int, int]]:
    """The columns that last about as long as the longest EMG, its number of samples, and where other columns end."""
    if not n or not np.isnan(table[kept, n - 1]).any():
        return kept, n, {}
    ends = {}
    for i in kept:
        filled = np.flatnonzero(~np.isnan(table[i, :n]))
        ends[i] = int(filled[-1]) + 1 if filled.size else 0
    longest = max([end for i, end in ends.items() if i not in non_emg] or ends.values())
    early = {i: end for i, end in ends.items() if 0 < end < (1 - MAX_GAP_SHARE) * longest}
    return [i for i in kept if i not in early], longest or n, early


def _to_decoded(
    table: Array, kept: list[int], rate_hz: float | None, layout: Layout, remarks: list[str]
) -> DecodedRecording:
    """Separate names and units, and scale EMG channels (n_channels, n_samples) to one unit."""
    names, units = _names_and_units(layout, kept)
    other_sensors = [name for name, column in zip(names, kept, strict=True) if _is_other_sensor(layout, column)]
    decision = decide_channels(_described(layout, kept), list(table), other_sensors)
    emg = [place for place, name in enumerate(names) if name not in decision.non_emg]
    stated = [units[place] for place in emg]
    unit = ""
    if emg and all(stated):
        unit, factors = one_unit(stated)
        for place, factor in zip(emg, factors, strict=True):
            if factor != 1:
                table[place] *= factor
    elif any(stated):
        without = ", ".join(names[place] for place in emg if not units[place])
        remarks.append(f"the units in the header are not used, because these channels have none: {without}")
    elif layout.counts and np.array_equal(table[:, :1000], np.rint(table[:, :1000])):
        unit = "adc"
        remarks.append(COUNTS_REMARK)
    return DecodedRecording(
        table.T,
        rate_hz,
        names,
        unit,
        decision.non_emg,
        (*remarks, *decision.remarks),
        channel_units=tuple(units),
        is_decided=True,
    )


def _names_and_units(layout: Layout, kept: list[int]) -> tuple[tuple[str, ...], list[str]]:
    """The names without their units, and the units; columns of a table without names are named after their place."""
    split = [name_and_unit(layout.names[i]) if layout.names else ("", "") for i in kept]
    units = [(layout.units[i] if layout.units else "") or unit for i, (_, unit) in zip(kept, split, strict=True)]
    if not layout.names:
        return distinct_names([""] * len(kept)), units
    numbers = [i + 1 for i in kept]
    names = [name or f"ch{number}" for number, (name, _) in zip(numbers, split, strict=True)]
    return distinct_names(names, numbers), units


def _survey(path: Path) -> tuple[str, int]:
    """The encoding, found by decoding the whole text strictly, and the number of lines."""
    with path.open("rb") as raw:
        head = raw.read(PIECE)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in head:
        raise InputError(f"{_unreadable(path)}; found NUL bytes, expected text (or UTF-16 with a byte order mark)")
    else:
        encodings = ["utf-8-sig"]
    bad_byte = ""
    for encoding in encodings:
        try:
            n_lines, last = 0, "\n"
            with path.open(encoding=encoding) as handle:
                while piece := handle.read(PIECE):
                    if "\0" in piece:
                        raise InputError(f"{_unreadable(path)}; found NUL characters, expected text")
                    n_lines, last = n_lines + piece.count("\n"), piece[-1]
            return encoding, n_lines + (last != "\n")
        except UnicodeDecodeError as error:
            bad_byte = f"{error.object[error.start]:#04x}"
            if encoding == "utf-8-sig":
                encodings.append(legacy_encoding(head + error.object[error.start :]))
    expected = "UTF-16, as its byte order mark states" if encodings == ["utf-16"] else "UTF-8 or GB18030"
    raise InputError(f"{_unreadable(path)}; found the byte {bad_byte}, expected text in {expected}")


def _unreadable(path: Path) -> str:
    return f"{path}: can't be read as {path.suffix[1:].upper()}"


def _pieces(handle: TextIO, head: list[str], layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Pieces from the first sample on: 1-based number of their first line, and their lines; ``head`` comes first."""
    first, lines = layout.start + 1, head[layout.start :]
    while lines:
        yield first, lines
        first += len(lines)
        lines = handle.readlines(PIECE)


def _read(path: Path, layout: Layout, pieces: Iterator[tuple[int, list[str]]], max_samples: int) -> Array:
    """All columns, (n_columns, n_samples), in one array; time stamps become seconds of the day."""
    if max_samples * layout.n_columns * 8 > MAX_DECODED_BYTES:
        raise InputError(
            f"{path}: {max_samples} lines of {layout.n_columns} columns; "
            f"expected at most {MAX_DECODED_BYTES // 8} values"
        )
    table = np.empty((layout.n_columns, max_samples))
    channels = [i for i, name in enumerate(layout.names) if i not in layout.stamps and not is_time_name(name)]
    optional = _non_emg_columns(layout, channels)
    n = 0
    for first, lines in pieces:
        values = _parse_fast(layout, lines)
        if values is None:
            values = _parse_cells(path, layout, optional, lines, first)
        table[:, n : n + len(values)] = values.T  # (n_in_piece, n_columns) -> (n_columns, n_in_piece)
        n += len(values)
    return table[:, :n]


def _parse_fast(layout: Layout, lines: list[str]) -> Array | None:
    """Parse with NumPy; None if that fails, because NumPy's error does not state the place."""
    loadable = layout.dialect.for_loadtxt(lines, layout.trailing)
    if loadable is None or layout.stamps or not any(map(str.strip, lines)):
        return None
    try:
        values = np.loadtxt(loadable[0], delimiter=loadable[1], ndmin=2, dtype=np.float64, comments=None, quotechar='"')
    except ValueError:
        return None
    return values if values.shape[1] == layout.n_columns else None


def _parse_cells(path: Path, layout: Layout, optional: set[int], lines: list[str], first: int) -> Array:
    """Parse cell by cell, with comments between samples, missing samples and time stamps; errors state their place.

    optional : columns that are not EMG by the header; a cell of theirs that is not a number is a missing sample.
    """
    rows = []
    for line_no, line in enumerate(lines, first):
        if not is_content(line):
            continue
        cells = layout.dialect.samples(line)
        if layout.trailing and len(cells) == layout.n_columns + 1 and not cells[-1]:
            cells.pop()
        if len(cells) != layout.n_columns:
            raise InputError(
                f"{_unreadable(path)}; line {line_no} has {len(cells)} cells, expected {layout.n_columns} as above it"
            )
        row = [seconds_of_day(cell) if i in layout.stamps else parse_number(cell) for i, cell in enumerate(cells)]
        row = [np.nan if value is None and i in optional else value for i, value in enumerate(row)]
        if None in row:
            column = row.index(None)
            name = repr(layout.names[column]) if layout.names else column + 1
            expected = "a time of day" if column in layout.stamps else "a number"
            raise InputError(
                f"{_unreadable(path)}; line {line_no}, column {name}: found {cells[column][:60]!r}, expected {expected}"
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(-1, layout.n_columns)


def _line_of(text: Text, layout: Layout, sample: int) -> int:
    """The line, counted from 1, of a sample."""
    with text.open() as handle:
        for first, lines in _pieces(handle, handle.readlines(PIECE), layout):
            content = [i for i, line in enumerate(lines, first) if is_content(line)]
            if sample < len(content):
                return content[sample]
            sample -= len(content)
    raise IndexError(sample)


def _compact(table: Array, kept: list[int], n: int) -> Array:
    """The first ``n`` samples of these columns, moved within the same memory; a copy would need twice as much."""
    whole = table.base if table.base is not None else table  # with as many columns as the file has lines
    bound = whole.shape[1]
    if n == bound and kept == list(range(len(whole))):
        return whole
    flat = whole.reshape(-1)
    for place, column in enumerate(kept):
        flat[place * n : (place + 1) * n] = flat[column * bound : column * bound + n]
    return flat[: len(kept) * n].reshape(len(kept), n)
