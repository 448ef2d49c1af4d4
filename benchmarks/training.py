"""A training step, the fit of an SVM and the loading of matrices, compared with what users have without this project.

    python benchmarks/training.py                       # 64 channels, batch 16; about three minutes on two cores
    python benchmarks/training.py --only step --precision bfloat16 --layouts
    python benchmarks/training.py --only step --seed_repo PATH      # also a clone of PRIMOCOSMOS/sEMGHHT-NN
    python benchmarks/training.py --only recipes --prepared FOLDER --base_channels 8    # the cost of --recipe auto

The other sides: the same network and the same arithmetic in plain eager PyTorch (its convolutions, its default AdamW,
memory given back to the system); scikit-learn's RBF SVM, alone and calibrated; npz files read with NumPy. Every side
is a process of its own, and they take turns; ratios are of medians. Weights and matrices are random: times do not
depend on what a network has learned.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measurement import ROOT, write_labelled

N_ROWS, N_FEATURES, N_MATRICES = 3000, 2048, 400


def step_of(side: str, channels: int, batch: int) -> Callable[[], None]:
    """One step of training: forward, backward, clipping, AdamW."""
    import torch
    from torch import nn
    from torch.nn import functional

    from semg_hht.inference.description import NetworkConfig
    from semg_hht.learning.cpu_convolution import (
        choose_convolutions,
        clip_gradients,
        take_gradients,
        weights_in_memory_order,
    )
    from semg_hht.learning.network import ActionNetwork
    from semg_hht.system.memory import keep_freed_memory

    torch.manual_seed(0)
    network: Any = ActionNetwork(NetworkConfig(3, base_channels=channels)).train()
    x, y = torch.rand(batch, 1, 256, 256), torch.arange(batch) % 3
    plain = side in ("eager", "channels last", "compiled")
    if plain:
        for module in network.modules():
            if isinstance(module, nn.LeakyReLU):
                module.inplace = False
        weights = list(network.parameters())
        if side == "channels last":
            network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        if side == "compiled":
            network = torch.compile(network)
    else:
        precision = torch.bfloat16 if side == "bfloat16" else None
        choose_convolutions(network, as_products=side != "torch", precision=precision)
        keep_freed_memory()
        weights = weights_in_memory_order(network)
    optimizer = torch.optim.AdamW(weights, lr=1e-4, weight_decay=1e-4, fused=None if plain else True)

    def step() -> None:
        optimizer.zero_grad()
        loss: Any = functional.cross_entropy(network(x), y, label_smoothing=0.1)
        loss.backward()
        if plain:
            nn.utils.clip_grad_norm_(weights, 1.0)
        else:
            take_gradients(weights, network)
            clip_gradients(weights, 1.0)
        optimizer.step()

    return step


def original_step_of(repository: Path, channels: int, batch: int) -> Callable[[], None]:
    """A step of the loop in the original repository's train.py: its network (no shortcuts), Adam, no clipping."""
    import importlib.util

    import torch
    from torch.nn import functional

    spec = importlib.util.spec_from_file_location("original_train", repository / "train.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    network = module.ActionQualityCNNClassifier(base_channels=channels, num_encoder_layers=7).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-5)
    x, y = torch.rand(batch, 1, 256, 256), torch.arange(batch) % 3

    def step() -> None:
        optimizer.zero_grad()
        loss: Any = functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()

    return step


def random_features() -> tuple[Any, ...]:
    import numpy as np

    rng = np.random.default_rng(0)
    labels = np.where(rng.random(N_ROWS) < 0.5, "F", "M")
    features = rng.standard_normal((N_ROWS, N_FEATURES))
    features[labels == "M", :64] += 0.3
    return features, labels, np.arange(N_ROWS) // 100


def svm_of(side: str) -> Callable[[], None]:
    import numpy as np
    from sklearn.svm import SVC

    from semg_hht.learning.svm_kernel import Rows, SvcOnRows, on_features

    features, labels, _ = random_features()

    def ours() -> None:
        rows = SvcOnRows(Rows(features), C=10).fit(np.arange(N_ROWS)[:, None], labels)
        on_features(rows, labels, np.ones(N_ROWS), C=10)

    return ours if side == "ours" else lambda: SVC(C=10).fit(features, labels)


def calibrated_of(side: str) -> Callable[[], None]:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    from semg_hht.learning.svm_training import fit_svm

    features, labels, people = random_features()

    def plain() -> None:
        folds = list(StratifiedGroupKFold(5).split(features, labels, people))
        svm = CalibratedClassifierCV(SVC(C=10), method="sigmoid", ensemble=False, cv=folds)
        make_pipeline(StandardScaler(), svm).fit(features, labels)

    def ours() -> None:
        fit_svm(features, labels.tolist(), people.astype(str).tolist(), what="gender", by="subject", seed=0)

    return ours if side == "ours" else plain


def loading_of(side: str, folder: Path) -> Callable[[], None]:
    """Reads every matrix of a folder once, batch by batch."""
    import numpy as np

    from semg_hht.learning.dataset import load_folder

    if not folder.is_dir():
        rng = np.random.default_rng(0)
        for i in range(N_MATRICES):  # noise with half of the cells empty compresses like a real matrix
            write_labelled(folder, i, np.maximum(rng.standard_normal((1, 256, 256), dtype=np.float32), 0))

    def plain() -> None:
        for path in sorted(folder.glob("*.npz")):
            np.load(path)["hht"]

    def read(matrices: Any) -> None:
        for i in range(0, len(matrices), 32):
            matrices[i : i + 32]

    def opened() -> Any:
        return load_folder(folder, pack=folder.with_name("pack")).matrices

    if side == "npz, NumPy":
        return plain
    matrices = opened()
    return (lambda: read(matrices)) if side == "pack, read" else lambda: read(opened())


def run_of(recipe: str, prepared: Path, channels: int) -> Callable[[], None]:
    """A whole run on the matrices of a folder that `semg-hht prepare` wrote, with its choice and its calibration."""
    import tempfile

    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    dataset, config = load_folder(prepared), TrainingConfig(epochs=10, learning_rate=1e-3, recipe=recipe)

    def whole_run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            train(dataset, Path(folder) / "run", config, NetworkSize(base_channels=channels), RunOptions(cpu=True))

    return whole_run


def serve(work: Callable[[], None]) -> None:
    """Call ``work`` for each line of the standard input and print how long it took; the first call is not counted."""
    work()
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        work()
        print(time.perf_counter() - started, flush=True)


def compare(what: str, sides: tuple[str, ...], rounds: int, arguments: list[str]) -> None:
    """Print the medians of all sides and their ratios to the first; the sides take turns."""
    processes: dict[str, Any] = {}
    for side in sides:
        command = [sys.executable, __file__, "--serve", what, side, *arguments]
        processes[side] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while (line := processes[side].stdout.readline()) != "ready\n":
            if not line:
                raise SystemExit(f"{what}, {side}: the process ended before its first call")
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, process in processes.items():
            process.stdin.write("again\n")
            process.stdin.flush()
            times[side].append(float(process.stdout.readline()))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    first = statistics.median(times[sides[0]])
    print(f"\n{what:24s}     ms   ratio   (lowest to highest)")
    for side, seconds in times.items():
        median = statistics.median(seconds)
        spread = f"{1e3 * min(seconds):.0f} to {1e3 * max(seconds):.0f}"
        print(f"  {side:22s} {1e3 * median:6.0f} {median / first:7.3f}   ({spread})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base_channels", type=int, default=64)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("step", "svm", "calibrated", "loading", "recipes"))
    parser.add_argument("--prepared", type=Path, help="labelled matrices of several people, for the recipes")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "training", help="for matrices to load")
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="bfloat16: as a further side"
    )
    parser.add_argument("--layouts", action="store_true", help="channels last, and compiled, as further sides")
    parser.add_argument("--seed_repo", type=Path, help="clone of PRIMOCOSMOS/sEMGHHT-NN, as a further side")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        what, side = options.serve
        work = {
            "step": lambda: (
                original_step_of(options.seed_repo, options.base_channels, options.batch_size)
                if side == "original"
                else step_of(side, options.base_channels, options.batch_size)
            ),
            "svm": lambda: svm_of(side),
            "calibrated": lambda: calibrated_of(side),
            "loading": lambda: loading_of(side, options.folder / "matrices"),
            "recipes": lambda: run_of(side, options.prepared, options.base_channels),
        }
        serve(work[what]())
        return
    further = ["bfloat16"] * (options.precision == "bfloat16") + ["original"] * (options.seed_repo is not None)
    further += ["channels last", "compiled"] * options.layouts
    steps = ("eager", "torch", "products", *further)
    arguments = ["--base_channels", str(options.base_channels), "--batch_size", str(options.batch_size)]
    arguments += ["--folder", str(options.folder)]
    arguments += [] if options.seed_repo is None else ["--seed_repo", str(options.seed_repo)]
    if options.prepared is not None:
        arguments += ["--prepared", str(options.prepared)]
    for what, sides, rounds in (
        ("step", steps, options.rounds),
        ("svm", ("scikit-learn", "ours"), min(3, options.rounds)),
        ("calibrated", ("scikit-learn", "ours"), min(3, options.rounds)),
        ("loading", ("npz, NumPy", "pack, opened and read", "pack, read"), options.rounds),
        ("recipes", ("plain", "auto"), min(3, options.rounds)),
    ):
        if what == options.only or (options.only is None and (what != "recipes" or options.prepared)):
            compare(what, sides, rounds, arguments)


if __name__ == "__main__":
    main()
