"""The recipe ``auto``: choose what answers a task by how well it answers about people left out of the training people.

Candidates are the network, the network joined with measures, the measures alone, and parts of the measures. Each is
judged as it answers later: by a committee of discriminants, with weights from people left out and the repetitions of a
person together. Test people are not used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import TINY, Calibration, fit_temperature, set_threshold, with_temperature
from semg_hht.evaluation.comparison import HeldOutAnswers, compare
from semg_hht.inference.description import Chosen
from semg_hht.inference.discriminant import Committee, Discriminant
from semg_hht.inference.svm_inputs import (
    AMPLITUDE,
    COVARIANCE,
    FEATURES,
    NETWORK,
    PROFILE,
    SHARE,
    block_widths,
    svm_table,
)
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.discriminant_training import (
    Array,
    Directions,
    MissingClass,
    RepetitionRows,
    answers_of_committee,
    discriminant_of,
    probabilities_of_people_left_out,
    scores_of_people_left_out,
)
from semg_hht.learning.split import divide
from semg_hht.matrices.scaling import WITH_REFERENCE

if TYPE_CHECKING:  # it imports torch, which the measures do without
    from semg_hht.learning.epochs import Fitting

log = logging.getLogger(__name__)

MIN_PEOPLE = 4  # of the training and validation people; fewer say nothing of new ones
N_WATCHED = 32  # examples on which a half network is scored after each epoch, which `Fitting` needs
ALONE = "the network alone"
AMPLITUDES = ((AMPLITUDE,), (SHARE,))
MEASURES = ((FEATURES,), (PROFILE,), (COVARIANCE,), (PROFILE, COVARIANCE), *AMPLITUDES)
# Name of a candidate -> the blocks of each of its discriminants, of which the first must be there. Each stands for two,
# whose directions come from all differences and from differences within people.
CANDIDATES: dict[str, tuple[tuple[str, ...], ...]] = {
    ALONE: ((NETWORK,),),
    "network and measures": ((NETWORK,), *MEASURES),
    "measures": MEASURES,
    "classical features": ((FEATURES,),),
    "amplitude alone": AMPLITUDES,
}
COMMITTEES = ("measures", "network and measures")  # what needs no network before what does
PREFERRED = (*COMMITTEES, ALONE, "classical features", "amplitude alone")


@dataclass(frozen=True)
class Half:
    """A network that was trained on half of the people: its features, and which examples are of these people."""

    features: NDArray[np.float32]
    seen: NDArray[np.bool_]

    def subset(self, indices: Indices) -> Half:
        return Half(self.features[indices], self.seen[indices])


@dataclass(frozen=True)
class _Member:
    """A discriminant of some blocks, and its answers about people left out."""

    discriminant: Discriminant
    probabilities: Array


Members = dict[tuple[str, tuple[str, ...]], list[_Member]]  # task and blocks -> discriminants


@dataclass(frozen=True)
class Choosing:
    """The tasks to choose for, with their classes, and the half networks; nothing for other recipes.

    members : discriminants without the network, which the best and the final weights share.
    """

    tasks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    halves: tuple[Half, ...] = ()
    members: Members = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledExamples:
    """Labelled examples of one task: features of the run's network, and of the half networks (none: not trained)."""

    people: Dataset
    features: NDArray[np.float32]
    halves: tuple[Half, ...]
    task: str
    classes: tuple[str, ...]

    @property
    def one_class(self) -> bool:
        """Whether all repetitions of a person have one class."""
        return self.task == "gender"

    def candidates(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """The candidates that can be made of what the examples have. A share needs a reference amplitude."""
        inputs = self.people.svm_inputs
        named = all(inputs.features) and len({tuple(features) for features in inputs.features}) == 1
        lacking = {block for block in (COVARIANCE, PROFILE) if inputs.vectors(block) is None}
        lacking |= {NETWORK} if not self.halves else set()
        lacking |= {FEATURES} if not named else set()
        lacking |= {AMPLITUDE, SHARE} if inputs.missing({AMPLITUDE: 1}) else set()
        lacking |= {SHARE} if (self.people.settings or {}).get("scaling") not in WITH_REFERENCE else set()
        found: dict[str, tuple[tuple[str, ...], ...]] = {}
        for name in reversed(PREFERRED):  # of two that became alike the one that is named for what is left
            sets = tuple(blocks for blocks in CANDIDATES[name] if not lacking & set(blocks))
            if not lacking & set(CANDIDATES[name][0]) and sets not in found.values():
                found[name] = sets
        return found

    def rows(self, blocks: tuple[str, ...], features: NDArray[np.float32]) -> tuple[RepetitionRows, Indices]:
        """One row per repetition, and the number of its first example."""
        inputs = self.people.svm_inputs
        row_of_example, table = svm_table(block_widths(blocks, features.shape[1], inputs), features, inputs)
        first = np.unique(row_of_example, return_index=True)[1]
        labels = self.people.labels(self.task)
        numbers = np.array([self.classes.index(labels[i]) for i in first])
        together = inputs.together(self.task, self.classes, first.tolist())
        return RepetitionRows(
            table, numbers, np.array(together.people), np.array(together.recordings), len(self.classes)
        ), first


@dataclass(frozen=True)
class Judged:
    """A candidate, its committee, and its answers about people left out.

    probabilities : (2, n_repetitions, n_classes): a person's repetitions together, and each recording alone.
    labels, people : (n_repetitions,) their classes and persons.
    one_class : whether all repetitions of a person have one class.
    """

    name: str
    widths: dict[str, int]
    committee: Committee
    probabilities: Array
    labels: NDArray[np.intp]
    people: NDArray[np.str_]
    one_class: bool = False

    @property
    def answers(self) -> tuple[Array, list[str], list[int], list[str]]:
        """Probabilities (2 n_repetitions, n_classes) of both kinds, a key for each, the classes and the people."""
        labels, people = [*self.labels.tolist()] * 2, [*self.people.tolist()] * 2
        return np.concatenate(self.probabilities), [str(i) for i in range(len(labels))], labels, people

    @property
    def score_of_people(self) -> Array:
        """(n_people,) mean logarithm of the probability of the true class of each person's repetitions.

        At the temperature that is best for all: a committee is too unsure.
        """
        probabilities, _, labels, people = self.answers
        true = with_temperature(probabilities, self.temperature)[np.arange(len(labels)), labels]
        scores, who = np.log(np.maximum(true, TINY)), np.array(people)
        return np.array([scores[who == person].mean() for person in np.unique(who)])

    @property
    def temperature(self) -> float:
        return fit_temperature(*self.answers)

    def calibrated(self) -> tuple[Committee, Calibration]:
        """The committee and its calibration on people left out.

        The temperature is that of both kinds of answers. A person with several recordings has one of its own, by the
        answers of the first kind: those are right more often, and at one temperature for both they are too unsure.
        """
        _, keys, labels, people = self.answers
        n, shared = len(self.labels), self.temperature
        own = shared if self.one_class else fit_temperature(self.probabilities[0], keys[:n], labels[:n], people[:n])
        of_kinds = [with_temperature(p, t) for p, t in zip(self.probabilities, (own, shared), strict=True)]
        calibration = Calibration(shared, set_threshold(np.concatenate(of_kinds), labels))
        return replace(self.committee, temperature=own / shared), calibration


def best_of(judged: Sequence[Judged]) -> Judged:
    """The first of `PREFERRED` that is not worse than the best by more than one standard error over people.

    With few people the best is often so by chance; one standard error is the rule of Breiman et al. (1984,
    Classification and Regression Trees, section 3.4.3). The others are parts of the committees, which weight them by
    all people, so they answer only where there is no committee.
    """
    judged = [candidate for candidate in judged if candidate.name in COMMITTEES] or judged
    scores = {candidate.name: candidate.score_of_people for candidate in judged}
    best = max(scores.values(), key=lambda own: float(own.mean()))
    for candidate in sorted(judged, key=lambda candidate: PREFERRED.index(candidate.name)):
        behind = best - scores[candidate.name]
        if behind.mean() <= behind.std(ddof=1) / np.sqrt(len(behind)):
            return candidate
    raise AssertionError("the best is not behind itself")


def reason_against(people: Dataset, task: str, classes: Sequence[str]) -> str:
    """Why people of the training can't be left out in turn; empty where they can."""
    labelled = [row for row in people.rows if row.label(task)]
    who = {row.subject for row in labelled}
    if "" in who:
        return "subjects are not known (a column 'subject' in manifest.csv states them)"
    if len(who) < MIN_PEOPLE:
        return f"expected {MIN_PEOPLE} people or more besides those of the final score; found {len(who)}"
    few = [name for name in classes if len({row.subject for row in labelled if row.label(task) == name}) < 2]
    if few:
        return f"expected each class in 2 people or more besides those of the final score; {', '.join(few)} is of fewer"
    return ""


def shortened(epochs: int) -> int:
    """The number of epochs of a half network."""
    return max(1, 2 * epochs // 5)


def train_halves(fitting: Fitting, indices: Indices, on_step: Callable[[], None]) -> tuple[Half, ...]:
    """Train two networks on half of the people each, for two fifths of the epochs: two fifths of the cost of the run.

    Their features of the other half are those of people whom an encoder has not seen. Without both classes in each half
    no network is trained, and the choice is among the measures.

    indices : the examples whose features are computed.
    """
    from semg_hht.learning.epochs import Fitting

    dataset, config = fitting.dataset, fitting.config
    everyone = np.concatenate([fitting.train, fitting.validation])
    who = np.array(dataset.subjects)
    first, second = divide(everyone, who, dataset, 0.5, config.seed)
    halves = []
    for number, (own, others) in enumerate(((first, second), (second, first))):
        watched = np.sort(np.random.default_rng(config.seed).permutation(others)[:N_WATCHED])
        shorter = replace(
            config,
            epochs=shortened(config.epochs), warmup_epochs=2 * config.warmup_epochs // 5, seed=config.seed + 1 + number,
        )  # fmt: skip
        split = replace(fitting.split, train=own, validation=watched)
        try:
            half = Fitting(
                dataset, split, fitting.task, fitting.classes, fitting.network_config, shorter, fitting.folder,
                fitting.fabric,
            )  # fmt: skip
        except InputError as error:
            log.warning("recipe auto: the network is not judged, because half of the people are too few; %s", error)
            return ()
        for epoch in range(shorter.epochs):
            half.train_epoch(epoch, on_step)
        half.recalibrate()
        features, _ = half.model().features_and_logits(dataset.subset(indices).matrices)
        halves.append(Half(features, np.isin(who[indices], who[own])))
    return tuple(halves)


def _member(labelled: LabelledExamples, blocks: tuple[str, ...], *, centred: bool) -> _Member | None:
    """Fit a discriminant, and answer about each person from the others; None where a class is missing then."""
    rows, _ = labelled.rows(blocks, labelled.features)
    try:
        directions = Directions.of(rows, centred=centred)
        if NETWORK in blocks:
            scores = np.empty((len(rows.labels), directions.offset.size))
            for half in labelled.halves:
                of_half, first = labelled.rows(blocks, half.features)
                seen = half.seen[first]
                own = Directions.of(of_half.subset(seen), centred=centred)
                scores[~seen] = own.scores(of_half.table[~seen])
        else:
            scores = scores_of_people_left_out(rows, centred=centred)
        one_class = labelled.one_class
        return _Member(
            discriminant_of(directions, scores, rows, one_class=one_class),
            probabilities_of_people_left_out(directions, scores, rows, one_class=one_class),
        )
    except MissingClass:  # a group of people that is left out, or not in a half, holds all examples of a class
        return None


def choose(labelled: LabelledExamples, known: Members | None = None) -> tuple[Judged, Chosen] | None:
    """The candidate with the best answers about people left out, and how it compares; None where none can be judged.

    known : discriminants of the same examples without the network; those that are fitted here are added.
    """
    candidates = labelled.candidates()
    known = {} if known is None else known
    members: dict[tuple[str, ...], list[_Member]] = {}
    for blocks in dict.fromkeys(blocks for sets in candidates.values() for blocks in sets):
        key = labelled.task, blocks
        if key in known:
            members[blocks] = known[key]
            continue
        fitted = [_member(labelled, blocks, centred=c) for c in ((False,) if labelled.one_class else (False, True))]
        members[blocks] = [member for member in fitted if member is not None]
        if NETWORK not in blocks:
            known[key] = members[blocks]
    judged = [
        _judged(labelled, name, {blocks: members[blocks] for blocks in sets})
        for name, sets in candidates.items()
        if members[sets[0]]
    ]
    if not judged:
        return None
    winner = best_of(judged)
    return winner, _compared(winner.name, {candidate.name: _held_out(labelled, candidate) for candidate in judged})


def _judged(labelled: LabelledExamples, name: str, members: Mapping[tuple[str, ...], Sequence[_Member]]) -> Judged:
    """The committee of these members, which read one table with all of their blocks, weighted by their answers."""
    joined = tuple(dict.fromkeys(block for blocks in members for block in blocks))
    widths = block_widths(joined, labelled.features.shape[1], labelled.people.svm_inputs)
    edges = dict(zip(joined, np.cumsum([0, *widths.values()]), strict=False))
    everyone = []
    for blocks, own in members.items():
        columns = np.concatenate([np.arange(edges[block], edges[block] + widths[block]) for block in blocks])
        everyone += [_on_columns(member.discriminant, columns, sum(widths.values())) for member in own]
    answers = np.stack([member.probabilities for own in members.values() for member in own])
    rows, _ = labelled.rows(joined, labelled.features)
    weights, held_out = answers_of_committee(answers, rows.labels, rows.people)
    committee = Committee(tuple(everyone), tuple(weights.tolist()))
    return Judged(name, widths, committee, held_out, rows.labels, rows.people, labelled.one_class)


def _on_columns(discriminant: Discriminant, columns: NDArray[np.intp], n_columns: int) -> Discriminant:
    """The same discriminant for a table in which ``columns`` are those that it reads."""
    mean, scale = np.zeros(n_columns), np.ones(n_columns)
    weights = np.zeros((n_columns, discriminant.weights.shape[1]))
    mean[columns], scale[columns], weights[columns] = discriminant.mean, discriminant.scale, discriminant.weights
    return replace(discriminant, mean=mean, scale=scale, weights=weights)


def _held_out(labelled: LabelledExamples, judged: Judged) -> HeldOutAnswers:
    _, first = labelled.rows(tuple(judged.widths), labelled.features)
    rows = [labelled.people.rows[i] for i in first]
    return HeldOutAnswers(
        task=labelled.task, method=judged.name, classes=labelled.classes,
        repetitions=tuple(labelled.people.repetitions[i] for i in first),
        labels=tuple(row.label(labelled.task) for row in rows), subjects=tuple(row.subject for row in rows),
        muscles=tuple(row.muscle for row in rows), genders=tuple(row.gender for row in rows),
        files=tuple(row.file for row in rows), probabilities=judged.probabilities[0],
    )  # fmt: skip


def _compared(name: str, answers: Mapping[str, HeldOutAnswers]) -> Chosen:
    scores = {other: own.report().balanced_accuracy for other, own in answers.items()}
    chosen = Chosen(name, scores, len(set(answers[name].subjects)))
    if name == ALONE or ALONE not in answers:
        return chosen
    difference = compare(answers[name], answers[ALONE])
    if difference.interval is None:
        return replace(chosen, margin=difference.value)
    low, high = difference.interval.low, difference.interval.high
    return replace(chosen, margin=difference.value, margin_low=low, margin_high=high)
