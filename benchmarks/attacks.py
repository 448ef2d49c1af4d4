"""Visitors of the web page who mean no good, for benchmarks/app.py: attacks, and what must never come of them.

An attack that is refused, cut off or hung up on has come to nothing; one that gets what it must not raises `Breach`.
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

from app import Visitor
from bombs import BOMBS, MARKER, MEGABYTE

EDGE = "x" * 20


class Breach(Exception):
    """Something was given, or done, that must not be."""


@dataclass
class Target:
    """A page, the bombs to drop on it, how much it takes at once, and what is known of others on it.

    keys : of visitors who are there; paths : where their uploads and folders lie. Both as if they had leaked.
    """

    address: str
    folder: Path
    most: int
    keys: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    patience_s: float = 45.0  # that a line is held open for nothing

    def __post_init__(self) -> None:
        self.marker = self.folder / MARKER
        self.bombs: list[Path] = []

    def arm(self, *makers: Callable[[Path], Path]) -> Target:
        """Make bombs: these, or all."""
        self.bombs = [make(self.folder) for make in makers or BOMBS]
        return self

    @property
    def host(self) -> tuple[str, int]:
        parts = urlsplit(self.address)
        return str(parts.hostname), int(parts.port or 80)

    def say(self, *pieces: bytes, pause_s: float = 0.0, timeout_s: float = 90.0) -> bytes:
        """Pieces of a request over a line of its own, and the first bytes of what comes back."""
        with closing(socket.create_connection(self.host, timeout=timeout_s)) as line:
            with suppress(OSError):  # hung up on while it still speaks; an answer may have come
                for piece in pieces:
                    line.sendall(piece)
                    time.sleep(pause_s)
            with suppress(OSError):
                return line.recv(4096)
        return b""

    def ask(self, path: str, **headers: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(*self.host, timeout=30)) as line:
            line.request("GET", path, headers=headers)
            answer = line.getresponse()
            return answer.status, answer.read(2000)


# What is dropped


def drop_a_bomb(target: Target, rng: random.Random) -> None:
    with Visitor(target.address) as visitor:
        visitor.drop(*rng.sample(target.bombs, min(len(target.bombs), rng.choice((1, 1, 1, 3)))), rate_hz=1000.0)
        visitor.take("answer", [True])
    if target.marker.exists():
        raise Breach("a file was read, and code of its maker ran")


# What is sent


def _post(path: str, *headers: str) -> bytes:
    cookie = f"Cookie: semg_hht_visitor={'a' * 32}"  # as of somebody who has opened the page: else nothing gets in
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: localhost", cookie, *headers, "", "")).encode()


def _part(name: str) -> bytes:
    return f'--{EDGE}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()


FORM = f"Content-Type: multipart/form-data; boundary={EDGE}"
UPLOAD = "/gradio_api/upload"


def say_too_much(target: Target, rng: random.Random) -> None:
    """An upload that says it is too long."""
    for length in (target.most + 1, 10**15):
        answer = target.say(_post(UPLOAD, FORM, f"Content-Length: {length}"), _part("a.csv"), MEGABYTE)
        if b" 200 " in answer[:15]:
            raise Breach("an upload that was too long was taken")


def grow(target: Target, rng: random.Random) -> None:
    """An upload that does not say how long it is, and is too long."""
    chunk = b"100000\r\n" + MEGABYTE + b"\r\n"
    first = _part("endless.csv")
    n = target.most // 2**20 + 2
    answer = target.say(
        _post(UPLOAD, FORM, "Transfer-Encoding: chunked"), b"%x\r\n" % len(first) + first + b"\r\n", *[chunk] * n
    )  # fmt: skip
    if b" 200 " in answer[:15]:
        raise Breach("an upload that grew too long was taken")


def malform(target: Target, rng: random.Random) -> None:
    bodies = [
        b"no parts at all", f"--{EDGE}".encode(), _part("a.csv"), _part("a" * 100_000),
        f"--{EDGE}\r\nA: ".encode() + b"b" * 2**20, f"--{EDGE}\r\n".encode() + b"A: b\r\n" * 10_000,
        b"".join(_part(f"{i}.csv") + b"1\r\n" for i in range(1200)) + f"--{EDGE}--\r\n".encode(), rng.randbytes(5000),
    ]  # fmt: skip
    body = rng.choice(bodies)
    head = rng.choice((FORM, "Content-Type: multipart/form-data", "Content-Type: text/plain", "X: y"))
    target.say(_post(UPLOAD, head, f"Content-Length: {len(body)}"), body)
    target.say(rng.randbytes(200) + b"\r\n\r\n", timeout_s=5.0)


def talk_nonsense(target: Target, rng: random.Random) -> None:
    """To the queue, with a line of one's own and without."""
    wild = [
        "", "null", "[]", "[" * 50_000, "{}", '{"session_hash": 1}', '{"session_hash": null, "fn_index": 1e999}',
        '{"data": [], "fn_index": 0, "session_hash": "nobody"}', "\x00\xff", "9" * 10_000,
    ]  # fmt: skip
    for text in wild:
        body = text.encode("latin-1")
        target.say(_post("/gradio_api/queue/join", f"Content-Length: {len(body)}"), body)
    with Visitor(target.address) as visitor:
        for _ in range(10):
            data = rng.choice(([], [None] * 50, ["a" * 10_000], [[[[[]]]]], [{"path": "/etc/passwd"}], [10**400]))
            said = {"data": data, "fn_index": rng.choice((-1, 0, 3, 5, 99, 10**9, "a", None)),
                    "session_hash": visitor.key, "event_data": rng.choice((None, {}, {"index": "a"}, []))}  # fmt: skip
            with suppress(OSError):
                visitor._open("/gradio_api/queue/join", json.dumps(said).encode(), "application/json").read()


def flood(target: Target, rng: random.Random) -> None:
    """Ask for more steps than anybody waits for, and listen to none."""
    with Visitor(target.address) as visitor:
        known = visitor._steps["answer"]
        body = {"data": [True], "fn_index": known["id"], "session_hash": visitor.key, "event_data": None}
        taken = 0
        for _ in range(40):
            with suppress(OSError):
                visitor._open("/gradio_api/queue/join", json.dumps(body).encode(), "application/json").read()
                taken += 1
        if taken > 20:
            raise Breach("one visitor filled the queue")


# What is not theirs


def escape(target: Target, rng: random.Random) -> None:
    """Names that lead elsewhere."""
    names = (
        "../../escaped.csv",
        "..\\..\\escaped.csv",
        "/tmp/escaped.csv",
        "%2e%2e%2fescaped.csv",
        ".",
        "..",
        "a\x00b",
    )
    for name in rng.sample(names, 3):
        body = _part(name) + b"1,2\r\n" * 100 + f"--{EDGE}--\r\n".encode()
        target.say(_post(UPLOAD, FORM, f"Content-Length: {len(body)}"), body)
    if any(Path(place).exists() for place in ("/tmp/escaped.csv", target.folder / "escaped.csv")):
        raise Breach("an upload was written elsewhere")


DOORS = (
    "/gradio_api/file={}", "/file={}", "/gradio_api/file/{}", "/gradio_api/proxy={}", "/static/{}", "/assets/{}",
    "/svelte/{}", "/gradio_api/stream/{}/1", "/gradio_api/deep_link?session_hash={}", "/?deep_link={}",
    "/custom_component/{}", "/gradio_api/upload_progress?upload_id={}", "/theme.css/{}", "/gradio_api/call/{}",
)  # fmt: skip


def mutations(path: str, rng: random.Random) -> Iterator[str]:
    """Ways to say a path, and its neighbours."""
    parts = path.strip("/").split("/")
    yield path
    yield path.replace("/", "//")
    yield "../" * 12 + path.lstrip("/")
    yield "..%2f" * 12 + quote(path.lstrip("/"), safe="")
    yield quote(path, safe="")
    yield quote(quote(path, safe=""), safe="")
    yield "file://" + path
    yield "/".join(["", *parts[:-1], ".", parts[-1]])
    yield "/".join(["", *parts[:-1], "x", "..", parts[-1]])
    yield "/".join(["", *parts[:-1]])
    yield path.swapcase()
    yield path + "%00.css"
    yield "/proc/self/root" + path


def reach(target: Target, rng: random.Random) -> None:
    """For what is others', by paths as they were seen, and by keys that leaked."""
    paths = [*target.paths[-20:], "/etc/passwd", "/proc/self/environ"]
    path = rng.choice(paths)
    secret = Path(path).read_bytes()[:200] if Path(path).is_file() else b""
    for way in mutations(path, rng):
        status, said = target.ask(rng.choice(DOORS).format(way).replace(" ", "%20"))
        if (status == 200 and secret and secret[:40] in said) or b"root:x:0" in said:
            raise Breach(f"{path} was served")
    with Visitor(target.address) as visitor:
        file = {"path": path, "orig_name": "a.csv", "meta": {"_type": "gradio.FileData"}}
        with suppress(RuntimeError, OSError):
            visitor.take("drop", [[file], 1000.0, ""])
            if "/visits/" in path and "<svg" in visitor.shown["signal"]:
                raise Breach("a visitor was shown the file of another")


def impersonate(target: Target, rng: random.Random) -> None:
    """Listen in, speak and hang up as somebody whose key is known."""
    if not target.keys:
        return
    with Visitor(target.address) as visitor:
        victim = rng.choice(target.keys)
        body = {"data": ["zh"], "fn_index": visitor._steps["language"]["id"], "session_hash": victim}
        for path, said in (
            (f"/gradio_api/queue/data?session_hash={victim}", None),
            (f"/gradio_api/queue/data?session_hash={visitor.key}&session_hash={victim}", None),
            (f"/gradio_api/heartbeat/{victim}", None),
            ("/gradio_api/queue/join", json.dumps(body).encode()),
            ("/gradio_api/cancel", json.dumps({"session_hash": victim, "fn_index": 0, "event_id": "a"}).encode()),
        ):
            with suppress(OSError), visitor._open(path, said, "application/json") as answer:
                if victim in target.keys:  # who has left in between has given up the key
                    raise Breach(f"{path.split('?')[0]} spoke of another's visit: {answer.status}")


# How it is said


def dawdle(target: Target, rng: random.Random) -> None:
    """Hold lines open: with half a head, half a body, or an upload that trickles."""
    body = _part("slow.csv")
    lines = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 50,),
        (_post(UPLOAD, FORM, "Content-Length: 100000"), body),
        (_post(UPLOAD, FORM, "Content-Length: 100000"), body, b"1\n", b"2\n"),
        (_post("/gradio_api/queue/join", "Content-Length: 1000"), b"{"),
        (b"",),
    ]
    held = [socket.create_connection(target.host, timeout=60) for _ in range(10)]
    try:
        for line in held:
            for piece in rng.choice(lines):
                with suppress(OSError):
                    line.sendall(piece)
                    time.sleep(0.2)
        time.sleep(rng.uniform(0, target.patience_s))
    finally:
        for line in held:
            line.close()


def hang_up(target: Target, rng: random.Random) -> None:
    """In the middle: of an upload, of a look at a file, of an answer, of listening."""
    with closing(socket.create_connection(target.host, timeout=30)) as line:
        line.sendall(_post(UPLOAD, FORM, "Content-Length: 10000000") + _part("half.csv") + MEGABYTE)
    visitor = Visitor(target.address)
    with visitor:
        files = visitor.upload(rng.choice(target.bombs))
        known = visitor._steps["drop"]
        body = {"data": [files, 1000.0, ""], "fn_index": known["id"], "session_hash": visitor.key, "event_data": None}
        visitor._open("/gradio_api/queue/join", json.dumps(body).encode(), "application/json").read()
        if rng.random() < 0.5:
            visitor._open(f"/gradio_api/queue/data?session_hash={visitor.key}").close()


ATTACKS: tuple[Callable[[Target, random.Random], None], ...] = (
    drop_a_bomb, drop_a_bomb, say_too_much, grow, malform, talk_nonsense, flood, escape, reach, impersonate, dawdle,
    hang_up,
)  # fmt: skip
