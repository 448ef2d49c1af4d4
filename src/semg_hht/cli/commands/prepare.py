"""`semg-hht prepare`: a folder of matrices from recordings."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.datasets.bids_export import ExportedDataset, export_bids
from semg_hht.datasets.find_inputs import MANIFEST, find_jobs
from semg_hht.datasets.prepare import BIDS_FOLDER, MATRIX_FOLDER, Prepared
from semg_hht.datasets.prepare import prepare as prepare_folder
from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.jobs import Failure, Job
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.processes import path_for_workers, workers


def prepare(
    input: Annotated[Path, typer.Argument(help="A recording, a folder of recordings, or a manifest.csv.")],
    out: Annotated[Path, typer.Option(help="Folder for hht_matrices/ and manifest.csv.")],
    band: flags.Band = None,
    mains: flags.Mains = None,
    ecg: flags.Ecg = None,
    decomposition: flags.Decomposition = None,
    scaling: flags.Scaling = None,
    references: flags.References = None,
    channels: flags.Channels = None,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    seed: flags.Seed = 42,
    segment: flags.Segment = False,
    images: Annotated[bool, typer.Option("--images", help="Also write hht_images/*.png.")] = False,
    bids: Annotated[
        bool,
        typer.Option("--bids", help="Also write bids/, a BIDS-EMG dataset of the recordings and repetitions."),
    ] = False,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Recordings at the same time; -1: one per core.")] = -1,
    backend: flags.Backend = "loky",
    scheduler: flags.Scheduler = "",
    overwrite: flags.Overwrite = False,
    strict: flags.Strict = False,
    as_json: flags.AsJson = False,
) -> None:
    """Compute Hilbert-Huang matrices of recordings. Writes 256x256 matrices and a manifest.csv that train reads."""
    from semg_hht.datasets.mvc import with_references
    from semg_hht.datasets.segment import with_repetitions

    config = flags.StatedTransform(band, mains, ecg, decomposition, scaling, channels, seed).config()
    input, out = path_for_workers(backend, input), path_for_workers(backend, out)
    references = path_for_workers(backend, references)
    not_segmented: list[Failure] = []
    with workers(backend, scheduler):
        jobs = find_jobs(input, rate_hz=rate_hz, units=units)
        if segment:
            jobs, not_segmented = with_repetitions(
                jobs, SegmentConfig(), config.filter, n_jobs=jobs_at_once, track=console.track
            )
        jobs = with_references(jobs, config, references, n_jobs=jobs_at_once)
        done = prepare_folder(
            jobs, out, config, images=images, overwrite=overwrite, n_jobs=jobs_at_once, track=console.track
        )
        try:
            exported = _export(jobs, out, input, config, overwrite) if bids else None
        except (InputError, OSError) as error:
            raise InputError(
                f"{error}. The matrices are finished; the same command with --overwrite does not compute them again"
            ) from None
    done = replace(done, failures=(*not_segmented, *done.failures))
    console.list_failures(done.failures)
    console.list_remarks(done.remarks)
    if exported is not None:
        console.list_failures(exported.failures)
        console.list_remarks(remark for remark in exported.remarks if remark not in done.remarks)
    if as_json:
        folders = {"folder": str(done.folder), "manifest": str(done.manifest)}
        more = {} if exported is None else {"bids": asdict(exported) | {"folder": str(exported.folder)}}
        console.print_json({**asdict(done), **folders, **more})
    else:
        _show(done, exported)
    console.exit_if_strict(strict, [*done.failures, *(exported.failures if exported else ())])


def _show(done: Prepared, exported: ExportedDataset | None) -> None:
    """Print what was prepared, and where it is."""
    console.out.print(
        f"{console.counted(done.n_matrices, 'matrix', 'matrices')} of "
        f"{console.counted(done.n_recordings, 'recording')} in {done.folder / MATRIX_FOLDER}"
    )
    if done.n_reused:
        n_reused = console.counted(done.n_reused, "recording")
        console.out.print(f"  {n_reused} unchanged: matrices not computed again")
    console.out.print(f"  {done.dropped:.1%} of the energy was outside the band and was dropped")
    console.out.print(f"  {done.n_labelled} of {done.n_matrices} are labelled; labels can be edited in {done.manifest}")
    if done.n_labelled == 0:
        console.out.print(
            "  next        fill in movement (full, half, invalid, or classes of your own), gender or both, and"
        )
        console.out.print("              subject (a code for each person); without labels nothing can be trained")
    if exported is not None:
        n_exported = console.counted(exported.n_recordings, "recording")
        console.out.print(f"  BIDS-EMG    {n_exported} in {exported.folder}")


def _export(jobs: list[Job], out: Path, input: Path, config: PipelineConfig, overwrite: bool) -> ExportedDataset:
    input = input.absolute()
    named_after = input.parent if input.name == MANIFEST else input
    mains_hz = config.filter.mains_hz if isinstance(config.filter.mains_hz, float) else None
    return export_bids(
        jobs, out / BIDS_FOLDER, name=named_after.stem, power_line_hz=mains_hz, overwrite=overwrite, track=console.track
    )
