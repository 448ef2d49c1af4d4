"""`semg-hht prepare`: recordings -> a folder of matrices."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli.options import (
    AsJson,
    Backend,
    Band,
    Channels,
    Decomposition,
    Ecg,
    Mains,
    Overwrite,
    RateHz,
    References,
    Scaling,
    Scheduler,
    Seed,
    Segment,
    Strict,
    Units,
    config_of,
)
from semg_hht.datasets.bids_export import BidsDataset, export_bids
from semg_hht.datasets.find_inputs import MANIFEST, find_jobs
from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.jobs import Failure, Job, none_usable
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.processes import path_for_workers, workers


def prepare(
    input: Annotated[Path, typer.Argument(help="A recording, a folder of recordings, or a manifest.csv.")],
    out: Annotated[Path, typer.Option(help="Folder for hht_matrices/ and manifest.csv.")],
    band: Band = None,
    mains: Mains = None,
    ecg: Ecg = None,
    decomposition: Decomposition = None,
    scaling: Scaling = None,
    references: References = None,
    channels: Channels = None,
    rate_hz: RateHz = None,
    units: Units = "",
    seed: Seed = 42,
    segment: Segment = False,
    images: Annotated[bool, typer.Option("--images", help="Write hht_images/*.png too.")] = False,
    bids: Annotated[
        bool,
        typer.Option("--bids", help="Write bids/ too: the recordings and repetitions as a BIDS-EMG dataset."),
    ] = False,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Recordings at once; -1: as many as cores.")] = -1,
    backend: Backend = "loky",
    scheduler: Scheduler = "",
    overwrite: Overwrite = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Recordings -> 256x256 Hilbert-Huang matrices and a manifest.csv that train reads."""
    from semg_hht.datasets.mvc import with_references
    from semg_hht.datasets.prepare import prepare as prepare_folder
    from semg_hht.datasets.segment import with_repetitions

    config = config_of(
        band=band, mains=mains, ecg=ecg, decomposition=decomposition, scaling=scaling, channels=channels, seed=seed
    )
    input, out = path_for_workers(backend, input), path_for_workers(backend, out)
    references = path_for_workers(backend, references)
    without: list[Failure] = []
    with workers(backend, scheduler):
        jobs = find_jobs(input, rate_hz=rate_hz, units=units)
        if segment:
            jobs, without = with_repetitions(
                jobs, SegmentConfig(), config.filter, n_jobs=jobs_at_once, track=console.track
            )
            if not jobs:
                raise none_usable(without)
        jobs = with_references(jobs, config, references, n_jobs=jobs_at_once)
        done = prepare_folder(
            jobs, out, config, images=images, overwrite=overwrite, n_jobs=jobs_at_once, track=console.track
        )
        try:
            exported = _export(jobs, out, input, config, overwrite) if bids else None
        except (InputError, OSError) as error:
            raise InputError(
                f"{error}. The matrices are done: the same command with --overwrite computes none of them again"
            ) from None
    done = replace(done, failures=(*without, *done.failures))
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
        console.out.print(
            f"{console.counted(done.n_matrices, 'matrix', 'matrices')} of "
            f"{console.counted(done.n_recordings, 'recording')} in {out / 'hht_matrices'}"
        )
        if done.n_reused:
            console.out.print(f"  {done.n_reused} of the recordings were there already, unchanged: not computed again")
        console.out.print(f"  {done.dropped:.1%} of the energy lay outside the band and was dropped")
        console.out.print(
            f"  {done.n_labelled} of {done.n_matrices} are labelled; labels can be edited in {done.manifest}"
        )
        if exported is not None:
            told = console.counted(exported.n_recordings, "recording")
            console.out.print(f"  BIDS-EMG    {told} in {exported.folder}")
    console.exit_if_strict(strict, [*done.failures, *(exported.failures if exported else ())])


def _export(jobs: list[Job], out: Path, input: Path, config: PipelineConfig, overwrite: bool) -> BidsDataset:
    from semg_hht.datasets.prepare import BIDS_FOLDER

    input = input.absolute()
    named_after = input.parent if input.name == MANIFEST else input
    mains_hz = config.filter.mains_hz if isinstance(config.filter.mains_hz, float) else None
    return export_bids(
        jobs, out / BIDS_FOLDER, name=named_after.stem, power_line_hz=mains_hz, overwrite=overwrite, track=console.track
    )
