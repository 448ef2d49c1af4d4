"""The files somebody dropped: each read once, and of a recording what is needed to draw it and to edit its repetitions.

Knows files and samples: nothing of visits, answers or pages.
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
from semg_hht.web.isolated import apart
from semg_hht.web.repetition_table import Trouble, read_times, rows_at

T = TypeVar("T")
MAX_UNPACKED = 2**30  # bytes in an npz once unpacked: a small file may claim any number
MAX_MEMORY = 3 * 2**29  # bytes that a look at one file may take; a table of 100 MB takes two thirds of that
LOOK_S, LOOK_S_A_MB = 20.0, 0.4  # that a look at all files of a visit may take
MAX_REPETITIONS = 500  # in a file, as drawn and listed
MAX_POINTS = 12_000  # of a channel as it is drawn
MAX_CHANNELS = 16  # that can be looked at; all are answered
ALL = -1  # the channel that stands for all of them


@dataclass(frozen=True)
class Channel:
    """A filtered channel as it is drawn: (n_points,), of a long one the lowest and highest sample of each part."""

    name: str
    envelope: NDArray[np.float64]


@dataclass(frozen=True)
class Recorded:
    """What is known of a recording: its repetitions as a table has them, and how its channels look.

    shared : what holds for each repetition.
    n_channels : all of them, also those that are not drawn.
    """

    rows: tuple[ManifestRow, ...]
    shared: ManifestRow
    n_channels: int
    duration_s: float
    channels: tuple[Channel, ...]
    all_channels: Channel
    units: str
    remarks: tuple[str, ...]

    def drawn(self, channel: int) -> tuple[Channel, float]:
        """A channel, and its points a second."""
        chosen = self.all_channels if channel == ALL else self.channels[channel]
        return chosen, chosen.envelope.size / self.duration_s


@dataclass(frozen=True)
class Dropped:
    """A file of the visit: a recording; or a matrix, where ``recorded`` is None; or neither, and why."""

    path: Path
    recorded: Recorded | None = None
    trouble: Trouble | None = None


def take(upload: Path, folder: Path) -> Path:
    """The same file may be another visitor's upload too: theirs must stay until they have taken it."""
    target = folder / upload.name
    target.unlink(missing_ok=True)
    try:
        os.link(upload, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(upload, target)
    return target


def look_at_all(
    paths: Sequence[Path], rate_hz: float | None, units: str, filters: FilterConfig
) -> tuple[tuple[Dropped, ...], tuple[Trouble, ...]]:
    """Every file that is more than a part of another, and what is wrong with tables among them.

    Each is read in a process of its own: files of strangers may be made to use up memory or time, or to break what
    reads them.
    """
    until = time.monotonic() + LOOK_S + LOOK_S_A_MB * sum(path.stat().st_size for path in paths) / 1e6

    def careful(path: Path, look: Callable[..., T], *given: Any) -> T | Trouble:
        try:
            return apart(look, *given, seconds=until - time.monotonic(), n_bytes=MAX_MEMORY)
        except (MemoryError, TimeoutError) as error:
            name = "app_too_big" if isinstance(error, MemoryError) else "app_too_slow"
            return Trouble(name, {"file": path.name})

    if not paths:
        return (), ()
    sorted_out = careful(max(paths, key=lambda path: path.stat().st_size), _sorted_out, paths)
    if isinstance(sorted_out, Trouble):
        return (), (sorted_out,)
    stated, parts, troubles = sorted_out
    files = []
    for path in paths:
        if path not in parts:
            seen = careful(path, _look, path, stated.get(path.name, ()), rate_hz, units, filters)
            files.append(Dropped(path, trouble=seen) if isinstance(seen, Trouble) else seen)
    return tuple(files), troubles


def _sorted_out(
    paths: Sequence[Path],
) -> tuple[dict[str, tuple[ManifestRow, ...]], set[Path], tuple[Trouble, ...]]:
    """What tables say, the files that are no recordings of their own, and what is wrong with the tables."""
    stated, tables, troubles = _stated(paths)
    headers = [path for path in paths if path.suffix.lower() == ".hea"]
    parts = tables | set(segment_headers(headers))
    parts |= {signals for header in headers for signals in header.parent.glob(f"{header.stem}*.dat")}
    return stated, parts, troubles


def _stated(paths: Sequence[Path]) -> tuple[dict[str, tuple[ManifestRow, ...]], set[Path], tuple[Trouble, ...]]:
    """Rows by the name of their recording, the tables they stand in, and troubles with those.

    Only the name counts: a table may not lead to files that the visitor has not dropped.
    """
    rows: dict[str, tuple[ManifestRow, ...]] = {}
    tables, troubles = {path for path in paths if is_manifest(path)}, []
    for table in sorted(tables):
        try:
            for row in read_manifest(table):
                name = PurePosixPath(row.file).name
                rows[name] = (*rows.get(name, ()), row)
        except InputError as error:
            troubles.append(trouble_of(error, table.parent))
    return rows, tables, tuple(troubles)


def _look(
    path: Path, stated: tuple[ManifestRow, ...], rate_hz: float | None, units: str, filters: FilterConfig
) -> Dropped:
    try:
        _require_modest(path)
        if is_matrix_file(path):
            read_matrix(path)
            return Dropped(path)
        (job,) = find_jobs(path, rate_hz=rate_hz, units=units)
        if stated:
            own = [replace(row, file=path.name, units=row.units or units, channels=()) for row in stated]
            job = replace(job, rows=tuple(replace(row, rate_hz=row.rate_hz or rate_hz) for row in own))
        return Dropped(path, _recorded(segment_recording(open_filtered(job, filters), SegmentConfig()), job.rows))
    except RateUnknown:
        return Dropped(path, trouble=Trouble("app_rate_unknown", {"file": path.name}))
    except InputError as error:
        return Dropped(path, trouble=trouble_of(error, path.parent))


def _require_modest(path: Path) -> None:
    if path.suffix.lower() != ".npz" or not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_UNPACKED:
        raise MemoryError


def trouble_of(error: InputError, folder: Path) -> Trouble:
    return Trouble("app_says", {"said": cleaned(str(error), folder)})


def cleaned(text: str, folder: Path) -> str:
    """What the program says of a file, without the folder, which is none of the visitor's."""
    return text.replace(f"{folder}{os.sep}", "")


def _recorded(seen: SegmentedRecording, stated: tuple[ManifestRow, ...]) -> Recorded:
    recording, samples = seen.recording, seen.recording.samples  # (n_channels, n_samples)
    factor = recording.microvolts_per_unit or 1.0
    drawn = envelope(factor * samples[:MAX_CHANNELS])
    together = envelope(factor * np.sqrt((samples**2).mean(axis=0, keepdims=True)))
    shared = replace(stated[0], repetition="", start_s=None, stop_s=None, extra={}, rate_hz=recording.rate_hz,
                     units=recording.units)  # fmt: skip
    rows = seen.rows
    if any(row.start_s is not None or row.stop_s is not None for row in stated):
        whole = [
            replace(row, start_s=row.start_s or 0.0, stop_s=row.stop_s or recording.duration_s, rate_hz=shared.rate_hz,
                    units=shared.units)
            for row in stated
        ]  # fmt: skip
        times, troubles = read_times([(row.start_s, row.stop_s) for row in whole], recording.duration_s)
        outside = [trouble.values for trouble in troubles if trouble.name == "app_outside"]
        if outside:
            raise InputError(
                f"{recording.source}: row {outside[0]['row']} of its table says {outside[0]['found']} s; expected "
                f"times within the recording of {recording.duration_s:.2f} s"
            )
        rows = rows_at(times, shared, whole)
    if len(rows) > MAX_REPETITIONS:
        raise InputError(f"{recording.source}: {len(rows)} repetitions; this page takes at most {MAX_REPETITIONS}")
    return Recorded(
        rows,
        shared,
        len(recording.samples),
        recording.duration_s,
        tuple(Channel(name, points) for name, points in zip(recording.channel_names, drawn, strict=False)),
        Channel("", together[0]),
        recording.units if recording.microvolts_per_unit is None else "uV",
        seen.remarks,
    )


def envelope(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_channels, n_samples) -> (n_channels, n_points), evenly spaced, the extremes kept.

    Of more channels than can be looked at, fewer points each: a visit stays in memory for as long as somebody looks.
    """
    n_points = MAX_POINTS * MAX_CHANNELS // max(MAX_CHANNELS, len(samples))
    step = -(-samples.shape[1] // max(1, n_points // 2))
    if step <= 2:
        return samples.copy()
    padded = np.pad(samples, ((0, 0), (0, -samples.shape[1] % step)), mode="edge")
    parts = padded.reshape(len(samples), -1, step)  # (n_channels, n_parts, step)
    return np.stack([parts.min(axis=2), parts.max(axis=2)], axis=2).reshape(len(samples), -1)  # (n_channels, 2 n_parts)
