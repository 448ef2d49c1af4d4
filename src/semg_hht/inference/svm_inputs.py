"""The columns that a classifier reads for a repetition: blocks of network features, amplitude, channel covariance ...

It works on arrays and names. It does not read files, run networks or fit classifiers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.inference.discriminant import Together
from semg_hht.matrices.matrix import Matrix

Array = NDArray[np.float64]
Features = Mapping[str, tuple[float, ...]]

# Names of blocks in the files of a run.
NETWORK, AMPLITUDE, COVARIANCE, PROFILE, FEATURES = "network", "amplitude", "mixing", "profile", "features"
SHARE = "share"
# Recipe -> task -> the blocks that its SVM joins. A task that a recipe does not name is answered as the original README
# asks; those of "auto" are chosen by `semg_hht.learning.auto`. docs/en/evaluation.md has the scores on held-out people,
# experiments/LOG.md those of other recipes.
AUTO = "auto"
RECIPES: dict[str, dict[str, tuple[str, ...]]] = {
    "plain": {},
    "best": {"action_quality": (NETWORK, AMPLITUDE), "gender": (COVARIANCE,)},
    AUTO: {},
}
MULTIPLICATIVE = ("rms", "mav", "var", "wl", "ttp", "finsm5")  # their logarithms are used, so that ratios count
SMALLEST = np.finfo(float).tiny


@dataclass(frozen=True)
class SvmInputs:
    """What is measured of examples besides their matrices.

    repetitions : key of the repetition of each example; the examples of one repetition are its channels.
    features : classical features of each example, name -> one value per plane; empty where unknown.
    references : reference amplitudes of each example, one value per plane; empty where unknown.
    covariance : log covariance of the channels of each example's repetition, (n_examples, n); None where unknown.
    profile : power profile of the channels of each example's repetition, (n_examples, n); None where unknown.
    people, recordings : the person and the recording of each example, as keys; empty: each repetition is of a person
        of its own.
    known : task -> class of each example where a person has labelled it, else "".
    """

    repetitions: Sequence[str]
    features: Sequence[Features]
    references: Sequence[tuple[float, ...]]
    covariance: Array | None
    profile: Array | None = None
    people: tuple[str, ...] = ()
    recordings: tuple[str, ...] = ()
    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of_matrices(
        cls,
        matrices: Sequence[Matrix],
        repetitions: Sequence[str],
        people: Sequence[str] = (),
        recordings: Sequence[str] = (),
    ) -> SvmInputs:
        """From what is stored with each matrix; ``repetitions`` has the key of each."""
        return cls(
            tuple(repetitions),
            [matrix.features for matrix in matrices],
            [matrix.reference for matrix in matrices],
            stack_if_alike([matrix.covariance for matrix in matrices]),
            stack_if_alike([matrix.profile for matrix in matrices]),
            tuple(people or repetitions),
            tuple(recordings or repetitions),
        )

    def subset(self, indices: Sequence[int]) -> SvmInputs:
        """The inputs of the examples ``indices``."""
        return SvmInputs(
            tuple(self.repetitions[i] for i in indices),
            [self.features[i] for i in indices],
            [self.references[i] for i in indices],
            None if self.covariance is None else self.covariance[list(indices)],
            None if self.profile is None else self.profile[list(indices)],
            tuple(self.people[i] for i in indices) if self.people else (),
            tuple(self.recordings[i] for i in indices) if self.recordings else (),
            {task: tuple(names[i] for i in indices) for task, names in self.known.items()},
        )

    def missing(self, widths: Mapping[str, int]) -> str:
        """What the blocks need and the examples lack, as a phrase; empty where nothing is missing.

        widths : block -> its number of columns.
        """
        if {AMPLITUDE, SHARE} & set(widths) and not all("mav" in features for features in self.features):
            return "their features"
        if FEATURES in widths:
            sizes = {len(features) for features in self.features}
            if len(sizes) != 1 or widths[FEATURES] not in (min(sizes), min(sizes) * self.n_side_by_side):
                return f"{widths[FEATURES]} features"
        for name, what in ((COVARIANCE, "covariance"), (PROFILE, "power profile")):
            if name not in widths:
                continue
            vectors = self.vectors(name)
            if vectors is None:
                return f"the {what} of their channels"
            if vectors.shape[1] != widths[name]:
                return f"a {what} of {widths[name]} numbers (they have {vectors.shape[1]})"
        return ""

    @property
    def n_side_by_side(self) -> int:
        """Number of channels of each repetition; 1 where repetitions differ: then channels are averaged."""
        counts = Counter[str]()
        for key, features in zip(self.repetitions, self.features, strict=True):
            counts[key] += len(next(iter(features.values()), ()))
        return next(iter(counts.values())) if len(set(counts.values())) == 1 else 1

    def together(self, task: str, classes: Sequence[str], rows: Sequence[int]) -> Together:
        """Whose repetitions the examples ``rows`` are. A person has one gender, a recording its own movements."""
        people = self.people or self.repetitions
        recordings = people if task == "gender" else self.recordings or self.repetitions
        known = self.known.get(task, ("",) * len(people))
        return Together(
            [people[i] for i in rows],
            [recordings[i] for i in rows],
            np.array([classes.index(known[i]) if known[i] in classes else -1 for i in rows], dtype=np.intp),
        )

    def vectors(self, block: str) -> Array | None:
        """Covariance or profile, (n_examples, n)."""
        return self.covariance if block == COVARIANCE else self.profile


def stack_if_alike(vectors: Sequence[Array | None]) -> Array | None:
    """(n_examples, n) from one vector per example; None where one is missing or their lengths differ."""
    present = [vector for vector in vectors if vector is not None]
    if len(present) < len(vectors) or len({vector.size for vector in present}) != 1:
        return None
    return np.stack(present)


def concatenate(parts: Sequence[SvmInputs]) -> SvmInputs:
    """All parts, one after the other. A vector is None where a part lacks it or has another length."""
    tasks = {task for part in parts for task in part.known}
    return SvmInputs(
        tuple(key for part in parts for key in part.repetitions),
        [features for part in parts for features in part.features],
        [reference for part in parts for reference in part.references],
        _concatenated([part.covariance for part in parts]),
        _concatenated([part.profile for part in parts]),
        tuple(key for part in parts for key in part.people or part.repetitions),
        tuple(key for part in parts for key in part.recordings or part.repetitions),
        {
            task: tuple(name for part in parts for name in part.known.get(task, ("",) * len(part.repetitions)))
            for task in tasks
        },
    )


def _concatenated(vectors: Sequence[Array | None]) -> Array | None:
    present = [vector for vector in vectors if vector is not None]
    if len(present) < len(vectors) or len({vector.shape[1] for vector in present}) != 1:
        return None
    return np.concatenate(present)


def block_widths(blocks: Sequence[str], n_features: int, inputs: SvmInputs) -> dict[str, int]:
    """Block -> its number of columns; the encoder has ``n_features`` features.

    Raises
    ------
    InputError
        The examples lack what a block is made of.
    """
    n_columns = {
        NETWORK: n_features,
        AMPLITUDE: 1,
        SHARE: 1,
        COVARIANCE: 0 if inputs.covariance is None else inputs.covariance.shape[1],
        PROFILE: 0 if inputs.profile is None else inputs.profile.shape[1],
        FEATURES: len(inputs.features[0]) * inputs.n_side_by_side if len(inputs.features) else 0,
    }
    widths = {name: n_columns[name] for name in blocks}
    missing = inputs.missing(widths)
    if missing:
        raise InputError(f"this recipe needs matrices with {missing}; expected matrices of 'semg-hht prepare'")
    return widths


def svm_table(widths: Mapping[str, int], network: NDArray[Any], inputs: SvmInputs) -> tuple[NDArray[np.intp], Array]:
    """A table with one row per repetition, for an SVM or a discriminant.

    A channel with a strong signal counts more than one that holds mostly noise: the network's features are averaged
    with the reference amplitude of each channel as weight. The block ``share`` is the summed mean absolute value over
    the summed references, and ``amplitude`` its logarithm. Without references all channels have the same weight. The
    block ``features`` has the channels side by side, or their weighted mean where its width is that of one channel.

    Parameters
    ----------
    widths : block -> its number of columns, see `block_widths`.
    network : features of the encoder, (n_examples, n_features).

    Returns
    -------
    The row of each example's repetition (n_examples,), and the table (n_repetitions, n_columns).
    """
    rows = {key: i for i, key in enumerate(dict.fromkeys(inputs.repetitions))}
    row_of_example = np.array([rows[key] for key in inputs.repetitions], dtype=np.intp)
    weight, amplitude = np.ones(len(row_of_example)), np.zeros(len(row_of_example))
    for i, (features, reference) in enumerate(zip(inputs.features, inputs.references, strict=True)):
        references = np.array(reference or (1.0,))
        weight[i] = references.sum()
        amplitude[i] = float(np.sum(references * np.array(features.get("mav", (0.0,)))))
    total = np.bincount(row_of_example, weight)

    def summed(values: Array) -> Array:
        table = np.zeros((len(rows), values.shape[1]))
        np.add.at(table, row_of_example, values)
        return table

    parts = []
    for name, width in widths.items():
        if name == NETWORK:
            parts.append(summed(network * weight[:, None]) / total[:, None])
        elif name in (AMPLITUDE, SHARE):
            share = summed(amplitude[:, None]) / total[:, None]
            parts.append(share if name == SHARE else np.log10(np.maximum(share, SMALLEST)))
        elif name == FEATURES and width == len(inputs.features[0]):
            parts.append(summed(_mean_features(inputs) * weight[:, None]) / total[:, None])
        elif name == FEATURES:
            parts.append(_side_by_side(inputs))
        else:
            vectors = inputs.vectors(name)
            assert vectors is not None
            parts.append(np.empty((len(rows), vectors.shape[1])))
            parts[-1][row_of_example] = vectors  # the same for all matrices of a repetition
    return row_of_example, np.concatenate(parts, axis=1)


def _mean_features(inputs: SvmInputs) -> Array:
    """(n_examples, n_features): the mean over planes of each feature."""
    names = list(inputs.features[0])
    return on_scales(names, np.array([[np.mean(features[name]) for name in names] for features in inputs.features]))


def _side_by_side(inputs: SvmInputs) -> Array:
    """(n_repetitions, n_channels * n_features): the features of each channel, in the order of the examples."""
    names = list(inputs.features[0])
    of_repetition: dict[str, list[Array]] = {key: [] for key in inputs.repetitions}
    for key, features in zip(inputs.repetitions, inputs.features, strict=True):
        of_repetition[key].append(on_scales(names, np.array([features[name] for name in names]).T))  # (planes, names)
    return np.array([np.concatenate(parts).ravel() for parts in of_repetition.values()])


def on_scales(names: list[str], table: Array) -> Array:
    """Features (..., n_features), with the logarithm of those whose ratios count; 0 for NaN."""
    ratios = np.isin(names, MULTIPLICATIVE)
    table[..., ratios] = np.log10(np.maximum(table[..., ratios], SMALLEST))
    return np.asarray(np.nan_to_num(table))
