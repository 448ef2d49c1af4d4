"""What an epoch consists of, as pure functions of the seed and the step: sample order and learning rate.

Nothing here has a state, so a resumed run can't drift from one that was never stopped.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def epoch_seed(seed: int, epoch: int) -> int:
    """Seed of everything random within one epoch (0-based); neighbouring epochs and seeds share nothing."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0]) >> 1


def epoch_batches(n_examples: int, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.intp]]:
    """Shuffled indices in batches. A last batch of one joins the one before: BatchNorm needs two to have a variance."""
    order = np.random.default_rng(epoch_seed(seed, epoch)).permutation(n_examples)
    batches = [order[i : i + batch_size] for i in range(0, n_examples, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def learning_rate_at(step: int, n_steps: int, n_warmup_steps: int, peak: float) -> float:
    """Linear warm-up to ``peak``, then one cosine down to zero at the end of the run (arXiv 1608.03983).

    A run too short for its warm-up spends half of itself on it, so the peak is reached.
    """
    n_warmup = min(n_warmup_steps, n_steps // 2)
    if step < n_warmup:
        return peak * (step + 1) / n_warmup
    progress = (step - n_warmup) / max(1, n_steps - n_warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
