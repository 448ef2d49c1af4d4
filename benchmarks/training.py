"""A training step, the SVM's fit and the loading of matrices, each beside what a user has without this project.

    python benchmarks/training.py                       # 64 channels, batch 16; about three minutes on two cores
    python benchmarks/training.py --only step --precision bfloat16 --layouts
    python benchmarks/training.py --only step --seed_repo PATH      # a clone of PRIMOCOSMOS/sEMGHHT-NN, run as it is

The other sides: the same network and the same arithmetic in plain eager PyTorch (its own convolutions, its AdamW as it
comes, memory given back to the system); scikit-learn's own RBF SVM, alone and calibrated; npz files read with NumPy.
Every side is a process of its own, asked in turn; ratios are of medians. Weights and matrices are drawn: times do not
depend on what a network knows.
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

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
N_ROWS, N_FEATURES, N_MATRICES = 3000, 2048, 400


def step_of(side: str, channels: int, batch: int) -> Callable[[], None]:
    """One step of training: forward, backward, clipping, AdamW."""
    import torch
    from torch import nn
    from torch.nn import functional

    from semg_hht.learning.cpu_convolution import (
        choose_convolutions,
        clip_gradients,
        take_gradients,
        weights_in_memory_order,
    )
    from semg_hht.learning.network import ActionNetwork, NetworkConfig
    from semg_hht.system.memory import keep_freed_memory

    torch.manual_seed(0)
    network = ActionNetwork(NetworkConfig(3, base_channels=channels)).train()
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
        functional.cross_entropy(network(x), y, label_smoothing=0.1).backward()
        if plain:
            nn.utils.clip_grad_norm_(weights, 1.0)
        else:
            take_gradients(weights, network)
            clip_gradients(weights, 1.0)
        optimizer.step()

    return step


def seed_step_of(repository: Path, channels: int, batch: int) -> Callable[[], None]:
    """A step as the loop of that repository's train.py makes it: its network (no shortcuts), Adam, no clipping."""
    import importlib.util

    import torch
    from torch.nn import functional

    found = importlib.util.spec_from_file_location("seed_train", repository / "train.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    torch.manual_seed(0)
    network = module.ActionQualityCNNClassifier(base_channels=channels, num_encoder_layers=7).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-5)
    x, y = torch.rand(batch, 1, 256, 256), torch.arange(batch) % 3

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()

    return step


def drawn_features() -> tuple:
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

    features, labels, _ = drawn_features()

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

    features, labels, people = drawn_features()

    def plain() -> None:
        folds = list(StratifiedGroupKFold(5).split(features, labels, people))
        svm = CalibratedClassifierCV(SVC(C=10), method="sigmoid", ensemble=False, cv=folds)
        make_pipeline(StandardScaler(), svm).fit(features, labels)

    def ours() -> None:
        fit_svm(features, labels.tolist(), people.astype(str).tolist(), what="gender", by="subject", seed=0)

    return ours if side == "ours" else plain


def loading_of(side: str, folder: Path) -> Callable[[], None]:
    """Every matrix of a folder in memory once, batch by batch."""
    import numpy as np

    from semg_hht.learning.dataset import load_folder
    from semg_hht.matrices.matrix import Matrix, write_matrix
    from semg_hht.matrices.transform import configure

    if not folder.is_dir():  # the noise of a real matrix would not compress better
        rng, settings = np.random.default_rng(0), configure().to_json()
        for i in range(N_MATRICES):
            name = f"S{i % 20:02d}_BICEPS_{('full', 'half', 'invalid')[i % 3]}_{'FM'[i % 2]}_{i:03d}.npz"
            values = np.maximum(rng.standard_normal((1, 256, 256), dtype=np.float32), 0)  # half of the cells are empty
            write_matrix(folder / name, Matrix(values, settings))

    def plain() -> None:
        for path in sorted(folder.glob("*.npz")):
            np.load(path)["hht"]

    def read(matrices: Any) -> None:
        for i in range(0, len(matrices), 32):
            matrices[i : i + 32]

    def opened() -> Any:
        return load_folder(folder, pack=folder.with_name("pack")).matrices

    known = None if side == "npz, NumPy" else opened()
    return {"npz, NumPy": plain, "pack, opened and read": lambda: read(opened()), "pack, read": lambda: read(known)}[
        side
    ]


def serve(work: Callable[[], None]) -> None:
    """Do it whenever a line comes in, and say how long it took."""
    work()  # the first time is no warm one
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        work()
        print(time.perf_counter() - started, flush=True)


def compare(what: str, sides: tuple[str, ...], rounds: int, arguments: list[str]) -> None:
    """Medians of all sides, asked in turn, over that of the first."""
    processes = {}
    for side in sides:
        command = [sys.executable, __file__, "--serve", what, side, *arguments]
        processes[side] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while (line := processes[side].stdout.readline()) != "ready\n":
            if not line:
                raise SystemExit(f"{what}, {side}: ended before its first answer")
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
    for side, found in times.items():
        took = statistics.median(found)
        spread = f"{1e3 * min(found):.0f} to {1e3 * max(found):.0f}"
        print(f"  {side:22s} {1e3 * took:6.0f} {took / first:7.3f}   ({spread})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--base_channels", type=int, default=64)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("step", "svm", "calibrated", "loading"))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "training", help="for matrices to load")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of a further side")
    parser.add_argument("--layouts", action="store_true", help="channels last, and compiled, as further sides")
    parser.add_argument("--seed_repo", type=Path, help="clone of the seed's repository, as a further side")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        what, side = options.serve
        work = {
            "step": lambda: (
                seed_step_of(options.seed_repo, options.base_channels, options.batch_size)
                if side == "seed"
                else step_of(side, options.base_channels, options.batch_size)
            ),
            "svm": lambda: svm_of(side),
            "calibrated": lambda: calibrated_of(side),
            "loading": lambda: loading_of(side, options.folder / "matrices"),
        }
        serve(work[what]())
        return
    further = ["bfloat16"] * (options.precision == "bfloat16") + ["seed"] * (options.seed_repo is not None)
    further += ["channels last", "compiled"] * options.layouts
    steps = ("eager", "torch", "products", *further)
    arguments = ["--base_channels", str(options.base_channels), "--batch_size", str(options.batch_size)]
    arguments += ["--folder", str(options.folder)]
    arguments += [] if options.seed_repo is None else ["--seed_repo", str(options.seed_repo)]
    for what, sides, rounds in (
        ("step", steps, options.rounds),
        ("svm", ("scikit-learn", "ours"), min(3, options.rounds)),
        ("calibrated", ("scikit-learn", "ours"), min(3, options.rounds)),
        ("loading", ("npz, NumPy", "pack, opened and read", "pack, read"), options.rounds),
    ):
        if options.only in (None, what):
            compare(what, sides, rounds, arguments)


if __name__ == "__main__":
    main()
