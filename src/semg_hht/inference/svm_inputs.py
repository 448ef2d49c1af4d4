"""What an SVM is given of a repetition: the network's features, and what lies beside its matrices, block by block.

Knows arrays and names: nothing of files, networks or how an SVM is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError

Array = NDArray[np.float64]

NETWORK, AMPLITUDE, MIXING = "network", "amplitude", "mixing"
# A recipe names, task by task, the blocks that an SVM joins; a task without any is answered as the seed has it. What
# "best" joins won on people never trained on: evaluation.md of the docs has the table, experiments/LOG.md what lost.
RECIPES: dict[str, dict[str, tuple[str, ...]]] = {
    "plain": {},
    "best": {"action_quality": (NETWORK, AMPLITUDE), "gender": (MIXING,)},
}
REFERENCE = "reference"  # among the features of a matrix: what one stands for, over the mean of the channels
SMALLEST = np.finfo(float).tiny


@dataclass(frozen=True)
class Beside:
    """What is known of examples beside their matrices.

    repetitions : key of the repetition of each; examples of one repetition are its channels.
    features : classical features of each, name -> a value a plane; empty where they are not known.
    mixing : how the channels of each one's repetition go together, (n_examples, n); None where that is not known.
    """

    repetitions: tuple[str, ...]
    features: Sequence[Mapping[str, tuple[float, ...]]]
    mixing: Array | None

    def lacks(self, widths: Mapping[str, int]) -> str:
        """What ``widths`` (block -> numbers) ask for and this does not have, in words; empty: nothing."""
        if AMPLITUDE in widths and not all("mav" in found for found in self.features):
            return "their features"
        if MIXING in widths:
            if self.mixing is None:
                return "how their channels go together"
            if self.mixing.shape[1] != widths[MIXING]:
                return f"{widths[MIXING]} numbers on how their channels go together, not {self.mixing.shape[1]}"
        return ""


def side_by_side(parts: Sequence[Beside]) -> Beside:
    """Several, one after the other; what one does not know is not known of all."""
    mixing = [part.mixing for part in parts if part.mixing is not None]
    whole = len(mixing) == len(parts) and len({found.shape[1] for found in mixing}) == 1
    return Beside(
        tuple(key for part in parts for key in part.repetitions),
        [found for part in parts for found in part.features],
        np.concatenate(mixing) if whole else None,
    )


def widths_of(blocks: Sequence[str], n_features: int, beside: Beside) -> dict[str, int]:
    """Block -> how many numbers it has, with ``n_features`` of the encoder.

    Raises
    ------
    InputError
        The examples don't carry what a block is made of.
    """
    known = {NETWORK: n_features, AMPLITUDE: 1, MIXING: 0 if beside.mixing is None else beside.mixing.shape[1]}
    widths = {name: known[name] for name in blocks}
    lacking = beside.lacks(widths)
    if lacking:
        raise InputError(f"this recipe needs matrices that carry {lacking}; expected those of 'semg-hht prepare'")
    return widths


def joined(blocks: Sequence[str], network: NDArray[Any], beside: Beside) -> tuple[NDArray[np.intp], Array]:
    """One row a repetition: where each example's repetition stands (n_examples,), and the table (n_repetitions, n).

    network : features of the encoder, (n_examples, n_features).

    A loud channel counts more than one that holds little but noise: the network's features are averaged with the
    reference amplitude of each channel as weight, and ``amplitude`` is the logarithm of the summed mean absolute value
    over the summed references. Without references all channels weigh the same.
    """
    place = {key: i for i, key in enumerate(dict.fromkeys(beside.repetitions))}
    of_example = np.array([place[key] for key in beside.repetitions], dtype=np.intp)
    weight, amplitude = np.ones(len(of_example)), np.zeros(len(of_example))
    for i, found in enumerate(beside.features):
        references = np.array(found.get(REFERENCE, (1.0,)))
        weight[i] = references.sum()
        amplitude[i] = float(np.sum(references * np.array(found.get("mav", (0.0,)))))
    total = np.bincount(of_example, weight)

    def summed(rows: Array) -> Array:
        table = np.zeros((len(place), rows.shape[1]))
        np.add.at(table, of_example, rows)
        return table

    parts = []
    for name in blocks:
        if name == NETWORK:
            parts.append(summed(network * weight[:, None]) / total[:, None])
        elif name == AMPLITUDE:
            parts.append(np.log10(np.maximum(summed(amplitude[:, None]) / total[:, None], SMALLEST)))
        else:
            assert beside.mixing is not None
            parts.append(np.empty((len(place), beside.mixing.shape[1])))
            parts[-1][of_example] = beside.mixing  # the same for all matrices of a repetition
    return of_example, np.concatenate(parts, axis=1)
