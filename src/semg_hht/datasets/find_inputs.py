"""Find the recordings and matrices that a path names: a file, a folder, a manifest.csv or a BIDS dataset.

It reads tables and file names. It does not read samples.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path

from semg_hht.errors import InputError
from semg_hht.matrices.matrix import is_matrix_file
from semg_hht.recordings.bids import is_bids, read_bids
from semg_hht.recordings.formats.readers import READERS
from semg_hht.recordings.formats.wfdb import segment_headers
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import ManifestRow, parse_file_name, read_manifest, separator_of
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import require_file

log = logging.getLogger(__name__)

MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class InputOptions:
    """What a user states about recordings.

    rate_hz, units : for recordings that do not state them, in a manifest or in the file.
    references : manifest of maximal contractions, for the scaling ``mvc``.
    segmentation : how to find the repetitions of recordings whose rows state no times; None: such a recording is one
        repetition.
    """

    rate_hz: float | None = None
    units: str = ""
    references: Path | None = None
    segmentation: SegmentConfig | None = None


def find_jobs(
    path: Path,
    *,
    rate_hz: float | None = None,
    units: str = "",
    base: Path | None = None,
    matrices: Set[Path] = frozenset(),
) -> list[Job]:
    """The recordings that a path names: those of a manifest, of a folder, or one file.

    The recordings of a folder are those of its manifest.csv, else of the BIDS dataset, else all recordings in it.
    Without a manifest, labels come from file names; a name that does not follow the convention gives empty labels.

    Parameters
    ----------
    rate_hz, units : for recordings that do not state them, in the manifest or in the file.
    base : folder that the files of the manifest are relative to; None: the folder of the manifest.
    matrices : the matrices in the folder, if the caller has found them already.

    Raises
    ------
    InputError
        The path does not exist, or names no recording.
    """
    if path.is_dir() and (path / MANIFEST).is_file():
        path = path / MANIFEST
    if is_manifest(path):
        return _jobs_of_rows(read_manifest(path), base or path.parent, rate_hz, units)
    if is_bids(path):
        return _jobs_of_rows(read_bids(path), path, rate_hz, units)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in READERS and p not in matrices)
        files = [p for p in files if not is_matrix_file(p)]
        parts = segment_headers(p for p in files if p.suffix.lower() == ".hea")
        files = [p for p in files if p not in parts]
        if not files:
            raise InputError(f"{path}: expected recordings ({', '.join(READERS)}) or a manifest.csv; found none")
        return [_job_from_name(p, p.relative_to(path).as_posix(), rate_hz, units) for p in files]
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    return [_job_from_name(path, path.name, rate_hz, units)]


def find_inputs(path: Path, options: InputOptions = InputOptions()) -> tuple[list[tuple[Path, str]], list[Job]]:
    """The matrices (path, name) and recordings that a path names."""
    rate_hz, units = options.rate_hz, options.units
    if path.is_dir() and (path / MANIFEST).is_file():
        note_unlisted(path, path / MANIFEST)
        path = path / MANIFEST
    if is_manifest(path):
        files = list(dict.fromkeys(row.file for row in read_manifest(path)))
        matrices = [(path.parent / file, file) for file in files if is_matrix_file(path.parent / file)]
        names = {name for _, name in matrices}
        jobs = [job for job in find_jobs(path, rate_hz=rate_hz, units=units) if job.rows[0].file not in names]
        return matrices, jobs
    if is_bids(path):  # matrices in its derivatives come from the same recordings
        return [], find_jobs(path, rate_hz=rate_hz, units=units)
    if path.is_dir():
        matrices = [(p, p.relative_to(path).as_posix()) for p in sorted(path.rglob("*")) if is_matrix_file(p)]
        try:
            return matrices, find_jobs(path, rate_hz=rate_hz, units=units, matrices={p for p, _ in matrices})
        except InputError:
            if matrices:
                return matrices, []
            raise InputError(f"{path}: expected matrices (.npz), recordings or a manifest.csv; found none") from None
    if is_matrix_file(path) and path.is_file():
        return [(path, path.name)], []
    return [], find_jobs(path, rate_hz=rate_hz, units=units)


def with_long_names(
    path: Path, matrices: list[tuple[Path, str]], jobs: list[Job]
) -> tuple[list[tuple[Path, str]], list[Job]]:
    """Add the folder of an input to its names, which another input has too: each prediction needs a name of its own."""
    folder = path if path.is_dir() else path.parent
    renamed = [
        replace(job, rows=tuple(replace(row, file=(folder / row.file).as_posix()) for row in job.rows)) for job in jobs
    ]
    return [(source, (folder / name).as_posix()) for source, name in matrices], renamed


def note_unlisted(folder: Path, manifest: Path) -> None:
    """Warn if a folder holds npz files that its manifest does not list. They are not used."""
    n_unlisted = len(unlisted(folder, manifest, read_manifest(manifest)))
    if n_unlisted:
        log.warning("npz files in %s left out because %s does not list them: %d", folder, manifest, n_unlisted)


def unlisted(folder: Path, manifest: Path, rows: list[ManifestRow]) -> list[Path]:
    """The npz files of a folder that no row of its manifest names, whatever the spelling of the path."""
    listed = {manifest.parent / row.file for row in rows}
    others = [p for p in folder.rglob("*") if p.suffix.lower() == ".npz" and p not in listed]
    resolved = {_resolved(p) for p in listed} if others else set()  # slow for very many files
    return sorted(p for p in others if _resolved(p) not in resolved)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link to itself, or a NUL in the name
        return path.absolute()


def is_manifest(path: Path) -> bool:
    """Whether a file is a table with a column ``file``, rather than a recording."""
    if path.suffix.lower() != ".csv":
        return False
    try:
        require_file(path)
        with path.open(encoding="utf-8-sig", errors="replace") as handle:
            first = handle.readline()
    except (InputError, OSError):
        return False  # reading it as a recording raises the error
    return "file" in [cell.strip() for cell in next(csv.reader([first], delimiter=separator_of(first)), [])]


def _jobs_of_rows(rows: list[ManifestRow], base: Path, rate_hz: float | None, units: str) -> list[Job]:
    by_file: dict[str, list[ManifestRow]] = {}
    for row in rows:
        filled = replace(row, units=row.units or units)
        if filled.rate_hz is None:
            filled = replace(filled, rate_hz=rate_hz, rate_source="")
        by_file.setdefault(row.file, []).append(filled)
    return [Job(base / file, tuple(rows_of_file)) for file, rows_of_file in by_file.items()]


def _job_from_name(path: Path, name: str, rate_hz: float | None, units: str) -> Job:
    try:
        row = parse_file_name(name)
    except InputError:
        row = ManifestRow(file=name)
    return Job(path, (replace(row, rate_hz=rate_hz, units=units),))
