"""Interfaces for progress of long work, and collection of its warnings. `cli/console.py` has the progress bars."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol


class Track(Protocol):
    """Yield ``items``, of which there are ``total``, and report progress."""

    def __call__(self, items: Iterable[Any], total: int, label: str) -> Iterable[Any]: ...


def untracked(items: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """A `Track` without a report."""
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
    """Collect the library's warnings during the block, each once, instead of logging them again for each fold."""
    texts: list[str] = []
    collector = logging.Handler(logging.WARNING)
    collector.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]
    library = logging.getLogger("semg_hht")
    before = library.handlers, library.propagate
    library.handlers, library.propagate = [collector], False
    try:
        yield texts
    finally:
        library.handlers, library.propagate = before
        texts[:] = dict.fromkeys(texts)
