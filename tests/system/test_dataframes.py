"""system/dataframes.py: tables for Python."""

from __future__ import annotations

import sys

import pytest

from semg_hht.errors import InputError
from semg_hht.system.dataframes import dataframe, html_table


def test_a_table_is_a_dataframe_where_pandas_is_installed() -> None:
    pytest.importorskip("pandas")
    table = dataframe(("a", "b"), [(1, "x"), (2, "y")])
    assert list(table.columns) == ["a", "b"]
    assert table["a"].tolist() == [1, 2]


def test_without_pandas_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="a DataFrame needs pandas: pip install pandas; without it, loop over"):
        dataframe(("a",), [(1,)])


def test_html_escapes_cells_leaves_out_empty_columns_and_counts_further_rows() -> None:
    page = html_table(("a", "b", "empty"), [(1.23456789, "<x>", None)] * 22, "two & twenty")
    assert "<th>a</th><th>b</th></tr>" in page
    assert "<td>1.23457</td><td>&lt;x&gt;</td>" in page
    assert page.startswith("<p>two &amp; twenty</p>") and page.endswith("<p>and 2 more rows</p>")
