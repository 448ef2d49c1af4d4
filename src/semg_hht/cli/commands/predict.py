"""`semg-hht predict` and `inference.py`: predictions for new files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semg_hht import InputError, InputOptions, SegmentConfig
from semg_hht.cli import console
from semg_hht.cli import options as flags
from semg_hht.recordings.jobs import Failure, Remark
from semg_hht.system.files import require_new_file, require_suffix, write_json, write_text

if TYPE_CHECKING:
    from semg_hht import Answer, Part, Prediction, Predictions
    from semg_hht.verbs.predicting import AnsweredFiles


def predict(
    input: Annotated[Path, typer.Option(help="A matrix or recording, a folder of them, or a manifest.csv.")],
    checkpoint: flags.RunOrShipped = None,
    output: Annotated[Path, typer.Option(help="Predictions: .json, or .csv with a line for each repetition.")] = Path(
        "predictions.json"
    ),
    batch_size: Annotated[int, typer.Option(help="Matrices per batch.")] = 32,
    engine: Annotated[
        str,
        typer.Option(
            help="What runs the network: openvino, onnxruntime or numpy (for an export), torch (for a run), or auto."
        ),
    ] = "auto",
    cpu: flags.Cpu = False,
    rate_hz: flags.RateHz = None,
    units: flags.Units = "",
    references: flags.References = None,
    band: flags.RunBand = None,
    mains: flags.RunMains = None,
    ecg: flags.RunEcg = None,
    decomposition: flags.RunDecomposition = None,
    scaling: flags.RunScaling = None,
    channels: flags.RunChannels = None,
    seed: flags.RunSeed = None,
    segment: flags.Segment = False,
    whole: flags.Whole = False,
    examples: Annotated[
        Path | None,
        typer.Option(
            help="Table of a few labelled repetitions of the same person, which adapt the answers of a run of the "
            "recipe auto; the run is not changed.  [default: none]"
        ),
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for pictures of the evidence, one for each of the first 50 repetitions.  [default: none]",
        ),
    ] = None,
    lang: flags.Lang = "en",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --output if it exists.")] = False,
    strict: flags.Strict = False,
    as_json: flags.AsJson = False,
) -> None:
    """Predict new files. Recordings are prepared as the training data of the run was, unless flags state otherwise."""
    from semg_hht.verbs.predicting import PredictOptions, answer, opened, require_explaining

    run = opened(console.chosen_run(checkpoint), cpu=cpu, engine=engine)
    if not input.exists():
        raise InputError(f"{input}: no such file or folder")
    _require_output(output, batch_size, explain, overwrite=overwrite)  # the last complaint: it is the easiest to answer
    stated = flags.StatedTransform(band, mains, ecg, decomposition, scaling, channels, seed)
    if explain is not None:
        require_explaining(run, explain, lang, overwrite=overwrite)
    options = InputOptions(rate_hz, units, references, SegmentConfig() if segment else None, whole)
    how = PredictOptions(batch_size=batch_size, examples=examples, transform=stated.config if stated else None)
    answered = answer(run, input, options, how, keep_inputs=explain is not None, work=console.work())
    predictions = answered.predictions
    see_all = f"all are in {output}"
    told = run.description.note if checkpoint is None else ""  # `chosen_run` said it already, and more
    remarks = (Remark(p.file, text) for p in predictions.predictions for text in p.remarks if text != told)
    console.list_remarks(remarks, see_all)
    failures = [Failure(file, reason) for file, reason in predictions.errors.items()]
    console.list_failures(failures, see_all)
    content = _write(predictions, output)  # before the explanations, so that the predictions are kept if these fail
    if explain is not None:
        _add_evidence(content, answered, explain, lang, output)
    if as_json:
        console.print_json(content)
    else:
        _show(predictions.predictions, output)
        console.out.print(f"{console.counted(len(predictions.predictions), 'file')} predicted: {output}")
    console.exit_if_strict(strict, failures)


def _require_output(output: Path, batch_size: int, explain: Path | None, *, overwrite: bool) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1; got {batch_size}")
    if _is_table(output) and explain is not None:
        raise InputError(f"{output}: the evidence is written into a .json file; a .csv has no place for it")
    require_suffix(output, ".json", ".csv")
    require_new_file(output, overwrite=overwrite)


def _write(predictions: Predictions, output: Path) -> dict[str, Any]:
    content = predictions.to_json()
    if _is_table(output):
        write_text(output, predictions.to_csv())
    else:
        write_json(output, content)
    return content


def _is_table(output: Path) -> bool:
    return output.suffix.lower() == ".csv"


def _add_evidence(content: dict[str, Any], answered: AnsweredFiles, folder: Path, lang: str, output: Path) -> None:
    """Draw the explanations into ``folder`` and add them to the predictions in ``output``."""
    from semg_hht.verbs.predicting import draw_evidence

    try:
        with console.err.status("explaining"):
            evidence_of = draw_evidence(answered, folder, lang)
    except (InputError, OSError) as error:
        raise InputError(
            f"{error}. The predictions are in {output}; to run the same command again, add --overwrite"
        ) from None
    for file, evidence in evidence_of.items():
        content[file]["evidence"] = evidence
    write_json(output, content)


def _show(predictions: Sequence[Prediction], output: Path) -> None:
    """Print a line for each of the first files; of a single file also one for each repetition."""
    if len(predictions) > 1:
        console.list_first(console.out, predictions, lambda prediction: _lines(prediction)[0], f"more in {output}")
        return
    for line in _lines(predictions[0]):
        console.out.print(f"  {line}")


def _lines(prediction: Prediction) -> list[str]:
    """A line for the file, and where it has several repetitions one for each."""
    lines = [f"{prediction.file}: {answers_text(prediction.answers)}"]
    if len(prediction.parts) > 1:
        lines[0] += f", all {len(prediction.parts)} repetitions together{_one_by_one(prediction.parts)}"
    lines[0] += unlike_text(prediction.unlike)
    if len(prediction.parts) > 1:
        for number, part in enumerate(prediction.parts, start=1):
            times = "" if part.start_s is None or part.stop_s is None else f"{part.start_s:7.2f} to {part.stop_s:.2f} s"
            lines.append(
                f"  {part.repetition or number:>3} {times}  {answers_text(part.answers)}{unlike_text(part.unlike)}"
            )
    return lines


def _one_by_one(parts: Sequence[Part]) -> str:
    """How many repetitions have each class, where they are sure of different ones: one answer does not hold for all."""
    said = ""
    for task in parts[0].answers:
        answers = [part.answers[task] for part in parts if task in part.answers]
        sure = Counter(answer.prediction for answer in answers if not answer.is_unsure)
        if len(sure) > 1:
            counts = [f"{n} {name}" for name, n in sorted(sure.items())]
            n_unsure = len(answers) - sum(sure.values())
            said += f"; one by one {', '.join(counts + [f'{n_unsure} unsure'] * (n_unsure > 0))}"
    return said


def unlike_text(reasons: Sequence[object]) -> str:
    """Why a repetition is unlike the training data, to append to its answers."""
    return f"; unlike the training data: {'; '.join(map(str, reasons))}" if reasons else ""


def answers_text(answers: Mapping[str, Answer]) -> str:
    """The answers of a repetition or file: the class, how sure it is, and whether the answer is unsure."""
    return ", ".join(
        f"{answer.prediction} ({answer.confidence:.0%}{', unsure' if answer.is_unsure else ''})"
        for answer in answers.values()
    )
