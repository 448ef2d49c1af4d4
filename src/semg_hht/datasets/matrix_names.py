"""File names of matrices: one stem for each repetition, and ``_ch1``, ``_ch2`` ... for its channels.

It knows manifest rows and file names. It does not know what is in the files.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import count, takewhile
from pathlib import Path, PurePosixPath

from semg_hht.errors import InputError
from semg_hht.recordings.manifest import GENDER_TOKENS, MOVEMENT_TOKENS, ManifestRow, is_test_name, parse_file_name
from semg_hht.system.files import is_hidden

RowKey = tuple[str, float | None, float | None, tuple[str, ...]]


def row_key(row: ManifestRow) -> RowKey:
    """What identifies a repetition: its recording, interval and channels."""
    return row.file, row.start_s, row.stop_s, row.channels


def unique_stems(rows: list[ManifestRow]) -> dict[RowKey, str]:
    """The stem of each repetition; no two are the same, whatever the case of their letters.

    Labels that fit the file name convention give a conventional name. Other repetitions have the name of their
    recording: with its folders if two recordings have that name, and with a number if it holds several repetitions.
    """
    stems: dict[RowKey, str] = {}
    taken: set[str] = set()
    conventional = Counter(_conventional_stem(row) for row in rows)
    n_recordings = Counter(PurePosixPath(file).stem for file in {row.file for row in rows})
    numbers = _numbers(rows)
    for row in rows:
        stem = _conventional_stem(row)
        if not stem or conventional[stem] > 1:
            path = PurePosixPath(row.file)
            stem = path.stem if n_recordings[path.stem] == 1 else "_".join(path.with_suffix("").parts)
            stem = _without_labels_of_others(re.sub(r"[^\w.+-]", "_", stem.replace("..", "")), row)
            stem = re.sub(r"_ch(\d+)$", r"-ch\1", stem) + numbers[row_key(row)]  # _ch1 marks a channel
        unique, number = stem, 1
        while unique.lower() in taken:  # some file systems ignore case
            number += 1
            unique = f"{stem}_{number}"
        taken.add(unique.lower())
        stems[row_key(row)] = unique
    return stems


def _numbers(rows: list[ManifestRow]) -> dict[RowKey, str]:
    """``_r001``, ``_r002`` ... for the repetitions of a recording; empty for a recording with one.

    The numbers are those of the rows if every row has its own, else the order of the rows.
    """
    by_file: dict[str, list[ManifestRow]] = {}
    for row in rows:
        by_file.setdefault(row.file, []).append(row)
    numbers = {}
    for repetitions in by_file.values():
        stated = {int(row.repetition) for row in repetitions if row.repetition.isdecimal()}
        for position, row in enumerate(repetitions, start=1):
            number = int(row.repetition) if len(stated) == len(repetitions) else position
            numbers[row_key(row)] = f"_r{number:03d}" if len(repetitions) > 1 else ""
    return numbers


def _without_labels_of_others(stem: str, row: ManifestRow) -> str:
    """A stem that does not parse as labels which the row does not have, as those of its recording may be."""
    try:
        parsed = parse_file_name(f"{stem}.npz")
    except InputError:
        return stem
    if is_test_name(stem) or (parsed.movement, parsed.gender) == (row.movement, row.gender):
        return stem
    return re.sub("[_-]", ".", stem)


def _conventional_stem(row: ManifestRow) -> str:
    """``S01_E01_BICEPS_half_F_003`` if the labels fit the convention, else empty."""
    if row.movement not in MOVEMENT_TOKENS.values() or row.gender not in GENDER_TOKENS.values():
        return ""
    if not row.muscle or not row.repetition.isdigit() or not re.fullmatch(r"[A-Za-z]+", row.muscle):
        return ""
    who = [part for part, shape in ((row.subject, r"[Ss]\d+"), (row.session, r"[Ee]\d+")) if re.fullmatch(shape, part)]
    return "_".join([*who, row.muscle, row.movement, row.gender, f"{int(row.repetition):03d}"])


def existing_names(folder: Path) -> dict[str, tuple[str, ...]]:
    """The matrices in a folder by stem, each stem's in the order of channels."""
    by_stem: dict[str, list[str]] = {}
    for path in folder.glob("*.npz"):
        if not is_hidden(path.name):
            by_stem.setdefault(re.sub(r"_ch\d+$", "", path.stem), []).append(path.name)
    return {stem: tuple(sorted(names, key=_channel_number)) for stem, names in by_stem.items()}


def names_on_disk(folder: Path, stem: str) -> tuple[str, ...]:
    """The matrices of one stem in a folder, which is not listed for that: it may hold very many."""
    if (folder / f"{stem}.npz").is_file():
        return (f"{stem}.npz",)
    return tuple(takewhile(lambda name: (folder / name).is_file(), (f"{stem}_ch{i}.npz" for i in count(1))))


def _channel_number(name: str) -> int:
    channel = re.search(r"_ch(\d+)\.npz$", name)
    return int(channel[1]) if channel else 0
