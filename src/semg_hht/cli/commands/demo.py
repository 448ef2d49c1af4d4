"""`semg-hht demo`: all steps on simulated people, or the way from recordings to answers on real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import semg_hht as sh
from semg_hht.cli import console, scores
from semg_hht.cli import options as flags

if TYPE_CHECKING:
    from semg_hht.demo import RealDemo


def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for all files of the demo.  [default: demo; with --real: demo_real]"),
    ] = None,
    real: Annotated[
        bool,
        typer.Option(
            "--real", help="Answer the real recordings that come with the package, with the run that comes with it."
        ),
    ] = False,
    seed: flags.Seed = 42,
    overwrite: flags.Overwrite = False,
) -> None:
    """Run all steps on simulated people, from recordings to a report. Or answer real recordings, in half a minute."""
    if real:
        _real(out or Path("demo_real"), overwrite=overwrite)
    else:
        _simulated(out or Path("demo"), seed, overwrite=overwrite)


def _simulated(out: Path, seed: int, *, overwrite: bool) -> None:
    from semg_hht.demo import run_demo

    with console.TerminalTrainingBar() as bar:
        done = run_demo(
            out, seed, overwrite=overwrite, say=console.out.print, track=console.track, progress=bar.progress()
        )
    scores.show_reports(done.result.reports, "subject")
    console.out.print(f"\n{done.n_right} of {done.n_repetitions} repetitions of held-out people were predicted right.")
    console.out.print(f"All answers:      {done.predictions_file}")
    console.out.print(f"A recording:      {done.picture}")
    console.out.print("Your recordings:  semg-hht segment RECORDINGS --out reps.csv")
    console.out.print("Now open:         ", end="")
    console.out.print(str(done.report), style="bold")


def _real(out: Path, *, overwrite: bool) -> None:
    from semg_hht.demo import run_real_demo

    console.out.print(f"{sh.samples.about_run().description}\n")
    run = sh.open_run(sh.samples.RUN)
    done = run_real_demo(
        out, sh.samples.RECORDINGS, run, overwrite=overwrite, say=console.out.print, track=console.track
    )
    _show(done)
    console.out.print(f"Repetitions:      {done.pictures}")
    console.out.print(f"All answers:      {done.predictions_file}")
    console.out.print("Your recordings:  semg-hht segment RECORDINGS --out reps.csv")
    console.out.print("Now open:         ", end="")
    console.out.print(str(done.cards[0]), style="bold")


def _show(done: RealDemo) -> None:
    """Print the true grip of each recording beside the answer, and how many are right."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1))
    for column in ("recording", "true grip", "answer", "", "repetitions"):
        table.add_column(column, no_wrap=True)
    n_right = n_repetitions = n_recordings = 0
    for true, prediction in done.answered:
        answer = prediction.answers["action_quality"]
        of_parts = [part.answers["action_quality"].prediction for part in prediction.parts]
        n_right += of_parts.count(true)
        n_repetitions += len(of_parts)
        n_recordings += answer.prediction == true
        shown = f"{answer.prediction} ({answer.confidence:.0%}{', unsure' if answer.is_unsure else ''})"
        verdict = "" if answer.prediction == true else "wrong"
        right = f"{of_parts.count(true)} of {len(of_parts)} right"
        table.add_row(Path(prediction.file).stem, true, shown, verdict, right)
    console.out.print()
    console.out.print(table)
    people = "three men that the run was not trained on"
    console.out.print(
        f"\n{n_right} of {n_repetitions} repetitions and {n_recordings} of {len(done.answered)} recordings of {people} "
        "were answered right."
    )
