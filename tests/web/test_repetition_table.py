"""Repetitions as they are drawn: what is refused, and which columns of a row survive a change."""

from __future__ import annotations

from typing import Any

import pytest

from semg_hht.recordings.manifest import ManifestRow
from semg_hht.web.repetition_table import MAX_REPETITIONS, Refused, one_line, read_repetitions, rows_of

SHARED = ManifestRow("a.csv", rate_hz=500.0)


@pytest.mark.parametrize(
    ("items", "name", "values"),
    [
        ([{"start_s": -1, "stop_s": 2}], "app_outside", {"row": 1, "found": "-1", "duration": "10.00"}),
        ([{"start_s": 1, "stop_s": 10.2}], "app_outside", {"row": 1, "found": "10.2", "duration": "10.00"}),
        ([{"start_s": 3, "stop_s": 2}], "app_backwards", {"row": 1, "start": "3", "stop": "2"}),
        ([{"start_s": 3, "stop_s": 3.0001}], "app_backwards", {"row": 1, "start": "3", "stop": "3.0001"}),
        ([{"start_s": "soon", "stop_s": 2}], "app_no_number", {"row": 1, "found": "soon"}),
        ([{"start_s": float("nan"), "stop_s": 2}], "app_no_number", {"row": 1, "found": "nan"}),
        ([{"start_s": True, "stop_s": 2}], "app_no_number", {"row": 1, "found": "True"}),
        ([{"start_s": [1], "stop_s": 2}], "app_no_number", {"row": 1, "found": "[1]"}),
        ([{"start_s": 1}], "app_empty_cell", {"row": 1}),
        (["a"], "app_empty_cell", {"row": 1}),
        ([{"start_s": 1, "stop_s": 2}] * 2, "app_twice", {"row": 2, "other": 1}),
        ([{"start_s": 1, "stop_s": 2}] * (MAX_REPETITIONS + 1), "app_too_many_repetitions", {"most": MAX_REPETITIONS}),
        ("all", "app_too_many_repetitions", {"most": MAX_REPETITIONS}),
    ],
)
def test_a_repetition_that_can_not_be_used_is_refused_with_its_number(
    items: Any, name: str, values: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match=name) as refused:
        read_repetitions(items, 10.0)
    assert refused.value.problem.values == values


def test_repetitions_are_sorted_and_labels_kept_on_one_line() -> None:
    items = [{"start_s": "4,5", "stop_s": 10.0004, "label": "  too\nfast "}, {"start_s": 1, "stop_s": 2}]
    first, second = read_repetitions(items, 10.0)
    assert (first.times, first.label) == ((1.0, 2.0), "")
    assert (second.times, second.label) == ((4.5, 10.0), "too fast")
    assert one_line("a\x00b\u202e" * 50, 5) == "a b a" and one_line(None, 5) == ""


def test_a_row_keeps_its_columns_and_who_labelled_it() -> None:
    extra = {"confidence": "0.90", "labelled_by": "sensor"}
    before = [ManifestRow("a.csv", movement="full", start_s=1.0, stop_s=2.0, extra=extra)]

    def after(start_s: float, label: str, by: str = "") -> ManifestRow:
        items = [{"start_s": start_s, "stop_s": 2.0, "label": label, "label_by": by}]
        return rows_of(read_repetitions(items, 10.0), SHARED, before)[0]

    assert after(1.0, "full").extra == extra
    assert after(1.2, "full").extra == {"labelled_by": "sensor"}  # it was found elsewhere, with another confidence
    assert after(1.0, "half").extra == {"confidence": "0.90", "labelled_by": "person"}
    assert after(1.0, "half", "sensor").extra["labelled_by"] == "sensor"  # an undone change
    assert after(1.0, "").extra == after(1.0, "full", "file").extra == {"confidence": "0.90"}
    assert after(1.0, "").repetition == "1"


def test_repetitions_together_last_a_bounded_time() -> None:
    items = [{"start_s": i / 100, "stop_s": 10.0} for i in range(12)]
    assert len(read_repetitions(items[:9], 10.0)) == 9
    with pytest.raises(Refused, match="app_overlap"):
        read_repetitions(items, 10.0)
