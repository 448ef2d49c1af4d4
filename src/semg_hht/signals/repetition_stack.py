"""Repetitions of different durations in one array, padded with NaN at their ends, as scikit-learn needs them.

It works on arrays. It does not know rates, recordings or labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.system.arguments import checked

Array = NDArray[np.float64]

MIN_LENGTH = 2  # samples; one has neither a variance nor a frequency


@checked
def stack_repetitions(repetitions: Sequence[Array]) -> Array:
    """Put repetitions (n_channels, n_samples) into one array (n, n_channels, longest), with NaN after each end.

    Raises
    ------
    InputError
        No repetition, repetitions with different numbers of channels, or more channels than samples.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.signals.repetition_stack import stack_repetitions
    >>> stack_repetitions([np.ones((2, 300)), np.ones((2, 500))]).shape
    (2, 2, 500)
    """
    if repetitions and all(one.ndim == 2 and one.shape[0] > one.shape[1] > 0 for one in repetitions):
        raise InputError(
            f"expected repetitions (n_channels, n_samples); found {repetitions[0].shape}, more channels than samples: "
            "the axes look swapped, pass each repetition's transpose, repetition.T"
        )
    shapes = sorted({repetition.shape[:-1] for repetition in repetitions})
    if len(shapes) != 1 or len(shapes[0]) != 1:
        found = ", ".join(map(str, shapes)) or "none"
        raise InputError(f"expected repetitions (n_channels, n_samples) of the same channels; found channels {found}")
    longest = max(repetition.shape[1] for repetition in repetitions)
    stack = np.full((len(repetitions), *shapes[0], longest), np.nan)
    for row, repetition in zip(stack, repetitions, strict=True):
        row[:, : repetition.shape[1]] = repetition
    return stack


def unstack_repetitions(stack: Array) -> list[Array]:
    """The inverse of `stack_repetitions`: (n, n_channels, n_samples) or (n, n_samples) -> n arrays without the padding.

    An array (n, n_samples) holds one channel.

    Raises
    ------
    InputError
        More channels than samples, NaN before the end of a repetition, or a repetition of fewer than 2 samples.
    """
    channels = stack[:, None] if stack.ndim == 2 else stack  # (n, n_samples) -> (n, 1, n_samples)
    if channels.ndim != 3:
        raise InputError(
            f"expected X (n_repetitions, n_channels, n_samples) or (n_repetitions, n_samples); found {stack.shape}"
        )
    if stack.ndim == 3 and stack.shape[1] > stack.shape[2] > 0:
        raise InputError(
            f"expected X (n_repetitions, n_channels, n_samples); found {stack.shape}, more channels than samples: the "
            "axes look swapped, pass X.swapaxes(1, 2)"
        )
    present: NDArray[np.bool_] = np.any(~np.isnan(channels), axis=1)  # (n, n_samples)
    n_padded = np.where(present.any(axis=1), present[:, ::-1].argmax(axis=1), present.shape[1])
    repetitions = []
    for number, (repetition, n) in enumerate(zip(channels, channels.shape[2] - n_padded, strict=True)):
        own = repetition[:, :n]
        if n < MIN_LENGTH:
            raise InputError(f"repetition {number} of X has {n} samples; expected at least {MIN_LENGTH}")
        if np.isnan(own).any():
            raise InputError(f"repetition {number} of X has NaN among its samples; expected NaN after its end only")
        repetitions.append(own)
    return repetitions
