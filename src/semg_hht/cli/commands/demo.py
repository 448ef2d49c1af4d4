"""`semg-hht demo`: the whole path on simulated people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli.options import Overwrite, Seed


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo"),
    seed: Seed = 42,
    overwrite: Overwrite = False,
) -> None:
    """The whole path on simulated people, ending with a report to open."""
    from semg_hht.demo import run_demo

    with console.TrainingBar() as bar:
        shown = run_demo(
            out, seed, overwrite=overwrite, say=console.out.print, track=console.track, progress=bar.progress()
        )
    console.show_reports(shown.result.reports, "subject")
    console.out.print(f"\n{shown.n_right} of {shown.n_repetitions} repetitions of unseen people are right.")
    console.out.print(f"All answers:      {shown.predictions_file}")
    console.out.print(f"A recording:      {shown.picture}")
    console.out.print("Your recordings:  semg-hht segment RECORDINGS --out reps.csv")
    console.out.print(f"Now open:         [bold]{shown.report}[/]")
