"""Prediction compared with plain eager PyTorch and the same weights: ratios of medians, all sides interleaved.

    python benchmarks/inference.py                # 64 channels; needs the extras train, export and openvino
    python benchmarks/inference.py --only 1 all   # some of the parts 1, all, warm, raw
    python benchmarks/inference.py --seed_repo FOLDER   # also a clone of PRIMOCOSMOS/sEMGHHT-NN, parts 1 and all

The eager side is what users run today: torch imported, one file at a time, three forward passes a file (action,
features, features again for gender), scikit-learn's SVM. Parts 1 and all time whole processes of one and of all files,
with their peak memory; the parts warm and raw time one process that holds all engines. The weights are random, batch
norm is calibrated and the SVM fitted on their features: the times do not depend on what a network has learned. "off by"
is the largest difference of a probability from eager. The part raw predicts a real recording where --data has one, else
a simulated one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from measurement import ROOT, Cost, interleaved, median_cost, python_process, write_labelled

BATCH = 32
PARTS = ("1", "all", "warm", "raw")
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
# The classes of the original repository as its train.py defines them (5 and 4 layers, their own weights), called as its
# inference.py does, with what they need to run: its inference.py can't load what its train.py saves.
ORIGINAL = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np, torch
import train as original
files = sorted(Path(sys.argv[2]).glob(sys.argv[3]))
saved = Path(sys.argv[4])
action, gender = original.ActionQualityCNNClassifier(), original.GenderSVMClassifier()
if not saved.exists():
    rng = np.random.default_rng(0)
    features = torch.from_numpy(gender.extract_features(rng.random((20, 256, 256), dtype=np.float32)))
    torch.save((action.state_dict(), gender.encoder.state_dict(), features), saved)
weights, encoder, features = torch.load(saved, weights_only=True)
action.load_state_dict(weights), gender.encoder.load_state_dict(encoder)
# No pickle: the SVM is fitted again on 20 rows, which takes a few milliseconds.
gender.svm.fit(gender.scaler.fit_transform(features.numpy()), np.arange(20) % 2)
gender._is_fitted = True
action.eval()
for file in files:
    x = original.normalize_hht_matrix(np.load(file)["hht"])[None].astype(np.float32)
    gender.predict(x), gender.predict_proba(x)
    with torch.no_grad():
        torch.softmax(action(torch.tensor(x[:, None])), dim=1)
"""


def prepare(folder: Path, channels: int, n_files: int) -> None:
    """Write files to predict, weights for the eager side, and runs with exports: one channel, and eight stacked."""
    import numpy as np

    rng = np.random.default_rng(0)
    for n_planes, prefix in ((1, ""), (8, "stacked_")):
        for i in range(n_files if n_planes == 1 else n_files // 2):
            values = rng.random((n_planes, 256, 256), dtype=np.float32)
            values[:, 80 * (i % 3) : 80 * (i % 3) + 60] += 2
            write_labelled(folder / f"{prefix}files", i, values)
        _write_run(folder, prefix, channels)
    (folder / "ready").touch()


def _write_run(folder: Path, prefix: str, channels: int) -> None:
    import joblib
    import torch

    from semg_hht.exports import quantise
    from semg_hht.exports.export import export
    from semg_hht.inference.description import ModelDescription, NetworkConfig
    from semg_hht.learning.checkpoint import Model, save_model
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.network import ActionNetwork, recalibrate_batch_norm
    from semg_hht.learning.svm_training import fit_svm

    data = load_folder(folder / f"{prefix}files")
    torch.manual_seed(0)
    shape = NetworkConfig(3, base_channels=channels, n_planes=data.matrices.shape[1])
    network = ActionNetwork(shape)
    with torch.no_grad():
        recalibrate_batch_norm(
            network, (torch.from_numpy(data.matrices[i : i + 15]) for i in range(0, min(30, len(data.matrices)), 15))
        )
    peak = float(data.matrices[:].max())
    description = ModelDescription(shape, "action_quality", data.classes(), data.settings, peak, epoch=1)
    features, _ = Model(description, network.eval()).features_and_logits(data.matrices)
    svm = fit_svm(features, data.labels("gender"), data.subjects, what="gender", by="subject", seed=0)
    model, run = Model(description, network, {"gender": svm}), folder / f"{prefix}run"
    save_model(model, run)
    torch.save(network.state_dict(), folder / f"{prefix}network.pt")
    joblib.dump(svm, folder / f"{prefix}gender.joblib")
    export(model, run, folder / f"{prefix}float32", data=data, overwrite=True)
    quantise.ALLOWED_LOSS = 1.0  # random weights have no accuracy to lose
    export(model, run, folder / f"{prefix}int8", data=data, int8=True, overwrite=True)


def sides() -> dict[str, tuple[str, str]]:
    """What is measured: name -> folder and engine."""
    from semg_hht.inference.engines import installed

    engines = ("auto", *installed())
    return {"torch": ("run", "torch")} | {f"{e} {kind}": (kind, e) for kind in ("float32", "int8") for e in engines}


def whole_processes(folder: Path, options: argparse.Namespace, n_files: int, rounds: int) -> None:
    """Predict one file, or the folder of all, on each side."""
    pattern = "S00_*_000.npz" if n_files == 1 else "*.npz"
    files = folder / "files"
    source = next(files.glob(pattern)) if n_files == 1 else files
    expected = folder / "eager.json"
    commands: dict[str, list[object]] = {
        "eager": ["-c", EAGER, folder, files, pattern, options.base_channels, expected]
    }
    if options.seed_repo is not None:
        original: list[object] = ["-c", ORIGINAL, options.seed_repo, files, pattern, folder / "original.pt"]
        python_process(*original)  # the first call draws and saves its weights
        commands["original classes"] = original
    for side, (kind, engine) in sides().items():
        commands[side] = [
            "-m", "semg_hht", "predict", "--checkpoint", folder / kind, "--engine", engine, "--input", source,
            "--output", folder / f"{side}.json", "--overwrite", "--cpu",
        ]  # fmt: skip
    costs: dict[str, list[Cost]] = {side: [] for side in commands}
    for _ in range(rounds):
        for side, command in commands.items():
            costs[side].append(python_process(*command))
    print(f"\n{n_files} file{'s' * (n_files > 1)}, whole process      s   ratio    MiB   ratio   off by")
    eager = median_cost(costs["eager"])
    for side, of_side in costs.items():
        cost = median_cost(of_side)
        off = f"{_off_by(expected, folder / f'{side}.json'):8.0e}" if side in sides() else ""
        print(
            f"  {side:22s} {cost.seconds:7.2f} {cost.seconds / eager.seconds:7.3f} {cost.peak_mib:6.0f}"
            f" {cost.peak_mib / eager.peak_mib:7.3f} {off}", flush=True,
        )  # fmt: skip


def _off_by(eager: Path, ours: Path) -> float:
    """The largest difference of a probability; ours are stored with six digits."""
    expected, found = (json.loads(path.read_text(encoding="utf-8")) for path in (eager, ours))
    differences = []
    for file, probabilities in expected.items():
        of_file = [p for task in ("action_quality", "gender") for p in found[file][task]["probabilities"].values()]
        differences += [abs(p - q) for p, q in zip(probabilities, of_file, strict=True)]
    return float(max(differences))


def warm(folder: Path, rounds: int) -> None:
    """One matrix, and a batch, in engines that have answered before; one pass of network and SVM on each side."""
    import joblib
    import numpy as np
    import torch

    from semg_hht.prediction.run import open_run

    matrices = np.random.default_rng(1).random((BATCH, 1, 256, 256), dtype=np.float32)
    engine: Any = open_run(folder / "run", cpu=True).engine
    network, svm = engine.network.eval(), joblib.load(folder / "gender.joblib")

    def eager(batch: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            features = network.encoder(torch.from_numpy(batch))
            action = torch.softmax(network.head(features), dim=1)
        return np.concatenate([action.numpy(), svm.predict_proba(features.numpy().astype(np.float64))], axis=1)

    def ours(engine: Any, batch: np.ndarray) -> np.ndarray:
        probabilities = engine.probabilities(batch, batch_size=BATCH)
        return np.concatenate([probabilities["action_quality"], probabilities["gender"]], axis=1)

    engines: dict[str, Callable[[np.ndarray], np.ndarray]] = {"eager, one pass": eager}
    for side, (kind, name) in sides().items():
        if name != "auto":
            engines[side] = partial(ours, open_run(folder / kind, cpu=True, engine=name).engine)
    for n in (1, BATCH):
        batch = matrices[:n]
        times = interleaved({side: partial(answer, batch) for side, answer in engines.items()}, rounds)
        eager_s, expected = times["eager, one pass"], eager(batch)
        print(f"\nbatch {n}, warm                ms   ratio  faster   off by")
        for side, seconds in times.items():
            off = np.abs(engines[side](batch) - expected).max()
            print(f"  {side:22s} {1e3 * seconds:7.1f} {seconds / eager_s:7.3f} {eager_s / seconds:6.1f}x {off:8.0e}")


def raw(folder: Path, data: Path, rounds: int) -> None:
    """Predict a recording of 3 s and 8 stacked channels; reading and transform are timed alone, too."""
    from semg_hht.datasets.find_inputs import InputOptions, find_jobs
    from semg_hht.matrices.transform import transform_job
    from semg_hht.prediction.run import open_run

    path = next((p for p in sorted((data / "contraction_intensity").rglob("*.csv")) if "manifest" not in p.name), None)
    if path is None:
        path = folder / "recording.csv"
        _write_simulated(path)
    runs = {side: open_run(folder / f"stacked_{kind}", cpu=True, engine=name) for side, (kind, name) in sides().items()}
    (job,) = find_jobs(path, rate_hz=1000.0, units="V")
    config = next(iter(runs.values())).recording_config
    assert config is not None
    works: dict[str, Callable[[], object]] = {"reading and transform": partial(transform_job, job, None, config)}
    for side, run in runs.items():
        works[side] = partial(run.predict, path, InputOptions(rate_hz=1000.0, units="V"))
    print(f"\nraw recording to both answers, warm, {path.name}        ms")
    for side, seconds in interleaved(works, rounds).items():
        print(f"  {side:22s} {1e3 * seconds:7.1f}", flush=True)


def _write_simulated(path: Path) -> None:
    import numpy as np

    np.savetxt(path, 1e-4 * np.random.default_rng(2).standard_normal((3000, 8)), delimiter=",", fmt="%.9f")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "inference", help="for weights and files")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="has contraction_intensity/")
    parser.add_argument("--base_channels", type=int, default=64)
    parser.add_argument(
        "--files", type=int, default=60, help="of the part all; those of eight channels are half as many"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seed_repo", type=Path, help="a clone of PRIMOCOSMOS/sEMGHHT-NN; its networks are smaller")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = (options.folder / f"{options.base_channels}_channels_{options.files}_files").absolute()
    if options.prepare:
        prepare(folder, options.base_channels, options.files)
        return
    if not (folder / "ready").is_file():  # in a process of its own, so that this one stays small
        python_process(*sys.argv, "--prepare")
    if "1" in options.only:
        whole_processes(folder, options, 1, options.rounds)
    if "all" in options.only:
        whole_processes(folder, options, options.files, min(options.rounds, 3))
    if "warm" in options.only:
        warm(folder, options.rounds)
    if "raw" in options.only:
        raw(folder, options.data, 2 * options.rounds)


if __name__ == "__main__":
    main()
