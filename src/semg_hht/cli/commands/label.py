"""`semg-hht label`: full, half or invalid from a second sensor, such as a goniometer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semg_hht import InputError, LabelConfig, LabelOptions, LagSearch, SensorSource
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.system.files import in_command
from semg_hht.verbs.choices import LABELS

if TYPE_CHECKING:
    from semg_hht import Labelled


def label(
    input: Annotated[
        Path,
        typer.Argument(help="A table of repetitions, as segment writes it; or recordings, which are segmented first."),
    ],
    sensor: Annotated[
        str,
        typer.Option(help="Channel of the sensor, by name or number.  [default: the only one that is not EMG]"),
    ] = "",
    sensor_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the sensor, or a folder with a file for each recording.  [default: the recording itself]"
        ),
    ] = None,
    sensor_rate_hz: Annotated[
        float | None,
        typer.Option(help="Sampling rate of the sensor in Hz, where its file does not state it.  [default: none]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Table to write.  [default: the table itself; for recordings reps.csv]"),
    ] = None,
    full_at: Annotated[
        float | None,
        typer.Option(help="Full range in units of the sensor.  [default: the person's best in the session]"),
    ] = None,
    full_from: Annotated[float, typer.Option(help="Smallest share of the range that is full.")] = 0.85,
    half_from: Annotated[float, typer.Option(help="Smallest share that is half.")] = 0.35,
    half_to: Annotated[float, typer.Option(help="Largest share that is half.")] = 0.65,
    invalid_below: Annotated[float, typer.Option(help="A smaller share is invalid.")] = 0.2,
    lag_s: Annotated[
        float | None,
        typer.Option(help="By how much the sensor is later than the EMG.  [default: found by cross-correlation]"),
    ] = None,
    max_lag_s: Annotated[float, typer.Option(help="Largest lag that is searched, in both directions.")] = 1.0,
    best_of: Annotated[
        str,
        typer.Option(help="Whose best counts: session (all recordings of a person and session) or recording."),
    ] = "session",
    band: flags.Band = None,
    mains: flags.Mains = None,
    ecg: flags.Ecg = None,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    pictures: Annotated[bool, typer.Option(help="Draw each recording with sensor, thresholds and labels.")] = True,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Recordings at the same time; -1: one per core.")] = -1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another table than the input.")] = False,
    strict: flags.Strict = False,
    as_json: flags.AsJson = False,
) -> None:
    """Label repetitions full, half or invalid from a second sensor. Fills empty labels of the table; draws pictures."""
    from semg_hht.verbs.labelling import label as label_repetitions
    from semg_hht.verbs.labelling import table_to_fill

    if best_of not in ("session", "recording"):
        raise InputError(f"--best_of must be session or recording; got {best_of!r}")
    config = LabelConfig(full_from, half_from, half_to, invalid_below, full_at, LagSearch(lag_s, max_lag_s))
    filters = flags.StatedTransform(band, mains, ecg).config().filter
    table = table_to_fill(input, out)
    done = label_repetitions(
        input, SensorSource(sensor, sensor_file, sensor_rate_hz), table, rate_hz=rate_hz,
        options=LabelOptions(config, best_of == "session", filters, pictures=pictures), overwrite=overwrite,
        work=console.work(jobs_at_once),
    )  # fmt: skip
    console.list_failures(done.failures)
    console.list_remarks(done.remarks)
    _show(done, table, as_json=as_json)
    console.exit_if_strict(strict, done.failures)


def _show(done: Labelled, table: Path, *, as_json: bool) -> None:
    if as_json:
        console.print_json(
            {
                "table": str(table),
                "pictures": None if done.pictures is None else str(done.pictures),
                "n_recordings": done.n_recordings,
                "n_repetitions": len(done.rows),
                "counts": done.counts,
                "n_kept": done.n_kept,
                "n_without_label": done.n_open,
                "failures": [{"file": failure.file, "reason": failure.reason} for failure in done.failures],
                "remarks": [{"file": remark.file, "text": remark.text} for remark in done.remarks],
            }
        )
    else:
        names = [*LABELS, *sorted(set(done.counts) - set(LABELS))]
        counts = ", ".join(f"{done.counts[name]} {name}" for name in names if name in done.counts)
        console.out.print(
            f"{console.counted(len(done.rows), 'repetition')} in {console.counted(done.n_recordings, 'recording')}: "
            f"{counts}, {done.n_open} without a label"
        )
        console.out.print(f"  table       {table}")
        if done.pictures is not None:
            console.out.print(f"  pictures    {done.pictures}")
        console.out.print("  next        check the pictures, correct labels in the column movement, then")
        console.out.print(f"              semg-hht prepare {in_command(table)} --out prepared")
