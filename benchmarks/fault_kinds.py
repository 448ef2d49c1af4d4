"""The kinds of fault that benchmarks/faults.py injects, one function a kind: into real processes, at random moments.

Each draws what to hit and when, looks at what is left, starts the command again, and tells in which of its promises the
first or the second go fell short.
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
    """Where faults happen, and what commands leave that nobody disturbs: measured once."""

    inputs: Inputs
    base: Path
    rng: random.Random
    known: dict[str, tuple[float, dict[str, bytes], int]] = field(default_factory=dict)

    def fresh(self) -> Path:
        folder = self.base / "plain" / "disk"  # as deep as on a mounted one: a table may name files as seen from there
        if folder.exists():
            set_read_only(folder, False)
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def start(self, work: Callable[[], None]) -> int:
        self.log = self.base / "log"
        self.log.unlink(missing_ok=True)
        return forked(work, self.log)

    def run(self, words: list[str]) -> Ended:
        return ended(self.start(partial(command, words)), self.log)

    def undisturbed(self, verb: str) -> tuple[float, dict[str, bytes], int]:
        """Seconds it takes, what it leaves, and how many bytes these are."""
        if verb not in self.known:
            folder, started = self.fresh(), time.perf_counter()
            done = self.run(self.inputs.words(verb, folder))
            if done.code:
                raise SystemExit(f"{verb} does not end well with nothing to disturb it: {done.said}")
            n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            self.known[verb] = time.perf_counter() - started, contents(folder), n_bytes
        return self.known[verb]

    def wait(self, length_s: float) -> None:
        time.sleep(self.rng.uniform(0, length_s))


def short_of(rig: Rig, verb: str, folder: Path, first: Ended, cause: str, *, left: bool = False) -> Iterator[str]:
    """The promises that a command which was kept from writing did not keep, and its second go neither."""
    told = first.sentence()
    if first.code != 1 or cause not in told or str(folder) not in told or ".part" in told:
        yield f"ended with {first.code}, saying: {first.said[-500:]!r}"
    yield from (f"half-written: {text}" for text in unreadable(folder))
    if not left:
        yield from (f"left behind: {text}" for text in leftovers(folder))
    yield from short_of_second(rig, verb, folder)


def short_of_second(rig: Rig, verb: str, folder: Path) -> Iterator[str]:
    second = rig.run(rig.inputs.words(verb, folder, again=True))
    expected, found = rig.undisturbed(verb)[1], contents(folder)
    if second.code:
        yield f"the second go ended with {second.code}, saying: {second.said[-500:]!r}"
    elif found != expected:
        names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        yield f"the second go left other bits in {', '.join(names)}"


def full_disk(rig: Rig, verb: str) -> list[str] | None:
    """All but a random share of what the command needs is filled."""
    room = int(rig.rng.random() * rig.undisturbed(verb)[2])
    mount = rig.base / "mount"
    with mounted(mount, 32 * 2**20) as there:
        if not there:
            raise SystemExit("a small disk can't be mounted here: run as root, or leave this kind out")
        folder = mount / "disk"
        folder.mkdir()
        (mount / "ballast").write_bytes(b"\0" * (shutil.disk_usage(mount).free - room // 4096 * 4096))
        first = rig.run(rig.inputs.words(verb, folder))
        (mount / "ballast").unlink()
        return list(short_of(rig, verb, folder, first, "the disk")) if first.code else None


def read_only(rig: Rig, verb: str) -> list[str] | None:
    """All folders turn read-only at a random moment."""
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
    # What can't be removed stays till the second go, or for good where that begins anew.
    return list(short_of(rig, verb, folder, first, "no permission", left=True)) if first.code else None


def lost_file(rig: Rig, verb: str) -> list[str] | None:
    """A recording vanishes, or is cut short, at a random moment while all are read."""
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
        short.append(f"ended with {done.code}, saying: {done.said[-500:]!r}")
    elif any(found.get(name) != content for name, content in others.items()):
        short.append("others than the file that was lost are not as they were")
    elif found.keys() != expected.keys() and victim.name not in done.said:
        short.append(f"{victim.name} is missing, and not listed: {done.said[-500:]!r}")
    return short


def cut_pack(rig: Rig, verb: str) -> list[str] | None:
    """The pack is cut short at a random moment while batches are read from it."""
    length_s, _, _ = rig.undisturbed(verb)
    folder = rig.fresh()
    values = folder / "pack" / "matrices.f32"
    child = rig.start(partial(command, rig.inputs.words(verb, folder)))
    while not values.exists() and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.001)
    rig.wait(length_s / 2)
    os.truncate(values, rig.rng.randrange(values.stat().st_size))
    first = ended(child, rig.log)
    shutil.rmtree(folder / "pack")  # as the second go asks for
    return list(short_of(rig, verb, folder, first, "matri")) if first.code else None


def clock(rig: Rig, verb: str) -> list[str] | None:
    """Every look at the clock finds it years from the last, in both directions; or it stands at 1970 or in 2128."""
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
        return [f"clock {kind}: ended with {done.code}, saying: {done.said[-500:]!r}"]
    return [] if contents(folder) == expected else [f"clock {kind}: other bits"]


def stop(rig: Rig, verb: str) -> list[str] | None:
    """Ctrl-C, which all processes of a terminal get, or a scheduler's SIGTERM, at a random moment."""
    length_s, _, _ = rig.undisturbed(verb)
    folder, number = rig.fresh(), rig.rng.choice([signal.SIGINT, signal.SIGTERM])
    child = rig.start(partial(command, rig.inputs.words(verb, folder)))
    time.sleep(0.1)  # until it has begun
    rig.wait(length_s - 0.1)
    if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
        ended(child, rig.log)
        return None
    started = time.perf_counter()
    os.killpg(child, number) if number == signal.SIGINT else os.kill(child, number)
    first = ended(child, rig.log)
    took_s = time.perf_counter() - started
    if first.code == 0 or (first.code == -number and contents(folder) == rig.undisturbed(verb)[1]):
        return None  # it was done
    short = [f"half-written: {text}" for text in unreadable(folder)]
    if first.code != 128 + number or "the same command" not in first.sentence("stopped"):
        short.append(f"{number.name}: ended with {first.code}, saying: {first.said[-700:]!r}")
    if took_s > SOON_S:
        short.append(f"{number.name}: ended after {took_s:.1f} s")
    return [*short, *short_of_second(rig, verb, folder)]


def worker(rig: Rig, verb: str) -> list[str] | None:
    """A worker process is killed, as a system that runs out of memory does it, at a random moment."""
    length_s, expected, _ = rig.undisturbed(verb)
    folder = rig.fresh()
    child = rig.start(partial(command, rig.inputs.words(verb, folder)))
    rig.wait(length_s)
    found = _workers_of(child)
    if not found:
        ended(child, rig.log)
        return None
    os.kill(rig.rng.choice(found), signal.SIGKILL)
    finished = {path: path.stat().st_ino for path in folder.rglob("*.npz") if path.name[0] != "."}
    first = ended(child, rig.log)
    short = [f"half-written: {text}" for text in unreadable(folder)]
    if first.code and verb.startswith("prepare"):
        short.append(f"ended with {first.code}, saying: {first.said[-700:]!r}")
    elif first.code:
        if first.code != 1 or "the same command goes on from there" not in first.sentence():
            short.append(f"ended with {first.code}, saying: {first.said[-700:]!r}")
        short += short_of_second(rig, verb, folder)
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
# Kind -> what injects it, and the commands it is injected into, in turn.
KINDS: dict[str, tuple[Callable[[Rig, str], list[str] | None], tuple[str, ...]]] = {
    "full disk": (full_disk, ALL),
    "read-only": (read_only, ALL),
    "lost file": (lost_file, ("prepare", PREPARE_2, "predict")),
    "cut pack": (cut_pack, ("train --pack",)),
    "clock": (clock, ALL),
    "stop": (
        stop,
        (
            "train",
            "train --pack",
            "prepare",
            "evaluate",
            "predict",
            PREPARE_2,
            EVALUATE_2,
        ),
    ),
    "worker": (worker, (PREPARE_2, EVALUATE_2)),
}


def inject(kind: str, rig: Rig, n: int) -> Counter[str]:
    """``n`` faults of a kind, the commands in turn; one that came after a command's end is drawn again."""
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
