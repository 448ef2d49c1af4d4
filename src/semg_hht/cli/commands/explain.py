"""`semg-hht explain`: the evidence for a prediction, in Hz and seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Failure
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import require_new_file, require_new_folder

if TYPE_CHECKING:
    from semg_hht.prediction.inputs import LoadedInput
    from semg_hht.prediction.run import Run


def explain(
    input: Annotated[
        Path, typer.Option(help="A matrix or recording; or a folder or manifest, and --file names one of it.")
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
    from semg_hht.explanation.explain import Question
    from semg_hht.explanation.explain import explain as explain_inputs
    from semg_hht.explanation.explanation import Explanation
    from semg_hht.prediction.inputs import Choice
    from semg_hht.prediction.run import open_run
    from semg_hht.reports.explanation_text import evidence_json, evidence_said, evidence_title, write_evidence
    from semg_hht.reports.words import read_words

    require_new_file(out, overwrite=overwrite)
    words = read_words(lang)
    run = open_run(console.chosen_run(checkpoint), cpu=cpu)
    options = InputOptions(rate_hz, units, references, SegmentConfig() if segment else None, whole)
    explanations: list[Explanation] = []
    with console.err.status("explaining"):
        for result in explain_inputs(
            run, input, options, question=Question(task, method), choice=Choice(file, repetition)
        ):
            if isinstance(result, Failure):
                raise InputError(result.reason)
            if explanations and result.repetition.file != explanations[0].repetition.file:
                raise InputError(
                    f"{input}: holds several files; choose one with --file, or explain all with predict --explain"
                )
            explanations.append(result)
        if not explanations:
            raise InputError(f"{input}: does not hold the file {file!r}; expected a name as predict lists it")
        write_evidence(explanations, out, words)
    first = explanations[0].repetition
    if as_json:
        content = {e.task: {**e.answer.to_json(), "evidence": evidence_json(e, words)} for e in explanations}
        console.print_json({"file": first.file, "repetition": first.number, **content})
        return
    for explanation in explanations:
        console.out.print(f"\n{evidence_title(explanation, words)}", style="bold", markup=False)
        for sentence in evidence_said(explanation, words):
            console.out.print(f"  {sentence}", markup=False)
    if first.n_repetitions > 1:
        console.err.print(f"  repetition {repetition} of {first.n_repetitions}; choose another with --repetition")
    console.out.print(f"\nevidence    {out}")


def require_explaining(run: Run, folder: Path, lang: str, overwrite: bool) -> None:
    """Raise an error before any prediction if ``predict --explain`` can't work."""
    from semg_hht.explanation.explain import model_of
    from semg_hht.reports.words import read_words

    require_new_folder(folder, overwrite=overwrite)
    read_words(lang)
    model_of(run)


def draw_explanations(run: Run, inputs: list[LoadedInput], folder: Path, lang: str) -> dict[str, Any]:
    """Draw the evidence for each prediction into ``folder``; returns file -> evidence as JSON."""
    from semg_hht.explanation.explain import Question, explain_loaded, model_of
    from semg_hht.reports.explanation_text import MAX_EXPLAINED, write_evidence_of_all
    from semg_hht.reports.words import read_words

    model = model_of(run)
    explanations = (found for loaded in inputs for found in explain_loaded(run, model, loaded, Question()))
    with console.err.status("explaining"):
        content, more = write_evidence_of_all(explanations, folder, read_words(lang))
    if more:
        console.err.print(
            f"[yellow]note:[/] only the first {MAX_EXPLAINED} repetitions were explained; name fewer files"
        )
    return content
