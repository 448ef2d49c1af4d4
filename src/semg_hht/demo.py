"""The whole path on simulated people: simulate, segment, prepare, train, evaluate, predict, report.

Knows the order of the steps: each is the one that a user's own recordings take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.datasets.segment import segment
from semg_hht.datasets.simulated import write_simulation
from semg_hht.figures.plots import draw_answers, draw_confusion, draw_history
from semg_hht.inference.answers import Predictions
from semg_hht.matrices.matrix import Matrix, read_matrix
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.run import open_run
from semg_hht.recordings.manifest import ManifestRow, manifest_text, read_manifest
from semg_hht.recordings.recording import read_recording
from semg_hht.report.evaluation_page import write_page
from semg_hht.report.summary import gather
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.signals.simulate import SimulationConfig
from semg_hht.system.files import read_json, require_new_folder, write_json, write_text
from semg_hht.system.progress import Track, TrainingProgress, untracked

if TYPE_CHECKING:
    from semg_hht.learning.train import Result

N_PEOPLE = 20
N_REPETITIONS = 3  # of each movement and person
BASE_CHANNELS = 8
EPOCHS = 20
TEST_SIZE = 0.25
EVALUATION_FOLDS = 3
UNKNOWN: dict[str, Any] = {"movement": "", "repetition": "", "start_s": None, "stop_s": None}
SIMULATED = "the people are simulated: this page shows what a report looks like, and tells nothing of real people"
LEARNING_RATE = 1e-3  # a small network on little data, in few epochs
PRACTICE_PEOPLE = 10
PRACTICE_EPOCHS = 12
PRACTICE_CHANNELS = 4


@dataclass(frozen=True)
class Demo:
    """What the demo leaves behind."""

    result: Result
    predictions: Predictions
    n_right: int
    n_repetitions: int
    picture: Path
    predictions_file: Path
    report: Path


def run_demo(
    out: Path,
    seed: int,
    *,
    overwrite: bool = False,
    n_people: int = N_PEOPLE,
    epochs: int = EPOCHS,
    say: Callable[[str], None] = lambda _: None,
    track: Track = untracked,
    progress: TrainingProgress = TrainingProgress(),
) -> Demo:
    """Walk the path in ``out``; ``say`` hears each step. A small network: the demo shows the path, not a record."""
    from semg_hht.learning.crossvalidation import FoldOptions, cross_validate, describe
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    require_new_folder(out, overwrite=overwrite)
    say(f"1/7  simulating {n_people} people, {3 * N_REPETITIONS} repetitions each: {out / 'recordings'}")
    config = SimulationConfig(n_subjects=n_people, n_repetitions=N_REPETITIONS)
    manifest = write_simulation(out / "recordings", config, seed, overwrite=overwrite)
    say(f"2/7  looking for the repetitions: {out / 'reps.csv'}, and a picture of each recording beside it")
    (out / "reps.csv").unlink(missing_ok=True)  # of an earlier demo, which --overwrite replaces
    settings = PipelineConfig()
    whole = [replace(job, rows=(replace(job.rows[0], **UNKNOWN),)) for job in find_jobs(manifest)]
    segmented = segment(whole, out / "reps.csv", SegmentConfig(), settings.filter, track=track)
    truth = [replace(row, file=f"recordings/{row.file}") for row in read_manifest(manifest)]
    rows = _labelled(read_manifest(segmented.table), truth)
    write_text(out / "labelled.csv", manifest_text(rows))  # a person would fill the table in; here the truth is known
    say(f"     {segmented.n_repetitions} found; {len(rows)} of {len(truth)} true ones are among them")
    say(f"3/7  band-pass, notch, Hilbert-Huang transform of each repetition: {out / 'prepared'}")
    prepared = prepare(find_jobs(out / "labelled.csv"), out / "prepared", settings, overwrite=overwrite, track=track)
    say(f"4/7  training a small network ({BASE_CHANNELS} channels, {epochs} epochs): {out / 'run'}")
    dataset = load_folder(out / "prepared" / "hht_matrices")
    training = TrainingConfig(epochs=epochs, learning_rate=LEARNING_RATE, test_size=TEST_SIZE, seed=seed)
    size = NetworkSize(base_channels=BASE_CHANNELS)
    result = train(dataset, out / "run", training, size, RunOptions(cpu=True, overwrite=overwrite), progress=progress)
    draw_history(result.history, result.best_epoch, out / "run" / "history.png")
    draw_confusion(result.reports, out / "run" / "confusion.png")

    say(f"5/7  every person held out once, in {EVALUATION_FOLDS} groups, beside simple baselines: {out / 'evaluation'}")
    shorter = replace(training, epochs=max(1, epochs // 2))
    folds = FoldOptions("grouped", EVALUATION_FOLDS, cpu=True, overwrite=overwrite)
    answers = cross_validate(dataset, out / "evaluation" / "grouped", shorter, size, folds, track=track)
    describe(
        dataset, out / "evaluation" / "grouped", answers, data_folder="../prepared/hht_matrices", notes=(SIMULATED,)
    )
    gather(out / "evaluation")
    report = write_page(out / "evaluation", overwrite=True)

    unseen = read_json(out / "run" / "split.json")["test"]["subjects"]
    say(f"6/7  predicting the recordings of {len(unseen)} people it was not trained on: {', '.join(unseen)}")
    rows = [row for row in rows if row.subject in unseen]
    write_text(out / "unseen.csv", manifest_text(rows))
    predictions = open_run(out / "run", cpu=True).predict(out / "unseen.csv")
    write_json(out / "predictions.json", predictions.to_json())

    say("7/7  drawing")
    marked = [_marked(row, predictions) for row in rows]
    first = rows[0].file
    shown = [mark for row, mark in zip(rows, marked, strict=True) if row.file == first]
    recording = read_recording(out / first, rate_hz=rows[0].rate_hz, units="uV")
    time_s = np.arange(recording.n_samples) / recording.rate_hz
    draw_answers(
        time_s,
        recording.samples[0],
        shown,
        _one_of_each(prepared.manifest, rows[0].subject),
        result.reports,
        out / "demo.png",
    )
    n_right = sum(true == predicted for _, _, true, predicted, _ in marked)
    n_true = sum(row.subject in unseen for row in truth)  # one that was not found is not right
    return Demo(result, predictions, n_right, n_true, out / "demo.png", out / "predictions.json", report)


def practice_run(
    out: Path,
    seed: int = 42,
    *,
    n_people: int = PRACTICE_PEOPLE,
    epochs: int = PRACTICE_EPOCHS,
    track: Track = untracked,
    progress: TrainingProgress = TrainingProgress(),
) -> Path:
    """A small run for whoever has none: simulated people, prepared and trained on, and nothing more of the demo.

    Returns the folder of the run, in ``out``.
    """
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    config = SimulationConfig(n_subjects=n_people, n_repetitions=N_REPETITIONS)
    manifest = write_simulation(out / "recordings", config, seed)
    prepared = prepare(find_jobs(manifest), out / "prepared", PipelineConfig(), n_jobs=1, track=track)
    training = TrainingConfig(epochs=epochs, learning_rate=LEARNING_RATE, test_size=TEST_SIZE, seed=seed)
    dataset = load_folder(prepared.folder / "hht_matrices")
    size = NetworkSize(base_channels=PRACTICE_CHANNELS)
    return train(dataset, out / "run", training, size, RunOptions(cpu=True), progress=progress).folder


def _labelled(found: list[ManifestRow], truth: list[ManifestRow]) -> list[ManifestRow]:
    """The repetitions found, with the movement of the true one that each covers by half; others are left out."""
    labelled = []
    for row in found:
        for true in truth:
            starts, stops = zip(*((r.start_s or 0.0, r.stop_s or 0.0) for r in (row, true)), strict=True)
            if row.file == true.file and min(stops) - max(starts) >= 0.5 * (max(stops) - min(starts)):
                labelled.append(replace(row, movement=true.movement))
    return labelled


def _marked(row: ManifestRow, predictions: Predictions) -> tuple[float, float, str, str, float]:
    """(start_s, stop_s, true, predicted, confidence) of one repetition."""
    (prediction,) = (p for p in predictions.predictions if p.file == row.file)
    (part,) = (p for p in prediction.parts if p.repetition == row.repetition)
    answer = part.answers["action_quality"]
    return row.start_s or 0.0, row.stop_s or 0.0, row.movement, answer.prediction, answer.confidence


def _one_of_each(manifest: Path, subject: str) -> list[tuple[str, Matrix]]:
    """The first matrix of each movement of one person."""
    first: dict[str, Path] = {}
    for row in read_manifest(manifest):
        if row.subject == subject:
            first.setdefault(row.movement, manifest.parent / row.file)
    return [(movement, read_matrix(path)) for movement, path in sorted(first.items())]
