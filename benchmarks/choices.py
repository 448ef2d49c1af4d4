"""What each training choice is for: every choice taken away in turn, on people never trained on.

    python benchmarks/choices.py scores --data FOLDER [--out FOLDER] [--choices NAME ...] [--seeds N ...]
    python benchmarks/choices.py start --data FOLDER

FOLDER holds contraction_intensity/ with its manifests. ``scores`` trains the small network on three groups of people in
turn, with and without each choice, from the same seeds; a difference is paired over people. ``start`` is the loss of
the full-size network before its first step. What no setting of the product takes away is replaced here, in this
process. Begun again with the same --out, it goes on where it stood.
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
from lightning_fabric import Fabric
from scipy import stats
from torch import nn

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.learning import network
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.dataset import Dataset, from_examples
from semg_hht.learning.epochs import Fitting, TrainingConfig, fit, score
from semg_hht.learning.folds import make_folds
from semg_hht.learning.network import ActionNetwork, NetworkConfig
from semg_hht.learning.split import Split
from semg_hht.matrices.transform import configure, transform_all

TASK = "action_quality"
CHANNELS = ("1", "5")  # of eight: two a repetition keep an epoch short
N_FOLDS = 3
SMALL = TrainingConfig(epochs=4, learning_rate=1e-3)
BASE_CHANNELS = 8
RARE_SHARE = 4  # one repetition in so many of the rare class is trained on


class Unweighted(Fitting):
    """Every example weighs the same."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.class_weights = torch.ones_like(self.class_weights)


class Constant(Fitting):
    """After the warm-up the learning rate stays."""

    def _set_learning_rate(self, step: int) -> float:
        n_warmup = min(self.config.warmup_epochs, self.config.epochs // 2) * self.n_steps_per_epoch
        rate = self.config.learning_rate * min(1.0, (step + 1) / max(1, n_warmup))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate


def fan_out(module: nn.Module) -> None:
    """Kaiming by fan-out, as the seed had it."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, a=network.SLOPE, mode="fan_out", nonlinearity="leaky_relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class InstanceNorm(nn.InstanceNorm2d):
    """Normalises each matrix by itself, as the seed's predecessor did."""

    def __init__(self, n: int) -> None:
        super().__init__(n, affine=True)


@dataclass(frozen=True)
class Choice:
    """A choice taken away: other settings, another part in the place of one of ours, or other people."""

    training: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    fitting: type[Fitting] = Fitting
    data: str = "all"  # or "few": a quarter of the repetitions are trained on; "rare": so of one class
    than: str = "as it is"


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
    "few: no recalibration": Choice(parts=NO_RECALIBRATION, data="few", than="few: as it is"),
    "rare: as it is": Choice(data="rare"),
    "rare: no class weights": Choice(fitting=Unweighted, data="rare", than="rare: as it is"),
}


def load(data: Path) -> Dataset:
    """Effort low, mid, high of six people in percent of their maximal contractions; without the motion that is rest."""
    folder = data / "contraction_intensity"
    settings = configure(mains_hz=50.0, scaling="mvc")
    jobs = [job for job in find_jobs(folder / "manifest.csv") if job.rows[0].extra["motion"] != "C1"]
    jobs = [replace(job, rows=tuple(replace(row, channels=CHANNELS) for row in job.rows)) for job in jobs]
    jobs = with_references(jobs, settings, folder / "manifest_mvc.csv")
    return from_examples(transform_all(jobs, settings))


def thinned(dataset: Dataset, split: Split, how: str) -> Split:
    """The split with fewer repetitions to train on; validation and test people stay whole."""
    if how == "all":
        return split
    names = np.array([dataset.repetitions[i] for i in split.train])
    labels = np.array(dataset.labels(TASK))[split.train]
    number = np.unique(names, return_inverse=True)[1]
    kept = np.random.default_rng(0).permutation(number.max() + 1)[number] % RARE_SHARE == 0
    return replace(split, train=split.train[kept | (labels != "mid")] if how == "rare" else split.train[kept])


def scores_of(choice: Choice, dataset: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """Of the people held out, with the last weights and with the epoch picked on one validation person."""
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
    found: dict[str, Any] = {"validation": np.mean(per_epoch, axis=0).tolist()}
    for which, of_folds in probabilities.items():
        report = score(dataset, np.concatenate(tested), TASK, classes, np.concatenate(of_folds), intervals=False)
        recall = {name: of_class["recall"] for name, of_class in report.per_class.items()}
        found[which] = {"people": report.per_subject, "recall": recall, "ece": report.ece, "n": report.n}
    return found


def scores(dataset: Dataset, names: list[str], seeds: list[int], out: Path) -> None:
    done: dict[str, dict[str, np.ndarray]] = {}
    print("choice | last weights (difference, 95 %) | picked epoch (difference) | recall low, mid, high | "
          "calibration error | validation after each epoch")  # fmt: skip
    for name in names:
        runs = [_once(name, dataset, seed, out) for seed in seeds]
        done[name] = {which: _of_people(runs, which) for which in ("last", "picked")}
        than = done.get(CHOICES[name].than)
        cells = [
            f"{people.mean():.3f} {'' if than is None or than is done[name] else _difference(people, than[which])}"
            for which, people in done[name].items()
        ]
        recall = ", ".join(f"{np.mean([r['last']['recall'][c] for r in runs]):.2f}" for c in runs[0]["last"]["recall"])
        ece = float(np.mean([run["last"]["ece"] for run in runs]))
        curve = ", ".join(f"{v:.2f}" for v in np.mean([run["validation"] for run in runs], axis=0))
        print(f"{name} | {' | '.join(cells)} | {recall} | {ece:.3f} | {curve}", flush=True)
    print(f"n = {runs[0]['last']['n']} repetitions of {len(done[name]['last'])} people, seeds {seeds}")


def _of_people(runs: list[dict[str, Any]], which: str) -> np.ndarray:
    """Balanced accuracy of each person, mean over seeds: (n_people,)."""
    return np.mean([[run[which]["people"][who] for who in sorted(run[which]["people"])] for run in runs], axis=0)


def _difference(people: np.ndarray, than: np.ndarray) -> str:
    """Mean of the people's differences with Student's interval."""
    apart = people - than
    half = float(stats.sem(apart) * stats.t.ppf(0.975, len(apart) - 1))
    return f"({apart.mean():+.3f}, {apart.mean() - half:+.3f} to {apart.mean() + half:+.3f})"


def _once(name: str, dataset: Dataset, seed: int, out: Path) -> dict[str, Any]:
    known = out / f"{name.replace(':', '').replace(' ', '_')}_{seed}.json"
    if not known.is_file():
        with tempfile.TemporaryDirectory() as folder:
            known.write_text(json.dumps(scores_of(CHOICES[name], dataset, seed, Path(folder))), encoding="utf-8")
    found: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
    return found


def start(dataset: Dataset) -> None:
    """Loss and logits of the full-size network on a batch of real matrices, before any step."""
    chosen = np.random.default_rng(0).permutation(len(dataset))[:16]
    names = dataset.classes()[TASK]
    target = torch.tensor([names.index(dataset.labels(TASK)[i]) for i in chosen])
    nothing = {"torch.nn.init.normal_": lambda weight, std: weight}
    for name, parts in {
        "fan-in, small last layer (as it is)": {},
        "fan-in": nothing,
        "fan-out, small last layer": {"semg_hht.learning.network._initialise": fan_out},
        "fan-out (the seed)": {"semg_hht.learning.network._initialise": fan_out} | nothing,
    }.items():
        with ExitStack() as replaced:
            for place, part in parts.items():
                replaced.enter_context(patch(place, part))
            torch.manual_seed(42)
            net = ActionNetwork(NetworkConfig(3)).train()
        with torch.no_grad():
            logits = net(torch.from_numpy(dataset.subset(chosen).matrices))
        loss = nn.functional.cross_entropy(logits, target).item()
        print(f"{name} | first loss {loss:.2f} (even guess {np.log(3):.2f}) | logits' deviation {logits.std():.2f}")


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
        start(dataset)
        return
    with tempfile.TemporaryDirectory() as temporary:
        out = args.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        scores(dataset, args.choices, args.seeds, out)


if __name__ == "__main__":
    main()
