"""Recordings -> a prepared folder: ``hht_matrices/``, ``hht_images/`` and ``manifest.csv``.

Knows names and folders: nothing of how a matrix is made. The folder is its own cache: each matrix carries a key of the
recording's bytes and the settings, and what is there already under the same key is not computed again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, replace
from itertools import count, takewhile
from pathlib import Path, PurePosixPath

import numpy as np

from semg_hht.datasets.find_inputs import MANIFEST
from semg_hht.errors import InputError
from semg_hht.matrices.matrix import read_facts, read_matrix, write_matrix
from semg_hht.matrices.transform import Example, PipelineConfig, transform, warn_of_clipped_band
from semg_hht.recordings.jobs import Failure, Job, Remark, collect, for_each
from semg_hht.recordings.manifest import (
    GENDER_TOKENS,
    MOVEMENT_TOKENS,
    ManifestRow,
    is_test_name,
    manifest_text,
    parse_file_name,
    read_manifest,
)
from semg_hht.recordings.recording import files_of
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.system.files import (
    LEFTOVERS,
    clear_folder,
    locked_folder,
    require_file,
    require_new_folder,
    whole_file,
    write_text,
)
from semg_hht.system.progress import Track, untracked

log = logging.getLogger(__name__)

LABEL_COLUMNS = ("movement", "gender", "subject")  # what a person may have edited in manifest.csv
MATRIX_FOLDER = "hht_matrices"
IMAGE_FOLDER = "hht_images"
BIDS_FOLDER = "bids"
TRANSFORM_VERSION = 5  # part of the key: to be raised when the same settings give other matrices


@dataclass(frozen=True)
class Prepared:
    """What `prepare` left in its folder. ``n_reused`` recordings were there already and not computed again."""

    folder: Path
    manifest: Path
    n_recordings: int
    n_reused: int
    n_matrices: int
    n_labelled: int
    dropped: float  # mean share of energy outside the band
    failures: tuple[Failure, ...]
    remarks: tuple[Remark, ...]


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

    A run that was killed left no manifest.csv: it is simply run again, and goes on where it stood.

    Raises
    ------
    InputError
        The folder holds something else, or a manifest.csv that somebody may have edited (unless ``overwrite``); or not
        one recording could be used.
    """
    with locked_folder(out):
        require_new_folder(out, overwrite=overwrite, except_for=(MATRIX_FOLDER, IMAGE_FOLDER, BIDS_FOLDER, *LEFTOVERS))
        if not overwrite:
            _require_only_ours(out)
        return _prepare_all(jobs, out, config, images, n_jobs, track)


def _prepare_all(
    jobs: list[Job], out: Path, config: PipelineConfig, images: bool, n_jobs: int, track: Track
) -> Prepared:
    """The matrices, and the table of them once all are there."""
    warned: set[float] = set()
    results = for_each(_prepare_one, _named(jobs, out), config, out, images, n_jobs=n_jobs)
    written, failures = collect(track(results, len(jobs), "transforming"))
    for result in written:
        warn_of_clipped_band(result.rate_hz, config, warned)
    rows = [row for result in written for row in result.rows]
    _remove_others(out, rows)
    _keep_edited(out / MANIFEST, rows)
    write_text(out / MANIFEST, manifest_text(rows))
    return Prepared(
        folder=out,
        manifest=out / MANIFEST,
        n_recordings=len(written),
        n_reused=sum(result.reused for result in written),
        n_matrices=len(rows),
        n_labelled=sum(bool(row.movement or row.gender) for row in rows),
        dropped=float(np.mean([share for result in written for share in result.dropped])),
        failures=tuple(failures),
        remarks=tuple(Remark(r.rows[0].extra["recording"], text) for r in written for text in r.remarks),
    )


def _keep_edited(manifest: Path, rows: list[ManifestRow]) -> None:
    """A copy of the table that is about to be replaced, where its labels are others than those of ``rows``."""
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
    number = 1
    while (copy := manifest.with_name(f"{manifest.name}.before{number}")).exists():
        number += 1
    with whole_file(copy) as part:
        shutil.copyfile(manifest, part)
    log.warning(
        "%s had other labels than the source says, which were taken (%s%s); the table as it was is kept as %s",
        manifest, changed[0], f", and {len(changed) - 1} more" if len(changed) > 1 else "", copy.name,
    )  # fmt: skip


@dataclass(frozen=True)
class _Named(Job):
    """A recording that is told the names of its matrices, and no other's: it travels to a worker.

    stems : of each row, before the channel. there : of each row, files of these names that an earlier run left.
    """

    stems: tuple[str, ...] = ()
    there: tuple[tuple[str, ...], ...] = ()


def _named(jobs: list[Job], out: Path) -> list[_Named]:
    stems = _unique_stems([row for job in jobs for row in job.rows])
    there: dict[str, list[str]] = {}
    for path in (out / MATRIX_FOLDER).glob("*.npz"):  # once: the folder may hold very many
        there.setdefault(_without_channel(path.stem), []).append(path.name)
    named = []
    for job in jobs:
        own = tuple(stems[_row_key(row)] for row in job.rows)
        files = tuple(tuple(sorted(there.get(stem, ()), key=_channel_number)) for stem in own)
        named.append(_Named(job.path, job.rows, job.reference, stems=own, there=files))
    return named


def _without_channel(stem: str) -> str:
    return re.sub(r"_ch\d+$", "", stem)


@dataclass(frozen=True)
class _Written:
    """The matrices of one recording, on disk: their manifest rows and shares dropped."""

    rows: tuple[ManifestRow, ...]
    dropped: tuple[float, ...]
    rate_hz: float
    reused: bool
    remarks: tuple[str, ...]


def _prepare_one(job: _Named, n_threads: int | None, config: PipelineConfig, out: Path, images: bool) -> _Written:
    """In a worker: only names travel between processes, matrices go straight to their files."""
    key = _key(job, config)
    found = _reusable(job, key, out)
    if found is None:
        examples = transform(open_filtered(job, config.filter), config, n_threads=n_threads)
        if _key(job, config) != key:  # the matrices of one version would pass for those of the other
            raise InputError(f"{job.path}: was changed while it was read; run again to use it as it is now")
        found = _write(job, key, examples, out)
    if images:
        _draw_missing(found, out)
    return found


def _key(job: Job, config: PipelineConfig) -> str:
    """SHA-256 over all that decides the matrices of a recording: its bytes, what is cut from it, and the settings."""
    require_file(job.path)
    try:
        content = hashlib.sha256(b"".join(path.read_bytes() for path in files_of(job.path))).hexdigest()
    except OSError as error:
        raise InputError(f"{job.path}: can't be read; {error.strerror}") from None
    cuts = [[row.start_s, row.stop_s, row.channels, row.rate_hz, row.units] for row in job.rows]
    decides = [TRANSFORM_VERSION, content, cuts, job.reference and asdict(job.reference), config.to_json()]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _write(job: _Named, key: str, examples: list[Example], out: Path) -> _Written:
    stems = {_row_key(row): stem for row, stem in zip(job.rows, job.stems, strict=True)}
    numbers = {channel: i for i, channel in enumerate(dict.fromkeys(e.channel for e in examples), start=1)}
    rows = []
    for example in examples:
        stem = stems[_row_key(example.row)] + (f"_ch{numbers[example.channel]}" if len(numbers) > 1 else "")
        write_matrix(
            out / MATRIX_FOLDER / f"{stem}.npz",
            example.matrix,
            key=key,
            n_of_recording=len(examples),
            rate_hz=example.rate_hz,
            units=example.row.units,
            dropped=example.dropped,
            source=example.row.file,
            channel=example.channel,
            remarks="\n".join(example.remarks),
        )
        rows.append(_matrix_row(example.row, example.channel, f"{MATRIX_FOLDER}/{stem}.npz"))
    return _Written(tuple(rows), tuple(e.dropped for e in examples), examples[0].rate_hz, False, examples[0].remarks)


def _reusable(job: _Named, key: str, out: Path) -> _Written | None:
    """The matrices of an earlier run, if all of them are there under the same key."""
    rows: list[ManifestRow] = []
    dropped: list[float] = []
    n_expected = 0
    rate_hz = 0.0
    remarks: tuple[str, ...] = ()
    for row, stem, files in zip(job.rows, job.stems, job.there, strict=True):
        files = files or _written_since(out / MATRIX_FOLDER, stem)
        single = f"{stem}.npz"
        for name in [single] if single in files else files:
            path = out / MATRIX_FOLDER / name
            try:
                facts = read_facts(path)
            except InputError:  # damaged since: it is made again
                return None
            if facts.get("key") != key:
                return None
            n_expected, rate_hz = int(facts["n_of_recording"]), float(facts["rate_hz"])
            remarks = tuple(str(facts["remarks"]).splitlines())
            filled = replace(row, rate_hz=rate_hz, units=str(facts["units"]))
            rows.append(_matrix_row(filled, str(facts["channel"]), f"{MATRIX_FOLDER}/{path.name}"))
            dropped.append(float(facts["dropped"]))
    if not rows or len(rows) != n_expected:
        return None
    return _Written(tuple(rows), tuple(dropped), rate_hz, True, remarks)


def _written_since(folder: Path, stem: str) -> tuple[str, ...]:
    """Matrices of a row that a worker finished before its pool was lost: they were not there at the beginning."""
    if (folder / f"{stem}.npz").is_file():
        return (f"{stem}.npz",)
    return tuple(takewhile(lambda name: (folder / name).is_file(), (f"{stem}_ch{i}.npz" for i in count(1))))


def _channel_number(name: str) -> int:
    found = re.search(r"_ch(\d+)\.npz$", name)
    return int(found[1]) if found else 0


def _draw_missing(found: _Written, out: Path) -> None:
    from semg_hht.figures.plots import draw_matrix

    for row in found.rows:
        stem = PurePosixPath(row.file).stem
        picture = out / IMAGE_FOLDER / f"{stem}.png"
        if not (found.reused and picture.is_file()):
            draw_matrix(read_matrix(out / row.file), picture, title=stem)


def _remove_others(out: Path, rows: list[ManifestRow]) -> None:
    """What an earlier run left under other names must not pass for a result of this one."""
    kept = {PurePosixPath(row.file).stem for row in rows}
    for path in (out / MATRIX_FOLDER).glob("*.npz"):
        if path.stem not in kept and _is_ours(path):
            path.unlink()
            (out / IMAGE_FOLDER / f"{path.stem}.png").unlink(missing_ok=True)
    for folder in (MATRIX_FOLDER, IMAGE_FOLDER):
        clear_folder(out / folder, LEFTOVERS)


def _is_ours(path: Path) -> bool:
    try:
        return "key" in read_facts(path)
    except InputError:
        return False


def _require_only_ours(out: Path) -> None:
    """Matrices of another tool in the folder are somebody's work: nothing is written among them unasked."""
    others = [path for path in sorted((out / MATRIX_FOLDER).glob("*.npz")) if not _is_ours(path)]
    if others:
        raise InputError(f"{others[0]}: was not written by prepare; name another folder, or say --overwrite")


def _matrix_row(row: ManifestRow, channel: str, file: str) -> ManifestRow:
    """The manifest row of a matrix: its labels, and in extra columns the recording it was cut from."""
    origin = {
        "recording": row.file,
        "recording_start_s": "" if row.start_s is None else f"{row.start_s:.10g}",
        "recording_stop_s": "" if row.stop_s is None else f"{row.stop_s:.10g}",
        "channel": channel,
    }
    return replace(row, file=file, start_s=None, stop_s=None, channels=(), extra={**row.extra, **origin})


_RowKey = tuple[str, float | None, float | None, tuple[str, ...]]


def _row_key(row: ManifestRow) -> _RowKey:
    return row.file, row.start_s, row.stop_s, row.channels


def _unique_stems(rows: list[ManifestRow]) -> dict[_RowKey, str]:
    """A file name for each repetition, before its channel: as the convention has it where the labels fit, else the
    recording's own; with its folders where that is not unique, and numbered where it has several repetitions."""
    stems: dict[_RowKey, str] = {}
    taken: set[str] = set()
    conventional = Counter(_conventional_stem(row) for row in rows)
    own = Counter(PurePosixPath(file).stem for file in {row.file for row in rows})
    numbers = _numbers(rows)
    for row in rows:
        stem = _conventional_stem(row)
        if not stem or conventional[stem] > 1:
            plain = PurePosixPath(row.file).stem
            stem = plain if own[plain] == 1 else "_".join(PurePosixPath(row.file).with_suffix("").parts)
            stem = _without_foreign_labels(re.sub(r"[^\w.+-]", "_", stem.replace("..", "")), row)
            stem = re.sub(r"_ch(\d+)$", r"-ch\1", stem) + numbers[_row_key(row)]  # that ending is a channel's
        unique, number = stem, 1
        while unique.lower() in taken:  # some file systems are case-blind
            number += 1
            unique = f"{stem}_{number}"
        taken.add(unique.lower())
        stems[_row_key(row)] = unique
    return stems


def _numbers(rows: list[ManifestRow]) -> dict[_RowKey, str]:
    """``_r001``, ``_r002`` ... within a recording, as its rows number them or else in order; empty where it has one."""
    of_file: dict[str, list[ManifestRow]] = {}
    for row in rows:
        of_file.setdefault(row.file, []).append(row)
    found = {}
    for own in of_file.values():
        stated = {int(row.repetition) for row in own if row.repetition.isdecimal()}
        for number, row in enumerate(own, start=1):
            told = int(row.repetition) if len(stated) == len(own) else number
            found[_row_key(row)] = f"_r{told:03d}" if len(own) > 1 else ""
    return found


def _without_foreign_labels(stem: str, row: ManifestRow) -> str:
    """A recording may be named after labels that its repetition no longer has: then its tokens are not to be read."""
    try:
        said = parse_file_name(f"{stem}.npz")
    except InputError:
        return stem
    if is_test_name(stem) or (said.movement, said.gender) == (row.movement, row.gender):
        return stem
    return re.sub("[_-]", ".", stem)


def _conventional_stem(row: ManifestRow) -> str:
    """``S01_E01_BICEPS_half_F_003`` where the labels are the convention's, else empty."""
    if row.movement not in MOVEMENT_TOKENS.values() or row.gender not in GENDER_TOKENS.values():
        return ""
    if not row.muscle or not row.repetition.isdigit() or not re.fullmatch(r"[A-Za-z]+", row.muscle):
        return ""
    who = [part for part, shape in ((row.subject, r"[Ss]\d+"), (row.session, r"[Ee]\d+")) if re.fullmatch(shape, part)]
    return "_".join([*who, row.muscle, row.movement, row.gender, f"{int(row.repetition):03d}"])
