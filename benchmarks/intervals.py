"""Coverage of the 95 % intervals over people, and how often equal methods are called clearly better, by simulation.

    python benchmarks/intervals.py [--draws 2000] [--people 3 4 6 10 20 30] [--quick]

Each person has an ability from a beta distribution and 3 classes of 8 repetitions, or 3 to 30 repetitions of 3 classes,
or 28 of one of 2 classes (one third of the people show the first). The true score is the mean ability. The
percentile bootstrap, the method up to version 0.2.0, is printed beside. AUROC: normal scores whose distance varies
between people; its true value is that of 20000 people. Equal methods: the ability differs by a normal amount with mean
0; "better" is the share of intervals above 0, which may be 2.5 %. ``--quick``: 60 draws of 3 and 6 people.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.evaluation.intervals import Interval, difference_interval, score_interval
from semg_hht.evaluation.metrics import auroc, balanced_accuracy, evaluate, influences

Counts = NDArray[np.intp]
N_RESAMPLES = 500
N_TRUTH = 20_000  # people who give the true AUROC


@dataclass(frozen=True)
class Group:
    """People whose scores are simulated: mean and standard deviation of ability, and their repetitions."""

    name: str
    mean: float
    spread: float
    repetitions: Callable[[np.random.Generator, int], Counts]  # (n_people, n_classes)
    fewest: int = 3


def equal(rng: np.random.Generator, n_people: int) -> Counts:
    return np.full((n_people, 3), 8)


def unequal(rng: np.random.Generator, n_people: int) -> Counts:
    return rng.integers(1, 9, (n_people, 1)) + rng.integers(0, 3, (n_people, 3))


def one_class(rng: np.random.Generator, n_people: int) -> Counts:
    first = np.arange(n_people) < max(3, n_people // 3)
    return 28 * np.stack([first, ~first], axis=1)


GROUPS = (
    Group("0.70, spread 0.05", 0.7, 0.05, equal),
    Group("0.70, spread 0.12", 0.7, 0.12, equal),
    Group("0.90, spread 0.05", 0.9, 0.05, equal),
    Group("0.90, spread 0.10", 0.9, 0.10, equal),
    Group("0.70, spread 0.12, unequal repetitions", 0.7, 0.12, unequal),
    Group("0.80, spread 0.10, one class a person", 0.8, 0.10, one_class, fewest=6),
    Group("0.75, spread 0.25, one class a person", 0.75, 0.25, one_class, fewest=6),
)
DUELS = (
    Group("0.65", 0.65, 0.08, equal),
    Group("0.90", 0.9, 0.08, equal),
    Group("0.65, unequal repetitions", 0.65, 0.08, unequal),
    Group("0.65, one class a person", 0.65, 0.08, one_class, fewest=6),
)


def abilities(rng: np.random.Generator, group: Group, n_people: int) -> NDArray[np.float64]:
    size = group.mean * (1 - group.mean) / group.spread**2 - 1
    return rng.beta(group.mean * size, (1 - group.mean) * size, n_people)


def counts(rng: np.random.Generator, support: Counts, ability: NDArray[np.float64]) -> Counts:
    """Confusion matrix of each person, (n_people, n_classes, n_classes)."""
    n_classes = support.shape[1]
    hits = rng.binomial(support, np.clip(ability, 0, 1)[:, None])
    by_person = np.zeros((*support.shape, n_classes), dtype=np.intp)
    for c in range(n_classes):
        by_person[:, c, c] = hits[:, c]
        by_person[:, c, (c + 1) % n_classes] = support[:, c] - hits[:, c]
    return by_person


def ours(by_person: Counts) -> Interval:
    score = float(balanced_accuracy(by_person.sum(axis=0)))
    return score_interval(score, influences(balanced_accuracy, by_person), by_person.sum(axis=-1))


def percentile_bootstrap(rng: np.random.Generator, by_person: Counts) -> Interval:
    n_people = len(by_person)
    drawn = rng.multinomial(n_people, np.full(n_people, 1 / n_people), N_RESAMPLES)
    scores = balanced_accuracy(np.einsum("rp,pcd->rcd", drawn, by_person))
    low, high = np.quantile(scores, [0.025, 0.975])
    return Interval(float(low), float(high))


def show_coverage(people: list[int], n_draws: int) -> None:
    print("| balanced accuracy | people | holds the truth | mean length | percentile bootstrap |")
    print("|---|---|---|---|---|")
    for group in GROUPS:
        for n_people in (n for n in people if n >= group.fewest):
            rng = np.random.default_rng(n_people)
            held = held_before = length = 0.0
            for _ in range(n_draws):
                by_person = counts(rng, group.repetitions(rng, n_people), abilities(rng, group, n_people))
                now, before = ours(by_person), percentile_bootstrap(rng, by_person)
                held += now.low <= group.mean <= now.high
                held_before += before.low <= group.mean <= before.high
                length += now.high - now.low
            print(f"| {group.name} | {n_people} | {held / n_draws:.3f} | {length / n_draws:.2f} | "
                  f"{held_before / n_draws:.3f} |", flush=True)  # fmt: skip


def ranked(rng: np.random.Generator, n_people: int) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Probability of class 1, true class and person of 12 repetitions of either class per person."""
    who = np.repeat(np.arange(n_people), 24)
    true = np.tile(np.repeat([0, 1], 12), n_people)
    distance = rng.normal(1.2, 0.5, n_people)
    return 1 / (1 + np.exp(-rng.normal(distance[who] * (true - 0.5), 1))), true, who


def show_ranked_coverage(people: list[int], n_draws: int) -> None:
    print("\n| AUROC | people | holds the truth |\n|---|---|---|")
    score, true, _ = ranked(np.random.default_rng(0), N_TRUTH)
    truth = auroc(true, np.stack([1 - score, score], axis=1))
    assert truth is not None
    for n_people in people:
        rng = np.random.default_rng(n_people)
        held = 0
        for _ in range(n_draws):
            score, true, who = ranked(rng, n_people)
            labels, subjects = ["ab"[c] for c in true], [f"{person:03}" for person in who]
            interval = evaluate(labels, np.stack([1 - score, score], axis=1), "ab", subjects).auroc_interval
            assert interval is not None
            held += interval.low <= truth <= interval.high
        print(f"| {truth:.2f} | {n_people} | {held / n_draws:.3f} |", flush=True)


def show_duels(people: list[int], n_draws: int) -> None:
    print("\n| equal methods, balanced accuracy | people | 0 is outside | called better |\n|---|---|---|---|")
    for group in DUELS:
        for n_people in (n for n in people if n >= group.fewest):
            rng = np.random.default_rng(n_people)
            outside = better = 0
            for _ in range(n_draws):
                support = group.repetitions(rng, n_people)
                base = abilities(rng, group, n_people)
                apart = rng.normal(0, 0.06, n_people)
                pair = [counts(rng, support, np.clip(base + sign * apart / 2, 0, 1)) for sign in (1, -1)]
                scores = [float(balanced_accuracy(c.sum(axis=0))) for c in pair]
                changes = [influences(balanced_accuracy, c) for c in pair]
                interval = difference_interval((scores[0], scores[1]), (changes[0], changes[1]), support)
                outside += not interval.low <= 0 <= interval.high
                better += interval.low > 0
            print(f"| {group.name} | {n_people} | {outside / n_draws:.3f} | {better / n_draws:.3f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000, help="simulated groups of people per line")
    parser.add_argument("--people", type=int, nargs="+", default=[3, 4, 6, 10, 20, 30])
    parser.add_argument("--quick", action="store_true", help="60 draws of 3 and 6 people")
    options = parser.parse_args()
    people, n_draws = ([3, 6], 60) if options.quick else (options.people, options.draws)
    show_coverage(people, n_draws)
    show_ranked_coverage(people, n_draws)
    show_duels(people, n_draws)


if __name__ == "__main__":
    main()
