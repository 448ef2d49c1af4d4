"""Compare the recordings of a folder or manifest with each other: copies, wrong rates and units, channels in disorder,
one person under two names.

It works on descriptions and rows of a manifest. It does not read files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from semg_hht.audit.channel_order import ReorderedSession, reordered_sessions
from semg_hht.audit.copy_groups import copy_finding, joined, near_text
from semg_hht.audit.examples import people_note
from semg_hht.audit.finding import Finding
from semg_hht.audit.labels import contradictions
from semg_hht.audit.people_of_recordings import compare_patterns, equal_bodies
from semg_hht.audit.recording_copies import CopiedSignal, copied_signals
from semg_hht.audit.recording_description import RecordingDescription
from semg_hht.audit.recording_outliers import ComparedRecording, rate_outliers, unit_outliers
from semg_hht.recordings.manifest import ManifestRow

MAX_LISTED = 3  # channels named in one sentence
MIN_TOLD_SHIFT_S = 0.02


@dataclass(frozen=True)
class AuditedRecording:
    """The rows of a recording, and its description."""

    rows: tuple[ManifestRow, ...]
    description: RecordingDescription

    @property
    def file(self) -> str:
        return self.rows[0].file

    @property
    def compared(self) -> ComparedRecording:
        labels = {f"{row.muscle}|{row.movement}|{row.extra.get('motion', '')}" for row in self.rows}
        sessions = {row.session for row in self.rows}
        return ComparedRecording(
            self.description,
            self.rows[0].subject if len({row.subject for row in self.rows}) == 1 else "",
            sessions.pop() if len(sessions) == 1 else "",
            " ".join(sorted(labels)),
        )


def audit_recordings(recordings: Sequence[AuditedRecording], side_of: dict[str, str]) -> list[Finding]:
    """All findings that need several recordings. ``side_of``: file -> part of a split."""
    compared = [one.compared for one in recordings]
    return [
        *_twin_channels(recordings),
        *_copies(recordings, side_of),
        *_rates(recordings, compared),
        *_units(recordings, compared),
        *_channels(recordings, compared),
        *_people(recordings, compared),
    ]


def _twin_channels(recordings: Sequence[AuditedRecording]) -> Iterable[Finding]:
    for one in recordings:
        described = one.description
        first: dict[str, int] = {}
        for i, digest in enumerate(described.digests[: len(described.level)]):
            if np.isfinite(described.level[i]) and first.setdefault(digest, i) != i:
                a, b = described.channel_names[first[digest]], described.channel_names[i]
                yield Finding(
                    "warning", "channels", f"{one.file}: channels {a} and {b} hold the same samples", (one.file,)
                )


def _copies(recordings: Sequence[AuditedRecording], side_of: dict[str, str]) -> Iterable[Finding]:
    """Groups of recordings of one signal. Copies of whole recordings and of single channels are groups apart."""
    found = [copy for copy in copied_signals([one.description for one in recordings]) if not _equal(recordings, copy)]
    for copies in (
        [copy for copy in found if _all_channels(recordings, copy)],
        [copy for copy in found if not _all_channels(recordings, copy)],
    ):
        for numbers in joined([(copy.first, copy.second) for copy in copies]):
            group = [copies[number] for number in numbers]
            stretches = [
                _contradicting_rows(recordings[copy.first], recordings[copy.second], copy, side_of) for copy in group
            ]
            yield copy_finding("near-duplicate", stretches, _copy_text(recordings, group), side_of)


def _equal(recordings: Sequence[AuditedRecording], copy: CopiedSignal) -> bool:
    """Whether samples and times are equal, which `audit_examples` reports."""
    first, second = recordings[copy.first], recordings[copy.second]
    same = first.description.digests == second.description.digests
    return bool(copy.exact and copy.whole and same and _cuts(first) & _cuts(second))


def _all_channels(recordings: Sequence[AuditedRecording], copy: CopiedSignal) -> bool:
    n_channels = {len(recordings[number].description.digests) for number in (copy.first, copy.second)}
    return copy.whole and len(n_channels) == 1


def _cuts(one: AuditedRecording) -> set[Hashable]:
    return {(row.start_s, row.stop_s, row.channels) for row in one.rows}


def _contradicting_rows(
    first: AuditedRecording, second: AuditedRecording, copy: CopiedSignal, side_of: dict[str, str]
) -> tuple[ManifestRow, ManifestRow]:
    """Two rows of the same stretch of the signal, if possible with different labels."""
    together = [
        (a, b)
        for a in first.rows
        for b in second.rows
        if (a.start_s or 0) < (np.inf if b.stop_s is None else b.stop_s) + copy.shift_s
        and (b.start_s or 0) + copy.shift_s < (np.inf if a.stop_s is None else a.stop_s)
    ]
    differing = [pair for pair in together if contradictions(pair, side_of)]
    return (differing or together or [(first.rows[0], second.rows[0])])[0]


def _copy_text(recordings: Sequence[AuditedRecording], group: Sequence[CopiedSignal]) -> str:
    exact = all(copy.exact for copy in group)
    text = "hold the same signal (equal samples)" if exact else near_text([copy.likeness for copy in group], "0.65")
    first = group[0]
    if not _all_channels(recordings, first):
        own, others = (recordings[number].description.channel_names for number in (first.first, first.second))
        names = [f"{own[a]} and {others[b]}" for a, b in first.channels[:MAX_LISTED]]
        more = " ..." if len(first.channels) > MAX_LISTED else ""
        such = "such as " if len(group) > 1 else ""
        return text.replace(" (", f" on channels {such}{', '.join(names)}{more} (", 1)
    shift_s = max((copy.shift_s for copy in group), key=abs)
    by = f"{shift_s:+.2f} s" if len(group) == 1 else f"up to {abs(shift_s):.2f} s"
    return f"{text[:-1]}, shifted by {by})" if abs(shift_s) > MIN_TOLD_SHIFT_S else text


def _rates(recordings: Sequence[AuditedRecording], compared: Sequence[ComparedRecording]) -> Iterable[Finding]:
    groups = defaultdict(list)
    for outlier in rate_outliers(compared):
        groups[compared[outlier.number].description.rate_hz, round(outlier.ratio, 3)].append(outlier)
    for (rate_hz, ratio), outliers in groups.items():
        one = outliers[0]
        files = tuple(recordings[outlier.number].file for outlier in outliers)
        stated = f"{rate_hz:g} Hz is stated" if rate_hz == one.usual_hz else (
            f"{rate_hz:g} Hz is stated, and {one.usual_hz:g} Hz for the others"
        )  # fmt: skip
        text = (
            f"{_listed(files)}: {stated}, but spectrum and duration are like the others' at {rate_hz / ratio:g} Hz"
            f" (duration {one.duration_s:.3g} s, others {one.usual_s:.3g} s; difference of the spectra "
            f"{10 * one.stated:.1f} dB, at {rate_hz / ratio:g} Hz {10 * one.corrected:.1f} dB)"
        )
        yield Finding("error" if rate_hz != one.usual_hz else "warning", "rate", text, files)


def _units(recordings: Sequence[AuditedRecording], compared: Sequence[ComparedRecording]) -> Iterable[Finding]:
    groups = defaultdict(list)
    for outlier in unit_outliers(compared):
        groups[compared[outlier.number].subject, f"{outlier.factor:.2g}", outlier.by_step].append(outlier)
    for (_, factor, by_step), outliers in groups.items():
        files = tuple(recordings[outlier.number].file for outlier in outliers)
        also = " and so are the steps between values" if by_step else ""
        text = f"{_listed(files)}: amplitudes are {factor} times those of comparable recordings{also}"
        yield Finding("warning", "unit", text, files)


def _channels(recordings: Sequence[AuditedRecording], compared: Sequence[ComparedRecording]) -> Iterable[Finding]:
    states_session = {one.subject for one in compared if one.session}
    each = [
        one if one.session or one.subject in states_session else replace(one, session=recordings[i].file)
        for i, one in enumerate(compared)
    ]
    for session in reordered_sessions(each):
        files = tuple(recordings[i].file for i in session.members)
        yield Finding("warning", "channels", _session_text(session, each[session.members[0]], files), files)


def _session_text(session: ReorderedSession, one: ComparedRecording, files: Sequence[str]) -> str:
    names = one.description.channel_names
    texts = []
    if session.kind != "inverted":
        order = ", ".join(names[i] for i in session.order)
        texts.append(
            f"channels are {session.kind}: they fit the other sessions of {session.subject} in the order {order} "
            f"(difference {session.cost:.1f}, as stated {session.stated_cost:.1f})"
        )
    if session.inverted:
        inverted = ", ".join(names[session.order[i]] for i in session.inverted)
        texts.append(f"the sign of {inverted} is inverted beside the other sessions of {session.subject}")
    return f"{_listed(files)}: {'; '.join(texts)}"


def _people(recordings: Sequence[AuditedRecording], compared: Sequence[ComparedRecording]) -> Iterable[Finding]:
    people = compare_patterns(compared)
    by_person = defaultdict(list)
    for one in recordings:
        for subject in {row.subject for row in one.rows}:
            by_person[subject].append(one.file)
    for pair in people.lookalikes if people else ():
        text = (
            f"subjects {pair.first} and {pair.second} look like one person: the nearest neighbour of a recording has "
            f"the same name in {pair.distinct:.0%} (chance 50%, other people {people.typical:.0%})"  # type: ignore[union-attr]
        )
        yield Finding("warning", "lookalikes", text, (*by_person[pair.first], *by_person[pair.second]))
    for bodies in equal_bodies(compared, [row for one in recordings for row in one.rows]):
        text = (
            f"subjects {bodies.first} and {bodies.second} have equal {', '.join(bodies.columns)}, and their channels "
            f"are more alike than those of {1 - bodies.rank:.0%} of the pairs of people"
        )
        yield Finding("warning", "lookalikes", text, (*by_person[bodies.first], *by_person[bodies.second]))
    if people:
        yield Finding("note", "what was checked", people_note(people, "recordings"))


def _listed(files: Sequence[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
