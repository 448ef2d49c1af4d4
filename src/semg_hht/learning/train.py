"""A complete training run: split, train, fit the SVMs, score held-out people, predict unlabelled files.

It defines the order of the steps; other modules do the work.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from semg_hht.errors import InputError
from semg_hht.evaluation.metrics import Report
from semg_hht.inference.answers import Prediction, answers, halved
from semg_hht.inference.description import Chosen, NetworkConfig
from semg_hht.learning.auto import Choosing, shortened, train_halves
from semg_hht.learning.checkpoint import RUN_FILES, STATE_FILE, Model, complete_model, load_model, save_model, versions
from semg_hht.learning.classifiers import blocks_of, complete, shown_examples, tasks_to_choose_for
from semg_hht.learning.data_parallel import make_fabric, stop_other_processes
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.dataset_rows import recordings_of
from semg_hht.learning.epochs import Epoch, Fitting, TrainingConfig, encoder_task, fit, score, write_config
from semg_hht.learning.split import Split, split_dataset, warn_of_few_people
from semg_hht.learning.training_data import reasons_of_matrix
from semg_hht.recordings.manifest import TASKS, is_test_name
from semg_hht.system.arguments import checked
from semg_hht.system.files import (
    LEFTOVERS,
    clear_folder,
    locked_folder,
    read_json,
    recover_folder,
    require_new_folder,
    write_json,
)
from semg_hht.system.progress import TrainingProgress

log = logging.getLogger(__name__)

TASK_CHOICES = ("both", *TASKS)


@dataclass(frozen=True, repr=False)
class Result:
    """A finished run: its folder, history, scores of each task on the test people, and what ``auto`` chose."""

    folder: Path
    history: tuple[Epoch, ...]
    best_epoch: int
    split_by: str
    reports: dict[str, Report]
    chosen: Mapping[str, Chosen]
    n_unlabelled: int

    def __repr__(self) -> str:
        scores = ", ".join(f"{task} {report.balanced_accuracy:.2f}" for task, report in self.reports.items())
        return (
            f"<Result: run in {self.folder}, best epoch {self.best_epoch} of {len(self.history)}, balanced accuracy on "
            f"held-out data {scores}>"
        )


@checked
@dataclass(frozen=True)
class NetworkSize:
    """Number of encoder layers, and of channels after the first layer.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sh.NetworkSize(base_channels=8).n_layers
    7
    """

    n_layers: int = 7
    base_channels: int = 64


@checked
@dataclass(frozen=True)
class RunOptions:
    """What a run trains and how it treats its folder.

    task : ``both``, or the one task to train and report where the data is labelled for two.
    resume : continue the run in the folder; start one where there is none.
    overwrite : discard the run in the folder and start again.
    cpu : don't use a GPU.
    note : what every answer of the run must be read with, a sentence (see `ModelDescription.note`).

    Examples
    --------
    >>> import semg_hht as sh
    >>> again = sh.RunOptions("action_quality", overwrite=True, cpu=True)
    """

    task: str = "both"
    resume: bool = False
    overwrite: bool = False
    cpu: bool = False
    note: str = ""


def train(
    dataset: Dataset,
    folder: Path,
    config: TrainingConfig,
    size: NetworkSize = NetworkSize(),
    options: RunOptions = RunOptions(),
    *,
    split: Split | None = None,
    progress: TrainingProgress = TrainingProgress(),
) -> Result:
    """Train on the labelled examples of ``dataset`` and write a run directory.

    Under torchrun all processes train one network; after training, all but the first exit.

    Parameters
    ----------
    split : parts as indices into ``dataset``, from which examples without a label are removed; None: split as
        ``config`` states.

    Raises
    ------
    InputError
        No labels, a single class, too little data to split, or a folder that holds another run.
    """
    classes = choose_classes(dataset, options.task)
    if options.resume:
        classes = in_order_of_run(classes, folder)
    encoded = encoder_task(classes)
    chosen = np.flatnonzero(dataset.is_labelled(classes))
    labelled = dataset.subset(chosen)
    unlabelled = dataset.subset(np.flatnonzero(~dataset.is_labelled(TASKS)))
    _warn_of_unlabelled(unlabelled)
    if split is None:
        warn_of_few_people(labelled, classes)
        split = split_dataset(labelled, config.test_size, config.validation_size, config.seed)
    else:
        split = split.among(chosen)
    if "gender" in classes:
        _require_both_genders(labelled, split, classes["gender"])
    network_config = NetworkConfig(
        len(classes[encoded]), size.n_layers, size.base_channels, n_planes=labelled.matrices.shape[1]
    )
    fabric = make_fabric(cpu=options.cpu, half=config.precision == "bfloat16")
    with locked_folder(folder) if fabric.global_rank == 0 else nullcontext():
        resuming = options.resume and (folder / "last" / STATE_FILE).is_file()
        if not resuming and fabric.global_rank == 0:
            require_free(folder, options)
            if options.resume:
                log.info("%s holds no run to resume: a new one begins", folder)
        fitting = Fitting(labelled, split, encoded, classes, network_config, config, folder, fabric)
        _begin(fitting, resuming=resuming)
        n_steps, n_epochs, tasks = fitting.n_steps_per_epoch, config.epochs, tasks_to_choose_for(fitting)
        if tasks:
            n_epochs += shortened(config.epochs)  # two networks with half of the steps
        progress.on_start(len(fitting.history) * n_steps, n_epochs * n_steps)
        fit(fitting, progress)
        halves = train_halves(fitting, shown_examples(fitting), progress.on_step) if tasks else ()
        stop_other_processes(fitting.share)
        return _finish(fitting, Choosing(tasks, halves), unlabelled, options.note)


def _begin(fitting: Fitting, *, resuming: bool) -> None:
    """Resume the run, or clear the folder for a new one; write settings and split."""
    folder, config = fitting.folder, fitting.config
    blocks_of(fitting)  # raises now, not after the epochs, if the data lacks what the recipe needs
    if not fitting.share.leads:
        if resuming:
            fitting.resume()
        fitting.fabric.barrier()
        return
    if resuming:
        recover_folder(folder / "best")
        fitting.resume()
        fitting.write_history()  # a run killed between saving its state and its history lacks the last line
        log.info("resumed after epoch %d of %d", len(fitting.history), config.epochs)
    else:
        clear_folder(folder, RUN_FILES)  # only now, after everything that can fail before training
    clear_folder(folder, LEFTOVERS)
    write_config(fitting)
    fitting.fabric.barrier()


def require_free(folder: Path, options: RunOptions) -> None:
    """Require that a training may write into ``folder``: before the data is read, which may take minutes.

    An empty folder, ``overwrite``, or (to resume) a run, also one that was stopped before its first epoch ended.

    Raises
    ------
    InputError
        The folder holds something that ``options`` neither resume nor overwrite.
    """
    has_state = (folder / "last" / STATE_FILE).is_file()
    is_complete = any((folder / name).exists() for name in ("final", "metrics.json"))
    if options.overwrite or (options.resume and has_state):
        require_new_folder(folder, overwrite=True)
    elif options.resume and not is_complete:
        require_new_folder(folder, overwrite=False, except_for=(*RUN_FILES, *LEFTOVERS))
    elif options.resume:
        raise InputError(
            f"{folder}: holds a trained model but not last/{STATE_FILE}, without which it can't be resumed; "
            "overwrite=True discards it and starts again"
        )
    elif has_state:
        raise InputError(
            f"{folder}: holds a run already; resume=True continues it, overwrite=True discards it and starts again"
        )
    elif (folder / "config.json").is_file() and not is_complete:
        raise InputError(f"{folder}: holds a run that was stopped in its first epoch; resume=True starts it again")
    else:
        require_new_folder(folder, overwrite=False)


def choose_classes(dataset: Dataset, task: str) -> dict[str, tuple[str, ...]]:
    """The tasks to train, with their class names. Of two labelled tasks, one with a single class is left out.

    Raises
    ------
    InputError
        An unknown task, or no labels for the requested one or for any.
    """
    if task not in TASK_CHOICES:
        raise InputError(f"task {task!r} is unknown; expected one of {', '.join(TASK_CHOICES)}")
    classes = dataset.classes()
    if task != "both":
        if task not in classes:
            raise InputError(f"no file has a label for {task}; expected one in file names or in a manifest.csv")
        return {task: classes[task]}
    if not classes:
        raise InputError("no file has a label; expected movement or gender in file names or in a manifest.csv")
    for task, other in (TASKS, TASKS[::-1]):
        if len(classes.get(task, ())) == 1 and len(classes.get(other, ())) > 1:
            log.warning("every label of %s is %s: it is not trained", task.replace("_", " "), classes[task][0])
            del classes[task]
    return classes


def in_order_of_run(classes: dict[str, tuple[str, ...]], folder: Path) -> dict[str, tuple[str, ...]]:
    """The same classes in the order of the run in ``folder``, which an earlier version may have begun."""
    path = folder / "config.json"
    content = read_json(path) if path.is_file() else {}
    kept = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(kept, dict):
        return classes
    return {
        task: tuple(kept[task]) if sorted(map(str, kept.get(task, ()))) == sorted(names) else names
        for task, names in classes.items()
    }


def _finish(fitting: Fitting, choosing: Choosing, unlabelled: Dataset, note: str) -> Result:
    """Fit what answers for the best and the final weights, score the best, and predict the files without labels."""
    folder = fitting.folder
    best = final = complete(_noted(load_model(folder / "best"), note), fitting, choosing)
    if fitting.best.epoch < len(fitting.history):  # otherwise the best weights are the final ones
        final = complete(_noted(fitting.model(), note), fitting, choosing)
    save_model(final, folder / "final")
    complete_model(best, folder / "best")
    test = fitting.dataset.subset(fitting.split.test)
    reports = _reports(best, test)
    if len(unlabelled):
        write_json(folder / "test_predictions.json", predictions_of(best, unlabelled))
    write_json(
        folder / "metrics.json",
        {
            "best_epoch": fitting.best.epoch,
            "n_epochs": len(fitting.history),
            "split_by": fitting.split.by,
            "notes": [*fitting.split.notes, *filter(None, [note])],
            "test": {name: report.to_json() for name, report in reports.items()},
            "chosen": {task: asdict(chosen) for task, chosen in best.description.chosen.items()},
            "validation_balanced_accuracy": fitting.best.validation_balanced_accuracy,
            "versions": versions(),
        },
    )
    return Result(
        folder,
        tuple(fitting.history),
        fitting.best.epoch,
        fitting.split.by,
        reports,
        best.description.chosen,
        len(unlabelled),
    )


def _noted(model: Model, note: str) -> Model:
    return replace(model, description=replace(model.description, note=note))


def _warn_of_unlabelled(unlabelled: Dataset) -> None:
    """Warn about files without labels that are not named ``Test*``: their names may be mistyped."""
    files = sorted(set(recordings_of(unlabelled.rows)))
    odd = [file for file in files if not is_test_name(PurePosixPath(file).name)]
    if odd:
        more = " ..." if len(odd) > 5 else ""
        log.warning("without labels, so not trained on but predicted: %s%s", ", ".join(odd[:5]), more)


def _require_both_genders(dataset: Dataset, split: Split, genders: tuple[str, ...]) -> None:
    """Raise before training, not after the epochs."""
    labels = dataset.labels("gender")
    shown = {labels[i] for i in np.concatenate([split.train, split.validation])}
    missing = [name for name in genders if name not in shown]
    if missing:
        raise InputError(f"gender: nobody is left to train {', '.join(missing)} on; expected several subjects of each")


def _reports(model: Model, test: Dataset) -> dict[str, Report]:
    probabilities = model.probabilities(test.matrices, test.svm_inputs)
    reports = {}
    for task, of_task in probabilities.items():
        labelled: Indices = np.flatnonzero([bool(label) for label in test.labels(task)])
        if labelled.size:
            reports[task] = score(test, labelled, task, model.description.classes, of_task[labelled])
    return reports


def predictions_of(model: Model, dataset: Dataset) -> dict[str, Any]:
    """File -> answers, in the format of the prediction JSON."""
    probabilities = model.probabilities(dataset.matrices, dataset.svm_inputs)
    classes, calibration = model.description.classes, model.description.calibration
    content = {}
    for i, row in enumerate(dataset.rows):
        unlike = reasons_of_matrix(model.description.training, dataset, i)
        own = {task: halved(of_task[i]) if unlike else of_task[i] for task, of_task in probabilities.items()}
        answered = answers(own, classes, calibration, is_unlike=bool(unlike))
        notes = tuple(filter(None, [model.description.note]))
        content[row.file] = Prediction(row.file, answered, remarks=notes, unlike=unlike).to_json()
    return content
