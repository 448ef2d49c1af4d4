"""A client of the web page that speaks to it as a browser does, and the server process that it talks to.

app.py and the tests of the page use it. It needs no browser.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any


class Visitor:
    """One visitor of the page at ``address``.

    ``key`` identifies the visit to the server; ``shown`` holds the newest content of each named part of the page.
    """

    def __init__(self, address: str, timeout_s: float = 300.0) -> None:
        self.address, self.key, self._timeout_s = address, secrets.token_hex(6), timeout_s
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        config = json.loads(self.open("/config").read())
        self._steps = {step["api_name"]: step for step in config["dependencies"] if step.get("api_name")}
        self._names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
        self.shown: dict[str, Any] = {}

    def __enter__(self) -> Visitor:
        """Keep a connection open: without it the server assumes that the visitor has closed the page."""
        self._heartbeat = self.open(f"/gradio_api/heartbeat/{self.key}")
        self.take("came", [])
        return self

    def __exit__(self, *_: object) -> None:
        self._heartbeat.close()

    def upload(self, *paths: Path) -> list[dict[str, Any]]:
        """Upload files; returns them as the page refers to them."""
        boundary = secrets.token_hex(16)
        body = b""
        for path in paths:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
            body += head.encode() + path.read_bytes() + b"\r\n"
        body += f"--{boundary}--\r\n".encode()
        answer = self.open("/gradio_api/upload", body, f"multipart/form-data; boundary={boundary}")
        return [uploaded_file(place, path.name) for place, path in zip(json.loads(answer.read()), paths, strict=True)]

    def drop(self, *paths: Path, rate_hz: float | None = None) -> None:
        self.take("drop", [self.upload(*paths), rate_hz, ""])

    def step_number(self, step: str) -> int:
        return int(self._steps[step]["id"])

    def join_queue(self, step: str, values: list[Any]) -> None:
        """Ask for a step of the page without waiting for its end."""
        body = {
            "data": values, "fn_index": self.step_number(step), "session_hash": self.key, "event_data": None,
        }  # fmt: skip
        self.post("/gradio_api/queue/join", body)

    def take(self, step: str, values: list[Any]) -> None:
        """Take a step of the page, wait for its end and keep what it shows, by the name of the part.

        Raises
        ------
        RuntimeError
            The step failed, or the queue was full.
        """
        self.join_queue(step, values)
        with self.open(f"/gradio_api/queue/data?session_hash={self.key}") as events:
            for line in events:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:])
                if event["msg"] == "process_completed":
                    if not event["success"]:
                        raise RuntimeError(f"{step}: {event['output']}")
                    shown = zip(self._steps[step]["outputs"], event["output"]["data"], strict=True)
                    self.shown |= {self._names[part]: value for part, value in shown if self._names.get(part)}
                    return
        raise RuntimeError(f"{step}: the server closed the connection")

    def post(self, path: str, content: object) -> None:
        self.open(path, json.dumps(content).encode(), "application/json").read()

    def open(self, path: str, body: bytes | None = None, content_type: str = "") -> Any:
        headers = {"Content-Type": content_type} if content_type else {}
        request = urllib.request.Request(self.address + path, body, headers)
        return self._opener.open(request, timeout=self._timeout_s)


def uploaded_file(path: str, name: str) -> dict[str, Any]:
    """An uploaded file as the page refers to it."""
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(port: int, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start ``semg-hht app`` at ``port`` and wait until it answers."""
    command = [sys.executable, "-m", "semg_hht", "app", "--port", str(port), "--cpu", *words]
    return answering(port, command, **environment)


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
