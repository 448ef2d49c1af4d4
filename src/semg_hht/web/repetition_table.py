"""A table of repetitions as a visitor typed it -> rows of a manifest, or what is wrong with it.

It works on times in seconds and manifest rows, and does not know about signals or pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from semg_hht.recordings.manifest import ManifestRow

DECIMALS = 3  # of a second, as the table shows them
Times = tuple[float, float]  # start and stop of a repetition in seconds


@dataclass(frozen=True)
class Problem:
    """A message to the visitor: the key of its text in ``en.json`` and ``zh.json``, and the values in it."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)


def read_times(cells: Sequence[Sequence[Any]], duration_s: float) -> tuple[list[Times], list[Problem]]:
    """Return the repetitions of a table, sorted, and a problem for each invalid row; empty rows are skipped."""
    times: dict[Times, int] = {}
    problems: list[Problem] = []
    for number, row in enumerate(cells, start=1):
        typed = ["" if cell is None else str(cell).strip() for cell in row[:2]]
        if not any(typed):
            continue
        parsed = [_number(text) for text in typed]
        start, stop = (math.nan if value is None else value for value in parsed)
        stop = duration_s if duration_s < stop < duration_s + 0.5 * 10**-DECIMALS else stop  # the end, rounded up
        if None in parsed:
            text = typed[parsed.index(None)]
            problems.append(Problem("app_no_number" if text else "app_empty_cell", {"row": number, "found": text}))
        elif start < 0 or stop > duration_s:
            outside = start if start < 0 else stop
            problems.append(
                Problem("app_outside", {"row": number, "found": f"{outside:g}", "duration": f"{duration_s:.2f}"})
            )
        elif stop <= start:
            problems.append(Problem("app_backwards", {"row": number, "start": f"{start:g}", "stop": f"{stop:g}"}))
        elif (start, stop) in times:
            problems.append(Problem("app_twice", {"row": number, "other": times[start, stop]}))
        else:
            times[start, stop] = number
    return sorted(times), problems


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))  # a decimal comma
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def rows_at(times: Sequence[Times], shared: ManifestRow, previous: Sequence[ManifestRow]) -> tuple[ManifestRow, ...]:
    """Return manifest rows at these times; a row whose times did not change keeps its measures and exact times."""
    row_of = {_rounded_times(row): row for row in previous}
    rows = [row_of.get(_rounded(span)) or replace(shared, start_s=span[0], stop_s=span[1]) for span in times]
    return tuple(replace(row, repetition=str(number)) for number, row in enumerate(rows, start=1))


def cells_of(rows: Sequence[ManifestRow]) -> list[list[str]]:
    """Return start, stop, and the confidence of the segmentation, where the program found the repetition itself."""
    return [[*(f"{time:.{DECIMALS}f}" for time in _rounded_times(row)), _percent(row)] for row in rows]


def _percent(row: ManifestRow) -> str:
    confidence = _number(row.extra.get("confidence", ""))
    return "" if confidence is None else f"{confidence:.0%}"


def _rounded_times(row: ManifestRow) -> Times:
    return _rounded((row.start_s or 0.0, row.stop_s or 0.0))


def _rounded(times: Times) -> Times:
    return round(times[0], DECIMALS), round(times[1], DECIMALS)


def overlapping(rows: Sequence[ManifestRow]) -> list[tuple[int, int]]:
    """Return the numbers of neighbouring repetitions that overlap in time."""
    times = [_rounded_times(row) for row in rows]
    return [(i + 1, i + 2) for i in range(len(times) - 1) if times[i + 1][0] < times[i][1]]


def times_for_new(rows: Sequence[ManifestRow], duration_s: float) -> Times:
    """Suggest the times of one more repetition: in the longest rest, with the median duration where that fits."""
    times = sorted(_rounded_times(row) for row in rows)
    starts = [0.0, *(stop for _, stop in times)]
    stops = [*(start for start, _ in times), duration_s]
    left, right = max(zip(starts, stops, strict=True), key=lambda rest: rest[1] - rest[0])
    usual = float(np.median([stop - start for start, stop in times])) if times else duration_s / 2
    length = min(usual, 0.8 * (right - left))
    if length <= 0:  # there is no rest: overlap with an existing repetition
        left, right, length = 0.0, duration_s, duration_s / 10
    middle = (left + right) / 2
    return _rounded((middle - length / 2, middle + length / 2))
