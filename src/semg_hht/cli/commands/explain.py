"""`semg-hht explain`: a run and one file -> why it answers so, in Hz and seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli.options import AsJson, Cpu, Lang, RateHz, References, Segment, Units
from semg_hht.errors import InputError
from semg_hht.matrices.transform import Failure
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import require_new_file, require_new_folder

if TYPE_CHECKING:
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
    from semg_hht.explanation.explanation import Explanation
    from semg_hht.explanation.explanation import explain as explain_inputs
    from semg_hht.prediction.run import open_run
    from semg_hht.report.explanation_text import evidence_json, evidence_said, evidence_title, write_evidence
    from semg_hht.report.words import read_words

    require_new_file(out, overwrite=overwrite)
    words = read_words(lang)
    run = open_run(checkpoint, cpu=cpu)
    found: list[Explanation] = []
    with console.err.status("explaining"):
        for one in explain_inputs(
            run, input, task=task, method=method, file=file, repetition=repetition, rate_hz=rate_hz, units=units,
            references=references, repetitions=SegmentConfig() if segment else None,
        ):  # fmt: skip
            if isinstance(one, Failure):
                raise InputError(one.reason)
            if found and one.file != found[0].file:
                raise InputError(f"{input}: holds several files; --file names one, predict --explain FOLDER takes all")
            found.append(one)
        if not found:
            raise InputError(f"{input}: no file {file!r} in it; expected a name as predict lists it")
        write_evidence(found, out, words)
    if as_json:
        content = {one.task: {**one.answer.to_json(), "evidence": evidence_json(one, words)} for one in found}
        console.print_json({"file": found[0].file, "repetition": found[0].number, **content})
        return
    for one in found:
        console.out.print(f"\n{evidence_title(one, words)}", style="bold", markup=False)
        for sentence in evidence_said(one, words):
            console.out.print(f"  {sentence}", markup=False)
    if found[0].n_repetitions > 1:
        console.err.print(f"  repetition {repetition} of {found[0].n_repetitions}; --repetition names another")
    console.out.print(f"\nevidence    {out}")


def require_explaining(run: Run, folder: Path, lang: str, overwrite: bool) -> None:
    """Say what stands in the way of ``predict --explain`` before anything is predicted."""
    from semg_hht.explanation.explanation import model_of
    from semg_hht.report.words import read_words

    require_new_folder(folder, overwrite=overwrite)
    read_words(lang)
    model_of(run)


def explained(run: Run, inputs: Path, folder: Path, lang: str, sources: dict[str, Any]) -> dict[str, Any]:
    """Pictures of why into ``folder``, and file -> evidence as JSON."""
    from semg_hht.explanation.explanation import explain as explain_inputs
    from semg_hht.report.explanation_text import MAX_EXPLAINED, write_evidence_of_all
    from semg_hht.report.words import read_words

    with console.err.status("explaining"):
        content, more = write_evidence_of_all(explain_inputs(run, inputs, **sources), folder, read_words(lang))
    if more:
        console.err.print(f"[yellow]note:[/] the first {MAX_EXPLAINED} repetitions were explained; name fewer files")
    return content
