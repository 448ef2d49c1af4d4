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

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration
from semg_hht.inference.answers import Answer, Part, Prediction, Predictions, answers
from semg_hht.inference.engines import BACKENDS, MANY
from semg_hht.inference.exported import ExportedModel, is_export, open_export
from semg_hht.inference.svm_inputs import Beside, side_by_side
from semg_hht.matrices.transform import Failure, PipelineConfig
from semg_hht.prediction.inputs import Intake, Loaded
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.progress import Track, untracked

if TYPE_CHECKING:
    from semg_hht.learning.checkpoint import Model

log = logging.getLogger(__name__)

ENGINES = ("auto", *BACKENDS, "torch")


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
class Run:
    """A trained run, ready to answer.

    classes : task -> class names in output order.
    n_planes : channels an example must have; 1 unless channels were stacked.
    preparation : settings of the matrices the run was trained on; None for matrices of another tool.
    peak : largest value of a training matrix, on average.
    recording_config : how recordings are transformed: as in training, unless the user said otherwise.
    calibration : task -> from which probability on a class is possible.
    blocks : task -> what is joined for its SVM, and how many numbers each block has (see `svm_inputs`).
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
        loaded = self.load(
            inputs, rate_hz=rate_hz, units=units, references=references, repetitions=repetitions, n_jobs=n_jobs,
            track=track,
        )  # fmt: skip
        predictions: dict[str, Prediction] = {}
        errors: dict[str, str] = {}
        batches, answering = _batches(loaded, batch_size), self
        if once:
            n_matrices, batches = _counted(batches)
            answering = replace(self, engine=self.engine.ready(n_matrices))
        for batch in batches:
            good = [item for item in batch if isinstance(item, Loaded)]
            errors |= {item.file: item.reason for item in batch if isinstance(item, Failure)}
            if good:
                predictions |= {prediction.file: prediction for prediction in answering._answer(good, batch_size)}
        return Predictions(tuple(predictions.values()), errors)

    def load(self, inputs: str | Path | Sequence[str | Path], **how: Any) -> Iterator[Loaded | Failure]:
        """What `predict` answers, file by file, as the engine wants it; see `load`."""
        intake = Intake(self.n_planes, self.preparation, self.peak, self.recording_config, self.blocks)
        return intake.load(inputs, **how)

    def _answer(self, batch: list[Loaded], batch_size: int) -> Iterator[Prediction]:
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

    def _parts(self, item: Loaded, by_task: dict[str, NDArray[np.float64]]) -> tuple[Part, ...]:
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


def _n_matrices(batch: list[Loaded | Failure]) -> int:
    return sum(len(item.matrices) for item in batch if isinstance(item, Loaded))


def _counted(batches: Iterator[list[Loaded | Failure]]) -> tuple[int, Iterator[list[Loaded | Failure]]]:
    """How many matrices there are, counted up to where no engine asks any longer, and all batches."""
    first, n = [], 0
    for batch in batches:
        first.append(batch)
        n += _n_matrices(batch)
        if n > MANY:
            break
    return n, chain(first, batches)


def _batches(items: Iterable[Loaded | Failure], batch_size: int) -> Iterator[list[Loaded | Failure]]:
    """Whole files together until they hold ``batch_size`` matrices, so that memory stays bounded."""
    batch: list[Loaded | Failure] = []
    n_matrices = 0
    for item in items:
        batch.append(item)
        n_matrices += _n_matrices([item])
        if n_matrices >= batch_size:
            yield batch
            batch, n_matrices = [], 0
    if batch:
        yield batch
