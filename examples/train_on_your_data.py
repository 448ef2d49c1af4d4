"""From recordings listed in a manifest.csv to a trained run, scored on people held out from training.

    python examples/train_on_your_data.py recordings/manifest.csv my_run

The columns of a manifest are listed in the README. A run of this size takes a few minutes on two cores; for a full-size
network leave out `base_channels` and set `epochs` to 100.
"""

import sys
from pathlib import Path

import semg_hht as sh
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.learning.dataset import load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, train


def main(manifest: Path, out: Path, training: TrainingConfig, base_channels: int = 8) -> None:
    settings = sh.configure(band_hz=(20.0, 200.0), mains_hz=50.0)  # the filters, the transform and the scaling
    prepared = prepare(find_jobs(manifest), out / "prepared", settings)
    for failure in prepared.failures:
        print(f"left out: {failure.reason}")
    dataset = load_folder(prepared.folder / "hht_matrices")
    result = train(dataset, out / "run", training, NetworkSize(base_channels=base_channels))
    for task, report in result.reports.items():
        print(f"{task}: balanced accuracy {report.balanced_accuracy:.2f} on {report.n} matrices of people held out")
    print(f"the run: {result.folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), TrainingConfig(epochs=12, learning_rate=1e-3))
