"""Put sentences of one kind together, so that each kind is one line.

It works on texts. It knows neither the terminal nor what the sentences are about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_NAMED = 3  # files that the line of a kind names


@dataclass(frozen=True)
class Alike:
    """Sentences of one kind: the first one, and the files of all, each once.

    is_same : whether all sentences are equal; otherwise they differ in numbers.
    """

    text: str
    files: tuple[str, ...]
    is_same: bool

    @property
    def hides(self) -> bool:
        """Whether `line` leaves out a file or a number."""
        return len(self.files) > MAX_NAMED or not self.is_same

    def line(self) -> str:
        """``a.csv: text``, or ``12 files (a.csv, b.csv, c.csv, ...): text``."""
        if len(self.files) == 1:
            more = "" if self.is_same else " (and the like)"
            return f"{self.files[0]}: {self.text}{more}"
        dots = ", ..." if len(self.files) > MAX_NAMED else ""
        numbers = "" if self.is_same else f" (numbers of {self.files[0]})"
        return f"{len(self.files)} files ({', '.join(self.files[:MAX_NAMED])}{dots}): {self.text}{numbers}"


def alike(told: Iterable[tuple[str, str]]) -> list[Alike]:
    """Pairs (file, sentence) by kind, in order of the first of each kind.

    Two sentences are of one kind if they differ in numbers alone. A sentence may begin with the path of its file,
    which is left out.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for file, sentence in told:
        text = without_file(file, sentence)
        kinds.setdefault(re.sub(r"\d+(?:\.\d+)?", "#", text), []).append((file, text))
    return [
        Alike(of_kind[0][1], tuple(dict.fromkeys(file for file, _ in of_kind)), len({text for _, text in of_kind}) == 1)
        for of_kind in kinds.values()
    ]


def without_file(file: str, sentence: str) -> str:
    """The sentence without the path of its file at its start; as it is where it begins otherwise."""
    start, found, rest = sentence.partition(f"{file}: ")
    return rest if found and rest and start[-1:] in ("", "/", "\\") else sentence
