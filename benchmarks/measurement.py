"""Times and memory for the benchmarks: of whole processes, and of calls that take turns.

It imports NumPy and this project only inside functions: a process starts with the peak memory of its parent, which must
therefore stay small.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))


@dataclass(frozen=True)
class Cost:
    """Time from start to end of a process, its peak memory (of the largest process, where it has children), and the
    time that the processors spent on it, which other work on the machine does not change."""

    seconds: float
    peak_mib: float
    cpu_seconds: float = 0.0


def python_process(*words: object) -> Cost:
    """Run Python with these arguments. POSIX only.

    Raises
    ------
    RuntimeError
        The process failed; with the end of its output.
    """
    command = [sys.executable, *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    # An installed package is compiled. With this variable, each process would compile it anew: half a second.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)[:300]} failed: {output.read().decode()[-2000:]}")
    return Cost(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def semg_hht(*words: object) -> Cost:
    return python_process("-m", "semg_hht", *words)


def median_cost(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*map(astuple, costs), strict=True)))


def interleaved(works: Mapping[str, Callable[[], object]], rounds: int, pause_s: float = 0.1) -> dict[str, float]:
    """The median seconds of each call; in each round the calls take turns, and the first round is not counted.

    pause_s : between calls: threads of the call before spin for a while, and would compete.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            time.sleep(pause_s)
            started = time.perf_counter()
            work()
            if number:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    return interleaved({"": work}, rounds, pause_s=0.0)[""]


def write_labelled(folder: Path, number: int, values: NDArray[Any]) -> None:
    """Write matrix ``number`` (n_planes, 256, 256) of a folder whose file names state people and labels."""
    from semg_hht.matrices.matrix import Matrix, write_matrix
    from semg_hht.matrices.transform import configure

    name = f"S{number % 10:02d}_BICEPS_{('full', 'half', 'invalid')[number % 3]}_{'FM'[number % 2]}_{number:03d}.npz"
    settings = configure(channels="separate" if len(values) == 1 else "stack").to_json()
    write_matrix(folder / name, Matrix(values, settings))
