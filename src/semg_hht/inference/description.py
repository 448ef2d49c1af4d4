"""What a model is: one description for trained runs and for exports, and the calibrated answers it gives.

It does not know torch, scikit-learn or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, softmax, with_temperature
from semg_hht.inference.discriminant import Committee
from semg_hht.inference.novelty import TrainingData
from semg_hht.inference.svm_inputs import NETWORK, SvmInputs, svm_table
from semg_hht.matrices.matrix import MAX_PLANES

SIMULATED_NOTE = "the run was trained on simulated people: its answers say nothing about real people"
MAX_DOUBLINGS = 5
MARGINS = ("margin", "margin_low", "margin_high")
MAX_BASE_CHANNELS = 256  # a billion weights; a file that claims more is broken or hostile

Probabilities = dict[str, NDArray[np.float64]]  # task -> (n_examples, n_classes) in the order of the description


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network: layer i (from 0) has ``base_channels * 2**min(i, 5)`` channels.

    n_planes : planes of a matrix: 1, or with stacked channels their number.
    """

    n_classes: int
    n_layers: int = 7
    base_channels: int = 64
    n_planes: int = 1
    dropout: float = 0.5

    def __post_init__(self) -> None:
        for name in ("n_classes", "n_layers", "base_channels", "n_planes"):
            if type(getattr(self, name)) is not int:
                raise InputError(f"{name} must be a whole number; got {getattr(self, name)!r}")
        if not 1 <= self.n_layers <= 8:
            raise InputError(f"num_encoder_layers must be 1 to 8; got {self.n_layers}")
        if not 1 <= self.base_channels <= MAX_BASE_CHANNELS:
            raise InputError(f"base_channels must be 1 to {MAX_BASE_CHANNELS}; got {self.base_channels}")
        if not 1 <= self.n_planes <= MAX_PLANES:
            raise InputError(f"n_planes must be 1 to {MAX_PLANES}; got {self.n_planes}")
        if not (isinstance(self.dropout, (int, float)) and 0 <= self.dropout <= 1):
            raise InputError(f"dropout must lie between 0 and 1; got {self.dropout!r}")
        if self.n_classes < 2:
            raise InputError(f"a classifier needs at least 2 classes; got {self.n_classes}")

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.base_channels * 2 ** min(i, MAX_DOUBLINGS) for i in range(self.n_layers))

    @property
    def n_features(self) -> int:
        return self.channels[-1]


@dataclass(frozen=True)
class Chosen:
    """What the recipe ``auto`` chose for a task, on people that were left out in turn.

    blocks of the winner stand in `ModelDescription.blocks`; all scores are balanced accuracies of the same repetitions.

    name : of the winner, such as ``power profile``.
    scores : candidate -> score.
    n_people : number of people left out.
    margin, margin_low, margin_high : of the winner over the network alone, with its 95 % interval over people; None
        where the network won, or for the interval with too few people.
    """

    name: str
    scores: Mapping[str, float]
    n_people: int
    margin: float | None = None
    margin_low: float | None = None
    margin_high: float | None = None

    @property
    def sentence(self) -> str:
        """The choice in one sentence."""
        others = ", ".join(f"{name} {score:.2f}" for name, score in self.scores.items() if name != self.name)
        text = f"answered from {self.name} (balanced accuracy {self.scores[self.name]:.2f}"
        if self.margin is not None:
            text += f", {self.margin:+.2f} over the network alone"
        if self.margin_low is not None and self.margin_high is not None:
            text += f", 95 % interval {self.margin_low:+.2f} to {self.margin_high:+.2f}"
        return f"{text}; {others or 'no other candidate'}), chosen on {self.n_people} training people left out in turn"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Chosen:
        margins = (None if content[name] is None else float(content[name]) for name in MARGINS)
        scores = {str(name): float(score) for name, score in content["scores"].items()}
        return cls(str(content["name"]), scores, int(content["n_people"]), *margins)


@dataclass(frozen=True)
class ModelDescription:
    """What a trained model answers and what it expects of its input.

    network : shape of the network.
    encoder_task : the task of the network's head: ``action_quality``, or ``gender`` where only gender was labelled.
    classes : task -> class names in output order.
    preparation : settings of the training matrices (see `PipelineConfig.to_json`); None for matrices of another tool.
    peak : largest value of a training matrix, on average; matrices of other tools are stretched to it.
    epoch : number of epochs that the weights were trained.
    calibration : task -> how its probabilities are calibrated; empty before training ends.
    longest_s : duration of the longest training repetition; 0: not known.
    is_segmented : whether the training repetitions were found in recordings, so that they hold no rest around them.
    blocks : task -> the blocks that its SVM joins, and their numbers of columns (see `svm_inputs.py`). A task without
        blocks is answered matrix by matrix, from the network's features alone.
    chosen : task -> what the recipe ``auto`` chose. A committee answers these tasks, person by person.
    training : what the training data looked like; None before training ends, and in runs of early versions.
    note : what every answer of this model must be read with, a sentence, such as that it was trained on simulated
        people.
    """

    network: NetworkConfig
    encoder_task: str
    classes: dict[str, tuple[str, ...]]
    preparation: dict[str, Any] | None
    peak: float = 1.0
    epoch: int = 0
    longest_s: float = 0.0
    is_segmented: bool = False
    calibration: Mapping[str, Calibration] = field(default_factory=dict)
    blocks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    chosen: Mapping[str, Chosen] = field(default_factory=dict)
    training: TrainingData | None = None
    note: str = ""

    @classmethod
    def from_json(cls, content: dict[str, Any], source: str) -> ModelDescription:
        """The inverse of `to_json`; runs of early versions lack ``blocks``, ``longest_s``, ``is_segmented``,
        ``training`` and ``note``.

        Raises
        ------
        InputError
            A key is missing or holds another kind of value; the text names ``source``.
        """
        try:
            description = cls(
                network=NetworkConfig(**content["network"]),
                encoder_task=str(content["encoder_task"]),
                classes={str(task): tuple(map(str, names)) for task, names in content["classes"].items()},
                preparation=content["preparation"],
                peak=float(content["peak"]),
                epoch=content["epoch"],
                longest_s=float(content.get("longest_s", 0.0)),
                is_segmented=bool(content.get("is_segmented", False)),
                calibration={
                    task: Calibration(**{name: float(value) for name, value in values.items()})
                    for task, values in content["calibration"].items()
                },
                blocks={
                    task: {str(name): int(width) for name, width in widths.items()}
                    for task, widths in content.get("blocks", {}).items()
                },
                chosen={task: Chosen.from_json(chosen) for task, chosen in content.get("chosen", {}).items()},
                training=None if content.get("training") is None else TrainingData.from_json(content["training"]),
                note=str(content.get("note", "")),
            )
            n_names = len(description.classes[description.encoder_task])
            if not set(description.chosen) <= set(description.blocks) & set(description.classes):
                raise ValueError("a choice without blocks")
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{source}: expected the description of a model; {error!r}") from None
        if n_names != description.network.n_classes:
            raise InputError(
                f"{source}: {n_names} class names, but a network of {description.network.n_classes} classes"
            )
        return description

    def to_json(self) -> dict[str, Any]:
        return {
            "network": asdict(self.network),
            "encoder_task": self.encoder_task,
            "classes": {task: list(names) for task, names in self.classes.items()},
            "epoch": self.epoch,
            "preparation": self.preparation,
            "peak": self.peak,
            "longest_s": self.longest_s,
            "is_segmented": self.is_segmented,
            "calibration": {task: asdict(calibration) for task, calibration in self.calibration.items()},
            "blocks": {task: dict(widths) for task, widths in self.blocks.items()},
            "chosen": {task: asdict(chosen) for task, chosen in self.chosen.items()},
            **({} if self.training is None else {"training": self.training.to_json()}),
            **({"note": self.note} if self.note else {}),
        }

    @property
    def reads_matrices(self) -> bool:
        """Whether an answer needs the network: a recipe may join other blocks alone."""
        return any(NETWORK in self.blocks.get(task, (NETWORK,)) for task in self.classes)

    def svm_width(self, task: str) -> int:
        """Number of columns that the SVM of a task reads."""
        return sum(self.blocks[task].values()) if task in self.blocks else self.network.n_features

    def temperature(self, task: str) -> float:
        return self.calibration.get(task, Calibration()).temperature

    def combine(
        self,
        features: NDArray[np.float32],
        logits: NDArray[np.float32],
        inputs: SvmInputs | None,
        svms: Mapping[str, Callable[[NDArray[Any]], NDArray[np.float64]]],
        committees: Mapping[str, Committee],
    ) -> Probabilities:
        """Calibrated probabilities from the outputs of the network.

        A task whose SVM joins blocks gets the same answer for all examples of a repetition. A committee answers all
        repetitions of a person together, so the examples must be all that are to be known of the person.

        Parameters
        ----------
        features, logits : outputs of the network, (n, n_features) and (n, n_classes).
        inputs : what the blocks are made of; None for a model without blocks.
        svms : task -> a function from table (m, n_columns) to probabilities (m, n_classes).
        committees : of the tasks in `chosen`.
        """
        answers: Probabilities = {}
        if self.encoder_task == "action_quality" and self.encoder_task not in committees:
            answers["action_quality"] = softmax(logits)
        for task, probabilities in svms.items():
            if task in self.blocks:
                assert inputs is not None
                row_of_example, table = svm_table(self.blocks[task], features, inputs)
                answers[task] = probabilities(table)[row_of_example]
            else:
                answers[task] = probabilities(features)
        for task, committee in committees.items():
            assert inputs is not None
            row_of_example, table = svm_table(self.blocks[task], features, inputs)
            first = np.unique(row_of_example, return_index=True)[1].tolist()
            together = inputs.together(task, self.classes[task], first)
            answers[task] = committee.probabilities(table, together)[row_of_example]
        return {task: with_temperature(values, self.temperature(task)) for task, values in answers.items()}
