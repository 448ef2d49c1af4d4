"""The effect of each training choice: every choice is removed in turn and scored on held-out people.

    python benchmarks/choices.py scores --data FOLDER [--out FOLDER] [--choices NAME ...] [--seeds N ...]
    python benchmarks/choices.py start --data FOLDER

FOLDER holds contraction_intensity/ with its manifests. ``scores`` trains the small network in three folds of people,
with and without each choice, from the same seeds; differences are paired over people. ``start`` prints the loss of the
full-size network before its first step. Choices that no setting of the program removes are patched in this process.
Started again with the same --out, it continues.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from experiment import EFFORT_MVC, QUALITY, folder_or_temporary
from lightning_fabric import Fabric
from scipy import stats
from torch import nn

from semg_hht.inference.description import NetworkConfig
from semg_hht.learning import network
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.dataset import Dataset, from_examples
from semg_hht.learning.epochs import Fitting, TrainingConfig, fit, score
from semg_hht.learning.folds import make_folds
from semg_hht.learning.network import ActionNetwork
from semg_hht.learning.split import Split
from semg_hht.matrices.transform import transform_all

TASK = QUALITY
CHANNELS = ("1", "5")  # two of the eight, to keep an epoch short
N_FOLDS = 3
SMALL = TrainingConfig(epochs=4, learning_rate=1e-3)
BASE_CHANNELS = 8
RARE_SHARE = 4  # training uses one of so many repetitions of the rare class


class Unweighted(Fitting):
    """All classes have the same weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.class_weights = torch.ones_like(self.class_weights)


class Constant(Fitting):
    """The learning rate is constant after the warm-up."""

    def _set_learning_rate(self, step: int) -> float:
        n_warmup = min(self.config.warmup_epochs, self.config.epochs // 2) * self.n_steps_per_epoch
        rate = self.config.learning_rate * min(1.0, (step + 1) / max(1, n_warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate


def fan_out(module: nn.Module) -> None:
    """Kaiming initialisation by fan-out, as in the original README."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, a=network.SLOPE, mode="fan_out", nonlinearity="leaky_relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class InstanceNorm(nn.InstanceNorm2d):
    """Normalises each matrix by itself instead of over the batch."""

    def __init__(self, n: int) -> None:
        super().__init__(n, affine=True)


@dataclass(frozen=True)
class Choice:
    """A removed choice: other settings, patched parts, or fewer training repetitions.

    parts : dotted name -> what replaces it.
    data : the repetitions to train on: ``all``, ``few`` (a quarter) or ``rare`` (a quarter of the class mid).
    compared_with : name of the choice that the difference is taken from.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    fitting: type[Fitting] = Fitting
    data: str = "all"
    compared_with: str = "as it is"


NO_RECALIBRATION = {"semg_hht.learning.epochs.recalibrate_batch_norm": lambda encoder, batches: None}
CHOICES = {
    "as it is": Choice(),
    "no warm-up": Choice({"warmup_epochs": 0}),
    "no cosine": Choice(fitting=Constant),
    "learning rate 1e-4": Choice({"learning_rate": 1e-4}),
    "learning rate 1e-2": Choice({"learning_rate": 1e-2}),
    "no label smoothing": Choice({"label_smoothing": 0.0}),
    "no clipping": Choice({"clip_norm": 1e9}),
    "no dropout": Choice(network={"dropout": 0.0}),
    "no shortcuts": Choice(parts={"semg_hht.learning.network.FIRST_SHORTCUT": 99}),
    "fan-out": Choice(parts={"semg_hht.learning.network._initialise": fan_out}),
    "InstanceNorm": Choice(parts={"torch.nn.BatchNorm2d": InstanceNorm} | NO_RECALIBRATION),
    "5 layers": Choice(network={"n_layers": 5}),
    "no recalibration": Choice(parts=NO_RECALIBRATION),
    "few: as it is": Choice(data="few"),
    "few: no recalibration": Choice(parts=NO_RECALIBRATION, data="few", compared_with="few: as it is"),
    "rare: as it is": Choice(data="rare"),
    "rare: no class weights": Choice(fitting=Unweighted, data="rare", compared_with="rare: as it is"),
}


def load(data: Path) -> Dataset:
    """Effort of six people relative to maximal contractions."""
    return from_examples(transform_all(replace(EFFORT_MVC, channels=CHANNELS).jobs(data), EFFORT_MVC.config))


def thinned(dataset: Dataset, split: Split, kind: str) -> Split:
    """The split with the training repetitions of a kind of ``Choice.data``; validation and test sets stay complete."""
    if kind == "all":
        return split
    names = np.array([dataset.repetitions[i] for i in split.train])
    labels = np.array(dataset.labels(TASK))[split.train]
    number = np.unique(names, return_inverse=True)[1]
    kept = np.random.default_rng(0).permutation(number.max() + 1)[number] % RARE_SHARE == 0
    return replace(split, train=split.train[kept | (labels != "mid")] if kind == "rare" else split.train[kept])


def scores_of(choice: Choice, dataset: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """Scores of the held-out people, with the last weights and with those of the best epoch on a validation person."""
    config = replace(SMALL, **choice.training, seed=seed)
    classes = {TASK: dataset.classes()[TASK]}
    tested, per_epoch = [], []
    probabilities: dict[str, list[np.ndarray]] = {"last": [], "picked": []}
    for fold in make_folds(dataset, "grouped", N_FOLDS, config.validation_size, 42):
        split = thinned(dataset, fold.split, choice.data)
        shape = NetworkConfig(3, **{"base_channels": BASE_CHANNELS, **choice.network})
        fabric = Fabric(accelerator="cpu", devices=1)
        own = folder / f"{fold.number}"
        with ExitStack() as replaced:
            for target, part in choice.parts.items():
                replaced.enter_context(patch(target, part))
            fitting = choice.fitting(dataset, split, TASK, classes, shape, config, own, fabric)
            fit(fitting)
            per_epoch.append([record.validation_balanced_accuracy for record in fitting.history])
            for which, model in (("last", fitting.model()), ("picked", load_model(own / "best"))):
                probabilities[which].append(model.probabilities(dataset.subset(split.test).matrices)[TASK])
        tested.append(split.test)
    scores: dict[str, Any] = {"validation": np.mean(per_epoch, axis=0).tolist()}
    for which, of_folds in probabilities.items():
        report = score(dataset, np.concatenate(tested), TASK, classes, np.concatenate(of_folds), intervals=False)
        recall = {name: of_class["recall"] for name, of_class in report.per_class.items()}
        scores[which] = {"people": report.per_subject, "recall": recall, "ece": report.ece, "n": report.n}
    return scores


def show_scores(dataset: Dataset, names: list[str], seeds: list[int], out: Path) -> None:
    finished: dict[str, dict[str, np.ndarray]] = {}
    print("choice | last weights (difference, 95 %) | picked epoch (difference) | recall low, mid, high | "
          "calibration error | validation after each epoch")  # fmt: skip
    for name in names:
        runs = [_stored_scores(name, dataset, seed, out) for seed in seeds]
        finished[name] = {which: _of_people(runs, which) for which in ("last", "picked")}
        base = finished.get(CHOICES[name].compared_with)
        cells = [
            f"{people.mean():.3f} {'' if base is None or base is finished[name] else _difference(people, base[which])}"
            for which, people in finished[name].items()
        ]
        recall = ", ".join(f"{np.mean([r['last']['recall'][c] for r in runs]):.2f}" for c in runs[0]["last"]["recall"])
        ece = float(np.mean([run["last"]["ece"] for run in runs]))
        curve = ", ".join(f"{v:.2f}" for v in np.mean([run["validation"] for run in runs], axis=0))
        print(f"{name} | {' | '.join(cells)} | {recall} | {ece:.3f} | {curve}", flush=True)
    print(f"n = {runs[0]['last']['n']} repetitions of {len(finished[name]['last'])} people, seeds {seeds}")


def _of_people(runs: list[dict[str, Any]], which: str) -> np.ndarray:
    """Balanced accuracy of each person, (n_people,), the mean over seeds."""
    return np.asarray(
        np.mean([[run[which]["people"][who] for who in sorted(run[which]["people"])] for run in runs], axis=0)
    )


def _difference(people: np.ndarray, base: np.ndarray) -> str:
    """The mean of the paired differences with Student's 95 % interval."""
    difference = people - base
    half = float(stats.sem(difference) * stats.t.ppf(0.975, len(difference) - 1))
    return f"({difference.mean():+.3f}, {difference.mean() - half:+.3f} to {difference.mean() + half:+.3f})"


def _stored_scores(name: str, dataset: Dataset, seed: int, out: Path) -> dict[str, Any]:
    """The scores of a choice, computed where ``out`` does not hold them."""
    path = out / f"{name.replace(':', '').replace(' ', '_')}_{seed}.json"
    if not path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(json.dumps(scores_of(CHOICES[name], dataset, seed, Path(folder))), encoding="utf-8")
    scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return scores


def show_start(dataset: Dataset) -> None:
    """The loss and the logits of the full-size network on a batch of real matrices, before any step."""
    chosen = np.random.default_rng(0).permutation(len(dataset))[:16]
    names = dataset.classes()[TASK]
    target = torch.tensor([names.index(dataset.labels(TASK)[i]) for i in chosen])
    large_last_layer: dict[str, Any] = {"torch.nn.init.normal_": lambda weight, std: weight}
    starts: dict[str, dict[str, Any]] = {
        "fan-in, small last layer (as it is)": {},
        "fan-in": large_last_layer,
        "fan-out, small last layer": {"semg_hht.learning.network._initialise": fan_out},
        "fan-out (original README)": {"semg_hht.learning.network._initialise": fan_out, **large_last_layer},
    }
    for name, parts in starts.items():
        with ExitStack() as replaced:
            for place, part in parts.items():
                replaced.enter_context(patch(place, part))
            torch.manual_seed(42)
            net = ActionNetwork(NetworkConfig(3)).train()
        with torch.no_grad():
            logits = net(torch.from_numpy(dataset.subset(chosen).matrices))
        loss = nn.functional.cross_entropy(logits, target).item()
        print(f"{name} | first loss {loss:.2f} (even guess {np.log(3):.2f}) | std of the logits {logits.std():.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["scores", "start"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--choices", nargs="*", default=list(CHOICES), choices=list(CHOICES), metavar="NAME")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    args = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load(args.data)
    if args.what == "start":
        show_start(dataset)
        return
    with folder_or_temporary(args.out) as out:
        show_scores(dataset, args.choices, args.seeds, out)


if __name__ == "__main__":
    main()
