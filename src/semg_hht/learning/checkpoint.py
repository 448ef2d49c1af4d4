"""Save and load checkpoints: atomic writes, safe reads, a model rebuilt from its own files.

It knows files, weights and class names, and does not know epochs or data. No file is a pickle: weights are safetensors,
the SVM is skops with a closed list of types, the rest is JSON. Loading a run from someone else can't run code.
"""

from __future__ import annotations

import errno
import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from semg_hht.errors import InputError
from semg_hht.inference.description import ModelDescription, Probabilities
from semg_hht.inference.discriminant import (
    COMMITTEE_FILES,
    Committee,
    read_committee,
    write_committee,
)
from semg_hht.inference.svm import Svm, read_svm, write_svm
from semg_hht.inference.svm_inputs import SvmInputs
from semg_hht.learning.device import exact_float32
from semg_hht.learning.matrix_store import PackedMatrices, read_parts
from semg_hht.learning.network import ActionNetwork
from semg_hht.learning.svm_arrays import svm_arrays
from semg_hht.learning.svm_training import load_svm, probabilities, save_svm
from semg_hht.system.files import (
    BROKEN_JSON,
    read_json,
    require_file,
    require_space,
    whole_file,
    whole_folder,
    write_json,
)

FORMAT = 1
NETWORK_FILE, MODEL_FILE = "network.safetensors", "model.json"
SVM_FILES = {"action_quality": "action.skops", "gender": "gender.skops"}
ARRAY_FILES = {
    "action_quality": "action.npz",
    "gender": "gender.npz",
}  # the same SVMs, which predict without scikit-learn
STATE_FILE = "state.safetensors"
RUN_FILES = (
    "best", "final", "last", "checkpoint_epoch_*", "config.json", "split.json", "history.jsonl", "metrics.json",
    "test_predictions.json", "history.png", "confusion.png",
)  # fmt: skip
INFERENCE_BATCH = 32


@dataclass(frozen=True)
class Model:
    """A trained network, the SVMs on its features, and their description.

    svms : task -> fitted scikit-learn Pipeline. An SVM always predicts gender, and action quality where a recipe
        joins more blocks than the network's features.
    arrays : task -> the same SVM as arrays, which predict faster; without them scikit-learn predicts.
    committees : task -> what answers a task that the recipe ``auto`` chose for.
    """

    description: ModelDescription
    network: ActionNetwork
    svms: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Svm] = field(default_factory=dict)
    committees: Mapping[str, Committee] = field(default_factory=dict)

    def ready(self, n_matrices: int) -> Model:
        """The same model: torch handles any number of matrices (see `ExportedModel.ready`)."""
        return self

    @torch.inference_mode()
    @exact_float32()
    def features_and_logits(
        self, matrices: NDArray[np.float32] | PackedMatrices, batch_size: int = INFERENCE_BATCH
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Matrices (n, n_planes, 256, 256) -> features (n, n_features), logits (n, n_classes), in evaluation mode."""
        device = next(self.network.parameters()).device
        self.network.eval()
        features, logits = [], []
        parts = [slice(start, start + batch_size) for start in range(0, len(matrices), batch_size)]
        for part in read_parts(matrices, parts):
            batch = torch.from_numpy(part).to(device)
            # torch sums a batch of one in another order than larger batches. At least two rows keep the result for a
            # matrix independent of its batch.
            n = len(batch)
            encoded = self.network.encoder(batch.expand(max(n, 2), -1, -1, -1))[:n]
            features.append(encoded.cpu())
            logits.append(torch.cat([self.network.head(row) for row in encoded.split(1)]).cpu())
        return torch.cat(features).numpy(), torch.cat(logits).numpy()

    def probabilities(
        self,
        matrices: NDArray[np.float32] | PackedMatrices,
        inputs: SvmInputs | None = None,
        batch_size: int = INFERENCE_BATCH,
    ) -> Probabilities:
        """Task -> probabilities (n, n_classes); ``inputs`` is needed by a model whose SVMs join blocks."""
        return self.combine(*self.features_and_logits(matrices, batch_size), inputs)

    def combine(
        self, features: NDArray[np.float32], logits: NDArray[np.float32], inputs: SvmInputs | None = None
    ) -> Probabilities:
        """`probabilities` from features and logits that are already computed."""
        svms = {task: self._svm(task) for task in self.svms}
        return self.description.combine(features, logits, inputs, svms, self.committees)

    def _svm(self, task: str) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
        if task in self.arrays:
            return self.arrays[task].probabilities
        return partial(probabilities, self.svms[task], classes=self.description.classes[task])


class _Svms(Mapping[str, Any]):
    """SVMs in files. Each is read at first use, because predictions from arrays need neither them nor scikit-learn."""

    def __init__(self, read: Mapping[str, Callable[[], Any]]) -> None:
        self._read = {task: cache(of_task) for task, of_task in read.items()}

    def __getitem__(self, task: str) -> Any:
        return self._read[task]()

    def __contains__(self, task: object) -> bool:  # the inherited method would read the file
        return task in self._read

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def save_model(model: Model, folder: Path) -> None:
    """Write a checkpoint folder; if the write fails, the previous folder stays."""
    weights = network_weights(model.network)
    require_space(folder, _n_bytes(weights))
    with whole_folder(folder) as part:
        _write_tensors(part / NETWORK_FILE, weights)
        for task, svm in model.svms.items():
            save_svm(svm, part / SVM_FILES[task])
            write_svm(svm_arrays(svm, model.description.classes[task]), part / ARRAY_FILES[task])
        for task, committee in model.committees.items():
            write_committee(committee, part / COMMITTEE_FILES[task])
        write_json(part / MODEL_FILE, _description(model))


def complete_model(model: Model, folder: Path) -> None:
    """Add SVMs, committees and calibration, which are fitted when training ends, to a saved checkpoint."""
    for task, svm in model.svms.items():
        (folder / ARRAY_FILES[task]).unlink(missing_ok=True)  # the arrays must never belong to another SVM
        with whole_file(folder / SVM_FILES[task]) as part:
            save_svm(svm, part)
        write_svm(svm_arrays(svm, model.description.classes[task]), folder / ARRAY_FILES[task])
    for task, committee in model.committees.items():
        write_committee(committee, folder / COMMITTEE_FILES[task])
    write_json(folder / MODEL_FILE, _description(model))


def _description(model: Model) -> dict[str, Any]:
    return {"format": FORMAT, **model.description.to_json(), "versions": versions()}


def load_model(folder: Path) -> Model:
    """Rebuild a model from a checkpoint folder alone.

    Raises
    ------
    InputError
        A file is missing, damaged or of another version, or the weights do not fit the network described beside them.
    """
    description = ModelDescription.from_json(read_model_file(folder), str(folder / MODEL_FILE))
    network = ActionNetwork(description.network)
    load_weights(network, _read_tensors(folder / NETWORK_FILE), folder / NETWORK_FILE)
    readers: dict[str, Callable[[], Any]] = {}
    arrays = {}
    for task, name in SVM_FILES.items():
        if not (folder / name).is_file():
            continue
        width, classes = description.svm_width(task), description.classes.get(task, ())
        readers[task] = partial(_read_svm, folder / name, classes, width)
        if (folder / ARRAY_FILES[task]).is_file():
            arrays[task] = read_svm(folder / ARRAY_FILES[task], width, len(classes))
    svms = _Svms(readers)
    for task in readers.keys() - arrays.keys():  # runs of earlier versions have no arrays
        svms[task]  # read now, so that a damaged file is reported when the run is opened
    committees = {
        task: read_committee(folder / COMMITTEE_FILES[task], description.svm_width(task), len(names))
        for task, names in description.classes.items()
        if task in description.chosen
    }
    return Model(description, network, svms, arrays, committees)


def _read_svm(path: Path, classes: Sequence[str], width: int) -> Any:
    svm = load_svm(path)
    if set(svm.classes_) != set(classes):
        raise InputError(f"{path}: answers {', '.join(svm.classes_)}; {MODEL_FILE} says otherwise")
    if svm.n_features_in_ != width:
        raise InputError(f"{path}: reads {svm.n_features_in_} numbers; {MODEL_FILE} says {width}")
    return svm


def read_model_file(folder: Path) -> dict[str, Any]:
    """Read the description of a checkpoint and check its format."""
    content = read_json(folder / MODEL_FILE)
    if not isinstance(content, dict) or "format" not in content:
        raise InputError(f"{folder / MODEL_FILE}: expected a model description with a 'format'")
    if content["format"] != FORMAT:
        writer = content.get("versions")
        written_by = writer.get("semg-hht") if isinstance(writer, dict) else "an unknown version"
        raise InputError(
            f"{folder / MODEL_FILE}: format {content['format']}, written by semg-hht {written_by}; "
            f"this version reads format {FORMAT}"
        )
    return content


def network_weights(network: ActionNetwork) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def load_weights(network: ActionNetwork, weights: Mapping[str, Tensor], source: Path) -> None:
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{source}: these weights don't fit the network described beside them; {reason}") from None


@dataclass(frozen=True)
class State:
    """Everything that resuming needs. One file holds it, so that a single rename replaces it.

    facts : JSON with settings, history and the planned number of epochs.
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    facts: dict[str, Any]


def save_state(state: State, folder: Path) -> None:
    tensors = {f"network.{name}": tensor for name, tensor in state.weights.items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in state.optimizer.items()}
    require_space(folder, _n_bytes(tensors))
    with whole_file(folder / STATE_FILE) as part:
        # A single entry: safetensors writes several in any order, but the same state should give the same bytes.
        _write_tensors(part, tensors, {"facts": json.dumps({"format": str(FORMAT), **state.facts})})


def load_state(folder: Path) -> State:
    """Read what `save_state` wrote.

    Raises
    ------
    InputError
        Missing, damaged, or of another format.
    """
    path = folder / STATE_FILE
    tensors = _read_tensors(path)
    with safe_open(path, framework="pt") as archive:
        metadata = archive.metadata() or {}

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

    try:
        facts = json.loads(metadata.get("facts", "{}"))
        stated = metadata.get("format") or facts.pop("format", None)  # a separate entry in runs of earlier versions
    except (*BROKEN_JSON, AttributeError, TypeError) as error:
        raise InputError(f"{path}: expected what resume needs as JSON; {error}") from None
    if stated != str(FORMAT):
        raise InputError(f"{path}: format {stated}; this version resumes format {FORMAT}")
    return State(part("network."), part("optimizer."), facts)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimizer under flat names, ``<parameter number>.<moment>``."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": t.detach().cpu().contiguous() for i, moments in state.items() for name, t in moments.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    content = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, moment = name.split(".", 1)
        state.setdefault(int(number), {})[moment] = tensor
    optimizer.load_state_dict({**content, "state": state})


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that wrote a run."""
    names = ("semg-hht", "torch", "numpy", "scipy", "scikit-learn", "skops")
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


@cache
def _version(name: str) -> str:
    """Version of a package; to read the description of one takes milliseconds, and every epoch may be saved."""
    return version(name)


def _n_bytes(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write safetensors with the usual file mode (the library allows only the owner) and with an OSError on failure."""
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, f"could not be written; {error}", str(path)) from None
    path.chmod(mode)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    require_file(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read as safetensors (cut short, or another format); {error}") from None
