"""Audit labels, names of people and a split, without the matrices."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from semg_hht.audit.finding import Finding
from semg_hht.learning.split import MIN_PEOPLE
from semg_hht.recordings.manifest import COMPLETE_SETS, LABEL_COLUMN, TASKS, ManifestRow, is_test_name
from semg_hht.recordings.spelling import both_spellings, spelling_key

MAX_NAMED = 3  # files, or values of one label, in one sentence
MAX_RATIO = 3.0  # largest to smallest class; above it the classes are reported as unbalanced


@dataclass(frozen=True)
class Sides:
    """A split as in its file: part -> files, part -> subjects. ``by``: what was divided, such as ``subject``."""

    by: str
    files: dict[str, frozenset[str]]
    subjects: dict[str, frozenset[str]]


def label_findings(rows: Sequence[ManifestRow]) -> Iterable[Finding]:
    labelled = [row for row in rows if row.movement or row.gender]
    odd = tuple(row.file for row in rows if not (row.movement or row.gender) and not _is_test(row))
    if odd:
        yield Finding("warning", "labels", f"{len(odd)} without a label and not named Test*, as {odd[0]}", odd)
    n_test = len(rows) - len(labelled) - len(odd)
    if n_test:
        yield Finding("note", "what was checked", f"{n_test} named Test* are to be predicted, not trained on")
    anonymous = tuple(row.file for row in labelled if not row.subject)
    if anonymous:
        yield Finding(
            "warning", "subjects",
            f"{len(anonymous)} of {len(labelled)} don't name their subject, so one person may be on both sides of "
            "a split and every score may be optimistic", anonymous,
        )  # fmt: skip
    genders = defaultdict(set)
    for row in labelled:
        genders[row.subject].add(row.gender)
    for subject, found in sorted(genders.items()):
        if subject and len(found - {""}) > 1:
            files = tuple(row.file for row in labelled if row.subject == subject)
            yield Finding("error", "labels", f"subject {subject} has gender {' and '.join(sorted(found))}", files)
    if not labelled:
        yield Finding("error", "labels", "nothing is labelled, so there is nothing to train on")
    elif not any(len(values_with_class(labelled, task, "subject")) > 1 for task in TASKS):
        yield Finding("error", "classes", "every label is the same, so there is nothing to distinguish")
    for task in TASKS:
        yield from _task_classes(labelled, task)


def _task_classes(rows: Sequence[ManifestRow], task: str) -> Iterable[Finding]:
    people = values_with_class(rows, task, "subject")
    column = LABEL_COLUMN[task]
    spellings: dict[str, str] = {}
    for name in sorted(people):
        other = spellings.setdefault(spelling_key(name), name)
        if other != name:
            files = tuple(row.file for row in rows if row.label(task) == name)
            yield Finding("error", "labels", f"{column} {both_spellings(other, name)}", files)
    for order in COMPLETE_SETS if len(people) > 1 else ():
        missing = [name for name in order if name not in people]
        if set(people) <= set(order) and missing:
            yield Finding("warning", "classes", f"{column}: no example of {', '.join(missing)}")
    counts = Counter(row.label(task) for row in rows if row.label(task))
    if len(counts) < 2:
        return
    (most, n_most), (least, n_least) = counts.most_common(1)[0], counts.most_common()[-1]
    if n_most > MAX_RATIO * n_least:
        yield Finding("warning", "classes", f"{column}: {n_most} of {most} but {n_least} of {least}")
    for name, who in sorted(people.items()):
        if "" not in who and len(who) < MIN_PEOPLE:
            listed = " and ".join(sorted(map(str, who)))
            text = f"{column} {name} is of {listed} alone: it can't be trained, tuned and scored on different people"
            yield Finding("warning", "classes", text, tuple(row.file for row in rows if row.label(task) == name))


def subject_names(subjects: Iterable[str]) -> Iterable[Finding]:
    """Names that are spellings of one name, or differ only in dashes and points beside a letter: names of one person.

    A dash or a point within a number or before it stays: 1.5 is not 15, and -1 is not 1.
    """
    spellings = defaultdict(set)
    for subject in subjects:
        key = re.sub(r"(?<=[^\W\d_])[_.-]+|[_.-]+(?=[^\W\d_])", "", spelling_key(subject))
        spellings[key].add(subject)
    for names in spellings.values():
        if len(names) > 1:
            listed = " and ".join(repr(name) for name in sorted(names))
            yield Finding("error", "subject names", f"{listed} look like one person, spelled {len(names)} ways")


def split_findings(split: Sides, rows: Sequence[ManifestRow] = ()) -> list[Finding]:
    """People or files in two parts of a split; with rows, also differences between the split and the data."""
    findings = []
    names = {side: set(people) for side, people in split.subjects.items()}
    for row in rows:
        for side, files in split.files.items():
            if row.file in files:
                names[side].add(row.subject)
    for a, b in (("train", "test"), ("validation", "test"), ("train", "validation")):
        keys = set(map(spelling_key, names[b] - {""}))
        people = sorted(name for name in names[a] if spelling_key(name) in keys)
        tuning = (a, b) == (
            "train",
            "validation",
        )  # with one person left, training and validation share it, with a warning
        if people:
            who = f"subject {', '.join(people)} is in {a} and in {b}"
            findings.append(Finding("warning" if tuning else "error", "split", who))
        twice = tuple(sorted(split.files[a] & split.files[b]))
        if twice:
            text = f"{len(twice)} files are in {a} and in {b}, such as {twice[0]}"
            findings.append(Finding("error", "split", text, twice))
    if split.by != "subject":
        findings.append(Finding("warning", "split", f"divided by {split.by}, not by subject: the score flatters"))
    divided = frozenset().union(*split.files.values())
    here = {row.file for row in rows}
    gone = tuple(sorted(divided - here)) if rows else ()
    if gone:
        text = f"{len(gone)} files of the split are not in the data, as {gone[0]}"
        findings.append(Finding("error", "split", text, gone))
    new = tuple(sorted(row.file for row in rows if is_labelled(row) and row.file not in divided))
    if new:
        findings.append(Finding("warning", "split", f"{len(new)} labelled files are on no side, as {new[0]}", new))
    return findings


def contradictions(rows: Sequence[ManifestRow], side_of: dict[str, str]) -> dict[str, list[str]]:
    """What rows differ in, with the values; a value that a row does not state is no contradiction."""
    stated = {name: [getattr(row, name) for row in rows] for name in ("subject", *LABEL_COLUMN.values())}
    stated["in"] = [side_of.get(row.file, "") for row in rows]
    values = {name: list(dict.fromkeys(filter(None, listed))) for name, listed in stated.items()}
    return {name: listed for name, listed in values.items() if len(listed) > 1}


def in_words(differing: Mapping[str, Iterable[str]]) -> str:
    """``subject S1 and S2, movement full and half``."""
    return ", ".join(f"{name} {some_of(list(values))}" for name, values in differing.items())


def some_of(names: Sequence[str]) -> str:
    """``a, b and c``, or ``a, b, c and 12 more``."""
    if len(names) > MAX_NAMED:
        return f"{', '.join(names[:MAX_NAMED])} and {len(names) - MAX_NAMED} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def values_with_class(rows: Iterable[ManifestRow], task: str, of: str) -> dict[str, set[object]]:
    """Class -> values of the column ``of`` in its rows."""
    values: dict[str, set[object]] = defaultdict(set)
    for row in rows:
        if row.label(task):
            values[row.label(task)].add(getattr(row, of))
    return values


def is_labelled(row: ManifestRow) -> bool:
    return bool(row.movement or row.gender)


def _is_test(row: ManifestRow) -> bool:
    return is_test_name(row.file.rsplit("/", 1)[-1]) or is_test_name(row.extra.get("recording", "").rsplit("/", 1)[-1])
