"""Tell Windows-1252, of Western languages, from GB18030, of Chinese, by the bytes of a text that is not UTF-8.

Both give every letter of ASCII the same byte, and digits and separators are ASCII, so that a wrong guess changes names
but no numbers. It does not know files.
"""

from __future__ import annotations

import re

CHINESE, WESTERN = "gb18030", "cp1252"

_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_SINGLE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
_NOT_WESTERN = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # bytes that Windows-1252 does not use
# Letters with accents side by side: small ones as in größe, contração, riñón, pää; of the pairs of capitals, each of
# which is a common Chinese character too, only those that words have.
_SMALL_LETTERS = re.compile(rb"[\xdf-\xf6\xf8-\xfe]+")
_CAPITAL_PAIRS = frozenset("ÇÃ ÇÕ ÑÁ ÑÉ ÑÍ ÑÓ ÑÚ ÄÄ ÉÉ Äß Öß Üß".encode(WESTERN).split())
_MIN_CHINESE = 4  # bytes in a row; no word of a Western language has so many letters with accents side by side


def legacy_encoding(text: bytes) -> str:
    """``gb18030`` or ``cp1252``: what a text that is not UTF-8 is most likely in.

    Most Chinese characters are two high bytes, and words of two characters four in a row. Letters with accents stand
    alone between letters of ASCII, or are two that words do have side by side.
    """
    if _NOT_WESTERN.search(text):
        return CHINESE
    longer = [match for match in _HIGH_BYTES.finditer(text) if len(match[0]) > 1]
    if any(len(match[0]) >= _MIN_CHINESE for match in longer):
        return CHINESE
    has_single = _SINGLE.search(text) is not None
    return WESTERN if has_single or (longer and all(map(_is_in_a_word, longer))) else CHINESE


def _is_in_a_word(match: re.Match[bytes]) -> bool:
    """Whether two or three high bytes are letters of a Western word, by the bytes beside them."""
    run, text = match[0], match.string
    before, after = text[max(match.start() - 1, 0) : match.start()], text[match.end() : match.end() + 1]
    if run in _CAPITAL_PAIRS:
        return before.isupper() and (after.isupper() or not after.isalpha())
    return bool(_SMALL_LETTERS.fullmatch(run)) and (before.isalpha() or after.islower())
