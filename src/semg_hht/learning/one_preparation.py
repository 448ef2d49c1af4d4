"""Whether the matrices of a data set were prepared alike. It knows settings and names, and does not know values."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from semg_hht.errors import InputError
from semg_hht.recordings.units import STATE_UNITS, mixed_units

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedAs:
    """How the matrix of a file was prepared; ``settings`` is None for a matrix of another tool."""

    file: str
    settings: dict[str, Any] | None
    n_planes: int
    channel: str


def require_one_preparation(matrices: Iterable[PreparedAs]) -> None:
    """Require the settings and the channels of the first matrix in all others.

    Raises
    ------
    InputError
        A matrix has other settings, another number of planes, or planes of other channels.
    """
    first: PreparedAs | None = None
    for item in matrices:
        first = first or item
        if item.settings != first.settings:
            raise InputError(
                f"{item.file} and {first.file} were prepared with different settings "
                f"({_difference(item.settings, first.settings)}); expected one preparation for all"
            )
        if item.n_planes != first.n_planes:
            raise InputError(
                f"{item.file} has {item.n_planes} channels, {first.file} has {first.n_planes}; "
                "expected the same number in every stacked example"
            )
        if first.n_planes > 1 and item.channel != first.channel:
            raise InputError(
                f"{item.file} stacks channels {item.channel}, {first.file} {first.channel}; "
                "expected the same channels in the same order"
            )


def warn_of_mixed_units(units: Mapping[str, str]) -> None:
    """Warn if recordings, name -> unit, have units that can't be compared."""
    mixed = mixed_units(dict(units))
    if mixed:
        log.warning("%s; %s", mixed, STATE_UNITS)


def _difference(a: dict[str, Any] | None, b: dict[str, Any] | None) -> str:
    if a is None or b is None:
        return "one by this project, one by another tool"
    return "; ".join(f"{key}: {a.get(key)} and {b.get(key)}" for key in sorted({*a, *b}) if a.get(key) != b.get(key))
