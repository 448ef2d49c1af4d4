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

Given = str | Path | RecordingLike | RowsTable | Prepared
Data = Given | Sequence[Given]
TABLE = Path("table of repetitions")


def given_list(data: Data) -> list[Given]:
    """What was given, one by one: a list or a tuple holds several, everything else is one.

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
    return several


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
    several = given_list(data)
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
    if is_table(given) and "file" in [str(column) for column in given.columns]:
        rows = read_manifest_text(_csv_of(given), TABLE)
        return jobs_of_rows(rows, Path(), rate_hz, units)
    name = "recording" if number == 1 else f"recording {number}"
    recording = recording_of(given, rate_hz=rate_hz, units=units, name=name)
    path = Path(recording.source or name)
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
