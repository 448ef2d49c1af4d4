"""`semg-hht prepare`: a folder of matrices from recordings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semg_hht import SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.system.files import in_command

if TYPE_CHECKING:
    from semg_hht import Prepared


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
    from semg_hht.verbs.preparing import PrepareOptions
    from semg_hht.verbs.preparing import prepare as prepare_folder

    done = prepare_folder(
        input, out, rate_hz=rate_hz, units=units,
        transform=flags.StatedTransform(band, mains, ecg, decomposition, scaling, channels, seed).config(),
        options=PrepareOptions(SegmentConfig() if segment else None, references, images, bids, overwrite),
        work=console.work(jobs_at_once, backend, scheduler),
    )  # fmt: skip
    exported = done.bids
    console.list_failures(done.failures)
    console.list_remarks(done.remarks)
    if exported is not None:
        console.list_failures(exported.failures)
        console.list_remarks(remark for remark in exported.remarks if remark not in done.remarks)
    if as_json:
        folders = {"folder": str(done.folder), "manifest": str(done.manifest)}
        content = asdict(done) | folders
        if exported is None:
            del content["bids"]
        else:
            content["bids"]["folder"] = str(exported.folder)
        console.print_json(content)
    else:
        _show(done)
    console.exit_if_strict(strict, [*done.failures, *(exported.failures if exported else ())])


def _show(done: Prepared) -> None:
    """Print what was prepared, and where it is."""
    from semg_hht.verbs.preparing import MATRIX_FOLDER

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
        console.out.print("  next        fill in movement (full, half, invalid or other words), gender or both, and")
        console.out.print("              subject (a code for each person); without labels nothing can be trained")
    else:
        console.out.print(f"  next        semg-hht check {in_command(done.folder)}, then", soft_wrap=True)
        console.out.print(
            f"              semg-hht train --data_dir {in_command(done.folder / MATRIX_FOLDER)} "
            "--checkpoint_dir checkpoints",
            soft_wrap=True,
        )  # fmt: skip
    if done.bids is not None:
        n_exported = console.counted(done.bids.n_recordings, "recording")
        console.out.print(f"  BIDS-EMG    {n_exported} in {done.bids.folder}")
