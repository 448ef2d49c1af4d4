"""Numbers that somebody typed as text: with a decimal comma, with a separator of thousands, with a typographic minus.

It works on cells. It does not know files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPACED = re.compile(r"([+-]?\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+)((?:[.,]\d+)?)")
_NUMBER = re.compile(r"([+-]?)(\d[\d.,]*|[.,]\d+)((?:[eE][+-]?\d+)?)")
_UNCLEAR = "?"
_GROUPS = {mark: re.compile(rf"[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+") for mark in ".,"}


def is_number(cell: str) -> bool:
    """Whether a cell is a number, whatever its separators mean."""
    return _NUMBER.fullmatch(_without_spaces(cell)) is not None


def decimal_separator(cells: Iterable[str]) -> str:
    """``.`` or ``,``: what separates decimals in all these cells, of which some may separate thousands too.

    Cells that are not numbers are ignored.

    Raises
    ------
    ValueError
        Some cells have one separator and some the other, or no cell tells decimals from thousands; the message names
        two cells or one.
    """
    told: dict[str, str] = {}  # separator -> a cell that tells it
    for cell in cells:
        told.setdefault(_told(cell), cell)
    if "." in told and "," in told:
        raise ValueError(f"found {told['.']!r} and {told[',']!r}, expected one decimal separator")
    if _UNCLEAR in told and not told.keys() & {".", ","}:
        raise ValueError(_unclear_text(told[_UNCLEAR]))
    return "," if "," in told else "."


def require_decimal_comma(cells: Iterable[str]) -> None:
    """Stop at the first cell whose comma can't separate thousands.

    Raises
    ------
    ValueError
        There is none, and some cell's comma may separate decimals or thousands.
    """
    unclear = ""
    for cell in cells:
        told = _told(cell)
        if told == ",":
            return
        unclear = unclear or (cell if told == _UNCLEAR else "")
    if unclear:
        raise ValueError(_unclear_text(unclear))


def _told(cell: str) -> str:
    """The decimal separator by one cell alone; `_UNCLEAR`: its only mark may separate thousands; empty: no number."""
    number = _NUMBER.fullmatch(_without_spaces(cell))
    marks = [mark for mark in (number[2] if number else "") if mark in ".,"]
    if number is None or not marks:
        return ""
    if len(marks) == 1:
        return _UNCLEAR if _GROUPS[marks[0]].fullmatch(number[2]) and not number[3] else marks[0]
    if len(set(marks)) == 1:
        return {",": ".", ".": ","}[marks[0]] if _GROUPS[marks[0]].fullmatch(number[2]) else ""
    whole, _, decimals = number[2].rpartition(marks[-1])
    return marks[-1] if decimals.isdigit() and _GROUPS[marks[0]].fullmatch(whole) else ""


def _unclear_text(cell: str) -> str:
    plain, point = re.sub("[.,]", "", cell), cell.replace(",", ".")
    return f"found {cell!r}, which may be {plain} or {point}; expected numbers without thousands marks"


def with_decimal_point(cell: str, decimal: str) -> str:
    """The number of a cell with a decimal point and without marks of thousands; a cell of other text as it is."""
    number = _NUMBER.fullmatch(_without_spaces(cell))
    if number is None:
        return cell
    sign, body, exponent = number.groups()
    thousands = "," if decimal == "." else "."
    whole, mark, decimals = body.partition(decimal)
    if thousands in whole and _GROUPS[thousands].fullmatch(whole):
        whole = whole.replace(thousands, "")
    if not (whole + decimals).isdigit():
        return cell
    return f"{sign}{whole}{'.' if mark else ''}{decimals}{exponent}"


def _without_spaces(cell: str) -> str:
    text = cell.strip().replace("\u2212", "-")
    spaced = _SPACED.fullmatch(text)
    return re.sub(r"[^\d+-]", "", spaced[1]) + spaced[2] if spaced else text
