"""`semg-hht export`: a run -> a folder that predicts without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semg_hht.cli import console
from semg_hht.cli.options import AsJson, Seed
from semg_hht.errors import InputError


def export(
    checkpoint: Annotated[Path, typer.Option(help="A run directory, or one of its checkpoints.")],
    out: Annotated[Path, typer.Option(help="Folder for the network in ONNX and the gender SVM as arrays.")],
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of matrices to compare the answers on.  \\[default: drawn ones]")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Eight bits, if balanced accuracy on --data_dir stays within half a point.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export that stands there.")] = False,
    seed: Seed = 42,
    as_json: AsJson = False,
) -> None:
    """A folder that predict opens with onnxruntime or OpenVINO alone, checked against torch and scikit-learn."""
    from semg_hht.prediction.run import open_run

    run = open_run(checkpoint, cpu=True, engine="torch")
    try:
        from semg_hht.export.export import export as export_model
        from semg_hht.learning.checkpoint import Model
        from semg_hht.learning.dataset import load_folder
    except ImportError as error:
        raise InputError(f"export needs {error.name}: pip install 'semg-hht[export]'") from None
    assert isinstance(run.engine, Model)
    data = None if data_dir is None else load_folder(data_dir, track=console.track)
    if data is not None:
        console.list_failures(data.failures)
    done = export_model(run.engine, run.folder, out, data=data, int8=int8, overwrite=overwrite, seed=seed)
    if as_json:
        console.print_json(done.to_json())
        return
    on = f"{console.counted(done.n_checked, 'matrix', 'matrices')} {'of the data' if done.on_data else 'drawn'}"
    for engine, difference in done.difference.items():
        console.out.print(f"  {engine:11s} as torch and scikit-learn on {on}, probabilities within {difference:.0e}")
    if done.trial is not None:
        for task, before in done.trial.float32.items():
            console.out.print(
                f"  int8        {task.replace('_', ' ')}: balanced accuracy {done.trial.int8[task]:.3f} instead of "
                f"{before:.3f} on {console.counted(done.trial.n, 'matrix', 'matrices')} not trained on"
            )
        console.out.print(
            f"  int8        another answer for {done.trial.changed:.1%} of them, "
            f"probabilities within {done.trial.difference:.2f}"
        )
        if not done.trial.holds:
            console.err.print(
                f"[yellow]warning:[/] int8 loses {done.trial.loss:.3f} of balanced accuracy, more than the "
                f"{done.trial.allowed:g} allowed: float32 was written"
            )
    console.out.print(f"exported    {out}: {done.precision}, {done.n_bytes / 1e6:.1f} MB")
    console.out.print(
        f"  next        semg-hht predict --checkpoint {out} --input FILE_OR_DIR --output predictions.json"
    )
