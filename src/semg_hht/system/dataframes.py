"""Tables for Python: a ``pandas.DataFrame`` where pandas is installed, and HTML for notebooks without it.

It knows columns and cells. It does not know what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from semg_hht.errors import InputError

MAX_SHOWN = 20  # rows of a table in a notebook


def dataframe(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """A ``pandas.DataFrame`` of rows, whose cells are in the order of ``columns``.

    Raises
    ------
    InputError
        pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise InputError(
            "a DataFrame needs pandas: pip install pandas; without it, loop over the result for its rows"
        ) from None
    return pandas.DataFrame(list(rows), columns=list(columns))


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> str:
    """The first rows as HTML, with a caption; columns without any content are left out."""
    kept = [i for i in range(len(columns)) if any(row[i] not in ("", None) for row in rows)]
    head = "".join(f"<th>{escape(columns[i])}</th>" for i in kept)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_shown(row[i]))}</td>" for i in kept) + "</tr>" for row in rows[:MAX_SHOWN]
    )
    more = f"<p>and {len(rows) - MAX_SHOWN} more rows</p>" if len(rows) > MAX_SHOWN else ""
    return f"<p>{escape(caption)}</p><table><tr>{head}</tr>{body}</table>{more}"


def _shown(cell: Any) -> str:
    if cell is None:
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
