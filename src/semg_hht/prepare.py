"""Examples -> a prepared folder: ``hht_matrices/``, ``hht_images/`` and ``manifest.csv``.

Knows names and folders: nothing of how a matrix is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from semg_hht.errors import InputError
from semg_hht.labels import GENDER_TOKENS, MOVEMENT_TOKENS, Labelled, is_test_name, manifest_text
from semg_hht.matrices import write_matrix
from semg_hht.pipeline import Example, Failure, Job, PipelineConfig, transform_all
from semg_hht.sources import MANIFEST
from semg_hht.storage import clear_folder, require_new_folder, write_text
from semg_hht.tracking import Track, untracked

MATRIX_FOLDER = "hht_matrices"
IMAGE_FOLDER = "hht_images"


@dataclass(frozen=True)
class Prepared:
    """What `prepare` left in its folder."""

    folder: Path
    manifest: Path
    n_recordings: int
    n_matrices: int
    n_labelled: int
    dropped: float  # mean share of energy outside the band
    failures: tuple[Failure, ...]


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

    Raises
    ------
    InputError
        The folder holds something already (unless ``overwrite``), or not one recording could be used.
    """
    require_new_folder(out, overwrite=overwrite)
    stems = _unique_stems([row for job in jobs for row in job.rows])
    rows: list[Labelled] = []
    failures: list[Failure] = []
    dropped: list[float] = []
    for result in track(transform_all(jobs, config, n_jobs=n_jobs), len(jobs), "transforming"):
        if isinstance(result, Failure):
            failures.append(result)
            continue
        if not rows:  # what an earlier run left goes once there is something to put in its place
            clear_folder(out, (f"{MATRIX_FOLDER}/*.npz", f"{IMAGE_FOLDER}/*.png", MANIFEST))
        numbers = {channel: i for i, channel in enumerate(dict.fromkeys(e.channel for e in result), start=1)}
        for example in result:
            stem = stems[_row_key(example.row)]
            if len(numbers) > 1:
                stem += f"_ch{numbers[example.channel]}"
            write_matrix(
                out / MATRIX_FOLDER / f"{stem}.npz",
                example.matrix,
                rate_hz=example.rate_hz,
                dropped=example.dropped,
                source=example.row.file,
                channel=example.channel,
            )
            if images:
                from semg_hht.figures import draw_matrix

                draw_matrix(example.matrix, out / IMAGE_FOLDER / f"{stem}.png", title=stem)
            rows.append(_matrix_row(example, f"{MATRIX_FOLDER}/{stem}.npz"))
            dropped.append(example.dropped)
    if not rows:
        raise InputError(f"none of {len(failures)} recordings could be used; the first: {failures[0].reason}")
    write_text(out / MANIFEST, manifest_text(rows))
    return Prepared(
        folder=out,
        manifest=out / MANIFEST,
        n_recordings=len(jobs) - len(failures),
        n_matrices=len(rows),
        n_labelled=sum(bool(row.movement or row.gender) for row in rows),
        dropped=float(np.mean(dropped)),
        failures=tuple(failures),
    )


def _matrix_row(example: Example, file: str) -> Labelled:
    """The manifest row of a matrix: its labels, and in extra columns the recording it was cut from."""
    row = example.row
    origin = {
        "recording": row.file,
        "recording_start_s": "" if row.start_s is None else f"{row.start_s:.10g}",
        "recording_stop_s": "" if row.stop_s is None else f"{row.stop_s:.10g}",
        "channel": example.channel,
    }
    return replace(row, file=file, start_s=None, stop_s=None, channels=(), extra={**row.extra, **origin})


_RowKey = tuple[str, float | None, float | None, tuple[str, ...]]


def _row_key(row: Labelled) -> _RowKey:
    return row.file, row.start_s, row.stop_s, row.channels


def _unique_stems(rows: list[Labelled]) -> dict[_RowKey, str]:
    """A file name for each repetition, before its channel: as the convention has it where the labels fit, else the
    recording's own; with its folders and a running number where that alone is not unique."""
    stems: dict[_RowKey, str] = {}
    taken: set[str] = set()
    conventional = [_conventional_stem(row) for row in rows]
    own = [PurePosixPath(row.file).stem for row in rows]
    for row, by_convention, plain in zip(rows, conventional, own, strict=True):
        if by_convention and conventional.count(by_convention) == 1:
            stem = by_convention
        elif own.count(plain) == 1 or is_test_name(plain):
            stem = plain
        else:
            stem = "_".join(PurePosixPath(row.file).with_suffix("").parts)
        stem = re.sub(r"[^\w.+-]", "_", stem.replace("..", ""))
        unique, number = stem, 1
        while unique.lower() in taken:  # some file systems are case-blind
            number += 1
            unique = f"{stem}_r{number:03d}"
        taken.add(unique.lower())
        stems[_row_key(row)] = unique
    return stems


def _conventional_stem(row: Labelled) -> str:
    """``S01_E01_BICEPS_half_F_003`` where the labels are the convention's, else empty."""
    if row.movement not in MOVEMENT_TOKENS.values() or row.gender not in GENDER_TOKENS.values():
        return ""
    if not row.muscle or not row.repetition.isdigit() or not re.fullmatch(r"[A-Za-z]+", row.muscle):
        return ""
    who = [part for part, shape in ((row.subject, r"[Ss]\d+"), (row.session, r"[Ee]\d+")) if re.fullmatch(shape, part)]
    return "_".join([*who, row.muscle, row.movement, row.gender, f"{int(row.repetition):03d}"])
