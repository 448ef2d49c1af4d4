"""Run directories: atomic save, safe load, a model rebuilt from its own files.

Knows files, weights and class names: nothing of epochs or data. Nothing here is a pickle: weights are safetensors, the
SVM is skops with a closed list of types, the rest is JSON, so that opening a stranger's run can't run code.
"""

from __future__ import annotations

import errno
import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
from semg_hht.evaluation.calibration import Calibration, softmax, with_temperature
from semg_hht.inference.svm import Svm, read_svm, write_svm
from semg_hht.inference.svm_inputs import Beside, joined
from semg_hht.learning.matrix_store import Packed, in_turn
from semg_hht.learning.network import ActionNetwork, NetworkConfig
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
ARRAY_FILES = {"action_quality": "action.npz", "gender": "gender.npz"}  # the same SVMs, to answer without scikit-learn
STATE_FILE = "state.safetensors"
RUN_FILES = (
    "best", "final", "last", "checkpoint_epoch_*", "config.json", "split.json", "history.jsonl", "metrics.json",
    "test_predictions.json", "history.png", "confusion.png",
)  # fmt: skip
INFERENCE_BATCH = 32


@dataclass(frozen=True)
class Model:
    """A trained network, the SVMs on its features, and what they were trained for.

    svms : task -> SVM; gender is always one's answer, action quality where a recipe joins more to the features.
    blocks : task -> what its SVM is given of a repetition and how many numbers each is (see `svm_inputs`); a task
        that isn't there is answered matrix by matrix, on the network's features alone.
    encoder_task : what the network's head answers: ``action_quality``, or ``gender`` where only that was labelled.
    classes : task -> class names in output order.
    preparation : settings of the matrices; None for matrices of another tool.
    epoch : epochs the weights were trained.
    peak : largest value of a training matrix, on average; matrices of other tools are stretched to it.
    calibration : task -> how its probabilities are read; none before training ends.
    arrays : task -> the SVM as arrays, which then answer; without them scikit-learn does.
    """

    network: ActionNetwork
    svms: Mapping[str, Any]
    encoder_task: str
    classes: dict[str, tuple[str, ...]]
    preparation: dict[str, Any] | None
    epoch: int
    peak: float = 1.0
    calibration: dict[str, Calibration] = field(default_factory=dict)
    blocks: dict[str, dict[str, int]] = field(default_factory=dict)
    arrays: Mapping[str, Svm] = field(default_factory=dict)

    def ready(self, n_matrices: int) -> Model:
        """One engine, however many matrices there are."""
        return self

    @torch.inference_mode()
    def features_and_logits(
        self, matrices: NDArray[np.float32] | Packed, batch_size: int = INFERENCE_BATCH
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Matrices (n, n_planes, 256, 256) -> features (n, n_features), logits (n, n_classes); in evaluation mode."""
        device = next(self.network.parameters()).device
        self.network.eval()
        features, logits = [], []
        parts = [slice(start, start + batch_size) for start in range(0, len(matrices), batch_size)]
        for part in in_turn(matrices, parts):
            batch = torch.from_numpy(part).to(device)
            n = len(batch)  # alone, a row is added up otherwise: an answer would depend on the batch
            encoded = self.network.encoder(batch.expand(max(n, 2), -1, -1, -1))[:n]
            features.append(encoded.cpu())
            logits.append(torch.cat([self.network.head(row) for row in encoded.split(1)]).cpu())
        return torch.cat(features).numpy(), torch.cat(logits).numpy()

    def probabilities(
        self, matrices: NDArray[np.float32] | Packed, beside: Beside | None = None, batch_size: int = INFERENCE_BATCH
    ) -> dict[str, NDArray[np.float64]]:
        """Task -> (n, n_classes) in the order of ``classes``; where blocks are joined, the same for a repetition.

        ``beside`` : what the blocks are made of; a run without any needs none.
        """
        return self.answers_of(*self.features_and_logits(matrices, batch_size), beside)

    def answers_of(
        self, features: NDArray[np.float32], logits: NDArray[np.float32], beside: Beside | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """`probabilities`, from what the network has made of the matrices already."""
        answers = {}
        if self.encoder_task == "action_quality":
            answers["action_quality"] = softmax(logits)
        for task in self.svms:
            if task in self.blocks:
                assert beside is not None
                of_example, table = joined(tuple(self.blocks[task]), features, beside)
                answers[task] = self._of_svm(task, table)[of_example]
            else:
                answers[task] = self._of_svm(task, features)
        return {
            task: with_temperature(of_task, self.calibration.get(task, Calibration()).temperature)
            for task, of_task in answers.items()
        }

    def _of_svm(self, task: str, table: NDArray[Any]) -> NDArray[np.float64]:
        if task in self.arrays:
            return self.arrays[task].probabilities(table)
        return probabilities(self.svms[task], table, self.classes[task])


class _Svms(Mapping[str, Any]):
    """SVMs in files, each read when it is first asked for: answers from arrays want neither them nor scikit-learn."""

    def __init__(self, read: Mapping[str, Callable[[], Any]]) -> None:
        self._read = {task: cache(of_task) for task, of_task in read.items()}

    def __getitem__(self, task: str) -> Any:
        return self._read[task]()

    def __contains__(self, task: object) -> bool:  # Mapping's own would read it
        return task in self._read

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def save_model(model: Model, folder: Path) -> None:
    """Write a checkpoint folder; it appears whole, or what stood there stays."""
    weights = network_weights(model.network)
    require_space(folder, _n_bytes(weights))
    with whole_folder(folder) as part:
        _write_tensors(part / NETWORK_FILE, weights)
        for task, svm in model.svms.items():
            save_svm(svm, part / SVM_FILES[task])
            write_svm(svm_arrays(svm, model.classes[task]), part / ARRAY_FILES[task])
        write_json(part / MODEL_FILE, _description(model))


def complete_model(model: Model, folder: Path) -> None:
    """Put the SVMs and the calibration, which come when training ends, into a checkpoint that was saved without."""
    for task, svm in model.svms.items():
        (folder / ARRAY_FILES[task]).unlink(missing_ok=True)  # never arrays of another SVM than the one beside them
        with whole_file(folder / SVM_FILES[task]) as part:
            save_svm(svm, part)
        write_svm(svm_arrays(svm, model.classes[task]), folder / ARRAY_FILES[task])
    write_json(folder / MODEL_FILE, _description(model))


def _description(model: Model) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "network": asdict(model.network.config),
        "encoder_task": model.encoder_task,
        "classes": {task: list(names) for task, names in model.classes.items()},
        "epoch": model.epoch,
        "preparation": model.preparation,
        "peak": model.peak,
        "calibration": {task: asdict(found) for task, found in model.calibration.items()},
        "blocks": model.blocks,
        "versions": versions(),
    }


def load_model(folder: Path) -> Model:
    """Rebuild a model from a checkpoint folder alone.

    Raises
    ------
    InputError
        A file is missing, damaged, from another version, or the weights don't fit the network they claim.
    """
    content = read_model_file(folder)
    try:
        config = NetworkConfig(**content["network"])
        classes = {str(task): tuple(map(str, names)) for task, names in content["classes"].items()}
        encoder_task, epoch, preparation = content["encoder_task"], content["epoch"], content["preparation"]
        peak = float(content["peak"])
        calibration = {
            task: Calibration(**{name: float(value) for name, value in found.items()})
            for task, found in content["calibration"].items()
        }
        n_answers = len(classes[encoder_task])
        blocks = {
            task: {str(name): int(width) for name, width in found.items()}
            for task, found in content.get("blocks", {}).items()  # runs from before there were recipes have none
        }
    except InputError as error:
        raise InputError(f"{folder / MODEL_FILE}: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{folder / MODEL_FILE}: expected a model description; {error}") from None
    if n_answers != config.n_classes:
        raise InputError(f"{folder / MODEL_FILE}: {n_answers} class names, but a network of {config.n_classes} classes")
    network = ActionNetwork(config)
    load_weights(network, _read_tensors(folder / NETWORK_FILE), folder / NETWORK_FILE)
    readers: dict[str, Callable[[], Any]] = {}
    arrays = {}
    for task, name in SVM_FILES.items():
        if not (folder / name).is_file():
            continue
        width = sum(blocks[task].values()) if task in blocks else config.n_features
        names = classes.get(task, ())
        readers[task] = partial(_read_svm, folder / name, names, width)
        if (folder / ARRAY_FILES[task]).is_file():
            arrays[task] = read_svm(folder / ARRAY_FILES[task], width, len(names))
    svms = _Svms(readers)
    for task in readers.keys() - arrays.keys():  # runs from before there were arrays
        svms[task]  # so that a damaged one is said at once
    return Model(network, svms, encoder_task, classes, preparation, epoch, peak, calibration, blocks, arrays)


def _read_svm(path: Path, classes: Sequence[str], width: int) -> Any:
    svm = load_svm(path)
    if set(svm.classes_) != set(classes):
        raise InputError(f"{path}: answers {', '.join(svm.classes_)}; {MODEL_FILE} says otherwise")
    if svm.n_features_in_ != width:
        raise InputError(f"{path}: reads {svm.n_features_in_} numbers; {MODEL_FILE} says {width}")
    return svm


def read_model_file(folder: Path) -> dict[str, Any]:
    """The description of a checkpoint, its format checked."""
    content = read_json(folder / MODEL_FILE)
    if not isinstance(content, dict) or "format" not in content:
        raise InputError(f"{folder / MODEL_FILE}: expected a model description with a 'format'")
    if content["format"] != FORMAT:
        known = content.get("versions")
        written_by = known.get("semg-hht") if isinstance(known, dict) else "an unknown version"
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
    """Everything resume needs, in one file, so that it is replaced in one step.

    facts : JSON: epoch, best score, history, settings and the data's fingerprint.
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    facts: dict[str, Any]


def save_state(state: State, folder: Path) -> None:
    tensors = {f"network.{name}": tensor for name, tensor in state.weights.items()}
    tensors |= {f"optimizer.{name}": tensor for name, tensor in state.optimizer.items()}
    require_space(folder, _n_bytes(tensors))
    with whole_file(folder / STATE_FILE) as part:
        # One entry: safetensors writes several in whatever order, and the same state should be the same bytes.
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
        stated = metadata.get("format") or facts.pop("format", None)  # apart in runs of earlier versions
    except (*BROKEN_JSON, AttributeError, TypeError) as error:
        raise InputError(f"{path}: expected what resume needs as JSON; {error}") from None
    if stated != str(FORMAT):
        raise InputError(f"{path}: format {stated}; this version resumes format {FORMAT}")
    return State(part("network."), part("optimizer."), facts)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimizer as flat names: ``<parameter number>.<moment>``."""
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
    """What wrote a run, to be found again years later."""
    names = ("semg-hht", "torch", "numpy", "scipy", "scikit-learn", "skops")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def _n_bytes(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """With the user's file mode (the library writes for the owner alone) and errors that say what they are."""
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
