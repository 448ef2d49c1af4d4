"""Fit what answers repetitions that are given as arrays: a committee of measures, or a network.

It works on arrays, class numbers and keys of people. It does not know files of users or scikit-learn's estimators, and
imports torch only for a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, with_temperature
from semg_hht.inference.description import Chosen
from semg_hht.inference.discriminant import Committee
from semg_hht.inference.svm_inputs import SvmInputs, stack_if_alike, svm_table
from semg_hht.learning.auto import MIN_PEOPLE, LabelledExamples, choose
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.split import Split, divide
from semg_hht.matrices.matrix import SIZE
from semg_hht.matrices.transform import PipelineConfig, covariance_of, matrix_of, profile_of
from semg_hht.recordings.manifest import ManifestRow

if TYPE_CHECKING:
    from semg_hht.learning.checkpoint import Model
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize

Array = NDArray[np.float64]
Features = dict[str, Array]  # name -> (n_channels,), see `semg_hht.signals.features.features_of`

NOTHING: NDArray[np.float32] = np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class ArrayRepetitions:
    """Repetitions as arrays, and what is measured of them.

    samples : (n_channels, n_samples) of each, filtered.
    features : classical features of each.
    people : key of the person of each; a repetition whose person is not known has a key of its own.
    """

    samples: Sequence[Array]
    features: Sequence[Features]
    people: Sequence[str]
    rate_hz: float

    def inputs(self, config: PipelineConfig) -> SvmInputs:
        """What a committee reads of them, with all repetitions of a person as one recording."""
        keys = tuple(str(i) for i in range(len(self.samples)))
        return SvmInputs(
            keys,
            [{name: tuple(map(float, values)) for name, values in own.items()} for own in self.features],
            [()] * len(keys),
            stack_if_alike([covariance_of(samples, self.rate_hz) for samples in self.samples]),
            stack_if_alike([profile_of(samples, self.rate_hz, config.filter) for samples in self.samples]),
            tuple(self.people),
            tuple(self.people),
        )

    def matrices(self, config: PipelineConfig) -> NDArray[np.float32]:
        """(n, n_channels, 256, 256)."""
        return np.stack([matrix_of(samples, self.rate_hz, config) for samples in self.samples])


@dataclass(frozen=True)
class ArrayTask:
    """Class names and the class number of each repetition.

    one_class : all repetitions of a person have one class, as for gender.
    """

    names: tuple[str, ...]
    labels: Sequence[int]
    one_class: bool

    @classmethod
    def of(cls, labels: Sequence[int], n_classes: int, people: Sequence[str]) -> ArrayTask:
        classes_of: dict[str, set[int]] = {}
        for person, label in zip(people, labels, strict=True):
            classes_of.setdefault(person, set()).add(label)
        one_class = len(classes_of) < len(labels) and all(len(own) == 1 for own in classes_of.values())
        return cls(tuple(f"class {i:04d}" for i in range(n_classes)), labels, one_class)

    @property
    def key(self) -> str:
        """The task whose rules it follows."""
        return "gender" if self.one_class else "action_quality"

    def dataset(self, matrices: NDArray[np.float32], inputs: SvmInputs, config: PipelineConfig) -> Dataset:
        names = [self.names[label] for label in self.labels]
        nothing = [""] * len(names)
        movements, genders = (nothing, names) if self.one_class else (names, nothing)
        rows = tuple(
            ManifestRow(key, subject=person, movement=movement, gender=gender)
            for key, person, movement, gender in zip(inputs.repetitions, inputs.people, movements, genders, strict=True)
        )
        features = tuple(dict(own) for own in inputs.features)
        return Dataset(
            matrices, rows, inputs.repetitions, config.to_json(), features=features, covariance=inputs.covariance,
            profile=inputs.profile,
        )  # fmt: skip


def few_people(labels: Sequence[int], people: Sequence[str], n_classes: int) -> str:
    """Why people can't be left out in turn, as a sentence; empty where they can."""
    n_people = len(set(people))
    if n_people < MIN_PEOPLE:
        return f"expected {MIN_PEOPLE} people or more to leave out in turn; found {n_people}"
    fewest = min(len({p for p, c in zip(people, labels, strict=True) if c == i}) for i in range(n_classes))
    return "" if fewest > 1 else "expected each class in 2 people or more; one is of a single person"


@dataclass(frozen=True)
class FittedCommittee:
    """What the recipe ``auto`` chose among the measures, with the calibration of its probabilities."""

    widths: dict[str, int]
    committee: Committee
    calibration: Calibration
    chosen: Chosen
    task: ArrayTask

    def probabilities(self, repetitions: ArrayRepetitions, config: PipelineConfig) -> Array:
        """(n, n_classes); the repetitions of a person are answered together."""
        inputs = repetitions.inputs(config)
        missing = inputs.missing(self.widths)
        if missing:
            raise InputError(f"the repetitions lack {missing}, which those that were fitted have")
        rows, table = svm_table(self.widths, NOTHING, inputs)
        together = inputs.together(self.task.key, self.task.names, rows.tolist())
        answers = self.committee.probabilities(table, together)
        return with_temperature(answers, self.calibration.temperature)


def fit_committee(repetitions: ArrayRepetitions, task: ArrayTask, config: PipelineConfig) -> FittedCommittee:
    """Choose among the measures as the recipe ``auto`` does, by how well they answer about people left out.

    Raises
    ------
    InputError
        The repetitions of one class all are of people who are left out together.
    """
    unmade = np.zeros((len(repetitions.samples), 0, SIZE, SIZE), np.float32)
    dataset = task.dataset(unmade, repetitions.inputs(config), config)
    choice = choose(LabelledExamples(dataset, NOTHING, (), task.key, task.names))
    if choice is None:
        raise InputError("a class is missing when a tenth of the people is left out; expected it in more people")
    winner, chosen = choice
    committee, calibration = winner.calibrated()
    return FittedCommittee(winner.widths, committee, calibration, chosen, task)


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network, with what the recipe joins to it."""

    model: Model
    task: ArrayTask

    def probabilities(self, repetitions: ArrayRepetitions, config: PipelineConfig) -> Array:
        """(n, n_classes); a committee answers the repetitions of a person together."""
        answers = self.model.probabilities(repetitions.matrices(config), repetitions.inputs(config))[self.task.key]
        order = self.model.description.classes[self.task.key]
        return np.asarray(answers[:, [order.index(name) for name in self.task.names]])


def fit_network(
    repetitions: ArrayRepetitions, task: ArrayTask, config: PipelineConfig, training: TrainingConfig, size: NetworkSize
) -> FittedNetwork:
    """Train a network; a share of the people (``training.validation_size``) chooses the epoch and calibrates.

    Raises
    ------
    InputError
        Fewer than two people, or any error of training.
    """
    from semg_hht.learning.checkpoint import load_model
    from semg_hht.learning.train import RunOptions, train

    if training.recipe == "plain":
        task = replace(task, one_class=False)  # the network itself answers, not an SVM on its features
    dataset = task.dataset(repetitions.matrices(config), repetitions.inputs(config), config)
    people: NDArray[Any] = np.array(dataset.subjects)
    parts = divide(np.arange(len(dataset)), people, dataset, training.validation_size, training.seed)
    split = Split(*parts, test=parts[1], by="subject")  # the caller tests; the scores of this run are not used
    with TemporaryDirectory() as folder:
        run = train(dataset, Path(folder) / "run", training, size, RunOptions(task=task.key), split=split)
        model = load_model(run.folder / "best")
        return FittedNetwork(replace(model, svms=dict(model.svms)), task)
