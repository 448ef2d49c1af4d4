"""Cross-validation: train a run for each fold and collect the answers about its held-out people.

`semg_hht.evaluation` computes the scores from these answers. Finished folds are not computed again.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, answer_sets
from semg_hht.evaluation.comparison import FINDINGS, OURS, HeldOutAnswers, task_findings
from semg_hht.evaluation.metrics import pool
from semg_hht.learning.baselines import BASELINES, baseline_probabilities, repetition_features
from semg_hht.learning.checkpoint import Model, load_model, versions
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.device import use_gpu
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.folds import Fold, make_folds
from semg_hht.learning.split import warn_of_few_people
from semg_hht.learning.train import NetworkSize, RunOptions, choose_classes, in_order_of_run, train
from semg_hht.system.files import locked_folder, read_json, require_new_folder, write_json
from semg_hht.system.processes import map_in_processes
from semg_hht.system.progress import Track, kept_warnings, untracked

log = logging.getLogger(__name__)

FOLDS = "folds"
SETTINGS = "settings.json"
ANSWERS = "answers.json"
NOTES = "notes.json"
_ALONE = threading.Lock()  # all threads of a process share torch's random number generator


@dataclass(frozen=True)
class FoldOptions:
    """How people are held out, and what a fold computes and keeps.

    protocol, n_folds : as in `semg_hht.learning.folds.make_folds`.
    task : ``both``, or the one task to train and report where the data is labelled for two.
    cpu : don't use a GPU.
    keep_models : keep the weights of each fold; else a fold keeps its answers, settings and history.
    overwrite : discard an evaluation of other data or settings in the folder.
    """

    protocol: str = "loso"
    n_folds: int = 5
    task: str = "both"
    cpu: bool = False
    keep_models: bool = False
    overwrite: bool = False


def cross_validate(
    dataset: Dataset,
    folder: Path,
    config: TrainingConfig,
    size: NetworkSize = NetworkSize(),
    options: FoldOptions = FoldOptions(),
    *,
    n_jobs: int = -1,
    track: Track = untracked,
) -> list[HeldOutAnswers]:
    """Train and predict fold by fold in ``folder/folds``; a second call continues an interrupted one.

    Training, the choice of the epoch, calibration and the settings of the baselines never use the held-out people.
    Each fold computes on one core, so that answers don't depend on the number of parallel folds.

    Parameters
    ----------
    n_jobs : number of parallel folds; -1: one for each core. On a GPU one fold runs at a time. A Dask cluster
        (`semg_hht.system.processes`) runs one for each worker; its workers must see the same ``folder`` and pack.

    Raises
    ------
    InputError
        No labels, too few subjects, or ``folder`` holds an evaluation of other data or settings.
    """
    task = options.task
    classes = choose_classes(dataset, task)
    warn_of_few_people(dataset, classes)
    folds = make_folds(dataset, options.protocol, options.n_folds, config.validation_size, config.seed)
    if task == "both" and len(classes) == 2 and not _leave_both_genders(dataset, folds):
        log.warning("a gender is shown by too few people to hold one of them out: gender is left out")
        task, classes = "action_quality", choose_classes(dataset, "action_quality")
    own_task = (
        next(iter(classes)) if len(classes) == 1 else task
    )  # so that folds don't repeat the choice and its warning
    settings = {
        "protocol": options.protocol,
        "n_folds": len(folds),
        "task": task,
        "network": asdict(size),
        "training": asdict(config),
        "data_fingerprint": dataset.fingerprint(),
    }
    with locked_folder(folder):
        _require_same(folder, settings, options.overwrite)
        write_json(folder / SETTINGS, settings)
        on_gpu = use_gpu(cpu=options.cpu)
        work = partial(_answer_fold, dataset, folder, config, size, replace(options, task=own_task))
        results = map_in_processes(work, folds, 1 if on_gpu else n_jobs, lambda _: None, ahead_each=len(folds))
        answered = zip(folds, track(results, len(folds), "folds"), strict=True)
        contents = [_in_order(content, _folder_of(folder, fold), classes) for fold, content in answered if content]
        if len(contents) < len(folds):
            raise InputError(
                f"{folder}: a process that computed a fold was ended by the system, or refused memory, even "
                f"alone; {len(contents)} of {len(folds)} folds are done, and the same command continues with the rest"
            )
    notes = _notes(contents)
    for note in notes:
        log.warning("in %d of the %d folds: %s", note["n_folds"], len(folds), note["text"])
    write_json(folder / NOTES, notes)
    return [
        _all_folds(dataset, contents, name, method, classes[name])
        for name in classes
        for method in _methods(contents, name)
    ]


def _folder_of(folder: Path, fold: Fold) -> Path:
    return folder / FOLDS / f"{fold.number:02d}"


def _in_order(content: dict[str, Any], own: Path, classes: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The answers of a fold with probabilities in the order of ``classes``; an earlier version may have had another."""
    for task, kept in in_order_of_run(classes, own).items():
        place = [kept.index(name) for name in classes[task]]
        for answers in (content["network"], *content["baselines"].values()) if kept != classes[task] else ():
            if task in answers:
                answers[task] = {key: [row[i] for i in place] for key, row in answers[task].items()}
    return content


def _leave_both_genders(dataset: Dataset, folds: list[Fold]) -> bool:
    genders = np.array(dataset.labels("gender"))
    return all(
        len(set(genders[np.concatenate([fold.split.train, fold.split.validation])]) - {""}) == 2 for fold in folds
    )


def _require_same(folder: Path, settings: dict[str, Any], overwrite: bool) -> None:
    before = folder / SETTINGS
    if not before.is_file():
        require_new_folder(folder, overwrite=overwrite)
    elif read_json(before) != settings:
        if not overwrite:
            raise InputError(
                f"{folder}: holds an evaluation of other data or settings (settings.json); "
                "name another folder, or use overwrite=True to discard it and start again"
            )
        shutil.rmtree(folder / FOLDS, ignore_errors=True)


def _answer_fold(
    dataset: Dataset,
    folder: Path,
    config: TrainingConfig,
    size: NetworkSize,
    options: FoldOptions,
    fold: Fold,
) -> dict[str, Any]:
    """The answers of one fold, computed in a worker, or read from disk if the fold was finished before."""
    own = _folder_of(folder, fold)
    if (own / ANSWERS).is_file():
        content: dict[str, Any] = read_json(own / ANSWERS)
        return content
    with _ALONE, _one_thread():
        with kept_warnings() as notes:
            run = RunOptions(options.task, resume=own.exists(), cpu=options.cpu)
            train(dataset, own, config, size, run, split=fold.split)
        model = load_model(own / "best")
        content = {
            "held_out": list(fold.held_out),
            "notes": notes,
            "network": _network_answers(model, dataset, fold.split.test),
            "chosen": {name: chosen.name for name, chosen in model.description.chosen.items()},
            "calibration": {name: asdict(found) for name, found in model.description.calibration.items()},
            "baselines": _baseline_answers(dataset, fold, config.seed, model.description.classes),
        }
        write_json(own / ANSWERS, content)
    if not options.keep_models:
        for name in ("best", "final", "last"):
            shutil.rmtree(own / name, ignore_errors=True)
        for path in own.glob("checkpoint_epoch_*"):
            shutil.rmtree(path, ignore_errors=True)
    return content


@contextmanager
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _notes(contents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each warning with the number of folds that gave it."""
    counts = Counter(text for content in contents for text in content.get("notes", ()))
    return [{"text": text, "n_folds": n} for text, n in counts.items()]


def _network_answers(model: Model, dataset: Dataset, test: Indices) -> dict[str, Any]:
    """Task -> repetition -> probabilities, averaged over channels."""
    people = dataset.subset(test)
    answers = {}
    for name, probabilities in model.probabilities(people.matrices, people.svm_inputs).items():
        keys, pooled = pool(probabilities, people.repetitions)
        answers[name] = dict(zip(keys, pooled.tolist(), strict=True))
    return answers


def _baseline_answers(
    dataset: Dataset, fold: Fold, seed: int, classes: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, Any]]:
    """Method -> task -> repetition -> probabilities in the order of the classes."""
    answers: dict[str, dict[str, Any]] = {}
    training = np.concatenate([fold.split.train, fold.split.validation])
    for method in BASELINES:
        baseline = repetition_features(dataset, method)
        if baseline is None:
            continue
        keys, table = baseline
        place = {key: i for i, key in enumerate(keys)}
        first = {dataset.repetitions[i]: i for i in reversed(range(len(dataset)))}
        groups = np.array([dataset.rows[first[key]].subject or key for key in keys])
        if fold.split.by != "subject":
            groups = np.array(keys)
        test = np.array(list(dict.fromkeys(place[dataset.repetitions[i]] for i in fold.split.test)))
        for task, order in classes.items():
            labels = np.array([dataset.rows[first[key]].label(task) for key in keys])
            labelled = np.array(
                sorted({place[dataset.repetitions[i]] for i in training if dataset.rows[i].label(task)})
            )
            if len(set(labels[labelled])) < 2:
                continue
            names_found, probabilities = baseline_probabilities(table, labels, groups, labelled, test, seed)
            in_order = np.zeros((len(test), len(order)))
            in_order[:, [order.index(name) for name in names_found]] = probabilities
            answers.setdefault(method, {})[task] = {
                keys[i]: row for i, row in zip(test, in_order.tolist(), strict=True)
            }
    return answers


def _methods(contents: list[dict[str, Any]], task: str) -> Iterator[str]:
    if all(task in content["network"] for content in contents):
        yield OURS
    for method in BASELINES:
        if all(task in content["baselines"].get(method, {}) for content in contents):
            yield method


def _all_folds(
    dataset: Dataset, contents: list[dict[str, Any]], task: str, method: str, classes: tuple[str, ...]
) -> HeldOutAnswers:
    first = {dataset.repetitions[i]: i for i in reversed(range(len(dataset)))}
    keys: list[str] = []
    rows: list[list[float]] = []
    sets: list[np.ndarray] = []
    promised = True
    for content in contents:
        answers = content["network"][task] if method == OURS else content["baselines"][method][task]
        labelled = [key for key in answers if dataset.rows[first[key]].label(task)]
        probabilities = np.array([answers[key] for key in labelled]).reshape(-1, len(classes))
        calibration = Calibration(**content["calibration"].get(task, {})) if method == OURS else Calibration()
        promised = promised and calibration.threshold > 0
        keys += labelled
        rows += probabilities.tolist()
        sets.append(answer_sets(probabilities, calibration.threshold))
    examples = [dataset.rows[first[key]] for key in keys]
    return HeldOutAnswers(
        task=task,
        method=method,
        classes=classes,
        repetitions=tuple(keys),
        labels=tuple(row.label(task) for row in examples),
        subjects=tuple(row.subject for row in examples),
        muscles=tuple(row.muscle for row in examples),
        genders=tuple(row.gender for row in examples),
        files=tuple(row.file for row in examples),
        probabilities=np.array(rows),
        in_set=np.concatenate(sets) if promised else None,
    )


def _chosen(folder: Path) -> dict[str, dict[str, int]]:
    """Task -> what the recipe ``auto`` chose, and in how many folds."""
    counts: dict[str, Counter[str]] = {}
    for path in sorted((folder / FOLDS).glob(f"*/{ANSWERS}")):
        for task, name in read_json(path).get("chosen", {}).items():
            counts.setdefault(task, Counter())[name] += 1
    return {task: dict(names.most_common()) for task, names in counts.items()}


def describe(
    dataset: Dataset,
    folder: Path,
    answers: list[HeldOutAnswers],
    *,
    data_folder: str | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Write ``folder/findings.json``: data, settings and scores.

    data_folder : folder of the matrices, relative to the folder of all protocols, from which the report draws them.
    notes : remarks about the data that the report shows before the scores.
    """
    content = {
        **read_json(folder / SETTINGS),
        "data": {
            "folder": data_folder,
            "n_matrices": len(dataset),
            "n_repetitions": len(set(dataset.repetitions)),
            "subjects": sorted(set(dataset.subjects)),
            "n_per_gender": dict(Counter({row.subject: row.gender for row in dataset.rows}.values())),
            "n_planes": int(dataset.matrices.shape[1]),
            "rates_hz": sorted({row.rate_hz for row in dataset.rows if row.rate_hz}),
            "muscles": sorted({row.muscle for row in dataset.rows} - {""}),
            "preparation": dataset.settings,
        },
        "tasks": task_findings(answers),
        "shown": _shown(dataset, answers),
        "chosen": _chosen(folder),
        "notes": list(notes),
        "fold_notes": read_json(folder / NOTES),
        "versions": versions(),
    }
    write_json(folder / FINDINGS, content)
    return content


def _shown(dataset: Dataset, answers: list[HeldOutAnswers]) -> dict[str, Any]:
    """Task -> the recording that a report shows: one of which as usual a share is right, with its answers."""
    rows = {row.file: row for row in dataset.rows}
    found = {}
    for ours in (one for one in answers if one.method == OURS and one.task != "gender"):  # one answer a recording
        of_recordings: dict[str, list[dict[str, Any]]] = {}
        for i, place in enumerate(ours.probabilities.argmax(axis=1)):
            extra = rows[ours.files[i]].extra
            if extra.get("recording_start_s") and extra.get("recording_stop_s"):
                of_recordings.setdefault(extra["recording"], []).append({
                    "start_s": float(extra["recording_start_s"]), "stop_s": float(extra["recording_stop_s"]),
                    "subject": ours.subjects[i], "label": ours.labels[i], "prediction": ours.classes[place],
                })  # fmt: skip
        if of_recordings:
            usual = float(np.mean(ours.probabilities.argmax(axis=1) == ours.true))
            away = {file: abs(_share_right(own) - usual) - len(own) * 1e-6 for file, own in of_recordings.items()}
            file = min(away, key=lambda name: (away[name], name))
            found[ours.task] = {"file": file, "subject": of_recordings[file][0]["subject"],
                                "repetitions": of_recordings[file]}  # fmt: skip
    return found


def _share_right(repetitions: list[dict[str, Any]]) -> float:
    return float(np.mean([repetition["label"] == repetition["prediction"] for repetition in repetitions]))
