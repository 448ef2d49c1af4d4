"""recordings/events.py: tables of events and clicks."""

from __future__ import annotations

from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.recordings.events import Event, read_events


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start_s;stop_s;label\n1;2;full\n", [Event(1, 2, "full")]),
        ("start;end\n1,5;3,0\n", [Event(1.5, 3.0, "")]),
        ("0.5,1.5\n3,4\n", [Event(0.5, 1.5, ""), Event(3, 4, "")]),
        ("# clicks\n1\n4\n", [Event(1, 4, "", True), Event(4, 10, "", True)]),
        ("\ufeffonset\tduration\n2\t3\n", [Event(2, 5, "")]),
    ],
)
def test_tables_of_events(tmp_path: Path, text: str, expected: list[Event]) -> None:
    path = tmp_path / "events.tsv"
    path.write_text(text, encoding="utf-8")
    assert read_events(path, duration_s=10.0) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": expected one line per event; found none"),
        ("onset\tduration\n", ": expected one line per event; found only a header"),
        ("click\n", ": expected one line per event; found only a header"),
        ("onset\tlabel\n1\tfull\n", ": expected a column 'duration' or 'stop_s' beside the start; found onset, label"),
        ("onset\tduration\n1\tsoon\n", ", line 2: expected a time in seconds; found 'soon'"),
        ("1,2\n3,nan\n", ", line 2: expected a time in seconds; found 'nan'"),
        ("1,2\n3\n", ", line 2: expected a time in seconds; found ''"),
        ("8,12\n", ": an event from 8 s to 12 s does not lie within the recording of 10 s"),
        ("3,2\n", ": an event from 3 s to 2 s does not lie"),
        ("x" * 200_000, ": expected a table of events; field larger than field limit"),
    ],
)
def test_a_wrong_table_is_an_error_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "events.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"events\.tsv{message}"):
        read_events(path, duration_s=10.0)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tsv: no such file"):
        read_events(tmp_path / "none.tsv", 10.0)


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"onset\tduration\n\xff\t1\n")
    with pytest.raises(InputError, match=r"a\.tsv: can't be read as a table of events in UTF-8"):
        read_events(tmp_path / "a.tsv", 10.0)
