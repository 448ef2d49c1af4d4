"""`semg-hht train` and `train.py`: a run, trained on matrices or recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semg_hht import InputError
from semg_hht.cli import console, scores
from semg_hht.cli import options as flags
from semg_hht.system.files import in_command
from semg_hht.verbs.training import require_training

if TYPE_CHECKING:
    from semg_hht import Result


def train(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of matrices (.npz), labelled by file name or manifest.csv.  [default: none]"),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="Table of labels. Its files, matrices or recordings, are in --data_dir or next to the table.  "
            "[default: manifest.csv in --data_dir, or file names]"
        ),
    ] = None,
    checkpoint_dir: Annotated[Path, typer.Option(help="Folder for the run.")] = Path("checkpoints"),
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 100,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate, after the warm-up.")] = 1e-4,
    test_size: Annotated[float, typer.Option(help="Share of people held out for the final score.")] = 0.2,
    num_encoder_layers: Annotated[int, typer.Option(help="Layers of the encoder, 1 to 8.")] = 7,
    base_channels: Annotated[int, typer.Option(help="Channels of the first layer.")] = 64,
    task: Annotated[str, typer.Option(help="both, action_quality or gender.")] = "both",
    recipe: flags.Recipe = "auto",
    patience: Annotated[
        int | None, typer.Option(help="Stop after this many epochs without a better score.  [default: never]")
    ] = None,
    checkpoint_every: Annotated[int, typer.Option(help="Epochs between checkpoints that are kept.")] = 20,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --checkpoint_dir.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Discard the existing run and start again.")] = False,
    cpu: flags.Cpu = False,
    pack: flags.Pack = None,
    convolutions: flags.Convolutions = "products",
    precision: flags.Precision = "float32",
    seed: flags.Seed = 42,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    band: flags.Band = None,
    mains: flags.Mains = None,
    ecg: flags.Ecg = None,
    decomposition: flags.Decomposition = None,
    scaling: flags.Scaling = None,
    references: flags.References = None,
    channels: flags.Channels = None,
    as_json: flags.AsJson = False,
) -> None:
    """Train both classifiers. Scores them on held-out people, and predicts the files named Test*."""
    require_training()
    from semg_hht import LoadOptions, NetworkSize, RunOptions, TrainingConfig
    from semg_hht.system.memory import keep_freed_memory
    from semg_hht.verbs.training import train as train_run

    data = manifest or data_dir
    if data is None:
        raise InputError("say where the data is: --data_dir FOLDER, or --manifest FILE")
    training = TrainingConfig(
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, test_size=test_size,
        patience=patience, checkpoint_every=checkpoint_every, seed=seed, recipe=recipe,
        convolutions=convolutions, precision=precision,
    )  # fmt: skip
    stated = flags.StatedTransform(band, mains, ecg, decomposition, scaling, channels)
    config = replace(stated, seed=seed).config() if stated or references is not None else None
    keep_freed_memory()
    with console.TerminalTrainingBar() as bar:
        result = train_run(
            data,
            checkpoint_dir,
            training=training,
            size=NetworkSize(num_encoder_layers, base_channels),
            options=RunOptions(task, resume, overwrite, cpu),
            load=LoadOptions(config, references, data_dir if manifest else None, pack, rate_hz, units),
            work=replace(console.work(), progress=bar.progress()),
        )
    if as_json:
        console.out.print_json(checkpoint_dir.joinpath("metrics.json").read_text(encoding="utf-8"))
        return
    _show(result, checkpoint_dir)


def _show(result: Result, checkpoint_dir: Path) -> None:
    """Print the scores, what was chosen, and where the files are."""
    scores.show_reports(result.reports, result.split_by)
    for task, chosen in result.chosen.items():
        console.out.print(f"{task.replace('_', ' ')}: {chosen.sentence}")
    console.out.print(f"\nbest epoch {result.best_epoch} of {len(result.history)}; the run is in {checkpoint_dir}")
    console.out.print(f"  pictures    {checkpoint_dir / 'history.png'}, {checkpoint_dir / 'confusion.png'}")
    if result.n_unlabelled:
        n_predicted = console.counted(result.n_unlabelled, "unlabelled file")
        console.out.print(f"  {n_predicted} predicted: {checkpoint_dir / 'test_predictions.json'}")
    console.out.print(
        f"  next        semg-hht predict --checkpoint {in_command(checkpoint_dir)} --input FILE_OR_DIR "
        "--output predictions.json",
    )
