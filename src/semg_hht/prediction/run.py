"""Open a run and predict for recordings and matrices. torch is imported only when a run needs it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.datasets.given_inputs import Data
from semg_hht.errors import InputError, missing_library
from semg_hht.inference.answers import Answer, Part, Prediction, Predictions, answers, reasons_of_file
from semg_hht.inference.description import ModelDescription, Probabilities
from semg_hht.inference.discriminant import Committee
from semg_hht.inference.engines import BACKENDS, MANY
from semg_hht.inference.exported import is_export, open_export
from semg_hht.inference.svm_inputs import SvmInputs, concatenate
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.inputs import InputLoader, LoadedInput, counted, doubted, in_batches
from semg_hht.recordings.jobs import Failure
from semg_hht.system.arguments import checked
from semg_hht.system.files import in_command
from semg_hht.system.progress import Track, untracked

log = logging.getLogger(__name__)

ENGINES = ("auto", *BACKENDS, "torch")
BATCH_SIZE = 32  # matrices in one batch of the network


class Engine(Protocol):
    """Answers a batch of matrices: task -> probabilities (n, n_classes) in the order of its description.

    A matrix gets the same features, bit for bit, whatever else is in its batch. ``ready`` returns the engine that
    answers this many matrices first, its start included.
    """

    @property
    def description(self) -> ModelDescription: ...

    @property
    def committees(self) -> Mapping[str, Committee]: ...

    def ready(self, n_matrices: int) -> Engine: ...

    def features_and_logits(
        self, matrices: NDArray[np.float32], batch_size: int = ...
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...

    def combine(
        self, features: NDArray[np.float32], logits: NDArray[np.float32], inputs: SvmInputs | None = ...
    ) -> Probabilities: ...

    def probabilities(
        self, matrices: NDArray[np.float32], inputs: SvmInputs | None = ..., batch_size: int = ...
    ) -> Probabilities: ...


@dataclass(frozen=True)
class Examples:
    """Labelled repetitions, from which a run learns how a person's signals differ (`Run.examples`).

    person : the only person of the examples; inputs without a subject are taken for hers or his. Empty: several people.
    """

    inputs: SvmInputs
    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    person: str


@dataclass(frozen=True, repr=False)
class Run:
    """A trained run, opened for prediction.

    recording_config : how recordings are transformed: as in training, unless the user stated otherwise; None: the run
        was trained on matrices of another tool.
    """

    folder: Path
    engine: Engine
    recording_config: PipelineConfig | None

    def __repr__(self) -> str:
        answers = "; ".join(f"{task}: {', '.join(names)}" for task, names in self.classes.items())
        return f"<Run {self.folder}, answers {answers}>"

    @property
    def description(self) -> ModelDescription:
        """What the model answers, and what it expects of its input."""
        return self.engine.description

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Task -> class names in output order."""
        return self.description.classes

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the files that the run answers from and of how it prepares recordings."""
        import hashlib  # loads OpenSSL, which a prediction does not need

        config = self.recording_config
        digest = hashlib.sha256(json.dumps(config and config.to_json(), sort_keys=True).encode())
        for path in sorted(path for path in self.folder.iterdir() if path.is_file()):
            digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
        return digest.hexdigest()

    @property
    def loader(self) -> InputLoader:
        """Loads input as the run needs it."""
        return InputLoader(self.description, self.recording_config)

    def predict(
        self,
        inputs: Data,
        options: InputOptions = InputOptions(),
        *,
        rate_hz: float | None = None,
        units: str = "",
        examples: Examples | None = None,
        n_jobs: int = -1,
        track: Track = untracked,
    ) -> Predictions:
        """Answer for matrices, recordings, folders of either, a manifest.csv, or recordings in memory.

        Parameters
        ----------
        inputs : a path; a `Recording`, an array (n_channels, n_samples), a DataFrame of samples or an ``mne.io.Raw``; a
            result of ``segment`` or ``label``; or a list of these.
        options : channels, references, and whether to find repetitions.
        rate_hz, units : of recordings that do not state them, such as arrays.
        examples : labelled repetitions of the same people, from `examples`.
        n_jobs : recordings that are prepared at the same time; -1: one for each core.

        Returns
        -------
        One prediction for each file; that of a recording is the mean over its repetitions and channels, which are
        listed as parts. A file that can't be used is listed under ``errors``, and the others are answered.

        Raises
        ------
        InputError
            Nothing to predict.

        Examples
        --------
        >>> import semg_hht as sh
        >>> run = sh.open_run(sh.samples.RUN)
        >>> prediction = run.predict(sh.samples.recordings()["P30_supinated"])[0]
        >>> prediction.answers["action_quality"].prediction
        'supinated'
        >>> samples = sh.read_recording(sh.samples.recordings()["P30_supinated"]).samples
        >>> run.predict(samples, rate_hz=2000, units="uV")[0].file
        'recording'
        """
        loaded = self.loader.load(inputs, options.stating(rate_hz, units), n_jobs=n_jobs, track=track)
        return collect_predictions(self.answers(loaded, examples=examples))

    def examples(self, manifest: Data, options: InputOptions = InputOptions()) -> Examples:
        """Labelled repetitions of the people whose other repetitions are to be answered; the run is not changed.

        manifest : a table of recordings with the columns ``movement`` or ``gender``, as `semg-hht segment` writes it,
            or a result of ``label``.

        Raises
        ------
        InputError
            The run answers each repetition alone, the table states no class of the run, or a recording can't be used.
        """
        if not self.description.chosen:
            raise InputError(
                f"{self.folder}: answers each repetition alone, so examples of a person can't change it; expected a "
                "run of the recipe auto"
            )
        where = manifest if isinstance(manifest, (str, Path)) else "examples"
        known: list[SvmInputs] = []
        outputs = []
        for item in self.loader.load(manifest, options):
            if isinstance(item, Failure):
                raise InputError(f"{where}: {item.reason}")
            if not item.origins:
                raise InputError(f"{where}: expected recordings as examples; found the matrix {item.file}")
            labels = {task: tuple(origin.row.label(task) for origin in item.origins) for task in self.classes}
            if labelled := [i for i in range(len(item.matrices)) if any(labels[task][i] for task in labels)]:
                keys = tuple(f"example|{key}" for key in item.svm_inputs.repetitions)  # an input may have the same name
                named = replace(item.svm_inputs, repetitions=keys, recordings=keys, known=labels)
                known.append(named.subset(labelled))
                outputs.append(self._encoded(self.engine, item.matrices[labelled], BATCH_SIZE))
        stated = {name for part in known for task in part.known for name in part.known[task]} - {""}
        unknown = sorted(stated - {name for names in self.classes.values() for name in names})
        if unknown or not stated:
            answers = "; ".join(f"{task} {', '.join(names)}" for task, names in self.classes.items())
            found = f"found {', '.join(unknown)}" if unknown else "found no label"
            raise InputError(f"{where}: expected examples of what the run answers ({answers}); {found}")
        inputs = concatenate(known)
        features, logits = (np.concatenate(parts) for parts in zip(*outputs, strict=True))
        people = set(inputs.people)
        return Examples(inputs, features, logits, people.pop() if len(people) == 1 else "")

    def answers(
        self,
        loaded: Iterable[LoadedInput | Failure],
        *,
        batch_size: int = BATCH_SIZE,
        once: bool = False,
        examples: Examples | None = None,
    ) -> Iterator[tuple[LoadedInput, Prediction] | Failure]:
        """Answer inputs batch by batch; failures are passed on.

        ``once`` : no other call follows, so few matrices are answered by the engine ``auto`` with the shortest start.

        A run that answers a person's repetitions together (`ModelDescription.chosen`) answers when all are read; the
        inputs that it returns have no matrices, so that memory stays bounded.
        """
        batches, engine = in_batches(loaded, batch_size), self.engine
        if once:
            n_matrices, batches = counted(batches, MANY)
            engine = engine.ready(n_matrices)
        if self.description.chosen:
            yield from self._answer_people(engine, batches, batch_size, examples)
            return
        for batch in batches:
            usable = [item for item in batch if isinstance(item, LoadedInput)]
            yield from (item for item in batch if isinstance(item, Failure))
            if usable:
                yield from zip(usable, self._answer(engine, usable, batch_size), strict=True)

    def _answer_people(
        self,
        engine: Engine,
        batches: Iterator[list[LoadedInput | Failure]],
        batch_size: int,
        examples: Examples | None,
    ) -> Iterator[tuple[LoadedInput, Prediction] | Failure]:
        """Answer all inputs together, because the repetitions of a person stand in any of them."""
        items: list[LoadedInput] = []
        outputs: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        for batch in batches:
            usable = [item for item in batch if isinstance(item, LoadedInput)]
            yield from (item for item in batch if isinstance(item, Failure))
            if usable:
                outputs.append(self._encoded(engine, np.concatenate([i.matrices for i in usable]), batch_size))
                items += [replace(i, matrices=np.broadcast_to(np.float32(0), i.matrices.shape)) for i in usable]
        if not items:
            return
        inputs = [item.svm_inputs for item in items]
        if examples is not None:
            inputs = [_of_person(item, examples.person) for item in items] + [examples.inputs]
            outputs.append((examples.features, examples.logits))
        features, logits = (np.concatenate(parts) for parts in zip(*outputs, strict=True))
        by_task = engine.combine(features, logits, concatenate(inputs))
        yield from zip(items, self._predictions(items, by_task), strict=True)

    def _encoded(
        self, engine: Engine, matrices: NDArray[np.float32], batch_size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.description.reads_matrices:
            return engine.features_and_logits(matrices, batch_size)
        nothing = np.zeros((len(matrices), 0), dtype=np.float32)
        return nothing, nothing

    def answer(self, item: LoadedInput) -> Prediction:
        """Answer one file."""
        (prediction,) = self._answer(self.engine, [item], BATCH_SIZE)
        return prediction

    def answer_next(self, item: LoadedInput, earlier: Iterable[Examples] = ()) -> tuple[Prediction, Examples]:
        """Answer one file, with ``earlier`` ones of the person if the run answers a person's repetitions together.

        Returns the prediction, and what a later call needs of this file.
        """
        own = Examples(item.svm_inputs, *self._encoded(self.engine, item.matrices, BATCH_SIZE), person="")
        known = [own, *(earlier if self.description.chosen else ())]
        features, logits = (
            np.concatenate(parts) for parts in zip(*((o.features, o.logits) for o in known), strict=True)
        )
        by_task = self.engine.combine(features, logits, concatenate([one.inputs for one in known]))
        return next(self._predictions([item], by_task)), own

    def _answer(self, engine: Engine, batch: list[LoadedInput], batch_size: int) -> Iterator[Prediction]:
        matrices = np.concatenate([item.matrices for item in batch])
        inputs = concatenate([item.svm_inputs for item in batch])
        return self._predictions(batch, engine.combine(*self._encoded(engine, matrices, batch_size), inputs))

    def _predictions(self, batch: list[LoadedInput], by_task: Probabilities) -> Iterator[Prediction]:
        stop = 0
        for item in batch:
            start, stop = stop, stop + len(item.matrices)
            own = {task: rows[start:stop] for task, rows in by_task.items()}
            own = {task: doubted(rows, item) for task, rows in own.items()}
            of_file = reasons_of_file(item.unlike)
            yield Prediction(
                item.file,
                self.pooled(own, is_unlike=bool(of_file)),
                self._parts(item, own),
                (*filter(None, [self.description.note]), *item.remarks),
                of_file,
            )

    def pooled(self, by_task: Probabilities, *, is_unlike: bool = False) -> dict[str, Answer]:
        """Task -> the answer of the mean, from task -> probabilities (n, n_classes)."""
        means = {task: rows.mean(axis=0) for task, rows in by_task.items()}
        return answers(means, self.classes, self.description.calibration, is_unlike=is_unlike)

    def _parts(self, item: LoadedInput, by_task: Probabilities) -> tuple[Part, ...]:
        """The answers for each repetition of a recording, in order of appearance; none for a matrix file."""
        parts = []
        for indices, reasons in zip(item.repetitions(), item.unlike, strict=True) if item.origins else []:
            row = item.origins[indices[0]].row
            channels = {
                item.origins[i].channel: answers({task: rows[i] for task, rows in by_task.items()}, self.classes, {})
                for i in indices
            }
            pooled = self.pooled({task: rows[indices] for task, rows in by_task.items()}, is_unlike=bool(reasons))
            # An SVM that joins blocks gives all channels of a repetition the same answer.
            has_own = len(channels) > 1 and not self.description.blocks
            parts.append(Part(row.repetition, row.start_s, row.stop_s, pooled, channels if has_own else {}, reasons))
        return tuple(parts)


def _of_person(item: LoadedInput, person: str) -> SvmInputs:
    """The inputs of a file, which are those of ``person`` if no subject is stated; empty: unchanged."""
    inputs = item.svm_inputs
    is_stated = any(origin.row.subject for origin in item.origins)
    return inputs if is_stated or not person else replace(inputs, people=(person,) * len(inputs.repetitions))


def collect_predictions(answered: Iterable[tuple[LoadedInput, Prediction] | Failure]) -> Predictions:
    """Predictions and errors from `Run.answers`."""
    predictions: dict[str, Prediction] = {}
    errors: dict[str, str] = {}
    for item in answered:
        if isinstance(item, Failure):
            errors[item.file] = item.reason
        else:
            predictions[item[1].file] = item[1]
    return Predictions(tuple(predictions.values()), errors)


@checked
def open_run(folder: str | Path, *, cpu: bool = False, engine: str = "auto") -> Run:
    """Open a run directory (its best weights), one of its checkpoints (``best``, ``checkpoint_epoch_20`` ...), or a
    folder that ``semg-hht export`` wrote, which needs no torch.

    Parameters
    ----------
    engine : ``torch`` for a run; for an export ``openvino``, ``onnxruntime`` or ``numpy``; ``auto``: the fastest
        installed, or for few matrices of `semg_hht.predict` the one of the shortest start. Engines differ in the sixth
        digit at most (by more with eight bits); each gives a file the same answer, bit for bit, alone and among others.

    Raises
    ------
    InputError
        The folder holds no run, a damaged one or one of another version, or the engine is not installed.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sh.open_run(sh.samples.RUN).classes
    {'action_quality': ('neutral', 'supinated')}
    """
    folder, quoted = Path(folder), in_command(folder)
    if engine not in ENGINES:
        raise InputError(f"engine must be one of {', '.join(ENGINES)}; got {engine!r}")
    if is_export(folder):
        if engine != "torch":
            return _as_run(folder, open_export(folder, engine))
        raise InputError(f"{folder}: an export has no weights for torch; name the run it was made of")
    if engine not in ("auto", "torch"):
        raise InputError(f"{folder}: {engine} reads what semg-hht export --checkpoint {quoted} --out FOLDER writes")
    checkpoint = next((p for p in (folder, folder / "best", folder / "final") if (p / "model.json").is_file()), None)
    if checkpoint is None:
        raise InputError(f"{folder}: expected a run directory or a checkpoint in it; found no model.json")
    try:
        from semg_hht.learning.checkpoint import load_model
        from semg_hht.learning.device import use_gpu
    except ImportError as error:
        raise missing_library("this run", error, "train") from error
    model = load_model(checkpoint)
    if use_gpu(cpu=cpu):
        model.network.to("cuda")
    lacks_svm = "gender" in model.description.classes and "gender" not in {*model.svms, *model.committees}
    if lacks_svm and model.description.encoder_task == "gender":
        raise InputError(f"{checkpoint}: has no gender SVM, which is fitted at the end of training; use best or final")
    if lacks_svm:
        log.warning("%s has no gender SVM (it comes when training ends): only action quality is answered", checkpoint)
    return _as_run(checkpoint, model)


def _as_run(folder: Path, engine: Engine) -> Run:
    preparation = engine.description.preparation
    return Run(folder, engine, None if preparation is None else PipelineConfig.from_json(preparation))
