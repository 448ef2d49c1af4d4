"""A finding of an audit, and the advice for each kind of finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from semg_hht.recordings.units import STATE_UNITS

SEVERITIES = ("error", "warning", "note")

# Kind of finding -> what to do about it.
ADVICE = {
    "unreadable": "mend or remove these files; training leaves them out",
    "constant": "the channel was dead or unplugged: remove these files",
    "shape": "prepare all recordings with one choice of channels=...",
    "settings": "prepare all recordings again with the same settings",
    "rates": "if one class comes from one device, a network learns the device: record all classes with each",
    "units": STATE_UNITS,
    "rate": "look up the rate of the device, and state it in the column 'rate_hz'",
    "unit": "look up the unit or the gain; state the unit in the column 'units', or scale the values",
    "channels": "compare with the notes on electrodes; bring channels and signs into the order of the other sessions",
    "duplicate": "keep one of them, under the name of the person it was recorded from",
    "near-duplicate": "the same signal, rescaled, resampled, trimmed or saved again: keep one, under its true name",
    "lookalikes": "if it is one person, give all rows one name in the column 'subject'; if it is two, ignore this",
    "subject names": "give each person one spelling in the column 'subject'",
    "subjects": "name the person of each row in the column 'subject'",
    "file names": "name them MUSCLE_movement_GENDER_NNN (movement full, half or invalid; gender M or F) or Test*, or "
    "write a manifest.csv with the columns file, subject, movement, gender",
    "labels": "correct the labels, in the manifest or where there is none in the file names",
    "overlap": "keep one label and one subject for each stretch of a recording",
    "classes": "record more, or leave the class out",
    "unlisted": "list them in the manifest, or remove them",
    "recording": "look at it before it is used; this may be as it should",
    "split": "make the split again from this data: train again",
    "what was checked": "",
}


@dataclass(frozen=True)
class Finding:
    """One finding.

    severity : ``error``: training gives wrong or flattering scores, or can't read it; ``warning``; ``note``.
    what : kind of finding, a key of `ADVICE`.
    sentence : the finding with its names.

    Examples
    --------
    >>> import semg_hht as sh
    >>> found = sh.Finding("note", "recording", "a.csv: clipped samples", ("a.csv",))
    >>> found.severity
    'note'
    """

    severity: str
    what: str
    sentence: str
    files: tuple[str, ...] = ()


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), list(ADVICE).index(f.what)))
