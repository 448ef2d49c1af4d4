"""Explain answers: for each repetition, the evidence for and against the answer in its matrices.

A recording is read and transformed once. torch is imported only when an answer is explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.datasets.given_inputs import Data
from semg_hht.errors import InputError
from semg_hht.explanation.explanation import (
    INTEGRATED,
    METHODS,
    Array,
    Attribution,
    ExplainedRepetition,
    Explanation,
    Grid,
    Imf,
)
from semg_hht.explanation.measure_evidence import attribute_measures, reads_measures_alone
from semg_hht.hht import imf_powers
from semg_hht.inference.answers import Answer, Prediction
from semg_hht.inference.svm_inputs import SvmInputs
from semg_hht.matrices.density import power_density
from semg_hht.matrices.matrix import SIZE
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.prediction.inputs import Choice, LoadedInput, require_repetition
from semg_hht.prediction.run import Run
from semg_hht.recordings.jobs import Failure
from semg_hht.signals.covariance import N_LAGS
from semg_hht.system.progress import Track, untracked

if TYPE_CHECKING:
    from semg_hht.learning.checkpoint import Model


@dataclass(frozen=True)
class Question:
    """What to explain.

    task : empty: all tasks that the run answers.
    method : one of `semg_hht.explanation.explanation.METHODS`; empty: the first of them.
    """

    task: str = ""
    method: str = ""


def explain(
    run: Run,
    inputs: Data,
    options: InputOptions = InputOptions(),
    *,
    question: Question = Question(),
    choice: Choice = Choice(),
    given: Prediction | None = None,
    track: Track = untracked,
) -> Iterator[Explanation | Failure]:
    """Explain the answers of a run, repetition by repetition and task by task; each is computed when it is taken.

    Parameters
    ----------
    inputs, options : as for `semg_hht.prediction.run.Run.predict`.
    choice : which file and which repetition.
    given : what the run answered for the repetition that ``choice`` names; None: it is answered again, with the other
        repetitions of its file where the run answers a person's repetitions together.

    Yields
    ------
    A file that can't be used is a `Failure`, and the others are explained.

    Raises
    ------
    InputError
        An export whose network is part of an answer (it has no gradients), an unknown task or method, or nothing to
        explain. Where ``choice`` names a
        repetition: a file that can't be used or does not have that repetition.
    """
    model = model_of(run, question.task)
    n_jobs = -1 if choice.file else 1  # the caller may stop after the first file
    kept = replace(choice, keep_recordings=True)
    if run.description.chosen and given is None:
        kept = replace(kept, repetition=None)  # the other repetitions of the person are part of the answer
    for item in run.loader.load(inputs, options, kept, n_jobs=n_jobs, track=track):
        if isinstance(item, LoadedInput):
            require_repetition(item.file, choice.repetition, item.n_repetitions)
            yield from explain_loaded(run, model, item, question, given=given, only=choice.repetition)
        elif choice.repetition is not None:
            raise InputError(item.reason)
        else:
            yield item


def model_of(run: Run, task: str = "") -> Model | None:
    """The model of a run, if its answers can be explained; None where no answer needs its network.

    task : the only task to explain; empty: all.

    Raises
    ------
    InputError
        An export whose network is part of an answer.
    """
    if all(_of_measures(run, name) for name in ([task] if task else run.classes)):
        return None
    try:
        from semg_hht.learning.checkpoint import Model
    except ImportError:
        pass
    else:
        if isinstance(run.engine, Model):
            return run.engine
    raise InputError(f"{run.folder}: an export has no gradients to explain an answer by; name the run it was made of")


def _of_measures(run: Run, task: str) -> bool:
    """Whether a task is answered from measures alone."""
    return reads_measures_alone(run.description.blocks.get(task, {}), run.engine.committees, task)


def explain_loaded(
    run: Run,
    model: Model | None,
    item: LoadedInput,
    question: Question = Question(),
    *,
    given: Prediction | None = None,
    only: int | None = None,
) -> Iterator[Explanation]:
    """`explain` for the matrices of one file; ``model`` is that of `model_of`.

    given : what the run answered for the file; None: it is answered again, as if nothing else of the person were known.
    only : the number of the repetition to explain.
    """
    given = run.answer(item) if given is None else given
    answers = [part.answers for part in given.parts] or [given.answers]
    for i, indices in enumerate(item.repetitions()):
        if only in (None, item.number + i):
            one = _MatricesToExplain(item, indices, item.number + i, answers[i])
            for explanation in _explain_repetition(run, model, one, question):
                yield replace(explanation, unlike=item.unlike[i])


@dataclass(frozen=True)
class _MatricesToExplain:
    """The matrices ``indices`` of one file, the number of the repetition, and its answers."""

    item: LoadedInput
    indices: list[int]
    number: int
    answers: Mapping[str, Answer]


def _explain_repetition(
    run: Run, model: Model | None, one: _MatricesToExplain, question: Question
) -> Iterator[Explanation]:
    """Explain each task's answer for one repetition."""
    item, indices, answers = one.item, one.indices, one.answers
    matrices = item.matrices[indices]
    inputs = item.svm_inputs if len(indices) == len(item.matrices) else item.svm_inputs.subset(indices)
    task = question.task
    if task and task not in answers:
        raise InputError(f"task must be one of {', '.join(answers)}, which the run answers; got {task!r}")
    method = question.method or METHODS[0]
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    channels, (frequency_hz, time_s) = _channels(item, indices), item.axes[indices[0]]
    grid = Grid(channels, matrices.reshape(-1, SIZE, SIZE), frequency_hz, time_s)  # (n, n_planes, 256, 256) -> channels
    repetition = _repetition(item, indices[0], one.number)
    no_imfs = _why_no_imfs(item, run.recording_config)
    powers: list[Array] | None = None
    for name in [task] if task else list(answers):
        if _of_measures(run, name):
            if method != INTEGRATED:
                raise InputError(f"method={method!r} needs matrices; {name} is answered from measures alone")
            attribution = _measures(run, name, answers[name].prediction, inputs, channels)
        else:
            from semg_hht.explanation.attribution import attribute

            assert model is not None
            attribution = attribute(model, matrices, inputs, name, answers[name].prediction, method=method)
        evidence = attribution.evidence.reshape(-1, SIZE, SIZE)  # (n, n_planes, 256, 256) -> (n_channels, 256, 256)
        if not no_imfs and powers is None and evidence.any():
            powers = _imf_powers(item, indices[0], run.recording_config)
        covariance = attribution.covariance
        yield Explanation(
            repetition=repetition,
            task=name,
            answer=answers[name],
            method=method,
            grid=grid,
            attribution=replace(attribution, evidence=evidence),
            channel_covariance=None if covariance is None else covariance_of_channels(covariance, len(channels)),
            imfs=None if powers is None else evidence_of_imfs(evidence, powers, frequency_hz),
            no_imfs=no_imfs,
        )


def _measures(run: Run, task: str, name: str, inputs: SvmInputs, channels: tuple[str, ...]) -> Attribution:
    described = run.description
    chosen = described.classes[task].index(name), described.temperature(task)
    return attribute_measures(run.engine.committees[task], described.blocks[task], inputs, channels, chosen)


def _repetition(item: LoadedInput, index: int, number: int) -> ExplainedRepetition:
    if not item.origins:
        return ExplainedRepetition(item.file, number, item.n_repetitions)
    row = item.origins[index].row
    return ExplainedRepetition(item.file, number, item.n_repetitions, row.repetition, row.start_s, row.stop_s)


def _channels(item: LoadedInput, indices: list[int]) -> tuple[str, ...]:
    """Names of the channels of all planes, in order; their numbers where the names are unknown."""
    n_planes = item.matrices.shape[1]
    if not item.origins:
        return tuple(str(i + 1) for i in range(n_planes))
    names = [item.origins[i].channel for i in indices]
    if n_planes == 1:
        return tuple(names)
    stacked = tuple(names[0].split("+"))
    return stacked if len(stacked) == n_planes else tuple(str(i + 1) for i in range(n_planes))


def _why_no_imfs(item: LoadedInput, config: PipelineConfig | None) -> str:
    if item.source is None or config is None:
        return "matrix"
    return "upstream" if config.spectrum.decomposition == "upstream" else ""


def _imf_powers(item: LoadedInput, index: int, config: PipelineConfig | None) -> list[Array]:
    """For each channel of the repetition that a matrix belongs to, the power of its IMFs, (n_imfs, 256, 256).

    It is smoothed as the matrix is, so that the power of the IMFs adds up to that of the matrix.
    """
    assert item.source is not None and config is not None
    repetition = item.origins[index].row
    _, time_s = item.axes[index]

    def smoothed(powers: Array) -> Array:
        if config.density is None:
            return powers
        assert time_s is not None
        return np.stack([power_density(power, time_s, config.density) for power in powers]).astype(np.float64)

    source, times = item.source, (repetition.start_s, repetition.stop_s)
    parts = [source.scaled_repetition(row) for row in source.job.rows if (row.start_s, row.stop_s) == times]
    return [smoothed(imf_powers(samples, part.rate_hz, config.spectrum)) for part in parts for samples in part.samples]


def covariance_of_channels(evidence: Array, n_channels: int) -> tuple[float, ...] | None:
    """Evidence of each channel from that of each number of the channel covariance, (n_numbers,).

    A number belongs to two channels and counts half for each. None where the numbers describe more channels than
    ``n_channels``: only some of a repetition's matrices are known.
    """
    n = N_LAGS * n_channels
    rows, columns = np.triu_indices(n)
    if rows.size != evidence.size:
        return None
    halves = np.bincount(rows % n_channels, evidence, n_channels) + np.bincount(
        columns % n_channels, evidence, n_channels
    )
    return tuple(map(float, halves / 2))


def evidence_of_imfs(evidence: Array, powers: Sequence[Array], frequency_hz: Array | None) -> tuple[Imf, ...]:
    """Evidence (n_channels, 256, 256) divided among the IMFs in proportion to their power in each cell.

    powers : power of the IMFs of each channel, (n_imfs, 256, 256).

    The parts sum to the evidence of all cells that hold power.
    """
    assert frequency_hz is not None
    n_imfs = max(map(len, powers))
    parts, power = np.zeros(n_imfs), np.zeros((n_imfs, SIZE))
    for cells, imfs in zip(evidence, powers, strict=True):
        total = imfs.sum(axis=0)
        per_power = np.divide(cells, total, out=np.zeros_like(total), where=total > 0)
        parts[: len(imfs)] += (imfs * per_power).sum(axis=(1, 2))
        power[: len(imfs)] += imfs.sum(axis=2)  # (n_imfs, 256 frequency, 256 time) -> (n_imfs, 256)
    weight = power.sum(axis=1)
    means = np.divide(power @ frequency_hz, weight, out=np.zeros(n_imfs), where=weight > 0)
    return tuple(Imf(k + 1, float(means[k]), float(parts[k])) for k in range(n_imfs) if weight[k] > 0)
