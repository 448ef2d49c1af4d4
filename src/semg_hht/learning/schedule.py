"""Order of the examples and learning rate, as pure functions of the seed and the step.

Without any state, a resumed run can't differ from an uninterrupted one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of all random numbers within one epoch (0-based), independent between epochs and seeds."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]) >> 1


def epoch_batches(n_examples: int, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.intp]]:
    """Shuffled indices in batches. A last batch of one joins the one before, as batch norm needs two."""
    order = np.random.default_rng(epoch_seed(seed, epoch)).permutation(n_examples)
    batches = [order[i : i + batch_size] for i in range(0, n_examples, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def learning_rate_at(step: int, n_steps: int, n_warmup_steps: int, peak: float) -> float:
    """Linear warm-up to ``peak``, then one cosine down to zero at the end of the run (arXiv 1608.03983).

    A run shorter than twice its warm-up uses its first half for it, so that the peak is reached.
    """
    n_warmup = min(n_warmup_steps, n_steps // 2)
    if step < n_warmup:
        return peak * (step + 1) / n_warmup
    progress = (step - n_warmup) / max(1, n_steps - n_warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
