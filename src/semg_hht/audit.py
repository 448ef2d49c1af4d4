"""What is wrong with a set of matrices before anyone trains on it: labels, sketches and a split in, Findings out.

Knows labels and arrays: nothing of files, folders or networks. ``examine.py`` reads what is judged here.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semg_hht.labels import KNOWN_ORDERS, LABEL_COLUMN, TASKS, Labelled, is_test_name
from semg_hht.likeness import MIN_REPETITIONS, Comparison, alike, compare_people, profile, sketch

T = TypeVar("T")
K = TypeVar("K")

SEVERITIES = ("error", "warning", "note")
MAX_RATIO = 3.0  # of the largest to the smallest class; beyond it the classes are called unbalanced
MAX_NAMED = 4  # in one sentence
MIN_PEOPLE = 3  # of a class: one to train on, one to pick the epoch, one to score

# What each kind of finding is, and what to do about it.
ADVICE = {
    "unreadable": "mend or remove these files; training leaves them out",
    "constant": "the channel was dead or unplugged: remove these files",
    "shape": "prepare all recordings with one choice of --channels",
    "settings": "prepare all recordings again with one set of flags",
    "rates": "if one class comes from one device, a network learns the device: record all classes with each",
    "duplicate": "keep one of them, under the name of the person it was recorded from",
    "near-duplicate": "the same signal, resampled, rescaled or saved again: keep one of them, under its true name",
    "lookalikes": "if it is one person, give all rows one name in the column 'subject'; if it is two, ignore this",
    "subject names": "give each person one spelling in the column 'subject'",
    "subjects": "name the person of each row in the column 'subject'",
    "labels": "correct the labels in the manifest",
    "overlap": "keep one label and one subject for each stretch of a recording",
    "classes": "record more, or leave the class out",
    "unlisted": "list them in the manifest, or remove them",
    "recording": "look at it before it is used; this may be as it should",
    "split": "make the split again from this data: train it anew",
    "what was checked": "",
}


@dataclass(frozen=True)
class Finding:
    """One thing found.

    severity : ``error``: training gives wrong or flattering scores, or can't read it; ``warning``; ``note``.
    what : its kind, a key of `ADVICE`.
    sentence : what was found, with names.
    """

    severity: str
    what: str
    sentence: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What is kept of one matrix once it has been read.

    digest : SHA-256 of its values.
    settings : how it was prepared, as text; empty for a matrix of another tool.
    sketch, profile : as `likeness` has them; empty for a raw recording, which is known by its digest alone.
    """

    row: Labelled
    digest: str
    n_planes: int
    constant: bool
    settings: str
    sketch: NDArray[np.float32] = field(repr=False)
    profile: NDArray[np.float32] = field(repr=False)

    @property
    def recording(self) -> str:
        return self.row.extra.get("recording") or self.row.file

    @property
    def cut(self) -> tuple[float, float]:
        """Start and stop of the repetition in its recording, in seconds."""
        start = self.row.extra.get("recording_start_s") or self.row.start_s or 0
        stop = self.row.extra.get("recording_stop_s") or self.row.stop_s or np.inf
        return float(start), float(stop)

    @property
    def repetition(self) -> str:
        """Shared by the channels of one repetition."""
        return "{}|{}|{}".format(self.recording, *self.cut)


@dataclass(frozen=True)
class Sides:
    """A split as its file has it: side -> files, side -> subjects; ``by`` what was divided."""

    by: str
    files: dict[str, frozenset[str]]
    subjects: dict[str, frozenset[str]]


def look(row: Labelled, values: NDArray[np.float32], settings: str) -> Seen:
    """Take from a matrix (n_planes, 256, 256) what the audit needs, so that the matrix itself can be let go."""
    constant = bool((values.max(axis=(1, 2)) == values.min(axis=(1, 2))).any())
    digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
    return Seen(row, digest, len(values), constant, settings, sketch(values), profile(values))


def audit(seen: Sequence[Seen], split: Sides | None = None) -> list[Finding]:
    """All that can be said of matrices that could be read, and of a split of them; errors first."""
    side_of = {file: side for side, files in (split.files if split else {}).items() for file in files}
    findings = [
        *_constant(seen),
        *_mixed_preparations(seen),
        *_labels([s.row for s in seen]),
        *subject_names(s.row.subject for s in seen),
        *_overlaps(seen, side_of),
        *_copies(seen, side_of),
        *_lookalikes(seen),
        *(split_findings(split, [s.row for s in seen]) if split else []),
    ]
    return in_order(findings)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), list(ADVICE).index(f.what)))


def _constant(seen: Sequence[Seen]) -> Iterable[Finding]:
    for s in seen:
        if s.constant:
            yield Finding("error", "constant", f"{s.row.file}: every value is the same", (s.row.file,))


def _mixed_preparations(seen: Sequence[Seen]) -> Iterable[Finding]:
    """Matrices that were not made alike: training refuses them, or learns the difference."""
    by_settings = _grouped(seen, [s.settings for s in seen])
    if len(by_settings) > 1:
        groups = sorted(by_settings.values(), key=len)
        counts = ", ".join(f"{len(g)} like {g[0].row.file}" for g in groups[::-1])
        yield Finding(
            "error", "settings", f"prepared in {len(groups)} ways: {counts}", tuple(s.row.file for s in groups[0])
        )
    by_planes = _grouped(seen, [s.n_planes for s in seen])
    if len(by_planes) > 1:
        counts = ", ".join(f"{len(g)} with {n} (as {g[0].row.file})" for n, g in sorted(by_planes.items()))
        fewest = min(by_planes.values(), key=len)
        yield Finding("error", "shape", f"channels in a matrix: {counts}", tuple(s.row.file for s in fewest))
    rated = [s.row for s in seen if s.row.rate_hz]
    rates = sorted({row.rate_hz or 0 for row in rated})
    if len(rates) < 2:
        return
    listed = ", ".join(f"{rate:g}" for rate in rates)
    bound = [
        f"{name} only at {next(iter(at)):g} Hz"
        for task in TASKS
        for name, at in _classes(rated, task, "rate_hz").items()
        if len(at) == 1
    ]
    if bound:
        more = " ..." if len(bound) > MAX_NAMED else ""
        yield Finding("warning", "rates", f"recorded at {listed} Hz, and {', '.join(bound[:MAX_NAMED])}{more}")
    else:
        yield Finding("note", "rates", f"recorded at {listed} Hz")


def _labels(rows: Sequence[Labelled]) -> Iterable[Finding]:
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
            f"{len(anonymous)} of {len(labelled)} don't name their subject, so one person may stand on both sides of "
            "a split and every score flatters", anonymous,
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
    elif not any(len(_classes(labelled, task, "subject")) > 1 for task in TASKS):
        yield Finding("error", "classes", "every label is the same, so there is nothing to tell apart")
    for task in TASKS:
        yield from _task_classes(labelled, task)


def _task_classes(rows: Sequence[Labelled], task: str) -> Iterable[Finding]:
    people = _classes(rows, task, "subject")
    column = LABEL_COLUMN[task]
    folded = Counter(name.casefold() for name in people)
    for name in sorted(people):
        if folded[name.casefold()] > 1:
            files = tuple(row.file for row in rows if row.label(task) == name)
            yield Finding("error", "labels", f"{column} {name!r} is also spelled in another case", files)
    for order in KNOWN_ORDERS if len(people) > 1 else ():
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
    """Names that are surely one person's: they differ in case, spaces, dashes or leading zeros."""
    spellings = defaultdict(set)
    for subject in subjects:
        key = re.sub(r"[\s_.-]+", "", subject.casefold())
        spellings[re.sub(r"0+(?=\d)", lambda zeros: "" if _starts_number(zeros) else zeros[0], key)].add(subject)
    for names in spellings.values():
        if len(names) > 1:
            listed = " and ".join(repr(name) for name in sorted(names))
            yield Finding("error", "subject names", f"{listed} look like one person, spelled {len(names)} ways")


def _starts_number(zeros: re.Match[str]) -> bool:
    return zeros.start() == 0 or not zeros.string[zeros.start() - 1].isdigit()


def _overlaps(seen: Sequence[Seen], side_of: dict[str, str]) -> Iterable[Finding]:
    """Stretches of one recording that overlap: under two names or labels, or on two sides of a split."""
    for recording, own in _grouped(seen, [s.recording for s in seen]).items():
        # Channels of one repetition stand for each other, unless they are labelled differently.
        first_of = {(s.repetition, s.row.subject, s.row.movement, s.row.gender): s for s in reversed(own)}
        parts = sorted(first_of.values(), key=lambda s: s.cut)
        for i, a in enumerate(parts):
            for b in parts[i + 1 :]:
                if b.cut[0] >= a.cut[1]:
                    break
                differing = _differing(a.row, b.row, side_of)
                files = (a.row.file, b.row.file)
                if differing:
                    text = f"{recording}: {files[0]} and {files[1]} overlap in time but are {', '.join(differing)}"
                    yield Finding("error", "overlap", text, files)


def _copies(seen: Sequence[Seen], side_of: dict[str, str]) -> Iterable[Finding]:
    """Equal matrices, then repetitions of the same signal; what is equal is not said again as alike."""
    said: set[frozenset[str]] = set()
    for same in _grouped(seen, [s.digest for s in seen]).values():
        for other in same[1:] if not same[0].constant else []:
            pair = frozenset((same[0].repetition, other.repetition))
            if pair not in said:
                said.add(pair)
                text = "are the same matrix" if other.sketch.size else "hold the same samples"
                yield _copy("duplicate", same[0].row, other.row, text, side_of)
    whole = [_joined(parts) for parts in _grouped(seen, [s.repetition for s in seen]).values()]
    for unit in (_comparable(seen), _comparable(whole)):
        for alike_in_size in _grouped(unit, [len(s.sketch) for s in unit]).values():
            sketches = np.stack([s.sketch for s in alike_in_size])
            for found in alike(sketches, [s.recording for s in alike_in_size]):
                a, b = alike_in_size[found.first], alike_in_size[found.second]
                pair = frozenset((a.repetition, b.repetition))
                if pair not in said:
                    said.add(pair)
                    text = f"hold the same signal (likeness {found.likeness:.2f}, unrelated ones stay below 0.2)"
                    yield _copy("near-duplicate", a.row, b.row, text, side_of)


def _comparable(seen: Sequence[Seen]) -> list[Seen]:
    return [s for s in seen if s.sketch.size and not s.constant]


def _copy(what: str, a: Labelled, b: Labelled, text: str, side_of: dict[str, str]) -> Finding:
    """An error where the copy leaks between people, labels or sides; else the repetition only counts twice."""
    differing = _differing(a, b, side_of)
    unknown = not (a.subject and b.subject)
    severity = "error" if differing or (unknown and _is_labelled(a) and _is_labelled(b)) else "warning"
    as_what = f" as {', '.join(differing)}" if differing else ""
    return Finding(severity, what, f"{a.file} and {b.file} {text}{as_what}", (a.file, b.file))


def _lookalikes(seen: Sequence[Seen]) -> Iterable[Finding]:
    named = [s for s in _comparable(seen) if s.row.subject]
    whole = [_joined(parts) for parts in _grouped(named, [s.repetition for s in named]).values()]
    if not whole:
        return
    size = Counter(len(s.profile) for s in whole).most_common(1)[0][0]
    whole = [s for s in whole if len(s.profile) == size]
    compared = compare_people(
        np.stack([s.profile for s in whole]), [s.row.subject for s in whole], [_task_of(s.row) for s in whole]
    )
    for pair in compared.lookalikes:
        files = tuple(s.row.file for s in whole if s.row.subject in (pair.first, pair.second))
        text = (
            f"subjects {pair.first} and {pair.second} look like one person: the nearest neighbour of a repetition has"
        )
        text += f" the same name in {pair.told_apart:.0%} (chance 50%, other people {compared.typical:.0%})"
        yield Finding("warning", "lookalikes", text, files)  # a coincidence can't be ruled out, so no error
    yield Finding("note", "what was checked", _on_people(compared))


def _on_people(compared: Comparison) -> str:
    if compared.typical is None:
        return f"one person under two names can't be looked for: it takes three people of {MIN_REPETITIONS} repetitions"
    if not compared.tells_people_apart:
        return f"one person under two names can't be seen here: people are told apart in {compared.typical:.0%} only"
    return (
        f"people are told apart by their matrices in {compared.typical:.0%}, the two most alike {compared.lowest:.0%}"
    )


def split_findings(split: Sides, rows: Sequence[Labelled] = ()) -> list[Finding]:
    """Who or what stands on two sides; and, where there are rows, what the split and the data don't share."""
    findings = []
    names = {side: set(people) for side, people in split.subjects.items()}
    for row in rows:
        for side, files in split.files.items():
            if row.file in files:
                names[side].add(row.subject)
    for a, b in (("train", "test"), ("validation", "test"), ("train", "validation")):
        people = sorted((names[a] & names[b]) - {""})
        tuning = (a, b) == ("train", "validation")  # one person left to train on picks the epoch too, and it was said
        if people:
            who = f"subject {', '.join(people)} stands in {a} and in {b}"
            findings.append(Finding("warning" if tuning else "error", "split", who))
        twice = tuple(sorted(split.files[a] & split.files[b]))
        if twice:
            text = f"{len(twice)} files stand in {a} and in {b}, as {twice[0]}"
            findings.append(Finding("error", "split", text, twice))
    if split.by != "subject":
        findings.append(Finding("warning", "split", f"divided by {split.by}, not by subject: the score flatters"))
    divided = frozenset().union(*split.files.values())
    here = {row.file for row in rows}
    gone = tuple(sorted(divided - here)) if rows else ()
    if gone:
        text = f"{len(gone)} files of the split are not in the data, as {gone[0]}"
        findings.append(Finding("error", "split", text, gone))
    new = tuple(sorted(row.file for row in rows if _is_labelled(row) and row.file not in divided))
    if new:
        findings.append(Finding("warning", "split", f"{len(new)} labelled files are on no side, as {new[0]}", new))
    return findings


def _joined(parts: Sequence[Seen]) -> Seen:
    """The channels of one repetition as one."""
    first = parts[0]
    sketches, profiles = (np.concatenate([getattr(p, name) for p in parts]) for name in ("sketch", "profile"))
    dead = any(p.constant for p in parts)
    return Seen(first.row, "", sum(p.n_planes for p in parts), dead, first.settings, sketches, profiles)


def _grouped(items: Sequence[T], keys: Sequence[K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for item, key in zip(items, keys, strict=True):
        groups.setdefault(key, []).append(item)
    return groups


def _differing(a: Labelled, b: Labelled, side_of: dict[str, str]) -> list[str]:
    """In what two rows contradict each other; what is not stated contradicts nothing."""
    said = [(f"{name} ", getattr(a, name), getattr(b, name)) for name in ("subject", *LABEL_COLUMN.values())]
    said.append(("in ", side_of.get(a.file, ""), side_of.get(b.file, "")))
    return [f"{word}{x} and {y}" for word, x, y in said if x and y and x != y]


def _classes(rows: Iterable[Labelled], task: str, of: str) -> dict[str, set[object]]:
    """Class -> the values of the column ``of`` it comes with."""
    found: dict[str, set[object]] = defaultdict(set)
    for row in rows:
        if row.label(task):
            found[row.label(task)].add(getattr(row, of))
    return found


def _task_of(row: Labelled) -> str:
    return f"{row.muscle}|{row.movement}"


def _is_labelled(row: Labelled) -> bool:
    return bool(row.movement or row.gender)


def _is_test(row: Labelled) -> bool:
    return is_test_name(row.file.rsplit("/", 1)[-1]) or is_test_name(row.extra.get("recording", "").rsplit("/", 1)[-1])
