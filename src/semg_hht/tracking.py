"""How long work reports that it goes on: anything that passes items through and may show a bar.

Knows nothing of who watches; the command line's bar is in console.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class Track(Protocol):
    """Pass ``items`` through; there are ``total`` of them."""

    def __call__(self, items: Iterable[Any], total: int, label: str) -> Iterable[Any]: ...


def untracked(items: Iterable[Any], total: int, label: str) -> Iterable[Any]:
    """Nobody watches."""
    return items
