"""Open an export folder: read and check its description, and answer with one of the engines.

It does not know torch, or how the folder was written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.inference.description import ModelDescription, Probabilities
from semg_hht.inference.discriminant import COMMITTEE_FILES, Committee, read_committee
from semg_hht.inference.engines import MANY, SOONEST, Network, choose, installed, open_network
from semg_hht.inference.streamed import TABLE_FILE, WEIGHTS_FILE
from semg_hht.inference.svm import Svm, read_svm
from semg_hht.inference.svm_inputs import SvmInputs
from semg_hht.matrices.matrix import SIZE
from semg_hht.system.files import read_json

FORMAT = 2
DESCRIPTION_FILE, NETWORK_FILE = "export.json", "network.onnx"
SVM_FILES = {"action_quality": "action.npz", "gender": "gender.npz"}
EXPORT_FILES = (
    DESCRIPTION_FILE, NETWORK_FILE, WEIGHTS_FILE, TABLE_FILE, *SVM_FILES.values(), *COMMITTEE_FILES.values(),
)  # fmt: skip


@dataclass(frozen=True)
class ExportedModel:
    """A model that answers without torch.

    network : a function from the total number of matrices to the network that answers them, opened at its first use.
    n_matrices : the total number of matrices; None: many.
    """

    description: ModelDescription
    network: Callable[[int], Network]
    svms: dict[str, Svm]
    committees: dict[str, Committee]
    n_matrices: int | None = None

    def ready(self, n_matrices: int) -> ExportedModel:
        """The same model with the engine that answers this many matrices first, its start included."""
        return replace(self, n_matrices=n_matrices)

    def probabilities(
        self, matrices: NDArray[np.float32], inputs: SvmInputs | None = None, batch_size: int = 32
    ) -> Probabilities:
        """Task -> probabilities (n, n_classes) of matrices (n, n_planes, 256, 256).

        ``inputs`` is needed by a model whose recipe joins blocks.
        """
        return self.combine(*self.features_and_logits(matrices, batch_size), inputs)

    def features_and_logits(
        self, matrices: NDArray[np.float32], batch_size: int = 32
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Matrices (n, n_planes, 256, 256) -> features (n, n_features), logits (n, n_classes)."""
        network = self.network(MANY + 1 if self.n_matrices is None else self.n_matrices)
        starts = range(0, len(matrices), batch_size)
        batches = [network(np.ascontiguousarray(matrices[i : i + batch_size])) for i in starts]
        logits, features = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        return features, logits

    def combine(
        self, features: NDArray[np.float32], logits: NDArray[np.float32], inputs: SvmInputs | None = None
    ) -> Probabilities:
        """`probabilities` from features and logits that are already computed."""
        svms = {task: svm.probabilities for task, svm in self.svms.items()}
        return self.description.combine(features, logits, inputs, svms, self.committees)


def is_export(folder: Path) -> bool:
    return (folder / DESCRIPTION_FILE).is_file()


def open_export(folder: Path, engine: str = "auto") -> ExportedModel:
    """Open a folder that ``semg-hht export`` wrote.

    Parameters
    ----------
    engine : ``openvino``, ``onnxruntime``, ``numpy``; ``auto``: the installed engine that answers the total number of
        matrices first, opened at its first use.

    Raises
    ------
    InputError
        A file is missing, damaged, of another version, or does not fit the others.
    """
    path = folder / DESCRIPTION_FILE
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        stated = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise InputError(f"{path}: format {stated}; this version reads format {FORMAT}, export the run again")
    description = ModelDescription.from_json(content, str(path))
    shape = description.network
    try:
        precision, tasks = str(content["precision"]), list(content["svms"])
        if int(content["n_features"]) != shape.n_features:
            raise ValueError(f"expected {shape.n_features} features; found {content['n_features']}")
        joined = set(description.blocks) - set(description.chosen)
        if not joined <= set(tasks) <= set(SVM_FILES) & set(description.classes):
            raise ValueError(f"expected SVMs of {', '.join(SVM_FILES)}; found {', '.join({*joined, *tasks})}")
        if precision not in SOONEST:
            raise ValueError(f"expected a precision of {', '.join(SOONEST)}; found {precision}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: expected the description of an export; {error!r}") from None
    expected = {
        "matrices": (shape.n_planes, SIZE, SIZE), "logits": (shape.n_classes,), "features": (shape.n_features,),
    }  # fmt: skip
    svms = {
        task: read_svm(folder / SVM_FILES[task], description.svm_width(task), len(description.classes[task]))
        for task in tasks
    }
    committees = {
        task: read_committee(
            folder / COMMITTEE_FILES[task], description.svm_width(task), len(description.classes[task])
        )
        for task in description.chosen
    }
    engines = installed() if engine == "auto" else (engine,)
    if precision == "int8" and not (folder / TABLE_FILE).is_file():
        engines = tuple(name for name in engines if name != "numpy")
        if not engines:
            raise InputError(
                f"{folder}: an int8 export without {TABLE_FILE} (earlier versions wrote none) needs onnxruntime or "
                "openvino: pip install 'semg-hht[onnx]', or export the run again"
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
        return opened(choose(engines, precision, n_matrices))

    for name in engines if engine != "auto" else set(engines) & {"numpy"}:
        opened(name)  # reports a damaged folder now; NumPy opens it in no time
    return ExportedModel(description, network, svms, committees)
