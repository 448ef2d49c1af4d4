"""Repetitions as a visitor drew or typed them -> rows of a manifest, or what is wrong with them.

It works on times in seconds and manifest rows, and does not know about signals or pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from semg_hht.recordings.manifest import ManifestRow

DECIMALS = 3  # of a second
MAX_REPETITIONS = 500  # of one file
MAX_COVERED = 10  # durations of the recording that its repetitions have together: each of them is measured
MAX_LABEL = 40  # characters
LABELLED_BY, PERSON = "labelled_by", "person"  # the column of `semg-hht label` that says who set the movement
WHO = (PERSON, "sensor", "file")  # who may have set it; a file states it without that column


@dataclass(frozen=True)
class Problem:
    """A message to the visitor: the key of its text in ``en.json`` and ``zh.json``, and the values in it."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """A step of a visitor that can't be done; nothing has changed."""

    def __init__(self, name: str, /, **values: Any) -> None:
        super().__init__(name)
        self.problem = Problem(name, values)


@dataclass(frozen=True)
class DrawnRepetition:
    """A repetition as the page sends it; times in seconds from the start of the recording."""

    start_s: float
    stop_s: float
    label: str = ""
    label_by: str = ""

    @property
    def times(self) -> tuple[float, float]:
        return round(self.start_s, DECIMALS), round(self.stop_s, DECIMALS)


def read_repetitions(items: Any, duration_s: float) -> list[DrawnRepetition]:
    """Return the repetitions in order of time.

    Raises
    ------
    Refused
        A time is missing, no number, outside the recording or before its start; a repetition occurs twice; or they
        overlap too much.
    """
    if not isinstance(items, list) or len(items) > MAX_REPETITIONS:
        raise Refused("app_too_many_repetitions", most=MAX_REPETITIONS)
    found: dict[tuple[float, float], int] = {}
    repetitions = []
    for number, item in enumerate(items, start=1):
        repetition = _repetition(item, number, duration_s)
        if repetition.times in found:
            raise Refused("app_twice", row=number, other=found[repetition.times])
        found[repetition.times] = number
        repetitions.append(repetition)
    if sum(repetition.stop_s - repetition.start_s for repetition in repetitions) > MAX_COVERED * duration_s:
        raise Refused("app_overlap", most=MAX_COVERED)
    return sorted(repetitions, key=lambda repetition: repetition.times)


def _repetition(item: Any, number: int, duration_s: float) -> DrawnRepetition:
    cells = item if isinstance(item, dict) else {}
    start, stop = (_number(cells.get(name), number) for name in ("start_s", "stop_s"))
    stop = duration_s if duration_s < stop < duration_s + 0.5 * 10**-DECIMALS else stop  # the end, rounded up
    if start < 0 or stop > duration_s:
        outside = start if start < 0 else stop
        raise Refused("app_outside", row=number, found=f"{outside:g}", duration=f"{duration_s:.2f}")
    if round(stop, DECIMALS) <= round(start, DECIMALS):
        raise Refused("app_backwards", row=number, start=f"{start:g}", stop=f"{stop:g}")
    by = cells.get("label_by")
    return DrawnRepetition(start, stop, one_line(cells.get("label"), MAX_LABEL), by if by in WHO else "")


def one_line(text: Any, most: int) -> str:
    """Text that a visitor typed, on one line, without control characters, cut to ``most`` characters."""
    words = "".join(c if c.isprintable() else " " for c in text).split() if isinstance(text, str) else []
    return " ".join(words)[:most].strip()


def _number(cell: Any, row: int) -> float:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        raise Refused("app_empty_cell", row=row)
    try:
        value = float(cell.replace(",", ".") if isinstance(cell, str) else cell)  # a decimal comma
    except (TypeError, ValueError):
        value = math.nan
    if isinstance(cell, bool) or not math.isfinite(value):
        raise Refused("app_no_number", row=row, found=str(cell)[:40])
    return value


def rows_of(
    drawn: Sequence[DrawnRepetition], shared: ManifestRow, previous: Sequence[ManifestRow]
) -> tuple[ManifestRow, ...]:
    """Return manifest rows; one whose times did not change keeps its columns, a moved one keeps who labelled it."""
    rows = []
    for number, repetition in enumerate(drawn, start=1):
        same = next((row for row in previous if times_of(row) == repetition.times), None)
        row = same or replace(shared, start_s=repetition.start_s, stop_s=repetition.stop_s, movement="", extra={})
        before = same or _most_overlapping(repetition, previous)
        if not repetition.label or repetition.label_by == "file":
            by = ""
        elif before is not None and before.movement == repetition.label and not repetition.label_by:
            by = before.extra.get(LABELLED_BY, "")
        else:
            by = repetition.label_by or PERSON
        extra = {name: value for name, value in row.extra.items() if name != LABELLED_BY}
        extra |= {LABELLED_BY: by} if by else {}
        rows.append(replace(row, repetition=str(number), movement=repetition.label, extra=extra))
    return tuple(rows)


def times_of(row: ManifestRow) -> tuple[float, float]:
    return round(row.start_s or 0.0, DECIMALS), round(row.stop_s or 0.0, DECIMALS)


def _most_overlapping(drawn: DrawnRepetition, rows: Sequence[ManifestRow]) -> ManifestRow | None:
    def overlap_s(row: ManifestRow) -> float:
        return min(drawn.stop_s, row.stop_s or 0.0) - max(drawn.start_s, row.start_s or 0.0)

    best = max(rows, key=overlap_s, default=None)
    return best if best is not None and overlap_s(best) > 0 else None
