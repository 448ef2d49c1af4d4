"""The web page under load: visitors at once on this computer, each drops a recording, has it answered and leaves.

    python benchmarks/app.py --checkpoint RUN --recording FILE --visitors 50 --rounds 3
    python benchmarks/app.py --checkpoint RUN --recording FILE --visitors 50 --attackers 15 --minutes 10

Prints answers a second, how long visitors waited, errors, and the memory of the server: before and after each round, or
each half minute and how it rose in the last half. Attackers do what attacks.py knows, at random.
A visitor speaks as a browser does: uploads, joins the queue, listens for the end of the step, and hangs up.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


class Visitor:
    """One visitor of a page at ``address``."""

    def __init__(self, address: str, timeout_s: float = 300.0) -> None:
        self.address, self.key, self._timeout_s = address, secrets.token_hex(6), timeout_s
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        config = json.loads(self._open("/config").read())
        self._steps = {step["api_name"]: step for step in config["dependencies"] if step.get("api_name")}
        self._names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
        self.shown: dict[str, Any] = {}

    def __enter__(self) -> Visitor:
        """Stay on the line: the server takes a visitor who hangs up for one who has closed the page."""
        self._line = self._open(f"/gradio_api/heartbeat/{self.key}")
        self.take("came", [])
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def upload(self, *paths: Path) -> list[dict[str, Any]]:
        """The files as the page knows them once they have arrived."""
        edge = secrets.token_hex(16)
        body = b""
        for path in paths:
            head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
            body += head.encode() + path.read_bytes() + b"\r\n"
        body += f"--{edge}--\r\n".encode()
        stored = json.loads(
            self._open("/gradio_api/upload", body, f"multipart/form-data; boundary={edge}").read()
        )  # fmt: skip
        return [
            {"path": place, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
            for place, path in zip(stored, paths, strict=True)
        ]

    def drop(self, *paths: Path, rate_hz: float | None = None) -> None:
        self.take("drop", [self.upload(*paths), rate_hz, ""])

    def take(self, step: str, values: list[Any]) -> None:
        """Take a step of the page and keep what it shows, by the name of the part.

        Raises
        ------
        RuntimeError
            The step failed, or the queue was full.
        """
        known = self._steps[step]
        body = {"data": values, "fn_index": known["id"], "session_hash": self.key, "event_data": None}
        self._open("/gradio_api/queue/join", json.dumps(body).encode(), "application/json").read()
        with self._open(f"/gradio_api/queue/data?session_hash={self.key}") as events:
            for line in events:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:])
                if event["msg"] == "process_completed":
                    if not event["success"]:
                        raise RuntimeError(f"{step}: {event['output']}")
                    shown = zip(known["outputs"], event["output"]["data"], strict=True)
                    self.shown |= {self._names[part]: value for part, value in shown if self._names.get(part)}
                    return
        raise RuntimeError(f"{step}: the server hung up")

    def _open(self, path: str, body: bytes | None = None, kind: str = "") -> Any:
        request = urllib.request.Request(self.address + path, body, {"Content-Type": kind} if kind else {})
        return self._opener.open(request, timeout=self._timeout_s)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(port: int, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    """``semg-hht app`` at ``port``, once it answers."""
    return answering(
        port, [sys.executable, "-m", "semg_hht", "app", "--port", str(port), "--cpu", *words], **environment
    )  # fmt: skip


def answering(port: int, command: list[str], timeout_s: float = 180.0, **environment: str) -> subprocess.Popen[bytes]:
    """A command that serves a page at ``port``, once it answers.

    Raises
    ------
    RuntimeError
        It ended, or does not answer.
    """
    server = subprocess.Popen(command, env=os.environ | environment)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10):
            return server
        time.sleep(0.5)
    server.kill()
    raise RuntimeError("the page did not come up")


def megabytes(process: int) -> float:
    """Memory that a process holds, on Linux."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def helpers(process: int) -> list[int]:
    """Processes that a process has started, in whichever of its threads, and those that these have."""
    found: list[int] = []
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):  # ended meanwhile
            found += map(int, children.read_text(encoding="ascii").split())
    return [pid for child in found for pid in (child, *helpers(child))]


def megabytes_of_all(processes: list[int]) -> float:
    total = 0.0
    for process in processes:
        with suppress(OSError, IndexError):  # ended meanwhile
            total += megabytes(process)
    return total


@dataclass
class Tally:
    """What visitors lived through: seconds each waited for an answer, errors, what attackers got that they must not."""

    waited: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    attacks: Counter[str] = field(default_factory=Counter)
    answers: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def visit(self, address: str, recording: Path, rate_hz: float | None, known: Any = None) -> None:
        """Come, drop a recording, have it answered, leave."""
        start = time.monotonic()
        try:
            with Visitor(address) as visitor:
                if known is not None:
                    known.keys.append(visitor.key)
                try:
                    visitor.drop(recording, rate_hz=rate_hz)
                    visitor.take("answer", [False])
                finally:
                    if known is not None:
                        known.keys.remove(visitor.key)
                if 'class="card"' not in visitor.shown["answers"]:
                    raise RuntimeError(f"no answer; {visitor.shown['notes']}")
        except (OSError, RuntimeError, http.client.HTTPException, ValueError) as error:
            said = error.read(300) if isinstance(error, urllib.error.HTTPError) else ""
            with self.lock:
                self.errors.append(f"{type(error).__name__} {error} {said!r} after {time.monotonic() - start:.0f} s")
            return
        with self.lock:
            self.waited.append(time.monotonic() - start)
            href = visitor.shown["downloads"].split('" download="predictions.json"')[0].rsplit("base64,", 1)[1]
            self.answers.add(href)

    def attack(self, target: Any, rng: random.Random, attack: Any) -> None:
        import attacks

        try:
            attack(target, rng)
            came_to = "ran its course"
        except attacks.Breach as breach:
            came_to = "breach"
            with self.lock:
                self.breaches.append(f"{attack.__name__}: {breach}")
        except (OSError, RuntimeError, http.client.HTTPException, ValueError):
            came_to = "was refused or cut off"
        with self.lock:
            self.attacks[f"{attack.__name__} {came_to}"] += 1


def slope(at_s: list[float], mb: list[float]) -> tuple[float, float]:
    """Megabytes a minute and the standard error of that, by the median of each half minute.

    What is held for a moment while a file is read or answered is no growth, and one reading is much like the next.
    """
    parts = [np.array(mb)[np.array(at_s) // 30 == part] for part in np.unique(np.array(at_s) // 30)]
    y = np.array([np.median(part) for part in parts])
    x = np.arange(len(y)) / 2 - (len(y) - 1) / 4  # minutes, around 0
    rise = float((x * y).sum() / (x**2).sum())
    left = y - y.mean() - rise * x
    return rise, float(np.sqrt((left**2).sum() / max(1, len(x) - 2) / (x**2).sum()))


def besiege(server: int, address: str, given: argparse.Namespace, folder: Path) -> Tally:
    """``given.visitors`` clients all the time, ``given.attackers`` of them attackers; every half minute is told of."""
    import attacks

    target = attacks.Target(address, folder, most=3_000_000 * given.max_upload_mb).arm()
    tally = Tally()
    tally.visit(address, given.recording, given.rate_hz)  # what the first answer loads stays
    tally.waited.clear()
    end = time.monotonic() + 60 * given.minutes

    def honest(_: int) -> None:
        while time.monotonic() < end:
            tally.visit(address, given.recording, given.rate_hz, target)

    def hostile(number: int) -> None:
        rng = random.Random(number)
        while time.monotonic() < end:
            tally.attack(target, rng, rng.choice(attacks.ATTACKS))
            time.sleep(rng.uniform(0.5, 2.0))

    n_honest = given.visitors - given.attackers
    start, at_s, alone, everything = time.monotonic(), [], [], []
    print(f"{n_honest} visitors and {given.attackers} attackers; the server has {megabytes(server):.0f} MB")
    print("   min  server MB  with helpers  answers/s  waited (median, longest) s  errors  breaches")
    with ThreadPoolExecutor(given.visitors) as everybody:
        running = [everybody.submit(honest, i) for i in range(n_honest)]
        running += [everybody.submit(hostile, i) for i in range(given.attackers)]
        n_before, told = 0, start
        while time.monotonic() < end:
            time.sleep(2.0)
            now = time.monotonic()
            with suppress(OSError):  # they come and go
                target.paths[:] = [str(path) for path in list(folder.glob("semg-hht-app-*/*/*/*"))[-50:]]
            at_s.append(now - start)
            alone.append(megabytes(server))
            everything.append(alone[-1] + megabytes_of_all(helpers(server)))
            if now - told >= 30 or now >= end:
                new = tally.waited[n_before:]
                wait = f"{statistics.median(new):6.1f} {max(new):6.1f}" if new else "     -      -"
                print(
                    f"{at_s[-1] / 60:6.1f} {alone[-1]:10.0f} {everything[-1]:13.0f} {len(new) / (now - told):10.2f}"
                    f" {wait:>27} {len(tally.errors):7} {len(tally.breaches):9}", flush=True,
                )  # fmt: skip
                n_before, told = n_before + len(new), now
        for one in running:
            one.result()
    half = len(at_s) // 2
    for name, mb in (("server", alone), ("server with helpers", everything)):
        rise, error = slope(at_s[half:], mb[half:])
        print(
            f"{name}, last half: {rise:+.2f} MB a minute, standard error {error:.2f}; "
            f"{min(mb[half:]):.0f} to {max(mb[half:]):.0f} MB, at most {max(mb):.0f} MB over all"
        )
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--recording", required=True, type=Path)
    parser.add_argument("--rate_hz", type=float)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="as long as that, again and again, instead of rounds")
    parser.add_argument("--attackers", type=int, default=0, help="of the visitors, with --minutes")
    parser.add_argument("--max_upload_mb", type=int, default=20)
    given = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = started(
            port, "--checkpoint", given.checkpoint, "--max_upload_mb", str(given.max_upload_mb), TMPDIR=folder
        )  # fmt: skip
        start = time.monotonic()
        try:
            if given.minutes:
                tally = besiege(server.pid, f"http://127.0.0.1:{port}", given, Path(folder))
            else:
                tally = rounds(server.pid, f"http://127.0.0.1:{port}", given)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
        seconds = time.monotonic() - start
    print(f"{len(tally.waited)} answers in {seconds:.1f} s: {len(tally.waited) / seconds:.2f} a second")
    if tally.waited:
        print(f"a visitor waited {statistics.median(tally.waited):.1f} s (median), {max(tally.waited):.1f} s (longest)")
    print(f"errors of visitors: {len(tally.errors)}; different answers to the same file: {len(tally.answers)}")
    for name, n in sorted(tally.attacks.items()):
        print(f"attack: {name}: {n}")
    for text in dict.fromkeys([*tally.errors, *tally.breaches]):
        print(f"error: {text}")


def rounds(server: int, address: str, given: argparse.Namespace) -> Tally:
    """All visitors at once, a few times over."""
    tally = Tally()
    tally.visit(address, given.recording, given.rate_hz)  # what the first answer loads stays
    tally.waited.clear()
    print(f"memory before {megabytes(server):.0f} MB")
    for number in range(1, given.rounds + 1):
        with ThreadPoolExecutor(given.visitors) as everybody:
            list(everybody.map(lambda _: tally.visit(address, given.recording, given.rate_hz), range(given.visitors)))
        print(f"memory after round {number} {megabytes(server):.0f} MB, errors {len(tally.errors)}")
    return tally


if __name__ == "__main__":
    main()
