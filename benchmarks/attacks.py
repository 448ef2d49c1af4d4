"""Hostile visitors of the web page, for app.py: the attacks, and what none of them may achieve.

An attack that is refused or cut off has failed, as it should; one that succeeds raises `Breach`.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from bombs import BOMBS, MARKER, MEGABYTE
from page_client import Visitor, uploaded_file

BOUNDARY = "x" * 20
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
UPLOAD = "/gradio_api/upload"
JOIN = "/gradio_api/queue/join"


class Breach(Exception):
    """An attack obtained or did what it must not."""


@dataclass
class Target:
    """A page, the bombs to upload to it, its limit, and what the attackers know of other visitors.

    most : bytes that the page accepts in one upload.
    keys : of the visits in progress, as if they had leaked.
    paths : where uploads and folders of visits lie, as if they had leaked.
    patience_s : seconds that an attacker holds a connection open for nothing.
    """

    address: str
    folder: Path
    most: int
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    patience_s: float = 45.0

    def __post_init__(self) -> None:
        self.marker = self.folder / MARKER
        self.bombs: list[Path] = []

    def arm(self, *makers: Callable[[Path], Path]) -> Target:
        """Make the bombs of these makers, or all."""
        self.bombs = [make(self.folder) for make in makers or BOMBS]
        return self

    @property
    def host(self) -> tuple[str, int]:
        parts = urlsplit(self.address)
        return str(parts.hostname), int(parts.port or 80)

    def send(self, *pieces: bytes, timeout_s: float = 90.0) -> bytes:
        """Send the pieces of a request over a new connection; returns the first bytes of the answer."""
        with closing(socket.create_connection(self.host, timeout=timeout_s)) as connection:
            with suppress(OSError):  # the server may close it before the end, and may have answered
                for piece in pieces:
                    connection.sendall(piece)
            with suppress(OSError):
                return connection.recv(4096)
        return b""

    def get(self, path: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(*self.host, timeout=30)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read(2000)


Attack = Callable[[Target, random.Random], None]


def _post(path: str, *headers: str) -> bytes:
    cookie = f"Cookie: semg_hht_visitor={'a' * 32}"  # of a browser that has opened the page; others are refused
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: localhost", cookie, *headers, "", "")).encode()


def _part(name: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()


# Hostile files and requests


def drop_a_bomb(target: Target, rng: random.Random) -> None:
    """Upload files that unpack to gigabytes, lie or carry code, and ask for an answer."""
    with Visitor(target.address) as visitor:
        visitor.drop(*rng.sample(target.bombs, min(len(target.bombs), rng.choice((1, 1, 1, 3)))), rate_hz=1000.0)
        visitor.take("answer", [True])
    if target.marker.exists():
        raise Breach("reading a file ran code that it carries")


def declare_too_much(target: Target, rng: random.Random) -> None:
    """An upload that declares a length above the limit."""
    for length in (target.most + 1, 10**15):
        answer = target.send(_post(UPLOAD, FORM, f"Content-Length: {length}"), _part("a.csv"), MEGABYTE)
        if b" 200 " in answer[:15]:
            raise Breach("an upload above the limit was accepted")


def send_too_much(target: Target, rng: random.Random) -> None:
    """An upload above the limit that declares no length."""
    chunk = b"100000\r\n" + MEGABYTE + b"\r\n"
    first = _part("endless.csv")
    head = _post(UPLOAD, FORM, "Transfer-Encoding: chunked")
    answer = target.send(head, b"%x\r\n" % len(first) + first + b"\r\n", *[chunk] * (target.most // 2**20 + 2))
    if b" 200 " in answer[:15]:
        raise Breach("an upload that grew above the limit was accepted")


def malform(target: Target, rng: random.Random) -> None:
    """Malformed uploads and requests."""
    bodies = [
        b"no parts at all", f"--{BOUNDARY}".encode(), _part("a.csv"), _part("a" * 100_000),
        f"--{BOUNDARY}\r\nA: ".encode() + b"b" * 2**20, f"--{BOUNDARY}\r\n".encode() + b"A: b\r\n" * 10_000,
        b"".join(_part(f"{i}.csv") + b"1\r\n" for i in range(1200)) + f"--{BOUNDARY}--\r\n".encode(),
        rng.randbytes(5000),
    ]  # fmt: skip
    body = rng.choice(bodies)
    head = rng.choice((FORM, "Content-Type: multipart/form-data", "Content-Type: text/plain", "X: y"))
    target.send(_post(UPLOAD, head, f"Content-Length: {len(body)}"), body)
    target.send(rng.randbytes(200) + b"\r\n\r\n", timeout_s=5.0)


def confuse_the_queue(target: Target, rng: random.Random) -> None:
    """Send nonsense to the queue, with an open visit and without one."""
    texts = [
        "", "null", "[]", "[" * 50_000, "{}", '{"session_hash": 1}', '{"session_hash": null, "fn_index": 1e999}',
        '{"data": [], "fn_index": 0, "session_hash": "nobody"}', "\x00\xff", "9" * 10_000,
    ]  # fmt: skip
    for text in texts:
        body = text.encode("latin-1")
        target.send(_post(JOIN, f"Content-Length: {len(body)}"), body)
    with Visitor(target.address) as visitor:
        for _ in range(10):
            data = rng.choice(([], [None] * 50, ["a" * 10_000], [[[[[]]]]], [{"path": "/etc/passwd"}], [10**400]))
            step = rng.choice((-1, 0, 3, 5, 99, 10**9, "a", None))
            event = rng.choice((None, {}, {"index": "a"}, []))
            content = {"data": data, "fn_index": step, "session_hash": visitor.key, "event_data": event}
            with suppress(OSError):
                visitor.post(JOIN, content)


def flood(target: Target, rng: random.Random) -> None:
    """Ask for 40 steps at once and wait for none."""
    with Visitor(target.address) as visitor:
        n_accepted = 0
        for _ in range(40):
            with suppress(OSError):
                visitor.join_queue("answer", [True])
                n_accepted += 1
        if n_accepted > 20:
            raise Breach("one visitor filled the queue")


# Files and visits of others


def escape(target: Target, rng: random.Random) -> None:
    """Upload files whose names lead out of the folder of the visit."""
    elsewhere = Path("/tmp/escaped.csv")
    names = ("../../escaped.csv", "..\\..\\escaped.csv", str(elsewhere), "%2e%2e%2fescaped.csv", ".", "..", "a\x00b")
    for name in rng.sample(names, 3):
        body = _part(name) + b"1,2\r\n" * 100 + f"--{BOUNDARY}--\r\n".encode()
        target.send(_post(UPLOAD, FORM, f"Content-Length: {len(body)}"), body)
    if elsewhere.exists() or (target.folder / "escaped.csv").exists():
        raise Breach("an upload was written outside the folder of its visit")


ROUTES = (
    "/gradio_api/file={}", "/file={}", "/gradio_api/file/{}", "/gradio_api/proxy={}", "/static/{}", "/assets/{}",
    "/svelte/{}", "/gradio_api/stream/{}/1", "/gradio_api/deep_link?session_hash={}", "/?deep_link={}",
    "/custom_component/{}", "/gradio_api/upload_progress?upload_id={}", "/theme.css/{}", "/gradio_api/call/{}",
)  # fmt: skip


def mutations(path: str) -> Iterator[str]:
    """Other spellings of a path, and paths beside it."""
    *folders, name = path.strip("/").split("/")
    yield path
    yield path.replace("/", "//")
    yield "../" * 12 + path.lstrip("/")
    yield "..%2f" * 12 + quote(path.lstrip("/"), safe="")
    yield quote(path, safe="")
    yield quote(quote(path, safe=""), safe="")
    yield "file://" + path
    yield "/".join(["", *folders, ".", name])
    yield "/".join(["", *folders, "x", "..", name])
    yield "/".join(["", *folders])
    yield path.swapcase()
    yield path + "%00.css"
    yield "/proc/self/root" + path


def read_files_of_others(target: Target, rng: random.Random) -> None:
    """Ask for files of the system and of other visits by their paths."""
    path = rng.choice([*target.paths[-20:], "/etc/passwd", "/proc/self/environ"])
    secret = Path(path).read_bytes()[:40] if Path(path).is_file() else b""
    for spelling in mutations(path):
        status, body = target.get(rng.choice(ROUTES).format(spelling).replace(" ", "%20"))
        if (status == 200 and secret and secret in body) or b"root:x:0" in body:
            raise Breach(f"{path} was served")
    with Visitor(target.address) as visitor, suppress(RuntimeError, OSError):
        visitor.take("drop", [[uploaded_file(path, "a.csv")], 1000.0, ""])
        if "/visits/" in path and "<svg" in visitor.shown["signal"]:
            raise Breach("a visitor was shown the file of another")


def impersonate(target: Target, rng: random.Random) -> None:
    """Use the leaked key of another visit: listen to it, take a step in it, cancel its step."""
    if not target.keys:
        return
    with Visitor(target.address) as visitor:
        victim = rng.choice(target.keys)
        join = {"data": ["zh"], "fn_index": visitor.step_number("language"), "session_hash": victim}
        cancel = {"session_hash": victim, "fn_index": 0, "event_id": "a"}
        for path, body in (
            (f"/gradio_api/queue/data?session_hash={victim}", None),
            (f"/gradio_api/queue/data?session_hash={visitor.key}&session_hash={victim}", None),
            (f"/gradio_api/heartbeat/{victim}", None),
            (JOIN, json.dumps(join).encode()),
            ("/gradio_api/cancel", json.dumps(cancel).encode()),
        ):
            with suppress(OSError), visitor.open(path, body, "application/json") as answer:
                if victim in target.keys:  # a visitor who has left has given up the key
                    raise Breach(f"{path.split('?')[0]} accepted the key of another visit: {answer.status}")


# Slow and broken connections


def dawdle(target: Target, rng: random.Random) -> None:
    """Hold connections open with half a header, half a body, or an upload that trickles."""
    part = _part("slow.csv")
    beginnings = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 50,),
        (_post(UPLOAD, FORM, "Content-Length: 100000"), part),
        (_post(UPLOAD, FORM, "Content-Length: 100000"), part, b"1\n", b"2\n"),
        (_post(JOIN, "Content-Length: 1000"), b"{"),
        (b"",),
    ]
    connections = [socket.create_connection(target.host, timeout=60) for _ in range(10)]
    try:
        for connection in connections:
            for piece in rng.choice(beginnings):
                with suppress(OSError):
                    connection.sendall(piece)
                    time.sleep(0.2)
        time.sleep(rng.uniform(0, target.patience_s))
    finally:
        for connection in connections:
            connection.close()


def hang_up(target: Target, rng: random.Random) -> None:
    """Close the connection in the middle of an upload, of a step, or of listening for its end."""
    with closing(socket.create_connection(target.host, timeout=30)) as connection:
        connection.sendall(_post(UPLOAD, FORM, "Content-Length: 10000000") + _part("half.csv") + MEGABYTE)
    with Visitor(target.address) as visitor:
        visitor.join_queue("drop", [visitor.upload(rng.choice(target.bombs)), 1000.0, ""])
        if rng.random() < 0.5:
            visitor.open(f"/gradio_api/queue/data?session_hash={visitor.key}").close()


ATTACKS: tuple[Attack, ...] = (
    drop_a_bomb, drop_a_bomb, declare_too_much, send_too_much, malform, confuse_the_queue, flood, escape,
    read_files_of_others, impersonate, dawdle, hang_up,
)  # fmt: skip
