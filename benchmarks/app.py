"""The web page under load: visitors at once on this computer, each drops a recording, has it answered and leaves.

    python benchmarks/app.py --checkpoint RUN --recording FILE --visitors 50 --rounds 3

Prints answers a second, how long visitors waited, errors, and the memory of the server before and after each round.
A visitor speaks as a browser does: uploads, joins the queue, listens for the end of the step, and hangs up.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--recording", required=True, type=Path)
    parser.add_argument("--rate_hz", type=float)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    port = free_port()
    server = started(port, "--checkpoint", given.checkpoint)
    lock, waited, errors = threading.Lock(), [], []

    def visit(_: int) -> None:
        start = time.monotonic()
        try:
            with Visitor(f"http://127.0.0.1:{port}") as visitor:
                visitor.drop(given.recording, rate_hz=given.rate_hz)
                visitor.take("answer", [False])
                if 'class="card"' not in visitor.shown["answers"]:
                    raise RuntimeError("no answer")
        except (OSError, RuntimeError) as error:
            with lock:
                errors.append(str(error))
            return
        with lock:
            waited.append(time.monotonic() - start)

    try:
        visit(0)  # what the first answer loads stays
        waited.clear()
        print(f"memory before {megabytes(server.pid):.0f} MB")
        start = time.monotonic()
        for number in range(1, given.rounds + 1):
            with ThreadPoolExecutor(given.visitors) as everybody:
                list(everybody.map(visit, range(given.visitors)))
            print(f"memory after round {number} {megabytes(server.pid):.0f} MB, errors {len(errors)}")
        seconds = time.monotonic() - start
        print(f"{len(waited)} answers in {seconds:.1f} s: {len(waited) / seconds:.2f} a second")
        if waited:
            print(f"a visitor waited {statistics.median(waited):.1f} s (median), {max(waited):.1f} s (longest)")
        for error in dict.fromkeys(errors):
            print(f"error: {error}")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


if __name__ == "__main__":
    main()
