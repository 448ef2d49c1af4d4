"""BIDS-EMG datasets -> rows like those of a manifest: a row a recording, or a row a repetition where events tell them.

Knows names and tables: reads no samples. What is read is what BIDS 1.11 lays down for the datatype ``emg``
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
from semg_hht.recordings.manifest import GENDER_SPELLINGS, MANIFEST_COLUMNS, ManifestRow, read_number
from semg_hht.system.files import read_json, require_file

log = logging.getLogger(__name__)

DESCRIPTION = "dataset_description.json"
PARTICIPANTS = "participants.tsv"
RECORDING_ENDINGS = ("emg.bdf", "emg.edf")  # all that BIDS allows for EMG
# Where the label of an event stands: the standard's own column, else one that means the same.
MOVEMENT_COLUMNS = ("trial_type", "movement", "gesture", "event_type")
MAX_LABEL = 16  # characters of a channel name in an EDF or BDF header
_VOLTS = {"v": "V", "mv": "mV", "uv": "uV", "µv": "uV", "μv": "uV", "microv": "uV"}
_FOLDERS = (".", "sub-*", "sub-*/emg", "sub-*/ses-*", "sub-*/ses-*/emg")

_Table = list[dict[str, str]]
_Named = tuple[Path, dict[str, str], str]  # path, entities of its name, what stands behind them


def is_bids(folder: Path) -> bool:
    """Whether a folder is the root of a BIDS dataset."""
    return (folder / DESCRIPTION).is_file()


def read_bids(folder: Path) -> list[ManifestRow]:
    """Rows of a BIDS dataset: one a repetition, where a recording's events have a duration, else one a recording.

    The subject and session are those of the file's name, gender is the participant's ``sex``, the movement an event's
    ``trial_type``. Without any such events, and with several tasks in the dataset, the task is the movement. Channels
    are those of type EMG that are not marked bad; the muscle is their ``target_muscle``, where they share one.

    Raises
    ------
    InputError
        Not a BIDS dataset, no EMG recordings in it, or a sidecar or table that can't be understood.
    """
    if not is_bids(folder):
        raise InputError(f"{folder}: expected a BIDS dataset with {DESCRIPTION} at its root; found none")
    dataset = _Dataset(
        root=folder,
        sidecars={path: sorted(_named(path)) for pattern in _FOLDERS for path in _matching(folder, pattern)},
        genders=_genders(folder / PARTICIPANTS),
    )
    recordings = dataset.recordings()
    if not recordings:
        raise InputError(f"{folder}: expected recordings sub-*/emg/*_emg.edf or .bdf; found none")
    rows: list[ManifestRow] = []
    n_repetitions = n_left_out = 0
    for path in recordings:
        recording = _recording_row(dataset, path)
        if recording is None:
            continue
        repetitions, n_other = _repetitions(dataset, path, recording)
        n_repetitions += len(repetitions)
        n_left_out += n_other if repetitions else 0
        rows += repetitions or [recording]
    if not rows:
        raise InputError(f"{folder}: expected EMG channels that are not marked bad; found none")
    if n_left_out:
        log.warning(
            "events in %s that have no duration, or precede the recording, are left out: %d", folder, n_left_out
        )
    if n_repetitions == 0 and len({row.extra["task"] for row in rows}) > 1:
        rows = [replace(row, movement=row.extra["task"]) for row in rows]
    return rows


def parse_name(name: str) -> tuple[dict[str, str], str]:
    """``sub-01_task-curl_emg.edf`` -> its entities ``{"sub": "01", "task": "curl"}`` and the rest ``emg.edf``."""
    *pairs, ending = name.split("_")
    return {key: value for key, _, value in (pair.partition("-") for pair in pairs)}, ending


def standard_units(units: str) -> str:
    """``V``, ``mV`` and ``uV`` in the one spelling that EDF headers hold; a device's own unit as it stands."""
    return _VOLTS.get(units.lower(), units)


@dataclass(frozen=True)
class _Dataset:
    """A dataset as listed once: folder -> its files with the entities of their names; subject -> gender."""

    root: Path
    sidecars: dict[Path, list[_Named]]
    genders: dict[str, str]

    def recordings(self) -> list[Path]:
        files = [named for folder in self.sidecars if folder.name == "emg" for named in self.sidecars[folder]]
        return sorted(path for path, _, ending in files if ending.lower() in RECORDING_ENDINGS)

    def applicable(self, recording: Path, ending: str) -> list[Path]:
        """The files of one kind that speak of a recording, from the root down: BIDS' inheritance principle."""
        own, _ = parse_name(recording.name)
        n_levels = len(recording.relative_to(self.root).parts)
        found: list[Path] = []
        for folder in reversed(recording.parents[:n_levels]):
            here = [(len(entities), path) for path, entities, kind in self.sidecars[folder]
                    if kind == ending and entities.items() <= own.items()]  # fmt: skip
            here.sort()
            if len(here) > 1 and here[-1][0] == here[-2][0]:
                names = f"{here[-2][1].name} and {here[-1][1].name}"
                raise InputError(f"{folder}: {names} both speak of {recording.name}; expected one of them")
            found += [path for _, path in here]
        return found

    def nearest(self, recording: Path, ending: str) -> Path | None:
        """The table that counts: the one lowest in the tree."""
        return next(reversed(self.applicable(recording, ending)), None)

    def merged(self, recording: Path, ending: str) -> dict[str, tuple[Path, Any]]:
        """The keys of all JSON files that apply, the nearest winning; each with the file it comes from."""
        merged: dict[str, tuple[Path, Any]] = {}
        for path in self.applicable(recording, ending):
            merged |= {key: (path, value) for key, value in _json_object(path).items()}
        return merged


def _matching(root: Path, pattern: str) -> list[Path]:
    return [root] if pattern == "." else [path for path in root.glob(pattern) if path.is_dir()]


def _named(folder: Path) -> Iterator[_Named]:
    for path in folder.iterdir():
        if not path.is_dir():  # a link that leads nowhere is listed: git-annex leaves them, and reading says so
            yield path, *parse_name(path.name)


def _json_object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object; found {type(content).__name__}")
    return content


def _recording_row(dataset: _Dataset, path: Path) -> ManifestRow | None:
    """The row of a whole recording; None where all of its EMG channels are marked bad."""
    entities, _ = parse_name(path.name)
    table = dataset.nearest(path, "channels.tsv")
    channels = _Channels() if table is None else _channels(table)
    if channels is None:
        log.warning("%s: all EMG channels are marked bad in %s; the recording is left out", path, table)
        return None
    rate_hz, rate_from = _rate_hz(dataset.merged(path, "emg.json"))
    return ManifestRow(
        file=path.relative_to(dataset.root).as_posix(),
        subject=entities.get("sub", ""),
        session=entities.get("ses", ""),
        repetition=entities.get("run", "").lstrip("0"),
        muscle=channels.muscle,
        gender=dataset.genders.get(entities.get("sub", ""), ""),
        rate_hz=rate_hz,
        units=channels.units,
        channels=channels.chosen,
        extra={"task": entities.get("task", "")},
        rate_from=rate_from,
    )


@dataclass(frozen=True)
class _Channels:
    """What a channels table says. ``chosen``: names or 1-based numbers to use; empty: all."""

    chosen: tuple[str, ...] = ()
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
    by_name = len(set(names)) == len(names) and max(map(len, names)) <= MAX_LABEL  # else the file can't hold them so
    units = {standard_units(row["units"]) for _, row in good}
    muscles = {row.get("target_muscle", "") for _, row in good}
    return _Channels(
        chosen=() if len(good) == len(rows) else tuple(row["name"] if by_name else str(n) for n, row in good),
        units=units.pop() if len(units) == 1 else "",
        muscle=muscles.pop() if len(muscles) == 1 else "",
    )


def _rate_hz(sidecar: dict[str, tuple[Path, Any]]) -> tuple[float | None, str]:
    """The rate that is stated, and the file that states it."""
    if "SamplingFrequency" not in sidecar:
        return None, ""  # the recording's own header says
    path, rate = sidecar["SamplingFrequency"]
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate <= sys.float_info.max:
        raise InputError(f"{path}: SamplingFrequency must be a number above 0; found {rate!r}")
    return float(rate), str(path)


def _genders(path: Path) -> dict[str, str]:
    """Subject -> gender; the column ``gender`` is asked where ``sex`` says nothing."""
    if not path.is_file():
        return {}
    genders = {}
    for row in _read_tsv(path, ("participant_id",)):
        said = row.get("sex") or row.get("gender", "")
        genders[row["participant_id"].removeprefix("sub-")] = GENDER_SPELLINGS.get(said.lower(), said)
    return genders


def _repetitions(dataset: _Dataset, path: Path, recording: ManifestRow) -> tuple[list[ManifestRow], int]:
    """A row an event that lasts, in order of time; and how many other events there are."""
    events = dataset.nearest(path, "events.tsv")
    if events is None:
        return [], 0
    table = _read_tsv(events, ("onset", "duration"))
    _, described = dataset.merged(path, "events.json").get("channel", (events, {}))
    delimiter = described.get("Delimiter") if isinstance(described, dict) else None
    if not isinstance(delimiter, (str, type(None))):
        raise InputError(f"{events}: expected the Delimiter of channels as text; its events.json says {delimiter!r}")
    lasting = []
    for number, event in enumerate(table, start=1):
        where = f"{events}, event {number}"
        onset, duration = (read_number(where, column, event[column]) for column in ("onset", "duration"))
        if onset is not None and duration and onset >= 0:
            lasting.append((onset, round(onset + duration, 9), event))
    rows: dict[tuple[float, float, tuple[str, ...]], ManifestRow] = {}
    for start_s, stop_s, event in sorted(lasting, key=lambda item: item[:2]):
        named = event.get("channel", "")
        channels = tuple(named.split(delimiter) if delimiter else [named]) if named else recording.channels
        if (start_s, stop_s, channels) in rows:
            raise InputError(f"{events}: two events last from {start_s:g} s to {stop_s:g} s; expected one a repetition")
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
    return list(rows.values()), len(table) - len(lasting)


def _movement_column(event: dict[str, str]) -> str:
    return next((column for column in MOVEMENT_COLUMNS if column in event), "")


def _extra(event: dict[str, str]) -> dict[str, str]:
    known = {"onset", "duration", "channel", "task", _movement_column(event), *MANIFEST_COLUMNS}
    return {name: value for name, value in event.items() if value and name not in known}


def _read_tsv(path: Path, required: tuple[str, ...]) -> _Table:
    """The rows of a BIDS table, by column; ``n/a`` is empty."""
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
