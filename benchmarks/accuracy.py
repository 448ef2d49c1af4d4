"""Accuracy on people never trained on: every subject is held out once, in as many folds as asked for.

    python benchmarks/accuracy.py prepared/hht_matrices --folds 6 --base_channels 8 --epochs 4

Each fold trains a run of its own: of the people who are not held out a fifth pick the best epoch, the rest are trained
on. Scores are pooled per repetition; the interval resamples subjects.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.network import NetworkConfig
from semg_hht.learning.run import choose_classes, complete
from semg_hht.learning.split import Split, divide
from semg_hht.learning.training import Fitting, TrainingConfig, encoder_task, fit, score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--task", default="both")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--base_channels", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    dataset = load_folder(args.data_dir)
    classes = choose_classes(dataset, args.task)
    task = encoder_task(classes)
    subjects = np.array(dataset.subjects)
    people = np.random.default_rng(args.seed).permutation(sorted(set(subjects)))
    asked: list[np.ndarray] = []
    answered: dict[str, list[np.ndarray]] = {name: [] for name in classes}
    for held_out in np.array_split(people, args.folds):
        test = np.flatnonzero(np.isin(subjects, held_out))
        rest = np.flatnonzero(~np.isin(subjects, held_out))
        train, validation = divide(rest, subjects, dataset, 0.2, args.seed)
        with tempfile.TemporaryDirectory() as folder:
            fitting = Fitting(
                dataset, Split(train, validation, test, "subject"), task, classes,
                NetworkConfig(len(classes[task]), 7, args.base_channels, dataset.matrices.shape[1]),
                TrainingConfig(epochs=args.epochs, learning_rate=args.learning_rate, seed=args.seed),
                Path(folder), Fabric(accelerator="auto", devices=1),
            )  # fmt: skip
            fit(fitting)
            model = complete(load_model(Path(folder) / "best"), fitting)
        asked.append(test)
        for name, probabilities in model.probabilities(dataset.matrices[test]).items():
            answered[name].append(probabilities)
        print(f"held out {', '.join(held_out)}", flush=True)

    indices = np.concatenate(asked)
    for name, folds in answered.items():
        labelled = np.array([bool(dataset.labels(name)[i]) for i in indices])
        report = score(dataset, indices[labelled], name, classes, np.concatenate(folds)[labelled])
        interval = report.balanced_accuracy_interval
        between = f"{interval.low:.2f} to {interval.high:.2f}" if interval else "too few people"
        print(f"{name}: balanced accuracy {report.balanced_accuracy:.3f} (95 % interval over people {between})")
        print("  recall  " + "  ".join(f"{c} {s['recall']:.2f}" for c, s in report.per_class.items()))
        print("  people  " + "  ".join(f"{person} {value:.2f}" for person, value in report.per_subject.items()))


if __name__ == "__main__":
    main()
