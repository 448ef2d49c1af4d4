"""The epoch loop: train, score the validation people, keep the best epoch, resume to the same bits.

It knows datasets and networks, and does not know recordings or figures. Lightning Fabric chooses CPU or GPU.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed
from torch.nn import functional

from semg_hht.errors import InputError
from semg_hht.evaluation.metrics import Report, evaluate, pool
from semg_hht.inference.description import ModelDescription, NetworkConfig
from semg_hht.inference.svm_inputs import RECIPES
from semg_hht.learning.checkpoint import (
    STATE_FILE,
    Model,
    State,
    load_optimizer,
    load_state,
    load_weights,
    network_weights,
    optimizer_tensors,
    save_model,
    save_state,
)
from semg_hht.learning.cpu_convolution import (
    choose_convolutions,
    clip_gradients,
    take_gradients,
    weights_in_memory_order,
)
from semg_hht.learning.data_parallel import Batch, Share, share_batch
from semg_hht.learning.dataset import Dataset, Indices
from semg_hht.learning.dataset_rows import are_segmented
from semg_hht.learning.matrix_store import read_parts
from semg_hht.learning.network import ActionNetwork, recalibrate_batch_norm
from semg_hht.learning.schedule import epoch_batches, epoch_seed, learning_rate_at
from semg_hht.learning.split import Split
from semg_hht.recordings.manifest import TASKS
from semg_hht.system.arguments import checked
from semg_hht.system.files import read_json, write_json, write_text
from semg_hht.system.progress import TrainingProgress
from semg_hht.system.seeds import require_seed

log = logging.getLogger(__name__)

CONVOLUTIONS = ("products", "torch")
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}
N_RECALIBRATION = 256  # training examples from which batch norm statistics are computed after each epoch


@checked
@dataclass(frozen=True)
class TrainingConfig:
    """How a run is trained.

    patience : number of epochs without a better validation score before training stops; None: no limit.
    recipe : the blocks that the SVMs join (see `semg_hht.inference.svm_inputs.RECIPES`).
    convolutions : on a CPU, matrix ``products`` or ``torch``'s convolutions; results differ by rounding only.
    precision : ``bfloat16`` computes the convolutions with fewer digits; weights and the rest stay float32.
    """

    epochs: int = 100
    batch_size: int = 16
    learning_rate: float = 1e-4
    weight_decay: float = 1e-4
    warmup_epochs: int = 5
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    test_size: float = 0.2
    validation_size: float = 0.2
    patience: int | None = None
    checkpoint_every: int = 20
    seed: int = 42
    recipe: str = "plain"
    convolutions: str = "products"
    precision: str = "float32"

    def __post_init__(self) -> None:
        require_seed(self.seed)
        for name in ("epochs", "checkpoint_every", "patience"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise InputError(f"{name} must be at least 1; got {number}")
        if self.batch_size < 2:
            raise InputError(f"batch_size must be at least 2 (BatchNorm needs a variance); got {self.batch_size}")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be above 0; got {self.learning_rate:g}")
        for name, allowed in (("recipe", RECIPES), ("convolutions", CONVOLUTIONS), ("precision", PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        if self.precision == "bfloat16" and self.convolutions == "torch":
            raise InputError("precision bfloat16 is that of convolutions as products; got convolutions 'torch'")


@dataclass(frozen=True)
class Epoch:
    """One line of history.jsonl. The validation score is pooled per repetition."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_balanced_accuracy: float

    @property
    def score(self) -> tuple[float, float]:
        """Sort key for the best epoch: balanced accuracy, then lower loss."""
        return self.validation_balanced_accuracy, -self.validation_loss


def encoder_task(classes: dict[str, tuple[str, ...]]) -> str:
    """The task that the encoder is trained on: action quality if labelled, else gender (with a log message).

    Raises
    ------
    InputError
        A single class.
    """
    task = next(task for task in TASKS if task in classes)
    if len(classes[task]) < 2:
        raise InputError(
            f"{task}: only one class ({classes[task][0]}) is labelled; expected at least two to tell apart"
        )
    if task == "gender":
        log.info("no action labels are used: the encoder is trained on gender first, then the SVM on its features")
    return task


@dataclass
class Fitting:
    """A run in progress: the state that changes from epoch to epoch, and the training of one epoch."""

    dataset: Dataset
    split: Split
    task: str
    classes: dict[str, tuple[str, ...]]
    network_config: NetworkConfig
    config: TrainingConfig
    folder: Path
    fabric: Fabric

    def __post_init__(self) -> None:
        self.share = Share(self.fabric.global_rank, self.fabric.world_size)
        torch.manual_seed(self.config.seed)
        self.network = ActionNetwork(self.network_config)
        as_products, precision = self.config.convolutions == "products", PRECISIONS[self.config.precision]
        choose_convolutions(self.network, as_products=as_products, precision=precision)
        self.wrapped = self.fabric.setup_module(self.network)
        self.weights = weights_in_memory_order(self.network)
        self.optimizer = torch.optim.AdamW(
            self.weights, lr=self.config.learning_rate, weight_decay=self.config.weight_decay, fused=True
        )
        self.history: list[Epoch] = []
        self.fingerprint = self.dataset.fingerprint()
        names = self.classes[self.task]
        self.target = np.array([names.index(label) if label else -1 for label in self.dataset.labels(self.task)])
        self.train = self._labelled(self.split.train)
        self.validation = self._labelled(self.split.validation)
        if not len(self.validation):
            raise InputError(f"{self.task}: nobody with a label is left to pick the best epoch on; expected more")
        self.peak = float(np.mean(self.dataset.peaks[self.train]))
        counts = np.bincount(self.target[self.train], minlength=len(names))
        if np.any(counts == 0):
            missing = ", ".join(name for name, count in zip(names, counts, strict=True) if count == 0)
            raise InputError(
                f"{self.task}: nothing is left to train {missing} on; expected every class in several subjects"
            )
        # A rare class weighs more, so that all classes together weigh the same in the loss.
        self.class_weights = self.fabric.to_device(
            torch.tensor(counts.sum() / (len(names) * counts), dtype=torch.float32)
        )
        sizes = [len(batch) for batch in epoch_batches(len(self.train), self.config.batch_size, self.config.seed, 0)]
        if min(sizes) < self.share.n:
            raise InputError(f"a batch of {min(sizes)} is too small for {self.share.n} processes; set batch_size=...")
        self.n_steps_per_epoch = len(sizes)

    def _labelled(self, indices: Indices) -> Indices:
        return indices[self.target[indices] >= 0]

    def matrices(self, parts: Sequence[Indices]) -> Iterator[Tensor]:
        """Matrices (n, n_planes, 256, 256) of each part, on the device."""
        return (self.fabric.to_device(torch.from_numpy(part)) for part in read_parts(self.dataset.matrices, parts))

    def run_epoch(self, epoch: int, on_step: Callable[[], None]) -> Epoch:
        """Train on every example once (``epoch`` from 0), then score the validation people."""
        rate, loss, accuracy = self.train_epoch(epoch, on_step)
        self.recalibrate()
        return Epoch(epoch + 1, rate, loss, accuracy, *self._validate())

    def train_epoch(self, epoch: int, on_step: Callable[[], None]) -> tuple[float, float, float]:
        """Train on every example once; return the last learning rate, the mean loss and the accuracy."""
        torch.manual_seed(epoch_seed(self.config.seed, epoch))  # dropout
        sums = torch.zeros(2, dtype=torch.float64)  # loss, number of correct predictions
        self.wrapped.train()
        batches = epoch_batches(len(self.train), self.config.batch_size, self.config.seed, epoch)
        matrices = self.matrices([self.train[batch[self.share.rows(len(batch))]] for batch in batches])
        for i, (batch, own_matrices) in enumerate(zip(batches, matrices, strict=True)):
            own = Batch(self.share.rows(len(batch)), len(batch))
            chosen = self.train[batch]
            targets = self.fabric.to_device(torch.from_numpy(self.target[chosen]))
            target = targets[own.rows]
            share_batch(self.network, own if self.share.n > 1 else None)
            rate = self._set_learning_rate(epoch * self.n_steps_per_epoch + i)
            self.optimizer.zero_grad()
            logits = self.wrapped(own_matrices)
            loss = functional.cross_entropy(
                logits, target, weight=self.class_weights, label_smoothing=self.config.label_smoothing, reduction="sum"
            )
            # Mean over the whole batch. Fabric averages gradients over the processes, hence the factor n.
            loss = loss * (self.share.n / self.class_weights[targets].sum())
            self.fabric.backward(loss)
            take_gradients(self.weights, self.network)
            clip_gradients(self.weights, self.config.clip_norm)
            self.optimizer.step()
            if not math.isfinite(value := loss.item()):  # only here, at its end, the step waits for a GPU
                raise InputError(f"the loss became {value} in epoch {epoch + 1}; lower learning_rate=...")
            sums[0] += value / self.share.n * len(chosen)
            sums[1] += int((logits.argmax(dim=1) == target).sum())
            on_step()
        share_batch(self.network, None)  # from here on all processes compute the same values
        mean_loss, accuracy = (self._summed(sums) / len(self.train)).tolist()
        return rate, mean_loss, accuracy

    def _summed(self, sums: Tensor) -> Tensor:
        if self.share.n > 1:
            distributed.all_reduce(sums := self.fabric.to_device(sums))
        return sums

    def _set_learning_rate(self, step: int) -> float:
        n_steps = self.config.epochs * self.n_steps_per_epoch
        n_warmup = self.config.warmup_epochs * self.n_steps_per_epoch
        rate = learning_rate_at(step, n_steps, n_warmup, self.config.learning_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def recalibrate(self) -> None:
        """Compute the statistics of batch norm with the present weights."""
        order = np.random.default_rng(self.config.seed).permutation(self.train)[:N_RECALIBRATION]
        n_batches = max(1, len(order) // self.config.batch_size)
        recalibrate_batch_norm(self.network.encoder, self.matrices(np.array_split(order, n_batches)))

    def _validate(self) -> tuple[float, float, float]:
        _, logits = self.model().features_and_logits(self.dataset.subset(self.validation).matrices)
        target = self.target[self.validation]
        loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(target)).item()
        probabilities = functional.softmax(torch.from_numpy(logits).double(), dim=1).numpy()
        report = score(self.dataset, self.validation, self.task, self.classes, probabilities, intervals=False)
        return loss, report.accuracy, report.balanced_accuracy

    def model(self) -> Model:
        """The model with the current weights, without SVMs, which are fitted when training ends."""
        description = ModelDescription(
            network=self.network_config,
            encoder_task=self.task,
            classes=self.classes,
            preparation=self.dataset.settings,
            peak=self.peak,
            epoch=len(self.history),
            longest_s=self.dataset.longest_s(self.train),
            is_segmented=are_segmented(self.dataset.rows, self.train),
        )
        return Model(description, self.network)

    @property
    def best(self) -> Epoch:
        return max(self.history, key=lambda record: record.score)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done or ``patience`` is exhausted."""
        if not self.history:
            return False
        n_idle = len(self.history) - self.best.epoch
        return len(self.history) >= self.config.epochs or (
            self.config.patience is not None and n_idle >= self.config.patience
        )

    def settings(self) -> dict[str, Any]:
        """Settings that must not change when a run is resumed. The number of epochs may: a run can be extended."""
        training = {
            name: value for name, value in asdict(self.config).items() if name not in ("epochs", "checkpoint_every")
        }
        return {
            "data": self.fingerprint,
            "task": self.task,
            "classes": {task: list(names) for task, names in self.classes.items()},
            "network": asdict(self.network_config),
            "training": training,
        }

    def save(self) -> None:
        """Save the state for resuming, then the history."""
        history = [asdict(record) for record in self.history]
        facts = {"settings": self.settings(), "epochs": self.config.epochs, "history": history}
        save_state(State(network_weights(self.network), optimizer_tensors(self.optimizer), facts), self.folder / "last")
        self.write_history()

    def write_history(self) -> None:
        """Write history.jsonl for readers; resuming uses the history in the state."""
        write_text(self.folder / "history.jsonl", "".join(json.dumps(asdict(record)) + "\n" for record in self.history))

    def resume(self) -> None:
        """Continue from the state in ``last/``.

        Raises
        ------
        InputError
            The run was started with other data or settings.
        """
        state = load_state(self.folder / "last")
        now, then = self.settings(), state.facts["settings"]
        changed = [name for name in now if now[name] != then.get(name)]
        if changed:
            detail = "; ".join(_changed(name, then.get(name), now[name]) for name in changed)
            raise InputError(
                f"{self.folder}: this run was started with other {' and '.join(changed)} ({detail}); "
                "resume it with the same data and settings, or choose another checkpoint_dir=..."
            )
        if state.facts["epochs"] != self.config.epochs:
            log.warning(
                "the run was started for %d epochs and continues to %d: the learning rate follows the new length",
                state.facts["epochs"], self.config.epochs,
            )  # fmt: skip
        before = read_json(self.folder / "split.json")
        if before != self.split.to_json(self.dataset):
            raise InputError(f"{self.folder}: people would be split otherwise than in split.json; can't be resumed")
        load_weights(self.network, state.weights, self.folder / "last" / STATE_FILE)
        load_optimizer(self.optimizer, state.optimizer)
        self.history = [Epoch(**record) for record in state.facts["history"]]


def fit(fitting: Fitting, progress: TrainingProgress = TrainingProgress()) -> None:
    """Train until the run is over. ``best/``, ``last/`` and periodic checkpoints are complete after every epoch."""
    every = fitting.config.checkpoint_every
    while not fitting.is_over:
        record = fitting.run_epoch(len(fitting.history), progress.on_step)
        fitting.history.append(record)
        if not fitting.share.leads:
            continue
        if fitting.best is record:
            save_model(fitting.model(), fitting.folder / "best")
        if record.epoch % every == 0 and record.epoch < fitting.config.epochs:
            save_model(fitting.model(), fitting.folder / f"checkpoint_epoch_{record.epoch}")
        fitting.save()  # last: a run killed before this line repeats the epoch and gets the same bits
        progress.on_epoch(record)


def score(
    dataset: Dataset,
    indices: Indices,
    task: str,
    classes: dict[str, tuple[str, ...]],
    probabilities: Any,
    *,
    intervals: bool = True,
) -> Report:
    """Score the repetitions of ``indices``; probabilities (n, n_classes) are averaged over the channels of each."""
    repetitions = [dataset.repetitions[i] for i in indices]
    keys, pooled = pool(np.asarray(probabilities), repetitions)
    first = {key: i for key, i in zip(reversed(repetitions), reversed(indices), strict=True)}
    labels = [dataset.rows[first[key]].label(task) for key in keys]
    # Unknown subjects count as one person, so that no interval is computed.
    subjects = [dataset.rows[first[key]].subject for key in keys]
    return evaluate(labels, pooled, classes[task], subjects, intervals=intervals)


def _changed(name: str, then: Any, now: Any) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        parts = [key for key in now if now[key] != then.get(key)]
        return ", ".join(f"{key} {then.get(key)} -> {now[key]}" for key in parts)
    return f"{name} differ"


def write_config(fitting: Fitting) -> None:
    """Write config.json (all settings) and split.json (who is in which part)."""
    config = {
        "training": asdict(fitting.config),
        "network": asdict(fitting.network_config),
        "encoder_task": fitting.task,
        "classes": {task: list(names) for task, names in fitting.classes.items()},
        "preparation": fitting.dataset.settings,
        "data_fingerprint": fitting.fingerprint,
    }
    write_json(fitting.folder / "config.json", config)
    write_json(fitting.folder / "split.json", fitting.split.to_json(fitting.dataset))
