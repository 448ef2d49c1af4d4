"""BIDS-EMG datasets -> manifest rows: one per repetition if events state them, else one per recording.

It reads names and tables, and no samples. The layout is that of BIDS 1.11 for the datatype ``emg``
(https://bids-specification.readthedocs.io, "Electromyography"; BIDS itself: doi 10.1038/sdata.2016.44).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semg_hht.errors import InputError
from semg_hht.recordings.channels import ChannelDescription, reasons_by_description
from semg_hht.recordings.formats.edf import MAX_LABEL
from semg_hht.recordings.manifest import MANIFEST_COLUMNS, ManifestRow, gender_of, read_number
from semg_hht.recordings.spelling import spelling_key
from semg_hht.recordings.units import volts
from semg_hht.system.files import is_hidden, read_json, require_file

log = logging.getLogger(__name__)

DESCRIPTION = "dataset_description.json"
PARTICIPANTS = "participants.tsv"
RECORDING_ENDINGS = ("emg.bdf", "emg.edf")  # all that BIDS allows for EMG
# Columns with the label of an event: the column of the standard first, then columns that others use for it.
MOVEMENT_COLUMNS = ("trial_type", "movement", "gesture", "event_type")
_FOLDERS = (".", "sub-*", "sub-*/emg", "sub-*/ses-*", "sub-*/ses-*/emg")

_NamedFile = tuple[Path, dict[str, str], str]  # path, entities of its name, the rest of the name


def is_bids(folder: Path) -> bool:
    """Whether a folder is the root of a BIDS dataset."""
    return (folder / DESCRIPTION).is_file()


def read_bids(folder: Path) -> list[ManifestRow]:
    """Rows of a BIDS dataset: one per repetition if the recording's events have durations, else one per recording.

    Subject and session are those in the file name. Gender is the participant's ``sex``, and the movement is the event's
    ``trial_type``; in a dataset of several tasks without such events, the task is the movement. Channels are those of
    type EMG that are not marked bad. The muscle is their ``target_muscle`` if they share one.

    Raises
    ------
    InputError
        The folder is not a BIDS dataset or has no EMG recordings, or a sidecar or table is invalid.
    """
    if not is_bids(folder):
        raise InputError(f"{folder}: expected a BIDS dataset with {DESCRIPTION} at its root; found none")
    dataset = _BidsDataset(
        root=folder,
        files={path: sorted(_named_files(path)) for pattern in _FOLDERS for path in _folders(folder, pattern)},
        genders=_genders(folder / PARTICIPANTS),
    )
    recordings = dataset.recordings()
    if not recordings:
        raise InputError(f"{folder}: expected recordings sub-*/emg/*_emg.edf or .bdf; found none")
    rows: list[ManifestRow] = []
    n_repetitions = n_other_events = 0
    for path in recordings:
        recording = _recording_row(dataset, path)
        if recording is None:
            continue
        repetitions, n_other = _repetitions(dataset, path, recording)
        n_repetitions += len(repetitions)
        n_other_events += n_other if repetitions else 0
        rows += repetitions or [recording]
    if not rows:
        raise InputError(f"{folder}: expected EMG channels that are not marked bad; found none")
    if n_other_events:
        message = "%d events in %s have no duration or precede the recording; they are left out"
        log.warning(message, n_other_events, folder)
    if n_repetitions == 0 and len({row.extra["task"] for row in rows}) > 1:
        rows = [replace(row, movement=row.extra["task"]) for row in rows]
    return rows


def parse_name(name: str) -> tuple[dict[str, str], str]:
    """``sub-01_task-curl_emg.edf`` -> its entities ``{"sub": "01", "task": "curl"}`` and the rest ``emg.edf``."""
    *pairs, ending = name.split("_")
    return {key: value for key, _, value in (pair.partition("-") for pair in pairs)}, ending


def standard_units(units: str) -> str:
    """``V``, ``mV`` or ``uV`` as EDF headers spell them; a unit of the device is returned unchanged."""
    return volts(units) or units


@dataclass(frozen=True)
class _BidsDataset:
    """The files of each folder with the entities of their names, and the gender of each subject by `spelling_key`."""

    root: Path
    files: dict[Path, list[_NamedFile]]
    genders: dict[str, str]

    def recordings(self) -> list[Path]:
        files = [named for folder in self.files if folder.name == "emg" for named in self.files[folder]]
        return sorted(path for path, _, ending in files if ending.lower() in RECORDING_ENDINGS)

    def applicable(self, recording: Path, ending: str) -> list[Path]:
        """The files of one kind that apply to a recording, from the root down (the inheritance principle of BIDS)."""
        entities, _ = parse_name(recording.name)
        n_levels = len(recording.relative_to(self.root).parts)
        applicable: list[Path] = []
        for folder in reversed(recording.parents[:n_levels]):
            in_folder = [(len(own), path) for path, own, kind in self.files[folder]
                         if kind == ending and own.items() <= entities.items()]  # fmt: skip
            in_folder.sort()
            if len(in_folder) > 1 and in_folder[-1][0] == in_folder[-2][0]:
                names = f"{in_folder[-2][1].name} and {in_folder[-1][1].name}"
                raise InputError(f"{folder}: {names} both apply to {recording.name}; expected one of them")
            applicable += [path for _, path in in_folder]
        return applicable

    def nearest(self, recording: Path, ending: str) -> Path | None:
        """The table that applies to a recording: the one deepest in the tree."""
        return next(reversed(self.applicable(recording, ending)), None)

    def merged(self, recording: Path, ending: str) -> dict[str, tuple[Path, Any]]:
        """The keys of all JSON files that apply; the deepest file wins. Each value comes with its file."""
        merged: dict[str, tuple[Path, Any]] = {}
        for path in self.applicable(recording, ending):
            merged |= {key: (path, value) for key, value in _json_object(path).items()}
        return merged


def _folders(root: Path, pattern: str) -> list[Path]:
    return [root] if pattern == "." else [path for path in root.glob(pattern) if path.is_dir()]


def _named_files(folder: Path) -> Iterator[_NamedFile]:
    for path in folder.iterdir():
        if not (
            is_hidden(path.name) or path.is_dir()
        ):  # a broken link of git-annex counts as a file; reading it reports the error
            yield path, *parse_name(path.name)


def _json_object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object; found {type(content).__name__}")
    return content


def _recording_row(dataset: _BidsDataset, path: Path) -> ManifestRow | None:
    """The row of a whole recording; None if all of its EMG channels are marked bad."""
    entities, _ = parse_name(path.name)
    table = dataset.nearest(path, "channels.tsv")
    channels = _Channels() if table is None else _channels(table)
    if channels is None:
        log.warning("%s: all EMG channels are marked bad in %s; the recording is left out", path, table)
        return None
    rate_hz, rate_source = _rate_hz(dataset.merged(path, "emg.json"))
    return ManifestRow(
        file=path.relative_to(dataset.root).as_posix(),
        subject=entities.get("sub", ""),
        session=entities.get("ses", ""),
        repetition=entities.get("run", "").lstrip("0"),
        muscle=channels.muscle,
        gender=dataset.genders.get(spelling_key(entities.get("sub", "")), ""),
        rate_hz=rate_hz,
        units=channels.units,
        channels=channels.selected,
        extra={"task": entities.get("task", "")},
        rate_source=rate_source,
    )


@dataclass(frozen=True)
class _Channels:
    """Content of a channels table. ``selected``: names of the channels to use, or their numbers; empty: all."""

    selected: tuple[str, ...] = ()
    units: str = ""
    muscle: str = ""


def _channels(path: Path) -> _Channels | None:
    rows = _read_tsv(path, ("name", "type", "units"))
    emg = [(number, row) for number, row in enumerate(rows, start=1) if row["type"].upper() == "EMG"]
    if not emg:
        found = ", ".join(sorted({row["type"] for row in rows})) or "nothing"
        raise InputError(f"{path}: expected channels of type EMG; found {found}")
    good = [(number, row) for number, row in emg if row.get("status", "").lower() != "bad"]
    if not good:
        return None
    names = [row["name"] for row in rows]
    # Headers of EDF and BDF can't hold other names, so these channels are selected by their numbers in the file.
    by_name = len(set(names)) == len(names) and max(map(len, names)) <= MAX_LABEL
    units = {standard_units(row["units"]) for _, row in good}
    muscles = {row.get("target_muscle", "") for _, row in good}
    # The types of the table count more than what the reader of the recording concludes from names and units.
    described = [ChannelDescription(row["name"], standard_units(row["units"])) for row in rows]
    all_are_used = len(good) == len(rows) and not any(reasons_by_description(described))
    return _Channels(
        selected=() if all_are_used else tuple(row["name"] if by_name else str(n) for n, row in good),
        units=units.pop() if len(units) == 1 else "",
        muscle=muscles.pop() if len(muscles) == 1 else "",
    )


def _rate_hz(sidecar: dict[str, tuple[Path, Any]]) -> tuple[float | None, str]:
    """The stated rate and the file that states it."""
    if "SamplingFrequency" not in sidecar:
        return None, ""  # the header of the recording states it
    path, rate = sidecar["SamplingFrequency"]
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= sys.float_info.max:
        raise InputError(f"{path}: SamplingFrequency must be a number above 0; found {rate!r}")
    return float(rate), str(path)


def _genders(path: Path) -> dict[str, str]:
    """`spelling_key` of a subject -> gender, from the column ``sex``, or ``gender`` where ``sex`` is empty.

    A subject may be ``01`` in the names of files and ``1`` in a table that a spreadsheet saved.
    """
    if not path.is_file():
        return {}
    genders: dict[str, str] = {}
    for row in _read_tsv(path, ("participant_id",)):
        gender = gender_of(row.get("sex") or row.get("gender", ""))
        subject = spelling_key(row["participant_id"]).removeprefix("sub-")
        # "sub-01" without its prefix is "01", which a key has without its zero
        stated = genders.setdefault(spelling_key(subject), gender)
        if stated != gender:
            name, sexes = row["participant_id"], f"{stated or 'no sex'} and {gender or 'no sex'}"
            raise InputError(f"{path}: {name} is listed with {sexes}; expected one line for each participant")
    return genders


def _repetitions(dataset: _BidsDataset, path: Path, recording: ManifestRow) -> tuple[list[ManifestRow], int]:
    """One row per event with a duration, in order of time, and the number of other events."""
    events = dataset.nearest(path, "events.tsv")
    if events is None:
        return [], 0
    table = _read_tsv(events, ("onset", "duration"))
    _, description = dataset.merged(path, "events.json").get("channel", (events, {}))
    delimiter = description.get("Delimiter") if isinstance(description, dict) else None
    if not isinstance(delimiter, (str, type(None))):
        raise InputError(f"{events}: expected the Delimiter of channels as text; its events.json states {delimiter!r}")
    intervals = []
    for number, event in enumerate(table, start=1):
        where = f"{events}, event {number}"
        onset, duration = (read_number(where, column, event[column]) for column in ("onset", "duration"))
        if onset is not None and duration and onset >= 0:
            intervals.append((onset, round(onset + duration, 9), event))
    rows: dict[tuple[float, float, tuple[str, ...]], ManifestRow] = {}
    for start_s, stop_s, event in sorted(intervals, key=lambda item: item[:2]):
        text = event.get("channel", "")
        channels = tuple(text.split(delimiter) if delimiter else [text]) if text else recording.channels
        if (start_s, stop_s, channels) in rows:
            raise InputError(
                f"{events}: two events last from {start_s:g} s to {stop_s:g} s; expected one per repetition"
            )
        rows[start_s, stop_s, channels] = replace(
            recording,
            repetition=event.get("repetition") or str(len(rows) + 1),
            muscle=event.get("muscle") or recording.muscle,
            movement=event.get(_movement_column(event), ""),
            start_s=start_s,
            stop_s=stop_s,
            channels=channels,
            extra=recording.extra | _extra(event),
        )
    return list(rows.values()), len(table) - len(intervals)


def _movement_column(event: dict[str, str]) -> str:
    return next((column for column in MOVEMENT_COLUMNS if column in event), "")


def _extra(event: dict[str, str]) -> dict[str, str]:
    used = {"onset", "duration", "channel", "task", _movement_column(event), *MANIFEST_COLUMNS}
    return {name: value for name, value in event.items() if value and name not in used}


def _read_tsv(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a BIDS table as column -> cell; ``n/a`` becomes empty."""
    require_file(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{path}: expected UTF-8 text, separated by tabs") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read; {error.strerror}") from None
    header = [cell.strip() for cell in lines[0].split("\t")]
    if not set(required) <= set(header):
        found = ", ".join(filter(None, header)) or "nothing"
        raise InputError(f"{path}: expected columns {', '.join(required)}, separated by tabs; found {found}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in line.rstrip("\r").split("\t")]
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise InputError(f"{path}, line {number}: expected {len(header)} cells; found {len(cells)}")
        rows.append({name: "" if cell.lower() == "n/a" else cell for name, cell in zip(header, cells, strict=True)})
    return rows
