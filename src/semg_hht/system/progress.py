"""How long work reports that it goes on, and what it warns of, when it is done many times over.

Knows nothing of who watches; the command line's bar is in console.py.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol


class Track(Protocol):
    """Pass ``items`` through; there are ``total`` of them."""

    def __call__(self, items: Iterable[Any], total: int, label: str) -> Iterable[Any]: ...


def untracked(items: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """Nobody watches."""
    return items


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
