"""datasets/rows_table.py: rows of a manifest as a table in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from semg_hht.datasets.rows_table import RowsTable
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import ManifestRow

ROWS = (
    ManifestRow("a.csv", repetition="1", start_s=0.5, stop_s=1.0, channels=("x", "y"), extra={"rms": "2.5"}),
    ManifestRow("a.csv", repetition="2", start_s=1.5, extra={"rms": "", "by": "me"}),
)
TABLE = RowsTable(ROWS, (Job(Path("a.csv"), ROWS),))


def test_it_is_a_sequence_of_rows() -> None:
    assert (len(TABLE), list(TABLE), TABLE[-1]) == (2, list(ROWS), ROWS[1])
    assert "2 repetitions of 1 recording<" in TABLE._repr_html_()
    assert repr(TABLE) == "<RowsTable: 2 repetitions of 1 recording>"


def test_it_becomes_a_dataframe_with_numbers() -> None:
    pytest.importorskip("pandas")
    table = TABLE.to_dataframe()
    assert table["channels"].tolist() == ["x;y", ""]
    assert table["start_s"].tolist() == [0.5, 1.5]
    assert table["rms"][0] == 2.5 and table["by"][1] == "me"
