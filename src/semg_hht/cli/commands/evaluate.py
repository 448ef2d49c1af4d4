"""`semg-hht evaluate`: cross-validation and its report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.cli.commands.train import require_training
from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import PROTOCOLS
from semg_hht.reports.summary import REPORT, gather
from semg_hht.system.processes import path_for_workers, workers


def evaluate(
    data_dir: Annotated[Path, typer.Option(help="Folder of matrices (.npz), labelled by file name or manifest.csv.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html, report.json and the folds.")],
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            help="loso: each subject held out once; grouped: subjects held out in --folds groups; random: repetitions "
            "held out, for comparison: its scores are too high. May be repeated.  [default: loso]"
        ),
    ] = None,
    folds: Annotated[int, typer.Option(help="Number of folds, for grouped and random.")] = 5,
    task: Annotated[str, typer.Option(help="both, action_quality or gender.")] = "both",
    recipe: flags.Recipe = "auto",
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 100,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = 16,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate, after the warm-up.")] = 1e-4,
    num_encoder_layers: Annotated[int, typer.Option(help="Layers of the encoder, 1 to 8.")] = 7,
    base_channels: Annotated[int, typer.Option(help="Channels of the first layer.")] = 64,
    jobs_at_once: Annotated[int, typer.Option("--jobs", help="Folds at the same time; -1: one per core.")] = -1,
    backend: flags.Backend = "loky",
    scheduler: flags.Scheduler = "",
    keep_models: Annotated[bool, typer.Option("--keep_models", help="Keep the weights of each fold.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Discard the existing evaluation and start again.")
    ] = False,
    lang: flags.Lang = "en",
    cpu: flags.Cpu = False,
    pack: flags.Pack = None,
    convolutions: flags.Convolutions = "products",
    precision: flags.Precision = "float32",
    seed: flags.Seed = 42,
    as_json: flags.AsJson = False,
) -> None:
    """Estimate scores on new people by cross-validation. Compares them with simple baselines."""
    require_training()
    from semg_hht.learning.crossvalidation import FoldOptions, cross_validate, describe
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize
    from semg_hht.reports.evaluation_page import write_page
    from semg_hht.reports.words import read_words

    read_words(lang)  # an unknown language is an error before the folds, not after them
    protocols = protocol or ["loso"]
    unknown = [name for name in protocols if name not in PROTOCOLS]
    if unknown:
        raise InputError(f"--protocol must be one of {', '.join(PROTOCOLS)}; got {unknown[0]!r}")
    config = TrainingConfig(
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, recipe=recipe,
        convolutions=convolutions, precision=precision,
    )  # fmt: skip
    pack, out = path_for_workers(backend, pack), path_for_workers(backend, out)
    dataset = load_folder(data_dir, pack=pack, track=console.track)
    console.list_failures(dataset.failures)
    n_loaded, dataset = len(dataset), dataset.labelled()  # the whole data set must not stay in memory
    if len(dataset) < n_loaded:
        console.err.print(f"files left out because they have no label, such as Test*: {n_loaded - len(dataset)}")
    size = NetworkSize(num_encoder_layers, base_channels)
    with workers(backend, scheduler):
        for name in protocols:
            options = FoldOptions(name, folds, task, cpu=cpu, keep_models=keep_models, overwrite=overwrite)
            answers = cross_validate(
                dataset, out / name, config, size, options, n_jobs=jobs_at_once, track=console.track
            )
            describe(dataset, out / name, answers, data_folder=_as_seen_from(out, data_dir))
    content = gather(out)
    page = write_page(out, language=lang, overwrite=True)
    if as_json:
        console.print_json(content)
        return
    _show(content, protocols, f"{page}, {out / REPORT}")


def _show(content: dict[str, Any], protocols: list[str], report: str) -> None:
    """Print the scores of each protocol, and where the report is."""
    for name in protocols:
        console.show_findings(name, content["protocols"][name])
    for task_name, gap in content["optimism"].items():
        console.out.print(
            f"\n[bold]{task_name.replace('_', ' ')}[/]: with the same people in training and test, the score would be "
            f"{gap['random']:.2f} instead of {gap['new_people']:.2f}"
        )
    console.out.print(f"\nreport      {report}")


def _as_seen_from(out: Path, data_dir: Path) -> str:
    """The path relative to ``out``, so that both can be moved together; absolute if they are on two drives."""
    try:
        return Path(os.path.relpath(data_dir.resolve(), out.resolve())).as_posix()
    except ValueError:
        return data_dir.resolve().as_posix()
