"""`evaluate`: cross-validation and its report."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import PROTOCOLS
from semg_hht.reports.summary import REPORT, gather
from semg_hht.system.arguments import checked
from semg_hht.system.dataframes import dataframe, html_table
from semg_hht.system.processes import path_for_workers, workers
from semg_hht.verbs.training import RECIPE, LoadOptions, TrainingInput, load_dataset, require_training
from semg_hht.verbs.work import Work

if TYPE_CHECKING:
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize

log = logging.getLogger(__name__)

MANY_PASSES = 100_000  # 16 in about a second on two cores
COLUMNS = ("protocol", "task", "method", "balanced_accuracy", "low", "high", "macro_f1", "auroc", "ece", "n")


@checked
@dataclass(frozen=True)
class EvaluationOptions:
    """How people are held out, and what an evaluation keeps.

    protocols : ``loso`` (each subject held out once), ``grouped`` (in ``n_folds`` groups), ``random`` (repetitions held
        out, for comparison: its scores are too high).
    task : ``both``, or the one task to score where the data is labelled for two.
    cpu : don't use a GPU. keep_models : keep the weights of each fold.
    overwrite : discard an evaluation of other data or settings in the folder.
    language : of the page, ``en`` or ``zh``.
    notes : remarks about the data that the report shows before the scores.

    Examples
    --------
    >>> import semg_hht as sh
    >>> grouped = sh.EvaluationOptions(("grouped", "random"), n_folds=3)
    """

    protocols: Sequence[str] = ("loso",)
    n_folds: int = 5
    task: str = "both"
    cpu: bool = False
    keep_models: bool = False
    overwrite: bool = False
    language: str = "en"
    notes: Sequence[str] = ()


@dataclass(frozen=True, repr=False)
class Evaluated:
    """What `evaluate` found and wrote.

    folder : of the findings and folds. page : the report as HTML.
    content : the findings of all protocols, as in report.json.
    """

    folder: Path
    page: Path
    content: dict[str, Any]

    def __repr__(self) -> str:
        scores = [f"{protocol}, {task}: {method} {score:.2f}" for protocol, task, method, score, *_ in self.rows()]
        return "\n  ".join([f"<Evaluated in {self.folder}, balanced accuracy", *scores]) + ">"

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` of scores: a row per protocol, task and method, with 95 % intervals over people.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        return dataframe(COLUMNS, self.rows())

    def rows(self) -> list[list[Any]]:
        """The rows of `to_dataframe`, without pandas."""
        rows = []
        for protocol, found in self.content["protocols"].items():
            for task, scored in found["tasks"].items():
                for method, scores in {"network": scored["network"], **scored["baselines"]}.items():
                    low, high = scores["balanced_accuracy_interval_95"] or (None, None)
                    rows.append([
                        protocol, task, method, scores["balanced_accuracy"], low, high, scores["macro_f1"],
                        scores["auroc"], scores["ece"], scores["n"],
                    ])  # fmt: skip
        return rows

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self.rows(), f"evaluation in {self.folder}")


@checked
def evaluate(
    data: TrainingInput,
    out: str | Path = "evaluation",
    *,
    training: TrainingConfig | None = None,
    size: NetworkSize | None = None,
    options: EvaluationOptions = EvaluationOptions(),
    load: LoadOptions = LoadOptions(),
    work: Work = Work(),
) -> Evaluated:
    """Estimate scores on new people by cross-validation, beside simple baselines.

    Parameters
    ----------
    data : as for `train`.
    out : folder for report.html, report.json and the folds; finished folds are not computed again.
    training, size, load : as for `train`.

    Raises
    ------
    InputError
        No labels, too few people, a folder with an evaluation of other data or settings, or torch is not installed.

    Examples
    --------
    >>> import semg_hht as sh
    >>> manifest = sh.simulate("for_evaluation", sh.SimulationConfig(n_subjects=4, n_repetitions=1))
    >>> short = sh.TrainingConfig(epochs=1, batch_size=4, learning_rate=1e-3)
    >>> grouped = sh.EvaluationOptions(("grouped",), n_folds=2, task="action_quality", cpu=True)
    >>> work = sh.Work(n_jobs=1)
    >>> found = sh.evaluate(manifest, training=short, size=sh.NetworkSize(base_channels=2), options=grouped, work=work)
    >>> scores = found.to_dataframe()
    >>> "balanced_accuracy" in scores.columns
    True
    """
    require_training()
    from semg_hht.learning.crossvalidation import FoldOptions, cross_validate, describe
    from semg_hht.learning.device import use_gpu
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize
    from semg_hht.reports.evaluation_page import write_page
    from semg_hht.reports.words import read_words

    read_words(options.language)  # an unknown language is an error before the folds, not after them
    unknown = [name for name in options.protocols if name not in PROTOCOLS]
    if unknown:
        raise InputError(f"protocols must be one of {', '.join(PROTOCOLS)}; got {unknown[0]!r}")
    out = path_for_workers(work.backend, Path(out))
    dataset = load_dataset(data, options=load, work=work)
    n_loaded, dataset = len(dataset), dataset.labelled()  # the whole data set must not stay in memory
    if len(dataset) < n_loaded:
        log.info("files left out because they have no label, such as Test*: %d", n_loaded - len(dataset))
    training, size = training or TrainingConfig(recipe=RECIPE), size or NetworkSize()
    n_folds = sum(len(set(dataset.subjects)) if name == "loso" else options.n_folds for name in options.protocols)
    n_passes = n_folds * training.epochs * len(dataset)  # of a matrix through the network
    if size.base_channels >= NetworkSize.base_channels and n_passes >= MANY_PASSES and not use_gpu(cpu=options.cpu):
        log.info(
            "the full network is trained %d times, which takes hours without a GPU; base_channels=8 with "
            "learning_rate=0.001 needs a sixtieth of that. To change, stop with Ctrl-C and add overwrite=True", n_folds
        )  # fmt: skip
    folder = Path(data) if isinstance(data, (str, Path)) and Path(data).is_dir() else load.folder
    data_folder = None if folder is None else _as_seen_from(out, folder)
    with workers(work.backend, work.scheduler):
        for name in options.protocols:
            folds = FoldOptions(
                name, options.n_folds, options.task, cpu=options.cpu, keep_models=options.keep_models,
                overwrite=options.overwrite,
            )  # fmt: skip
            answers = cross_validate(dataset, out / name, training, size, folds, n_jobs=work.n_jobs, track=work.track)
            describe(dataset, out / name, answers, data_folder=data_folder, notes=options.notes)
    content = gather(out)
    return Evaluated(out, write_page(out, language=options.language, overwrite=True), content)


def report_file(evaluated: Evaluated) -> Path:
    """The findings of an evaluation as JSON."""
    return evaluated.folder / REPORT


def _as_seen_from(out: Path, data_dir: Path) -> str:
    """The path relative to ``out``, so that both can be moved together; absolute if they are on two drives."""
    try:
        return Path(os.path.relpath(data_dir.resolve(), out.resolve())).as_posix()
    except ValueError:
        return data_dir.resolve().as_posix()
