"""Prepare recordings: a folder with ``hht_matrices/``, ``hht_images/`` and ``manifest.csv``.

The folder is its own cache: each matrix file holds a key of the recording's bytes and the settings, and matrices with
the same key are not computed again. The module does not know how a matrix is computed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path, PurePosixPath

import numpy as np

from semg_hht.datasets.find_inputs import MANIFEST
from semg_hht.datasets.matrix_names import RowKey, existing_names, names_on_disk, row_key, unique_stems
from semg_hht.datasets.prepared import Prepared
from semg_hht.errors import InputError
from semg_hht.matrices.matrix import read_facts, read_matrix, write_matrix
from semg_hht.matrices.scaling import IN_UNITS
from semg_hht.matrices.transform import Example, PipelineConfig, example_channels, examples_of, warn_of_clipped_band
from semg_hht.recordings.jobs import Job, Remark, collect, for_each
from semg_hht.recordings.manifest import LABEL_COLUMN, TASKS, ManifestRow, class_names, manifest_text, read_manifest
from semg_hht.recordings.recording import files_of
from semg_hht.recordings.units import STATE_UNITS, mixed_units
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.system.files import (
    LEFTOVERS,
    clear_folder,
    is_hidden,
    locked_folder,
    require_file,
    require_new_folder,
    whole_file,
    write_text,
)
from semg_hht.system.processes import map_ahead
from semg_hht.system.progress import Track, untracked

log = logging.getLogger(__name__)

LABEL_COLUMNS = ("movement", "gender", "subject")  # a person may have edited these in manifest.csv
MATRIX_FOLDER = "hht_matrices"
IMAGE_FOLDER = "hht_images"
BIDS_FOLDER = "bids"
PACKED_AHEAD = 8  # matrices that threads pack and write while the next ones are computed
TRANSFORM_VERSION = 7  # part of the key; raise it when the same settings give other matrices


def prepare(
    jobs: list[Job],
    out: Path,
    config: PipelineConfig,
    *,
    images: bool = False,
    overwrite: bool = False,
    n_jobs: int = -1,
    track: Track = untracked,
) -> Prepared:
    """Write ``out/hht_matrices/*.npz``, ``out/manifest.csv`` and, with ``images``, ``out/hht_images/*.png``.

    A run that was stopped has left no manifest.csv; running it again continues it.

    Raises
    ------
    InputError
        The folder holds other files, or a manifest.csv that somebody may have edited (unless ``overwrite``); or no
        recording could be used.
    """
    with locked_folder(out):
        require_new_folder(out, overwrite=overwrite, except_for=(MATRIX_FOLDER, IMAGE_FOLDER, BIDS_FOLDER, *LEFTOVERS))
        if not overwrite:
            _require_own_matrices(out)
        return _prepare_all(jobs, out, config, images, n_jobs, track)


def _prepare_all(
    jobs: list[Job], out: Path, config: PipelineConfig, images: bool, n_jobs: int, track: Track
) -> Prepared:
    """Write the matrices, and then their manifest."""
    warned: set[float] = set()
    results = for_each(_prepare_one, _with_stems(jobs, out), config, out, images, n_jobs=n_jobs)
    recordings, failures = collect(track(results, len(jobs), "transforming"))
    for recording in recordings:
        warn_of_clipped_band(recording.rate_hz, config, warned)
    rows = [row for recording in recordings for row in recording.rows]
    _remove_others(out, rows)
    _warn_of_spellings(rows)
    mixed = mixed_units({row.extra["recording"]: row.units for row in rows}) if config.scaling in IN_UNITS else ""
    if mixed:
        log.warning("%s; %s", mixed, STATE_UNITS)
    _keep_edited(out / MANIFEST, rows)
    write_text(out / MANIFEST, manifest_text(rows))
    return Prepared(
        folder=out,
        manifest=out / MANIFEST,
        n_recordings=len(recordings),
        n_reused=sum(recording.reused for recording in recordings),
        n_matrices=len(rows),
        n_labelled=sum(bool(row.movement or row.gender) for row in rows),
        dropped=float(np.mean([share for recording in recordings for share in recording.dropped])),
        failures=tuple(failures),
        remarks=tuple(Remark(r.rows[0].extra["recording"], text) for r in recordings for text in r.remarks),
    )


def _warn_of_spellings(rows: list[ManifestRow]) -> None:
    """Warn of classes under two spellings, which training refuses."""
    for task in TASKS:
        try:
            class_names(row.label(task) for row in rows)
        except InputError as error:
            log.warning("%s: %s", LABEL_COLUMN[task], error)


def _keep_edited(manifest: Path, rows: list[ManifestRow]) -> None:
    """Copy the manifest that is about to be replaced if its labels differ from those of ``rows``."""
    if not manifest.is_file():
        return
    try:
        before = {row.file: row for row in read_manifest(manifest)}
        changed = [
            f"{row.file}: {column} {getattr(before[row.file], column)!r}, now {getattr(row, column)!r}"
            for row in rows
            for column in LABEL_COLUMNS
            if row.file in before and getattr(before[row.file], column) != getattr(row, column)
        ]
    except InputError as error:
        changed = [str(error)]
    if not changed:
        return
    copies = (manifest.with_name(f"{manifest.name}.before{number}") for number in count(1))
    copy = next(path for path in copies if not path.exists())
    with whole_file(copy) as part:
        shutil.copyfile(manifest, part)
    log.warning(
        "%s: its labels were replaced by those of the source (%s%s); the old table was kept as %s",
        manifest, changed[0], f", and {len(changed) - 1} more" if len(changed) > 1 else "", copy.name,
    )  # fmt: skip


@dataclass(frozen=True)
class _NamedJob(Job):
    """A job with the file names of its matrices. It holds no other job's names, as it is sent to a worker.

    stems : of each row, without the channel.
    existing : of each row, the files with its stem that an earlier run left.
    """

    stems: tuple[str, ...] = ()
    existing: tuple[tuple[str, ...], ...] = ()


def _with_stems(jobs: list[Job], out: Path) -> list[_NamedJob]:
    stem_of = unique_stems([row for job in jobs for row in job.rows])
    existing = existing_names(out / MATRIX_FOLDER)
    named = []
    for job in jobs:
        stems = tuple(stem_of[row_key(row)] for row in job.rows)
        files = tuple(existing.get(stem, ()) for stem in stems)
        named.append(
            _NamedJob(job.path, job.rows, job.reference, job.events, job.recording, stems=stems, existing=files)
        )
    return named


@dataclass(frozen=True)
class _RecordingMatrices:
    """The matrices of one recording on disk: their manifest rows, and the share of energy that each dropped."""

    rows: tuple[ManifestRow, ...]
    dropped: tuple[float, ...]
    rate_hz: float
    reused: bool
    remarks: tuple[str, ...]


def _prepare_one(
    job: _NamedJob, n_threads: int | None, config: PipelineConfig, out: Path, images: bool
) -> _RecordingMatrices:
    """Runs in a worker, which writes the matrices itself: only their names travel between processes."""
    key = _key(job, config)
    matrices = _reusable(job, key, out)
    if matrices is None:
        source = open_filtered(job, config.filter)
        if _key(job, config) != key:  # the matrices would be stored under the key of another version of the file
            raise InputError(f"{job.path}: was changed while it was read; run again to use it as it is now")
        channels = example_channels(source, config)
        examples = examples_of(source, config, n_threads=n_threads)
        matrices = _write(_Writing(job, key, channels, out), examples, ahead=0 if n_threads == 1 else PACKED_AHEAD)
    if images:
        _draw_missing(matrices, out)
    return matrices


def _key(job: Job, config: PipelineConfig) -> str:
    """SHA-256 of everything that decides the matrices of a recording: its bytes, intervals, reference and settings."""
    content = _digest(job)
    intervals = [[row.start_s, row.stop_s, row.channels, row.rate_hz, row.units] for row in job.rows]
    decisive = [TRANSFORM_VERSION, content, intervals, job.reference and asdict(job.reference), config.to_json()]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _digest(job: Job) -> str:
    """SHA-256 of the files of a recording, or of its samples and facts where it is in memory."""
    if (own := job.recording) is not None:
        facts = json.dumps([own.rate_hz, own.channel_names, own.units, own.non_emg, own.numbers])
        return hashlib.sha256(own.samples.tobytes() + facts.encode()).hexdigest()
    require_file(job.path)
    try:
        return hashlib.sha256(b"".join(path.read_bytes() for path in files_of(job.path))).hexdigest()
    except OSError as error:
        raise InputError(f"{job.path}: can't be read; {error.strerror}") from None


@dataclass(frozen=True)
class _Writing:
    """Where the matrices of one recording are written, and what each file states of all of them.

    channels : of each example, in order.
    """

    job: _NamedJob
    key: str
    channels: list[str]
    out: Path

    def write(self, example: Example) -> ManifestRow:
        numbers = list(dict.fromkeys(self.channels))
        stem = self._stems[row_key(example.row)]
        if len(numbers) > 1:
            stem = f"{stem}_ch{numbers.index(example.channel) + 1}"
        write_matrix(
            self.out / MATRIX_FOLDER / f"{stem}.npz",
            example.matrix,
            key=self.key,
            n_of_recording=len(self.channels),
            rate_hz=example.rate_hz,
            units=example.row.units,
            dropped=example.dropped,
            source=example.row.file,
            channel=example.channel,
            remarks="\n".join(example.remarks),
        )
        return _matrix_row(example.row, example.channel, f"{MATRIX_FOLDER}/{stem}.npz")

    @cached_property
    def _stems(self) -> dict[RowKey, str]:
        return {row_key(row): stem for row, stem in zip(self.job.rows, self.job.stems, strict=True)}


def _write(writing: _Writing, examples: Iterator[Example], *, ahead: int) -> _RecordingMatrices:
    """Write each matrix; threads pack up to ``ahead`` of them while the next ones are computed."""

    def written(example: Example) -> tuple[ManifestRow, float, float, tuple[str, ...]]:
        return writing.write(example), example.dropped, example.rate_hz, example.remarks

    rows, dropped, rates_hz, remarks = zip(*map_ahead(written, examples, ahead), strict=True)
    return _RecordingMatrices(rows, dropped, rates_hz[0], False, remarks[0])


def _reusable(job: _NamedJob, key: str, out: Path) -> _RecordingMatrices | None:
    """The matrices of an earlier run, if all of them exist and hold the same key."""
    rows: list[ManifestRow] = []
    dropped: list[float] = []
    n_expected = 0
    rate_hz = 0.0
    remarks: tuple[str, ...] = ()
    for row, stem, files in zip(job.rows, job.stems, job.existing, strict=True):
        # Files that were written after the folder was listed: a worker finished them before its pool was lost.
        files = files or names_on_disk(out / MATRIX_FOLDER, stem)
        single = f"{stem}.npz"
        for name in [single] if single in files else files:
            try:
                facts = read_facts(out / MATRIX_FOLDER / name)
            except InputError:  # damaged: it is computed again
                return None
            if facts.get("key") != key:
                return None
            n_expected, rate_hz = int(facts["n_of_recording"]), float(facts["rate_hz"])
            remarks = tuple(str(facts["remarks"]).splitlines())
            row_as_read = replace(row, rate_hz=rate_hz, units=str(facts["units"]))
            rows.append(_matrix_row(row_as_read, str(facts["channel"]), f"{MATRIX_FOLDER}/{name}"))
            dropped.append(float(facts["dropped"]))
    if not rows or len(rows) != n_expected:
        return None
    return _RecordingMatrices(tuple(rows), tuple(dropped), rate_hz, True, remarks)


def _draw_missing(matrices: _RecordingMatrices, out: Path) -> None:
    from semg_hht.figures.plots import draw_matrix

    for row in matrices.rows:
        stem = PurePosixPath(row.file).stem
        picture = out / IMAGE_FOLDER / f"{stem}.png"
        if not (matrices.reused and picture.is_file()):
            draw_matrix(read_matrix(out / row.file), picture, title=stem)


def _remove_others(out: Path, rows: list[ManifestRow]) -> None:
    """Remove our matrices and images of other names, which an earlier run left."""
    kept = {PurePosixPath(row.file).stem for row in rows}
    for path in (out / MATRIX_FOLDER).glob("*.npz"):
        if path.stem not in kept and _has_key(path):
            path.unlink()
            (out / IMAGE_FOLDER / f"{path.stem}.png").unlink(missing_ok=True)
    for folder in (MATRIX_FOLDER, IMAGE_FOLDER):
        clear_folder(out / folder, LEFTOVERS)


def _has_key(path: Path) -> bool:
    try:
        return "key" in read_facts(path)
    except InputError:
        return False


def _require_own_matrices(out: Path) -> None:
    """Refuse a folder with matrices of another tool."""
    matrices = [path for path in sorted((out / MATRIX_FOLDER).glob("*.npz")) if not is_hidden(path.name)]
    others = [path for path in matrices if not _has_key(path)]
    if others:
        raise InputError(f"{others[0]}: was not written by prepare; choose another folder, or use overwrite=True")


def _matrix_row(row: ManifestRow, channel: str, file: str) -> ManifestRow:
    """The manifest row of a matrix: its labels, and extra columns for the recording and interval it was cut from."""
    origin = {
        "recording": row.file,
        "recording_start_s": "" if row.start_s is None else f"{row.start_s:.10g}",
        "recording_stop_s": "" if row.stop_s is None else f"{row.stop_s:.10g}",
        "channel": channel,
    }
    return replace(row, file=file, start_s=None, stop_s=None, channels=(), extra={**row.extra, **origin})
