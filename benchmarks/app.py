"""How long a visitor of the web page waits, and how the page serves many visitors at once, some of whom attack it.

    python benchmarks/app.py --figures --rounds 5
    python benchmarks/app.py --visitors 50 --rounds 3
    python benchmarks/app.py --visitors 50 --attackers 15 --minutes 10

The first prints each waiting time of a visitor and the sizes of the page, measured in Chromium (page_figures.py). In
the others each visitor uploads a recording, has it answered and leaves. They print the answers per second, how long
visitors waited, the errors, and the memory of the server: after each round, or every half minute with its growth in the
last half. Attackers choose from the attacks of attacks.py and live_attacks.py at random. --checkpoint and
--recording are those of the package unless stated.
"""

from __future__ import annotations

import argparse
import http.client
import random
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from attacks import ATTACKS, Attack, Breach, Target
from live_attacks import LIVE_ATTACKS
from page_client import Visitor, free_port, megabytes, megabytes_with_children, started

import semg_hht as sh

REFUSED = (OSError, RuntimeError, http.client.HTTPException, ValueError)


@dataclass
class Tally:
    """The experience of all visitors: seconds waited for each answer, errors, successful attacks, distinct answers."""

    waited: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    attacks: Counter[str] = field(default_factory=Counter)
    answers: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def visit(self, address: str, recording: Path, rate_hz: float | None, target: Target | None = None) -> None:
        """Open the page, upload a recording, have it answered, leave. The ``target`` learns the key of the visit."""
        start = time.monotonic()
        keys: list[str] = [] if target is None else target.keys
        try:
            with Visitor(address) as visitor:
                keys.append(visitor.key)
                try:
                    visitor.drop(recording, rate_hz=rate_hz)
                    visitor.answers()
                    told = visitor.open("/api/predictions").read().decode()
                finally:
                    keys.remove(visitor.key)
                if not visitor.state["files"][-1]["answered"]:
                    raise RuntimeError(f"no answer; {visitor.state['files'][-1]['problem']}")
        except REFUSED as error:
            body = error.read(300) if isinstance(error, urllib.error.HTTPError) else ""
            with self.lock:
                self.errors.append(f"{type(error).__name__} {error} {body!r} after {time.monotonic() - start:.0f} s")
            return
        with self.lock:
            self.waited.append(time.monotonic() - start)
            self.answers.add(told)

    def attack(self, target: Target, rng: random.Random, attack: Attack) -> None:
        try:
            attack(target, rng)
            outcome = "completed"
        except Breach as breach:
            outcome = "breach"
            with self.lock:
                self.breaches.append(f"{attack.__name__}: {breach}")
        except REFUSED:
            outcome = "refused or cut off"
        with self.lock:
            self.attacks[f"{attack.__name__}, {outcome}"] += 1

    def show(self, duration_s: float) -> None:
        print(f"{len(self.waited)} answers in {duration_s:.1f} s: {len(self.waited) / duration_s:.2f} a second")
        if self.waited:
            median_s, longest_s = statistics.median(self.waited), max(self.waited)
            print(f"a visitor waited {median_s:.1f} s (median), {longest_s:.1f} s (longest)")
        print(f"errors of visitors: {len(self.errors)}; different answers to the same file: {len(self.answers)}")
        for name, n in sorted(self.attacks.items()):
            print(f"attack: {name}: {n}")
        for text in dict.fromkeys([*self.errors, *self.breaches]):
            print(f"error: {text}")


@dataclass(frozen=True)
class Load:
    """The server under load, its temporary folder, and what each visitor uploads."""

    server: subprocess.Popen[bytes]
    address: str
    folder: Path
    options: argparse.Namespace

    def visit(self, tally: Tally, target: Target | None = None) -> None:
        tally.visit(self.address, self.options.recording, self.options.rate_hz, target)

    def warmed_up(self) -> Tally:
        """A tally after one uncounted visit: the first answer loads what stays in memory."""
        tally = Tally()
        self.visit(tally)
        tally.waited.clear()
        return tally

    @property
    def megabytes(self) -> float:
        return megabytes(self.server.pid)


@contextmanager
def served(options: argparse.Namespace) -> Iterator[Load]:
    port = free_port()
    words = ["--checkpoint", options.checkpoint, "--max_upload_mb", str(options.max_upload_mb)]
    if options.attackers:  # some attack the Live view, which plays the recording
        words += ["--live", str(options.recording)]
    with tempfile.TemporaryDirectory() as folder:
        server = started(port, *words, TMPDIR=folder)
        try:
            yield Load(server, f"http://127.0.0.1:{port}", Path(folder), options)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def visit_in_rounds(load: Load) -> Tally:
    """All visitors at once, in several rounds."""
    tally, n_visitors = load.warmed_up(), load.options.visitors
    print(f"memory before {load.megabytes:.0f} MB")
    for number in range(1, load.options.rounds + 1):
        with ThreadPoolExecutor(n_visitors) as pool:
            list(pool.map(lambda _: load.visit(tally), range(n_visitors)))
        print(f"memory after round {number} {load.megabytes:.0f} MB, errors {len(tally.errors)}")
    return tally


def visit_and_attack(load: Load) -> Tally:
    """Visitors and attackers who come again and again for ``--minutes``; prints a line every half minute."""
    options = load.options
    target = Target(load.address, load.folder, most=1_000_000 * options.max_upload_mb).arm()
    tally = load.warmed_up()
    end = time.monotonic() + 60 * options.minutes

    def visit_again_and_again(_: int) -> None:
        while time.monotonic() < end:
            load.visit(tally, target)

    def attack_again_and_again(number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < end:
            tally.attack(target, rng, rng.choice(ATTACKS + LIVE_ATTACKS))
            time.sleep(rng.uniform(0.5, 2.0))

    n_visitors = options.visitors - options.attackers
    print(f"{n_visitors} visitors and {options.attackers} attackers; the server has {load.megabytes:.0f} MB")
    with ThreadPoolExecutor(options.visitors) as pool:
        running = [pool.submit(visit_again_and_again, i) for i in range(n_visitors)]
        running += [pool.submit(attack_again_and_again, i) for i in range(options.attackers)]
        watch(load, tally, target, end)
        for future in running:
            future.result()
    return tally


def watch(load: Load, tally: Tally, target: Target, end: float) -> None:
    """Until ``end``: measure memory, tell the attackers where uploads lie, print a line every half minute."""
    at_s: list[float] = []
    memory: dict[str, list[float]] = {"server": [], "server with child processes": []}
    start = last_line = time.monotonic()
    n_before = 0
    print("   min  server MB  with children  answers/s  waited (median, longest) s  errors  breaches")
    while time.monotonic() < end:
        time.sleep(2.0)
        now = time.monotonic()
        with suppress(OSError):  # visits end and their folders vanish
            target.paths[:] = [str(path) for path in list(load.folder.glob("semg-hht-app-*/*/*/*"))[-50:]]
        at_s.append(now - start)
        for series, megabytes_now in zip(
            memory.values(), (load.megabytes, megabytes_with_children(load.server.pid)), strict=True
        ):
            series.append(megabytes_now)
        if now - last_line >= 30 or now >= end:
            new = tally.waited[n_before:]
            waited = f"{statistics.median(new):6.1f} {max(new):6.1f}" if new else "     -      -"
            held = " ".join(f"{series[-1]:{width}.0f}" for series, width in zip(memory.values(), (10, 13), strict=True))
            print(
                f"{at_s[-1] / 60:6.1f} {held} {len(new) / (now - last_line):10.2f}"
                f" {waited:>27} {len(tally.errors):7} {len(tally.breaches):9}", flush=True,
            )  # fmt: skip
            n_before, last_line = n_before + len(new), now
    half = len(at_s) // 2
    for name, series in memory.items():
        rise, error = growth(at_s[half:], series[half:])
        print(
            f"{name}, last half: {rise:+.2f} MB a minute, standard error {error:.2f}; "
            f"{min(series[half:]):.0f} to {max(series[half:]):.0f} MB, at most {max(series):.0f} MB over all"
        )


def growth(at_s: list[float], megabytes: list[float]) -> tuple[float, float]:
    """Growth in MB a minute, and its standard error, from the medians of half minutes.

    Medians leave out what is held for a moment while a file is read or answered; neighbouring readings are correlated.
    """
    parts = [np.array(megabytes)[np.array(at_s) // 30 == part] for part in np.unique(np.array(at_s) // 30)]
    y = np.array([np.median(part) for part in parts])
    x = np.arange(len(y)) / 2 - (len(y) - 1) / 4  # minutes, centred on 0
    slope = float((x * y).sum() / (x**2).sum())
    residual = y - y.mean() - slope * x
    return slope, float(np.sqrt((residual**2).sum() / max(1, len(x) - 2) / (x**2).sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", action="store_true", help="waiting times of one visitor, in a browser")
    parser.add_argument("--checkpoint", help="the run that answers")
    parser.add_argument("--recording", type=Path, default=next(iter(sh.samples.recordings().values())))
    parser.add_argument("--rate_hz", type=float)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="visit again and again for so long, instead of in rounds")
    parser.add_argument("--attackers", type=int, default=0, help="of the visitors, with --minutes")
    parser.add_argument("--max_upload_mb", type=int, default=20)
    options = parser.parse_args()
    if options.figures:
        from page_figures import show_figures  # it needs selenium

        show_figures(options.checkpoint, options.rounds)
        return
    options.checkpoint = options.checkpoint or str(sh.samples.RUN)
    with served(options) as load:
        start = time.monotonic()
        tally = visit_and_attack(load) if options.minutes else visit_in_rounds(load)
        tally.show(time.monotonic() - start)


if __name__ == "__main__":
    main()
