"""`semg-hht export`: a folder that predicts without torch, made from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.system.files import in_command


def export(
    checkpoint: Annotated[Path, typer.Option(help="A run directory, or one of its checkpoints.")],
    out: Annotated[Path, typer.Option(help="Folder for the network in ONNX and the gender SVM as arrays.")],
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of matrices on which to compare the predictions.  [default: random matrices]"),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Eight-bit weights, if balanced accuracy on --data_dir falls by at most 0.005."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing export.")] = False,
    seed: flags.Seed = 42,
    as_json: flags.AsJson = False,
) -> None:
    """Export a run to predict without torch. The export is compared with torch and scikit-learn."""
    from semg_hht.verbs.exporting import export as export_run

    done = export_run(checkpoint, out, data=data_dir, int8=int8, overwrite=overwrite, seed=seed, work=console.work())
    if as_json:
        console.print_json(done.to_json())
        return
    n_compared = (
        f"{console.counted(done.n_checked, 'matrix', 'matrices')}{'' if done.on_data else ' of random numbers'}"
    )
    for engine, difference in done.difference.items():
        console.out.print(
            f"  {engine:11s} as torch and scikit-learn on {n_compared}; probabilities within {difference:.0e}"
        )
    if done.trial is not None:
        for task, before in done.trial.float32.items():
            console.out.print(
                f"  int8        {task.replace('_', ' ')}: balanced accuracy {done.trial.int8[task]:.3f} instead of "
                f"{before:.3f} on {console.counted(done.trial.n, 'matrix', 'matrices')} not trained on"
            )
        console.out.print(
            f"  int8        predicts another class for {done.trial.changed:.1%} of them; probabilities within "
            f"{done.trial.difference:.2f}"
        )
        if not done.trial.holds:
            sentence = (
                f"int8 loses {done.trial.loss:.3f} of balanced accuracy, more than the {done.trial.allowed:g} allowed: "
                "float32 was written"
            )
            console.say("warning", sentence, style="yellow")
    console.out.print(f"exported    {out}: {done.precision}, {done.n_bytes / 1e6:.1f} MB")
    console.out.print(
        f"  next        semg-hht predict --checkpoint {in_command(out)} --input FILE_OR_DIR --output predictions.json",
    )
