"""recordings/spelling.py: which texts are spellings of one name, and which are two names."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from semg_hht.errors import InputError
from semg_hht.recordings.spelling import both_spellings, require_one_spelling, spelling_key


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("S1", "s1"),
        ("S1", "S01"),
        ("S001_02", "S1_2"),
        ("S 1", "S1"),
        ("1", "1.0"),
        ("01", "1,0"),
        ("Jos\u00e9", "Jose\u0301"),
        ("\u00e9lev\u00e9", "e\u0301leve\u0301"),
        ("\uff33\uff11", "S1"),
        ("\u0663", "3"),
        ("Zo\u200b\u00eb", "Zo\u00eb"),
        ("Zo\u00eb\ufeff", "Zo\u00eb"),
        ("1\u200b0", "10"),
        ("Anna\u00a0B", "Anna B"),
        ("1\u00a01", "1 1"),
        ("50%", "50 %"),
        ("S1\t", "S1"),
        ("S\u20131", "S-1"),
        ("O\u2019Brien", "O'Brien"),
        ("\u5f20\u4e09\u200b", "\u5f20\u4e09"),
    ],
)
def test_spellings_of_one_name_have_one_key(name: str, other: str) -> None:
    assert spelling_key(name) == spelling_key(other)
    with pytest.raises(InputError, match="subject .* differ only in .*; expected one spelling of one name"):
        require_one_spelling({name: "", other: ""}, "subject")


@pytest.mark.parametrize(
    "names",
    [
        ("1", "10", "100", "2", "20", "-1", "1 1", "11", "0", "0.1"),
        ("1.5", "15", "1.05", "1.51", "5"),
        ("1.1", "1.10", "1.01"),
        ("S-1", "S1", "S_1", "S10"),
        ("1.0.2", "1.2"),
        ("Jos\u00e9", "Jose"),
    ],
)
def test_names_that_differ_otherwise_are_two(names: tuple[str, ...]) -> None:
    require_one_spelling(dict.fromkeys(names, ""), "subject")
    assert len(set(map(spelling_key, names))) == len(names)


@given(st.text(max_size=12))
@example("A\u00b4")  # an accent that stands alone
def test_any_text_has_a_key_that_is_that_of_its_other_forms(name: str) -> None:
    key = spelling_key(name)
    assert spelling_key(key) == key
    assert spelling_key(unicodedata.normalize("NFD", name)) == key
    assert spelling_key(f"\u200b{name} ") == key


def test_the_message_shows_names_that_look_alike_and_their_files() -> None:
    files = {"Jos\u00e9": "a.csv", "Jose\u0301": "b.csv", "S2": "c.csv", "": "d.csv"}
    with pytest.raises(InputError) as caught:
        require_one_spelling(files, "subject")
    assert "subject 'Jose\\u0301' (of b.csv) and 'Jos\u00e9' (of a.csv) differ only in" in str(caught.value)
    assert "write both alike" in str(caught.value)
    assert both_spellings("a", "a\u200b").startswith("'a' and 'a\\u200b' differ only in case, blanks, invisible")
    assert both_spellings("a", "A") == "'a' and 'A' differ only in case"
