"""Replace a table of repetitions that a person may have edited: labels whose times still fit stay, the file is kept.

It works on rows of manifests. It does not know how repetitions are found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semg_hht.recordings.jobs import Remark
from semg_hht.recordings.manifest import LABELS, ManifestRow, manifest_text, read_manifest
from semg_hht.system.files import whole_file

# A label fits if the time that both intervals share is at least this part of the time that either covers.
MIN_SHARED = 0.5
_KEPT = tuple(name for name in LABELS if name != "repetition")


@dataclass(frozen=True)
class ReplacedTable:
    """A table that a new one replaces, and its rows.

    Examples
    --------
    >>> from semg_hht.recordings.manifest import ManifestRow
    >>> old = ReplacedTable(Path("reps.csv"), (ManifestRow("a.csv", movement="half", start_s=1.0, stop_s=2.0),))
    >>> rows, n_lost = old.label([ManifestRow("a.csv", start_s=1.1, stop_s=2.1)])
    >>> rows[0].movement, n_lost
    ('half', 0)
    """

    path: Path
    rows: tuple[ManifestRow, ...]

    @classmethod
    def read(cls, path: Path) -> ReplacedTable:
        """Read a table.

        Raises
        ------
        InputError
            The file is not a table of repetitions: it is not replaced.
        """
        return cls(path, tuple(read_manifest(path)))

    def carry_over(self, rows: Sequence[ManifestRow]) -> tuple[list[ManifestRow], list[Remark]]:
        """The new rows with the labels of this table, whose file is kept under another name; a remark says so.

        The file is not kept where the new table has the same text.
        """
        labelled, n_lost = self.label(rows)
        if manifest_text(labelled).encode() == self.path.read_bytes():
            return labelled, []
        lost = f"{n_lost} of its labels fit no repetition that was found; " if n_lost else ""
        return labelled, [Remark(self.path.name, f"the table was replaced; {lost}it is kept as {self._keep().name}")]

    def label(self, rows: Sequence[ManifestRow]) -> tuple[list[ManifestRow], int]:
        """The rows with the labels and own columns of the old rows that fit, and how many movements fit no row.

        What all old rows of a recording agree on (subject, gender) is given to its other rows too.
        """
        old_of: dict[str, list[ManifestRow]] = defaultdict(list)
        for row in self.rows:
            old_of[row.file].append(row)
        labelled = [replace(row, **_agreed(old_of[row.file])) for row in rows]
        fits = sorted(
            (
                (_shared(old, row), number, position)
                for number, row in enumerate(rows)
                for position, old in enumerate(old_of[row.file])
            ),
            reverse=True,
        )
        done: set[int] = set()
        used: set[tuple[str, int]] = set()
        for share, number, position in fits:
            key = (rows[number].file, position)
            if share >= MIN_SHARED and number not in done and key not in used:
                done.add(number)
                used.add(key)
                labelled[number] = _with_labels(labelled[number], old_of[key[0]][position])
        lost = [old for file, olds in old_of.items() for n, old in enumerate(olds) if (file, n) not in used]
        return labelled, sum(bool(old.movement) for old in lost)

    def _keep(self) -> Path:
        """Copy the file to the first free name of ``reps_old.csv``, ``reps_old_2.csv`` and so on; returns the copy."""
        number, copy = 1, self.path.with_name(f"{self.path.stem}_old{self.path.suffix}")
        while copy.exists():
            number += 1
            copy = self.path.with_name(f"{self.path.stem}_old_{number}{self.path.suffix}")
        with whole_file(copy) as part:
            part.write_bytes(self.path.read_bytes())
        return copy


def _shared(old: ManifestRow, new: ManifestRow) -> float:
    """The time in both intervals as a share of the time in either; 0 where a time is not stated."""
    if old.start_s is None or old.stop_s is None or new.start_s is None or new.stop_s is None:
        return 0.0
    both_s = min(old.stop_s, new.stop_s) - max(old.start_s, new.start_s)
    return max(0.0, both_s / (max(old.stop_s, new.stop_s) - min(old.start_s, new.start_s)))


def _with_labels(row: ManifestRow, old: ManifestRow) -> ManifestRow:
    labels = {name: getattr(old, name) or getattr(row, name) for name in _KEPT}
    return replace(row, extra=old.extra | row.extra, **labels)


def _agreed(rows: Sequence[ManifestRow]) -> dict[str, Any]:
    values = {name: {getattr(row, name) for row in rows} for name in _KEPT if name != "movement"}
    return {name: of_all.pop() for name, of_all in values.items() if len(of_all) == 1 and of_all != {""}}
