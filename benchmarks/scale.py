"""What single commands cost, and how costs grow: recordings, samples, trials, parameters, matrices, SVM, processes.

    python benchmarks/scale.py                                   # all parts, small; about ten minutes on two cores
    python benchmarks/scale.py --only matrices --matrices 100000 # needs 30 GB of disk; half an hour
    python benchmarks/scale.py --only samples trials --rounds 9
    python benchmarks/scale.py --only commands                   # what a user waits for; five minutes

Each line prints a size, the time, the time per unit, and "growth": the ratio of the times of this line and the one
before, divided by the ratio of their sizes; 1.00 is growth in proportion. Times are medians of ``--rounds``. Whole
commands run as processes, with their peak memory (of the largest process): those of the part "commands" as often as
--rounds says where they take seconds, the others once. Recordings are simulated; a few
matrices are repeated under many names. POSIX only.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from measurement import Cost, median_cost, median_seconds, python_process, semg_hht

NETWORKS = (4, 8, 16, 32, 64)  # channels of the first layer
SMALL = (
    "--base_channels",
    4,
    "--batch_size",
    64,
    "--epochs",
    1,
    "--cpu",
)  # a small network, so that reading takes a visible share
PACK = """
import sys
from pathlib import Path
from semg_hht.learning.dataset import load_folder
load_folder(Path(sys.argv[1]), pack=Path(sys.argv[2]))
"""
PRACTICE = """
import sys
from pathlib import Path
from semg_hht.demo import practice_run
practice_run(Path(sys.argv[1]))
"""
READ = """
import sys
from pathlib import Path
import numpy as np
from semg_hht.learning.dataset import load_folder
matrices = load_folder(Path(sys.argv[1]), pack=Path(sys.argv[2])).matrices
order = np.random.default_rng(0).permutation(len(matrices))
for start in range(0, len(order), 50):
    matrices[order[start : start + 50]]
"""


class Table:
    """The lines of one part, each compared with the one before."""

    def __init__(self, title: str, unit: str) -> None:
        self._before: tuple[float, float] | None = None
        print(f"\n{title:34} {'seconds':>9} {'one ' + unit:>14} {'growth':>7} {'peak MB':>8}")

    def line(self, size: float, cost: Cost | float, *, name: str = "", note: str = "") -> None:
        seconds, peak_mib = (cost, 0.0) if isinstance(cost, float) else (cost.seconds, cost.peak_mib)
        growth = ""
        if self._before is not None:
            growth = f"{seconds / self._before[1] / (size / self._before[0]):.2f}"
        self._before = size, seconds
        peak = f"{peak_mib:.0f}" if peak_mib else ""
        text = f"  {name or f'{size:,}':32} {seconds:9.3f} {duration(seconds / size):>14} {growth:>7} {peak:>8}"
        print(f"{text}  {note}".rstrip(), flush=True)


def duration(seconds: float) -> str:
    """In the largest unit that gives at least 1."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.1f} {unit}"
    return f"{seconds * 1e9:.2f} ns"


def commands(folder: Path, given: argparse.Namespace) -> None:
    """What a user waits for, from the start of a command to its end, and the time of the processors."""
    print(f"\n{'commands, simulated at 1 kHz':46} {'seconds':>9} {'of processor':>14} {'peak MB':>8}")

    def line(name: str, rounds: int, *words: object) -> None:
        """Run a command; {out} in its words is a new name each time."""
        costs = []
        for number in range(rounds):
            out = str(folder / f"{name.replace(' ', '_')}{number}")
            costs.append(semg_hht(*(str(word).replace("{out}", out) for word in words)))
        cost = median_cost(costs)
        print(f"  {name:44} {cost.seconds:9.2f} {cost.cpu_seconds:14.2f} {cost.peak_mib:8.0f}", flush=True)

    few, some, many = (simulated(folder, n_subjects=1, n_repetitions=n) / "manifest.csv" for n in (3, 10, 50))
    long = simulated(folder, n_subjects=1, n_repetitions=76, n_channels=16) / "manifest.csv"
    python_process("-c", PRACTICE, folder / "practice")
    run = ("--checkpoint", folder / "practice" / "run", "--cpu")
    line("segment, 9 repetitions in 26 s", given.rounds, "segment", few, "--out", "{out}.csv")
    line("the same with --no-pictures", given.rounds, "segment", few, "--out", "{out}.csv", "--no-pictures")
    line("features, 30 repetitions", given.rounds, "features", some, "--out", "{out}.csv")
    line("predict, 150 repetitions", given.rounds, "predict", "--input", many, "--output", "{out}.json", *run)
    line("report --card, 30 repetitions", given.rounds, "report", "--card", some, "--out", "{out}.html", *run)
    line("the same with --explain", given.rounds, "report", "--card", some, "--out", "{out}.html", *run, "--explain")
    line("prepare, 228 repetitions of 16 channels, 651 s", 1, "prepare", long, "--out", "{out}")
    line("demo", 1, "demo", "--out", "{out}")


def recordings(folder: Path, given: argparse.Namespace) -> None:
    """`semg-hht prepare`; a recording has six repetitions in about 20 s at 1 kHz, one channel."""
    table = Table("recordings prepared", "recording")
    source = simulated(folder, n_subjects=given.people, n_repetitions=2)
    for n in given.recordings:
        many = repeated(source, folder / f"recordings{n}", n, columns=("subject",))
        table.line(n, semg_hht("prepare", many, "--out", folder / f"prepared{n}"))


def samples(folder: Path, given: argparse.Namespace) -> None:
    from semg_hht.hht.spectrum import SpectrumConfig, hilbert_spectrum

    for decomposition in ("emd", "ceemdan"):
        config = SpectrumConfig(decomposition=decomposition)
        table = Table(f"samples, {decomposition} to 256 x 256", "sample")
        for n in (2_000, 5_000, 20_000, 120_000)[: 4 if decomposition == "emd" else 3]:
            x = surface_emg(n)
            table.line(n, median_seconds(partial(hilbert_spectrum, x, 1000.0, config, n_threads=1), given.rounds))


def trials(folder: Path, given: argparse.Namespace) -> None:
    from semg_hht.hht.ensemble import ceemdan

    x, table = surface_emg(2_000), Table("trials, CEEMDAN of 2,000 samples", "trial")
    for n in (25, 50, 100, 400):
        table.line(n, median_seconds(partial(ceemdan, x, n_trials=n, seed=0, n_threads=1), given.rounds))


def parameters(folder: Path, given: argparse.Namespace) -> None:
    """A training step and the prediction of 16 matrices, by the channels of the first layer."""
    import numpy as np
    from training import step_of

    from semg_hht.inference.description import ModelDescription, NetworkConfig
    from semg_hht.learning.checkpoint import Model
    from semg_hht.learning.network import ActionNetwork

    batch = np.random.default_rng(0).random((16, 1, 256, 256), dtype=np.float32)

    def answering(channels: int) -> Callable[[], object]:
        shape = NetworkConfig(3, base_channels=channels)
        model = Model(ModelDescription(shape, "action_quality", {}, None), ActionNetwork(shape))
        return lambda: model.features_and_logits(batch)

    for title, work_of in (("trained", lambda channels: step_of("products", channels, 16)), ("answered", answering)):
        table = Table(f"parameters, {title}, 16 matrices", "parameter")
        for channels in NETWORKS:
            n = sum(p.numel() for p in ActionNetwork(NetworkConfig(3, base_channels=channels)).parameters())
            seconds = median_seconds(work_of(channels), given.rounds)
            table.line(n, seconds, note=f"{channels} channels: {16 / seconds:.1f} matrices a second")


def rows(folder: Path, given: argparse.Namespace) -> None:
    """The calibrated gender SVM on 512 features of 100 people; it uses at most MAX_ROWS rows."""
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
        table.line(n, median_seconds(fit, 1))


def matrices(folder: Path, given: argparse.Namespace) -> None:
    """Matrices are packed once, read from the pack in random order, trained on for an epoch, and predicted."""
    few = folder / "to_repeat"
    semg_hht("prepare", simulated(folder, n_subjects=given.people, n_repetitions=2), "--out", few)
    places = {n: [folder / f"{name}{n}" for name in ("many", "pack", "run")] for n in given.matrices}
    for n, (many, _, _) in places.items():
        repeated(few, many, n, columns=("subject", "recording"))
    table = Table("matrices packed, once", "matrix")
    for n, (many, pack, _) in places.items():
        cost = python_process("-c", PACK, many, pack)
        table.line(n, cost, note=f"{sum(p.stat().st_size for p in pack.iterdir()) / n / 1000:.0f} kB each")
    table = Table("matrices read from the pack", "matrix")
    for n, (many, pack, _) in places.items():
        table.line(n, python_process("-c", READ, many, pack))
    table = Table("matrices trained on and tested", "matrix")
    for n, (many, pack, run) in places.items():
        table.line(n, semg_hht("train", "--data_dir", many, "--pack", pack, "--checkpoint_dir", run, *SMALL))
    table = Table("matrices answered, from npz", "matrix")
    for n, (many, _, run) in places.items():
        answers = folder / f"answers{n}.json"
        table.line(n, semg_hht("predict", "--checkpoint", run, "--input", many, "--output", answers, "--cpu"))


def processes(folder: Path, given: argparse.Namespace) -> None:
    """The same work by one process and by two, here and on a Dask cluster of two workers. Growth of 0.50 is ideal."""
    few = folder / "few"
    source = simulated(folder, n_subjects=given.people, n_repetitions=8)
    matrices = ("--data_dir", few, *SMALL)
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node")
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
                table.line(1, semg_hht(*command, "--out", out, *words), name=name)
    table = Table("processes, train, 16 channels", "run")
    for n in (1, 2):
        size = ("--base_channels", 16, "--batch_size", 16, "--epochs", 2, "--cpu")
        shared: tuple[object, ...] = ("train", "--data_dir", few, "--checkpoint_dir", folder / f"shared{n}", *size)
        table.line(1, python_process(*torchrun, n, "-m", "semg_hht", *shared), name=str(n))


@contextmanager
def cluster() -> Iterator[str]:
    """A Dask cluster of two workers with one thread each; the address of its scheduler."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1") as workers:
        yield workers.scheduler_address


def simulated(folder: Path, **options: int) -> Path:
    """Recordings with their manifest.csv."""
    place = folder / "_".join(map(str, ("simulated", *options.values())))
    if not place.exists():
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        semg_hht("simulate", "--out", place, *words)
    return place


def repeated(source: Path, target: Path, n: int, columns: tuple[str, ...]) -> Path:
    """A folder of ``n`` files with manifest.csv: the files of ``source`` repeated under new names.

    columns : of the manifest, whose values get new names in each repetition, as of other people.
    """
    with (source / "manifest.csv").open(encoding="utf-8") as handle:
        source_rows = list(csv.DictReader(handle))
    of_file: dict[str, list[dict[str, str]]] = {}
    for row in source_rows:
        of_file.setdefault(row["file"], []).append(row)
    target.mkdir()
    with (target / "manifest.csv").open("w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, source_rows[0])
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
    """(n,) samples of noise in the band of surface EMG, at 1 kHz."""
    import numpy as np
    from scipy import signal

    band = signal.butter(4, (20, 450), "bandpass", fs=1000, output="sos")
    return signal.sosfilt(band, np.random.default_rng(0).standard_normal(n))


# Whole commands come first: a process starts with the peak memory of its parent, which grows in the other parts.
PARTS = {part.__name__: part for part in (commands, recordings, processes, matrices, samples, trials, parameters, rows)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--recordings", nargs="+", type=int, default=[50, 200, 800])
    parser.add_argument("--matrices", nargs="+", type=int, default=[1_000, 10_000])
    parser.add_argument("--people", type=int, default=20, help="simulated; their files are repeated")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="of temporary files; needs room for all of them")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for name, part in PARTS.items():
            if name in given.only:
                part(Path(folder), given)


if __name__ == "__main__":
    main()
