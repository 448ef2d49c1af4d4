"""recordings/formats/readers.py: the reader of each suffix."""

from __future__ import annotations

from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.recordings.formats.readers import READERS, reader_of


def test_a_suffix_in_capital_letters_has_the_same_reader() -> None:
    assert reader_of(Path("S01.EDF")) is READERS[".edf"]


@pytest.mark.parametrize("name", ["S01.docx", "S01"])
def test_a_suffix_without_a_reader_lists_those_that_have_one(name: str) -> None:
    with pytest.raises(InputError, match=r"recordings are read from \.csv, .*; found"):
        reader_of(Path(name))
