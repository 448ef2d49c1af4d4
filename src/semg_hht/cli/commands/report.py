"""`semg-hht report`: an HTML page about an evaluation, a run or one recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht import InputError, InputOptions, SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.verbs.reporting import MAX_ON_CARD


def report(
    out: Annotated[Path, typer.Option(help="The page: one HTML file that needs no other files.")],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="RUN_OR_EVALUATION", help="A run directory, or the folder of an evaluation."),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="Report one recording, or a manifest of one, predicted by --checkpoint.  [default: none]"),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="The run that predicts for --card.  [default: the run that comes with semg-hht]"),
    ] = None,
    lang: flags.Lang = "en",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of the matrices, if it was moved.  [default: where it was]")
    ] = None,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    references: flags.References = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help=f"With --card: show the evidence for the first {MAX_ON_CARD} predictions, in Hz and seconds.",
        ),
    ] = False,
    gender: Annotated[
        bool, typer.Option("--gender", help="With --card: show recorded gender too, if the run answers it.")
    ] = False,
    cpu: flags.Cpu = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
) -> None:
    """Write a page on an evaluation, a run or one recording. Scores, errors, limits and a paragraph of methods."""
    from semg_hht.verbs.reporting import ReportOptions, report_findings, report_recording

    options = ReportOptions(lang, data_dir, explain, gender, cpu, overwrite)
    if card is None and (gender or explain):
        report_findings(source or out, out, options)  # raises the error
    if source is not None and card is None and checkpoint is None:
        report_findings(source, out, options)
    elif source is None and card is not None:
        inputs = InputOptions(rate_hz, units, references, SegmentConfig())
        with console.err.status("reading, answering and drawing"):
            report_recording(card, out, console.chosen_run(checkpoint), inputs, options)
    else:
        raise InputError("nothing to report; expected RUN_OR_EVALUATION, or --card RECORDING")
    console.out.print(f"report      {out}")
