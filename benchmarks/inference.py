"""Prediction beside plain eager PyTorch with the same weights: one command, ratios of medians, both sides interleaved.

    python benchmarks/inference.py                # 64 channels; needs the extras train, export and openvino
    python benchmarks/inference.py --rounds 9

The other side is what users run today: torch imported, one file at a time, three forward passes a file (action,
features, gender on features anew), scikit-learn's SVM. Whole processes are timed from start to end, with their peak
memory; warm times are of one process that holds all engines. Weights are drawn, batch norm is
calibrated, the SVM is fitted on their features: times do not depend on what a network knows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
N_FILES, BATCH = 60, 32
EAGER = """
import sys
from pathlib import Path
import joblib, numpy as np, torch
from semg_hht.learning.network import ActionNetwork, NetworkConfig
folder, files = Path(sys.argv[1]), sorted(Path(sys.argv[2]).glob(sys.argv[3]))
network = ActionNetwork(NetworkConfig(3, base_channels=int(sys.argv[4])))
network.load_state_dict(torch.load(folder / "network.pt"))
svm = joblib.load(folder / "gender.joblib")
network.eval()
for file in files:
    x = torch.from_numpy(np.load(file)["hht"])[None, None]
    with torch.no_grad():
        action = torch.softmax(network(x), dim=1)
        features = network.encoder(x).numpy()
        gender = svm.predict_proba(network.encoder(x).numpy().astype(np.float64))
    print(file.name, action.argmax().item(), features.shape, gender.argmax())
"""


def prepare(folder: Path, channels: int) -> None:
    """A run with drawn weights, its exports in float32 and int8, what the other side reads, and files to predict."""
    import joblib
    import numpy as np
    import torch

    from semg_hht.learning import quantise
    from semg_hht.learning.checkpoint import Model, save_model
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.export import export
    from semg_hht.learning.network import ActionNetwork, NetworkConfig, recalibrate_batch_norm
    from semg_hht.learning.svm import fit_svm
    from semg_hht.matrices import Matrix, write_matrix
    from semg_hht.pipeline import configure

    settings, rng, folder = configure().to_json(), np.random.default_rng(0), folder.absolute()
    for i in range(N_FILES):
        values = rng.random((1, 256, 256), dtype=np.float32)
        values[:, 80 * (i % 3) : 80 * (i % 3) + 60] += 2
        name = f"S{i % 10:02d}_BICEPS_{('full', 'half', 'invalid')[i % 3]}_{'FM'[i % 2]}_{i:03d}.npz"
        write_matrix(folder / "files" / name, Matrix(values, settings))
    data = load_folder(folder / "files")
    torch.manual_seed(0)
    network = ActionNetwork(NetworkConfig(3, base_channels=channels))
    with torch.no_grad():
        recalibrate_batch_norm(network, (torch.from_numpy(data.matrices[i : i + 20]) for i in (0, 20)))
    model = Model(network.eval(), {}, "action_quality", data.classes(), data.settings, 1, float(data.matrices.max()))
    features, _ = model.features_and_logits(data.matrices)
    svm = fit_svm(features, data.labels("gender"), data.subjects, what="gender", by="subject", seed=0)
    model = replace(model, svms={"gender": svm})
    save_model(model, folder / "run")
    torch.save(network.state_dict(), folder / "network.pt")
    joblib.dump(svm, folder / "gender.joblib")
    export(model, folder / "run", folder / "float32", data=data)
    quantise.ALLOWED_LOSS = 1.0  # drawn weights know nothing that could be lost
    export(model, folder / "run", folder / "int8", data=data, int8=True)


def process(command: list[str]) -> tuple[float, float]:
    """Seconds from start to end, and peak memory in MiB."""
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    _, status, usage = os.wait4(child.pid, 0)
    took = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} ended with {child.returncode}")
    return took, usage.ru_maxrss / 1024


def whole_processes(folder: Path, channels: int, rounds: int, sides: dict[str, tuple[str, str]], n: int) -> None:
    """One file, or the folder of all, predicted by each side."""
    pattern = "S00_*_000.npz" if n == 1 else "*.npz"
    source = str(next((folder / "files").glob(pattern)) if n == 1 else folder / "files")
    eager = [sys.executable, "-c", EAGER, str(folder), str(folder / "files"), pattern, str(channels)]
    commands = {"eager": eager} | {
        side: [sys.executable, "-m", "semg_hht", "predict", "--checkpoint", str(folder / kind), "--engine", engine,
               "--input", source, "--output", str(folder / "answers.json"), "--overwrite", "--cpu"]
        for side, (kind, engine) in sides.items()
    }  # fmt: skip
    runs: dict[str, list[tuple[float, float]]] = {side: [] for side in commands}
    for _ in range(rounds):
        for side, command in commands.items():
            runs[side].append(process(command))
    print(f"\n{n} file{'s' * (n > 1)}, whole process      s   ratio    MiB   ratio")
    first = [statistics.median(values) for values in zip(*runs["eager"], strict=True)]
    for side, found in runs.items():
        took, peak = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"  {side:22s} {took:7.2f} {took / first[0]:7.3f} {peak:6.0f} {peak / first[1]:7.3f}", flush=True)


def warm(folder: Path, rounds: int, sides: dict[str, tuple[str, str]]) -> None:
    """One matrix, and a batch, in engines that have already answered."""
    import numpy as np
    import torch

    from semg_hht.predict import open_run

    matrices = np.random.default_rng(1).random((BATCH, 1, 256, 256), dtype=np.float32)
    network = open_run(folder / "run", cpu=True).engine.network.eval()

    def eager(batch: np.ndarray) -> None:
        with torch.no_grad():
            network(torch.from_numpy(batch))

    engines: dict[str, Callable[[np.ndarray], object]] = {"eager, one pass": eager}
    for side, (kind, name) in sides.items():
        engine = open_run(folder / kind, cpu=True, engine=name).engine
        engines[side] = lambda batch, engine=engine: engine.probabilities(batch, BATCH)
    for n in (1, BATCH):
        times = {side: [] for side in engines}
        for i in range(rounds + 1):
            for side, answer in engines.items():
                started = time.perf_counter()
                answer(matrices[:n])
                if i:  # the first time is no warm one
                    times[side].append(time.perf_counter() - started)
        print(f"\nbatch {n}, warm                ms   ratio  faster")
        first = statistics.median(times["eager, one pass"])
        for side, found in times.items():
            took = statistics.median(found)
            print(f"  {side:22s} {1e3 * took:7.1f} {took / first:7.3f} {first / took:6.1f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "inference", help="for weights and files")
    parser.add_argument("--base_channels", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("1", "60", "warm"))
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.folder / str(options.base_channels)
    if options.prepare:
        prepare(folder, options.base_channels)
        return
    if not (folder / "int8").is_dir():  # in a process of its own: a child's peak memory begins at that of its parent
        subprocess.run([sys.executable, *sys.argv, "--prepare"], check=True)
    from semg_hht.engines.networks import installed

    sides = {"torch": ("run", "torch")} | {
        f"{name} {kind}": (kind, name) for name in installed() for kind in ("float32", "int8")
    }
    for n in (1, N_FILES):
        if options.only in (None, str(n)):
            whole_processes(folder, options.base_channels, options.rounds, sides, n)
    if options.only in (None, "warm"):
        warm(folder, options.rounds, sides)


if __name__ == "__main__":
    main()
