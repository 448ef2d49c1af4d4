"""`semg-hht train` and `train.py`: a folder of matrices, or recordings -> a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli.options import (
    AsJson,
    Band,
    Channels,
    Convolutions,
    Cpu,
    Decomposition,
    Ecg,
    Mains,
    Pack,
    Precision,
    Recipe,
    References,
    Scaling,
    Seed,
    config_of,
)
from semg_hht.errors import InputError

if TYPE_CHECKING:
    from semg_hht.learning.train import Result


def train(
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of matrices (.npz), labelled by name or manifest.csv.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="Table of labels; its files, matrices or raw recordings, lie in --data_dir or beside it."),
    ] = None,
    checkpoint_dir: Annotated[Path, typer.Option(help="The run directory.")] = Path("checkpoints"),
    epochs: Annotated[int, typer.Option(help="Times every example is trained on.")] = 100,
    batch_size: Annotated[int, typer.Option(help="Examples a step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Peak, after the warm-up.")] = 1e-4,
    test_size: Annotated[float, typer.Option(help="Share of people held out for the final score.")] = 0.2,
    num_encoder_layers: Annotated[int, typer.Option(help="Layers of the encoder, 1 to 8.")] = 7,
    base_channels: Annotated[int, typer.Option(help="Channels of the first layer.")] = 64,
    task: Annotated[str, typer.Option(help="both, action_quality or gender.")] = "both",
    recipe: Recipe = "plain",
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a better score.  \\[default: never]")
    ] = None,
    checkpoint_every: Annotated[int, typer.Option(help="Epochs between the checkpoints that are kept.")] = 20,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --checkpoint_dir.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew where a run stands.")] = False,
    cpu: Cpu = False,
    pack: Pack = None,
    convolutions: Convolutions = "products",
    precision: Precision = "float32",
    seed: Seed = 42,
    band: Band = None,
    mains: Mains = None,
    ecg: Ecg = None,
    decomposition: Decomposition = None,
    scaling: Scaling = None,
    references: References = None,
    channels: Channels = None,
    as_json: AsJson = False,
) -> None:
    """Train both classifiers, score them on people never trained on, predict the files named Test*."""
    from semg_hht.figures.plots import draw_confusion, draw_history

    require_training()
    from semg_hht.learning.dataset import find_dataset
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions
    from semg_hht.learning.train import train as train_run
    from semg_hht.system.memory import keep_freed_memory

    training = TrainingConfig(
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, test_size=test_size,
        patience=patience, checkpoint_every=checkpoint_every, seed=seed, recipe=recipe,
        convolutions=convolutions, precision=precision,
    )  # fmt: skip
    stated: dict[str, Any] = {
        "band": band, "mains": mains, "ecg": ecg, "decomposition": decomposition, "scaling": scaling,
        "channels": channels,
    }  # fmt: skip
    transforms = references is not None or any(value is not None for value in stated.values())
    config = config_of(**stated, seed=seed) if transforms else None
    dataset = find_dataset(data_dir, manifest, config, references, pack=pack, track=console.track)
    console.list_failures(dataset.failures)
    keep_freed_memory()
    with console.TrainingBar() as bar:
        result = train_run(
            dataset,
            checkpoint_dir,
            training,
            NetworkSize(num_encoder_layers, base_channels),
            RunOptions(task, resume, overwrite, cpu),
            progress=bar.progress(),
        )
    draw_history(result.history, result.best_epoch, checkpoint_dir / "history.png")
    draw_confusion(result.reports, checkpoint_dir / "confusion.png")
    if as_json:
        console.out.print_json(checkpoint_dir.joinpath("metrics.json").read_text(encoding="utf-8"))
        return
    _tell(result, checkpoint_dir)


def _tell(result: Result, checkpoint_dir: Path) -> None:
    """The scores, and where everything is."""
    console.show_reports(result.reports, result.split_by)
    console.out.print(f"\nbest epoch {result.best_epoch} of {len(result.history)}; the run is in {checkpoint_dir}")
    console.out.print(f"  pictures    {checkpoint_dir / 'history.png'}, {checkpoint_dir / 'confusion.png'}")
    if result.n_unlabelled:
        told = console.counted(result.n_unlabelled, "unlabelled file")
        console.out.print(f"  {told} predicted: {checkpoint_dir / 'test_predictions.json'}")
    console.out.print(
        f"  next        semg-hht predict --checkpoint {checkpoint_dir} --input FILE_OR_DIR --output predictions.json"
    )


def require_training() -> None:
    try:
        import lightning_fabric  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise InputError(f"training needs {error.name}: pip install 'semg-hht[train]'") from None
