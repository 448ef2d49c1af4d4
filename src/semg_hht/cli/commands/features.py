"""`semg-hht features`: a table of classical features of each repetition, and their trends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.datasets.feature_table import Drift, Measured
from semg_hht.signals.repetitions import SegmentConfig


def features(
    input: Annotated[Path, typer.Argument(help="A table of repetitions, a manifest.csv, a recording, or a folder.")],
    out: Annotated[Path, typer.Option(help="Table to write; trends and pictures are written next to it.")] = Path(
        "features.csv"
    ),
    references: Annotated[
        Path | None,
        typer.Option(help="Manifest of maximal contractions, to give amplitudes in % of MVC too.  [default: none]"),
    ] = None,
    band: flags.Band = None,
    mains: flags.Mains = None,
    ecg: flags.Ecg = None,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    segment: flags.Segment = False,
    pictures: Annotated[bool, typer.Option(help="Draw the features of each recording against its repetitions.")] = True,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Recordings at the same time; -1: one per core.")] = -1,
    overwrite: flags.Overwrite = False,
    strict: flags.Strict = False,
    as_json: flags.AsJson = False,
) -> None:
    """Measure RMS, median frequency and other features. One row per repetition and channel, and trends."""
    from semg_hht.datasets.feature_table import TableOutput, measure
    from semg_hht.datasets.find_inputs import find_jobs
    from semg_hht.datasets.mvc import with_references

    config = flags.StatedTransform(band, mains, ecg, scaling=None if references is None else "mvc").config()
    jobs = find_jobs(input, rate_hz=rate_hz, units=units)
    jobs = with_references(jobs, config, references, n_jobs=jobs_at_once)
    done = measure(
        jobs, out, config.filter, segmentation=SegmentConfig() if segment else None,
        output=TableOutput(pictures, overwrite), n_jobs=jobs_at_once, track=console.track,
    )  # fmt: skip
    console.list_failures(done.failures)
    console.list_remarks(done.remarks)
    if as_json:
        console.print_json(_json(done))
    else:
        n_repetitions = len({(m.row.file, m.row.start_s, m.row.stop_s) for m in done.measures})
        console.out.print(
            f"{console.counted(n_repetitions, 'repetition')}, {console.counted(len(done.measures), 'row')}: {out}"
        )
        for drift in done.drifts[: console.MAX_LISTED]:
            console.out.print(f"  {_sentence(drift)}", markup=False)
        if done.trends is not None:
            console.out.print(f"  trends      {done.trends}")
        if done.pictures is not None:
            console.out.print(f"  pictures    {done.pictures}")
    console.exit_if_strict(strict, done.failures)


def _sentence(drift: Drift) -> str:
    line = drift.trend
    slope, low, high = line.percent
    name = drift.feature.removesuffix("_hz").upper()
    where = f"{Path(drift.row.file).name}, {drift.channel}: {name} {line.start:.4g} {drift.units}"
    return f"{where}, {slope:+.2g} % a repetition (95 % interval {low:+.2g} to {high:+.2g}, {line.n} repetitions)"


def _json(done: Measured) -> dict[str, Any]:
    return {
        "table": str(done.table),
        "trends": None if done.trends is None else str(done.trends),
        "pictures": None if done.pictures is None else str(done.pictures),
        "drifts": [
            {"file": d.row.file, "channel": d.channel, "feature": d.feature, "units": d.units, **vars(d.trend)}
            for d in done.drifts
        ],
        "failures": [vars(failure) for failure in done.failures],
        "remarks": [vars(remark) for remark in done.remarks],
    }
