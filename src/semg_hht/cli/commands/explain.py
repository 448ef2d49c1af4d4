"""`semg-hht explain`: a run and one file -> why it answers so, in Hz and seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli.options import AsJson, Cpu, Lang, RateHz, References, Segment, Units
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Failure
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import require_new_file, require_new_folder

if TYPE_CHECKING:
    from semg_hht.prediction.inputs import LoadedInput
    from semg_hht.prediction.run import Run


def explain(
    checkpoint: Annotated[Path, typer.Option(help="A run directory, or one of its checkpoints.")],
    input: Annotated[
        Path, typer.Option(help="A matrix or recording; or a folder or manifest, of which --file is one.")
    ],
    out: Annotated[Path, typer.Option(help="PNG: the evidence over the matrix, and its words.")] = Path("evidence.png"),
    task: Annotated[str, typer.Option(help="action_quality or gender.  [default: all that the run answers]")] = "",
    file: Annotated[str, typer.Option(help="Which file of several, as the manifest or the folder names it.")] = "",
    repetition: Annotated[int, typer.Option(help="Which repetition of the recording, counted from 1.")] = 1,
    method: Annotated[
        str, typer.Option(help="integrated_gradients or grad_cam.  [default: what told more on real data]")
    ] = "",
    rate_hz: RateHz = None,
    units: Units = "",
    references: References = None,
    segment: Segment = False,
    lang: Lang = "en",
    cpu: Cpu = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Why this label: what in the matrix spoke for it and against it, in which band, when, and in which IMF."""
    from semg_hht.explanation.explain import Question
    from semg_hht.explanation.explain import explain as explain_inputs
    from semg_hht.explanation.explanation import Explanation
    from semg_hht.prediction.inputs import Choice
    from semg_hht.prediction.run import open_run
    from semg_hht.report.explanation_text import evidence_json, evidence_said, evidence_title, write_evidence
    from semg_hht.report.words import read_words

    require_new_file(out, overwrite=overwrite)
    words = read_words(lang)
    run = open_run(checkpoint, cpu=cpu)
    options = InputOptions(rate_hz, units, references, SegmentConfig() if segment else None)
    found: list[Explanation] = []
    with console.err.status("explaining"):
        for one in explain_inputs(
            run, input, options, question=Question(task, method), choice=Choice(file, repetition)
        ):
            if isinstance(one, Failure):
                raise InputError(one.reason)
            if found and one.repetition.file != found[0].repetition.file:
                raise InputError(f"{input}: holds several files; --file names one, predict --explain FOLDER takes all")
            found.append(one)
        if not found:
            raise InputError(f"{input}: no file {file!r} in it; expected a name as predict lists it")
        write_evidence(found, out, words)
    first = found[0].repetition
    if as_json:
        content = {one.task: {**one.answer.to_json(), "evidence": evidence_json(one, words)} for one in found}
        console.print_json({"file": first.file, "repetition": first.number, **content})
        return
    for one in found:
        console.out.print(f"\n{evidence_title(one, words)}", style="bold", markup=False)
        for sentence in evidence_said(one, words):
            console.out.print(f"  {sentence}", markup=False)
    if first.n_repetitions > 1:
        console.err.print(f"  repetition {repetition} of {first.n_repetitions}; --repetition names another")
    console.out.print(f"\nevidence    {out}")


def require_explaining(run: Run, folder: Path, lang: str, overwrite: bool) -> None:
    """Say what stands in the way of ``predict --explain`` before anything is predicted."""
    from semg_hht.explanation.explain import model_of
    from semg_hht.report.words import read_words

    require_new_folder(folder, overwrite=overwrite)
    read_words(lang)
    model_of(run)


def draw_explanations(run: Run, inputs: list[LoadedInput], folder: Path, lang: str) -> dict[str, Any]:
    """Draw why the answers were given into ``folder``; file -> evidence as JSON."""
    from semg_hht.explanation.explain import Question, explain_loaded, model_of
    from semg_hht.report.explanation_text import MAX_EXPLAINED, write_evidence_of_all
    from semg_hht.report.words import read_words

    model = model_of(run)
    explanations = (one for item in inputs for one in explain_loaded(run, model, item, Question()))
    with console.err.status("explaining"):
        content, more = write_evidence_of_all(explanations, folder, read_words(lang))
    if more:
        console.err.print(f"[yellow]note:[/] the first {MAX_EXPLAINED} repetitions were explained; name fewer files")
    return content
