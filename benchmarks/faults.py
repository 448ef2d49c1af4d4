"""What training keeps when it is killed: real processes, SIGKILL at random moments, resumed until they are done.

    python benchmarks/faults.py                  # 100 kills; about five minutes on two cores
    python benchmarks/faults.py --kills 20 --seed 7

Each run is killed again and again at moments drawn over its whole length, writes of checkpoints among them. After every
kill all files under their final names must be readable and the next process must go on; at the end the weights, the SVM
and the history must be, bit for bit, those of a run that was never killed. A process is a fork of one that has torch in
memory, so that most of its life is training. POSIX only.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
EPOCHS = 6


def train_once(folder: Path) -> None:
    """The whole of ``train --resume``, in this process."""
    from semg_hht.learning.run import train
    from semg_hht.learning.training import TrainingConfig

    config = TrainingConfig(epochs=EPOCHS, batch_size=8, learning_rate=1e-3, checkpoint_every=2)
    train(DATASET, folder, config, base_channels=2, cpu=True, resume=True)


def forked(folder: Path) -> int:
    """Process number of a child that trains in ``folder``; what it says is thrown away."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    code = 1
    try:
        train_once(folder)
        code = 0
    finally:
        os._exit(code)


def unreadable(folder: Path) -> list[str]:
    """Files under their final names that can't be read as what they are."""
    import json

    from safetensors import safe_open

    from semg_hht.learning.svm import load_svm

    bad = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # a temporary name promises nothing
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".jsonl":
                [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            elif path.suffix == ".safetensors":
                with safe_open(path, framework="np") as archive:
                    [archive.get_tensor(name) for name in archive.keys()]  # noqa: SIM118 - no mapping
            elif path.suffix == ".skops":
                load_svm(path)
        except Exception as error:
            bad.append(f"{path.relative_to(folder)}: {error}")
    return bad


def results(folder: Path) -> dict[str, bytes]:
    """What must be the same; a skops file holds times of its own, so the SVM is compared by what it is made of."""
    from semg_hht.learning.svm import load_svm

    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for pattern in ("*/network.safetensors", "history.jsonl", "metrics.json", "config.json", "split.json")
        for path in sorted(folder.glob(pattern))
    }
    for path in sorted(folder.glob("*/gender.skops")):
        svm = load_svm(path)[-1].calibrated_classifiers_[0].estimator
        found[str(path.relative_to(folder))] = svm.dual_coef_.tobytes() + svm.support_vectors_.tobytes()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    import torch

    from making import make_dataset

    torch.set_num_threads(1)  # a fork has no threads of its parent
    global DATASET
    DATASET = make_dataset()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as base:
        whole = Path(base) / "whole"
        started = time.perf_counter()
        _, status = os.waitpid(forked(whole), 0)
        length_s = time.perf_counter() - started
        if status:
            raise SystemExit("a run that nobody kills does not end well")
        expected, counts, n_kills, n_runs = results(whole), Counter(), 0, 0
        print(f"a run takes {length_s:.1f} s and leaves {len(expected)} files to compare")
        while n_kills < options.kills:
            folder = Path(base) / f"run{n_runs}"
            while True:
                child = forked(folder)
                if n_kills < options.kills:
                    time.sleep(rng.uniform(0, length_s))
                    os.kill(child, signal.SIGKILL)  # means nothing to one that has ended
                _, status = os.waitpid(child, 0)
                if os.WIFEXITED(status):
                    counts["ended well" if os.WEXITSTATUS(status) == 0 else "could not go on"] += 1
                    break
                n_kills += 1
                bad = unreadable(folder)
                counts["kills after which a file was unreadable"] += bool(bad)
                for text in bad:
                    print("  unreadable:", text)
            n_runs += 1
            same = results(folder) == expected
            counts["runs with the same bits" if same else "runs with other bits"] += 1
            if not same:
                differ = [name for name, content in expected.items() if results(folder).get(name) != content]
                print(f"  run {n_runs} differs in {', '.join(differ)}")
    print(f"{n_kills} kills in {n_runs} runs: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    bad = ("could not go on", "runs with other bits", "kills after which a file was unreadable")
    raise SystemExit(int(any(counts[what] for what in bad)))


if __name__ == "__main__":
    main()
