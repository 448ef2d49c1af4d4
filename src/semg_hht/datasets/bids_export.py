"""Export recordings as a BIDS-EMG dataset: samples as BDF, repetitions as events.

It writes the tables and sidecars of BIDS 1.11, datatype ``emg`` (https://bids-specification.readthedocs.io,
"Electromyography"; BIDS: doi 10.1038/sdata.2016.44). Whatever is not stated is ``n/a`` and never guessed. The module
does not know matrices.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semg_hht.datasets.bids_names import BidsName, Plan, plan_dataset
from semg_hht.errors import InputError, WriteError
from semg_hht.recordings.bids import DESCRIPTION, PARTICIPANTS, is_bids, standard_units
from semg_hht.recordings.formats.bdf_writer import WrittenBdf, header_labels, write_bdf
from semg_hht.recordings.jobs import Failure, Job, Remark, none_usable, read_job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording
from semg_hht.signals.repetitions import cut_repetition
from semg_hht.system.files import read_json, recover_folder, require_new_folder, whole_folder, write_json, write_text
from semg_hht.system.progress import Track, untracked
from semg_hht.version import __version__

BIDS_VERSION = "1.11.1"
GENERATOR = "semg-hht"
NOT_STATED = "n/a"
DELIMITER = ";"  # between the channels of an event; labels do not contain it
# Beginning of the label of a channel that is not EMG -> its type in BIDS.
CHANNEL_TYPES = {
    "ECG": "ECG", "EEG": "EEG", "EOG": "EOG", "ACC": "ACCEL", "GYR": "GYRO", "MAG": "MAGN", "RESP": "RESP",
    "TEMP": "TEMP", "TRIG": "TRIG", "STATUS": "TRIG", "ANGLE": "JNTANG",
}  # fmt: skip
# Columns of events that BIDS or our reader use; a column of the user with such a name is renamed.
RESERVED = ("onset", "duration", "trial_type", "response_time", "value", "sample", "stim_file", "HED", "channel")


@dataclass(frozen=True)
class ExportedDataset:
    """What `export_bids` wrote. ``rounding``: the largest error of any sample, as a share of its channel's range."""

    folder: Path
    n_recordings: int
    rounding: float
    failures: tuple[Failure, ...]
    remarks: tuple[Remark, ...]


def export_bids(
    jobs: list[Job],
    out: Path,
    *,
    name: str,
    task: str = "repetitions",
    power_line_hz: float | None = None,
    overwrite: bool = False,
    track: Track = untracked,
) -> ExportedDataset:
    """Write a BIDS dataset of the recordings, unfiltered and with all channels. One is in memory at a time.

    The folder appears when all of it is written. A recording that can't be used becomes a failure; the others are
    exported.

    Parameters
    ----------
    name : name of the dataset.
    task : name of the task, for recordings whose rows have no column ``task``.
    power_line_hz : mains frequency at the place of recording; None: not stated.

    Raises
    ------
    InputError
        The folder is not empty (with ``overwrite``: it holds something that we did not export); one subject has two
        genders; no recording could be used; edfio is not installed.
    """
    if power_line_hz is not None and not (math.isfinite(power_line_hz) and power_line_hz > 0):
        raise InputError(f"the mains frequency must be above 0 Hz; got {power_line_hz:g}")
    _require_free(out, overwrite)
    plan = plan_dataset(jobs, task)
    columns = _EventColumns.of([place.job for place in plan.names])
    failures, remarks = list(plan.failures), [Remark(PARTICIPANTS, text) for text in plan.remarks]
    rounding = 0.0
    written: list[BidsName] = []
    with whole_folder(out) as root:
        for place in track(plan.names, len(plan.names), "exporting"):
            try:
                labelled = _read(place.job)
                events = _events(labelled, columns)
                bdf = root / place.folder / "emg" / f"{place.stem}_emg.bdf"
                file = write_bdf(labelled.recording, bdf, labelled.labels)
            except WriteError:
                raise  # no fault of the recording
            except InputError as error:
                failures.append(Failure(place.job.file, str(error)))
                continue
            _write_tables(root / place.folder / "emg" / place.stem, labelled, events, place.task, power_line_hz)
            rounding = max(rounding, file.rounding)
            remarks += _remarks(labelled, file)
            written.append(place)
        if not written:
            raise none_usable(failures)
        _write_dataset(root, name, plan, written, columns, rounding)
    return ExportedDataset(out, len(written), rounding, tuple(failures), tuple(remarks))


def _require_free(out: Path, overwrite: bool) -> None:
    recover_folder(out)
    require_new_folder(out, overwrite=overwrite)
    if out.is_dir() and any(out.iterdir()) and not _is_ours(out):
        raise InputError(f"{out}: holds something that was not exported by {GENERATOR}; choose another folder")


def _is_ours(folder: Path) -> bool:
    description = read_json(folder / DESCRIPTION) if is_bids(folder) else {}
    makers = description.get("GeneratedBy") if isinstance(description, dict) else None
    return isinstance(makers, list) and GENERATOR in [maker.get("Name") for maker in makers if isinstance(maker, dict)]


@dataclass(frozen=True)
class _EventColumns:
    """The columns of all events tables of a dataset. ``extra``: column of the rows -> its name in the tables."""

    names: tuple[str, ...]
    extra: dict[str, str]

    @classmethod
    def of(cls, jobs: list[Job]) -> _EventColumns:
        columns = sorted({name for job in jobs for row in job.rows for name in row.extra} - {"task"})
        extra = {name: f"stated_{name}" if name in RESERVED else re.sub(r"\s", " ", name) for name in columns}
        names = ["onset", "duration", "trial_type", "repetition"]
        if any(row.channels for job in jobs for row in job.rows):
            names += ["channel", "muscle"]
        elif any(len({row.muscle for row in job.rows}) > 1 for job in jobs):  # otherwise the channels tables name it
            names.append("muscle")
        return cls((*names, *extra.values()), extra)

    def descriptions(self) -> dict[str, Any]:
        descriptions = {
            "onset": {"Description": "Start of the repetition", "Units": "s"},
            "duration": {"Description": "Duration of the repetition", "Units": "s"},
            "trial_type": {"Description": "The movement shown, or its quality"},
            "repetition": {"Description": "Number or name of the repetition"},
            "channel": {"Description": "Channels of the event; n/a: all EMG", "Delimiter": DELIMITER},
            "muscle": {"Description": "The muscle these channels were placed on"},
        }
        for column, name in self.extra.items():
            descriptions[name] = {"Description": f"Column {column!r} of the table of recordings"}
        return {name: descriptions[name] for name in self.names}


_Rows = list[dict[str, str]]


@dataclass(frozen=True)
class _LabelledRecording:
    """A recording, the labels of its channels, and for each ``channels`` of its rows the names of these channels."""

    rows: tuple[ManifestRow, ...]
    recording: Recording
    labels: tuple[str, ...]
    chosen: dict[tuple[str, ...], tuple[str, ...]]


def _read(job: Job) -> _LabelledRecording:
    recording = read_job(job)
    recording = replace(recording, units=standard_units(recording.units))
    chosen = {channels: recording.select(channels).channel_names for channels in {row.channels for row in job.rows}}
    return _LabelledRecording(job.rows, recording, header_labels(recording), chosen)


def _events(labelled: _LabelledRecording, columns: _EventColumns) -> _Rows:
    """One event per repetition, in order of time."""
    recording = labelled.recording
    label_of = dict(zip(recording.channel_names, labelled.labels, strict=True))
    events: dict[tuple[float, float, str], dict[str, str]] = {}
    for row in labelled.rows:
        cut_repetition(recording, row.start_s, row.stop_s)  # raises an error for an interval outside the recording
        start_s = row.start_s or 0.0
        stop_s = recording.duration_s if row.stop_s is None else row.stop_s
        chosen = DELIMITER.join(label_of[name] for name in labelled.chosen[row.channels])
        if (start_s, stop_s, chosen) in events:
            raise InputError(
                f"{recording.source}: two rows describe {start_s:g} s to {stop_s:g} s; expected one per repetition"
            )
        events[start_s, stop_s, chosen] = {
            "onset": _seconds(start_s),
            "duration": _seconds(stop_s - start_s),
            "trial_type": row.movement,
            "repetition": row.repetition,
            "channel": chosen if row.channels else "",
            "muscle": row.muscle,
            **{name: row.extra.get(column, "") for column, name in columns.extra.items()},
        }
    return [{name: events[key][name] for name in columns.names} for key in sorted(events)]


def _write_tables(
    stem: Path, labelled: _LabelledRecording, events: _Rows, task: str, power_line_hz: float | None
) -> None:
    """Write the sidecar, the channels and the events of one recording."""
    recording = labelled.recording
    channels = []
    for name, label in zip(recording.channel_names, labelled.labels, strict=True):
        is_emg = name not in recording.non_emg
        muscles = {row.muscle for row in labelled.rows if name in labelled.chosen[row.channels]}
        channels.append({
            "name": label,
            "type": "EMG" if is_emg else _channel_type(label),
            "units": recording.units if is_emg else "",
            "description": name if name != label else "",
            "target_muscle": muscles.pop() if is_emg and len(muscles) == 1 else "",
        })  # fmt: skip
    sidecar = {
        "TaskName": task,
        "SamplingFrequency": _number(recording.rate_hz),
        "PowerLineFrequency": NOT_STATED if power_line_hz is None else _number(power_line_hz),
        "EMGReference": NOT_STATED,
        "EMGPlacementScheme": "Other",
        "EMGPlacementSchemeDescription": "Not stated in the recordings that this dataset was made of",
        "RecordingType": "continuous",
        "RecordingDuration": _number(recording.duration_s),
        "EMGChannelCount": sum(channel["type"] == "EMG" for channel in channels),
        "SoftwareFilters": NOT_STATED,
        "HardwareFilters": NOT_STATED,
    }
    write_text(stem.with_name(f"{stem.name}_channels.tsv"), _tsv(channels))
    write_text(stem.with_name(f"{stem.name}_events.tsv"), _tsv(events))
    write_json(stem.with_name(f"{stem.name}_emg.json"), sidecar)


def _channel_type(label: str) -> str:
    return next((kind for start, kind in CHANNEL_TYPES.items() if label.upper().startswith(start)), "MISC")


def _remarks(labelled: _LabelledRecording, file: WrittenBdf) -> list[Remark]:
    texts = list(labelled.recording.remarks)
    names = zip(labelled.recording.channel_names, labelled.labels, strict=True)
    texts += [f"channel {name!r} is {label!r} in the dataset" for name, label in names if name != label]
    if file.n_padded:
        texts.append(f"the last sample is repeated {file.n_padded} times at the end: BDF holds whole records only")
    return [Remark(labelled.rows[0].file, text) for text in texts]


def _write_dataset(
    root: Path, name: str, plan: Plan, written: list[BidsName], columns: _EventColumns, rounding: float
) -> None:
    description = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": GENERATOR, "Version": __version__}],
    }
    write_json(root / DESCRIPTION, description)
    for label in sorted({place.task_label for place in written}):
        write_json(root / f"task-{label}_events.json", columns.descriptions())
    scans: dict[Path, _Rows] = {}
    for place in written:
        table = root / place.folder / f"{place.person}_scans.tsv"
        source = {"filename": f"emg/{place.stem}_emg.bdf", "source_file": place.job.rows[0].file}
        scans.setdefault(table, []).append(source)
    for table, rows in scans.items():
        write_text(table, _tsv(rows))
    write_json(root / "scans.json", {"source_file": {"Description": "The file that the recording was made of"}})
    _write_participants(root, plan, {place.subject for place in written})
    write_text(root / "README.md", _README.format(name=name, generator=GENERATOR, version=__version__, share=rounding))


def _write_participants(root: Path, plan: Plan, labels: set[str]) -> None:
    described: dict[str, dict[str, Any]] = {
        "sex": {"Description": "Sex as it was recorded", "Levels": {"M": "male", "F": "female"}},
        "gender": {"Description": "Gender as it was recorded, if it is neither M nor F"},
        "source_name": {"Description": "Name of the subject in the recordings, if BIDS does not allow it as a label"},
    }
    people = []
    for label, source in plan.subjects.items():
        if label in labels:
            gender = plan.genders[label]
            is_sex = gender in described["sex"]["Levels"]
            people.append({
                "participant_id": f"sub-{label}",
                "sex": gender if is_sex else "",
                "gender": "" if is_sex else gender,
                "source_name": source if source != label else "",
            })  # fmt: skip
    for column in ("gender", "source_name"):
        if not any(person[column] for person in people):
            del described[column]
            people = [{key: value for key, value in person.items() if key != column} for person in people]
    write_text(root / PARTICIPANTS, _tsv(people))
    write_json(root / "participants.json", described)


def _tsv(rows: _Rows) -> str:
    """A BIDS table: cells without tabs or line breaks; ``n/a`` for empty cells."""
    lines = [list(rows[0]), *([" ".join(cell.split()) or NOT_STATED for cell in row.values()] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _seconds(value: float) -> str:
    return str(_number(round(value, 9)))


def _number(value: float) -> int | float:
    """1000.0 as 1000."""
    return int(value) if float(value).is_integer() else value


_README = """# {name}

Surface EMG as a BIDS dataset, written by {generator} {version}. The samples are those of the recordings, unfiltered;
`*_scans.tsv` names the file that each was made from. Their 24 bits are exact to {share:.1e} of a channel's range.

Each event is one repetition; `trial_type` is the movement.

## What is not stated yet

The recordings did not state the reference, the placement of the electrodes, the filters of the device and, where it is
`n/a`, the mains frequency: see `*_emg.json`. Add the authors and the licence to `dataset_description.json`, and to this
file who was recorded, and how.
"""
