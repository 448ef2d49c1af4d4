"""Spellings of one name, such as `S1` and `S01`, or a letter with an accent stored as one character or two.

It works on text. It does not know what the names are names of.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from semg_hht.errors import InputError

_MINUS = "\u2212"
_APOSTROPHES = "\u2018\u2019\u02bc\u02b9"  # a word processor writes them for '
# A joiner, fillers of Hangul, the empty Braille cell and variation selectors: no category of Unicode says "invisible".
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u2800\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def spelling_key(name: str) -> str:
    """The same text for all spellings of a name.

    Spellings may differ in case, in white space, in characters that can't be seen, in composed or decomposed letters,
    in full-width letters and digits, in the kind of a dash or an apostrophe, in zeros before a number and in ``.0``
    after it. White space between two digits stays, since ``1 1`` is not ``11``.
    """
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", name))
    text = unicodedata.normalize("NFKC", "".join(map(_plain, text)).casefold())
    text = re.sub(r"(?<!\d) | (?!\d)", "", re.sub(" +", " ", text))
    text = re.sub(r"(?<![\d.,])0+(?=\d)", "", text)
    text = re.sub(r"(?<![\d.,])(\d+)[.,]0+(?![\d.,])", r"\1", text)
    return unicodedata.normalize("NFKC", text)  # an accent of its own is a blank and an accent that joins a letter


def _plain(character: str) -> str:
    kind = unicodedata.category(character)
    if character.isspace() or kind in ("Zs", "Zl", "Zp"):
        return " "
    if kind in ("Cc", "Cf"):
        return ""
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    if kind == "Pd" or character == _MINUS:
        return "-"
    return "'" if character in _APOSTROPHES else character


def require_one_spelling(files: Mapping[str, str], what: str) -> None:
    """Require that no two names are spellings of one name.

    Parameters
    ----------
    files : name -> a file that states it, for the message; empty: not known.
    what : what the names are, such as ``subject``.

    Raises
    ------
    InputError
        Two names are spellings of one; the text shows both, with codes for characters that look alike.
    """
    by_key: dict[str, str] = {}
    for name in sorted(filter(None, files)):
        other = by_key.setdefault(spelling_key(name), name)
        if other != name:
            raise InputError(
                f"{what} {both_spellings(other, name, files)}; expected one spelling of one name: "
                "write both alike (two different names must differ in more)"
            )


def both_spellings(name: str, other: str, files: Mapping[str, str] | None = None) -> str:
    """``'S1' (of a.csv) and 'S01' (of b.csv) differ only in ...``."""
    shown = [repr(name), repr(other)]
    if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other):
        shown = [_with_codes(name), _with_codes(other)]
    stated = [(files or {}).get(of, "") for of in (name, other)]
    first, second = (f"{text} (of {file})" if file else text for text, file in zip(shown, stated, strict=True))
    case_alone = name.casefold() == other.casefold()
    how = "case" if case_alone else "case, blanks, invisible characters, forms of letters or zeros of numbers"
    return f"{first} and {second} differ only in {how}"


def _with_codes(name: str) -> str:
    """As repr, which shows the codes of invisible characters, with the codes of accents that are characters too."""
    marks = {c: f"\\u{ord(c):04x}" for c in name if unicodedata.combining(c)}
    return "".join(marks.get(c, c) for c in repr(name))
