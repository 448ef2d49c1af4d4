"""Events of a recording: intervals from a table such as BIDS events.tsv, or clicks of a button.

It works on tables of times and does not know signals or labels.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from semg_hht.errors import InputError
from semg_hht.recordings.manifest import parse_finite
from semg_hht.system.files import require_file

_STARTS = ("onset", "start_s", "start")
_STOPS = ("stop_s", "stop", "end_s", "end")
_LABELS = ("movement", "trial_type", "label")


@dataclass(frozen=True)
class Event:
    """An interval [start_s, stop_s) in seconds; ``is_click``: a person pressed a button at its start and at its end."""

    start_s: float
    stop_s: float
    label: str
    is_click: bool = False


def read_events(path: Path, duration_s: float) -> list[Event]:
    """Read the events of a recording of ``duration_s`` seconds, sorted by their start.

    A table with a header has the columns ``onset`` and ``duration`` (BIDS), or ``start_s`` and ``stop_s``; a column
    ``movement``, ``trial_type`` or ``label`` may state the label. Without a header, two columns are start and stop. A
    single column holds clicks: a repetition lasts from one click to the next.

    Raises
    ------
    InputError
        The file does not exist or has no events, a cell is not a time, or an event is outside the recording.
    """
    require_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: can't be read as a table of events in UTF-8") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise InputError(f"{path}: expected one line per event; found none")
    separator = max("\t;,", key=lines[0].count)
    try:
        table = [[cell.strip() for cell in cells] for cells in csv.reader(lines, delimiter=separator)]
    except csv.Error as error:
        raise InputError(f"{path}: expected a table of events; {error}") from None
    header = [cell.lower() for cell in table[0]]
    if any(name in header for name in _STARTS):
        rows = [dict(zip(header, row, strict=False)) for row in table[1:]]
        events = [_event(path, number, row) for number, row in enumerate(rows, start=2)]
    elif len(header) == 1:
        skipped = int(parse_finite(table[0][0]) is None)  # a name of the column
        starts = sorted(_time(path, number, row[0]) for number, row in enumerate(table[skipped:], 1 + skipped))
        events = [Event(a, b, "", is_click=True) for a, b in zip(starts, [*starts, duration_s][1:], strict=True)]
    else:
        events = [Event(_time(path, n, row[0]), _time(path, n, (*row, "")[1]), "") for n, row in enumerate(table, 1)]
    if not events:
        raise InputError(f"{path}: expected one line per event; found only a header")
    return events_within(events, duration_s, str(path))


def events_within(events: Iterable[Event], duration_s: float, where: str) -> list[Event]:
    """The events of a recording of ``duration_s`` seconds, sorted by their start; ``where`` names them in messages.

    Raises
    ------
    InputError
        An event is outside the recording.
    """
    events = sorted(events, key=lambda event: event.start_s)
    for event in events:
        if not 0 <= event.start_s < event.stop_s <= duration_s + 0.001:
            raise InputError(
                f"{where}: an event from {event.start_s:g} s to {event.stop_s:g} s does not lie within the recording "
                f"of {duration_s:g} s"
            )
    return events


def _event(path: Path, number: int, row: dict[str, str]) -> Event:
    """The event in a row of a table with a header."""
    start_s = _time(path, number, next(row[name] for name in _STARTS if name in row))
    label = next((row[name] for name in _LABELS if row.get(name, "n/a") != "n/a"), "")
    stop = next((row[name] for name in _STOPS if name in row), None)
    if stop is not None:
        return Event(start_s, _time(path, number, stop), label)
    if "duration" not in row:
        raise InputError(f"{path}: expected a column 'duration' or 'stop_s' beside the start; found {', '.join(row)}")
    return Event(start_s, start_s + _time(path, number, row["duration"]), label)


def _time(path: Path, number: int, cell: str) -> float:
    time_s = parse_finite(cell)
    if time_s is None:
        raise InputError(f"{path}, line {number}: expected a time in seconds; found {cell!r}")
    return time_s
