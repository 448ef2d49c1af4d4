"""Recordings and matrices that a caller gives: paths, objects of Python, or several of them.

It knows names and objects. `find_inputs.py` finds what a path names; `recordings/given.py` reads objects.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

from semg_hht.datasets.find_inputs import (
    InputOptions,
    find_inputs,
    find_jobs,
    jobs_of_rows,
    with_channels,
    with_long_names,
)
from semg_hht.datasets.prepared import Prepared
from semg_hht.datasets.rows_table import RowsTable
from semg_hht.errors import InputError
from semg_hht.recordings.given import RecordingLike, is_recording_like, is_table, recording_of
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import ManifestRow, parse_file_name, read_manifest_text
from semg_hht.recordings.recorded import Recording

Given = str | Path | RecordingLike | RowsTable | Prepared
Data = Given | Sequence[Given]
TABLE = Path("table of repetitions")


def given_list(data: Data, *, rate_hz: float | None = None, units: str = "") -> list[Given]:
    """What was given, one by one: a list or a tuple holds several, everything else is one.

    A table of repetitions and the recordings in memory that it names, given together, become one `RowsTable`.

    Raises
    ------
    InputError
        Something that is no path and holds no recording.
    """
    several = list(data) if isinstance(data, (list, tuple)) else [cast(Given, data)]
    for one in several:
        if not isinstance(one, (str, Path, RowsTable, Prepared)) and not is_recording_like(one):
            raise InputError(
                "expected a path, a Recording, an array, a DataFrame, an mne.io.Raw, a result of segment, label or "
                f"prepare, or a list of them; found {type(one).__name__}"
            )
    several = [one.folder if isinstance(one, Prepared) else one for one in several]
    if not several:
        raise InputError("expected at least one recording; found an empty list")
    return _joined(several, rate_hz, units)


def _joined(several: list[Given], rate_hz: float | None, units: str) -> list[Given]:
    """Tables of repetitions with the recordings in memory that they name; what they don't name is left as it is."""
    tables = [one for one in several if _lists_repetitions(one)]
    recordings = [one for one in several if is_recording_like(one) and not _lists_repetitions(one)]
    if not tables or not recordings:
        return several
    rows = [row for table in tables if _names_files(table) for row in _rows_of(table)]
    rates = {row.file: row.rate_hz for row in rows}
    one_rate = next(iter(rates.values()), None) if len(set(rates.values())) == 1 else None
    jobs: list[Job] = []
    for number, given in enumerate(recordings, start=1):
        number = number if len(recordings) > 1 else 1
        rate = rate_hz if isinstance(given, Recording) else rate_hz or rates.get(_name(number), one_rate)
        more = jobs_of_object(given, rate_hz=rate, units=units, number=number)
        jobs += distinct(given, more, {job.file for job in jobs})
    if len(jobs) == 1:
        rows += [row for table in tables if not _names_files(table) for row in _rows_of(table, jobs[0].file)]
    in_memory = {job.file for job in jobs}
    if not in_memory & {row.file for row in rows}:
        return several
    named = [replace(job, rows=own) for job in jobs if (own := _stated(job, rows))]
    elsewhere = [row for row in rows if row.file not in in_memory]
    found = RowsTable(tuple(rows), (*named, *jobs_of_rows(elsewhere, Path(), rate_hz, units)))
    return [found, *(one for one in several if not is_recording_like(one))]


def _stated(job: Job, rows: list[ManifestRow]) -> tuple[ManifestRow, ...]:
    """The rows of a recording in memory, with its rate and units where they state none."""
    (shared,) = job.rows
    own = [row for row in rows if row.file == job.file]
    return tuple(replace(row, rate_hz=row.rate_hz or shared.rate_hz, units=row.units or shared.units) for row in own)


def _columns(given: Any) -> set[str]:
    return {str(column) for column in given.columns} if is_table(given) else set()


def _names_files(given: Any) -> bool:
    return "file" in _columns(given)


def _lists_repetitions(given: Any) -> bool:
    """Whether it is a table of repetitions, not one of samples."""
    return _names_files(given) or {"start_s", "stop_s"} <= _columns(given)


def _rows_of(table: Any, file: str = "") -> list[ManifestRow]:
    """The rows of a table of repetitions; ``file`` : the recording that they are in, where no column names it."""
    return read_manifest_text(_csv_of(table.assign(file=file) if file else table), TABLE)


def _name(number: int) -> str:
    """What the ``number``-th recording in memory is called that has no name of its own."""
    return "recording" if number == 1 else f"recording {number}"


def inputs_of(given: Given, options: InputOptions, number: int = 1) -> tuple[list[tuple[Path, str]], list[Job]]:
    """The matrices (path, name) and recordings of one given thing, which is the ``number``-th."""
    if isinstance(given, (str, Path)):
        matrices, jobs = find_inputs(Path(given), options)
    else:
        matrices, jobs = [], jobs_of_object(given, rate_hz=options.rate_hz, units=options.units, number=number)
    return matrices, with_channels(jobs, options.channels)


def jobs_of(
    data: Data, *, rate_hz: float | None = None, units: str = "", channels: str | Sequence[str] = ()
) -> list[Job]:
    """The recordings of what was given; each has a name of its own.

    ``channels`` : see `InputOptions`.

    Raises
    ------
    InputError
        A path that names no recording, or an object that holds none.
    """
    jobs: list[Job] = []
    several = given_list(data, rate_hz=rate_hz, units=units)
    for number, given in enumerate(several, start=1):
        if isinstance(given, (str, Path)):
            more = find_jobs(Path(given), rate_hz=rate_hz, units=units)
        else:
            more = jobs_of_object(given, rate_hz=rate_hz, units=units, number=number if len(several) > 1 else 1)
        jobs += distinct(given, more, {job.file for job in jobs})
    return with_channels(jobs, channels)


def distinct(given: Given, jobs: list[Job], taken: set[str]) -> list[Job]:
    """The jobs with other names where theirs are taken: with the folder of a path, or numbered."""
    if not taken & {job.file for job in jobs}:
        return jobs
    if isinstance(given, (str, Path)):
        return with_long_names(Path(given), [], jobs)[1]
    return [_numbered(job, len(taken) + 1) if job.file in taken else job for job in jobs]


def jobs_of_object(given: Any, *, rate_hz: float | None = None, units: str = "", number: int = 1) -> list[Job]:
    """The recordings of an object. Labels come from the name of the file, where it has one, as for files."""
    if isinstance(given, RowsTable):
        return list(given.jobs)
    if _lists_repetitions(given):
        jobs = jobs_of_rows(_rows_of(given), Path(), rate_hz, units) if _names_files(given) else []
        if any(job.path.exists() for job in jobs):
            return jobs
        found = f"no file {jobs[0].file}" if jobs else "no column file"
        raise InputError(
            f"{TABLE}: expected the files that it names; found {found}. If its recording is in memory, give both: "
            "[table, recording]"
        )
    recording = recording_of(given, rate_hz=rate_hz, units=units, name=_name(number))
    path = Path(recording.source or _name(number))
    try:
        row = parse_file_name(path.name)
    except InputError:
        row = ManifestRow(file=path.name)
    row = replace(row, rate_hz=recording.rate_hz, units=recording.units)
    return [Job(path, (row,), recording=recording)]


def _numbered(job: Job, number: int) -> Job:
    name = f"{PurePosixPath(job.file).stem} ({number}){PurePosixPath(job.file).suffix}"
    path = job.path.with_name(name) if job.recording is not None else job.path
    return replace(job, path=path, rows=tuple(replace(row, file=name) for row in job.rows))


def _csv_of(table: Any) -> str:
    """A DataFrame as the text of a manifest."""
    text = io.StringIO()
    table.to_csv(text, index=False)
    return text.getvalue()
