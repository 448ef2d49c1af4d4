"""Robustness: injects real faults into real processes at random moments and counts how many end as promised.

    python benchmarks/faults.py                        # 100 of each kind; about an hour on two cores
    python benchmarks/faults.py kill stop -n 20        # 20 of each of these kinds

Kinds: ``kill`` (of training), ``full disk``, ``read-only`` (folders become read-only), ``lost file`` (a recording
vanishes or shrinks while it is read), ``cut pack``, ``clock`` (years off), ``stop`` (Ctrl-C and SIGTERM), ``worker`` (a
worker process is killed). The promise: the command ends with one sentence, no half-written file has its final name, and
the same command started again leaves the same bits as an undisturbed one. POSIX only; ``full disk`` needs root.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import redirect_stderr
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]
os.environ["OMP_NUM_THREADS"] = "1"  # a forked process has no threads of its parent

from fault_kinds import KINDS, Rig, inject  # noqa: E402

from builders import make_dataset  # noqa: E402
from fault_injection import VERBS, contents, ended, forked, make_inputs, unreadable  # noqa: E402

EPOCHS = 6
DATASET: Any = None  # of `kill`


def train_once(folder: Path) -> None:
    """Do what ``train --resume`` does, in this process."""
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, RunOptions, train

    config = TrainingConfig(epochs=EPOCHS, batch_size=8, learning_rate=1e-3, checkpoint_every=2)
    train(DATASET, folder, config, NetworkSize(base_channels=2), RunOptions(cpu=True, resume=True))


def kill(base: Path, rng: random.Random, n: int) -> Counter[str]:
    """Kill training ``n`` times; each run is resumed until it is complete."""
    global DATASET
    DATASET = make_dataset()
    log, whole = base / "log", base / "whole"
    started = time.perf_counter()
    if ended(forked(partial(train_once, whole), log), log).code:
        raise SystemExit(f"an undisturbed run fails: {log.read_text()}")
    length_s, expected = time.perf_counter() - started, contents(whole)
    counts: Counter[str] = Counter()
    while counts["injected"] < n:
        folder = base / f"run{counts['runs']}"
        counts["runs"] += 1
        n_before, bad = counts["injected"], []
        while True:
            child = forked(partial(train_once, folder), log)
            if counts["injected"] < n:
                time.sleep(rng.uniform(0, length_s))
                os.kill(child, signal.SIGKILL)  # has no effect on a process that has ended
            code = ended(child, log).code
            if code >= 0:
                break
            counts["injected"] += 1
            bad += unreadable(folder)
        found = contents(folder)
        bad += [f"{name} differs" for name, content in expected.items() if found.get(name) != content]
        if code:
            bad.append(f"resuming failed: {log.read_text()[-500:]}")
        counts["as promised"] += 0 if bad else counts["injected"] - n_before
        for text in bad:
            print("  kill:", text)
    return counts


def make_rig(base: Path) -> Rig:
    """The inputs of all commands, and their modules, with which forked processes start at once."""
    for name in ("main", *(f"commands.{verb.split()[0]}" for verb in VERBS.values())):
        import_module(f"semg_hht.cli.{name}")
    with redirect_stderr(io.StringIO()):
        return Rig(make_inputs(base / "inputs"), base, random.Random())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(['kill', *KINDS])}; default: all")
    parser.add_argument("-n", type=int, default=100, help="faults of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chosen = options.kinds or ["kill", *KINDS]
    unknown = [kind for kind in chosen if kind not in ("kill", *KINDS)]
    if unknown:
        parser.error(f"unknown kind of fault {unknown[0]!r}")
    failed = False
    base = Path(tempfile.mkdtemp())  # the first child that ends would remove a TemporaryDirectory
    try:
        rig = make_rig(base) if set(chosen) - {"kill"} else None
        for kind in chosen:
            started, rng = time.perf_counter(), random.Random(options.seed)
            if rig is None or kind == "kill":
                counts = kill(base, rng, options.n)
            else:
                rig.rng = rng
                counts = inject(kind, rig, options.n)
            seconds = time.perf_counter() - started
            print(
                f"{kind:10s} {counts['injected']:4d} injected, {counts['as promised']:4d} ended as promised "
                f"({seconds:.0f} s)", flush=True,
            )  # fmt: skip
            failed |= counts["as promised"] != counts["injected"] or not counts["injected"]
    finally:
        shutil.rmtree(base, ignore_errors=True)
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
