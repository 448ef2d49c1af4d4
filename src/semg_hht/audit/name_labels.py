"""Find files whose name states another label than the manifest.

What a part of a name means is taken from the naming convention, and else from the other files: if nearly all files with
``80P`` in their name are of class ``high``, the name of a file with ``80P`` and the class ``low`` contradicts its row.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

from semg_hht.audit.finding import Finding
from semg_hht.errors import InputError
from semg_hht.recordings.manifest import ManifestRow, parse_file_name

COLUMNS = ("subject", "movement", "gender")
MIN_FILES = 10  # with a label, to learn from
MIN_SAME = 3  # other files with the same part of the name and the same label
MAX_SHARE = 0.05  # of the files have another label than a part of their name states, or one file
MIN_SHARE_OF_PART = 0.7  # of the files with one part of the name have its label


def name_findings(rows: Sequence[ManifestRow]) -> Iterable[Finding]:
    """One error for each file and column in which the name and the manifest contradict each other."""
    by_file: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        by_file[row.file].append(row)
    for column in COLUMNS:
        labels = {}
        for file, own in by_file.items():
            values = {str(getattr(row, column)) for row in own}
            if len(values) == 1 and values != {""}:
                labels[file] = values.pop()
        reported = dict(_by_convention(labels, column))
        for file, text in _by_other_files(labels):
            reported.setdefault(file, text)
        for file, text in reported.items():
            yield Finding("error", "labels", f"{file}: {column} is {labels[file]!r}, but {text}", (file,))


def _by_convention(labels: dict[str, str], column: str) -> Iterator[tuple[str, str]]:
    """Names of MUSCLE_movement_GENDER_NNN; a class that the convention does not have is no contradiction."""
    if column == "subject":
        return
    known = {"movement": {"full", "half", "invalid"}, "gender": {"M", "F"}}[column]
    for file, label in labels.items():
        try:
            stated = str(getattr(parse_file_name(file), column))
        except InputError:
            continue
        if stated and label in known and stated != label:
            yield file, f"its name states {stated!r}"


def _by_other_files(labels: dict[str, str]) -> Iterator[tuple[str, str]]:
    if len(labels) < MIN_FILES:
        return
    places: dict[Hashable, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for file, label in labels.items():
        for place, part in _parts(file):
            places[place][part][file] = label
    for parts in places.values():
        counts = {part: Counter(files.values()) for part, files in parts.items()}
        usual = {part: count.most_common(1)[0] for part, count in counts.items()}
        n_files = sum(count.total() for count in counts.values())
        n_usual = sum(n for _, n in usual.values())
        supported = {label for label, n in usual.values() if n >= MIN_SAME}
        if n_files < len(labels) or n_files - n_usual > max(1, MAX_SHARE * n_files) or len(supported) < 2:
            continue
        for part, (label, n) in usual.items():
            if n >= MIN_SAME and n >= MIN_SHARE_OF_PART * counts[part].total():
                for file, stated in parts[part].items():
                    if stated != label:
                        yield file, f"{n} other files with {part!r} in that place of their name are {label!r}"


def _parts(file: str) -> Iterator[tuple[Hashable, str]]:
    """The parts of a path without its suffix, and the letters at both ends of each part, with their place."""
    parts = re.split(r"[/\\_\-. ]+", file.rsplit(".", 1)[0].casefold())
    for place, part in enumerate(parts):
        yield place, part
        for end, pattern in (("start", r"^[^\W\d]+"), ("end", r"[^\W\d]+$")):
            letters = re.search(pattern, part)
            if letters and letters[0] != part:
                yield (place, end), letters[0]
