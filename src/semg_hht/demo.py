"""All steps on simulated people: simulate, segment, prepare, train, evaluate, predict, report. Or three on real ones.

It knows the order of the steps. Each step is the one that a user's own recordings take.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import semg_hht as sh
from semg_hht.figures.plots import draw_answers
from semg_hht.recordings.manifest import manifest_text, read_manifest
from semg_hht.system.files import read_json, require_new_folder, write_json, write_text
from semg_hht.system.progress import Track, TrainingProgress, untracked
from semg_hht.verbs.preparing import MATRIX_FOLDER
from semg_hht.verbs.reporting import write_cards
from semg_hht.verbs.simulating import SIMULATED_NOTE
from semg_hht.verbs.work import Work

if TYPE_CHECKING:
    from semg_hht import ManifestRow, Matrix, Prediction, Predictions, Result, Run, TrainingConfig

N_PEOPLE = 20
N_REPETITIONS = 3  # of each movement and person
BASE_CHANNELS = 4
EPOCHS = 10
TEST_SIZE = 0.25
EVALUATION_FOLDS = 3
EVALUATION_EPOCHS = 8  # fewer people to train on
UNKNOWN: dict[str, Any] = {"movement": "", "repetition": "", "start_s": None, "stop_s": None}
WHOLE = "whole.csv"  # the manifest without the times and the labels of the repetitions
SIMULATED = "the people are simulated: this page shows what a report looks like, and says nothing about real people"
LEARNING_RATE = 1e-3  # a small network on little data, in few epochs
PRACTICE_PEOPLE = 10
PRACTICE_EPOCHS = 12
PRACTICE_CHANNELS = 4
_Answer = tuple[float, float, str, str, float]  # start_s, stop_s, true class, predicted class, confidence


@dataclass(frozen=True)
class Demo:
    """What the demo computed and wrote. ``n_right`` of ``n_repetitions`` held-out ones were predicted right."""

    result: Result
    predictions: Predictions
    n_right: int
    n_repetitions: int
    picture: Path
    predictions_file: Path
    report: Path


@dataclass(frozen=True)
class DemoSize:
    """How many people are simulated, and how many epochs the network is trained."""

    n_people: int
    epochs: int


def run_demo(
    out: Path,
    seed: int,
    size: DemoSize = DemoSize(N_PEOPLE, EPOCHS),
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
    track: Track = untracked,
    progress: TrainingProgress = TrainingProgress(),
) -> Demo:
    """Run all steps in the folder ``out``; ``say`` receives a line on each. The network is small, to be fast."""
    require_new_folder(out, overwrite=overwrite)
    say(f"1/7  simulating {size.n_people} people, {3 * N_REPETITIONS} repetitions each: {out / 'recordings'}")
    manifest = _simulate(out, size.n_people, seed, overwrite=overwrite)
    truth = [replace(row, file=f"recordings/{row.file}") for row in read_manifest(manifest)]

    say(f"2/7  looking for the repetitions: {out / 'reps.csv'}, and a picture of each recording next to it")
    rows = _segment(out, manifest, truth, say, track)

    say(f"3/7  band-pass, notch, Hilbert-Huang transform of each repetition: {out / 'prepared'}")
    work = Work(track=track, progress=progress)
    prepared = sh.prepare(
        out / "labelled.csv", out / "prepared", options=sh.PrepareOptions(overwrite=overwrite), work=work
    )

    say(f"4/7  training a small network ({BASE_CHANNELS} channels, {size.epochs} epochs): {out / 'run'}")
    dataset, training = sh.load_dataset(prepared), _training(size.epochs, seed)
    options = sh.RunOptions(cpu=True, overwrite=overwrite, note=SIMULATED_NOTE)
    network = sh.NetworkSize(base_channels=BASE_CHANNELS)
    result = sh.train(dataset, out / "run", training=training, size=network, options=options, work=work)

    say(f"5/7  holding out each person once, in {EVALUATION_FOLDS} groups, and simple baselines: {out / 'evaluation'}")
    shorter = replace(training, epochs=min(size.epochs, EVALUATION_EPOCHS))
    folds = sh.EvaluationOptions(("grouped",), EVALUATION_FOLDS, cpu=True, overwrite=overwrite, notes=(SIMULATED,))
    evaluated = sh.evaluate(
        dataset, out / "evaluation", training=shorter, size=network, options=folds,
        load=sh.LoadOptions(folder=prepared.folder / MATRIX_FOLDER),
        work=replace(work, n_jobs=1),  # other processes would import torch, which takes longer than such a fold
    )  # fmt: skip

    held_out = read_json(out / "run" / "split.json")["test"]["subjects"]
    say(f"6/7  predicting the recordings of the {len(held_out)} people held out: {', '.join(held_out)}")
    rows = [row for row in rows if row.subject in held_out]
    write_text(out / "unseen.csv", manifest_text(rows))
    predictions = sh.open_run(out / "run", cpu=True).predict(out / "unseen.csv")
    write_json(out / "predictions.json", predictions.to_json())

    say("7/7  drawing")
    answers = [_with_answer(row, predictions) for row in rows]
    _draw_first(out, rows, answers, _one_of_each(prepared.manifest, rows[0].subject), result)
    n_right = sum(true == predicted for _, _, true, predicted, _ in answers)
    n_repetitions = sum(row.subject in held_out for row in truth)  # one that was not found counts as wrong
    return Demo(result, predictions, n_right, n_repetitions, out / "demo.png", out / "predictions.json", evaluated.page)


@dataclass(frozen=True)
class RealDemo:
    """What the demo on real recordings computed and wrote.

    answered : the true class and the prediction of each recording.
    cards : a report for each recording, in the same order.
    pictures : folder with a picture of each recording and its repetitions.
    """

    answered: tuple[tuple[str, Prediction], ...]
    cards: tuple[Path, ...]
    pictures: Path
    predictions_file: Path


def run_real_demo(
    out: Path,
    recordings: Path,
    run: Run,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
    track: Track = untracked,
) -> RealDemo:
    """Find the repetitions of real recordings, answer them with ``run``, and write a report on each recording.

    recordings : folder of recordings with a manifest.csv that states their true classes.
    """
    require_new_folder(out, overwrite=overwrite)
    say(f"1/3  copying the recordings: {out / 'recordings'}")
    shutil.copytree(recordings, out / "recordings", dirs_exist_ok=True)
    manifest = out / "recordings" / "manifest.csv"
    truth = {f"recordings/{row.file}": row.movement for row in read_manifest(manifest)}

    say(f"2/3  looking for the repetitions: {out / 'reps.csv'}, and a picture of each recording next to it")
    (out / "reps.csv").unlink(missing_ok=True)  # of an earlier demo, which --overwrite replaces
    work = Work(track=track)
    segmented = sh.segment(manifest, out / "reps.csv", work=work)
    assert segmented.pictures is not None

    say(f"3/3  predicting each repetition, and writing a report on each recording: {out / 'cards'}")
    predictions, cards = write_cards(run, out / "reps.csv", out / "cards", overwrite=overwrite, work=work)
    write_json(out / "predictions.json", predictions.to_json())
    answered = tuple((truth[prediction.file], prediction) for prediction in predictions)
    return RealDemo(answered, cards, segmented.pictures, out / "predictions.json")


def practice_run(
    out: Path,
    seed: int = 42,
    size: DemoSize = DemoSize(PRACTICE_PEOPLE, PRACTICE_EPOCHS),
    *,
    track: Track = untracked,
    progress: TrainingProgress = TrainingProgress(),
) -> Path:
    """Train a small run on simulated people, for users who have none. Returns the folder of the run, in ``out``."""
    work = Work(1, track, progress)
    prepared = sh.prepare(_simulate(out, size.n_people, seed), out / "prepared", work=work)
    network = sh.NetworkSize(base_channels=PRACTICE_CHANNELS)
    options = sh.RunOptions(cpu=True, note=SIMULATED_NOTE)
    training = _training(size.epochs, seed)
    return sh.train(prepared, out / "run", training=training, size=network, options=options, work=work).folder


def _simulate(out: Path, n_people: int, seed: int, *, overwrite: bool = False) -> Path:
    config = sh.SimulationConfig(n_subjects=n_people, n_repetitions=N_REPETITIONS)
    return sh.simulate(out / "recordings", config, seed=seed, overwrite=overwrite)


def _segment(
    out: Path, manifest: Path, truth: list[ManifestRow], say: Callable[[str], None], track: Track
) -> list[ManifestRow]:
    """Find the repetitions and label them with the truth, where a user would label them by hand."""
    (out / "reps.csv").unlink(missing_ok=True)  # of an earlier demo, which --overwrite replaces
    whole = {row.file: replace(row, **UNKNOWN) for row in read_manifest(manifest)}
    write_text(manifest.with_name(WHOLE), manifest_text(whole.values()))
    segmented = sh.segment(manifest.with_name(WHOLE), out / "reps.csv", work=Work(track=track))
    rows = _labelled(list(segmented.rows), truth)
    write_text(out / "labelled.csv", manifest_text(rows))
    say(f"     {len(segmented)} found; {len(rows)} of the {len(truth)} true ones are among them")
    return rows


def _training(epochs: int, seed: int) -> TrainingConfig:
    return sh.TrainingConfig(epochs=epochs, learning_rate=LEARNING_RATE, test_size=TEST_SIZE, seed=seed)


def _draw_first(
    out: Path, rows: list[ManifestRow], answers: list[_Answer], matrices: list[tuple[str, Matrix]], result: Result
) -> None:
    """Draw the first recording with its answers, one matrix of each movement, and the scores."""
    first = rows[0]
    recording = sh.read_recording(out / first.file, rate_hz=first.rate_hz, units="uV")
    shown = [answer for row, answer in zip(rows, answers, strict=True) if row.file == first.file]
    draw_answers(recording.time_s, recording.samples[0], shown, matrices, result.reports, out / "demo.png")


def _labelled(found: list[ManifestRow], truth: list[ManifestRow]) -> list[ManifestRow]:
    """The repetitions that overlap a true one by at least half, with its movement; the others are left out."""
    labelled = []
    for row in found:
        for true in truth:
            starts, stops = zip(*((r.start_s or 0.0, r.stop_s or 0.0) for r in (row, true)), strict=True)
            if row.file == true.file and min(stops) - max(starts) >= 0.5 * (max(stops) - min(starts)):
                labelled.append(replace(row, movement=true.movement))
    return labelled


def _with_answer(row: ManifestRow, predictions: Predictions) -> _Answer:
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
    return [(movement, sh.read_matrix(path)) for movement, path in sorted(first.items())]
