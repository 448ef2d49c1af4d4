"""The columns that an SVM reads for a repetition: blocks of network features, amplitude and channel covariance.

It works on arrays and names. It does not read files, run networks or fit SVMs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.matrices.matrix import Matrix

Array = NDArray[np.float64]
Features = Mapping[str, tuple[float, ...]]

NETWORK, AMPLITUDE, COVARIANCE = "network", "amplitude", "mixing"  # names of blocks in the files of a run
# Recipe -> task -> the blocks that its SVM joins. A task that a recipe does not name is answered as the original README
# asks. docs/en/evaluation.md has the scores of "best" on held-out people, experiments/LOG.md those of other recipes.
RECIPES: dict[str, dict[str, tuple[str, ...]]] = {
    "plain": {},
    "best": {"action_quality": (NETWORK, AMPLITUDE), "gender": (COVARIANCE,)},
}
SMALLEST = np.finfo(float).tiny


@dataclass(frozen=True)
class SvmInputs:
    """What is measured of examples besides their matrices.

    repetitions : key of the repetition of each example; the examples of one repetition are its channels.
    features : classical features of each example, name -> one value per plane; empty where unknown.
    references : reference amplitudes of each example, one value per plane; empty where unknown.
    covariance : log covariance of the channels of each example's repetition, (n_examples, n); None where unknown.
    """

    repetitions: tuple[str, ...]
    features: Sequence[Features]
    references: Sequence[tuple[float, ...]]
    covariance: Array | None

    @classmethod
    def of_matrices(cls, matrices: Sequence[Matrix], repetitions: Sequence[str]) -> SvmInputs:
        """From what is stored with each matrix; ``repetitions`` has the key of each."""
        return cls(
            tuple(repetitions),
            [matrix.features for matrix in matrices],
            [matrix.reference for matrix in matrices],
            stack_if_alike([matrix.covariance for matrix in matrices]),
        )

    def subset(self, indices: Sequence[int]) -> SvmInputs:
        """The inputs of the examples ``indices``."""
        return SvmInputs(
            tuple(self.repetitions[i] for i in indices),
            [self.features[i] for i in indices],
            [self.references[i] for i in indices],
            None if self.covariance is None else self.covariance[list(indices)],
        )

    def missing(self, widths: Mapping[str, int]) -> str:
        """What the blocks need and the examples lack, as a phrase; empty where nothing is missing.

        widths : block -> its number of columns.
        """
        if AMPLITUDE in widths and not all("mav" in features for features in self.features):
            return "their features"
        if COVARIANCE in widths:
            if self.covariance is None:
                return "the covariance of their channels"
            if self.covariance.shape[1] != widths[COVARIANCE]:
                return f"a channel covariance of {widths[COVARIANCE]} numbers (they have {self.covariance.shape[1]})"
        return ""


def stack_if_alike(vectors: Sequence[Array | None]) -> Array | None:
    """(n_examples, n) from one vector per example; None where one is missing or their lengths differ."""
    present = [vector for vector in vectors if vector is not None]
    if len(present) < len(vectors) or len({vector.size for vector in present}) != 1:
        return None
    return np.stack(present)


def concatenate(parts: Sequence[SvmInputs]) -> SvmInputs:
    """All parts, one after the other. The covariance is None where a part lacks it or has another length."""
    covariances = [part.covariance for part in parts if part.covariance is not None]
    alike = len(covariances) == len(parts) and len({covariance.shape[1] for covariance in covariances}) == 1
    return SvmInputs(
        tuple(key for part in parts for key in part.repetitions),
        [features for part in parts for features in part.features],
        [reference for part in parts for reference in part.references],
        np.concatenate(covariances) if alike else None,
    )


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
        COVARIANCE: 0 if inputs.covariance is None else inputs.covariance.shape[1],
    }
    widths = {name: n_columns[name] for name in blocks}
    missing = inputs.missing(widths)
    if missing:
        raise InputError(f"this recipe needs matrices with {missing}; expected matrices of 'semg-hht prepare'")
    return widths


def svm_table(blocks: Sequence[str], network: NDArray[Any], inputs: SvmInputs) -> tuple[NDArray[np.intp], Array]:
    """A table with one row per repetition, for an SVM.

    A channel with a strong signal counts more than one that holds mostly noise: the network's features are averaged
    with the reference amplitude of each channel as weight, and the block ``amplitude`` is the logarithm of the summed
    mean absolute value over the summed references. Without references all channels have the same weight.

    Parameters
    ----------
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
    for name in blocks:
        if name == NETWORK:
            parts.append(summed(network * weight[:, None]) / total[:, None])
        elif name == AMPLITUDE:
            parts.append(np.log10(np.maximum(summed(amplitude[:, None]) / total[:, None], SMALLEST)))
        else:
            assert inputs.covariance is not None
            parts.append(np.empty((len(rows), inputs.covariance.shape[1])))
            parts[-1][row_of_example] = inputs.covariance  # the same for all matrices of a repetition
    return row_of_example, np.concatenate(parts, axis=1)
