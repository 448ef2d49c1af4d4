"""The sentences of a page, in the language that was asked for.

Knows ``en.json`` and ``zh.json`` beside it: nothing of what the sentences tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from semg_hht.errors import InputError

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Words:
    """Sentences with places for values.

    texts : name -> sentence; a pair holds the singular and the plural.
    """

    language: str
    texts: dict[str, Any]

    def __call__(self, name: str, /, **values: Any) -> str:
        return str(self.texts[name]).format(**values)

    def counted(self, name: str, n: int) -> str:
        """``1 person``, ``2 people``."""
        one, many = self.texts[name]
        return str(one if n == 1 else many).format(n=n)

    def listed(self, items: Iterable[str]) -> str:
        return str(self.texts["comma"]).join(items)

    def known(self, group: str, name: str) -> str:
        """The word for a name of ours; a name of the user's stays as it is."""
        return str(self.texts[group].get(name, name))

    def joined(self, sentences: Iterable[str]) -> str:
        """Sentences side by side; Chinese leaves no space between them."""
        return ("" if self.language == "zh" else " ").join(sentences)


def read_words(language: str) -> Words:
    """The sentences of a language.

    Raises
    ------
    InputError
        A language there are no sentences of.
    """
    if language not in LANGUAGES:
        raise InputError(f"--lang must be one of {', '.join(LANGUAGES)}; got {language!r}")
    text = files("semg_hht.report").joinpath(f"{language}.json").read_text(encoding="utf-8")
    return Words(language, json.loads(text))
