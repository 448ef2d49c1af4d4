"""Tell two levels in a signal apart, rest and activity: their distributions, and the most likely sequence of them.

It works on levels in decibels, frame by frame. It does not know samples or channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_EVIDENCE = 4.0  # natural logarithm; limits the weight of a single frame, such as that of an R wave


@dataclass(frozen=True)
class LevelDistribution:
    """Normal distribution of levels, in decibels."""

    mean: float
    spread: float


def two_levels(levels: Array) -> tuple[LevelDistribution, LevelDistribution]:
    """Rest and activity as a mixture of two normal distributions, fitted by expectation maximisation to quantiles."""
    (fit,) = two_levels_of_each([levels])
    return fit


def two_levels_of_each(all_levels: list[Array]) -> list[tuple[LevelDistribution, LevelDistribution]]:
    """`two_levels` of several channels; together they take less time."""
    if not all_levels:
        return []
    quantiles = np.linspace(0.002, 0.998, 500)
    x = np.stack([np.quantile(levels, quantiles) for levels in all_levels])  # (n, 500), for any recording length
    mean = np.quantile(x, [0.2, 0.9], axis=1).T.copy()  # (2, n) -> (n, 2)
    spread = np.repeat(np.maximum(0.5, (mean[:, 1:] - mean[:, :1]) / 4), 2, axis=1)  # (n, 1) -> (n, 2)
    share = np.full_like(mean, 0.5)
    moving = np.arange(len(x))  # of the channels
    for _ in range(100):
        values, before, width = x[moving, None], mean[moving, :, None], spread[moving, :, None]
        log_scale = np.log(share[moving, :, None]) - np.log(width)
        log_density = log_scale - 0.5 * ((values - before) / width) ** 2  # (n_moving, 2, 500)
        membership = np.exp(log_density - log_density.max(axis=1, keepdims=True))
        membership /= membership[:, :1] + membership[:, 1:]
        weight = _sums(membership) + 1e-9  # (n_moving, 2)
        moved = _sums(membership * values) / weight
        deviation = _sums(membership * (values - moved[..., None]) ** 2)
        spread[moving] = np.maximum(np.sqrt(deviation / weight), 0.3)
        share[moving] = weight / (weight[:, :1] + weight[:, 1:])
        mean[moving] = moved
        moving = moving[np.abs(moved - before[..., 0]).max(axis=1) >= 1e-6]
        if not moving.size:
            break
    fits = []
    for means, spreads in zip(mean, spread, strict=True):
        rest, activity = (LevelDistribution(float(means[i]), float(spreads[i])) for i in np.argsort(means))
        fits.append((rest, activity))
    return fits


def _sums(values: Array) -> Array:
    """Over the last axis, from left to right; ``np.sum`` adds in pairs or not, depending on the layout."""
    return np.asarray(np.cumsum(values, axis=-1)[..., -1])


def most_likely(levels: Array, rest: LevelDistribution, loudest_db: float, n_dwell: float) -> Flags:
    """The most likely sequence of rest, with normally distributed levels, and activity, with uniform ones.

    Levels of activity are uniform up to the highest, not normal, because the effort of a repetition rises and falls.
    """
    span = max(loudest_db, 3 * rest.spread)
    above = np.maximum(levels - rest.mean, 0) / rest.spread
    evidence = np.log(rest.spread * np.sqrt(2 * np.pi) / span) + above**2 / 2
    evidence = np.clip(evidence, -MAX_EVIDENCE, MAX_EVIDENCE)
    stay, switch = float(np.log1p(-1 / n_dwell)), float(-np.log(n_dwell))
    lead, leads = 0.0, []  # log-likelihood of the best path to activity less that to rest, before each frame
    for gain in evidence.tolist():
        leads.append(lead)
        stays, switches = lead + stay, lead + switch  # `max` would take as long again as all of this
        lead = (stays if stays > switch else switch) - (switches if switches > stay else stay) + gain
    before = np.array(leads)
    to_rest, to_active = before + switch > stay, before + stay > switch  # does the best path to it come from activity?
    # Going back, a frame has the state of the next, unless both best paths come from the same state.
    known = np.append(to_rest == to_active, True)[1:]  # whether the state of a frame follows from the frame after it
    known[-1] = True
    states = np.append(to_rest[1:], lead > 0)
    following = np.flatnonzero(known)
    return np.asarray(states[following[np.searchsorted(following, np.arange(levels.size))]])
