"""Hostile visitors of the web page, for app.py: the attacks, and what none of them may achieve.

An attack that is refused or cut off has failed, as it should; one that succeeds raises `Breach`.
"""

from __future__ import annotations

import http.client
import io
import json
import random
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit

from bombs import BOMBS, MARKER, MEGABYTE
from page_client import Visitor

from semg_hht.web.page_steps import CHANGES, READS

UPLOAD = "/api/file?name=a.csv"
NONSENSE: tuple[object, ...] = (
    None, True, -1, 0, 1e308, float("nan"), 10**30, "", "x" * 5000, "../../etc/passwd", [], {}, [[[]]], {"": None},
    "2026-99-99", "\x00",
)  # fmt: skip


class Breach(Exception):
    """An attack obtained or did what it must not."""


@dataclass
class Target:
    """A page, the bombs to upload to it, its limit, and what the attackers know of other visitors.

    most : bytes that the page accepts in one file.
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


def _post(key: str, *headers: str, path: str = UPLOAD) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: localhost", f"X-Visit: {key}", *headers, "", "")).encode()


# Hostile files and requests


def drop_a_bomb(target: Target, rng: random.Random) -> None:
    """Upload files that unpack to gigabytes, lie or carry code, and ask for an answer."""
    with Visitor(target.address) as visitor:
        chosen = rng.sample(target.bombs, min(len(target.bombs), rng.choice((1, 1, 1, 3))))
        visitor.drop(*chosen, rate_hz=1000.0)
        with suppress(OSError, RuntimeError):
            visitor.answers(gender=True)
        path = rng.choice(chosen)
        visitor.open("/api/file?name=x.semg.zip", path.read_bytes()).close()
    if target.marker.exists():
        raise Breach("reading a file ran code that it carries")


def send_too_much(target: Target, rng: random.Random) -> None:
    """An upload above the limit that declares its length, or declares none."""
    with Visitor(target.address) as visitor:
        for length in (target.most + 1, 10**15, -1):
            if b" 200 " in target.send(_post(visitor.key, f"Content-Length: {length}"), MEGABYTE)[:15]:
                raise Breach("an upload above the limit was accepted")
        chunk = b"100000\r\n" + MEGABYTE + b"\r\n"
        head = _post(visitor.key, "Transfer-Encoding: chunked")
        if b" 200 " in target.send(head, *[chunk] * (target.most // 2**20 + 2))[:15]:
            raise Breach("an upload that grew above the limit was accepted")


def confuse_the_steps(target: Target, rng: random.Random) -> None:
    """Send nonsense to every address, with a visit and without one."""
    texts = ["", "null", "[]", "[" * 50_000, "{}", '{"file": 1e999}', '{"file": "../../x"}', "\x00\xff", "9" * 10_000,
             '{"file": 1, "repetitions": [{"start_s": NaN}]}', '{"name": "../passwd"}', '{"file": [[[]]]}']  # fmt: skip
    with Visitor(target.address) as visitor:
        for step in rng.sample(sorted(CHANGES), 5):
            text = rng.choice(texts).encode("utf-8", "replace")
            for key in (visitor.key, "", "nobody"):
                with suppress(OSError, ValueError):
                    visitor.open(f"/api/{step}", text, key or "x").close()
        for read in READS:
            with suppress(OSError):
                visitor.open(f"/api/{read}?file={rng.choice(('1', '-1', 'x', '1e999', '../a'))}&from=nan").close()
        target.send(rng.randbytes(200) + b"\r\n\r\n", timeout_s=5.0)
        for host in ("evil.example.org", "localhost.evil.example.org"):
            if b" 200 " in target.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())[:15]:
                raise Breach("the page answered under the name of another site")


def flood(target: Target, rng: random.Random) -> None:
    """Many visits, and many requests of one at once."""
    visitors = [Visitor(target.address) for _ in range(rng.randint(1, 10))]
    for _ in range(30):
        with suppress(OSError):
            rng.choice(visitors).open("/api/sample", b"{}").close()
    for visitor in visitors:
        visitor.__exit__()


def forge_a_session(target: Target, rng: random.Random) -> None:
    """Open saved sessions that hold nonsense at random places of their description, and ask for all that is shown."""
    with Visitor(target.address) as visitor:
        visitor.step("sample")
        if rng.random() < 0.5:
            with suppress(OSError, RuntimeError):
                visitor.answers(gender=True)
        saved = visitor.open("/api/session").read()
        for _ in range(10):
            try:
                visitor.open("/api/file?name=x.semg.zip", _with_nonsense(saved, rng)).close()
            except HTTPError as error:
                if error.code == 500:
                    raise Breach("a forged session made the server fail") from None
            visitor.state = json.loads(visitor.open("/api/state").read())
            for file in visitor.state["files"][1:]:
                for read in READS:
                    with suppress(OSError):
                        visitor.open(f"/api/{read}?file={file['id']}").close()
                visitor.step("remove", file=file["id"])


def _with_nonsense(saved: bytes, rng: random.Random) -> bytes:
    """The session with one to three values of its description replaced or left out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as session, zipfile.ZipFile(made, "w") as to:
        for name in session.namelist():
            content = session.read(name)
            if name.endswith(".json"):
                described = json.loads(content)
                for _ in range(rng.randint(1, 3)):
                    holder, key = rng.choice(list(_places(described)))
                    if rng.random() < 0.2:
                        del holder[key]
                    else:
                        holder[key] = rng.choice(NONSENSE)
                    if not list(_places(described)):
                        break
                content = json.dumps(described).encode()
            to.writestr(name, content)
    return made.getvalue()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each place of a JSON value, as the object or list that holds it and its key or number there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


# Files and visits of others


def read_files_of_others(target: Target, rng: random.Random) -> None:
    """Ask for files of the system and of other visits by their paths, in requests and in the names of uploads."""
    path = rng.choice([*target.paths[-20:], "/etc/passwd", "/proc/self/environ"])
    secret = Path(path).read_bytes()[:40] if Path(path).is_file() else b""
    name = quote(path, safe="")
    with Visitor(target.address) as visitor:
        table = f"file,start_s,stop_s\n{path},0,1\n".encode()
        visitor.open("/api/file?name=reps.csv", table).close()
        for route in (path, f"/static/{path}", f"/static/..{path}", f"/static/{name}", f"/static/%2e%2e/{name}",
                      f"/static//{path}", f"/api/picture?file={name}", f"/api/signal?file={name}", f"/file={path}",
                      "/proc/self/root" + path):  # fmt: skip
            status, body = target.get(route.replace(" ", "%20"))
            with suppress(OSError):
                body += visitor.open(route.replace(" ", "%20")).read(2000)
            if (status == 200 and secret and secret in body) or b"root:x:0" in body:
                raise Breach(f"{path} was served")
        for stolen in (path, f"../../{path}", f"..\\..\\{Path(path).name}"):
            with suppress(OSError):
                visitor.open(f"/api/file?name={quote(stolen, safe='')}", b"time_s,a\n0,1\n").close()
        if secret and Path(path).is_file() and Path(path).read_bytes()[:40] != secret:
            raise Breach(f"{path} was overwritten")
        if secret and len(secret) > 8 and secret in visitor.open("/api/session").read():
            raise Breach("a visitor was sent the file of another")


def impersonate(target: Target, rng: random.Random) -> None:
    """Use keys that are almost those of others, and whole keys in all places but the header."""
    if not target.keys:
        return
    victim = rng.choice(target.keys)
    with Visitor(target.address) as visitor:
        for read in READS:
            for path in (f"/api/{read}?file=1&visit={victim}", f"/api/{read}?X-Visit={victim}&file=1"):
                with suppress(OSError), visitor.open(path) as answer:
                    if b'"id":1' in answer.read():
                        raise Breach(f"{path.split('?')[0]} accepted the key of another visit outside the header")
        for key in (victim[:-1], victim.swapcase(), victim + "x", f"{victim}, {visitor.key}"):
            with suppress(OSError), visitor.open("/api/state", None, key) as answer:
                raise Breach(f"a wrong key was accepted: {answer.status}")


# Slow and broken connections


def dawdle(target: Target, rng: random.Random) -> None:
    """Hold connections open with nothing, half a header, half a body, or an upload that trickles."""
    with Visitor(target.address) as visitor:
        head = _post(visitor.key, "Content-Length: 100000")
        beginnings: list[tuple[bytes, ...]] = [
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 50,), (head,), (head, b"1\n", b"2\n"), (b"",),
            (_post(visitor.key, "Content-Length: 1000", path="/api/answer"), b"{"),
        ]  # fmt: skip
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
    """Close the connection in the middle of an upload, leave in the middle of an answer, and come back with the key."""
    with Visitor(target.address) as visitor:
        with closing(socket.create_connection(target.host, timeout=30)) as connection:
            connection.sendall(_post(visitor.key, "Content-Length: 10000000") + MEGABYTE)
        visitor.step("sample")
        for step in ("run", "answer"):
            with suppress(OSError):
                visitor.step(step, take="own")


ATTACKS: tuple[Attack, ...] = (
    drop_a_bomb, drop_a_bomb, send_too_much, confuse_the_steps, forge_a_session, flood, read_files_of_others,
    impersonate, dawdle, hang_up,
)  # fmt: skip
