"""`semg-hht explain`: the evidence for a prediction, in Hz and seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht import InputOptions, SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags


def explain(
    input: Annotated[
        Path, typer.Option(help="A matrix or recording; or a folder or manifest, from which --file selects one.")
    ],
    checkpoint: flags.RunOrShipped = None,
    out: Annotated[Path, typer.Option(help="PNG of the evidence over the matrix, with a text.")] = Path("evidence.png"),
    task: Annotated[str, typer.Option(help="action_quality or gender.  [default: all tasks of the run]")] = "",
    file: Annotated[str, typer.Option(help="Name of the file in a folder or manifest.  [default: the only one]")] = "",
    repetition: Annotated[int, typer.Option(help="Number of the repetition in the recording, from 1.")] = 1,
    method: Annotated[
        str, typer.Option(help="integrated_gradients or grad_cam.  [default: integrated_gradients]")
    ] = "",
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    references: flags.References = None,
    segment: flags.Segment = False,
    whole: flags.Whole = False,
    lang: flags.Lang = "en",
    cpu: flags.Cpu = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out if it exists.")] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Show the evidence for a prediction. Which bands, times and IMFs of the matrix are for it, which against it?"""
    from semg_hht.verbs.explaining import ExplainOptions
    from semg_hht.verbs.explaining import explain as explain_answer

    options = ExplainOptions(task, method, file, repetition, lang, cpu, overwrite)
    inputs = InputOptions(rate_hz, units, references, SegmentConfig() if segment else None, whole)
    with console.err.status("explaining"):
        evidence = explain_answer(input, console.chosen_run(checkpoint), out, inputs=inputs, options=options)
    if as_json:
        console.print_json(evidence.to_json())
        return
    for title, sentences in evidence.said():
        console.out.print(f"\n{title}", style="bold")
        for sentence in sentences:
            console.out.print(f"  {sentence}")
    n_repetitions = evidence.explanations[0].repetition.n_repetitions
    if n_repetitions > 1:
        console.err.print(f"  repetition {repetition} of {n_repetitions}; choose another with --repetition")
    console.out.print(f"\nevidence    {out}")
