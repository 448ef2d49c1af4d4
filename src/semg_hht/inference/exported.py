"""An export folder: what it says of itself, read and checked, and the engine that answers from it.

Knows the folder's files: nothing of torch, recordings or of how it was written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.evaluation.calibration import Calibration, softmax, with_temperature
from semg_hht.inference.engines import MANY, SOONEST, Network, choose, installed, open_network
from semg_hht.inference.streamed import TABLE_FILE, WEIGHTS_FILE
from semg_hht.inference.svm import Svm, read_svm
from semg_hht.inference.svm_inputs import Beside, joined
from semg_hht.matrices.matrix import MAX_PLANES, SIZE
from semg_hht.system.files import read_json

FORMAT = 2
DESCRIPTION_FILE, NETWORK_FILE = "export.json", "network.onnx"
SVM_FILES = {"action_quality": "action.npz", "gender": "gender.npz"}
EXPORT_FILES = (DESCRIPTION_FILE, NETWORK_FILE, WEIGHTS_FILE, TABLE_FILE, *SVM_FILES.values())


@dataclass(frozen=True)
class ExportedModel:
    """What a model is without torch; see `semg_hht.learning.checkpoint.Model` for what the other fields mean.

    network : number of matrices in all -> the network that answers them, opened when it is first asked for.
    n_matrices : that number; None: many.
    """

    network: Callable[[int], Network]
    svms: dict[str, Svm]
    encoder_task: str
    classes: dict[str, tuple[str, ...]]
    n_planes: int
    preparation: dict[str, Any] | None
    peak: float
    calibration: dict[str, Calibration]
    blocks: dict[str, dict[str, int]]
    n_matrices: int | None = None

    def ready(self, n_matrices: int) -> ExportedModel:
        """The same, with the engine that answers so many the soonest, its start included."""
        return replace(self, n_matrices=n_matrices)

    def probabilities(
        self, matrices: NDArray[np.float32], beside: Beside | None = None, batch_size: int = 32
    ) -> dict[str, NDArray[np.float64]]:
        """Task -> (n, n_classes) in the order of ``classes``; matrices (n, n_planes, 256, 256).

        ``beside`` : what the blocks are made of; a run without any needs none.
        """
        network = self.network(MANY + 1 if self.n_matrices is None else self.n_matrices)
        starts = range(0, len(matrices), batch_size)
        found = [network(np.ascontiguousarray(matrices[i : i + batch_size])) for i in starts]
        logits, features = (np.concatenate(of_batches) for of_batches in zip(*found, strict=True))
        answers = {}
        if self.encoder_task == "action_quality":
            answers["action_quality"] = softmax(logits)
        for task, svm in self.svms.items():
            if task in self.blocks:
                assert beside is not None
                of_example, table = joined(tuple(self.blocks[task]), features, beside)
                answers[task] = svm.probabilities(table)[of_example]
            else:
                answers[task] = svm.probabilities(features)
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
    engine : ``openvino``, ``onnxruntime``, ``numpy``; ``auto``: of those that are installed the one that answers the
        soonest, by how many matrices there are in all, opened when it is first asked.

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
        precision = str(content["precision"])
        n_planes, n_features = int(content["network"]["n_planes"]), int(content["n_features"])
        blocks = {
            task: {str(name): int(width) for name, width in found.items()} for task, found in content["blocks"].items()
        }
        columns = {task: sum(blocks[task].values()) if task in blocks else n_features for task in content["svms"]}
        calibration = {
            task: Calibration(**{name: float(value) for name, value in found.items()})
            for task, found in content["calibration"].items()
        }
        expected = {
            "matrices": (n_planes, SIZE, SIZE), "logits": (len(classes[encoder_task]),), "features": (n_features,),
        }  # fmt: skip
        if not set(blocks) <= set(columns) <= set(SVM_FILES):
            raise ValueError(f"expected SVMs of {', '.join(SVM_FILES)}; found {', '.join({*blocks, *columns})}")
        if precision not in SOONEST:
            raise ValueError(f"expected a precision of {', '.join(SOONEST)}; found {precision}")
        if not 1 <= n_planes <= MAX_PLANES:
            raise ValueError(f"expected 1 to {MAX_PLANES} planes; found {n_planes}")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: expected the description of an export; {error!r}") from None
    svms = {task: read_svm(folder / SVM_FILES[task], width, len(classes[task])) for task, width in columns.items()}
    here = installed(precision) if engine == "auto" else (engine,)
    if not here:
        raise InputError(f"{folder}: int8 needs onnxruntime or openvino: pip install 'semg-hht[onnx]'")
    if precision != "float32" and engine == "numpy":
        raise InputError(
            f"{folder}: {precision} is for onnxruntime and openvino; numpy reads what is exported without it"
        )

    @cache
    def opened(name: str) -> Network:
        network = open_network(folder / NETWORK_FILE, name)
        for port, shape in expected.items():
            if network.shapes.get(port, ())[1:] != shape:
                raise InputError(
                    f"{folder / NETWORK_FILE}: expected {port!r} of shape (n, {', '.join(map(str, shape))}), as "
                    f"{DESCRIPTION_FILE} says; found {network.shapes.get(port)} in {name}"
                )
        return network

    def network(n_matrices: int) -> Network:
        return opened(choose(here, precision, n_matrices))

    for name in here if engine != "auto" else set(here) & {"numpy"}:
        opened(name)  # so that a damaged folder is said at once; NumPy's takes no time
    return ExportedModel(network, svms, encoder_task, classes, n_planes, preparation, peak, calibration, blocks)
