"""Fit a discriminant: the directions of its scores, the shifts of people, and its answers about people left out.

It works on tables, class numbers and keys of people. It does not know networks, matrices or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.inference.discriminant import Discriminant, Together

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

MAX_FOLDS = 10  # groups of people that are left out in turn
N_ITERATIONS = 50  # of expectation and maximisation; the estimates change by less than 1 % after 20
SMALLEST = 1e-6  # variance that is added to each covariance, so that it has an inverse; smallest probability
N_WEIGHT_STEPS = 300  # of expectation and maximisation; the weights change by less than 1e-4 after 200
# Limits of the Dirichlet concentration. Where training recordings hold one class each, the likeliest value is 0, and a
# new recording with two classes could not be answered.
CONCENTRATIONS = (0.3, 10.0)
OF_ONE_CLASS = 0.02  # concentration for a class that does not change within a person


class MissingClass(ValueError):
    """The rows hold no repetition of a class."""


@dataclass(frozen=True)
class RepetitionRows:
    """One row per repetition.

    table : (n, n_columns).
    labels : (n,) class numbers.
    n_classes : number of classes, of which the rows may lack some.
    people, recordings : (n,) keys; ``recordings`` share their proportions of classes.
    """

    table: Array
    labels: Integers
    people: NDArray[np.str_]
    recordings: NDArray[np.str_]
    n_classes: int

    def subset(self, chosen: NDArray[np.bool_]) -> RepetitionRows:
        return RepetitionRows(
            self.table[chosen], self.labels[chosen], self.people[chosen], self.recordings[chosen], self.n_classes
        )

    def apart(self, *, one_class: bool) -> RepetitionRows:
        """The same rows as if each recording were all that is known of a person; with ``one_class`` each repetition."""
        alone = np.arange(len(self.labels)).astype(str) if one_class else self.recordings
        return RepetitionRows(self.table, self.labels, alone, alone, self.n_classes)

    def require_all_classes(self) -> None:
        if len(set(self.labels)) < self.n_classes:
            raise MissingClass

    @property
    def together(self) -> Together:
        return Together(tuple(self.people), tuple(self.recordings), np.full(len(self.labels), -1))


@dataclass(frozen=True)
class Directions:
    """A linear map from a table to scores; see `Discriminant`."""

    mean: Array
    scale: Array
    weights: Array
    offset: Array

    @classmethod
    def of(cls, rows: RepetitionRows, *, centred: bool) -> Directions:
        """Linear discriminant analysis with shrinkage (Ledoit and Wolf 2004, doi 10.1016/S0047-259X(03)00096-4).

        centred : subtract each person's mean row first, so that only differences within people count.
        """
        from sklearn.covariance import ledoit_wolf

        rows.require_all_classes()
        n_classes = rows.n_classes
        mean, scale = rows.table.mean(axis=0), rows.table.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        x = (rows.table - mean) / scale
        if centred:
            for person in np.unique(rows.people):
                x[rows.people == person] -= x[rows.people == person].mean(axis=0)
        centres = np.array([x[rows.labels == c].mean(axis=0) for c in range(n_classes)])  # (n_classes, n_columns)
        covariance, _ = ledoit_wolf(x - centres[rows.labels], assume_centered=True)
        covariance[np.diag_indices_from(covariance)] += SMALLEST
        weights = scipy.linalg.solve(covariance, centres.T, assume_a="pos")  # (n_columns, n_classes)
        basis = scipy.linalg.helmert(n_classes).T  # (n_classes, n_classes - 1): without the sum over classes
        offset = -0.5 * (centres * weights.T).sum(axis=1) @ basis
        return cls(mean, scale, np.ascontiguousarray(weights @ basis), offset)

    def scores(self, table: Array) -> Array:
        return ((table - self.mean) / self.scale) @ self.weights + self.offset


def scores_of_people_left_out(rows: RepetitionRows, *, centred: bool) -> Array:
    """(n, d): the scores of each person from directions that were fitted without the person's group."""
    scores: Array | None = None
    for held_out in _groups(rows.people):
        own = Directions.of(rows.subset(~held_out), centred=centred).scores(rows.table[held_out])
        if scores is None:
            scores = np.empty((len(rows.labels), own.shape[1]))
        scores[held_out] = own
    assert scores is not None
    return scores


def discriminant_of(directions: Directions, scores: Array, rows: RepetitionRows, *, one_class: bool) -> Discriminant:
    """The discriminant of ``directions``, with centres and covariances of scores of people left out.

    Expectation and maximisation of a linear mixed model: scores are the centre of the class, a shift of the person and
    noise (Laird and Ware 1982, doi 10.2307/2529876). The covariance of the shifts counts one more person, whose shift
    has the covariance of the noise: of few people a shift may seem never to occur.

    one_class : all repetitions of a person have one class.
    """
    rows.require_all_classes()
    labels, n_classes, d = rows.labels, rows.n_classes, scores.shape[1]
    names, of_row = np.unique(rows.people, return_inverse=True)
    counts = np.bincount(of_row)  # (n_people,) repetitions of each
    centres = np.array([scores[labels == c].mean(axis=0) for c in range(n_classes)])
    residue = scores - centres[labels]
    within = residue.T @ residue / len(scores) + SMALLEST * np.eye(d)
    between = within.copy()
    for _ in range(N_ITERATIONS):
        noise, person = np.linalg.inv(within), np.linalg.inv(between)
        covariance = np.linalg.inv(person + counts[:, None, None] * noise)  # (n_people, d, d)
        sums = np.zeros((len(names), d))
        np.add.at(sums, of_row, scores - centres[labels])
        of_people = np.einsum("pde,ef,pf->pd", covariance, noise, sums)
        shifts = of_people[of_row]
        centres = np.array([(scores - shifts)[labels == c].mean(axis=0) for c in range(n_classes)])
        residue = scores - shifts - centres[labels]
        spread = np.einsum("p,pde->de", counts, covariance)
        squares = within + of_people.T @ of_people + covariance.sum(axis=0)
        within = (residue.T @ residue + spread) / len(scores) + SMALLEST * np.eye(d)
        between = squares / (len(names) + 1) + SMALLEST * np.eye(d)
    concentration = OF_ONE_CLASS if one_class else _concentration(labels, rows.recordings, n_classes)
    return Discriminant(
        directions.mean, directions.scale, directions.weights, directions.offset, centres, within, between,
        np.array(concentration),
    )  # fmt: skip


def probabilities_of_people_left_out(
    directions: Directions, scores: Array, rows: RepetitionRows, *, one_class: bool
) -> Array:
    """(2, n, n_classes): answers about each person from centres and covariances of the other people.

    First with all repetitions of the person together, then with those of each recording alone.
    """
    answers = np.empty((2, len(scores), rows.n_classes))
    for held_out in _groups(rows.people):
        others = discriminant_of(directions, scores[~held_out], rows.subset(~held_out), one_class=one_class)
        own = rows.subset(held_out)
        answers[:, held_out] = others.probabilities(scores[held_out], own.together)
        if len(set(own.people)) < len(own.people):  # else nobody has repetitions to answer together
            apart = own.apart(one_class=one_class)
            answers[1, held_out] = others.probabilities(scores[held_out], apart.together)
    return answers


def committee_weights(right: Array, people: NDArray[np.str_]) -> Array:
    """(n_members,) weights of a committee by its members' answers about people left out.

    Stacking of predictive distributions (Yao et al. 2018, doi 10.1214/17-BA1091): the mean logarithm of the committee's
    probability of the true class is the largest. Each person has equal weight, and so has one more person for whom all
    members are equally right. The maximum is found by expectation and maximisation.

    Parameters
    ----------
    right : (n_members, n) probability of the true class.
    people : (n,) keys.
    """
    names, of_row, counts = np.unique(people, return_inverse=True, return_counts=True)
    of_person = 1 / counts[of_row]  # (n,)
    right = np.maximum(right, SMALLEST)
    weights = np.full(len(right), 1 / len(right))
    for _ in range(N_WEIGHT_STEPS):
        parts = weights[:, None] * right
        weights = ((parts / parts.sum(axis=0)) @ of_person + 1 / len(right)) / (len(names) + 1)
    return weights


def answers_of_committee(answers: Array, labels: Integers, people: NDArray[np.str_]) -> tuple[Array, Array]:
    """Weights of a committee, and its answers about each person with weights from the other people.

    Parameters
    ----------
    answers : (n_members, 2, n, n_classes), see `probabilities_of_people_left_out`.

    Returns
    -------
    (n_members,) and (2, n, n_classes).
    """
    right = answers[:, :, np.arange(len(labels)), labels]  # (n_members, 2, n)

    def weights_of(chosen: NDArray[np.bool_]) -> Array:
        return committee_weights(right[:, :, chosen].reshape(len(right), -1), np.tile(people[chosen], 2))

    held_out = np.empty(answers.shape[1:])
    for group in _groups(people):
        held_out[:, group] = np.tensordot(weights_of(~group), answers[:, :, group], axes=1)
    return weights_of(np.ones(len(labels), dtype=bool)), held_out


def _groups(people: NDArray[np.str_]) -> list[NDArray[np.bool_]]:
    """Masks of at most `MAX_FOLDS` groups of people, in the order of their keys."""
    names = np.unique(people)
    return [np.isin(people, part) for part in np.array_split(names, min(MAX_FOLDS, len(names)))]


def _concentration(labels: Integers, recordings: NDArray[np.str_], n_classes: int) -> float:
    """The likeliest concentration of a symmetric Dirichlet-multinomial distribution of the classes in a recording."""
    gammaln = scipy.special.gammaln
    _, index = np.unique(recordings, return_inverse=True)
    counts = np.zeros((index.max() + 1, n_classes))
    np.add.at(counts, (index, labels), 1)
    totals = counts.sum(axis=1)

    def surprise(logarithm: float) -> float:
        alpha = float(np.exp(logarithm))
        whole = gammaln(n_classes * alpha) - gammaln(n_classes * alpha + totals)
        return -float(np.sum(whole) + np.sum(gammaln(alpha + counts) - gammaln(alpha)))

    bounds = tuple(np.log(CONCENTRATIONS))
    found = scipy.optimize.minimize_scalar(surprise, bounds=bounds, method="bounded")
    return float(np.exp(found.x))
