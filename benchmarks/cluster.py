"""`prepare` and `evaluate` on a Dask cluster of network namespaces, of which one worker is killed in the middle.

    sudo python benchmarks/cluster.py                    # about two minutes on two cores
    sudo python benchmarks/cluster.py --people 3 --repetitions 2 --only prepare     # a few seconds

A network namespace has a network of its own, as another machine has. The scheduler and the command are in one, a worker
is in each of two others, and a bridge in a fourth connects them; all see the same files. One worker gets SIGKILL when a
third of the files (`prepare`) or the first fold (`evaluate`) is there. The result must have the bytes of a single
process. Needs Linux, root, the command ip and distributed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from measurement import ROOT, semg_hht

NETWORK = "10.213.77"  # of the namespaces alone
PORT = 8786
WAIT_S = 600
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


def missing() -> str:
    """What is missing for namespaces, as a phrase; empty: nothing."""
    if sys.platform != "linux":
        return f"network namespaces need Linux; this is {sys.platform}"
    if os.geteuid():
        return "network namespaces need root; run the command with sudo"
    if shutil.which("ip") is None:
        return "network namespaces need the command ip, of the package iproute2"
    if find_spec("distributed") is None:
        return "a cluster needs distributed: pip install 'semg-hht[dask]'"
    return ""


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"ip {' '.join(words)} failed: {done.stderr.strip()}")


@dataclass(frozen=True)
class Cluster:
    """Namespaces and their addresses: of the scheduler and the command first, then of the workers."""

    namespaces: tuple[str, ...]
    addresses: tuple[str, ...]
    workers: dict[str, subprocess.Popen[bytes]]

    @property
    def scheduler(self) -> str:
        return f"tcp://{self.addresses[0]}:{PORT}"

    def command(self, *words: object) -> subprocess.Popen[bytes]:
        """Start `semg-hht` beside the scheduler."""
        return started(self.namespaces[0], "-m", "semg_hht", *words)


def started(namespace: str, *words: object, folder: Path | None = None) -> subprocess.Popen[bytes]:
    """Start Python in a namespace, as the first of a group of processes that can be killed together."""
    command = ["ip", "netns", "exec", namespace, sys.executable, *map(str, words)]
    log = subprocess.DEVNULL if folder is None else (folder / f"{namespace}.log").open("w")
    return subprocess.Popen(command, stdout=log, stderr=log, env=ENVIRONMENT, start_new_session=True, cwd=folder)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a process and its children."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def network(n: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Namespaces with a network that connects them, and their addresses."""
    switch, *places = (f"semg{os.getpid()}{letter}" for letter in "xabcdefgh"[: n + 1])
    with ExitStack() as stack:
        for name in (switch, *places):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("-n", switch, "link", "add", "bridge0", "type", "bridge")
        ip("-n", switch, "link", "set", "bridge0", "up")
        addresses = []
        for number, name in enumerate(places, 1):
            ip("-n", switch, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", switch, "link", "set", f"port{number}", "master", "bridge0", "up")
            ip("-n", name, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                ip("-n", name, "link", "set", link, "up")
            addresses.append(f"{NETWORK}.{number}")
        yield tuple(places), tuple(addresses)


@contextmanager
def cluster(folder: Path, n_workers: int = 2) -> Iterator[Cluster]:
    """A scheduler and workers with one thread each, every one in a namespace of its own."""
    with network(1 + n_workers) as (places, addresses), ExitStack() as stack:
        there = Cluster(places, addresses, {})
        options = ("--no-dashboard", "--host")
        scheduler = started(places[0], "-m", "dask", "scheduler", "--port", PORT, *options, addresses[0], folder=folder)
        stack.callback(kill, scheduler)
        for place, address in zip(places[1:], addresses[1:], strict=True):
            words = ("-m", "dask", "worker", there.scheduler, "--nthreads", 1, "--no-nanny", *options, address)
            there.workers[place] = started(place, *words, folder=folder)
            stack.callback(kill, there.workers[place])
        yield there


def until(is_so: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so, while a process runs."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        if process.poll() is not None:
            raise SystemExit(f"{what}: the command ended before, with status {process.returncode}")
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not there after {WAIT_S} s")
        time.sleep(0.02)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def compare(title: str, folder: Path, words: tuple[object, ...], when: tuple[str, int]) -> None:
    """Run a command in one process and on the cluster, kill a worker, and compare the folders that they write.

    when : a pattern of files and how many of them must be there before the worker is killed.
    """
    alone, together = folder / f"{title}_alone", folder / f"{title}_together"
    seconds = semg_hht(*words, "--out", alone, "--jobs", 1).seconds
    with cluster(folder) as there:
        begun = time.monotonic()
        command = there.command(*words, "--out", together, "--backend", "dask", "--scheduler", there.scheduler)
        try:
            pattern, n = when
            until(lambda: len([*together.glob(pattern)]) >= n, f"{n} files {pattern} of {title}", command)
            lost = list(there.workers.values())[-1]
            n_then = len([*together.glob(pattern)])
            kill(lost)
            status = command.wait()
        finally:
            kill(command)
        took = time.monotonic() - begun
    if status:
        raise SystemExit(f"{title}: the command ended with status {status} after its worker was killed")
    one, two = contents(alone), contents(together)
    different = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    total = len([*together.glob(pattern)])
    print(f"{title}: one process {seconds:.1f} s; two namespaces, of which one was killed at {n_then} of {total} files,"
          f" {took:.1f} s with the start of the cluster", flush=True)  # fmt: skip
    print(f"  {len(one)} files, of which {len(different)} differ {' '.join(different[:5])}".rstrip(), flush=True)
    if different:
        raise SystemExit(f"{title}: the files differ from those of one process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("prepare", "evaluate"), default=["prepare", "evaluate"])
    parser.add_argument("--people", type=int, default=20, help="simulated, one recording each")
    parser.add_argument("--repetitions", type=int, default=8, help="of each movement of a person")
    parser.add_argument("--folder", type=Path, help="of temporary files")
    given = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        sizes = ("--n_subjects", given.people, "--n_repetitions", given.repetitions)
        semg_hht("simulate", "--out", folder / "recordings", *sizes)
        n_files = given.people * given.repetitions * 3
        if "prepare" in given.only:
            words: tuple[object, ...] = ("prepare", folder / "recordings")
            compare("prepare", folder, words, ("hht_matrices/*.npz", max(1, n_files // 3)))
        if "evaluate" in given.only:
            if not (folder / "prepare_alone").exists():
                semg_hht("prepare", folder / "recordings", "--out", folder / "prepare_alone")
            network = ("--base_channels", 4, "--epochs", 1, "--batch_size", 64, "--cpu")
            words = (
                "evaluate",
                "--protocol",
                "grouped",
                "--folds",
                4,
                "--data_dir",
                folder / "prepare_alone",
                *network,
            )
            compare("evaluate", folder, words, ("*/folds/*/answers.json", 1))


if __name__ == "__main__":
    main()
