"""Fit what answers beside the network: SVMs, committees and their calibration, for the recipe of a run.

It works on a trained network and the examples of its people. It does not train networks or write files.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.evaluation.calibration import calibrate
from semg_hht.inference.description import Chosen
from semg_hht.inference.svm_inputs import AUTO, NETWORK, RECIPES, block_widths, svm_table
from semg_hht.learning.auto import Choosing, Judged, LabelledExamples, choose, reason_against
from semg_hht.learning.checkpoint import Model
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.epochs import Fitting
from semg_hht.learning.svm_training import MAX_ROWS, SvmOptions, fit_svm, spread
from semg_hht.learning.training_data import training_data_of

log = logging.getLogger(__name__)

# The encoder overfits its training people, so that C and gamma can't be chosen on its features of them. For blocks
# without these features, C and gamma are chosen on training people left out. All columns of a block together have
# variance 1.
WITH_NETWORK = SvmOptions(costs=(1.0,))
WITHOUT_NETWORK = SvmOptions(costs=(1.0, 10.0, 100.0), gammas=(1.0, 0.1, 0.03, 0.01))


def tasks_to_choose_for(fitting: Fitting) -> dict[str, tuple[str, ...]]:
    """The tasks for which the recipe ``auto`` can choose, with their classes; a warning says why for the others."""
    if fitting.config.recipe != AUTO:
        return {}
    people = fitting.dataset.subset(shown_examples(fitting))
    reasons = {task: reason_against(people, task, classes) for task, classes in fitting.classes.items()}
    for task, reason in reasons.items():
        if reason:
            log.warning("%s: the recipe auto can't choose, and plain is used; %s", task.replace("_", " "), reason)
    return {task: classes for task, classes in fitting.classes.items() if not reasons[task]}


def shown_examples(fitting: Fitting) -> Indices:
    """The training examples, at most `MAX_ROWS` repetitions, and the validation examples."""
    train = _limited(fitting.dataset, fitting.split.train, fitting.config.seed)
    return np.concatenate([train, fitting.split.validation])


def complete(model: Model, fitting: Fitting, choosing: Choosing = Choosing()) -> Model:
    """The model with SVMs, and with probabilities calibrated on the validation people.

    choosing : for the recipe ``auto``. The committees that it chooses are calibrated on all training and validation
        people, left out in turn: on answers to all repetitions of a person and on those to each recording alone, which
        would seem too sure otherwise.

    The SVMs are fitted on the training and validation people, on features of the trained encoder, and on at most
    `MAX_ROWS` training repetitions. Calibration uses people held out from training: the calibrated SVMs are fitted on
    the training people alone.
    """
    # A resumed run that was complete has older SVMs, which must not be used here.
    description = replace(model.description, calibration={}, blocks=blocks_of(fitting), chosen={})
    model = Model(description, model.network)
    model.network.to(next(fitting.network.parameters()).device)
    shown = shown_examples(fitting)
    n_train = len(shown) - len(fitting.split.validation)
    everyone = _Encoded.of(model, fitting.dataset.subset(shown))
    trained_on = everyone.subset(np.arange(n_train))
    held_out = everyone.subset(np.arange(n_train, len(shown)))
    people = held_out.people
    svms, calibration, chosen, committees = {}, {}, {}, {}
    blocks = dict(description.blocks)
    for task, classes in fitting.classes.items():
        if task in choosing.tasks and (choice := _choose(everyone, choosing, task, classes)) is not None:
            winner, chosen[task] = choice
            blocks[task] = winner.widths
            committees[task], calibration[task] = winner.calibrated()
            continue
        judged = model
        if task == "gender" or task in description.blocks:
            svms[task] = _svm(model, fitting, task, everyone)
            if set(trained_on.people.labels(task)) < set(classes):
                continue  # the training people lack a class, so that no SVM can be calibrated on the validation people
            judged = replace(model, svms={task: _svm(model, fitting, task, trained_on)})
        probabilities = judged.combine(held_out.features, held_out.logits, people.svm_inputs)[task]
        labelled = np.flatnonzero([bool(label) for label in people.labels(task)])
        labels = [classes.index(people.rows[i].label(task)) for i in labelled.tolist()]
        if len(set(labels)) > 1:
            calibration[task] = calibrate(
                probabilities[labelled], [people.repetitions[i] for i in labelled.tolist()], labels
            )
    training = training_data_of(everyone.people)
    description = replace(description, calibration=calibration, blocks=blocks, chosen=chosen, training=training)
    return replace(model, description=description, svms=svms, committees=committees)


def _choose(
    everyone: _Encoded, choosing: Choosing, task: str, classes: tuple[str, ...]
) -> tuple[Judged, Chosen] | None:
    labelled = np.flatnonzero([bool(label) for label in everyone.people.labels(task)])
    own = everyone.subset(labelled)
    return choose(
        LabelledExamples(own.people, own.features, tuple(h.subset(labelled) for h in choosing.halves), task, classes),
        choosing.members,
    )


def _limited(dataset: Dataset, train: Indices, seed: int) -> Indices:
    """At most `MAX_ROWS` whole repetitions of ``train``, with equal shares of each person and class."""
    keys = [dataset.repetitions[i] for i in train]
    rows = {key: dataset.rows[i] for key, i in zip(keys, train, strict=True)}
    kinds = [(row.subject, row.movement, row.gender) for row in rows.values()]
    unique = list(rows)
    chosen = {unique[i] for i in spread(kinds, MAX_ROWS, seed)}
    return train[[key in chosen for key in keys]]


def blocks_of(fitting: Fitting) -> dict[str, dict[str, int]]:
    """Task -> the blocks that the recipe joins, with their numbers of columns."""
    n_features = fitting.network_config.n_features
    recipe = RECIPES[fitting.config.recipe]
    return {
        task: block_widths(recipe[task], n_features, fitting.dataset.svm_inputs)
        for task in fitting.classes
        if task in recipe
    }


@dataclass(frozen=True)
class _Encoded:
    """Examples with the network's features and logits, computed once for all SVMs and their calibration."""

    people: Dataset
    features: NDArray[np.float32]
    logits: NDArray[np.float32]

    @classmethod
    def of(cls, model: Model, people: Dataset) -> _Encoded:
        return cls(people, *model.features_and_logits(people.matrices))

    def subset(self, indices: Indices) -> _Encoded:
        return _Encoded(self.people.subset(indices), self.features[indices], self.logits[indices])


def _svm(model: Model, fitting: Fitting, task: str, encoded: _Encoded) -> Any:
    """Fit an SVM on labelled examples: one row per example, or per repetition if the recipe joins blocks."""
    labelled = encoded.subset(np.flatnonzero([bool(label) for label in encoded.people.labels(task)]))
    people = labelled.people
    features: Any = labelled.features
    labels = np.array(people.labels(task))
    groups = np.array(people.subjects if fitting.split.by == "subject" else people.repetitions)
    options = SvmOptions()
    if task in model.description.blocks:
        widths = model.description.blocks[task]
        row_of_example, table = svm_table(widths, features, people.svm_inputs)
        first = np.unique(row_of_example, return_index=True)[1]
        features, labels, groups = table, labels[first], groups[first]
        options = replace(WITH_NETWORK if NETWORK in widths else WITHOUT_NETWORK, widths=tuple(widths.values()))
    return fit_svm(
        features,
        labels.tolist(),
        groups.tolist(),
        what=task,
        by=fitting.split.by,
        seed=fitting.config.seed,
        options=options,
    )
