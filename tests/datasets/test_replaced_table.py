"""Tests that a replaced table of repetitions leaves its labels and its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from semg_hht.datasets.replaced_table import ReplacedTable
from semg_hht.errors import InputError
from semg_hht.recordings.manifest import ManifestRow, manifest_text


def row(start_s: float, stop_s: float, file: str = "a.csv", **labels: str) -> ManifestRow:
    return ManifestRow(file, start_s=start_s, stop_s=stop_s, **labels)  # type: ignore[arg-type]


def test_labels_stay_where_half_of_the_time_is_shared() -> None:
    old = (
        row(1, 2, movement="half", gender="F", subject="Anna"),
        row(3, 4, movement="full", gender="F", subject="Anna"),
        row(8, 9, movement="invalid", gender="F", subject="Anna"),
        row(1, 2, "b.csv", movement="full"),
    )
    new = [row(1.2, 2.1), row(3.7, 4.9), row(1, 2, "c.csv")]
    found, n_lost = ReplacedTable(Path("reps.csv"), old).label(new)
    assert [r.movement for r in found] == ["half", "", ""]
    assert [r.subject for r in found] == ["Anna", "Anna", ""], "all rows of a.csv state one subject"
    assert [r.start_s for r in found] == [1.2, 3.7, 1]
    assert n_lost == 3


def test_a_label_is_given_once_and_to_the_row_that_fits_best() -> None:
    old = ReplacedTable(Path("reps.csv"), (row(1, 3, movement="half", repetition="7"),))
    found, n_lost = old.label([row(1, 2), row(1, 2.9)])
    assert [r.movement for r in found] == ["", "half"]
    assert found[1].repetition == ""
    assert n_lost == 0


def test_the_file_before_is_kept_under_a_free_name(tmp_path: Path) -> None:
    table = tmp_path / "reps.csv"
    for name in ("reps_old.csv", "reps_old_2.csv", "reps_old_3.csv"):
        table.write_text(manifest_text([row(1, 2, movement="half")]))
        rows, (remark,) = ReplacedTable.read(table).carry_over([row(1.1, 2)])
        assert rows[0].movement == "half"
        assert remark.text == f"the table was replaced; it is kept as {name}"
        assert (tmp_path / name).read_bytes() == table.read_bytes()
    assert ReplacedTable.read(table).carry_over([row(1, 2)])[1] == [], "the new text is the old one"


def test_a_file_that_is_no_table_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match=r"diary\.txt: expected a header line with a column 'file'"):
        ReplacedTable.read(tmp_path / "diary.txt")
