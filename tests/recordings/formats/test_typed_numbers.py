"""Numbers typed as text: which separator is which, and the number without them."""

from __future__ import annotations

import pytest

from semg_hht.recordings.formats.typed_numbers import decimal_separator, with_decimal_point


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["0,5", "-12,25"], ","),
        (["1.234,5", "1.234"], ","),
        (["0,123", "1,234"], ","),
        (["1,5E-3"], ","),
        (["1.234.567"], ","),
        (["0.5"], "."),
        (["1,234.5", "1,234"], "."),
        (["1,234,567"], "."),
        ([",5"], ","),
        (["1 234,5"], ","),
        (["12", "EMG 1,5", "12.03.2024", "2024", "a.b", ""], "."),
    ],
)
def test_the_decimal_separator_of_a_sheet(cells: list[str], decimal: str) -> None:
    assert decimal_separator(cells) == decimal


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["0,5", "0.5"], "found '0.5' and '0,5', expected one decimal separator"),
        (["1,234", "12"], "found '1,234', which may be 1234 or 1.234; expected numbers without thousands marks"),
        (["-2.345"], "found '-2.345', which may be -2345 or -2.345"),
    ],
)
def test_what_can_not_be_told_is_refused(cells: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decimal_separator(cells)


@pytest.mark.parametrize(
    ("cell", "decimal", "plain"),
    [
        ("-1.234,5", ",", "-1234.5"),
        ("1.234", ",", "1234"),
        ("0,5", ",", "0.5"),
        ("1,234", ".", "1234"),
        ("12,34,567.8", ".", "12,34,567.8"),
        ("1 234,5", ",", "1234.5"),
        ("1\u202f234", ".", "1234"),
        ("1'234.5", ".", "1234.5"),
        ("\u22120.5", ".", "-0.5"),
        ("1,5e-3", ",", "1.5e-3"),
        (",5", ",", ".5"),
        ("12.03.2024", ".", "12.03.2024"),
        ("0.5", ",", "0.5"),
        ("0,5", ".", "0,5"),
        ("0.5 mV", ".", "0.5 mV"),
    ],
)
def test_a_number_without_its_marks(cell: str, decimal: str, plain: str) -> None:
    assert with_decimal_point(cell, decimal) == plain
