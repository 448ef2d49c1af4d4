"""An export folder: what it says of itself, read and checked, and the engine that answers from it.

Knows the folder's files: nothing of torch, recordings or of how it was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.calibration import Calibration, softmax, with_temperature
from semg_hht.engines.networks import Network, open_network
from semg_hht.engines.svm import GenderSvm, read_gender_svm
from semg_hht.errors import InputError
from semg_hht.joining import Beside
from semg_hht.matrices import MAX_PLANES, SIZE
from semg_hht.storage import read_json

FORMAT = 1
DESCRIPTION_FILE, NETWORK_FILE, WEIGHTS_FILE, GENDER_FILE = "export.json", "network.onnx", "network.bin", "gender.npz"
EXPORT_FILES = (DESCRIPTION_FILE, NETWORK_FILE, WEIGHTS_FILE, GENDER_FILE)


@dataclass(frozen=True)
class ExportedModel:
    """What a model is without torch; see `semg_hht.learning.checkpoint.Model` for what the fields mean."""

    network: Network
    gender_svm: GenderSvm | None
    encoder_task: str
    classes: dict[str, tuple[str, ...]]
    n_planes: int
    preparation: dict[str, Any] | None
    peak: float
    calibration: dict[str, Calibration]
    blocks: dict[str, dict[str, int]] = field(default_factory=dict)

    def probabilities(
        self, matrices: NDArray[np.float32], beside: Beside | None = None, batch_size: int = 32
    ) -> dict[str, NDArray[np.float64]]:
        """Task -> (n, n_classes) in the order of ``classes``; matrices (n, n_planes, 256, 256).

        ``beside`` is what a recipe joins; none that can be exported does.
        """
        starts = range(0, len(matrices), batch_size)
        found = [self.network(np.ascontiguousarray(matrices[i : i + batch_size])) for i in starts]
        logits, features = (np.concatenate(of_batches) for of_batches in zip(*found, strict=True))
        answers = {}
        if self.encoder_task == "action_quality":
            answers["action_quality"] = softmax(logits)
        if self.gender_svm is not None:
            answers["gender"] = self.gender_svm.probabilities(features)
        return {
            task: with_temperature(of_task, self.calibration.get(task, Calibration()).temperature)
            for task, of_task in answers.items()
        }


def is_export(folder: Path) -> bool:
    return (folder / DESCRIPTION_FILE).is_file()


def open_export(folder: Path, engine: str = "auto") -> ExportedModel:
    """Open a folder that ``semg-hht export`` wrote.

    Parameters
    ----------
    engine : ``openvino``, ``onnxruntime`` or ``auto``, the first of them that is installed.

    Raises
    ------
    InputError
        A file is missing, damaged, of another version, or does not fit the others.
    """
    path = folder / DESCRIPTION_FILE
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: format {found}; this version reads format {FORMAT}, export the run again")
    try:
        classes = {task: tuple(map(str, names)) for task, names in content["classes"].items()}
        encoder_task, preparation, peak = content["encoder_task"], content["preparation"], float(content["peak"])
        n_planes, n_features = int(content["network"]["n_planes"]), int(content["n_features"])
        has_gender_svm = bool(content["gender_svm"])
        calibration = {
            task: Calibration(**{name: float(value) for name, value in found.items()})
            for task, found in content["calibration"].items()
        }
        expected = {
            "matrices": (n_planes, SIZE, SIZE), "logits": (len(classes[encoder_task]),), "features": (n_features,),
        }  # fmt: skip
        if has_gender_svm and len(classes["gender"]) != 2:
            raise ValueError(f"expected two genders; found {len(classes['gender'])}")
        if not 1 <= n_planes <= MAX_PLANES:
            raise ValueError(f"expected 1 to {MAX_PLANES} planes; found {n_planes}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: expected the description of an export; {error!r}") from None
    svm = read_gender_svm(folder / GENDER_FILE, n_features) if has_gender_svm else None
    network = open_network(folder / NETWORK_FILE, engine)
    for name, shape in expected.items():
        if network.shapes.get(name, ())[1:] != shape:
            raise InputError(
                f"{folder / NETWORK_FILE}: expected {name!r} of shape (n, {', '.join(map(str, shape))}), as "
                f"{DESCRIPTION_FILE} says; found {network.shapes.get(name)}"
            )
    return ExportedModel(network, svm, encoder_task, classes, n_planes, preparation, peak, calibration)
