"""`semg-hht report`: an HTML page about an evaluation, a run or one recording."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.errors import InputError
from semg_hht.recordings.manifest import TASKS
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import require_new_file

MAX_ON_CARD = 6  # explained repetitions: one printed page, and half a second of computing each


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
    if gender and card is None:
        raise InputError("--gender needs --card RECORDING: a report holds the tasks that were evaluated")
    if explain and card is None:
        raise InputError("--explain needs --card RECORDING: an evaluation holds no recording to explain")
    if source is not None and card is None and checkpoint is None:
        from semg_hht.reports.evaluation_page import write_page

        write_page(source, out, language=lang, data_dir=data_dir, overwrite=overwrite)
    elif source is None and card is not None:
        options = InputOptions(rate_hz, units, references, SegmentConfig())
        _write_card(_Card(card, console.chosen_run(checkpoint), options, explain, gender, cpu), out, lang, overwrite)
    else:
        raise InputError("nothing to report; expected RUN_OR_EVALUATION, or --card RECORDING")
    console.out.print(f"report      {out}")


@dataclass(frozen=True)
class _Card:
    """What the card of one recording is made from."""

    recording: Path
    checkpoint: Path
    options: InputOptions
    explain: bool
    gender: bool
    cpu: bool


def _write_card(card: _Card, out: Path, lang: str, overwrite: bool) -> None:
    from semg_hht.explanation.explain import Question, explain_loaded, model_of
    from semg_hht.explanation.explanation import Explanation
    from semg_hht.prediction.run import open_run
    from semg_hht.prediction.session import open_session
    from semg_hht.reports.card import without_gender, write_card
    from semg_hht.reports.words import read_words

    require_new_file(out, overwrite=overwrite)
    read_words(lang)
    run = open_run(card.checkpoint, cpu=card.cpu)
    if card.explain:
        model_of(run)
    session, loaded = open_session(run, card.recording, card.options)
    if not card.gender:
        session = without_gender(session)
    evidence: list[Explanation] = []
    if card.explain:
        task = next(task for task in TASKS if task in session.answers)
        with console.err.status("explaining"):
            explanations = explain_loaded(run, model_of(run), loaded, Question(task))
            evidence = list(islice(explanations, MAX_ON_CARD))
    write_card(session, out, evidence=evidence, language=lang, gender=card.gender, overwrite=overwrite)
