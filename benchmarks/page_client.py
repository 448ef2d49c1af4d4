"""A client of the web page that speaks to it as a browser does, and the server process that it talks to.

app.py and the tests of the page use it. It needs no browser.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any


class Visitor:
    """One visitor of the page at ``address``; ``state`` holds what the page shows."""

    def __init__(self, address: str, timeout_s: float = 300.0) -> None:
        self.address, self._timeout_s, self.key = address, timeout_s, ""
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opened = json.loads(self.open("/api/visit", b'{"language": "en"}').read())
        self.key, self.state = opened["visit"], opened["state"]

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, ValueError):
            self.open("/api/leave", b"{}").close()

    def drop(self, *paths: Path, rate_hz: float | None = None) -> None:
        """Upload files one after the other, and state the rate of those that do not state it."""
        for path in paths:
            answer = self.open(f"/api/file?name={urllib.parse.quote(path.name)}", path.read_bytes())
            self.state = json.loads(answer.read())
        for file in self.state["files"]:
            if file["needs"] == "rate" and rate_hz is not None:
                self.step("about", file=file["id"], rate_hz=rate_hz)

    def step(self, name: str, **content: Any) -> None:
        self.state = json.loads(self.open(f"/api/{name}", json.dumps(content).encode()).read())

    def answers(self, *, gender: bool = False) -> None:
        """Have all files answered, and wait for the end.

        Raises
        ------
        RuntimeError
            The work failed.
        """
        self.step("answer", gender=gender)
        while not (job := json.loads(self.open("/api/job").read()))["done"]:
            time.sleep(0.2)
        if job["error"]:
            raise RuntimeError(job["error"])
        self.state = json.loads(self.open("/api/state").read())

    def open(self, path: str, body: bytes | None = None, key: str = "") -> Any:
        headers = {"X-Visit": key or self.key, "Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, body, headers)
        return self._opener.open(request, timeout=self._timeout_s)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(port: int, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start ``semg-hht app`` at ``port`` and wait until it answers."""
    command = [sys.executable, "-m", "semg_hht", "app", "--port", str(port), "--cpu", *words]
    return answering(port, command, 180.0, **environment)


def answering(port: int, command: list[str], timeout_s: float = 180.0, **environment: str) -> subprocess.Popen[bytes]:
    """Start a command that serves a page at ``port`` and wait until it answers.

    Raises
    ------
    RuntimeError
        The command ended, or does not answer in time.
    """
    server = subprocess.Popen(command, env=os.environ | environment)
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10):
            return server
        time.sleep(0.5)
    server.kill()
    raise RuntimeError("the page did not start to answer")


def megabytes(process: int) -> float:
    """Memory that a process holds, on Linux."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def megabytes_with_children(process: int) -> float:
    """Memory that a process and all its descendants hold; one that ends meanwhile does not count."""
    total = 0.0
    with suppress(OSError, IndexError):
        total += megabytes(process)
    for children in Path(f"/proc/{process}/task").glob("*/children"):  # each thread lists its own children
        with suppress(OSError):
            total += sum(megabytes_with_children(int(child)) for child in children.read_text(encoding="ascii").split())
    return total
