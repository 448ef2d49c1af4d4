"""A table of repetitions as somebody typed it -> rows of a manifest, or what is wrong with it.

Knows seconds and rows: nothing of signals or pages.
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
class Trouble:
    """Something to say in the visitor's language: the name of a sentence, and the values in it."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)


def read_times(cells: Sequence[Sequence[Any]], duration_s: float) -> tuple[list[Times], list[Trouble]]:
    """The repetitions of a table, in order, and a trouble for each row that can't be used; empty rows are left out."""
    times: dict[Times, int] = {}
    troubles: list[Trouble] = []
    for number, row in enumerate(cells, start=1):
        typed = ["" if cell is None else str(cell).strip() for cell in row[:2]]
        if not any(typed):
            continue
        read = [_number(text) for text in typed]
        start, stop = (math.nan if value is None else value for value in read)
        stop = duration_s if duration_s < stop < duration_s + 0.5 * 10**-DECIMALS else stop  # the end, rounded up
        if None in read:
            found = typed[read.index(None)]
            troubles.append(Trouble("app_no_number" if found else "app_empty_cell", {"row": number, "found": found}))
        elif start < 0 or stop > duration_s:
            wrong = start if start < 0 else stop
            troubles.append(
                Trouble("app_outside", {"row": number, "found": f"{wrong:g}", "duration": f"{duration_s:.2f}"})
            )
        elif stop <= start:
            troubles.append(Trouble("app_backwards", {"row": number, "start": f"{start:g}", "stop": f"{stop:g}"}))
        elif (start, stop) in times:
            troubles.append(Trouble("app_twice", {"row": number, "other": times[start, stop]}))
        else:
            times[start, stop] = number
    return sorted(times), troubles


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))  # a decimal comma
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def rows_at(times: Sequence[Times], shared: ManifestRow, known: Sequence[ManifestRow]) -> tuple[ManifestRow, ...]:
    """Rows of a manifest; one that stood there before keeps what was measured of it, and its exact times."""
    before = {_shown(row): row for row in known}
    rows = [before.get(_rounded(one)) or replace(shared, start_s=one[0], stop_s=one[1]) for one in times]
    return tuple(replace(row, repetition=str(number)) for number, row in enumerate(rows, start=1))


def cells_of(rows: Sequence[ManifestRow]) -> list[list[str]]:
    """Start, stop, and how surely it is one whole repetition, where the program found it."""
    return [[*(f"{time:.{DECIMALS}f}" for time in _shown(row)), _percent(row)] for row in rows]


def _percent(row: ManifestRow) -> str:
    confidence = _number(row.extra.get("confidence", ""))
    return "" if confidence is None else f"{confidence:.0%}"


def _shown(row: ManifestRow) -> Times:
    return _rounded((row.start_s or 0.0, row.stop_s or 0.0))


def _rounded(times: Times) -> Times:
    return round(times[0], DECIMALS), round(times[1], DECIMALS)


def overlapping(rows: Sequence[ManifestRow]) -> list[tuple[int, int]]:
    """Numbers of neighbours that share some of their time."""
    shown = [_shown(row) for row in rows]
    return [(i + 1, i + 2) for i in range(len(shown) - 1) if shown[i + 1][0] < shown[i][1]]


def free_place(rows: Sequence[ManifestRow], duration_s: float) -> Times:
    """Where one more repetition may be meant: in the longest rest, as long as the others where that fits."""
    shown = sorted(_shown(row) for row in rows)
    starts = [0.0, *(stop for _, stop in shown)]
    stops = [*(start for start, _ in shown), duration_s]
    left, right = max(zip(starts, stops, strict=True), key=lambda rest: rest[1] - rest[0])
    usual = float(np.median([stop - start for start, stop in shown])) if shown else duration_s / 2
    length = min(usual, 0.8 * (right - left))
    if length <= 0:  # no rest is left: beside what stands there
        left, right, length = 0.0, duration_s, duration_s / 10
    middle = (left + right) / 2
    return _rounded((middle - length / 2, middle + length / 2))
