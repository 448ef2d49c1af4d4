"""Recordings written as text: CSV, TXT, TSV, one sample a line.

Knows lines, columns and headers: nothing of what a recording must be.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.signals.contents import Contents
from semg_hht.signals.names import is_other

Array = NDArray[np.float64]

_RATE_COMMENT = re.compile(r"sampl\w*[ _-]*(?:rate|freq\w*)[^0-9]*([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)
_TIME_NAME = re.compile(
    r"(time|times|timestamp|t|zeit|时间)[\s_]*([\[(/]?\s*(s|sec|seconds|ms)\s*[\])]?)?", re.IGNORECASE
)


def read_table(path: Path) -> Contents:
    """Text, one sample a line: comments behind ``#``, an optional header, separated by ``,`` ``;`` tab or space."""
    text = path.read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    if not body:
        raise InputError(f"{path}: expected one line a sample; found none")
    separator = max((";", "\t", ","), key=body[0].count)
    if separator not in body[0]:
        separator = " "
    header = _cells(body[0], separator)
    has_header = not all(_is_number(cell) for cell in header)
    if has_header:
        body = body[1:]
    if not body:
        raise InputError(f"{path}: expected one line a sample after the header; found none")
    table = np.loadtxt(body, delimiter=None if separator == " " else separator, ndmin=2, dtype=np.float64)
    names = tuple(header) if has_header else ()
    if names and len(names) != table.shape[1]:
        raise InputError(f"{path}: the header names {len(names)} columns; the lines below have {table.shape[1]}")
    rate = next((float(m.group(1)) for line in comments if (m := _RATE_COMMENT.search(line))), None)
    time = [i for i, name in enumerate(names) if _TIME_NAME.fullmatch(name)]
    if time:
        rate = rate_of_time_column(path, names[time[0]], table[:, time[0]])
        names = tuple(name for i, name in enumerate(names) if i != time[0])
        table = np.delete(table, time[0], axis=1)
    other = tuple(name for name in names if is_other(name))
    remarks = (f"not taken for EMG, by name: {', '.join(other)}",) if other else ()
    return Contents(table, rate, names, other=other, remarks=remarks)


def rate_of_time_column(path: Path, name: str, time: Array) -> float:
    """Samples a second of a column of rising times in seconds, or in milliseconds where ``name`` says so."""
    step = np.diff(time) / (1000 if "ms" in name.lower() else 1)
    if step.size == 0 or not np.all(step > 0):
        raise InputError(f"{path}: column {name!r} must rise from line to line to be a time in seconds")
    mean = float(step.mean())
    if float(np.max(np.abs(step - mean))) > 0.5 * mean:
        raise InputError(
            f"{path}: column {name!r} has gaps (steps of {step.min():g} to {step.max():g} s); expected an even rate"
        )
    return 1 / mean


def _cells(line: str, separator: str) -> list[str]:
    cells = line.split() if separator == " " else line.split(separator)
    return [cell.strip().strip('"') for cell in cells]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
