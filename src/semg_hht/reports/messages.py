"""Messages of the program in another language: remarks, warnings and errors are English sentences made from templates.

``messages_zh.json`` maps each English template to Chinese. The command line and JSON stay English. Where a template
names a setting (``whole=True``), ``messages_page.json`` has what a reader of the page or a card is told, in each
language.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

PAGE = "page_"  # before a language: the catalogue of the page
MAX_LENGTH = 2000  # of a message that is translated; a longer one holds a whole list
MAX_SEPARATORS = 16  # in it; names of files and channels may hold many
FILE_SEPARATOR, SENTENCE_SEPARATOR = ": ", "; "
# Holes that hold sentences or lists of anything. In the others, which hold a name or a number, nothing is separated.
NAME_HOLES = {"name", "names", "channel"}
GAP = "\N{HORIZONTAL ELLIPSIS}"
OPEN_HOLES = {"start", "what", "reason", "how", "found", "names", "kinds", "others", "given", "spellings", "listed"}


@dataclass(frozen=True)
class Template:
    """A sentence with holes: its fixed parts, the names of the holes between them, and the sentence in the language."""

    parts: tuple[str, ...]
    holes: tuple[str, ...]
    text: str

    @property
    def order(self) -> tuple[bool, int]:
        """A clause at the end of any sentence comes first, then the longest fixed text."""
        return not self.is_clause, -sum(map(len, self.parts))

    @property
    def is_clause(self) -> bool:
        """Whether it is a clause at the end of a sentence, which the hole ``start`` holds."""
        return self.holes[:1] == ("start",)

    def values(self, message: str) -> dict[str, str] | None:
        """What stands in the holes of ``message``; None where it is no such sentence."""
        first, *middle = self.parts
        if not middle:
            return {} if message == first else None
        *middle, last = middle
        if not (message.startswith(first) and message.endswith(last)):
            return None
        at, stop = len(first), len(message) - len(last)
        found: list[str] = []
        # Holes may hold anything, so the first place of each part will do; the last one for a clause at the end.
        for part in reversed(middle) if self.is_clause else middle:
            place = message.rfind(part, at, stop) if self.is_clause else message.find(part, at, stop)
            if place < 0:
                return None
            if self.is_clause:
                found.insert(0, message[place + len(part) : stop])
                stop = place
            else:
                found.append(message[at:place])
                at = place + len(part)
        if at > stop:
            return None
        found.insert(0 if self.is_clause else len(found), message[at:stop])
        values = dict(zip(self.holes, found, strict=True))
        return values if all(hole in OPEN_HOLES or _is_plain(value) for hole, value in values.items()) else None


def _is_plain(value: str) -> bool:
    return bool(value) and FILE_SEPARATOR not in value and SENTENCE_SEPARATOR not in value


def translated(message: str, language: str) -> str:
    """Return a message of the program in a language; English where the catalogue has no template for it.

    What stands in the holes, such as a second sentence, is translated too where it is known.
    """
    n_separators = message.count(FILE_SEPARATOR) + message.count(SENTENCE_SEPARATOR)
    if language == "en" or len(message) > MAX_LENGTH or n_separators > MAX_SEPARATORS:
        return message
    return _translated(message, language) or message


def told(message: str, language: str) -> str:
    """`translated`, for a reader who has no settings to change: of the page, or of a card."""
    n_separators = message.count(FILE_SEPARATOR) + message.count(SENTENCE_SEPARATOR)
    if len(message) > MAX_LENGTH or n_separators > MAX_SEPARATORS:
        return message
    return _translated(message, f"{PAGE}{language}") or message


def named_in(message: str) -> tuple[str, str]:
    """A message with a gap where it names a channel, a label or the like, and that name; empty where it names none."""
    template = _naming(re.sub(r"\d", "0", message))
    values = None if template is None else template.values(message)
    if template is None or values is None:
        return message, ""
    hole = next(hole for hole in template.holes if hole in NAME_HOLES)
    filled = [values[one] if one != hole else GAP for one in template.holes]
    pieces = [text for pair in zip(template.parts, [*filled, ""], strict=True) for text in pair]
    return "".join(pieces), values[hole]


@lru_cache(maxsize=4096)
def _naming(message: str) -> Template | None:
    """The template of a message, if it has a hole for a name; digits of the message don't matter."""
    for template in catalogue("zh"):
        if not template.is_clause and template.values(message) is not None:
            return template if NAME_HOLES & set(template.holes) else None
    return None


@cache
def catalogue(name: str) -> tuple[Template, ...]:
    """The templates of a language, or of ``page_`` and a language, in the order in which they are tried."""
    language = name.removeprefix(PAGE)
    content = {} if language == "en" else _read(f"messages_{language}.json")
    if name != language:
        content |= {english: texts[language] for english, texts in _read("messages_page.json").items()}
    return tuple(sorted((_template(*pair) for pair in content.items()), key=lambda template: template.order))


def _read(file: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files("semg_hht.reports").joinpath(file).read_text(encoding="utf-8"))
    return content


def _template(english: str, text: str) -> Template:
    pieces = [(part, hole) for part, hole, _, _ in string.Formatter().parse(english)]
    parts, holes = [part for part, _ in pieces], [hole for _, hole in pieces if hole is not None]
    return Template(tuple(parts) if len(parts) > len(holes) else (*parts, ""), tuple(holes), text)


@lru_cache(maxsize=4096)
def _translated(message: str, language: str) -> str | None:
    """The message in the language; None where it is unknown."""
    for template in catalogue(language):
        values = template.values(message)
        if values is not None:
            return template.text.format(**{hole: _told(value, language) for hole, value in values.items()})
    is_english = language.endswith("en")  # then only some sentences are told otherwise
    for start, rest in _divided(message, SENTENCE_SEPARATOR):
        known = _translated(start, language), _translated(rest, language)
        if is_english and any(known):
            return f"{known[0] or start}{SENTENCE_SEPARATOR}{known[1] or rest}"
        if known[0] and known[1]:
            return f"{known[0]}；{known[1]}"
    for start, rest in _divided(message, FILE_SEPARATOR):
        if sentence := _translated(rest, language):
            return f"{_told(start, language)}{FILE_SEPARATOR if is_english else '：'}{sentence}"
    return None


def _divided(message: str, separator: str) -> Iterator[tuple[str, str]]:
    """The message divided in two at each separator."""
    pieces = message.split(separator)
    for i in range(1, len(pieces)):
        yield separator.join(pieces[:i]), separator.join(pieces[i:])


def _told(value: str, language: str) -> str:
    return _translated(value, language) or value
