"""Join copies into groups, so that all files of one signal are one finding.

It works on rows of a manifest and pairs of keys. It does not know how copies are found.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from semg_hht.audit.finding import Finding
from semg_hht.audit.labels import contradictions, in_words, is_labelled, some_of
from semg_hht.recordings.manifest import ManifestRow


def joined(pairs: Sequence[tuple[Hashable, Hashable]]) -> list[list[int]]:
    """The numbers of the pairs by group: pairs that share a member, directly or through other pairs, are one group."""
    parent: dict[Hashable, Hashable] = {}

    def root(one: Hashable) -> Hashable:
        while parent.setdefault(one, one) != one:
            parent[one] = parent[parent[one]]
            one = parent[one]
        return one

    for first, second in pairs:
        parent[root(second)] = root(first)
    groups: dict[Hashable, list[int]] = {}
    for number, (first, _) in enumerate(pairs):
        groups.setdefault(root(first), []).append(number)
    return list(groups.values())


def near_text(likeness: Sequence[float], unrelated: str) -> str:
    """What copies that were changed have in common; ``unrelated``: what the likeness of others stays below."""
    low, high = f"{min(likeness):.2f}", f"{max(likeness):.2f}"
    found = low if low == high else f"{low} to {high}"
    return f"hold the same signal (likeness {found}, unrelated ones stay below {unrelated})"


def copy_finding(what: str, stretches: Sequence[Sequence[ManifestRow]], text: str, side_of: dict[str, str]) -> Finding:
    """A finding about copies: an error if subjects, labels or parts of the split differ, else a warning.

    Parameters
    ----------
    stretches : rows of the same stretch of a signal, for each stretch. Labels are compared within a stretch.
    """
    differing: dict[str, dict[str, None]] = {}
    error = False
    for rows in stretches:
        for word, values in contradictions(rows, side_of).items():
            differing.setdefault(word, {}).update(dict.fromkeys(values))
        labelled = [row for row in rows if is_labelled(row)]
        error |= len(labelled) > 1 and not all(row.subject for row in labelled)
    files = tuple(dict.fromkeys(row.file for rows in stretches for row in rows))
    as_what = f" as {in_words(differing)}" if differing else ""
    listed = some_of(files)
    sentence = f"{len(files)} files {text}{as_what}: {listed}" if len(files) > 2 else f"{listed} {text}{as_what}"
    return Finding("error" if differing or error else "warning", what, sentence, files)
