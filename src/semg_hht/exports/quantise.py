"""Quantise the network to int8 and measure the loss of accuracy.

Weights are quantised per channel and activations per tensor, with ranges from training matrices. The module knows the
ONNX file and the engines, and does not know the layout of an export folder.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from semg_hht.errors import InputError, missing_library
from semg_hht.exports.onnx_graph import write_onnx
from semg_hht.inference.exported import ExportedModel
from semg_hht.learning.checkpoint import Model
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.epochs import score
from semg_hht.system.files import read_json

log = logging.getLogger(__name__)

ALLOWED_LOSS = 0.005  # of balanced accuracy
N_CALIBRATION = 128
BATCH = 8
# Metadata without which onnxruntime's quantiser warns that the graph should be simplified first; ours needs no change.
SIMPLE = ("onnx.quant.pre_process", "onnxruntime.quant")


@dataclass(frozen=True)
class Int8Trial:
    """Balanced accuracy by task on held-out people, float32 and int8, for the engine with the largest loss.

    changed : share of matrices with another most likely class.
    difference : largest difference of a probability.
    allowed : largest loss of balanced accuracy at which int8 is written.
    """

    float32: dict[str, float]
    int8: dict[str, float]
    n: int
    changed: float
    difference: float
    allowed: float

    @property
    def loss(self) -> float:
        return max(self.float32[task] - self.int8[task] for task in self.float32)

    @property
    def holds(self) -> bool:
        return self.loss <= self.allowed

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"holds": self.holds}


def quantise(source: Path, target: Path, matrices: NDArray[np.float32], seed: int) -> None:
    """Write the network of ``source`` in int8, with ranges calibrated on a sample of ``matrices``.

    Weights use 7 bits: on CPUs without VNNI the sum of two products of 8-bit numbers overflows 16 bits.

    Raises
    ------
    InputError
        onnxruntime is not installed.
    """
    try:
        from onnxruntime import quantization
    except ImportError as error:
        raise missing_library("int8", error, "export") from None
    chosen = np.random.default_rng(seed).permutation(len(matrices))[:N_CALIBRATION]

    class Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter([np.sort(chosen)[i : i + BATCH] for i in range(0, len(chosen), BATCH)])

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"matrices": matrices[batch]}

    target.parent.mkdir()
    model = onnx.load(source)
    onnx.helper.set_model_props(model, dict([SIMPLE]))
    quantization.quantize_static(
        model,
        target,
        Batches(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    write_onnx(onnx.load(target), target)


def compare_int8(model: Model, engines: Sequence[ExportedModel], people: Dataset) -> Int8Trial:
    """Score float32 and int8 by repetition on the same people, and return the engine with the largest loss."""
    given = people.matrices[:], people.svm_inputs
    exact = model.probabilities(*given)
    trials = [_compare(exact, engine.probabilities(*given), people, model.description.classes) for engine in engines]
    return max(trials, key=lambda trial: trial.loss)


def _compare(
    exact: dict[str, NDArray[np.float64]],
    small: dict[str, NDArray[np.float64]],
    people: Dataset,
    classes: dict[str, tuple[str, ...]],
) -> Int8Trial:
    accuracy: dict[str, tuple[float, float]] = {}
    for task, of_task in exact.items():
        labelled = np.flatnonzero([label in classes[task] for label in people.labels(task)])
        if labelled.size:
            accuracy[task] = tuple(
                score(people, labelled, task, classes, found[labelled], intervals=False).balanced_accuracy
                for found in (of_task, small[task])
            )  # type: ignore[assignment]
    changed = [(exact[task].argmax(axis=1) != small[task].argmax(axis=1)).mean() for task in exact]
    return Int8Trial(
        {task: before for task, (before, _) in accuracy.items()},
        {task: after for task, (_, after) in accuracy.items()},
        len(people),
        float(max(changed)),
        float(max(np.abs(exact[task] - small[task]).max() for task in exact)),
        ALLOWED_LOSS,
    )


def calibration_split(data: Dataset, checkpoint: Path) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of matrices for calibration, and of labelled matrices of held-out people, from split.json if it exists.

    Raises
    ------
    InputError
        One of the two is empty.
    """
    labelled = np.array([bool(row.movement or row.gender) for row in data.rows])
    path = next((p for p in (checkpoint / "split.json", checkpoint.parent / "split.json") if p.is_file()), None)
    if path is None:
        log.warning(
            "no split.json beside %s: int8 is compared on half of the data, which training may have used", checkpoint
        )
        _, numbers = np.unique(data.repetitions, return_inverse=True)
        trained = numbers % 2 == 0
    else:
        trained = np.isin([row.file for row in data.rows], _trained_files(path))
    training, judged = np.flatnonzero(trained), np.flatnonzero(~trained & labelled)
    if not training.size or not judged.size:
        raise InputError(
            f"int8 needs matrices that were trained on, to calibrate, and labelled ones that were not, to judge; "
            f"found {training.size} and {judged.size}"
        )
    return training, judged


def _trained_files(path: Path) -> list[str]:
    try:
        return list(read_json(path)["train"]["files"])
    except (KeyError, TypeError):
        raise InputError(f"{path}: expected the files that were trained on, under 'train'") from None
