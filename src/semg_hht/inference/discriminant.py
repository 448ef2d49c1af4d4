"""Answer the repetitions of a person together: linear scores, and a Gaussian model of people that shift them.

A repetition's scores are the mean of its class, plus a shift that all repetitions of the person share, plus noise with
one covariance. The shift and the classes of all repetitions of a person are inferred together, from unlabelled
repetitions and, where there are some, from labelled ones. This is discriminant analysis with a random effect of the
person, as in probabilistic LDA (Ioffe 2006, doi 10.1007/11744085_41). It does not know networks, recordings or files
of users.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import with_temperature
from semg_hht.system.files import BROKEN_NPZ, require_file, whole_file
from semg_hht.system.numpy_files import arrays_in_npz

Array = NDArray[np.float64]

WEIGHTS, TEMPERATURE = "weights", "temperature"  # names of what the members share in a file
COMMITTEE_FILES = {"action_quality": "action_committee.npz", "gender": "gender_committee.npz"}
MAX_STEPS = 200
CONVERGED = 1e-4  # change of a shift, in standard deviations of the noise
MAX_STARTS = 8  # recordings of a person from which the search for the shift starts
IMPOSSIBLE = -1e9  # log-likelihood of a class that contradicts a label
SAME = 1e-3  # difference of probabilities between two results of the search that are one


@dataclass(frozen=True)
class Together:
    """Which repetitions belong together, and the classes that are known.

    people : person of each repetition.
    recordings : what shares its proportions of classes: the recording, or for gender the person.
    known : class of each repetition, -1: not known.
    """

    people: Sequence[str]
    recordings: Sequence[str]
    known: NDArray[np.intp]


@dataclass(frozen=True)
class Discriminant:
    """A fitted model; for d scores, n_columns of the table and n_classes.

    mean, scale : (n_columns,) of the training table.
    weights, offset : (n_columns, d) and (d,): scores are ``(table - mean) / scale @ weights + offset``.
    centres : (n_classes, d) mean scores of each class.
    within, between : (d, d) covariances of the noise, and of the shifts of people.
    concentration : of the Dirichlet distribution of class proportions in a recording; small: mostly one class.
    """

    mean: Array
    scale: Array
    weights: Array
    offset: Array
    centres: Array
    within: Array
    between: Array
    concentration: Array

    def scores(self, table: NDArray[Any]) -> Array:
        """Table (n, n_columns) -> (n, d); a row's scores do not depend on the others."""
        x = (np.asarray(table, dtype=np.float64) - self.mean) / self.scale
        return np.stack([(x * column).sum(axis=1) for column in self.weights.T], axis=1) + self.offset

    def alone(self, scores: Array) -> Array:
        """Scores (n, d) -> probabilities (n, n_classes) of repetitions of which nothing else is known."""
        away = scores[:, None] - self.centres  # (n, n_classes, d)
        return _normalised(-0.5 * np.einsum("ncd,de,nce->nc", away, self.precision, away))

    @property
    def precision(self) -> Array:
        """(d, d) inverse covariance of the scores of a class, of people whose shift is not known."""
        return np.asarray(np.linalg.inv(self.within + self.between))

    def probabilities(self, scores: Array, together: Together) -> Array:
        """Scores (n, d) -> probabilities (n, n_classes), person by person."""
        answers = np.empty((len(scores), len(self.centres)))
        people, recordings = np.array(together.people), np.array(together.recordings)
        for person in np.unique(people):
            own = np.flatnonzero(people == person)
            answers[own] = self._of_person(scores[own], recordings[own], together.known[own])
        return answers

    def _of_person(self, scores: Array, recordings: NDArray[np.str_], known: NDArray[np.intp]) -> Array:
        """Mean-field variational inference (Bishop 2006, chapter 10) from several starts, weighted by their evidence.

        With unlabelled repetitions of one class, a shift of the person and another class look alike: each is a result
        of its own, and the mean over both is as unsure as it should be.
        """
        _, index = np.unique(recordings, return_inverse=True)
        member = np.eye(index.max() + 1)[index]  # (n, n_recordings)
        n_classes = len(self.centres)
        away = scores[:, None] - self.centres  # (n, n_classes, d)
        noise, person = np.linalg.inv(self.within), np.linalg.inv(self.between)
        covariance = np.linalg.inv(person + len(scores) * noise)  # of each shift that is found
        weighted = away @ noise
        of_rows = weighted.reshape(-1, len(noise))  # (n, n_classes, d) -> (n * n_classes, d)
        excluded = (known[:, None] >= 0) & (known[:, None] != np.arange(n_classes))
        fixed = np.where(excluded, IMPOSSIBLE, -0.5 * (away * weighted).sum(axis=2))
        alpha = float(self.concentration)
        enough = CONVERGED * np.sqrt(np.diagonal(self.within))

        def of_shares(shares: Array) -> tuple[Array, Array]:
            """Shifts (k, d) and counts (k, n_recordings, n_classes), from shares."""
            pulls = shares.reshape(len(shares), -1) @ of_rows  # (k, n * n_classes) -> (k, d)
            return pulls @ covariance, alpha + member.T @ shares

        def of_shifts(shifts: Array, counts: Array) -> tuple[Array, Array]:
            """Shares (k, n, n_classes), and the logarithm of what they are normalised by (k,)."""
            digamma = scipy.special.digamma
            expected = digamma(counts) - digamma(counts.sum(axis=2, keepdims=True))
            costs = ((shifts @ noise) * shifts).sum(axis=1)  # (k,)
            gains = (shifts @ of_rows.T).reshape(len(shifts), *fixed.shape)  # (k, n * n_classes) -> (k, n, n_classes)
            logs = expected[:, index] + fixed + gains - 0.5 * costs[:, None, None]
            most = logs.max(axis=2, keepdims=True)
            powers = np.exp(logs - most)
            totals = powers.sum(axis=2, keepdims=True)
            return powers / totals, (np.log(totals) + most).sum(axis=(1, 2))

        shifts = np.stack(list(self._starts(scores, index)))  # (k, d)
        _, counts = of_shares(np.full((len(shifts), len(scores), n_classes), 1 / n_classes))
        moving = np.arange(len(shifts))
        for _ in range(MAX_STEPS):
            shares, _ = of_shifts(shifts[moving], counts[moving])
            before = shifts[moving]
            shifts[moving], counts[moving] = of_shares(shares)
            moving = moving[(np.abs(shifts[moving] - before) >= enough).any(axis=1)]
            if not len(moving):
                break
        shares, evidences = of_shifts(shifts, counts)
        found: list[tuple[Array, float]] = []
        for number, own in enumerate(shares):
            if all(np.abs(own - other).max() > SAME for other, _ in found):
                divergence = _dirichlet_divergence(counts[number], alpha)
                divergence += 0.5 * float(shifts[number] @ person @ shifts[number])  # the rest is the same for all
                found.append((own, float(evidences[number]) - divergence))
        weight = np.array([evidence for _, evidence in found])
        weight = np.exp(weight - weight.max())
        return np.asarray(np.einsum("k,knc->nc", weight / weight.sum(), np.stack([shares for shares, _ in found])))

    def _starts(self, scores: Array, index: NDArray[np.intp]) -> Iterator[Array]:
        """Shifts to start from: none, and those that put all repetitions, or those of a recording, into one class."""
        yield np.zeros(scores.shape[1])
        yield scores.mean(axis=0) - self.centres.mean(axis=0)
        for centre in self.centres:
            yield scores.mean(axis=0) - centre
        for recording in range(min(int(index.max()) + 1, MAX_STARTS) if index.any() else 0):
            for centre in self.centres:
                yield scores[index == recording].mean(axis=0) - centre


@dataclass(frozen=True)
class Committee:
    """Discriminants of one table, each with directions of its own; the answer is the weighted mean of their answers.

    With few people the best of several discriminants is a matter of chance, and their mean is better than most.

    weights : of the members, with sum 1.
    temperature : of answers about a person with several recordings, whose shift is better known than that of others.
    """

    members: tuple[Discriminant, ...]
    weights: tuple[float, ...]
    temperature: float = 1.0

    @property
    def mean(self) -> Array:
        """(n_columns,) mean of the training table, in the columns that a member reads."""
        mean = np.zeros_like(self.members[0].mean)
        for member in self.members:
            read = member.weights.any(axis=1)
            mean[read] = member.mean[read]
        return mean

    def probabilities(self, table: NDArray[Any], together: Together) -> Array:
        """Table (n, n_columns) -> probabilities (n, n_classes), person by person."""
        answers = self._mean([m.probabilities(m.scores(table), together) for m in self.members])
        if self.temperature == 1:
            return answers
        keys = set(zip(together.people, together.recordings, strict=True))
        n_recordings = Counter(person for person, _ in keys)
        several = np.array([n_recordings[person] > 1 for person in together.people])
        answers[several] = with_temperature(answers[several], self.temperature)
        return answers

    def alone(self, table: NDArray[Any]) -> Array:
        """Probabilities (n, n_classes) of repetitions of which nothing else is known."""
        return self._mean([m.alone(m.scores(table)) for m in self.members])

    def _mean(self, answers: Sequence[Array]) -> Array:
        return np.asarray(np.tensordot(self.weights, np.stack(answers), axes=1))  # (n_members, n, c) -> (n, c)


def _normalised(logs: Array) -> Array:
    return np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))


def _dirichlet_divergence(counts: Array, alpha: float) -> float:
    """Kullback-Leibler divergence of Dirichlet distributions (n_recordings, n_classes) from the symmetric one."""
    gammaln, digamma, total = scipy.special.gammaln, scipy.special.digamma, counts.sum(axis=1)
    n_classes = counts.shape[1]
    expected = digamma(counts) - digamma(total)[:, None]
    own = gammaln(total) - gammaln(counts).sum(axis=1) + ((counts - alpha) * expected).sum(axis=1)
    return float(np.sum(own - gammaln(alpha * n_classes) + n_classes * gammaln(alpha)))


def write_committee(committee: Committee, path: Path) -> None:
    arrays = {
        f"{field.name}_{i}": getattr(member, field.name)
        for i, member in enumerate(committee.members)
        for field in fields(Discriminant)
    }
    arrays |= {WEIGHTS: np.array(committee.weights), TEMPERATURE: np.array(committee.temperature)}
    with whole_file(path) as part, part.open("wb") as handle:
        np.savez(handle, **arrays)


def read_committee(path: Path, n_columns: int, n_classes: int) -> Committee:
    """Read what `write_committee` wrote.

    Raises
    ------
    InputError
        No npz, an array missing, of another shape, not of finite numbers, or a covariance that is none.
    """
    require_file(path)
    try:
        arrays = arrays_in_npz(path)
    except InputError:
        raise
    except BROKEN_NPZ as error:
        raise InputError(f"{path}: can't be read as the arrays of a committee; {error}") from None
    n_members = len(arrays) // len(fields(Discriminant))
    expected = {f"{field.name}_{i}" for i in range(n_members) for field in fields(Discriminant)} | {WEIGHTS}
    temperature = arrays.setdefault(TEMPERATURE, np.array(1.0))  # that of an older run
    if not n_members or set(arrays) != expected | {TEMPERATURE}:
        raise InputError(f"{path}: expected arrays of discriminants; found {', '.join(arrays) or 'none'}")
    members = []
    for i in range(n_members):
        member = {field.name: arrays[f"{field.name}_{i}"] for field in fields(Discriminant)}
        _require_discriminant(path, member, n_columns, n_classes)
        members.append(Discriminant(**member))
    weights = arrays[WEIGHTS]
    if weights.shape != (n_members,) or not (weights >= 0).all() or not np.isclose(weights.sum(), 1):
        raise InputError(f"{path}: expected {n_members} weights with sum 1; found {weights.tolist()}")
    if temperature.shape != () or not 0 < temperature < np.inf:
        raise InputError(f"{path}: expected a temperature above 0; found {temperature.tolist()}")
    return Committee(tuple(members), tuple(weights.tolist()), float(temperature))


def _require_discriminant(path: Path, arrays: dict[str, NDArray[Any]], n_columns: int, n_classes: int) -> None:
    d = arrays["offset"].size
    shapes = {
        "mean": (n_columns,), "scale": (n_columns,), "weights": (n_columns, d), "offset": (d,),
        "centres": (n_classes, d), "within": (d, d), "between": (d, d), "concentration": (),
    }  # fmt: skip
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float64 or not np.isfinite(array).all():
            raise InputError(f"{path}: expected {name!r} of shape {shape}, finite; found {array.dtype} {array.shape}")
    positive = {"scale": arrays["scale"], "concentration": arrays["concentration"]} | {
        name: np.linalg.eigvalsh(arrays[name]) for name in ("within", "between")
    }
    for name, values in positive.items():
        if not (values > 0).all():
            raise InputError(f"{path}: expected {name!r} to be positive; found {values.min():g}")
