"""Why a run answered so: evidence in Hz and seconds, and which band, span, IMF, channel and block carried it.

Knows runs, recordings and grids: how evidence is attributed stands in `explanation/attribution.py`, how it is worded
and drawn
elsewhere. torch is imported only once something is explained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.hht import imf_powers
from semg_hht.inference.answers import Answer, answers
from semg_hht.inference.svm_inputs import NETWORK, Beside
from semg_hht.matrices.matrix import SIZE
from semg_hht.matrices.transform import Failure, Job, PipelineConfig, read_job, scaled_repetitions
from semg_hht.prediction.inputs import Loaded
from semg_hht.prediction.run import Run
from semg_hht.signals.covariance import N_LAGS
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.progress import Track, untracked

if TYPE_CHECKING:
    from semg_hht.learning.checkpoint import Model

Array = NDArray[np.float64]

PATCH = 8  # cells a side: evidence of single cells is noise, so it is read in patches
HELD = 0.6  # share of the evidence for (or against) an answer that the band and the span that are named hold
DIGITS = 4  # of evidence in JSON


@dataclass(frozen=True)
class Extent:
    """The narrowest stretch of an axis that holds most of what speaks for the answer, or most against it.

    share : of what speaks that way.
    share_of_values : of the matrix's values, to be held against it.
    """

    low: float
    high: float
    share: float
    share_of_values: float


@dataclass(frozen=True)
class Imf:
    """One IMF (1: the fastest): its mean frequency, weighted by power, and its part of the evidence."""

    number: int
    frequency_hz: float
    evidence: float


@dataclass(frozen=True)
class Explanation:
    """Why one repetition got one answer.

    number, n_repetitions : which it is, counted from 1, and of how many in its file.
    repetition, start_s, stop_s : how the manifest names it, and where it lies in its recording.
    values, evidence : (n_channels, 256, 256) [channel, frequency, time]; evidence above 0 speaks for the answer. See
        `Attribution` for its unit, for ``score``, ``empty``, ``is_odds``, ``blocks`` and
        ``average``.
    frequency_hz, time_s : centres of the bins, (256,) each; None where a matrix does not say.
    mixing : evidence of each channel in how they go together, where a recipe joins that; None otherwise.
    imfs : None where they can't be told, for the reason ``no_imfs``: ``matrix`` or ``upstream``.
    """

    file: str
    number: int
    n_repetitions: int
    repetition: str
    start_s: float | None
    stop_s: float | None
    task: str
    answer: Answer
    method: str
    channels: tuple[str, ...]
    values: NDArray[np.float32]
    evidence: Array
    frequency_hz: Array | None
    time_s: Array | None
    score: float
    empty: float
    is_odds: bool
    blocks: Mapping[str, float]
    average: float
    mixing: tuple[float, ...] | None
    imfs: tuple[Imf, ...] | None
    no_imfs: str = ""

    @property
    def patches(self) -> Array:
        """Evidence of all channels in patches of cells, (32, 32)."""
        return in_patches(self.evidence.sum(axis=0))

    @property
    def sees_matrices(self) -> bool:
        """Whether the answer goes by the matrices at all: a recipe may join nothing of them."""
        return not self.blocks or NETWORK in self.blocks

    @property
    def share_for(self) -> float:
        """Share of the evidence that speaks for the answer; what is left speaks against it."""
        patches = self.patches
        return float(patches.clip(min=0).sum() / (np.abs(patches).sum() or 1.0))

    @property
    def leans(self) -> int:
        """1 where most of the evidence speaks for the answer, -1 where most speaks against it."""
        if not self.sees_matrices:
            return 1 if sum(self.mixing or ()) >= 0 else -1
        return 1 if self.share_for >= 0.5 else -1

    @property
    def band(self) -> Extent | None:
        """Of what speaks the way the evidence leans, in Hz, or in bins where the matrix does not say; None: nothing."""
        return self._extent(1, self.frequency_hz)

    @property
    def span(self) -> Extent | None:
        """In seconds from the start of the repetition, or in bins."""
        return self._extent(0, self.time_s)

    def _extent(self, other_axis: int, centres: Array | None) -> Extent | None:
        speaking = (self.leans * self.patches).clip(min=0).sum(axis=other_axis)  # (32,)
        if not speaking.any():
            return None
        start, stop = narrowest(speaking, HELD)
        values = in_patches(self.values.sum(axis=0).astype(np.float64)).sum(axis=other_axis)
        step = 1.0 if centres is None else float(centres[1] - centres[0])
        first = 0.0 if centres is None else float(centres[0]) - step / 2
        return Extent(
            max(0.0, first + start * PATCH * step),
            first + stop * PATCH * step,
            float(speaking[start:stop].sum() / speaking.sum()),
            float(values[start:stop].sum() / (values.sum() or 1.0)),
        )

    @property
    def of_channels(self) -> dict[str, float]:
        """Evidence of each channel: in its matrix or, of an answer that looks at none, in how channels go together."""
        found = self.evidence.sum(axis=(1, 2)) if self.sees_matrices else self.mixing or ()
        return dict(zip(self.channels, map(float, found), strict=False))

    def to_json(self) -> dict[str, Any]:
        """Numbers alone, rounded; the grid itself is in the picture."""
        content: dict[str, Any] = {"method": self.method}
        if self.sees_matrices:
            content |= {
                "unit": "log-odds" if self.is_odds else "SVM decision",
                "score": round(self.score, DIGITS),
                "score_of_empty_matrices": round(self.empty, DIGITS),
                "share_for": round(self.share_for, DIGITS),
                "leans": "for" if self.leans > 0 else "against",
            }
            for name, extent, known in (("band", self.band, self.frequency_hz), ("span", self.span, self.time_s)):
                if extent is not None:
                    units = "bins" if known is None else {"band": "hz", "span": "s"}[name]
                    content[f"{name}_{units}"] = [round(extent.low, DIGITS), round(extent.high, DIGITS)]
                    content[f"{name}_share"] = round(extent.share, DIGITS)
                    content[f"{name}_share_of_values"] = round(extent.share_of_values, DIGITS)
            if self.imfs is not None:
                content["imfs"] = [
                    {"imf": i.number, "frequency_hz": round(i.frequency_hz, 1), "evidence": round(i.evidence, DIGITS)}
                    for i in self.imfs
                ]
        if len(self.of_channels) > 1:
            content["channels"] = {name: round(found, DIGITS) for name, found in self.of_channels.items()}
        if self.blocks:
            content["blocks"] = {name: round(found, DIGITS) for name, found in self.blocks.items()}
            content["probability_of_average"] = round(self.average, DIGITS)
        return content


def in_patches(grid: Array) -> Array:
    """(256, 256) -> sums of patches (32, 32)."""
    n = SIZE // PATCH
    return np.asarray(grid.reshape(n, PATCH, n, PATCH).sum(axis=(1, 3)))


def narrowest(profile: Array, share: float) -> tuple[int, int]:
    """Start and stop of the shortest run of bins that holds ``share`` of a profile; of several, the fullest."""
    sums = np.concatenate([[0.0], np.cumsum(profile)])
    for width in range(1, profile.size + 1):
        held = sums[width:] - sums[:-width]
        start = int(held.argmax())
        if held[start] >= share * sums[-1] * (1 - 1e-12):
            break
    return start, start + width


def explain(
    run: Run,
    inputs: str | Path | Sequence[str | Path],
    *,
    task: str = "",
    method: str = "",
    file: str = "",
    repetition: int | None = None,
    rate_hz: float | None = None,
    units: str = "",
    references: str | Path | None = None,
    repetitions: SegmentConfig | None = None,
    track: Track = untracked,
) -> Iterator[Explanation | Failure]:
    """Why a run answers as it does, repetition by repetition, one task after the other; computed as it is asked for.

    Parameters
    ----------
    inputs, rate_hz, units, references, repetitions : as for `semg_hht.prediction.run.Run.predict`.
    task : empty: all that the run answers.
    method : one of `semg_hht.explanation.attribution.METHODS`; empty: the first of them.
    file : only this one, as the input names it; empty: all.
    repetition : only this one of each file, counted from 1.

    Raises
    ------
    InputError
        An export (it has no gradients), an unknown task or method, a repetition a file does not have, or nothing to
        explain.
    """
    model = model_of(run)
    loaded = run.load(
        inputs, rate_hz=rate_hz, units=units, references=references, repetitions=repetitions, only=file,
        n_jobs=-1 if file else 1,  # of many files only the first may be asked for
        track=track,
    )  # fmt: skip
    for item in loaded:
        if isinstance(item, Failure):
            yield item
        else:
            yield from explain_loaded(run, model, item, task, method, repetition)


def model_of(run: Run) -> Model:
    """What a run answers with, if it can be explained here.

    Raises
    ------
    InputError
        The run is an export, or Captum is missing.
    """
    try:
        from semg_hht.explanation.attribution import captum_methods
        from semg_hht.learning.checkpoint import Model
    except ImportError:
        pass
    else:
        if isinstance(run.engine, Model):
            captum_methods()
            return run.engine
    raise InputError(f"{run.folder}: an export has no gradients to explain an answer by; name the run it was made of")


def explain_loaded(
    run: Run, model: Model, item: Loaded, task: str, method: str, repetition: int | None
) -> Iterator[Explanation]:
    """`explain` of what one file holds; ``model`` is that of `model_of`."""
    from semg_hht.explanation.attribution import METHODS, attribute

    members: dict[str, list[int]] = {}
    for i in range(len(item.matrices)):
        members.setdefault(item.examples[i].repetition_key if item.examples else "", []).append(i)
    if repetition is not None and not 1 <= repetition <= len(members):
        raise InputError(f"{item.file}: has {len(members)} repetitions; got --repetition {repetition}")
    method = method or METHODS[0]
    for number, indices in enumerate(members.values(), start=1):
        if repetition not in (None, number):
            continue
        matrices, beside = item.matrices[indices], _of(item.beside, indices)
        probabilities = run.engine.probabilities(matrices, beside)
        if task and task not in probabilities:
            raise InputError(f"--task must be one of {', '.join(probabilities)}, which the run answers; got {task!r}")
        found = answers({name: p.mean(axis=0) for name, p in probabilities.items()}, run.classes, run.calibration)
        powers: list[Array] | None = None
        row = item.examples[indices[0]].row if item.examples else None
        channels = _channels(item, indices)
        for name in [task] if task else list(found):
            given = attribute(model, matrices, beside, name, found[name].prediction, method=method)
            evidence = given.evidence.reshape(-1, SIZE, SIZE)  # (n, n_planes, 256, 256) -> (n_channels, 256, 256)
            no_imfs = _why_no_imfs(item, run.recording_config)
            if not no_imfs and powers is None and evidence.any():
                powers = _powers(item.job, run.recording_config, number)
            frequency_hz, time_s = item.axes[indices[0]]
            yield Explanation(
                item.file,
                number,
                len(members),
                "" if row is None else row.repetition,
                None if row is None else row.start_s,
                None if row is None else row.stop_s,
                name,
                found[name],
                method,
                channels,
                matrices.reshape(-1, SIZE, SIZE),
                evidence,
                frequency_hz,
                time_s,
                given.score,
                given.empty,
                given.is_odds,
                given.blocks,
                given.average,
                None if given.mixing is None else mixing_of_channels(given.mixing, len(channels)),
                None if powers is None else of_imfs(evidence, powers, frequency_hz),
                no_imfs,
            )


def _of(beside: Beside, indices: list[int]) -> Beside:
    """What lies beside the examples of one repetition. A matrix file is the only one of its own."""
    if len(beside.repetitions) == len(indices):
        return beside
    return Beside(
        tuple(beside.repetitions[i] for i in indices),
        [beside.features[i] for i in indices],
        None if beside.mixing is None else beside.mixing[indices],
    )


def _channels(item: Loaded, indices: list[int]) -> tuple[str, ...]:
    """Names of the planes, in order."""
    n_planes = item.matrices.shape[1]
    if not item.examples:
        return tuple(str(i + 1) for i in range(n_planes))
    names = [item.examples[i].channel for i in indices]
    if n_planes == 1:
        return tuple(names)
    stacked = tuple(names[0].split("+"))
    return stacked if len(stacked) == n_planes else tuple(str(i + 1) for i in range(n_planes))


def _why_no_imfs(item: Loaded, config: PipelineConfig | None) -> str:
    if item.job is None or config is None:
        return "matrix"
    return "upstream" if config.spectrum.decomposition == "upstream" else ""


def _powers(job: Job | None, config: PipelineConfig | None, number: int) -> list[Array]:
    """Power of each IMF, (n_imfs, 256, 256), of each channel of one repetition, as it was transformed."""
    assert job is not None and config is not None
    for i, (_, part) in enumerate(scaled_repetitions(job, read_job(job), config), start=1):
        if i == number:
            return [imf_powers(samples, part.rate_hz, config.spectrum) for samples in part.samples]
    raise AssertionError("a repetition that was transformed is there")


def mixing_of_channels(evidence: Array, n_channels: int) -> tuple[float, ...] | None:
    """Evidence of the numbers of `semg_hht.signals.covariance.mixing`, half to each of the two channels of a number.

    None where fewer channels are at hand than the numbers are of: a matrix alone, of several.
    """
    n = N_LAGS * n_channels
    rows, columns = np.triu_indices(n)
    if rows.size != evidence.size:
        return None
    halves = np.bincount(rows % n_channels, evidence, n_channels) + np.bincount(
        columns % n_channels, evidence, n_channels
    )
    return tuple(map(float, halves / 2))


def of_imfs(evidence: Array, powers: Sequence[Array], frequency_hz: Array | None) -> tuple[Imf, ...]:
    """Evidence (n_channels, 256, 256) parted among the IMFs by their shares of each cell's power.

    They add up to the evidence of all cells that hold power.
    """
    assert frequency_hz is not None
    n_imfs = max(len(of_channel) for of_channel in powers)
    parts, power = np.zeros(n_imfs), np.zeros((n_imfs, SIZE))
    for of_cells, of_channel in zip(evidence, powers, strict=True):
        total = of_channel.sum(axis=0)
        per_power = np.divide(of_cells, total, out=np.zeros_like(total), where=total > 0)
        parts[: len(of_channel)] += (of_channel * per_power).sum(axis=(1, 2))
        power[: len(of_channel)] += of_channel.sum(axis=2)  # (n_imfs, 256 frequency, 256 time) -> (n_imfs, 256)
    weight = power.sum(axis=1)
    means = np.divide(power @ frequency_hz, weight, out=np.zeros(n_imfs), where=weight > 0)
    return tuple(Imf(k + 1, float(means[k]), float(parts[k])) for k in range(n_imfs) if weight[k] > 0)
