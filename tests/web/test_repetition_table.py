"""The table of repetitions: what a visitor types becomes rows of a manifest or a message about the row."""

from __future__ import annotations

import pytest

from semg_hht.recordings.manifest import ManifestRow
from semg_hht.report.words import read_words
from semg_hht.web.repetition_table import cells_of, overlapping, read_times, rows_at, times_for_new
from semg_hht.web.view import problem_text

WORDS = read_words("en")


def test_times_are_sorted_decimal_commas_read_and_empty_rows_skipped() -> None:
    cells = [["5,5", "7", ""], ["", None, ""], [1, 2.25, "99%"], ["9", "10.0004", ""]]
    assert read_times(cells, 10.0) == ([(1.0, 2.25), (5.5, 7.0), (9.0, 10.0)], [])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["abc", "3"], "Row 2 of the table: “abc” is not a number; expected seconds"),
        (["nan", "3"], "Row 2 of the table: “nan” is not a number"),
        (["3", ""], "Row 2 of the table: a time is missing"),
        (["-1", "3"], "Row 2 of the table: -1 s is outside the recording, which lasts from 0 to 10.00 s"),
        (["3", "10.1"], "Row 2 of the table: 10.1 s is outside"),
        (["3", "3"], "Row 2 of the table: the repetition ends at 3 s but starts at 3 s"),
        (["1", "2"], "Row 2 of the table has the same times as row 1"),
    ],
)
def test_an_invalid_row_gets_a_message_with_its_number(row: list[str], message: str) -> None:
    times, problems = read_times([["1", "2"], row], 10.0)
    assert times == [(1.0, 2.0)]
    (problem,) = problems
    assert message in problem_text(problem, WORDS)
    assert problem_text(problem, read_words("zh")) != problem_text(problem, WORDS)


def test_rows_keep_their_measures_while_their_times_stay() -> None:
    previous = [ManifestRow("a.csv", start_s=1.00049, stop_s=2.0, extra={"confidence": "0.97", "rms": "3"})]
    assert cells_of(previous) == [["1.000", "2.000", "97%"]]
    rows = rows_at([(0.2, 0.5), (1.0, 2.0)], ManifestRow("a.csv", subject="S01"), previous)
    assert [(row.repetition, row.start_s, row.extra) for row in rows] == [
        ("1", 0.2, {}), ("2", 1.00049, {"confidence": "0.97", "rms": "3"}),
    ]  # fmt: skip
    assert rows[0].subject == "S01"


def test_a_new_repetition_is_put_into_the_longest_rest() -> None:
    rows = [ManifestRow("a.csv", start_s=1.0, stop_s=2.0), ManifestRow("a.csv", start_s=8.0, stop_s=9.0)]
    assert times_for_new(rows, 10.0) == (4.5, 5.5)
    assert times_for_new([], 10.0) == (2.5, 7.5)
    assert times_for_new([ManifestRow("a.csv", start_s=0.0, stop_s=10.0)], 10.0) == (4.5, 5.5)
    assert overlapping(rows) == []
    assert overlapping([*rows, ManifestRow("a.csv", start_s=8.5, stop_s=9.5)]) == [(2, 3)]
