"""Prediction beside plain eager PyTorch with the same weights: one command, ratios of medians, all sides interleaved.

    python benchmarks/inference.py                # 64 channels; needs the extras train, export and openvino
    python benchmarks/inference.py --only 1       # one part of: 1, 60, warm, raw
    python benchmarks/inference.py --seed_repo FOLDER   # beside them a clone of PRIMOCOSMOS/sEMGHHT-NN, parts 1 and 60

The other side is what users run today: torch imported, one file at a time, three forward passes a file (action,
features, gender on features anew), scikit-learn's SVM. Whole processes are timed from start to end, with their peak
memory; warm times are of one process that holds all engines. Weights are drawn, batch norm is calibrated, the SVM is
fitted on their features: times do not depend on what a network knows. "off by" is the largest difference of a
probability from eager. The raw recording is a real one where ../shared/data is, else a simulated one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
N_FILES, BATCH = 60, 32
RECORDINGS = ROOT.parent / "shared" / "data" / "contraction_intensity"
EAGER = """
import json, sys
from pathlib import Path
import joblib, numpy as np, torch
from semg_hht.learning.network import ActionNetwork, NetworkConfig
folder, files = Path(sys.argv[1]), sorted(Path(sys.argv[2]).glob(sys.argv[3]))
network = ActionNetwork(NetworkConfig(3, base_channels=int(sys.argv[4])))
network.load_state_dict(torch.load(folder / "network.pt", weights_only=True))
svm = joblib.load(folder / "gender.joblib")
network.eval()
answers = {}
for file in files:
    x = torch.from_numpy(np.load(file)["hht"])[None, None]
    with torch.no_grad():
        action = torch.softmax(network(x), dim=1)
        features = network.encoder(x).numpy()
        gender = svm.predict_proba(network.encoder(x).numpy().astype(np.float64))
    answers[file.name] = action[0].tolist() + gender[0].tolist()
Path(sys.argv[5]).write_text(json.dumps(answers))
"""
# The seed's classes as its train.py makes them (5 and 4 layers, no weights of ours), driven as its inference does, with
# what it needs to run: its inference.py can't load what its train.py saves.
SEED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np, torch
import train as seed
files = sorted(Path(sys.argv[2]).glob(sys.argv[3]))
saved = Path(sys.argv[4])
action, gender = seed.ActionQualityCNNClassifier(), seed.GenderSVMClassifier()
if not saved.exists():
    rng = np.random.default_rng(0)
    features = torch.from_numpy(gender.extract_features(rng.random((20, 256, 256), dtype=np.float32)))
    torch.save((action.state_dict(), gender.encoder.state_dict(), features), saved)
weights, encoder, features = torch.load(saved, weights_only=True)
action.load_state_dict(weights), gender.encoder.load_state_dict(encoder)
# No pickle: the SVM is fitted again, on 20 rows, which takes a few milliseconds.
gender.svm.fit(gender.scaler.fit_transform(features.numpy()), np.arange(20) % 2)
gender._is_fitted = True
action.eval()
for file in files:
    x = seed.normalize_hht_matrix(np.load(file)["hht"])[None].astype(np.float32)
    gender.predict(x), gender.predict_proba(x)
    with torch.no_grad():
        torch.softmax(action(torch.tensor(x[:, None])), dim=1)
"""


def prepare(folder: Path, channels: int) -> None:
    """Files to predict, what the other side reads, and runs with exports: of one channel, and of eight stacked."""
    import numpy as np

    from semg_hht.matrices.matrix import Matrix, write_matrix
    from semg_hht.matrices.transform import configure

    rng = np.random.default_rng(0)
    for n_planes, place in ((1, folder / "files"), (8, folder / "stacked_files")):
        settings = configure(channels="separate" if n_planes == 1 else "stack").to_json()
        for i in range(N_FILES if n_planes == 1 else N_FILES // 2):
            values = rng.random((n_planes, 256, 256), dtype=np.float32)
            values[:, 80 * (i % 3) : 80 * (i % 3) + 60] += 2
            name = f"S{i % 10:02d}_BICEPS_{('full', 'half', 'invalid')[i % 3]}_{'FM'[i % 2]}_{i:03d}.npz"
            write_matrix(place / name, Matrix(values, settings))
    _train(folder, "", folder / "files", channels)
    _train(folder, "stacked_", folder / "stacked_files", channels)
    (folder / "ready").touch()


def _train(folder: Path, kind: str, files: Path, channels: int) -> None:
    import joblib
    import torch

    from semg_hht.export import quantise
    from semg_hht.export.export import export
    from semg_hht.learning.checkpoint import Model, save_model
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.network import ActionNetwork, NetworkConfig, recalibrate_batch_norm
    from semg_hht.learning.svm_training import fit_svm

    data = load_folder(files)
    torch.manual_seed(0)
    network = ActionNetwork(NetworkConfig(3, base_channels=channels, n_planes=data.matrices.shape[1]))
    with torch.no_grad():
        recalibrate_batch_norm(network, (torch.from_numpy(data.matrices[i : i + 15]) for i in (0, 15)))
    peak = float(data.matrices.max())
    model = Model(network.eval(), {}, "action_quality", data.classes(), data.settings, 1, peak)
    features, _ = model.features_and_logits(data.matrices)
    svm = fit_svm(features, data.labels("gender"), data.subjects, what="gender", by="subject", seed=0)
    model, run = replace(model, svms={"gender": svm}), folder / f"{kind}run"
    save_model(model, run)
    torch.save(network.state_dict(), folder / f"{kind}network.pt")
    joblib.dump(svm, folder / f"{kind}gender.joblib")
    export(model, run, folder / f"{kind}float32", data=data, overwrite=True)
    quantise.ALLOWED_LOSS = 1.0  # drawn weights know nothing that could be lost
    export(model, run, folder / f"{kind}int8", data=data, int8=True, overwrite=True)


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


def sides() -> dict[str, tuple[str, str]]:
    """What is measured: name -> folder and engine."""
    from semg_hht.inference.engines import installed

    kinds = {kind: ("auto", *installed(kind)) for kind in ("float32", "int8")}
    return {"torch": ("run", "torch")} | {f"{e} {kind}": (kind, e) for kind, here in kinds.items() for e in here}


def whole_processes(folder: Path, channels: int, rounds: int, n: int, seed_repo: Path | None) -> None:
    """One file, or the folder of all, predicted by each side."""
    pattern = "S00_*_000.npz" if n == 1 else "*.npz"
    source = str(next((folder / "files").glob(pattern)) if n == 1 else folder / "files")
    said = folder / "eager.json"
    commands = {
        "eager": [sys.executable, "-c", EAGER, str(folder), str(folder / "files"), pattern, str(channels), str(said)]
    }
    if seed_repo is not None:
        seed = [sys.executable, "-c", SEED, str(seed_repo), str(folder / "files"), pattern, str(folder / "seed.pt")]
        process(seed)  # the first time it draws and saves its weights
        commands["seed's own classes"] = seed
    for side, (kind, engine) in sides().items():
        out = str(folder / f"{side}.json")
        commands[side] = [
            sys.executable, "-m", "semg_hht", "predict", "--checkpoint", str(folder / kind), "--engine", engine,
            "--input", source, "--output", out, "--overwrite", "--cpu",
        ]  # fmt: skip
    runs: dict[str, list[tuple[float, float]]] = {side: [] for side in commands}
    for _ in range(rounds):
        for side, command in commands.items():
            runs[side].append(process(command))
    print(f"\n{n} file{'s' * (n > 1)}, whole process      s   ratio    MiB   ratio   off by")
    first = [statistics.median(values) for values in zip(*runs["eager"], strict=True)]
    for side, found in runs.items():
        took, peak = (statistics.median(values) for values in zip(*found, strict=True))
        off = f"{_off_by(said, folder / f'{side}.json'):8.0e}" if side in sides() else ""
        print(f"  {side:22s} {took:7.2f} {took / first[0]:7.3f} {peak:6.0f} {peak / first[1]:7.3f} {off}", flush=True)


def _off_by(eager: Path, ours: Path) -> float:
    """Largest difference of a probability, of those that stand in the JSON with six digits."""
    theirs, found = (json.loads(path.read_text(encoding="utf-8")) for path in (eager, ours))
    return max(
        abs(p - q)
        for file, probabilities in theirs.items()
        for p, q in zip(probabilities, _flat(found[file]), strict=True)
    )


def _flat(entry: dict[str, Any]) -> list[float]:
    return [p for task in ("action_quality", "gender") for p in entry[task]["probabilities"].values()]


def interleaved(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each, warm."""
    times: dict[str, list[float]] = {side: [] for side in works}
    for i in range(rounds + 1):
        for side, work in works.items():
            time.sleep(0.1)  # threads of the side before wait for more work a while, and would be in the way
            started = time.perf_counter()
            work()
            if i:  # the first time is no warm one
                times[side].append(time.perf_counter() - started)
    return {side: statistics.median(found) for side, found in times.items()}


def warm(folder: Path, rounds: int) -> None:
    """One matrix, and a batch, in engines that have already answered; network and SVM, one pass on either side."""
    import joblib
    import numpy as np
    import torch

    from semg_hht.prediction.run import open_run

    matrices = np.random.default_rng(1).random((BATCH, 1, 256, 256), dtype=np.float32)
    network, svm = open_run(folder / "run", cpu=True).engine.network.eval(), joblib.load(folder / "gender.joblib")

    def eager(batch: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            features = network.encoder(torch.from_numpy(batch))
            action = torch.softmax(network.head(features), dim=1)
        return np.concatenate([action.numpy(), svm.predict_proba(features.numpy().astype(np.float64))], axis=1)

    def ours(engine: Any, batch: np.ndarray) -> np.ndarray:
        found = engine.probabilities(batch, batch_size=BATCH)
        return np.concatenate([found["action_quality"], found["gender"]], axis=1)

    engines: dict[str, Callable[[np.ndarray], np.ndarray]] = {"eager, one pass": eager}
    for side, (kind, name) in sides().items():
        if name != "auto":
            engine = open_run(folder / kind, cpu=True, engine=name).engine
            engines[side] = lambda batch, engine=engine: ours(engine, batch)
    for n in (1, BATCH):
        batch = matrices[:n]
        took = interleaved({side: partial(answer, batch) for side, answer in engines.items()}, rounds)
        first, expected = took["eager, one pass"], eager(batch)
        print(f"\nbatch {n}, warm                ms   ratio  faster   off by")
        for side, seconds in took.items():
            off = np.abs(engines[side](batch) - expected).max()
            print(f"  {side:22s} {1e3 * seconds:7.1f} {seconds / first:7.3f} {first / seconds:6.1f}x {off:8.0e}")


def raw(folder: Path, rounds: int) -> None:
    """A recording of 3 s and 8 channels, stacked, to both answers; and what of it is reading and transform."""
    from semg_hht.datasets.find_inputs import find_jobs
    from semg_hht.matrices.transform import transform
    from semg_hht.prediction.run import open_run

    real = sorted(path for path in RECORDINGS.rglob("*.csv") if "manifest" not in path.name)
    path = real[0] if real else _simulated(folder)
    runs = {side: open_run(folder / f"stacked_{kind}", cpu=True, engine=name) for side, (kind, name) in sides().items()}
    (job,) = find_jobs(path, rate_hz=1000.0, units="V")
    config = next(iter(runs.values())).recording_config
    works: dict[str, Callable[[], object]] = {"reading and transform": lambda: transform(job, config)}
    for side, run in runs.items():
        works[side] = lambda run=run: run.predict(path, rate_hz=1000.0, units="V")
    print(f"\nraw recording to both answers, warm, {path.name}        ms")
    for side, seconds in interleaved(works, rounds).items():
        print(f"  {side:22s} {1e3 * seconds:7.1f}", flush=True)


def _simulated(folder: Path) -> Path:
    import numpy as np

    path = folder / "recording.csv"
    samples = 1e-4 * np.random.default_rng(2).standard_normal((3000, 8))
    np.savetxt(path, samples, delimiter=",", fmt="%.9f")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "inference", help="for weights and files")
    parser.add_argument("--base_channels", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("1", "60", "warm", "raw"))
    parser.add_argument("--seed_repo", type=Path, help="a clone of PRIMOCOSMOS/sEMGHHT-NN; its networks are smaller")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = (options.folder / str(options.base_channels)).absolute()
    if options.prepare:
        prepare(folder, options.base_channels)
        return
    if not (folder / "ready").is_file():  # in a process of its own: a child's peak memory begins at that of its parent
        subprocess.run([sys.executable, *sys.argv, "--prepare"], check=True)
    for n in (1, N_FILES):
        if options.only in (None, str(n)):
            rounds = options.rounds if n == 1 else min(options.rounds, 3)
            whole_processes(folder, options.base_channels, rounds, n, options.seed_repo)
    if options.only in (None, "warm"):
        warm(folder, options.rounds)
    if options.only in (None, "raw"):
        raw(folder, 2 * options.rounds)


if __name__ == "__main__":
    main()
