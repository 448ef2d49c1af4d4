"""Find the recordings and matrices that a path names: a file, a folder, a manifest.csv or a BIDS dataset.

It reads tables and file names. It does not read samples.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from semg_hht.errors import InputError
from semg_hht.matrices.matrix import is_matrix_file
from semg_hht.recordings.bids import is_bids, read_bids
from semg_hht.recordings.formats.readers import NOT_READ, READERS, remark_on_others
from semg_hht.recordings.formats.wfdb import segment_headers
from semg_hht.recordings.jobs import Job
from semg_hht.recordings.manifest import (
    ManifestRow,
    iterate_manifest,
    parse_file_name,
    read_manifest,
    require_one_spelling_of_people,
    separator_of,
)
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.arguments import checked
from semg_hht.system.files import each_name_in, file_as_named, files_in, require_file

log = logging.getLogger(__name__)

MANIFEST = "manifest.csv"


@checked
@dataclass(frozen=True)
class InputOptions:
    """What a user states about recordings.

    rate_hz, units : for recordings that do not state them, in a manifest or in the file.
    references : manifest of maximal contractions, for the scaling ``mvc``.
    segmentation : how to find the repetitions of recordings whose rows state no times; None: such a recording is one
        repetition, unless it is much longer than those that a run was trained on.
    whole : such a recording is one repetition, however long it is.
    channels : of recordings, by name or number, also where a manifest names others; empty: those, or all EMG channels.

    Examples
    --------
    >>> import semg_hht as sh
    >>> options = sh.InputOptions(units="uV", segmentation=sh.SegmentConfig(min_duration_s=1.0))
    >>> predictions = sh.predict(sh.samples.MANIFEST, sh.samples.RUN, inputs=options)
    """

    rate_hz: float | None = None
    units: str = ""
    references: Path | None = None
    segmentation: SegmentConfig | None = None
    whole: bool = False
    channels: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.whole and self.segmentation is not None:
            raise InputError("a recording is either cut into repetitions or taken as a whole; got both")

    def stating(self, rate_hz: float | None, units: str = "") -> InputOptions:
        """These options with the rate and the units that were given beside them."""
        return replace(self, rate_hz=self.rate_hz if rate_hz is None else rate_hz, units=units or self.units)


def with_channels(jobs: list[Job], channels: str | Sequence[str]) -> list[Job]:
    """The jobs with these channels in the place of those that their rows name; empty: as they are."""
    chosen = ((channels,) if channels else ()) if isinstance(channels, str) else tuple(channels)
    if not chosen:
        return jobs
    return [replace(job, rows=tuple(replace(row, channels=chosen) for row in job.rows)) for job in jobs]


def find_jobs(
    path: Path,
    *,
    rate_hz: float | None = None,
    units: str = "",
    base: Path | None = None,
) -> list[Job]:
    """The recordings that a path names: those of a manifest, of a folder, or one file.

    The recordings of a folder are those of its manifest.csv, else of the BIDS dataset, else all recordings in it.
    Without a manifest, labels come from file names; a name that does not follow the convention gives empty labels.

    Parameters
    ----------
    rate_hz, units : for recordings that do not state them, in the manifest or in the file.
    base : folder that the files of the manifest are relative to; None: the folder of the manifest.

    Raises
    ------
    InputError
        The path does not exist or names no recording, or a person stands under two spellings.
    """
    if path.is_dir() and (path / MANIFEST).is_file():
        path = path / MANIFEST
    if is_manifest(path):
        return jobs_of_rows(read_manifest(path), base or path.parent, rate_hz, units)
    if is_bids(path):
        rows = read_bids(path)
        _require_people(path, rows)
        return jobs_of_rows(rows, path, rate_hz, units)
    if path.is_dir():
        jobs = _jobs_of_folder(path, _matrices_in(path), rate_hz, units)
        if not jobs:
            raise InputError(f"{path}: expected recordings ({', '.join(READERS)}) or a manifest.csv; found none")
        return jobs
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
        sources = [(file_as_named(path.parent, file), file) for file in files]
        matrices = [(source, file) for source, file in sources if is_matrix_file(source)]
        names = {name for _, name in matrices}
        jobs = [job for job in find_jobs(path, rate_hz=rate_hz, units=units) if job.rows[0].file not in names]
        return matrices, jobs
    if is_bids(path):  # matrices in its derivatives come from the same recordings
        return [], find_jobs(path, rate_hz=rate_hz, units=units)
    if path.is_dir():
        found = _matrices_in(path)
        jobs = _jobs_of_folder(path, found, rate_hz, units)
        if not (found or jobs):
            raise InputError(f"{path}: expected matrices (.npz), recordings or a manifest.csv; found none")
        return [(p, p.relative_to(path).as_posix()) for p in found], jobs
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
    n_unlisted = len(unlisted(folder, manifest, iterate_manifest(manifest)))
    if n_unlisted:
        log.warning("npz files in %s left out because %s does not list them: %d", folder, manifest, n_unlisted)


def unlisted(folder: Path, manifest: Path, rows: Iterable[ManifestRow]) -> list[Path]:
    """The npz files of a folder that no row of its manifest names, whatever the spelling of the path."""
    files = {row.file for row in rows}
    within = "" if manifest.parent == folder else f"{folder.relative_to(manifest.parent).as_posix()}/"
    others = [folder / name for name in each_name_in(folder, (".npz",)) if within + name not in files]
    resolved = {_resolved(file_as_named(manifest.parent, file)) for file in files} if others else set()  # slow
    return sorted(path for path in others if _resolved(path) not in resolved)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link to itself, or a NUL in the name
        return path.absolute()


def is_manifest(path: Path) -> bool:
    """Whether a file is a table with a column ``file`` (or named as one), rather than a recording."""
    if path.suffix.lower() != ".csv":
        return False
    if path.name == MANIFEST and path.is_file():
        return True  # reading it says what it lacks
    try:
        require_file(path)
        with path.open(encoding="utf-8-sig", errors="replace") as handle:
            first = handle.readline()
        cells = next(csv.reader([first], delimiter=separator_of(first)), [])
    except (InputError, OSError, csv.Error):
        return False  # reading it as a recording raises the error
    return "file" in [cell.strip() for cell in cells]


def _matrices_in(folder: Path) -> list[Path]:
    return [path for path in files_in(folder, (".npz",)) if is_matrix_file(path)]


def _jobs_of_folder(folder: Path, matrices: Collection[Path], rate_hz: float | None, units: str) -> list[Job]:
    """The recordings in a folder, with labels from their names; the files that a WFDB header names are parts of it."""
    others = {*matrices}
    found = files_in(folder, (*READERS, *NOT_READ))
    if remark := remark_on_others(found):
        log.warning("%s: %s", folder, remark)
    files = [path for path in found if path.suffix.lower() in READERS and path not in others]
    others |= segment_headers(path for path in files if path.suffix.lower() == ".hea")
    jobs = [_job_from_name(p, p.relative_to(folder).as_posix(), rate_hz, units) for p in files if p not in others]
    _require_people(folder, [job.rows[0] for job in jobs])
    return jobs


def _require_people(folder: Path, rows: list[ManifestRow]) -> None:
    try:
        require_one_spelling_of_people(rows)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None


def jobs_of_rows(rows: list[ManifestRow], base: Path, rate_hz: float | None, units: str) -> list[Job]:
    """The recordings that rows name, relative to ``base``; ``rate_hz`` and ``units`` where a row states none."""
    by_file: dict[str, list[ManifestRow]] = {}
    for row in rows:
        filled = replace(row, units=row.units or units)
        if filled.rate_hz is None:
            filled = replace(filled, rate_hz=rate_hz, rate_source="")
        by_file.setdefault(row.file, []).append(filled)
    return [Job(file_as_named(base, file), tuple(rows_of_file)) for file, rows_of_file in by_file.items()]


def _job_from_name(path: Path, name: str, rate_hz: float | None, units: str) -> Job:
    try:
        row = parse_file_name(name)
    except InputError:
        row = ManifestRow(file=name)
    return Job(path, (replace(row, rate_hz=rate_hz, units=units),))
