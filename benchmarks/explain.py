"""Which evidence shows what the model relies on: the deletion and insertion test of every method, on held-out people.

    python benchmarks/explain.py --data FOLDER [--out FOLDER] [--quick]
    python benchmarks/explain.py --data MATRICES --times RUN [--n_matrices N]

FOLDER holds contraction_intensity/ and myo_armband/ with their manifests. Small networks are trained in folds of
people; each method then ranks the patches (8 x 8 cells) of matrices of held-out people by their evidence for the
answer. Deletion (Petsiuk et al. 2018, arXiv 1806.07421): the probability of the answer while patches are emptied, the
highest evidence first; the smaller the area under this curve, the better. Insertion: while they are put into an empty
matrix; the larger, the better. The matrix's own values and a random order are ranked for comparison. Intervals are over
people. Started again with the same --out, it trains only what is missing.

--times: the processor time of the evidence for single matrices in the folder MATRICES, with a run whose network
answers; how much of the change is missing from its sum; and how it agrees with the evidence of 256 points. Beside
it the rule of Gauss and Legendre with 32 points, doubled until the sum adds up, with torch's convolutions.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
from experiment import ARMBAND_GENDER, EFFORT_SUBJECT, Experiment, folder_or_temporary, parser_of
from numpy.typing import NDArray

from semg_hht.explanation.attribution import attribute, score_of, scored
from semg_hht.explanation.explanation import HELD, METHODS, PATCH, in_patches, narrowest
from semg_hht.explanation.integrated_gradients import MAX_POINTS, TOLERANCE, Score, for_gradients, integrated_gradients
from semg_hht.inference.svm_inputs import SvmInputs
from semg_hht.learning.checkpoint import Model, load_model
from semg_hht.learning.dataset import Dataset
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.folds import make_folds
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.matrices.matrix import SIZE, read_matrix

Array = NDArray[np.float64]
Row = dict[str, Any]  # a line of areas.csv: one method on one matrix

VALUES, RANDOM = "values", "random"
STEPS = 10  # of the curves; each empties or fills a tenth of the patches
BLUR = 16.0  # cells
BATCH = 16  # matrices
EXPERIMENTS = (replace(EFFORT_SUBJECT, name="effort", without=()), ARMBAND_GENDER)


@dataclass(frozen=True)
class Subject:
    """One matrix (1, 256, 256), its empty counterpart, and the answer that the evidence is for."""

    model: Model
    matrix: NDArray[np.float32]
    empty: NDArray[np.float32]
    task: str
    class_index: int

    def rankings(self, seed: int) -> Iterator[tuple[str, NDArray[np.integer[Any]]]]:
        """Method -> numbers of the patches (1024,), the highest evidence for the class first."""
        inputs = SvmInputs(("the only repetition",), [{}], [()], None)
        name = self.model.description.classes[self.task][self.class_index]
        for method in METHODS:
            attribution = attribute(self.model, self.matrix[None], inputs, self.task, name, method=method)
            yield method, np.argsort(-in_patches(attribution.evidence[0, 0]).ravel(), kind="stable")
        yield VALUES, np.argsort(-in_patches(self.matrix[0].astype(np.float64)).ravel(), kind="stable")
        yield RANDOM, np.random.default_rng(seed).permutation((SIZE // PATCH) ** 2)

    def areas(self, ranking: NDArray[np.integer[Any]]) -> tuple[float, float]:
        """Areas under the curves of deletion and insertion: the mean probability over their steps."""
        rank = np.empty(ranking.size, dtype=np.intp)
        rank[ranking] = np.arange(ranking.size)
        steps = np.linspace(0, ranking.size, STEPS + 1)[:, None, None]
        taken = rank.reshape(SIZE // PATCH, -1) < steps  # (11, 32, 32)
        masks = np.kron(taken, np.ones((PATCH, PATCH), dtype=bool))[:, None]  # (11, 1, 256, 256)
        deleted, inserted = np.where(masks, self.empty, self.matrix), np.where(masks, self.matrix, self.empty)
        probabilities = self.model.probabilities(np.concatenate([deleted, inserted]))[self.task][:, self.class_index]
        deletion, insertion = probabilities.reshape(2, -1).mean(axis=1)  # (2, 11) -> (2,)
        return float(deletion), float(insertion)


def measured(experiment: Experiment, dataset: Dataset, out: Path, options: argparse.Namespace) -> Iterator[Row]:
    """A row for each matrix and method, on ``options.n_matrices`` matrices of each person."""
    config = TrainingConfig(epochs=options.epochs, learning_rate=options.learning_rate, seed=options.seed)
    task = experiment.task
    for fold in make_folds(dataset, "grouped", options.folds, config.validation_size, config.seed):
        folder = out / f"fold_{fold.number}"
        if not (folder / "metrics.json").is_file():
            train(
                dataset,
                folder,
                config,
                NetworkSize(base_channels=options.base_channels),
                RunOptions(task=task, overwrite=True, cpu=True),
                split=fold.split,
            )
        model = load_model(folder / "best")
        people, rng = np.array(dataset.subjects), np.random.default_rng(config.seed)
        for person in fold.held_out:
            for i in rng.permutation(np.flatnonzero(people == person))[: options.n_matrices]:
                matrix = dataset.matrices[i]
                probabilities = model.probabilities(matrix[None])[task][0]
                index = int(probabilities.argmax())
                blurred = scipy.ndimage.gaussian_filter(matrix, (0, BLUR, BLUR)) if options.blurred else None
                empty = np.zeros_like(matrix) if blurred is None else blurred
                subject = Subject(model, matrix, empty, task, index)
                for method, ranking in subject.rankings(int(i)):
                    deletion, insertion = subject.areas(ranking)
                    yield {
                        "task": experiment.name, "person": person, "file": dataset.rows[i].file,
                        "answer": model.description.classes[task][index], "true": dataset.rows[i].label(task),
                        "confidence": probabilities[index], "method": method, "deletion": deletion,
                        "insertion": insertion,
                    }  # fmt: skip


def show(rows: list[Row]) -> None:
    """Areas by method with intervals over people, and their difference compared with that of the values."""
    people = sorted({row["person"] for row in rows})
    methods = list(dict.fromkeys(row["method"] for row in rows))

    def cell(values: Array) -> str:
        low, high = scipy.stats.ttest_1samp(values, 0).confidence_interval()  # Student's t over people
        return f"{values.mean():+.3f} ({low:+.3f} to {high:+.3f})"

    def by_person(method: str, value: Callable[[Row], float]) -> Array:
        return np.array(
            [np.mean([value(r) for r in rows if r["method"] == method and r["person"] == p]) for p in people]
        )

    def gap(row: Row) -> float:
        return float(row["insertion"] - row["deletion"])

    print(f"\n{rows[0]['task']}: {len(rows) // len(methods)} matrices of {len(people)} held-out people")
    print(f"{'method':22} {'deletion':28} {'insertion':28} {'insertion - deletion':28} {'more than the values':28}")
    for method in methods:
        gaps = by_person(method, gap)
        cells = (
            by_person(method, lambda r: r["deletion"]), by_person(method, lambda r: r["insertion"]),
            gaps, gaps - by_person(VALUES, gap),
        )  # fmt: skip
        print(f"{method:22} " + " ".join(f"{cell(values):28}" for values in cells), flush=True)
    for name in sorted({row["answer"] for row in rows}):
        of_answer = [row for row in rows if row["answer"] == name]
        means = (f"{m} {np.mean([gap(row) for row in of_answer if row['method'] == m]):+.3f}" for m in methods)
        print(f"  answered {name} ({len(of_answer) // len(methods)}): {', '.join(means)}")


def by_gauss(score: Score, x: torch.Tensor, n_points: int) -> torch.Tensor:
    """Integrated gradients by the rule of Gauss and Legendre, (n, n_planes, 256, 256)."""
    nodes, weights = np.polynomial.legendre.leggauss(n_points)
    total = torch.zeros_like(x, dtype=torch.float64)
    for start in range(0, n_points, BATCH):
        part = slice(start, start + BATCH)
        at = torch.tensor((1 + nodes[part]) / 2, dtype=x.dtype).view(-1, 1, 1, 1, 1)
        points = (at * x).requires_grad_()  # (k, n, n_planes, 256, 256)
        (gradients,) = torch.autograd.grad(score(points).sum(), points)
        total += torch.einsum("k,knphw->nphw", torch.tensor(weights[part]) / 2, gradients.double())
    return total * x


def doubled(score: Score, x: torch.Tensor, change: float) -> torch.Tensor:
    n_points = 32
    while True:
        evidence = by_gauss(score, x, n_points)
        missing = abs(float(evidence.sum()) - change)
        if missing <= TOLERANCE * max(1.0, abs(change)) or n_points >= 2 * MAX_POINTS:
            return evidence
        n_points *= 2


def found_in(evidence: torch.Tensor) -> tuple[int, Array, list[tuple[int, int]]]:
    """The channel with most evidence on the side with more, the patches (32, 32), and band and span in patches."""
    patches = in_patches(evidence.sum(dim=(0, 1)).numpy())
    leans = 1 if patches.clip(min=0).sum() >= np.abs(patches).sum() / 2 else -1
    extents = [narrowest((leans * patches).clip(min=0).sum(axis=axis), HELD) for axis in (1, 0)]
    return int((leans * evidence.sum(dim=(2, 3))).argmax()), patches, extents


def show_times(folder: Path, run: Path, n_matrices: int, seed: int) -> None:
    model = load_model(run / "best" if (run / "best").is_dir() else run)
    paths = sorted(folder.glob("*.npz"))
    task, fast = model.description.encoder_task, for_gradients(model.network)
    heads = (f"{head:>9} {'missing':>8}" for head in ("before: s", "now: s"))
    print(f"{'matrix':20} {'change':>7} {' '.join(heads)} | patches channel band span")
    for i in np.random.default_rng(seed).permutation(len(paths))[:n_matrices]:
        x = torch.from_numpy(read_matrix(paths[i]).values.reshape(1, -1, SIZE, SIZE))  # one matrix, its planes
        index = int(model.probabilities(x.numpy())[task][0].argmax())
        answer, _ = scored(model, SvmInputs(("the only repetition",), [{}], [()], None), task, index)
        plain, own = score_of(model.network.eval(), answer), score_of(fast, answer)
        with torch.no_grad():
            full, empty = own(torch.stack([x, torch.zeros_like(x)])).tolist()
        rows = []
        for rule, score in ((doubled, plain), (integrated_gradients, own)):
            start = time.process_time()
            evidence = rule(score, x, full - empty)
            seconds = time.process_time() - start
            rows.append((evidence, seconds, abs(float(evidence.sum()) - full + empty)))
        channel, patches, extents = found_in(by_gauss(own, x, 2 * MAX_POINTS))
        own_channel, own_patches, own_extents = found_in(rows[1][0])
        away = np.abs(own_patches - patches).sum() / np.abs(patches).sum()
        moved = [int(np.abs(np.subtract(a, b)).max()) for a, b in zip(own_extents, extents, strict=True)]
        print(
            f"{paths[i].stem:20} {full - empty:7.2f} " + " ".join(f"{s:9.2f} {m:8.3f}" for _, s, m in rows)
            + f" | {away:7.3f} {'same' if own_channel == channel else 'other':7} {moved[0]:4} {moved[1]:4}",
            flush=True,
        )  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__, EXPERIMENTS)
    parser.add_argument("--channels", nargs="*", default=["1", "5"], help="numbers of the channels to use")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--n_matrices", type=int, default=12, help="of each held-out person")
    parser.add_argument("--blurred", action="store_true", help="blur patches instead of emptying them")
    parser.add_argument("--times", type=Path, metavar="RUN", help="measure what the evidence costs with this run")
    options = parser.parse_args()
    if options.times is not None:
        show_times(options.data, options.times, options.n_matrices, options.seed)
        return
    if options.quick:
        options.epochs, options.n_matrices = 1, 2
    with folder_or_temporary(options.out) as out:
        for experiment in (e for e in EXPERIMENTS if e.name in options.rows):
            folder = out / experiment.name
            jobs = replace(experiment, channels=tuple(options.channels)).jobs(options.data)
            dataset = experiment.prepared(jobs, folder / "prepared")
            rows = list(measured(experiment, dataset, folder, options))
            with (folder / "areas.csv").open("w", newline="", encoding="utf-8") as handle:
                writer = csv.DictWriter(handle, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            show(rows)


if __name__ == "__main__":
    main()
