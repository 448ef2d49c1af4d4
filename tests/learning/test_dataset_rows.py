"""Rows in columns: equal to the rows themselves, and a fraction of their memory."""

from __future__ import annotations

import tracemalloc
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from semg_hht.learning.columns import ChosenRows
from semg_hht.learning.dataset_rows import (
    ChannelOrders,
    Repetitions,
    RowColumns,
    first_files,
    recordings_of,
    repetition_key,
    sort_key,
    texts_of,
)
from semg_hht.recordings.manifest import ManifestRow

N_RECORDINGS, N_CHANNELS = 40, 3


def stated(recording: int, start_s: str, channel: int) -> ManifestRow:
    extra = {"recording": f"r{recording}.csv", "recording_start_s": start_s, "recording_stop_s": "9", "own": "x"}
    return ManifestRow(
        f"r{recording}_{start_s}_ch{channel}.npz", f"P{recording % 7}", movement="half", rate_hz=1000.0, units="uV",
        extra=extra | {"channel": f"m{9 - channel}"},
    )  # fmt: skip


@pytest.fixture
def rows() -> list[ManifestRow]:
    starts = ("10.5", "2", "2.0")
    rows = [stated(r, s, c) for c in range(N_CHANNELS, 0, -1) for s in starts for r in range(N_RECORDINGS)]
    named = [ManifestRow("a_ch2.npz", gender="F", start_s=1.0, stop_s=2.0, channels=("1", "2;3")), ManifestRow("b.npz")]
    return [*rows[:50], *named, *rows[50:]]


def test_rows_come_back_as_they_were(rows: list[ManifestRow]) -> None:
    columns = RowColumns(rows)
    for found in (columns, deepcopy(columns)):
        assert list(found) == rows
        assert [list(row.extra) for row in found] == [list(row.extra) for row in rows]


def test_columns_sort_as_rows_do(rows: list[ManifestRow]) -> None:
    rows += [replace(row, file=f"copy_{row.file}") for row in rows[::5]]  # alike but for the file
    chosen = np.random.default_rng(0).permutation(len(rows))[:-7]
    order = RowColumns(rows).order(chosen)
    by_key = sorted(
        range(len(chosen)), key=lambda i: sort_key(rows[chosen[i]], rows[chosen[i]].extra.get("channel", ""))
    )
    assert order.tolist() == by_key


def test_names_alone_are_sorted_by_file() -> None:
    rows = [ManifestRow(f"{name}.npz") for name in "cab"]
    assert RowColumns(rows).order(np.arange(3)).tolist() == [1, 2, 0]


def test_one_column_is_read_without_the_rows(rows: list[ManifestRow], monkeypatch: pytest.MonkeyPatch) -> None:
    columns = RowColumns(rows)
    chosen = ChosenRows[ManifestRow](columns, np.array([50, 3, 4]))
    few = [rows[50], rows[3], rows[4]]
    monkeypatch.setattr(RowColumns, "__getitem__", None)
    assert texts_of(columns, "file") == [row.file for row in rows]
    assert texts_of(chosen, "subject") == [row.subject for row in few]
    assert recordings_of(chosen) == recordings_of(few) == ["a_ch2.npz", "r3.csv", "r4.csv"]


def test_the_first_file_of_a_text_is_named(rows: list[ManifestRow]) -> None:
    assert first_files(rows, "gender") == {"": rows[0].file, "F": "a_ch2.npz"}


def test_repetitions_have_the_keys_of_their_rows(rows: list[ManifestRow]) -> None:
    assert list(Repetitions(RowColumns(rows))) == [repetition_key(row) for row in rows]


def test_channels_stand_in_the_order_of_their_numbers(rows: list[ManifestRow]) -> None:
    orders = ChannelOrders(RowColumns(rows), np.arange(len(rows)))
    key = "r3.csv|2|9"
    for found in (orders, deepcopy(orders)):
        assert found[key] == ("m8", "m7", "m6")
        assert found.get("b.npz", ()) == ()
        assert found.get("nobody", ()) == ()
        assert len(found) == 3 * N_RECORDINGS
    assert key in dict(orders)


def test_a_row_takes_a_tenth_of_a_kilobyte() -> None:
    n = 5000
    tracemalloc.start()
    try:
        columns = RowColumns(stated(i // 6, str(i % 6), 1) for i in range(n))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(columns) == n
    assert held / n < 150
