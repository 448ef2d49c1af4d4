"""`semg-hht predict` and `inference.py`: a run and new files -> answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht.cli import console
from semg_hht.cli.options import (
    AsJson,
    Band,
    Channels,
    Cpu,
    Decomposition,
    Ecg,
    Lang,
    Mains,
    RateHz,
    References,
    Scaling,
    Segment,
    Strict,
    Units,
    config_of,
)
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.jobs import Failure, Remark
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import require_new_file, write_json

if TYPE_CHECKING:
    from semg_hht.prediction.inputs import LoadedInput
    from semg_hht.prediction.run import Run


def predict(
    checkpoint: Annotated[Path, typer.Option(help="A run directory, one of its checkpoints, or an export.")],
    input: Annotated[Path, typer.Option(help="A matrix or recording, a folder of them, or a manifest.csv.")],
    output: Annotated[Path, typer.Option(help="JSON file for the answers.")] = Path("predictions.json"),
    batch_size: Annotated[int, typer.Option(help="Matrices a batch.")] = 32,
    engine: Annotated[
        str,
        typer.Option(help="Runs the network: auto, openvino, onnxruntime, numpy (of an export), torch (of a run)."),
    ] = "auto",
    cpu: Cpu = False,
    rate_hz: RateHz = None,
    units: Units = "",
    references: References = None,
    band: Band = None,
    mains: Mains = None,
    ecg: Ecg = None,
    decomposition: Decomposition = None,
    scaling: Scaling = None,
    channels: Channels = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the noise of an ensemble.  \\[default: the run's]")] = None,
    segment: Segment = False,
    explain: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for pictures of why: one a repetition, the first 50.")
    ] = None,
    lang: Lang = "en",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --output if it exists.")] = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Answers for new files. Recordings are prepared as the run's training data was, unless flags say otherwise."""
    from semg_hht.prediction.inputs import Choice
    from semg_hht.prediction.run import collect_predictions, open_run

    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1; got {batch_size}")
    require_new_file(output, overwrite=overwrite)
    run = open_run(checkpoint, cpu=cpu, engine=engine)
    stated: dict[str, Any] = {
        "band": band, "mains": mains, "ecg": ecg, "decomposition": decomposition, "scaling": scaling,
        "channels": channels, "seed": seed,
    }  # fmt: skip
    if any(value is not None for value in stated.values()):
        run = _preparing(run, config_of(**stated, base=run.recording_config))
    if explain is not None:
        from semg_hht.cli.commands.explain import draw_explanations, require_explaining

        require_explaining(run, explain, lang, overwrite)
    options = InputOptions(rate_hz, units, references, SegmentConfig() if segment else None)
    choice = Choice(keep_recordings=explain is not None)
    kept: list[LoadedInput] = []
    loaded = run.loader.load(input, options, choice, track=console.track)
    if explain is not None:
        loaded = keep_first(loaded, kept)
    predictions = collect_predictions(run.answers(loaded, batch_size=batch_size, once=True))
    console.list_remarks(Remark(p.file, text) for p in predictions.predictions for text in p.remarks)
    failures = [Failure(file, reason) for file, reason in predictions.errors.items()]
    console.list_failures(failures)
    if not predictions.predictions:
        raise InputError(f"none of {len(failures)} files could be predicted")
    content = predictions.to_json()
    write_json(output, content)  # before the explanations: the answers are kept if these fail
    if explain is not None:
        try:
            found = draw_explanations(run, kept, explain, lang)
        except (InputError, OSError) as error:
            raise InputError(
                f"{error}. The answers are in {output}; to run the same command again, add --overwrite"
            ) from None
        for file, evidence in found.items():
            content[file]["evidence"] = evidence
        write_json(output, content)
    if as_json:
        console.print_json(content)
    else:
        console.list_first(console.out, predictions.predictions, _said)
        console.out.print(f"{console.counted(len(predictions.predictions), 'file')} predicted: {output}")
    console.exit_if_strict(strict, failures)


def keep_first(loaded: Iterable[LoadedInput | Failure], kept: list[LoadedInput]) -> Iterator[LoadedInput | Failure]:
    """Pass inputs through and keep those that hold the first repetitions, which are explained later."""
    from semg_hht.report.explanation_text import MAX_EXPLAINED

    n_kept = 0
    for item in loaded:
        if not isinstance(item, Failure):
            if n_kept <= MAX_EXPLAINED:  # one more than is explained, so that it is known whether there are more
                kept.append(item)
            n_kept += item.n_repetitions
            item = replace(item, source=None)  # large, and not needed for the answer
        yield item


def _preparing(run: Run, config: PipelineConfig) -> Run:
    if run.recording_config != config:
        console.err.print("[yellow]warning:[/] recordings are prepared otherwise than those the run was trained on")
    return replace(run, recording_config=config)


def _said(prediction: Any) -> str:
    answers = ", ".join(
        f"{answer.prediction} ({answer.confidence:.0%}{', unsure' if answer.is_unsure else ''})"
        for answer in prediction.answers.values()
    )
    return f"{prediction.file}: {answers}"
