"""Split data into training, validation and test part, by people and never within a person.

The validation part chooses the best epoch, and the test part gives the final score. The module knows subjects and
labels, and does not know matrices or networks or import torch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.learning.columns import chosen_of
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.dataset_rows import texts_of
from semg_hht.recordings.manifest import LABEL_COLUMN, TASKS

log = logging.getLogger(__name__)

MIN_PEOPLE = 3  # one to train on, one to choose the epoch, one to score


@dataclass(frozen=True)
class Split:
    """Indices into a dataset: examples to train on, to choose the best epoch, and for the final score."""

    train: Indices
    validation: Indices
    test: Indices
    by: str  # "subject" or "repetition"
    notes: tuple[str, ...] = ()

    def among(self, chosen: Indices) -> Split:
        """The same split restricted to ``chosen`` examples; its indices count those."""
        sides = (np.flatnonzero(np.isin(chosen, side)) for side in (self.train, self.validation, self.test))
        train, validation, test = sides
        return Split(train, validation, test, self.by, self.notes)

    def to_json(self, dataset: Dataset) -> dict[str, Any]:
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            "by": self.by,
            "notes": list(self.notes),
            **{
                side: {
                    "subjects": sorted(set(texts_of(chosen_of(dataset.rows, indices), "subject"))),
                    "files": sorted(set(texts_of(chosen_of(dataset.rows, indices), "file"))),
                }
                for side, indices in sides.items()
            },
        }


def warn_of_few_people(dataset: Dataset, tasks: Iterable[str]) -> None:
    """Warn of classes that one or two people alone show, as `check` does."""
    if len(set(dataset.subjects)) < 2 or "" in dataset.subjects:
        return  # the split is by repetition, with a warning of its own
    for task in tasks:
        people: dict[str, set[str]] = {}
        for label, subject in zip(dataset.labels(task), dataset.subjects, strict=True):
            if label:
                people.setdefault(label, set()).add(subject)
        few = [f"{name} is of {' and '.join(sorted(who))}" for name, who in people.items() if len(who) < MIN_PEOPLE]
        if few:
            log.warning(
                "%s: %s alone; a class of fewer than %d people can't be trained, tuned and scored on different people",
                LABEL_COLUMN[task], ", ".join(few), MIN_PEOPLE,
            )  # fmt: skip


def split_dataset(dataset: Dataset, test_size: float, validation_size: float, seed: int) -> Split:
    """Split by subject if there are at least two, else by repetition with a warning that the score is optimistic.

    Parameters
    ----------
    test_size : share held out for the final score.
    validation_size : share of the rest that chooses the best epoch.

    Raises
    ------
    InputError
        A share outside (0, 1), or too little data for three parts.
    """
    for name, share in (("test_size", test_size), ("validation_size", validation_size)):
        if not 0 < share < 1:
            raise InputError(f"{name} must lie between 0 and 1; got {share:g}")
    notes = []
    everything = np.arange(len(dataset))
    subjects = np.array(dataset.subjects)
    n_subjects = len(set(subjects))
    by_subject = n_subjects >= 2 and "" not in subjects
    if not by_subject:
        why = "there is only one subject" if n_subjects == 1 and "" not in subjects else "subjects are not known"
        notes.append(
            f"{why}, so the split is by repetition, not by person: the same person may be in both training and test, "
            "and the score is then too high. Name the person of each file in the column 'subject' of a manifest.csv"
        )
    groups = subjects if by_subject else np.array(dataset.repetitions)
    # Of three or more people at least two remain: one to train on, one to choose the epoch.
    rest, test = divide(everything, groups, dataset, test_size, seed, n_kept=2 if len(set(groups)) > 2 else 1)
    if by_subject and len(set(subjects[rest])) < 2:
        notes.append("one subject is left to train on, so the epoch is picked on other repetitions of that subject")
        groups = np.array(dataset.repetitions)
    train, validation = divide(rest, groups, dataset, validation_size, seed + 1)
    for note in notes:
        log.warning(note)
    return Split(train, validation, test, "subject" if by_subject else "repetition", tuple(notes))


N_DRAWS = 300


def divide(
    indices: Indices, groups: NDArray[np.str_], dataset: Dataset, share: float, seed: int, n_kept: int = 1
) -> tuple[Indices, Indices]:
    """Set whole groups aside, about ``share`` of them, with similar class proportions on both sides.

    Of 300 random draws the one with the most similar proportions is used; a class missing on a side costs more, and
    most on the larger side.
    """
    names = sorted(set(groups[indices]))
    if len(names) < 2:
        raise InputError(
            f"too little data to split: expected at least three repetitions or subjects; found {len(set(groups))}"
        )
    group_of = np.searchsorted(names, groups[indices])  # (n,) index into names
    columns = [_one_hot(dataset.labels(task), indices) for task in TASKS]
    labels = np.concatenate(columns, axis=1)  # (n, classes of both tasks)
    counts = np.zeros((len(names), labels.shape[1]), dtype=np.intp)  # (n_groups, n_classes)
    np.add.at(counts, group_of, labels)
    sizes = np.bincount(group_of, minlength=len(names))
    n_aside = min(max(1, round(share * len(names))), len(names) - n_kept)
    rng = np.random.default_rng(seed)
    total = counts.sum(axis=0)
    best: tuple[float, Indices] | None = None
    for _ in range(N_DRAWS):
        aside = np.sort(rng.permutation(len(names))[:n_aside])
        aside_counts = counts[aside].sum(axis=0)
        kept_counts = total - aside_counts
        uneven = float(np.abs(aside_counts / np.maximum(total, 1) - sizes[aside].sum() / sizes.sum()).sum())
        cost = (
            uneven
            + 10 * float(np.sum((total > 0) & (aside_counts == 0)))
            + 1000 * float(np.sum((total > 0) & (kept_counts == 0)))
        )
        if best is None or cost < best[0]:
            best = (cost, aside)
    assert best is not None
    is_aside = np.isin(group_of, best[1])
    return indices[~is_aside], indices[is_aside]


def _one_hot(labels: Sequence[str], indices: Indices) -> NDArray[np.intp]:
    chosen = np.array(labels)[indices]
    names = sorted(set(chosen) - {""})
    return np.asarray(chosen[:, None] == np.array(names, dtype=str)[None, :], dtype=np.intp)  # (n, n_classes)
