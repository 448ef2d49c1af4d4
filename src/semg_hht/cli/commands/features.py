"""`semg-hht features`: a table of classical features of each repetition, and their trends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht import SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags

if TYPE_CHECKING:
    from semg_hht.verbs.measuring import Drift, Measured


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
    from semg_hht.verbs.measuring import FeatureOptions
    from semg_hht.verbs.measuring import features as measure

    filters = flags.StatedTransform(band, mains, ecg).config().filter
    done = measure(
        input, out, rate_hz=rate_hz, units=units, segmentation=SegmentConfig() if segment else None,
        options=FeatureOptions(filters, references, pictures, overwrite), work=console.work(jobs_at_once),
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
        console.list_first(console.out, done.drifts, _sentence, f"more in {done.trends}")
        if done.trends is not None:
            console.out.print(f"  trends      {done.trends}")
        if done.pictures is not None:
            console.out.print(f"  pictures    {done.pictures}")
    console.exit_if_strict(strict, done.failures)


def _sentence(drift: Drift) -> str:
    line = drift.trend
    slope, low, high = line.percent
    name = drift.feature.removesuffix("_hz").upper()
    where = f"{Path(drift.row.file).name}, {drift.channel}: {name} {line.start:.4g} {drift.units}".rstrip()
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
