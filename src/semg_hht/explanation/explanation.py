"""The explanation of one answer: evidence in Hz and seconds, by band, span, IMF, channel and block.

It works on arrays. `attribution.py` and `explain.py` compute the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.inference.answers import Answer
from semg_hht.inference.novelty import Reason
from semg_hht.inference.svm_inputs import NETWORK
from semg_hht.matrices.matrix import SIZE

Array = NDArray[np.float64]

INTEGRATED, GRAD_CAM = "integrated_gradients", "grad_cam"
METHODS = (INTEGRATED, GRAD_CAM)
PATCH = 8  # cells along each side of a patch: evidence of single cells is mostly noise
HELD = 0.6  # share of the evidence for (or against) an answer that lies in the band and in the span
DIGITS = 4  # decimals of evidence in JSON


@dataclass(frozen=True)
class Extent:
    """The narrowest interval of an axis that holds most of the evidence for the answer, or most of that against it.

    share : share of this evidence that lies in the interval.
    share_of_values : share of the values of the matrix that lie in it, for comparison.
    """

    low: float
    high: float
    share: float
    share_of_values: float


@dataclass(frozen=True)
class Imf:
    """One IMF (1: the fastest): its mean frequency, weighted by power, and its share of the evidence."""

    number: int
    frequency_hz: float
    evidence: float


@dataclass(frozen=True)
class Measure:
    """The evidence of one kind of measure (amplitude, frequencies, course, relation, duration) of one channel.

    channel : empty: all channels together.
    """

    channel: str
    kind: str
    evidence: float

    def name(self, texts: Mapping[str, Any]) -> str:
        """Such as "amplitude of BICEPS", in the language of ``texts`` (see ``reports/en.json``)."""
        if self.kind == "duration":  # the same for all channels
            return str(texts["measures"][self.kind])
        channel = self.channel or texts["measure_all"]
        return str(texts["measure_of"]).format(measure=texts["measures"][self.kind], channel=channel)


@dataclass(frozen=True)
class Attribution:
    """Evidence for and against one class of one repetition.

    evidence : (n, n_planes, 256, 256), or (n_channels, 256, 256) in an `Explanation`, in units of the score; positive
        for the class, negative against it. With integrated gradients it sums to ``score - empty``.
    score : log-odds of the class, pooled over the matrices; where an SVM separates more than two classes, the mean of
        its decisions for the class against each other class.
    empty : the score of empty matrices, which hold no oscillation.
    is_odds : whether the score is log-odds.
    blocks : contribution of each block of the recipe to the probability: its Shapley value, where a block that is left
        out is replaced by the mean of the training people; empty where the SVM joins no blocks.
    average : probability of the class for the mean of the training people; with all blocks it sums to the answer.
    covariance : (n_numbers,) evidence of each number of the block ``mixing``, in units of the score: integrated
        gradients from the mean of the training people. None without that block.
    measures : evidence of the measures, the strongest first, for an answer that reads no matrices; it sums to the
        difference to the log-odds of the mean of the training people.
    """

    evidence: Array
    score: float
    empty: float
    is_odds: bool
    blocks: dict[str, float]
    average: float
    covariance: Array | None = None
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True)
class ExplainedRepetition:
    """The repetition that is explained: its number in its file, counted from 1, its name and its times."""

    file: str
    number: int
    n_repetitions: int
    name: str = ""
    start_s: float | None = None
    stop_s: float | None = None


@dataclass(frozen=True)
class Grid:
    """The matrices of a repetition.

    values : (n_channels, 256, 256) [channel, frequency, time].
    frequency_hz, time_s : centres of the bins, (256,) each; None where a matrix does not state them.
    """

    channels: tuple[str, ...]
    values: NDArray[np.float32]
    frequency_hz: Array | None
    time_s: Array | None


@dataclass(frozen=True, repr=False)
class Explanation:
    """The explanation of one answer for one repetition.

    channel_covariance : evidence of each channel in the channel covariance, where the recipe joins it; None otherwise.
    imfs : None where the IMFs are unknown, for the reason ``no_imfs``: ``matrix`` or ``upstream``.
    unlike : why the repetition is unlike the training data; empty where it is not.
    """

    repetition: ExplainedRepetition
    task: str
    answer: Answer
    method: str
    grid: Grid
    attribution: Attribution
    channel_covariance: tuple[float, ...] | None = None
    imfs: tuple[Imf, ...] | None = None
    no_imfs: str = ""
    unlike: tuple[Reason, ...] = ()

    def __repr__(self) -> str:
        of = self.repetition
        return (
            f"<Explanation of {of.file}, repetition {of.number} of {of.n_repetitions}, {self.task}: {self.answer.said}>"
        )

    @property
    def evidence(self) -> Array:
        """(n_channels, 256, 256), positive for the answer."""
        return self.attribution.evidence

    @property
    def blocks(self) -> dict[str, float]:
        return self.attribution.blocks

    @property
    def patches(self) -> Array:
        """Evidence summed over channels and over the cells of each patch, (32, 32)."""
        return in_patches(self.evidence.sum(axis=0))

    @property
    def sees_matrices(self) -> bool:
        """Whether the answer depends on the matrices: a recipe may join other blocks alone."""
        return not self.blocks or NETWORK in self.blocks

    @property
    def share_for(self) -> float:
        """Share of the evidence that is for the answer; the rest is against it."""
        patches = self.patches
        return float(patches.clip(min=0).sum() / (np.abs(patches).sum() or 1.0))

    @property
    def leans(self) -> int:
        """1 where most of the evidence is for the answer, -1 where most is against it."""
        if not self.sees_matrices:
            return 1 if sum(self.of_channels.values()) >= 0 else -1
        return 1 if self.share_for >= 0.5 else -1

    @property
    def band(self) -> Extent | None:
        """Where the evidence on the side of `leans` lies, in Hz, or in bins without an axis; None: no evidence."""
        return self._extent(1, self.grid.frequency_hz)

    @property
    def span(self) -> Extent | None:
        """When it lies there: seconds from the start of the repetition, or bins without an axis."""
        return self._extent(0, self.grid.time_s)

    def _extent(self, other_axis: int, centres: Array | None) -> Extent | None:
        profile = (self.leans * self.patches).clip(min=0).sum(axis=other_axis)  # (32, 32) -> (32,)
        if not profile.any():
            return None
        start, stop = narrowest(profile, HELD)
        values = in_patches(self.grid.values.sum(axis=0).astype(np.float64)).sum(axis=other_axis)
        step = 1.0 if centres is None else float(centres[1] - centres[0])
        first = 0.0 if centres is None else float(centres[0]) - step / 2
        return Extent(
            max(0.0, first + start * PATCH * step),
            first + stop * PATCH * step,
            float(profile[start:stop].sum() / profile.sum()),
            float(values[start:stop].sum() / (values.sum() or 1.0)),
        )

    @property
    def of_channels(self) -> dict[str, float]:
        """Evidence of each channel in its matrix or, for an answer without matrices, in its measures."""
        if self.attribution.measures:
            return {
                name: sum(measure.evidence for measure in self.attribution.measures if measure.channel == name)
                for name in self.grid.channels
            }
        evidence = self.evidence.sum(axis=(1, 2)) if self.sees_matrices else self.channel_covariance or ()
        return dict(zip(self.grid.channels, map(float, evidence), strict=False))

    def to_json(self) -> dict[str, Any]:
        """The numbers of the explanation, rounded, without the grid."""
        content: dict[str, Any] = {"method": self.method}
        if self.sees_matrices:
            content |= {
                "unit": "log-odds" if self.attribution.is_odds else "SVM decision",
                "score": round(self.attribution.score, DIGITS),
                "score_of_empty_matrices": round(self.attribution.empty, DIGITS),
                "share_for": round(self.share_for, DIGITS),
                "leans": "for" if self.leans > 0 else "against",
            }
            for name, extent, axis, unit in (
                ("band", self.band, self.grid.frequency_hz, "hz"),
                ("span", self.span, self.grid.time_s, "s"),
            ):
                if extent is not None:
                    units = "bins" if axis is None else unit
                    content[f"{name}_{units}"] = [round(extent.low, DIGITS), round(extent.high, DIGITS)]
                    content[f"{name}_share"] = round(extent.share, DIGITS)
                    content[f"{name}_share_of_values"] = round(extent.share_of_values, DIGITS)
            if self.imfs is not None:
                content["imfs"] = [
                    {"imf": i.number, "frequency_hz": round(i.frequency_hz, 1), "evidence": round(i.evidence, DIGITS)}
                    for i in self.imfs
                ]
        if self.attribution.measures:
            content["measures"] = [
                {"channel": measure.channel, "measure": measure.kind, "evidence": round(measure.evidence, DIGITS)}
                for measure in self.attribution.measures
            ]
        if len(self.of_channels) > 1:
            content["channels"] = {name: round(value, DIGITS) for name, value in self.of_channels.items()}
        if self.blocks:
            content["blocks"] = {name: round(value, DIGITS) for name, value in self.blocks.items()}
            content["probability_of_average"] = round(self.attribution.average, DIGITS)
        if self.unlike:
            content["unlike"] = [str(reason) for reason in self.unlike]
        return content


def in_patches(grid: Array) -> Array:
    """(256, 256) -> sums of patches (32, 32)."""
    n = SIZE // PATCH
    return np.asarray(grid.reshape(n, PATCH, n, PATCH).sum(axis=(1, 3)))


def narrowest(profile: Array, share: float) -> tuple[int, int]:
    """Start and stop of the shortest run of bins that holds ``share`` of a profile; of several, the largest sum."""
    sums = np.concatenate([[0.0], np.cumsum(profile)])
    for width in range(1, profile.size + 1):
        held = sums[width:] - sums[:-width]
        start = int(held.argmax())
        if held[start] >= share * sums[-1] * (1 - 1e-12):
            break
    return start, start + width
