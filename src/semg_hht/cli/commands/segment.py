"""`semg-hht segment`: a table of repetitions to check and edit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semg_hht import SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.system.files import in_command
from semg_hht.verbs.choices import METHODS

if TYPE_CHECKING:
    from semg_hht import Segmented


def segment(
    input: Annotated[Path, typer.Argument(help="A recording, a folder of recordings, or a manifest.csv.")],
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path("reps.csv"),
    method: Annotated[str, typer.Option(help=f"How activity is found: {' or '.join(METHODS)}.")] = "markov",
    channel: Annotated[
        list[str] | None,
        typer.Option(help="Channel to search, by name or number; may be repeated.  [default: all]"),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            help="File of intervals or clicks that state the repetitions, or a folder of them.  [default: none]"
        ),
    ] = None,
    merge_gap_s: Annotated[
        float, typer.Option(help="Shorter rests belong to a repetition.")
    ] = SegmentConfig.merge_gap_s,
    min_duration_s: flags.MinDuration = SegmentConfig.min_duration_s,
    max_duration_s: flags.MaxDuration = SegmentConfig.max_duration_s,
    ghost_share: Annotated[
        float, typer.Option(help="Activity below this share of the others' amplitude is left out.")
    ] = 0.2,
    band: flags.Band = None,
    mains: flags.Mains = None,
    ecg: flags.Ecg = None,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    pictures: Annotated[bool, typer.Option(help="Draw each recording with its repetitions.")] = True,
    filter_pictures: Annotated[
        bool, typer.Option("--filter_pictures", help="Also draw the recording after each filter step.")
    ] = False,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Recordings at the same time; -1: one per core.")] = -1,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the table. Labels whose times still fit stay, and the table before is kept as reps_old.csv.",
        ),
    ] = False,
    strict: flags.Strict = False,
    as_json: flags.AsJson = False,
) -> None:
    """Find the repetitions of recordings. Writes a table to check and edit, which prepare reads, and pictures."""
    from semg_hht.verbs.segmenting import Pictures, SegmentOptions
    from semg_hht.verbs.segmenting import segment as segment_recordings

    filters = flags.StatedTransform(band, mains, ecg).config().filter
    done = segment_recordings(
        input,
        out,
        rate_hz=rate_hz,
        units=units,
        config=SegmentConfig(method, merge_gap_s, min_duration_s, max_duration_s, ghost_share),
        options=SegmentOptions(tuple(channel or ()), events, filters, Pictures(pictures, filter_pictures), overwrite),
        work=console.work(jobs_at_once),
    )
    console.list_failures(done.failures)
    console.list_remarks(done.remarks)
    _show(done, out, as_json=as_json)
    console.exit_if_strict(strict, done.failures)


def _show(done: Segmented, out: Path, *, as_json: bool) -> None:
    """Print what was found, where it is and what comes next."""
    if as_json:
        console.print_json(
            {
                "table": str(done.table),
                "pictures": None if done.pictures is None else str(done.pictures),
                "n_recordings": done.n_recordings,
                "n_repetitions": len(done),
                "empty": done.empty,
                "failures": [asdict(failure) for failure in done.failures],
                "remarks": [asdict(remark) for remark in done.remarks],
            }
        )
    else:
        console.out.print(
            f"{console.counted(len(done), 'repetition')} in {console.counted(done.n_recordings, 'recording')}: {out}"
        )
        if done.pictures is not None:
            console.out.print(f"  pictures    {done.pictures}")
        console.out.print(
            "  next        check the pictures, correct times and fill in labels (or use semg-hht label), then"
        )
        console.out.print(f"              semg-hht prepare {in_command(out)} --out prepared")
