"""How long work reports that it goes on, and what it warns of, when it is done many times over.

Knows nothing of who watches; the command line's bar is in console.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol


class Track(Protocol):
    """Pass ``items`` through; there are ``total`` of them."""

    def __call__(self, items: Iterable[Any], total: int, label: str) -> Iterable[Any]: ...


def untracked(items: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """Nobody watches."""
    return items


@dataclass(frozen=True)
class TrainingProgress:
    """What is called while a network trains.

    on_start : number of steps done and of all steps; once, before the first step.
    on_step : after each step.
    on_epoch : the `semg_hht.learning.epochs.Epoch` that just ended.
    """

    on_start: Callable[[int, int], None] = lambda n_done, n_total: None
    on_step: Callable[[], None] = lambda: None
    on_epoch: Callable[[Any], None] = lambda epoch: None


@contextmanager
def kept_warnings() -> Iterator[list[str]]:
    """What the library warns of meanwhile, each once; kept instead of said, for work that is done many times over."""
    found: list[str] = []
    keep = logging.Handler(logging.WARNING)
    keep.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    ours = logging.getLogger("semg_hht")
    before = ours.handlers, ours.propagate
    ours.handlers, ours.propagate = [keep], False
    try:
        yield found
    finally:
        ours.handlers, ours.propagate = before
        found[:] = dict.fromkeys(found)
