"""`semg-hht evaluate`: cross-validation and its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from semg_hht.cli import console, scores
from semg_hht.cli import options as flags
from semg_hht.verbs.training import require_training


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
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    as_json: flags.AsJson = False,
) -> None:
    """Estimate scores on new people by cross-validation. Compares them with simple baselines."""
    require_training()
    from semg_hht import EvaluationOptions, LoadOptions, NetworkSize, TrainingConfig
    from semg_hht.verbs.evaluating import evaluate as cross_validate
    from semg_hht.verbs.evaluating import report_file

    protocols = tuple(protocol or ["loso"])
    done = cross_validate(
        data_dir,
        out,
        training=TrainingConfig(
            epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, recipe=recipe,
            convolutions=convolutions, precision=precision,
        ),
        size=NetworkSize(num_encoder_layers, base_channels),
        options=EvaluationOptions(protocols, folds, task, cpu, keep_models, overwrite, lang),
        load=LoadOptions(pack=pack, rate_hz=rate_hz, units=units),
        work=console.work(jobs_at_once, backend, scheduler),
    )  # fmt: skip
    if as_json:
        console.print_json(done.content)
        return
    _show(done.content, protocols, f"{done.page}, {report_file(done)}")


def _show(content: dict[str, Any], protocols: Sequence[str], report: str) -> None:
    """Print the scores of each protocol, and where the report is."""
    for name in protocols:
        scores.show_findings(name, content["protocols"][name])
    for task_name, gap in content["optimism"].items():
        console.out.print(f"\n{task_name.replace('_', ' ')}", end="", style="bold")
        console.out.print(
            f": with the same people in training and test, the score would be "
            f"{gap['random']:.2f} instead of {gap['new_people']:.2f}"
        )
    console.out.print(f"\nreport      {report}")
