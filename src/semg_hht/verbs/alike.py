"""Put sentences of one kind together, so that each kind is one line.

It works on texts. It knows neither the terminal nor what the sentences are about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from semg_hht.reports.messages import named_in

MAX_NAMED = 3  # files, and further names, that the line of a kind states


@dataclass(frozen=True)
class Alike:
    """Sentences of one kind: the first one, and the files of all, each once.

    is_same : whether the numbers of all sentences are equal.
    others : further names, such as channels, that other sentences have in the place of that of the first.
    """

    text: str
    files: tuple[str, ...]
    is_same: bool
    others: tuple[str, ...] = ()

    @property
    def hides(self) -> bool:
        """Whether `line` leaves out a file, a name or a number."""
        return len(self.files) > MAX_NAMED or len(self.others) > MAX_NAMED or not self.is_same

    def line(self) -> str:
        """``a.csv: text``, or ``12 files (a.csv, b.csv, c.csv, ...): text``."""
        likewise = f"; likewise {_first(self.others)}" if self.others else ""
        if len(self.files) == 1:
            more = "" if self.is_same else " (and the like)"
            return f"{self.files[0]}: {self.text}{more}{likewise}"
        numbers = "" if self.is_same else f" (numbers of {self.files[0]})"
        return f"{len(self.files)} files ({_first(self.files)}): {self.text}{numbers}{likewise}"


def _first(names: tuple[str, ...]) -> str:
    return ", ".join(names[:MAX_NAMED]) + ", ..." * (len(names) > MAX_NAMED)


def alike(told: Iterable[tuple[str, str]]) -> list[Alike]:
    """Pairs (file, sentence) by kind, in order of the first of each kind.

    Two sentences are of one kind if they differ in numbers alone, or in a name such as that of a channel. A sentence
    may begin with the path of its file, which is left out.
    """
    kinds: dict[str, list[tuple[str, str, str, str]]] = {}
    for file, sentence in told:
        text = without_file(file, sentence)
        rest, name = named_in(text)
        kinds.setdefault(re.sub(r"-?\d+(?:\.\d+)?", "#", rest), []).append((file, text, rest, name))
    return [_joined(of_kind) for of_kind in kinds.values()]


def _joined(of_kind: list[tuple[str, str, str, str]]) -> Alike:
    files, texts, rests, names = (tuple(dict.fromkeys(column)) for column in zip(*of_kind, strict=True))
    return Alike(texts[0], files, len(rests) == 1, names[1:])


def without_file(file: str, sentence: str) -> str:
    """The sentence without the path of its file at its start; as it is where it begins otherwise."""
    start, found, rest = sentence.partition(f"{file}: ")
    return rest if found and rest and start[-1:] in ("", "/", "\\") else sentence
