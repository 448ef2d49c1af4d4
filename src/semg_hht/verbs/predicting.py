"""`predict`: answers for new recordings and matrices, and the evidence for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.datasets.given_inputs import Data
from semg_hht.errors import InputError
from semg_hht.inference.answers import Predictions
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.inputs import Choice, LoadedInput
from semg_hht.prediction.run import BATCH_SIZE, Run, collect_predictions, open_run
from semg_hht.recordings.jobs import Failure, none_usable
from semg_hht.samples import RUN, about_run
from semg_hht.system.arguments import checked
from semg_hht.system.files import require_new_folder
from semg_hht.verbs.work import Work

log = logging.getLogger(__name__)


class InFolder(Protocol):
    """What `train` returns: a finished run in its folder."""

    @property
    def folder(self) -> Path: ...


Checkpoint = str | Path | Run | InFolder


@checked
@dataclass(frozen=True)
class PredictOptions:
    """How a run answers.

    engine, cpu : what runs the network (see `open_run`); a `Run` that is open already ignores both.
    batch_size : matrices in one batch.
    examples : a few labelled repetitions of the same person, as a table or a result of `label`, which adapt the answers
        of a run of the recipe ``auto``.
    transform : gives the preparation of recordings from that of the run; None: as in training.

    Examples
    --------
    >>> import semg_hht as sh
    >>> engine = sh.PredictOptions(engine="numpy")
    >>> predictions = sh.predict(sh.samples.MANIFEST, sh.samples.RUN, options=engine)
    """

    engine: str = "auto"
    cpu: bool = False
    batch_size: int = BATCH_SIZE
    examples: Data | None = None
    transform: Callable[[PipelineConfig | None], PipelineConfig] | None = None


def opened(checkpoint: Checkpoint | None, *, cpu: bool = False, engine: str = "auto") -> Run:
    """The run that was named or opened already; None: the run that comes with the package, with a warning."""
    if isinstance(checkpoint, Run):
        return checkpoint
    if checkpoint is None:
        log.warning("no checkpoint is named. %s", about_run().description)
        checkpoint = RUN
    return open_run(checkpoint if isinstance(checkpoint, (str, Path)) else checkpoint.folder, cpu=cpu, engine=engine)


def with_config(run: Run, config: PipelineConfig) -> Run:
    """The run with another preparation of recordings, and a warning if it is not that of its training data."""
    if run.recording_config != config:
        log.warning("recordings are not prepared as the training data of the run was")
    return replace(run, recording_config=config)


def require_references(config: PipelineConfig, references: Path) -> None:
    """Raise an error now if the recordings of maximal contractions can't be read."""
    from semg_hht.datasets.mvc import with_references

    with_references([], config, references, n_jobs=1)


@checked
def predict(
    data: Data,
    checkpoint: Checkpoint | None = None,
    *,
    rate_hz: float | None = None,
    units: str = "",
    inputs: InputOptions = InputOptions(),
    options: PredictOptions = PredictOptions(),
    work: Work = Work(),
) -> Predictions:
    """Answer new recordings or matrices. Recordings are prepared as the training data of the run was.

    Parameters
    ----------
    data : matrices, recordings, folders or tables as paths; a `Recording`, an array (n_channels, n_samples), a
        DataFrame of samples or an ``mne.io.Raw``; a result of `segment` or `label`; or a list of these.
    checkpoint : a run directory, one of its checkpoints or an export; a `Run`; or the result of `train`. None: the run
        that comes with the package (grip technique of elbow flexion), with a warning that says so.
    rate_hz, units : of recordings that do not state them.
    inputs : channels, references, and whether and how repetitions are found.

    Returns
    -------
    One prediction for each file; that of a recording is the mean over its repetitions, which are its ``parts``. A file
    that can't be used is listed under ``errors``, and the others are answered.

    Raises
    ------
    InputError
        The run can't be opened, or no file could be used.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 20)
    >>> predictions = sh.predict(recording, sh.samples.RUN)
    >>> predictions[0].answers["action_quality"].prediction
    'supinated'
    >>> table = predictions.to_dataframe()
    >>> len(table)  # one row for each repetition
    5
    """
    run = opened(checkpoint, cpu=options.cpu, engine=options.engine)
    return answer(run, data, inputs.stating(rate_hz, units), options, work=work).predictions


@dataclass(frozen=True)
class AnsweredFiles:
    """Predictions, and the inputs whose evidence can be drawn."""

    predictions: Predictions
    run: Run
    kept: list[LoadedInput] = field(repr=False)


def answer(
    run: Run,
    data: Data,
    inputs: InputOptions,
    options: PredictOptions,
    *,
    keep_inputs: bool = False,
    work: Work = Work(),
) -> AnsweredFiles:
    """`predict` with an open run; ``keep_inputs``: keep the first inputs for `draw_evidence`."""
    if options.batch_size < 1:
        raise InputError(f"batch_size must be at least 1; got {options.batch_size}")
    if options.transform is not None:
        run = with_config(run, options.transform(run.recording_config))
    adapted = run.examples(options.examples, inputs) if options.examples is not None else None
    kept: list[LoadedInput] = []
    choice = Choice(keep_recordings=keep_inputs)
    loaded = run.loader.load(data, inputs, choice, n_jobs=work.n_jobs, track=work.track)
    if keep_inputs:
        loaded = keep_first(loaded, kept)
    answered = run.answers(loaded, batch_size=options.batch_size, once=True, examples=adapted)
    predictions = collect_predictions(answered)
    if not predictions.predictions:
        raise none_usable([Failure(file, reason) for file, reason in predictions.errors.items()], "files")
    return AnsweredFiles(predictions, run, kept)


def keep_first(loaded: Iterable[LoadedInput | Failure], kept: list[LoadedInput]) -> Iterator[LoadedInput | Failure]:
    """Pass inputs through and collect those that hold the first repetitions, which are explained later."""
    from semg_hht.reports.explanation_text import MAX_EXPLAINED

    n_kept = 0
    for item in loaded:
        if not isinstance(item, Failure):
            if n_kept <= MAX_EXPLAINED:  # one more, to know whether there are more than are explained
                kept.append(item)
            n_kept += item.n_repetitions
            item = replace(item, source=None)  # large, and not needed for the prediction
        yield item


def require_explaining(run: Run, folder: Path, language: str, *, overwrite: bool) -> None:
    """Raise an error before any prediction if `draw_evidence` can't work."""
    from semg_hht.explanation.explain import model_of
    from semg_hht.reports.words import read_words

    require_new_folder(folder, overwrite=overwrite)
    read_words(language)
    model_of(run)


def draw_evidence(answered: AnsweredFiles, folder: Path, language: str) -> dict[str, Any]:
    """Draw the evidence for each prediction into ``folder``; returns file -> evidence as JSON."""
    from semg_hht.explanation.explain import explain_loaded, model_of
    from semg_hht.reports.explanation_text import MAX_EXPLAINED, write_evidence_of_all
    from semg_hht.reports.words import read_words

    run = answered.run
    model = model_of(run)
    given = {prediction.file: prediction for prediction in answered.predictions.predictions}
    explanations = (
        found for loaded in answered.kept for found in explain_loaded(run, model, loaded, given=given[loaded.file])
    )
    content, more = write_evidence_of_all(explanations, folder, read_words(language))
    if more:
        log.warning("only the first %d repetitions were explained; name fewer files", MAX_EXPLAINED)
    return content
