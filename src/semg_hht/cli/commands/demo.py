"""`semg-hht demo`: all steps on simulated people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags


def demo(
    out: Annotated[Path, typer.Option(help="Folder for all files of the demo.")] = Path("demo"),
    seed: flags.Seed = 42,
    overwrite: flags.Overwrite = False,
) -> None:
    """Run all steps on simulated people, from recordings to a report."""
    from semg_hht.demo import run_demo

    with console.TerminalTrainingBar() as bar:
        done = run_demo(
            out, seed, overwrite=overwrite, say=console.out.print, track=console.track, progress=bar.progress()
        )
    console.show_reports(done.result.reports, "subject")
    console.out.print(f"\n{done.n_right} of {done.n_repetitions} repetitions of held-out people were predicted right.")
    console.out.print(f"All answers:      {done.predictions_file}")
    console.out.print(f"A recording:      {done.picture}")
    console.out.print("Your recordings:  semg-hht segment RECORDINGS --out reps.csv")
    console.out.print(f"Now open:         [bold]{done.report}[/]")
