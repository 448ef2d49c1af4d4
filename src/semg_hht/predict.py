"""Open a run; recordings or matrices in, Predictions out.

The one place where a run meets new files. torch is imported only once a run needs it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semg_hht.calibration import Calibration
from semg_hht.engines.exported import ExportedModel, is_export, open_export
from semg_hht.engines.networks import BACKENDS, MANY
from semg_hht.errors import InputError
from semg_hht.joining import Beside, side_by_side
from semg_hht.labels import Labelled
from semg_hht.matrices import Matrix, read_matrix
from semg_hht.pipeline import Example, Failure, Job, PipelineConfig, transform_all
from semg_hht.predictions import Answer, Part, Prediction, Predictions, answers
from semg_hht.scaling import min_max
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.sources import find_inputs, with_long_names
from semg_hht.tracking import Track, untracked
from semg_hht.workers import ahead

if TYPE_CHECKING:
    from semg_hht.learning.checkpoint import Model

log = logging.getLogger(__name__)

ENGINES = ("auto", *BACKENDS, "torch")
AHEAD = 64  # matrices that are read while the network works on others


class Engine(Protocol):
    """What answers for a batch of matrices: task -> (n, n_classes) in the order of the run's classes.

    A matrix gets the same answer, bit for bit, whatever stands beside it. ``ready`` gives the engine that answers so
    many matrices the soonest, its start included.
    """

    def ready(self, n_matrices: int) -> Engine: ...

    def probabilities(
        self, matrices: NDArray[np.float32], beside: Beside | None = ..., batch_size: int = ...
    ) -> dict[str, NDArray[np.float64]]: ...


@dataclass(frozen=True)
class _Place:
    row: Labelled
    channel: str
    repetition_key: str


@dataclass(frozen=True)
class _Loaded:
    """The matrices of one file and what each is of."""

    file: str
    matrices: NDArray[np.float32]  # (n, n_planes, 256, 256)
    beside: Beside
    examples: tuple[_Place, ...] = ()  # of a recording: where each matrix comes from
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A trained run, ready to answer.

    classes : task -> class names in output order.
    n_planes : channels an example must have; 1 unless channels were stacked.
    preparation : settings of the matrices the run was trained on; None for matrices of another tool.
    peak : largest value of a training matrix, on average.
    recording_config : how recordings are transformed: as in training, unless the user said otherwise.
    calibration : task -> from which probability on a class is possible.
    blocks : task -> what is joined for its SVM, and how many numbers each block has (see `semg_hht.joining`).
    """

    folder: Path
    engine: Engine
    classes: dict[str, tuple[str, ...]]
    n_planes: int
    preparation: dict[str, Any] | None
    peak: float
    recording_config: PipelineConfig | None
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    blocks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def predict(
        self,
        inputs: str | Path | Sequence[str | Path],
        *,
        batch_size: int = 32,
        rate_hz: float | None = None,
        units: str = "",
        references: str | Path | None = None,
        repetitions: SegmentConfig | None = None,
        n_jobs: int = -1,
        once: bool = False,
        track: Track = untracked,
    ) -> Predictions:
        """Answer for matrices, recordings, folders of either, or a manifest.csv.

        Parameters
        ----------
        rate_hz, units : of recordings that don't say themselves.
        references : manifest of maximal contractions, where the run was trained with the scaling ``mvc``.
        repetitions : find them so in recordings whose manifest states no times; None: such a recording is one.
        once : nothing else will be asked: with the engine ``auto``, few matrices get the one that starts soonest.

        Returns
        -------
        One prediction a file; a recording's is the mean over its repetitions and channels, which are listed as parts.
        A file that can't be used is listed under ``errors``, and the others are still answered.

        Raises
        ------
        InputError
            Nothing to predict.
        """
        paths = [inputs] if isinstance(inputs, (str, Path)) else list(inputs)
        matrices: list[tuple[Path, str]] = []
        jobs: list[Job] = []
        for path in map(Path, paths):
            more_matrices, more_jobs = find_inputs(path, rate_hz, units)
            taken = {name for _, name in matrices} | {job.rows[0].file for job in jobs}
            if taken & ({name for _, name in more_matrices} | {job.rows[0].file for job in more_jobs}):
                more_matrices, more_jobs = with_long_names(path, more_matrices, more_jobs)
            matrices += more_matrices
            jobs += more_jobs
        predictions: dict[str, Prediction] = {}
        errors: dict[str, str] = {}
        if repetitions is not None and self.recording_config is not None:
            from semg_hht.segment import with_repetitions  # here and below: matrices are answered without

            filters = self.recording_config.filter
            jobs, without = with_repetitions(jobs, repetitions, filters, n_jobs=n_jobs, track=track)
            errors |= {failure.file: failure.reason for failure in without}
        loaded = chain(self._load_matrices(matrices, n_jobs), self._load_recordings(jobs, references, n_jobs))
        batches = _batches(track(loaded, len(matrices) + len(jobs), "predicting"), batch_size)
        answering = self
        if once:
            n_matrices, batches = _counted(batches)
            answering = replace(self, engine=self.engine.ready(n_matrices))
        for batch in batches:
            good = [item for item in batch if isinstance(item, _Loaded)]
            errors |= {item.file: item.reason for item in batch if isinstance(item, Failure)}
            if good:
                predictions |= {prediction.file: prediction for prediction in answering._answer(good, batch_size)}
        return Predictions(tuple(predictions.values()), errors)

    def _answer(self, batch: list[_Loaded], batch_size: int) -> Iterator[Prediction]:
        beside = side_by_side([item.beside for item in batch])
        by_task = self.engine.probabilities(np.concatenate([item.matrices for item in batch]), beside, batch_size)
        stop = 0
        for item in batch:
            start, stop = stop, stop + len(item.matrices)
            own = {task: rows[start:stop] for task, rows in by_task.items()}
            yield Prediction(item.file, self._pooled(own), self._parts(item, own), item.remarks)

    def _pooled(self, by_task: dict[str, NDArray[np.float64]]) -> dict[str, Answer]:
        """Task -> (n, n_classes), to the answers of their mean."""
        return answers({task: rows.mean(axis=0) for task, rows in by_task.items()}, self.classes, self.calibration)

    def _parts(self, item: _Loaded, by_task: dict[str, NDArray[np.float64]]) -> tuple[Part, ...]:
        """Repetition by repetition, in order of appearance; none for a matrix, which is its own answer."""
        members: dict[str, list[int]] = {}
        for i, example in enumerate(item.examples):
            members.setdefault(example.repetition_key, []).append(i)
        parts = []
        for indices in members.values():
            row = item.examples[indices[0]].row
            channels = {
                item.examples[i].channel: answers({task: rows[i] for task, rows in by_task.items()}, self.classes, {})
                for i in indices
            }
            pooled = self._pooled({task: rows[indices] for task, rows in by_task.items()})
            told = len(channels) > 1 and not self.blocks  # where blocks are joined, all channels give one answer
            parts.append(Part(row.repetition, row.start_s, row.stop_s, pooled, channels if told else {}))
        return tuple(parts)

    def _load_matrices(self, sources: list[tuple[Path, str]], n_jobs: int) -> Iterator[_Loaded | Failure]:
        n_foreign = 0
        read = ahead(_read_or_fail, [path for path, _ in sources], AHEAD if n_jobs != 1 else 0)
        for (path, name), found in zip(sources, read, strict=True):
            try:
                matrix = _or_raise(found)
                values = matrix.values
                self._require_planes(path, values.shape[0])
                if matrix.settings is None and self.preparation is not None:
                    n_foreign += 1
                    values = values * np.float32(self.peak)  # read as 0..1; the network knows values up to its peak
                elif matrix.settings != self.preparation:
                    raise InputError(
                        f"{path}: prepared otherwise than the matrices this run was trained on; "
                        "expected the same settings, or the recording itself"
                    )
                beside = Beside((name,), (matrix.features,), None if matrix.mixing is None else matrix.mixing[None])
                self._require_beside(path, beside)
                yield _Loaded(name, values[None], beside)
            except InputError as error:
                yield Failure(name, str(error))
        if n_foreign:
            log.warning(
                "matrices of another tool (%d), but this run was trained on matrices of this one: their values were "
                "stretched to the run's range, their axes taken as they are; the answers are a guess",
                n_foreign,
            )

    def _load_recordings(
        self, jobs: list[Job], references: str | Path | None, n_jobs: int
    ) -> Iterator[_Loaded | Failure]:
        if not jobs:
            return
        config = self.recording_config
        if config is None:
            reason = (
                "this run was trained on matrices of another tool and can't know how to transform a recording; "
                "say how, for example with --band 20 450"
            )
            yield from (Failure(job.rows[0].file, f"{job.path}: {reason}") for job in jobs)
            return
        from semg_hht.references import with_references

        jobs = with_references(jobs, config, None if references is None else Path(references), n_jobs=n_jobs)
        for job, result in zip(jobs, transform_all(jobs, config, n_jobs=n_jobs), strict=True):
            name = job.rows[0].file
            if isinstance(result, Failure):
                yield result
                continue
            try:
                for example in result:  # rows of one recording may choose different channels to stack
                    self._require_planes(job.path, example.matrix.values.shape[0])
                beside = _beside(name, result)
                self._require_beside(job.path, beside)
            except InputError as error:
                yield Failure(name, str(error))
                continue
            values = np.stack([example.matrix.values for example in result])
            if self.preparation is None:  # the run knows matrices stretched to 0..1, plane by plane
                values = np.stack([[min_max(plane) for plane in example] for example in values])
            places = tuple(_Place(e.row, e.channel, e.repetition_key) for e in result)
            yield _Loaded(name, values, beside, places, result[0].remarks)

    def _require_beside(self, path: Path, beside: Beside) -> None:
        for widths in self.blocks.values():
            lacking = beside.lacks(widths)
            if lacking:
                raise InputError(
                    f"{path}: this run's recipe needs {lacking}; expected recordings like those it was trained on, or "
                    "matrices of 'semg-hht prepare'"
                )

    def _require_planes(self, path: Path, n_planes: int) -> None:
        if n_planes != self.n_planes:
            raise InputError(f"{path}: has {n_planes} channels; this run was trained on {self.n_planes}")


def open_run(folder: str | Path, *, cpu: bool = False, engine: str = "auto") -> Run:
    """Open a run directory (its best weights), one of its checkpoints (``best``, ``checkpoint_epoch_20`` ...), or a
    folder that ``semg-hht export`` wrote, which needs no torch.

    Parameters
    ----------
    engine : ``torch`` for a run; for an export ``openvino``, ``onnxruntime`` or ``numpy``; ``auto``: the fastest
        there is, but see ``once`` of `Run.predict`. Engines differ in the sixth digit at most; each gives a file the
        same answer, bit for bit, alone and among others.

    Raises
    ------
    InputError
        No run there, a damaged one, one of another version, or its engine is not installed.
    """
    folder = Path(folder)
    if engine not in ENGINES:
        raise InputError(f"--engine must be one of {', '.join(ENGINES)}; got {engine!r}")
    if is_export(folder):
        if engine == "torch":
            raise InputError(f"{folder}: an export has no weights for torch; name the run it was made of")
        exported = open_export(folder, engine)
        return _as_run(folder, exported, exported, exported.n_planes)
    if engine not in ("auto", "torch"):
        raise InputError(f"{folder}: {engine} reads what semg-hht export --checkpoint {folder} --out FOLDER writes")
    checkpoint = next(
        (path for path in (folder, folder / "best", folder / "final") if (path / "model.json").is_file()), None
    )
    if checkpoint is None:
        raise InputError(f"{folder}: expected a run directory or a checkpoint in it; found no model.json")
    try:
        import torch

        from semg_hht.learning.checkpoint import load_model
    except ImportError as error:
        raise InputError(f"this run needs {error.name}: pip install 'semg-hht[train]'") from error
    model = load_model(checkpoint)
    if torch.cuda.is_available() and not cpu:
        model.network.to("cuda")
    lacks_svm = "gender" in model.classes and "gender" not in model.svms
    if lacks_svm and model.encoder_task == "gender":
        raise InputError(f"{checkpoint}: has no gender SVM, which is fitted at the end of training; use best or final")
    if lacks_svm:
        log.warning("%s has no gender SVM (it comes when training ends): only action quality is answered", checkpoint)
    return _as_run(checkpoint, model, model, model.network.config.n_planes)


def _as_run(folder: Path, engine: Engine, model: Model | ExportedModel, n_planes: int) -> Run:
    config = None if model.preparation is None else PipelineConfig.from_json(model.preparation)
    return Run(
        folder, engine, model.classes, n_planes, model.preparation, model.peak, config, model.calibration, model.blocks
    )


def _beside(name: str, examples: list[Example]) -> Beside:
    """Of one recording; its repetitions are told from those of others."""
    mixing = [example.matrix.mixing for example in examples]
    known = [found for found in mixing if found is not None]
    whole = len(known) == len(mixing) and len({found.size for found in known}) == 1
    return Beside(
        tuple(f"{name}|{example.repetition_key}" for example in examples),
        tuple(example.matrix.features for example in examples),
        np.stack(known) if whole else None,
    )


def _read_or_fail(path: Path) -> Matrix | InputError:
    try:
        return read_matrix(path)
    except InputError as error:
        return error


def _or_raise(found: Matrix | InputError) -> Matrix:
    if isinstance(found, InputError):
        raise found
    return found


def _n_matrices(batch: list[_Loaded | Failure]) -> int:
    return sum(len(item.matrices) for item in batch if isinstance(item, _Loaded))


def _counted(batches: Iterator[list[_Loaded | Failure]]) -> tuple[int, Iterator[list[_Loaded | Failure]]]:
    """How many matrices there are, counted up to where no engine asks any longer, and all batches."""
    first, n = [], 0
    for batch in batches:
        first.append(batch)
        n += _n_matrices(batch)
        if n > MANY:
            break
    return n, chain(first, batches)


def _batches(items: Iterable[_Loaded | Failure], batch_size: int) -> Iterator[list[_Loaded | Failure]]:
    """Whole files together until they hold ``batch_size`` matrices, so that memory stays bounded."""
    batch: list[_Loaded | Failure] = []
    n_matrices = 0
    for item in items:
        batch.append(item)
        n_matrices += _n_matrices([item])
        if n_matrices >= batch_size:
            yield batch
            batch, n_matrices = [], 0
    if batch:
        yield batch
