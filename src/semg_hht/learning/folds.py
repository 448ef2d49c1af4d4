"""Folds of a cross-validation: each person held out once, groups of people, or random repetitions.

Random repetitions share people between the parts; their optimistic score is reported for comparison. The module knows
subjects and labels, and does not know matrices or networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import PROTOCOLS
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.split import MIN_PEOPLE, Split, divide


@dataclass(frozen=True)
class Fold:
    """One division of the data; ``held_out`` names the people who are scored."""

    number: int
    held_out: tuple[str, ...]
    split: Split


def make_folds(dataset: Dataset, protocol: str, n_folds: int, validation_size: float, seed: int) -> list[Fold]:
    """The folds of a protocol: ``loso`` holds out each subject alone, ``grouped`` holds out ``n_folds`` groups of
    subjects, ``random`` holds out ``n_folds`` parts of the repetitions of all subjects.

    In each fold, people (or repetitions) are set aside for choosing the epoch and for calibration, as in training.

    Raises
    ------
    InputError
        An unknown protocol, unknown subjects, or too few subjects.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol {protocol!r} is unknown; expected one of {', '.join(PROTOCOLS)}")
    by_subject = protocol != "random"
    groups = np.array(dataset.subjects if by_subject else dataset.repetitions)
    if by_subject and "" in set(groups):
        raise InputError(
            f"protocol {protocol} holds people out, but the subject of {dataset.rows[list(groups).index('')].file} is "
            "not known; a manifest.csv with a column 'subject' says it"
        )
    names = sorted(set(groups))
    if len(names) < MIN_PEOPLE:
        kind = "subjects" if by_subject else "repetitions"
        raise InputError(f"protocol {protocol} needs at least {MIN_PEOPLE} {kind}; found {len(names)}")
    if protocol == "loso":
        parts = [[name] for name in names]
    else:
        if not 2 <= n_folds <= len(names):
            raise InputError(f"expected 2 to {len(names)} folds for {len(names)} groups; got {n_folds}")
        parts = _even_parts(dataset, groups, names, n_folds, seed)
    folds = []
    for number, part in enumerate(parts, start=1):
        aside = np.isin(groups, part)
        test, rest = np.flatnonzero(aside), np.flatnonzero(~aside)
        train, validation = divide(rest, groups, dataset, validation_size, seed + number)
        by = "subject" if by_subject else "repetition"
        folds.append(Fold(number, tuple(part) if by_subject else (), Split(train, validation, test, by)))
    return folds


def _even_parts(
    dataset: Dataset, groups: NDArray[np.str_], names: list[str], n_folds: int, seed: int
) -> list[list[str]]:
    """Divide groups into ``n_folds`` parts of similar size and similar class proportions."""
    parts = []
    left: Indices = np.arange(len(dataset))
    for remaining in range(n_folds, 1, -1):
        rest, part = divide(left, groups, dataset, 1 / remaining, seed + remaining, n_kept=remaining - 1)
        parts.append(sorted(set(groups[part])))
        left = rest
    parts.append(sorted(set(groups[left])))
    return parts
