"""Uploaded files: each is read once, and of a recording only what drawing and editing its repetitions needs is kept.

This module works on files and samples, and does not know about visits, answers or pages.
"""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import find_jobs, is_manifest
from semg_hht.datasets.segment import SegmentedRecording, segment_recording
from semg_hht.errors import InputError, RateUnknown
from semg_hht.matrices.matrix import is_matrix_file, read_matrix
from semg_hht.recordings.formats.wfdb import segment_headers
from semg_hht.recordings.manifest import ManifestRow, read_manifest
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import file_as_named
from semg_hht.web.isolated import run_isolated
from semg_hht.web.repetition_table import Problem, read_times, rows_at

T = TypeVar("T")
MAX_UNPACKED = 2**30  # bytes of an npz archive once unpacked: a small archive can hold arrays of any size
MAX_READ_BYTES = 3 * 2**29  # memory for reading one file; a text table of 100 MB takes two thirds of that
READ_TIMEOUT_S, READ_TIMEOUT_S_PER_MB = 20.0, 0.4  # for reading all files of an upload together
MAX_REPETITIONS = 500  # drawn and listed for one file
MAX_POINTS = 12_000  # drawn for one channel
MAX_CHANNELS = 16  # that can be drawn; all channels are answered
ALL_CHANNELS = -1  # the channel number that stands for all channels together


@dataclass(frozen=True)
class DrawnChannel:
    """A filtered channel for drawing: (n_points,) samples, or the minimum and maximum of each block of a long one."""

    name: str
    extremes: NDArray[np.float64]


@dataclass(frozen=True)
class UploadedRecording:
    """The repetitions of a recording as table rows, and its channels for drawing.

    shared : the values that all rows have in common.
    n_channels : all channels, including those that are not drawn.
    """

    rows: tuple[ManifestRow, ...]
    shared: ManifestRow
    n_channels: int
    duration_s: float
    channels: tuple[DrawnChannel, ...]
    all_channels: DrawnChannel
    units: str
    remarks: tuple[str, ...]

    @property
    def strongest(self) -> int:
        """The number of the channel that varies most."""
        return int(np.argmax([channel.extremes.std() for channel in self.channels]))

    def drawn(self, channel: int) -> tuple[DrawnChannel, float]:
        """Return a channel and its number of points per second."""
        chosen = self.all_channels if channel == ALL_CHANNELS else self.channels[channel]
        return chosen, chosen.extremes.size / self.duration_s


@dataclass(frozen=True)
class UploadedFile:
    """A recording, a matrix (``recorded`` is None), or a file that can't be used (``problem`` says why)."""

    path: Path
    recorded: UploadedRecording | None = None
    problem: Problem | None = None


def store_upload(upload: Path, folder: Path) -> Path:
    """Link or copy an upload into the visit's folder; it is not moved, because another visitor may have sent it too."""
    target = folder / upload.name
    target.unlink(missing_ok=True)
    try:
        os.link(upload, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(upload, target)
    return target


def read_uploads(
    paths: Sequence[Path], rate_hz: float | None, units: str, filters: FilterConfig
) -> tuple[tuple[UploadedFile, ...], tuple[Problem, ...]]:
    """Read every recording and matrix, and return them with the problems of the tables among the files.

    Tables of repetitions and the parts of multi-file formats are not listed as files of their own. Each file is read
    in a separate process, because an uploaded file may exhaust memory, take forever or crash its reader.
    """
    end = time.monotonic() + READ_TIMEOUT_S + READ_TIMEOUT_S_PER_MB * sum(path.stat().st_size for path in paths) / 1e6

    def limited(path: Path, read: Callable[..., T], *arguments: Any) -> T | Problem:
        try:
            return run_isolated(read, *arguments, timeout_s=end - time.monotonic(), max_bytes=MAX_READ_BYTES)
        except (MemoryError, TimeoutError) as error:
            name = "app_too_big" if isinstance(error, MemoryError) else "app_too_slow"
            return Problem(name, {"file": path.name})

    if not paths:
        return (), ()
    tables = limited(max(paths, key=lambda path: path.stat().st_size), _read_tables, paths)
    if isinstance(tables, Problem):
        return (), (tables,)
    stated_rows, parts, problems = tables
    files = []
    for path in paths:
        if path not in parts:
            file = limited(path, _read_file, path, stated_rows.get(path.name, ()), rate_hz, units, filters)
            files.append(UploadedFile(path, problem=file) if isinstance(file, Problem) else file)
    return tuple(files), problems


def _read_tables(paths: Sequence[Path]) -> tuple[dict[str, tuple[ManifestRow, ...]], set[Path], tuple[Problem, ...]]:
    """Return rows by recording name, all files that are not recordings of their own, and problems of the tables.

    A row names its recording by file name alone: a table must not lead to files that the visitor has not uploaded.
    """
    rows: dict[str, tuple[ManifestRow, ...]] = {}
    tables, problems = {path for path in paths if is_manifest(path)}, []
    for table in sorted(tables):
        try:
            for row in read_manifest(table):
                name = file_as_named(table.parent, PurePosixPath(row.file).name).name
                rows[name] = (*rows.get(name, ()), row)
        except InputError as error:
            problems.append(problem_of(error, table.parent))
    headers = [path for path in paths if path.suffix.lower() == ".hea"]
    parts = tables | set(segment_headers(headers))
    parts |= {signals for header in headers for signals in header.parent.glob(f"{header.stem}*.dat")}
    return rows, parts, tuple(problems)


def _read_file(
    path: Path, stated: tuple[ManifestRow, ...], rate_hz: float | None, units: str, filters: FilterConfig
) -> UploadedFile:
    try:
        _require_modest_archive(path)
        if is_matrix_file(path):
            read_matrix(path)
            return UploadedFile(path)
        (job,) = find_jobs(path, rate_hz=rate_hz, units=units)
        if stated:
            own = [replace(row, file=path.name, units=row.units or units, channels=()) for row in stated]
            job = replace(job, rows=tuple(replace(row, rate_hz=row.rate_hz or rate_hz) for row in own))
        return UploadedFile(path, _for_page(segment_recording(open_filtered(job, filters), SegmentConfig()), job.rows))
    except RateUnknown:
        return UploadedFile(path, problem=Problem("app_rate_unknown", {"file": path.name}))
    except InputError as error:
        return UploadedFile(path, problem=problem_of(error, path.parent))


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


def _for_page(segmented: SegmentedRecording, stated: tuple[ManifestRow, ...]) -> UploadedRecording:
    """Keep of a recording what the page needs; times in ``stated`` rows replace the repetitions that were found."""
    recording, samples = segmented.recording, segmented.recording.samples  # (n_channels, n_samples)
    factor = recording.microvolts_per_unit or 1.0
    drawn = extremes(factor * samples[:MAX_CHANNELS])
    together = extremes(factor * np.sqrt((samples**2).mean(axis=0, keepdims=True)))
    shared = replace(stated[0], repetition="", start_s=None, stop_s=None, extra={}, rate_hz=recording.rate_hz,
                     units=recording.units)  # fmt: skip
    rows = segmented.rows
    if any(row.start_s is not None or row.stop_s is not None for row in stated):
        complete = [
            replace(row, start_s=row.start_s or 0.0, stop_s=row.stop_s or recording.duration_s, rate_hz=shared.rate_hz,
                    units=shared.units)
            for row in stated
        ]  # fmt: skip
        times, problems = read_times([(row.start_s, row.stop_s) for row in complete], recording.duration_s)
        outside = [problem.values for problem in problems if problem.name == "app_outside"]
        if outside:
            raise InputError(
                f"{recording.source}: row {outside[0]['row']} of its table says {outside[0]['found']} s; expected "
                f"times within the recording of {recording.duration_s:.2f} s"
            )
        rows = rows_at(times, shared, complete)
    if len(rows) > MAX_REPETITIONS:
        raise InputError(f"{recording.source}: {len(rows)} repetitions; this page takes at most {MAX_REPETITIONS}")
    return UploadedRecording(
        rows,
        shared,
        len(recording.samples),
        recording.duration_s,
        tuple(DrawnChannel(name, points) for name, points in zip(recording.channel_names, drawn, strict=False)),
        DrawnChannel("", together[0]),
        recording.units if recording.microvolts_per_unit is None else "uV",
        segmented.remarks,
    )


def extremes(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reduce (n_channels, n_samples) to (n_channels, n_points): the minimum and maximum of each of equal blocks.

    A short recording is returned as it is. Recordings of more than `MAX_CHANNELS` channels get fewer points each, so
    that the memory of a visit is bounded.
    """
    n_points = MAX_POINTS * MAX_CHANNELS // max(MAX_CHANNELS, len(samples))
    step = -(-samples.shape[1] // max(1, n_points // 2))
    if step <= 2:
        return samples.copy()
    padded = np.pad(samples, ((0, 0), (0, -samples.shape[1] % step)), mode="edge")
    blocks = padded.reshape(len(samples), -1, step)  # (n_channels, n_samples) -> (n_channels, n_blocks, step)
    lowest_highest = np.stack([blocks.min(axis=2), blocks.max(axis=2)], axis=2)  # (n_channels, n_blocks, 2)
    return lowest_highest.reshape(len(samples), -1)  # -> (n_channels, 2 n_blocks)
