"""The texts of reports and of the web page in the chosen language, from ``en.json`` or ``zh.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from semg_hht.errors import InputError
from semg_hht.reports.messages import translated

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Words:
    """Texts of one language, with placeholders for values.

    texts : name -> text; a pair holds the singular and the plural, a dict the texts of a group of names.
    """

    language: str
    texts: dict[str, Any]

    def __call__(self, name: str, /, **values: Any) -> str:
        return str(self.texts[name]).format(**values)

    def counted(self, name: str, n: int) -> str:
        """Return ``1 person`` or ``2 people``."""
        singular, plural = self.texts[name]
        return str(singular if n == 1 else plural).format(n=n)

    def listed(self, items: Iterable[str]) -> str:
        return str(self.texts["comma"]).join(items)

    def known(self, group: str, name: str) -> str:
        """Return the text for a name of the program; any other name, such as a user's class, is returned unchanged."""
        return str(self.texts[group].get(name, name))

    def remark(self, text: str) -> str:
        """Return a remark, warning or error of the program, which is an English sentence."""
        return str(self.texts["notes"].get(text) or translated(text, self.language))

    def joined(self, sentences: Iterable[str]) -> str:
        """Join sentences, with a space between them except in Chinese."""
        return ("" if self.language == "zh" else " ").join(sentences)


def plain_number(value: float) -> str:
    """Three digits, never with an exponent: ``19300``."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def read_words(language: str) -> Words:
    """Read the texts of a language.

    Raises
    ------
    InputError
        There are no texts in this language.
    """
    if language not in LANGUAGES:
        raise InputError(f"language must be one of {', '.join(LANGUAGES)}; got {language!r}")
    text = files("semg_hht.reports").joinpath(f"{language}.json").read_text(encoding="utf-8")
    return Words(language, json.loads(text))
