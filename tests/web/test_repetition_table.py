"""The table of repetitions: what a visitor types becomes rows of a manifest or a message about the row."""

from __future__ import annotations

import pytest

from semg_hht.recordings.manifest import ManifestRow
from semg_hht.report.words import read_words
from semg_hht.web.repetition_table import cells_of, free_place, overlapping, read_times, rows_at
from semg_hht.web.view import told

WORDS = read_words("en")


def test_a_table_is_read_in_order_with_commas_and_without_empty_rows() -> None:
    cells = [["5,5", "7", ""], ["", None, ""], [1, 2.25, "99%"], ["9", "10.0004", ""]]
    assert read_times(cells, 10.0) == ([(1.0, 2.25), (5.5, 7.0), (9.0, 10.0)], [])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["abc", "3"], "Row 2 of the table: “abc” is not a number; expected seconds"),
        (["nan", "3"], "Row 2 of the table: “nan” is not a number"),
        (["3", ""], "Row 2 of the table: a time is missing"),
        (["-1", "3"], "Row 2 of the table: -1 s does not lie within the recording, which lasts from 0 to 10.00 s"),
        (["3", "10.1"], "Row 2 of the table: 10.1 s does not lie within"),
        (["3", "3"], "Row 2 of the table: it ends at 3 s, but starts at 3 s"),
        (["1", "2"], "Row 2 of the table says the same times as row 1"),
    ],
)
def test_a_row_that_cant_be_used_is_named(row: list[str], words: str) -> None:
    times, troubles = read_times([["1", "2"], row], 10.0)
    assert times == [(1.0, 2.0)]
    assert [told(trouble, WORDS) for trouble in troubles] == [pytest.approx(told(troubles[0], WORDS))]
    assert words in told(troubles[0], WORDS)
    assert told(troubles[0], read_words("zh")) != told(troubles[0], WORDS)


def test_rows_keep_what_was_measured_while_their_times_stay() -> None:
    known = [ManifestRow("a.csv", start_s=1.00049, stop_s=2.0, extra={"confidence": "0.97", "rms": "3"})]
    assert cells_of(known) == [["1.000", "2.000", "97%"]]
    rows = rows_at([(0.2, 0.5), (1.0, 2.0)], ManifestRow("a.csv", subject="S01"), known)
    assert [(row.repetition, row.start_s, row.extra) for row in rows] == [
        ("1", 0.2, {}), ("2", 1.00049, {"confidence": "0.97", "rms": "3"}),
    ]  # fmt: skip
    assert rows[0].subject == "S01"


def test_a_new_repetition_goes_where_there_is_room() -> None:
    rows = [ManifestRow("a.csv", start_s=1.0, stop_s=2.0), ManifestRow("a.csv", start_s=8.0, stop_s=9.0)]
    assert free_place(rows, 10.0) == (4.5, 5.5)
    assert free_place([], 10.0) == (2.5, 7.5)
    assert free_place([ManifestRow("a.csv", start_s=0.0, stop_s=10.0)], 10.0) == (4.5, 5.5)
    assert overlapping(rows) == []
    assert overlapping([*rows, ManifestRow("a.csv", start_s=8.5, stop_s=9.5)]) == [(2, 3)]
