"""Accuracy on held-out people: the rows of the README's table, each prepared and evaluated in one command.

    python benchmarks/accuracy.py --data FOLDER [--out FOLDER] [--peers] [--quick]

FOLDER holds contraction_intensity/ and myo_armband/ with their manifests. Every person is held out once (gender: in 5
groups). The table compares the network with the baselines of `semg-hht evaluate` on the same folds, and with
``--peers`` with MultiRocketHydra and EEGNet on the raw channels (peers.py says what to install). ``--quick``: one
epoch, 3 folds, few kernels. Started again with the same --out, it continues.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from experiment import ARMBAND, FOREARM, Experiment, folder_or_temporary, parser_of
from peers import PEERS, Effort, PeerData, peer_answers, raw_channels, require_peers

from semg_hht.evaluation.comparison import OURS, HeldOutAnswers
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.folds import make_folds
from semg_hht.learning.train import NetworkSize

EXPERIMENTS = (
    Experiment("effort", FOREARM, "action_quality"),
    Experiment("effort, mvc", FOREARM, "action_quality", {"scaling": "mvc"}, "manifest_mvc.csv"),
    Experiment("effort, subject", FOREARM, "action_quality", {"scaling": "subject"}),
    Experiment("gender", ARMBAND, "gender", {"band_hz": (5.0, 100.0)}),
)


def answers_of(
    experiment: Experiment, out: Path, options: argparse.Namespace, peers: Effort | None
) -> Iterator[HeldOutAnswers]:
    """The answers of our network and of our baselines, then of each peer unless ``peers`` is None."""
    config = TrainingConfig(
        epochs=options.epochs, learning_rate=options.learning_rate, seed=options.seed, recipe=options.recipe
    )
    jobs = experiment.jobs(options.data)
    dataset = experiment.prepared(jobs, out / "prepared")
    protocol = "grouped" if options.quick or experiment.task == "gender" else "loso"
    n_folds = 3 if options.quick else 5
    yield from cross_validate(
        dataset,
        out / "evaluation",
        config,
        NetworkSize(base_channels=options.base_channels),
        FoldOptions(protocol=protocol, n_folds=n_folds, task=experiment.task),
    )
    if peers is None:
        return
    folds = make_folds(dataset, protocol, n_folds, config.validation_size, config.seed)
    signals, rate_hz = raw_channels(jobs, experiment.config)
    data = PeerData(dataset, signals, rate_hz, experiment.task)
    for name in PEERS:
        yield peer_answers(name, data, folds, out / "peers", peers)


def show(experiment: Experiment, answers: HeldOutAnswers) -> None:
    report = answers.report()
    interval = report.balanced_accuracy_interval
    between = f"{interval.low:.2f} to {interval.high:.2f}" if interval else "too few people"
    votes = ""
    if experiment.task == "gender":
        people = sorted(set(answers.subjects))
        n_right = sum(report.per_subject[person] > 0.5 for person in people)
        votes = f", by vote {n_right} of {len(people)} people"
    name = "the network" if answers.method == OURS else answers.method
    print(f"{experiment.name:16} {name:20} {report.balanced_accuracy:.3f} ({between}){votes}", flush=True)


def main() -> None:
    parser = parser_of(__doc__, EXPERIMENTS)
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--peers", action="store_true", help="also MultiRocketHydra and EEGNet on the raw channels")
    parser.add_argument("--peer_kernels", type=int, default=Effort.kernels)
    parser.add_argument("--peer_epochs", type=int, default=Effort.epochs)
    options = parser.parse_args()
    effort = Effort(options.peer_kernels, options.peer_epochs, seed=options.seed)
    if options.quick:
        options.epochs, effort = 1, replace(effort, kernels=84, epochs=1)
    if options.peers:
        require_peers()
    with folder_or_temporary(options.out) as out:
        for experiment in (e for e in EXPERIMENTS if e.name in options.rows):
            folder = out / experiment.name.replace(", ", "_")
            for answers in answers_of(experiment, folder, options, effort if options.peers else None):
                show(experiment, answers)


if __name__ == "__main__":
    main()
