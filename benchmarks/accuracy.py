"""Accuracy on people never trained on: the rows of the README, each prepared and evaluated in one command.

    python benchmarks/accuracy.py --data FOLDER [--out FOLDER] [--peers] [--quick]

FOLDER holds contraction_intensity/ and myo_armband/ with their manifests. Every subject is held out (gender: in 5
groups); the network stands beside the baselines of `semg-hht evaluate` on the same folds, and with ``--peers`` beside
MultiRocketHydra and EEGNet on the raw channels (peers.py says what to install). ``--quick``: one epoch, 3 folds, few
kernels, to see that it works. Begun again with the same --out, it goes on where it stood.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers import PEERS, Effort, peer_answers, raw_channels, require_peers

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import prepare
from semg_hht.evaluation.comparison import OURS, Answers
from semg_hht.learning.crossvalidation import cross_validate
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.folds import make_folds
from semg_hht.matrices.transform import configure


@dataclass(frozen=True)
class Row:
    """A row of the table: which recordings, how they are prepared, what is asked and who is held out."""

    name: str
    folder: str
    settings: dict[str, Any]
    task: str
    protocol: str
    references: str = ""


ROWS = (
    Row("effort", "contraction_intensity", {}, "action_quality", "loso"),
    Row("effort, mvc", "contraction_intensity", {"scaling": "mvc"}, "action_quality", "loso", "manifest_mvc.csv"),
    Row("effort, subject", "contraction_intensity", {"scaling": "subject"}, "action_quality", "loso"),
    Row("gender", "myo_armband", {"band_hz": (5.0, 100.0)}, "gender", "grouped"),
)


def answered(
    row: Row, data: Path, out: Path, config: TrainingConfig, base_channels: int, quick: bool, peers: Effort | None
) -> Iterator[Answers]:
    """The answers of our network and of our baselines, then of each peer where they are asked for."""
    settings = configure(mains_hz=50.0, **row.settings)
    references = data / row.folder / row.references if row.references else None
    jobs = with_references(find_jobs(data / row.folder / "manifest.csv"), settings, references)
    own = out / row.name.replace(", ", "_")
    prepare(jobs, own / "prepared", settings, overwrite=True)
    dataset = load_folder(own / "prepared" / "hht_matrices")
    protocol, n_folds = ("grouped", 3) if quick else (row.protocol, 5)
    yield from cross_validate(
        dataset, own / "evaluation", config, protocol=protocol, n_folds=n_folds, task=row.task,
        base_channels=base_channels,
    )  # fmt: skip
    if peers is None:
        return
    folds = make_folds(dataset, protocol, n_folds, config.validation_size, config.seed)
    signals, rate_hz = raw_channels(jobs, settings)
    for name in PEERS:
        yield peer_answers(name, dataset, signals, rate_hz, folds, row.task, own / "peers", peers)


def show(row: Row, answers: Iterable[Answers]) -> None:
    for found in answers:
        report = found.report()
        interval = report.balanced_accuracy_interval
        between = f"{interval.low:.2f} to {interval.high:.2f}" if interval else "too few people"
        votes = ""
        if row.task == "gender":
            people = sorted(set(found.subjects))
            right = sum(report.per_subject[person] > 0.5 for person in people)
            votes = f", by vote {right} of {len(people)} people"
        name = "the network" if found.method == OURS else found.method
        print(f"{row.name:16} {name:20} {report.balanced_accuracy:.3f} ({between}){votes}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rows", nargs="*", default=[row.name for row in ROWS])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--base_channels", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--peers", action="store_true", help="also MultiRocketHydra and EEGNet on the raw channels")
    parser.add_argument("--peer_kernels", type=int, default=Effort.kernels)
    parser.add_argument("--peer_epochs", type=int, default=Effort.epochs)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    config = TrainingConfig(
        epochs=1 if args.quick else args.epochs, learning_rate=args.learning_rate, seed=args.seed, recipe=args.recipe
    )
    peers = None
    if args.peers:
        require_peers()
        kernels, epochs = (84, 1) if args.quick else (args.peer_kernels, args.peer_epochs)
        peers = Effort(kernels, epochs, seed=args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        for row in (row for row in ROWS if row.name in args.rows):
            out = args.out or Path(temporary)
            show(row, answered(row, args.data, out, config, args.base_channels, args.quick, peers))


if __name__ == "__main__":
    main()
