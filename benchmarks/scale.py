"""How costs grow: recordings, samples, trials, parameters, matrices, rows of an SVM, processes.

    python benchmarks/scale.py                                   # all parts, small; about ten minutes on two cores
    python benchmarks/scale.py --only matrices --matrices 100000 # needs 30 GB of disk; half an hour
    python benchmarks/scale.py --only samples trials --rounds 9

Each line is a size, the time, the time for one of it, and "growth": the ratio of the times of this line and the one
before by the ratio of their sizes, so that 1.00 is growth in proportion. Times are medians of ``--rounds``; whole
commands run once, as processes of their own, with their peak memory (of the largest process, on Linux). Recordings are
simulated ones; of matrices there are few, under many names.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
NETWORKS = (4, 8, 16, 32, 64)  # channels of the first layer
SMALL = ("--base_channels", 4, "--batch_size", 64, "--epochs", 1, "--cpu")  # so that reading shows beside computing
PACK = """
import sys
from pathlib import Path
from semg_hht.learning.dataset import load_folder
load_folder(Path(sys.argv[1]), pack=Path(sys.argv[2]))
"""
READ = """
import sys
from pathlib import Path
import numpy as np
from semg_hht.learning.dataset import load_folder
matrices = load_folder(Path(sys.argv[1]), pack=Path(sys.argv[2])).matrices
for batch in np.random.default_rng(0).permutation(len(matrices)).reshape(-1, 50):
    matrices[batch]
"""


def semg_hht(*words: object, launcher: tuple[str, ...] = ()) -> tuple[float, float]:
    return process(*launcher, "-m", "semg_hht", *words)


def process(*words: object) -> tuple[float, float]:
    """Seconds and peak MB of a Python process, of the largest where it has children.

    Raises
    ------
    RuntimeError
        It failed; with what it said.
    """
    command = [sys.executable, *map(str, words)]
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=said, stderr=said, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if status:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)}: {said.read().decode()[-2000:]}")
    return seconds, usage.ru_maxrss / 1024


def median(work: Callable[[], object], rounds: int) -> float:
    """Seconds, warm."""
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


class Table:
    """Lines of one part, each beside the one before."""

    def __init__(self, title: str, one: str) -> None:
        self._before: tuple[float, float] | None = None
        print(f"\n{title:34} {'seconds':>9} {'one ' + one:>14} {'growth':>7} {'peak MB':>8}")

    def line(self, size: float, seconds: float, peak_mb: float = 0, *, name: str = "", note: str = "") -> None:
        growth = ""
        if self._before is not None:
            growth = f"{seconds / self._before[1] / (size / self._before[0]):.2f}"
        self._before = size, seconds
        peak = f"{peak_mb:.0f}" if peak_mb else ""
        told = f"  {name or f'{size:,}':32} {seconds:9.3f} {duration(seconds / size):>14} {growth:>7} {peak:>8}"
        print(f"{told}  {note}".rstrip(), flush=True)


def duration(seconds: float) -> str:
    """With a unit that leaves a number before the point."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.1f} {unit}"
    return f"{seconds * 1e9:.2f} ns"


def recordings(folder: Path, given: argparse.Namespace) -> None:
    """The whole of ``prepare``; a recording has six repetitions in some 20 s at 1 kHz, one channel."""
    table = Table("recordings prepared", "recording")
    source = simulated(folder, n_subjects=20, n_repetitions=2)
    for n in given.recordings:
        many = repeated(source, folder / f"recordings{n}", n, columns=("subject",))
        table.line(n, *semg_hht("prepare", many, "--out", folder / f"prepared{n}"))


def samples(folder: Path, given: argparse.Namespace) -> None:
    from semg_hht.hht.spectrum import SpectrumConfig, hilbert_spectrum

    for decomposition in ("emd", "ceemdan"):
        config = SpectrumConfig(decomposition=decomposition)
        table = Table(f"samples, {decomposition} to 256 x 256", "sample")
        for n in (2_000, 5_000, 20_000, 120_000)[: 4 if decomposition == "emd" else 3]:
            x = surface_emg(n)
            table.line(n, median(lambda x=x, c=config: hilbert_spectrum(x, 1000.0, c, n_threads=1), given.rounds))


def trials(folder: Path, given: argparse.Namespace) -> None:
    from semg_hht.hht.ensemble import ceemdan

    x, table = surface_emg(2_000), Table("trials, CEEMDAN of 2,000 samples", "trial")
    for n in (25, 50, 100, 400):
        table.line(n, median(lambda n=n: ceemdan(x, n_trials=n, seed=0, n_threads=1), given.rounds))


def parameters(folder: Path, given: argparse.Namespace) -> None:
    """A step of 16, and the answers to 16, a matrix; by the channels of the first layer."""
    import numpy as np
    from training import step_of

    from semg_hht.learning.checkpoint import Model
    from semg_hht.learning.network import ActionNetwork, NetworkConfig

    batch = np.random.default_rng(0).random((16, 1, 256, 256), dtype=np.float32)

    def answering(channels: int) -> Callable[[], object]:
        model = Model(ActionNetwork(NetworkConfig(3, base_channels=channels)), {}, "action_quality", {}, None, 1)
        return lambda: model.features_and_logits(batch)

    for title, work_of in (("trained", lambda channels: step_of("products", channels, 16)), ("answered", answering)):
        table = Table(f"parameters, {title}, 16 matrices", "parameter")
        for channels in NETWORKS:
            n = sum(p.numel() for p in ActionNetwork(NetworkConfig(3, base_channels=channels)).parameters())
            seconds = median(work_of(channels), given.rounds)
            table.line(n, seconds, note=f"{channels} channels: {16 / seconds:.1f} matrices a second")


def rows(folder: Path, given: argparse.Namespace) -> None:
    """The gender SVM with its calibration, of 512 features and 100 people; of more than MAX_ROWS it takes as many."""
    import numpy as np

    from semg_hht.learning.svm_training import fit_svm

    table = Table("rows of an SVM", "row")
    rng = np.random.default_rng(0)
    people = rng.standard_normal((100, 512))
    for n in (1_000, 2_000, 4_000, 8_000, 16_000):
        who = np.arange(n) % 100
        features = people[who] + 1.5 * rng.standard_normal((n, 512)) + 0.15 * (who % 2)[:, None]
        labels, groups = ["FM"[i % 2] for i in who], [str(i) for i in who]
        fit = partial(fit_svm, features, labels, groups, what="gender", by="subject", seed=0)
        table.line(n, median(fit, 1))


def matrices(folder: Path, given: argparse.Namespace) -> None:
    """A pack is built once, read in any order, trained on for an epoch; all are answered."""
    few = folder / "to_repeat"
    semg_hht("prepare", simulated(folder, n_subjects=20, n_repetitions=2), "--out", few)
    places = {
        n: [folder / f"{name}{n}" for name in ("many", "pack", "run")] for n in given.matrices
    }  # fmt: skip
    for n, (many, _, _) in places.items():
        repeated(few, many, n, columns=("subject", "recording"))
    table = Table("matrices packed, once", "matrix")
    for n, (many, pack, _) in places.items():
        seconds, peak = process("-c", PACK, many, pack)
        table.line(n, seconds, peak, note=f"{sum(p.stat().st_size for p in pack.iterdir()) / n / 1000:.0f} kB each")
    table = Table("matrices read from the pack", "matrix")
    for n, (many, pack, _) in places.items():
        table.line(n, *process("-c", READ, many, pack))
    table = Table("matrices trained on and tested", "matrix")
    for n, (many, pack, run) in places.items():
        table.line(n, *semg_hht("train", "--data_dir", many, "--pack", pack, "--checkpoint_dir", run, *SMALL))
    table = Table("matrices answered, from npz", "matrix")
    for n, (many, _, run) in places.items():
        answers = folder / f"answers{n}.json"
        table.line(n, *semg_hht("predict", "--checkpoint", run, "--input", many, "--output", answers, "--cpu"))


def processes(folder: Path, given: argparse.Namespace) -> None:
    """The same work by one process and by two, here and on a Dask cluster of two workers; growth 0.50 is all that two
    can give."""
    few = folder / "few"
    source = simulated(folder, n_subjects=20, n_repetitions=8)
    matrices = ("--data_dir", few, *SMALL)
    halves = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node")
    with cluster() as address:
        dask = ("--backend", "dask", "--scheduler", address)
        for title, command, ways in (
            ("prepare", ("prepare", source), {"1": ("--jobs", 1), "2": ("--jobs", 2), "2 of Dask": dask}),
            ("evaluate, 4 folds", ("evaluate", "--protocol", "grouped", "--folds", 4, *matrices),
             {"1": ("--jobs", 1), "2": ("--jobs", 2), "2 of Dask": dask}),
        ):  # fmt: skip
            table = Table(f"processes, {title}", "run")
            for name, words in ways.items():
                out = few if (title, name) == ("prepare", "1") else folder / f"{title[:8]}{name}"
                table.line(1, *semg_hht(*command, "--out", out, *words), name=name)
    table = Table("processes, train, 16 channels", "run")
    for n in (1, 2):
        size = ("--base_channels", 16, "--batch_size", 16, "--epochs", 2, "--cpu")
        words = ("train", "--data_dir", few, "--checkpoint_dir", folder / f"shared{n}", *size)
        table.line(1, *semg_hht(*words, launcher=(*halves, n)), name=str(n))


@contextmanager
def cluster() -> Iterator[str]:
    """Address of a scheduler with two workers of one thread."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1") as found:
        yield found.scheduler_address


def simulated(folder: Path, **options: int) -> Path:
    """Recordings with their manifest.csv."""
    place = folder / "_".join(map(str, ("simulated", *options.values())))
    if not place.exists():
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        semg_hht("simulate", "--out", place, *words)
    return place


def repeated(source: Path, target: Path, n: int, columns: tuple[str, ...]) -> Path:
    """A folder with manifest.csv of ``n`` files: those of ``source`` again and again, under names of their own.

    columns : what another turn names otherwise too: it is of other people.
    """
    with (source / "manifest.csv").open(encoding="utf-8") as handle:
        known = list(csv.DictReader(handle))
    of_file: dict[str, list[dict[str, str]]] = {}
    for row in known:
        of_file.setdefault(row["file"], []).append(row)
    target.mkdir()
    with (target / "manifest.csv").open("w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, known[0])
        table.writeheader()
        for i in range(n):
            file, turn = list(of_file)[i % len(of_file)], f"t{i // len(of_file)}"
            name = Path(file).with_name(turn + Path(file).name)
            (target / name).parent.mkdir(exist_ok=True)
            os.link(source / file, target / name)
            for row in of_file[file]:
                table.writerow({**row, **{column: turn + row[column] for column in columns}, "file": name.as_posix()})
    return target


def surface_emg(n: int) -> Any:
    """(n,) noise in the band of surface EMG, at 1 kHz."""
    import numpy as np
    from scipy import signal

    band = signal.butter(4, (20, 450), "bandpass", fs=1000, output="sos")
    return signal.sosfilt(band, np.random.default_rng(0).standard_normal(n))


# Whole commands first: a process is told to have had the memory of the one that began it.
PARTS = {part.__name__: part for part in (recordings, processes, matrices, samples, trials, parameters, rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--recordings", nargs="+", type=int, default=[50, 200, 800])
    parser.add_argument("--matrices", nargs="+", type=int, default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where there is room for all that is written; it is removed after.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for name, part in PARTS.items():
            if name in given.only:
                part(Path(folder), given)


if __name__ == "__main__":
    main()
