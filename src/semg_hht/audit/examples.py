"""Audit matrices: constant values, copies, mixed preparations, one person under two names.

It works on labels and on what is kept of each matrix, and does not read files.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semg_hht.audit.copy_groups import copy_finding, joined, near_text
from semg_hht.audit.finding import Finding, in_order
from semg_hht.audit.labels import (
    Sides,
    contradictions,
    in_words,
    label_findings,
    split_findings,
    subject_names,
    values_with_class,
)
from semg_hht.audit.name_labels import name_findings
from semg_hht.audit.similarity import MIN_TYPICAL, Comparison, Pair, compare_people, profile, similar_pairs, sketch
from semg_hht.recordings.manifest import TASKS, ManifestRow

T = TypeVar("T")
K = TypeVar("K")

MAX_NAMED = 4  # classes listed in one sentence


@dataclass(frozen=True)
class AuditedExample:
    """What the audit keeps of one matrix.

    digest : SHA-256 of its values.
    settings : how it was prepared, as text; empty for a matrix of another tool.
    sketch, profile : from `semg_hht.audit.similarity`; empty for a recording, which only has a digest.
    """

    row: ManifestRow
    digest: str
    n_planes: int
    constant: bool
    settings: str
    sketch: NDArray[np.float32] = field(repr=False)
    profile: NDArray[np.float32] = field(repr=False)

    @classmethod
    def of(cls, row: ManifestRow, values: NDArray[np.float32], settings: str) -> AuditedExample:
        """Keep of a matrix (n_planes, 256, 256) what the audit needs, so that the matrix can be released."""
        constant = bool((values.max(axis=(1, 2)) == values.min(axis=(1, 2))).any())
        digest = hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
        smooth = '"density": {' in settings  # JSON of `PipelineConfig`; without a density the key is missing
        return cls(row, digest, len(values), constant, settings, sketch(values, smooth=smooth), profile(values))

    @classmethod
    def of_recording(cls, row: ManifestRow, samples: NDArray[np.float64]) -> AuditedExample:
        """A row of a recording: two are copies if samples, start, stop and channels are equal."""
        content = hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()
        nothing = np.empty(0, dtype=np.float32)
        return cls(row, f"{content}|{row.start_s}|{row.stop_s}|{row.channels}", 0, False, "", nothing, nothing)

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
        """Key of the repetition, which its channels share."""
        return "{}|{}|{}".format(self.recording, *self.cut)


def audit_examples(examples: Sequence[AuditedExample], split: Sides | None = None) -> list[Finding]:
    """All findings about examples and a split of them, errors first."""
    side_of = {file: side for side, files in (split.files if split else {}).items() for file in files}
    findings = [
        *_constant(examples),
        *_mixed_preparations(examples),
        *label_findings([s.row for s in examples]),
        *name_findings([s.row for s in examples]),
        *subject_names(s.row.subject for s in examples),
        *_overlaps(examples, side_of),
        *_copies(examples, side_of),
        *_lookalikes(examples),
        *(split_findings(split, [s.row for s in examples]) if split else []),
    ]
    return in_order(findings)


def _constant(examples: Sequence[AuditedExample]) -> Iterable[Finding]:
    for s in examples:
        if s.constant:
            yield Finding("error", "constant", f"{s.row.file}: every value is the same", (s.row.file,))


def _mixed_preparations(examples: Sequence[AuditedExample]) -> Iterable[Finding]:
    """Matrices of different preparations, which training refuses, or of different sampling rates."""
    by_settings = _grouped(examples, [s.settings for s in examples])
    if len(by_settings) > 1:
        groups = sorted(by_settings.values(), key=len)
        counts = ", ".join(f"{len(g)} like {g[0].row.file}" for g in groups[::-1])
        yield Finding(
            "error", "settings", f"prepared in {len(groups)} ways: {counts}", tuple(s.row.file for s in groups[0])
        )
    by_planes = _grouped(examples, [s.n_planes for s in examples])
    if len(by_planes) > 1:
        counts = ", ".join(f"{len(g)} with {n} (as {g[0].row.file})" for n, g in sorted(by_planes.items()))
        fewest = min(by_planes.values(), key=len)
        yield Finding("error", "shape", f"channels in a matrix: {counts}", tuple(s.row.file for s in fewest))
    rated = [s.row for s in examples if s.row.rate_hz]
    rates = sorted({row.rate_hz or 0 for row in rated})
    if len(rates) < 2:
        return
    listed = ", ".join(f"{rate:g}" for rate in rates)
    bound = [
        f"{name} only at {next(iter(at)):g} Hz"
        for task in TASKS
        for name, at in values_with_class(rated, task, "rate_hz").items()
        if len(at) == 1
    ]
    if bound:
        more = " ..." if len(bound) > MAX_NAMED else ""
        yield Finding("warning", "rates", f"recorded at {listed} Hz, and {', '.join(bound[:MAX_NAMED])}{more}")
    else:
        yield Finding("note", "rates", f"recorded at {listed} Hz")


def _overlaps(examples: Sequence[AuditedExample], side_of: dict[str, str]) -> Iterable[Finding]:
    """Overlapping parts of one recording with different subjects or labels, or in two parts of a split."""
    for recording, own in _grouped(examples, [s.recording for s in examples]).items():
        # One channel represents all of its repetition, unless their labels differ.
        first_of = {(s.repetition, s.row.subject, s.row.movement, s.row.gender): s for s in reversed(own)}
        parts = sorted(first_of.values(), key=lambda s: s.cut)
        for i, a in enumerate(parts):
            for b in parts[i + 1 :]:
                if b.cut[0] >= a.cut[1]:
                    break
                differing = contradictions([a.row, b.row], side_of)
                files = (a.row.file, b.row.file)
                if differing:
                    text = f"{recording}: {files[0]} and {files[1]} overlap in time but are {in_words(differing)}"
                    yield Finding("error", "overlap", text, files)


def _copies(examples: Sequence[AuditedExample], side_of: dict[str, str]) -> Iterable[Finding]:
    """Groups of equal matrices or samples, then groups of repetitions of the same signal; each is reported once."""
    equal_to: dict[str, list[frozenset[str]]] = defaultdict(list)  # repetition -> its groups of equal repetitions
    equal_rows: dict[tuple[str, ...], list[list[ManifestRow]]] = defaultdict(list)  # files -> a list per repetition
    for same in _grouped(examples, [s.digest for s in examples]).values():
        group = frozenset(s.repetition for s in same)
        if len(same) < 2 or same[0].constant or any(group <= known for known in equal_to[same[0].repetition]):
            continue
        for repetition in group:
            equal_to[repetition].append(group)
        equal_rows[tuple(s.row.file for s in same)].append([s.row for s in same])
    matrices = {s.row.file for s in examples if s.sketch.size}
    for files, stretches in equal_rows.items():
        text = "are the same matrix" if files[0] in matrices else "hold the same samples"
        yield copy_finding("duplicate", stretches, text, side_of)
    similar_of: dict[tuple[str, str], Pair] = {}
    for first, second, similar in _similar_repetitions(examples):
        if not any(second in group for group in equal_to[first]):
            similar_of.setdefault((first, second), similar)
    row_of = {s.repetition: s.row for s in reversed(examples)}  # the first row of each repetition
    pairs = list(similar_of)
    for numbers in joined(pairs):
        alike = [pairs[number] for number in numbers]
        limit = max(similar_of[pair].limit for pair in alike)
        text = near_text([similar_of[pair].likeness for pair in alike], f"{limit:.2f}")
        yield copy_finding("near-duplicate", [[row_of[one] for one in pair] for pair in alike], text, side_of)


def _similar_repetitions(examples: Sequence[AuditedExample]) -> Iterable[tuple[str, str, Pair]]:
    """Two repetitions of the same signal, on one channel or on all, and their likeness."""
    # Many equal rows would pass for something that all rows share.
    unequal = [same[0] for same in _grouped(examples, [s.digest for s in examples]).values()]
    repetitions = [_whole_repetition(parts) for parts in _grouped(unequal, [s.repetition for s in unequal]).values()]
    for unit in (_comparable(unequal), _comparable(repetitions)):
        for alike_in_size in _grouped(unit, [len(s.sketch) for s in unit]).values():
            sketches = np.stack([s.sketch for s in alike_in_size])
            for similar in similar_pairs(sketches, [s.recording for s in alike_in_size]):
                yield alike_in_size[similar.first].repetition, alike_in_size[similar.second].repetition, similar


def _comparable(examples: Sequence[AuditedExample]) -> list[AuditedExample]:
    return [s for s in examples if s.sketch.size and not s.constant]


def _lookalikes(examples: Sequence[AuditedExample]) -> Iterable[Finding]:
    named = [s for s in _comparable(examples) if s.row.subject]
    repetitions = [_whole_repetition(parts) for parts in _grouped(named, [s.repetition for s in named]).values()]
    if not repetitions:
        return
    size = Counter(len(s.profile) for s in repetitions).most_common(1)[0][0]
    repetitions = [s for s in repetitions if len(s.profile) == size]
    compared = compare_people(
        np.stack([s.profile for s in repetitions]),
        [s.row.subject for s in repetitions],
        [_task_of(s.row) for s in repetitions],
    )
    for pair in compared.lookalikes:
        files = tuple(s.row.file for s in repetitions if s.row.subject in (pair.first, pair.second))
        text = (
            f"subjects {pair.first} and {pair.second} look like one person: the nearest neighbour of a repetition has"
        )
        text += f" the same name in {pair.distinct:.0%} (chance 50%, other people {compared.typical:.0%})"
        yield Finding("warning", "lookalikes", text, files)  # a coincidence can't be ruled out, so no error
    yield Finding("note", "what was checked", people_note(compared, "matrices"))


def people_note(compared: Comparison, parts: str) -> str:
    """What the comparison of people by their ``parts`` (matrices, recordings) can detect."""
    check = "whether one person stands under two names"
    if compared.typical is None:
        return f"{check} was not checked: that takes three people with {MIN_TYPICAL} repetitions each"
    own = f"of two people, {compared.typical:.0%} of the repetitions are most like one's own"
    if not compared.distinguishes_people:
        return f"{check} can't be told: {own}"
    return f"{check} was checked by the {parts}: {own}, and {compared.lowest:.0%} of the two most similar people"


def _whole_repetition(parts: Sequence[AuditedExample]) -> AuditedExample:
    """The channels of one repetition as a single example."""
    first = parts[0]
    sketches, profiles = (np.concatenate([getattr(p, name) for p in parts]) for name in ("sketch", "profile"))
    dead = any(p.constant for p in parts)
    return AuditedExample(first.row, "", sum(p.n_planes for p in parts), dead, first.settings, sketches, profiles)


def _grouped(items: Sequence[T], keys: Sequence[K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for item, key in zip(items, keys, strict=True):
        groups.setdefault(key, []).append(item)
    return groups


def _task_of(row: ManifestRow) -> str:
    return f"{row.muscle}|{row.movement}"
