"""Which evidence tells what the model goes by: the deletion and insertion test of every method, on people held out.

    python benchmarks/explain.py --data FOLDER [--out FOLDER] [--quick]

FOLDER holds contraction_intensity/ and myo_armband/ with their manifests. Small networks are trained in folds of
people; each method then ranks patches (8 x 8 cells) of matrices of people held out by how they speak for the answer.
Deletion (Petsiuk et al. 2018, arXiv 1806.07421): the answer's probability while patches are emptied, the best first;
the smaller the area under it, the better. Insertion: while they are put into an empty matrix; the larger, the better.
Beside the methods stand the matrix's own values and a random order. Intervals are over people. Begun again with the
same --out, it trains only what is not there.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import prepare
from semg_hht.explanation.attribution import METHODS, attribute
from semg_hht.explanation.explanation import PATCH, in_patches
from semg_hht.inference.svm_inputs import Beside
from semg_hht.learning.checkpoint import Model, load_model
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.folds import make_folds
from semg_hht.learning.train import train
from semg_hht.matrices.matrix import SIZE
from semg_hht.matrices.transform import configure

Array = NDArray[np.float64]

VALUES, RANDOM = "values", "random"
STEPS = 10  # a tenth of the patches each
BLUR = 16.0  # cells
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Row:
    name: str
    folder: str
    settings: dict[str, Any]
    task: str


ROWS = (
    Row("effort", "contraction_intensity", {"scaling": "subject"}, "action_quality"),
    Row("gender", "myo_armband", {"band_hz": (5.0, 100.0)}, "gender"),
)


def prepared(row: Row, data: Path, out: Path, channels: tuple[str, ...]) -> Dataset:
    """Matrices of some of the channels: neighbours on a forearm tell much the same."""
    settings = configure(mains_hz=50.0, **row.settings)
    jobs = [
        replace(job, rows=tuple(replace(r, channels=channels) for r in job.rows))
        for job in find_jobs(data / row.folder / "manifest.csv")
    ]
    prepare(with_references(jobs, settings, None), out / "prepared", settings, overwrite=True)
    return load_folder(out / "prepared" / "hht_matrices")


def rankings(model: Model, matrix: NDArray[np.float32], task: str, name: str, seed: int) -> Iterator[tuple[str, Array]]:
    """Method -> patches (1024,), the one that speaks most for the class first."""
    alone = Beside(("one",), [{}], None)
    for method in METHODS:
        found = attribute(model, matrix[None], alone, task, name, method=method)
        yield method, np.argsort(-in_patches(found.evidence[0, 0]).ravel(), kind="stable")
    yield VALUES, np.argsort(-in_patches(matrix[0].astype(np.float64)).ravel(), kind="stable")
    yield RANDOM, np.random.default_rng(seed).permutation((SIZE // PATCH) ** 2)


def areas(
    model: Model, matrix: NDArray[np.float32], blank: NDArray[np.float32], order: Array, task: str, index: int
) -> tuple[float, float]:
    """Under the curves of deletion and of insertion, as the mean probability over their steps."""
    place = np.empty(order.size, dtype=np.intp)
    place[order] = np.arange(order.size)
    taken = place.reshape(SIZE // PATCH, -1) < np.linspace(0, order.size, STEPS + 1)[:, None, None]  # (11, 32, 32)
    masks = np.kron(taken, np.ones((PATCH, PATCH), dtype=bool))[:, None]  # (11, 1, 256, 256)
    both = np.concatenate([np.where(masks, blank, matrix), np.where(masks, matrix, blank)])
    found = model.probabilities(both)[task][:, index]
    deletion, insertion = found.reshape(2, -1).mean(axis=1)
    return float(deletion), float(insertion)


def measured(
    row: Row,
    dataset: Dataset,
    out: Path,
    config: TrainingConfig,
    base_channels: int,
    n_folds: int,
    n_matrices: int,
    blurred: bool,
) -> Iterator[dict[str, Any]]:
    """A row a matrix and method; ``n_matrices`` of each person."""
    for fold in make_folds(dataset, "grouped", n_folds, config.validation_size, config.seed):
        folder = out / f"fold_{fold.number}"
        if not (folder / "metrics.json").is_file():
            train(
                dataset, folder, config, base_channels=base_channels, task=row.task, split=fold.split, overwrite=True,
                cpu=True,
            )  # fmt: skip
        model = load_model(folder / "best")
        classes, subjects = model.classes[row.task], np.array(dataset.subjects)
        rng = np.random.default_rng(config.seed)
        for person in fold.held_out:
            for i in rng.permutation(np.flatnonzero(subjects == person))[:n_matrices]:
                matrix = dataset.matrices[i]
                answer = model.probabilities(matrix[None])[row.task][0]
                index = int(answer.argmax())
                blank = scipy.ndimage.gaussian_filter(matrix, (0, BLUR, BLUR)) if blurred else np.zeros_like(matrix)
                for method, order in rankings(model, matrix, row.task, classes[index], int(i)):
                    deletion, insertion = areas(model, matrix, blank, order, row.task, index)
                    yield {
                        "task": row.name, "person": person, "file": dataset.rows[i].file, "answer": classes[index],
                        "true": dataset.rows[i].label(row.task), "confidence": answer[index], "method": method,
                        "deletion": deletion, "insertion": insertion,
                    }  # fmt: skip


def show(found: list[dict[str, Any]], seed: int) -> None:
    """Areas by method with intervals over people, and the gap between them beside that of the values."""
    people = sorted({r["person"] for r in found})
    draws = np.random.default_rng(seed).integers(len(people), size=(N_RESAMPLES, len(people)))
    methods = list(dict.fromkeys(r["method"] for r in found))

    def told(values: Array) -> str:
        low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
        return f"{values.mean():+.3f} ({low:+.3f} to {high:+.3f})"

    def by_person(method: str, value: Any) -> Array:
        rows = [r for r in found if r["method"] == method]
        return np.array([np.mean([value(r) for r in rows if r["person"] == p]) for p in people])

    gaps = {method: by_person(method, lambda r: r["insertion"] - r["deletion"]) for method in methods}
    print(f"\n{found[0]['task']}: {len(found) // len(methods)} matrices of {len(people)} people held out")
    print(f"{'method':22} {'deletion':28} {'insertion':28} {'insertion - deletion':28} {'more than the values':28}")
    for method in methods:
        cells = (
            by_person(method, lambda r: r["deletion"]), by_person(method, lambda r: r["insertion"]),
            gaps[method], gaps[method] - gaps[VALUES],
        )  # fmt: skip
        print(f"{method:22} " + " ".join(f"{told(cell):28}" for cell in cells), flush=True)
    for name in sorted({r["answer"] for r in found}):
        own = [r for r in found if r["answer"] == name]
        shown = ", ".join(
            f"{m} {np.mean([r['insertion'] - r['deletion'] for r in own if r['method'] == m]):+.3f}" for m in methods
        )
        print(f"  answered {name} ({len(own) // len(methods)}): {shown}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rows", nargs="*", default=[row.name for row in ROWS])
    parser.add_argument("--channels", nargs="*", default=["1", "5"], help="channels to use, by number")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--n_matrices", type=int, default=12, help="of each person held out")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--base_channels", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--blurred", action="store_true", help="blur what is taken away instead of emptying it")
    parser.add_argument(
        "--quick", action="store_true", help="one epoch and two matrices a person, to see that it works"
    )
    args = parser.parse_args()
    epochs, n_matrices = (1, 2) if args.quick else (args.epochs, args.n_matrices)
    config = TrainingConfig(epochs=epochs, learning_rate=args.learning_rate, seed=args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        for row in (row for row in ROWS if row.name in args.rows):
            own = (args.out or Path(temporary)) / row.name
            dataset = prepared(row, args.data, own, tuple(args.channels))
            found = list(measured(row, dataset, own, config, args.base_channels, args.folds, n_matrices, args.blurred))
            with (own / "areas.csv").open("w", newline="", encoding="utf-8") as handle:
                writer = csv.DictWriter(handle, list(found[0]))
                writer.writeheader()
                writer.writerows(found)
            show(found, args.seed)


if __name__ == "__main__":
    main()
