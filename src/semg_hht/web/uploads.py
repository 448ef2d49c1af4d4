"""Uploaded files: each is read once, in a process of its own, and of a recording the filtered channels are kept.

This module works on files and samples, and does not know about visits, answers or pages.
"""

from __future__ import annotations

import logging
import os
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from semg_hht.errors import InputError, RateUnknown, TimesUneven
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.web.drawn_signal import MAX_CHANNELS, write_samples
from semg_hht.web.isolated import run_isolated
from semg_hht.web.repetition_table import MAX_REPETITIONS, Problem, Refused, read_repetitions, rows_of
from semg_hht.web.visit import Channel, ReadRecording

T = TypeVar("T")
log = logging.getLogger(__name__)
MAX_UNPACKED = 2**30  # bytes of an npz archive once unpacked: a small archive can hold arrays of any size
MAX_READ_BYTES = 3 * 2**29  # memory for reading one file; a text table of 100 MB takes two thirds of that
READ_TIMEOUT_S, READ_TIMEOUT_S_PER_MB = 20.0, 0.4  # for reading a file
MAX_NAME = 120  # characters
RESERVED_BYTES = 500_000_000  # of the disk, which files of visitors leave free


@dataclass(frozen=True)
class ReadFile:
    """What reading a file found: a recording with its repetitions, a matrix, the rows of a table, or a problem.

    parts : names of other files that belong to this one.
    """

    recorded: ReadRecording | None = None
    rows: tuple[ManifestRow, ...] = ()
    table: dict[str, tuple[ManifestRow, ...]] | None = None
    problem: Problem | None = None
    needs_rate: bool = False
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class StatedFacts:
    """What is known of a file before it is read: rows of a table, and rate and units for a file without them."""

    rows: tuple[ManifestRow, ...] = ()
    rate_hz: float | None = None
    units: str = ""


def require_space(folder: Path, n_bytes: int = 0) -> None:
    """Require that the disk has `RESERVED_BYTES` left after writing so many more.

    Raises
    ------
    Refused
        It has not.
    """
    if shutil.disk_usage(folder).free < RESERVED_BYTES + n_bytes:
        raise Refused("app_disk_full")


def safe_name(name: str) -> str:
    """A file name of a visitor without folders, control characters and what systems forbid.

    Raises
    ------
    Refused
        Nothing is left of the name, or it begins with a dot.
    """
    base = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(c for c in base if c.isprintable() and c not in '<>:"|?*').strip()
    path = PurePosixPath(kept)
    kept = f"{path.stem[: MAX_NAME - len(path.suffix[:12])]}{path.suffix[:12]}" if kept else ""
    if not kept or kept.startswith(".") or len(kept.encode()) > 240:
        raise Refused("app_bad_name")
    return kept


def read_upload(path: Path, stated: StatedFacts, filters: Any, drawn: Path) -> ReadFile:
    """Read a recording, a matrix or a table in a separate process: it may exhaust memory, take forever or crash.

    filters : `FilterConfig` of the EMG. drawn : the file that gets the channels for drawing.
    """
    timeout_s = READ_TIMEOUT_S + READ_TIMEOUT_S_PER_MB * path.stat().st_size / 1e6
    try:
        found = run_isolated(_read, path, stated, filters, drawn, timeout_s=timeout_s, max_bytes=MAX_READ_BYTES)
    except (MemoryError, TimeoutError) as error:
        reason = "app_too_big" if isinstance(error, MemoryError) else "app_too_slow"
        found = ReadFile(problem=Problem(reason, {"file": path.name}))
    except Exception:
        log.exception("an uploaded file could not be read")
        found = ReadFile(problem=Problem("app_failed"))
    if found.recorded is None:
        drawn.unlink(missing_ok=True)  # what a process that was ended has written
    return found


def _read(path: Path, stated: StatedFacts, filters: Any, drawn: Path) -> ReadFile:
    from semg_hht.datasets.find_inputs import find_jobs, is_manifest
    from semg_hht.datasets.segment import segment_recording
    from semg_hht.matrices.matrix import is_matrix_file, read_matrix
    from semg_hht.recordings.recording import files_of
    from semg_hht.signals.filtered_recording import open_filtered
    from semg_hht.signals.repetitions import SegmentConfig

    try:
        if is_manifest(path):
            return ReadFile(table=_rows_by_name(path))
        _require_modest_archive(path)
        if is_matrix_file(path):
            read_matrix(path)
            return ReadFile()
        (job,) = find_jobs(path, rate_hz=stated.rate_hz, units=stated.units)
        if stated.rows:
            own = [replace(row, file=path.name, units=row.units or stated.units, channels=()) for row in stated.rows]
            job = replace(job, rows=tuple(replace(row, rate_hz=row.rate_hz or stated.rate_hz) for row in own))
        segmented = segment_recording(open_filtered(job, filters), SegmentConfig())
        recorded = _kept(segmented, job.rows, drawn)
        rows = segmented.rows if not job.states_times else _stated_rows(job.rows, recorded)
        if len(rows) > MAX_REPETITIONS:
            raise InputError(f"{path}: {len(rows)} repetitions; this page takes at most {MAX_REPETITIONS}")
        parts = tuple(part.name for part in files_of(path) if part != path)
        return ReadFile(recorded, tuple(replace(row, file=path.name) for row in rows), parts=parts)
    except TimesUneven as error:
        return ReadFile(problem=problem_of(error, path.parent), needs_rate=True)
    except RateUnknown:
        return ReadFile(problem=Problem("app_rate_unknown", {"file": path.name}), needs_rate=True)
    except InputError as error:
        return ReadFile(problem=problem_of(error, path.parent))
    except Refused as refused:
        return ReadFile(problem=refused.problem)


def _rows_by_name(path: Path) -> dict[str, tuple[ManifestRow, ...]]:
    """The rows of a table by the name of their recording alone: a table must not lead to files outside the visit."""
    from semg_hht.recordings.manifest import read_manifest

    rows: dict[str, tuple[ManifestRow, ...]] = {}
    for row in read_manifest(path):
        name = PurePosixPath(row.file).name
        rows[name] = (*rows.get(name, ()), replace(row, file=name, rate_source=path.name))
    return rows


def _require_modest_archive(path: Path) -> None:
    if path.suffix.lower() != ".npz" or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_UNPACKED:
        raise MemoryError


def problem_of(error: InputError, folder: Path) -> Problem:
    return Problem("app_says", {"said": without_folder(str(error), folder)})


def without_folder(text: str, folder: Path) -> str:
    """Return an error message without the server's folder, which the visitor must not see."""
    return text.replace(f"{folder}{os.sep}", "")


def _kept(segmented: Any, stated: Sequence[ManifestRow], drawn: Path) -> ReadRecording:
    """Write the channels of a recording for drawing, and keep what the page needs to know."""
    import numpy as np

    from semg_hht.datasets.segment import clearest_channel

    recording, raw = segmented.recording, segmented.source.raw  # the filtered EMG; all channels as they were recorded
    factor = recording.microvolts_per_unit or 1.0
    units = recording.units if recording.microvolts_per_unit is None else "uV"
    sensors = [i for i, name in enumerate(raw.channel_names) if name in raw.non_emg][:MAX_CHANNELS]
    n_channels = len(recording.samples) + len(sensors)
    require_space(drawn.parent, n_channels * recording.samples.shape[1] * np.dtype(np.float32).itemsize)
    write_samples(np.concatenate([factor * recording.samples, raw.samples[sensors]]), drawn)
    emg = [Channel(name, units, is_sensor=False) for name in recording.channel_names]
    others = [Channel(raw.channel_names[i], _sensor_units(raw.channel_names[i]), is_sensor=True) for i in sensors]
    shared = replace(stated[0], repetition="", start_s=None, stop_s=None, extra={}, rate_hz=recording.rate_hz,
                     units=recording.units, movement="", channels=())  # fmt: skip
    return ReadRecording(
        shared, drawn, recording.rate_hz, recording.duration_s, (*emg, *others),
        clearest_channel(recording.samples, segmented.found), units, tuple(dict.fromkeys(segmented.remarks)),
    )  # fmt: skip


def _sensor_units(name: str) -> str:
    """The units that a name such as ``Knee angle [deg]`` states."""
    opening = max(name.rfind("["), name.rfind("("))
    return name[opening + 1 : -1] if opening > 0 and name.rstrip().endswith(("]", ")")) else ""


def _stated_rows(rows: Sequence[ManifestRow], recorded: ReadRecording) -> tuple[ManifestRow, ...]:
    """The repetitions that a table states, checked against the duration of the recording."""
    complete = [
        replace(row, start_s=row.start_s or 0.0, stop_s=row.stop_s or recorded.duration_s,
                rate_hz=recorded.rate_hz, units=recorded.shared.units)
        for row in rows
    ]  # fmt: skip
    items = [{"start_s": row.start_s, "stop_s": row.stop_s, "label": row.movement} for row in complete]
    return rows_of(read_repetitions(items, recorded.duration_s), recorded.shared, complete)
