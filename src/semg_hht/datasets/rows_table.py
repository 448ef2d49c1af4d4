"""A table of repetitions in Python: rows of a manifest, with the recordings that they belong to.

It knows rows and files. It does not know how repetitions are found or labelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import MANIFEST_COLUMNS, ManifestRow, parse_finite
from semg_hht.system.dataframes import dataframe, html_table


@dataclass(frozen=True, repr=False)
class RowsTable:
    """Rows, one for each repetition, and the recordings that they are in: what the next verb works on.

    It has a length, can be iterated over and indexed, and becomes a DataFrame by `to_dataframe`.

    rows : in the order of the table.
    jobs : the recordings with their rows, in memory or on disk.
    """

    rows: tuple[ManifestRow, ...]
    jobs: tuple[Job, ...]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._size()}>"

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[ManifestRow]:
        return iter(self.rows)

    def __getitem__(self, number: int) -> ManifestRow:
        return self.rows[number]

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with the columns of a manifest.csv; the next verb also takes it after you edited it.

        Of recordings in memory the next verb takes both, in a list: the DataFrame and the recordings.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        return dataframe(*columns_and_cells(self.rows))

    def _repr_html_(self) -> str:
        return html_table(*columns_and_cells(self.rows), self._size())

    def _size(self) -> str:
        n, n_recordings = len(self), len(self.jobs)
        return f"{n} repetition{'s' * (n != 1)} of {n_recordings} recording{'s' * (n_recordings != 1)}"


def columns_and_cells(rows: Sequence[ManifestRow]) -> tuple[list[str], list[list[Any]]]:
    """The columns of a manifest of these rows, and the cells of each row: numbers where they are numbers."""
    extras = sorted({name for row in rows for name in row.extra})
    cells = [
        [_cell(getattr(row, name)) for name in MANIFEST_COLUMNS] + [_extra(row.extra.get(name, "")) for name in extras]
        for row in rows
    ]
    return [*MANIFEST_COLUMNS, *extras], cells


def _cell(value: Any) -> Any:
    return ";".join(value) if isinstance(value, tuple) else value


def _extra(text: str) -> Any:
    number = parse_finite(text)
    return text if number is None else number
