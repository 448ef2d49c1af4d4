"""The kinds of fault that faults.py injects into real processes at random moments, one function for each kind.

Each function draws what to damage and when, checks what is left, starts the command again, and returns the broken
promises of both runs as sentences; None where the command had ended before the fault.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fault_injection import (
    VERBS,
    Ended,
    Inputs,
    command,
    contents,
    ended,
    forked,
    leftovers,
    mounted,
    set_read_only,
    under_permissions,
    unreadable,
)  # fmt: skip

SOON_S = 5.0
PREPARE_2, EVALUATE_2 = (VERBS[verb].replace("--jobs 1", "--jobs 2") for verb in ("prepare", "evaluate"))


@dataclass
class Rig:
    """The folder that faults happen in, and the time and output of each undisturbed command, measured once."""

    inputs: Inputs
    base: Path
    rng: random.Random
    _undisturbed: dict[str, tuple[float, dict[str, bytes], int]] = field(default_factory=dict)

    def fresh(self) -> Path:
        folder = self.base / "plain" / "disk"  # as deep as on a mounted disk: tables hold relative paths
        if folder.exists():
            set_read_only(folder, False)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def start(self, work: Callable[[], None]) -> int:
        self.log = self.base / "log"
        self.log.unlink(missing_ok=True)
        child: int = forked(work, self.log)
        return child

    def run(self, words: list[str]) -> Ended:
        return ended(self.start(partial(command, words)), self.log)

    def undisturbed(self, verb: str) -> tuple[float, dict[str, bytes], int]:
        """Seconds that the command takes, the files it leaves, and their size in bytes."""
        if verb not in self._undisturbed:
            folder, started = self.fresh(), time.perf_counter()
            done = self.run(self.inputs.words(verb, folder))
            if done.code:
                raise SystemExit(f"{verb} fails undisturbed: {done.said}")
            n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            self._undisturbed[verb] = time.perf_counter() - started, contents(folder), n_bytes
        return self._undisturbed[verb]

    def wait(self, length_s: float) -> None:
        time.sleep(self.rng.uniform(0, length_s))


def broken_promises(
    rig: Rig, verb: str, folder: Path, first: Ended, cause: str, *, may_leave: bool = False
) -> Iterator[str]:
    """Of a command that could not write because of ``cause``, and of the same command started again."""
    sentence = first.sentence()
    if first.code != 1 or cause not in sentence or str(folder) not in sentence or ".part" in sentence:
        yield f"ended with {first.code} and the message {first.said[-500:]!r}"
    yield from (f"half-written: {text}" for text in unreadable(folder))
    if not may_leave:
        yield from (f"left behind: {text}" for text in leftovers(folder))
    yield from broken_by_second(rig, verb, folder)


def broken_by_second(rig: Rig, verb: str, folder: Path) -> Iterator[str]:
    second = rig.run(rig.inputs.words(verb, folder, again=True))
    expected, found = rig.undisturbed(verb)[1], contents(folder)
    if second.code:
        yield f"the second run ended with {second.code} and the message {second.said[-500:]!r}"
    elif found != expected:
        names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        yield f"the second run left other bits in {', '.join(names)}"


def full_disk(rig: Rig, verb: str) -> list[str] | None:
    """The disk has room for a random share of what the command writes."""
    room = int(rig.rng.random() * rig.undisturbed(verb)[2])
    mount = rig.base / "mount"
    with mounted(mount, 32 * 2**20) as is_mounted:
        if not is_mounted:
            raise SystemExit("mounting a small disk needs root; leave this kind out")
        folder = mount / "disk"
        folder.mkdir()
        (mount / "ballast").write_bytes(b"\0" * (shutil.disk_usage(mount).free - room // 4096 * 4096))
        first = rig.run(rig.inputs.words(verb, folder))
        (mount / "ballast").unlink()
        return list(broken_promises(rig, verb, folder, first, "the disk")) if first.code else None


def read_only(rig: Rig, verb: str) -> list[str] | None:
    """All folders become read-only at a random moment."""
    length_s, _, _ = rig.undisturbed(verb)
    folder = rig.fresh()

    def work() -> None:
        with under_permissions():
            command(rig.inputs.words(verb, folder))

    child = rig.start(work)
    rig.wait(length_s)
    set_read_only(folder, True)
    first = ended(child, rig.log)
    set_read_only(folder, False)
    # Files that can't be removed stay until the second run.
    return list(broken_promises(rig, verb, folder, first, "no permission", may_leave=True)) if first.code else None


def lost_file(rig: Rig, verb: str) -> list[str] | None:
    """A recording vanishes or is truncated at a random moment while all are read."""
    length_s, expected, _ = rig.undisturbed(verb)
    folder, copy = rig.fresh(), rig.base / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(rig.inputs.recordings.parent, copy)
    inputs = Inputs(copy / "manifest.csv", rig.inputs.matrices, rig.inputs.run, rig.inputs.evaluation)
    victim = rig.rng.choice(sorted(copy.glob("S*.csv")))
    child = rig.start(partial(command, inputs.words(verb, folder)))
    rig.wait(length_s)
    if rig.rng.random() < 0.5:
        victim.unlink()
    else:
        os.truncate(victim, victim.stat().st_size * rig.rng.randrange(100) // 100)
    done = ended(child, rig.log)
    found = contents(folder)
    others = {name: content for name, content in expected.items() if name.endswith(".npz") and victim.stem not in name}
    short = [f"half-written: {text}" for text in unreadable(folder)]
    if done.code or "Traceback" in done.said:
        short.append(f"ended with {done.code} and the message {done.said[-500:]!r}")
    elif any(found.get(name) != content for name, content in others.items()):
        short.append("the results of other files differ")
    elif found.keys() != expected.keys() and victim.name not in done.said:
        short.append(f"{victim.name} is missing, and not listed: {done.said[-500:]!r}")
    return short


def cut_pack(rig: Rig, verb: str) -> list[str] | None:
    """The pack is truncated at a random moment while batches are read from it."""
    length_s, _, _ = rig.undisturbed(verb)
    folder = rig.fresh()
    values = folder / "pack" / "matrices.f32"
    child = rig.start(partial(command, rig.inputs.words(verb, folder)))
    while not values.exists() and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.001)
    rig.wait(length_s / 2)
    os.truncate(values, rig.rng.randrange(values.stat().st_size))
    first = ended(child, rig.log)
    shutil.rmtree(folder / "pack")  # as the message asks the user to
    return list(broken_promises(rig, verb, folder, first, "matri")) if first.code else None


def clock(rig: Rig, verb: str) -> list[str] | None:
    """The clock jumps by years, in both directions, whenever it is read; or it stands still in 1970 or in 2128."""
    kind, real = rig.rng.choice(["jumps", "1970", "2128"]), time.time

    def work() -> None:
        moments = {"jumps": lambda: real() + rig.rng.uniform(-3e8, 3e8), "1970": lambda: 60.0, "2128": lambda: 5e9}
        time.time = moments[kind]
        time.time_ns = lambda: int(moments[kind]() * 1e9)
        command(rig.inputs.words(verb, folder))

    expected = rig.undisturbed(verb)[1]
    folder = rig.fresh()
    done = ended(rig.start(work), rig.log)
    if done.code:
        return [f"clock {kind}: ended with {done.code} and the message {done.said[-500:]!r}"]
    return [] if contents(folder) == expected else [f"clock {kind}: other bits"]


def stop(rig: Rig, verb: str) -> list[str] | None:
    """Ctrl-C, which all processes of a terminal receive, or a scheduler's SIGTERM, at a random moment."""
    length_s, _, _ = rig.undisturbed(verb)
    folder, number = rig.fresh(), rig.rng.choice([signal.SIGINT, signal.SIGTERM])
    child = rig.start(partial(command, rig.inputs.words(verb, folder)))
    time.sleep(0.1)  # until it has started
    rig.wait(length_s - 0.1)
    if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
        ended(child, rig.log)
        return None
    started = time.perf_counter()
    os.killpg(child, number) if number == signal.SIGINT else os.kill(child, number)
    first = ended(child, rig.log)
    took_s = time.perf_counter() - started
    if first.code == 0 or (first.code == -number and contents(folder) == rig.undisturbed(verb)[1]):
        return None  # it had finished
    short = [f"half-written: {text}" for text in unreadable(folder)]
    if first.code != 128 + number or "the same command" not in first.sentence("stopped"):
        short.append(f"{number.name}: ended with {first.code} and the message {first.said[-700:]!r}")
    if took_s > SOON_S:
        short.append(f"{number.name}: ended after {took_s:.1f} s")
    return [*short, *broken_by_second(rig, verb, folder)]


def worker(rig: Rig, verb: str) -> list[str] | None:
    """A worker process is killed at a random moment, as by a system that runs out of memory."""
    length_s, expected, _ = rig.undisturbed(verb)
    folder = rig.fresh()
    child = rig.start(partial(command, rig.inputs.words(verb, folder)))
    rig.wait(length_s)
    workers = _workers_of(child)
    if not workers:
        ended(child, rig.log)
        return None
    os.kill(rig.rng.choice(workers), signal.SIGKILL)
    finished = {path: path.stat().st_ino for path in folder.rglob("*.npz") if path.name[0] != "."}
    first = ended(child, rig.log)
    short = [f"half-written: {text}" for text in unreadable(folder)]
    if first.code and verb.startswith("prepare"):
        short.append(f"ended with {first.code} and the message {first.said[-700:]!r}")
    elif first.code:
        if first.code != 1 or "the same command goes on from there" not in first.sentence():
            short.append(f"ended with {first.code} and the message {first.said[-700:]!r}")
        short += broken_by_second(rig, verb, folder)
    elif contents(folder) != expected:
        short.append("other bits")
    twice = [path for path, number in finished.items() if "prepare" in verb and path.stat().st_ino != number]
    return [*short, *(f"computed twice: {path.name}" for path in twice)]


def _workers_of(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            words = (stat.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == parent and "popen_loky" in words:
            found.append(int(stat.parent.name))
    return found


ALL = tuple(VERBS)
# Kind -> the function that injects it, and the commands that it is injected into in turn.
KINDS: dict[str, tuple[Callable[[Rig, str], list[str] | None], tuple[str, ...]]] = {
    "full disk": (full_disk, ALL),
    "read-only": (read_only, ALL),
    "lost file": (lost_file, ("prepare", PREPARE_2, "predict")),
    "cut pack": (cut_pack, ("train --pack",)),
    "clock": (clock, ALL),
    "stop": (
        stop,
        ("train", "train --pack", "prepare", "evaluate", "predict", PREPARE_2, EVALUATE_2),
    ),
    "worker": (worker, (PREPARE_2, EVALUATE_2)),
}


def inject(kind: str, rig: Rig, n: int) -> Counter[str]:
    """Inject ``n`` faults of a kind, into its commands in turn; a fault after the end of a command does not count."""
    work, verbs = KINDS[kind]
    counts: Counter[str] = Counter()
    for attempt in range(4 * n):
        if counts["injected"] == n:
            break
        verb = verbs[attempt % len(verbs)]
        short = work(rig, verb)
        if short is None:
            continue
        counts["injected"] += 1
        counts["as promised"] += not short
        for text in short:
            print(f"  {kind}, {verb.split(' --')[0]}: {text}", flush=True)
    return counts
