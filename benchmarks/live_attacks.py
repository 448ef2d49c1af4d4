"""Hostile visitors of the Live view of the web page, for app.py: the attacks, and what none of them may achieve.

As in attacks.py, an attack that is refused has failed, as it should; one that succeeds raises `Breach`.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

from attacks import Attack, Breach, Target
from bombs import MEGABYTE
from page_client import Visitor

STEPS = ("live_start", "live_stop", "live_open")
ENDS_WITHIN_S = 20.0  # an event stream whose visit has left, or watches by another request
LIVE_S = 10.0  # for an answer of the page while it is attacked


@dataclass
class Listener:
    """The events that one visit is sent."""

    answer: http.client.HTTPResponse

    def message(self, key: str = "stage") -> dict[str, Any]:
        """The next message that has this key; empty: the server has ended the events."""
        while line := self.answer.readline():
            if line.startswith(b"data: ") and key in (message := json.loads(line[6:])):
                return dict(message)
        return {}

    def ends(self) -> bool:
        """Whether the server ends the events in time."""
        end_s = time.monotonic() + ENDS_WITHIN_S
        while time.monotonic() < end_s:
            if not self.answer.readline():
                return True
        return False


@contextmanager
def listening(target: Target, key: str, timeout_s: float = 30.0) -> Iterator[Listener]:
    with closing(http.client.HTTPConnection(*target.host, timeout=timeout_s)) as connection:
        connection.request("GET", "/api/live", headers={"X-Visit": key})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"the events were refused: {answer.status}")
        yield Listener(answer)


def status(target: Target, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
    """How the page answers a request; 0: the server closed the connection."""
    with closing(http.client.HTTPConnection(*target.host, timeout=30)) as connection, suppress(OSError):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse().status
    return 0


def took(visitor: Visitor, step: str, **content: Any) -> bool:
    """Whether the page took a step."""
    try:
        visitor.state = json.loads(visitor.open(f"/api/{step}", json.dumps(content).encode()).read())
    except HTTPError:
        return False
    return True


def stop_for_another(target: Target, rng: random.Random) -> None:
    """Stop the recording that another visit has started and watches."""
    address = target.address
    with Visitor(address) as owner, Visitor(address) as stranger, listening(target, owner.key) as events:
        events.message()
        if not took(owner, "live_start"):
            return  # another attacker records
        if took(stranger, "live_stop", visit=owner.key, starter=owner.key):
            raise Breach("a stranger stopped the recording of another who watches it")
        took(owner, "live_stop")


def start_together(target: Target, rng: random.Random) -> None:
    """Start recordings from several visits at the same moment."""
    with ExitStack() as here:
        visitors = [here.enter_context(Visitor(target.address)) for _ in range(5)]
        with ThreadPoolExecutor(len(visitors)) as pool:
            started = list(pool.map(lambda visitor: took(visitor, "live_start"), visitors))
        owners = 0
        for visitor, is_started in zip(visitors, started, strict=True):
            if is_started:
                with listening(target, visitor.key) as events:
                    owners += bool(events.message().get("is_mine"))
                    took(visitor, "live_stop")
        if owners > 1:
            raise Breach("two recordings of one stream were started")


def hold_many_streams(target: Target, rng: random.Random) -> None:
    """Open many event streams for one visit: each ends when the next begins."""
    with Visitor(target.address) as visitor, ExitStack() as held:
        streams = [held.enter_context(listening(target, visitor.key)) for _ in range(20)]
        if not all(stream.ends() for stream in rng.sample(streams[:-1], 5)):
            raise Breach("a visit is sent its events more than once")


def read_nothing(target: Target, rng: random.Random) -> None:
    """Open event streams of several visits and take nothing from them; the page answers others meanwhile."""
    with ExitStack() as held:
        for _ in range(5):
            visitor = held.enter_context(Visitor(target.address))
            held.enter_context(listening(target, visitor.key))
            took(visitor, "live_start")
        time.sleep(rng.uniform(0, 3))
        begun_s = time.monotonic()
        if target.get("/")[0] == 200 and time.monotonic() - begun_s > LIVE_S:
            raise Breach("visitors who take no events hold up the page")


def listen_after_leaving(target: Target, rng: random.Random) -> None:
    """Leave, and go on listening."""
    with Visitor(target.address) as visitor, listening(target, visitor.key) as events:
        events.message()
        visitor.open("/api/leave", b"{}").close()
        if not events.ends():
            raise Breach("who has left is still sent events")


def listen_as_another(target: Target, rng: random.Random) -> None:
    """Ask for the events of another visit by its key in every place but the header, or by a key that is almost its."""
    with Visitor(target.address) as victim:
        key = rng.choice([victim.key, *target.keys])
        for path, headers in (
            ("/api/live", {}), (f"/api/live?visit={key}", {}), (f"/api/live?X-Visit={key}", {}),
            ("/api/live", {"Cookie": f"X-Visit={key}; visit={key}"}), ("/api/live", {"Authorization": key}),
            ("/api/live", {"X_Visit": key[:-1]}), ("/api/live", {"X_Visit": key.swapcase()}),
            ("/api/live", {"X_Visit": f"{key}, {key}"}), (f"/api/live/{key}", {}), ("/api//live", {"X_Visit": "x"}),
        ):  # fmt: skip
            if status(target, "GET", path, None, **headers) == 200:
                raise Breach(f"{path.split('?')[0]} told its events to somebody without the key")
        for step in STEPS:
            if status(target, "POST", f"/api/{step}?visit={key}", json.dumps({"visit": key}).encode()) == 200:
                raise Breach(f"{step} took the key of a visit outside the header")


def open_by_a_path(target: Target, rng: random.Random) -> None:
    """Ask the page to open other files in the place of the recording."""
    with Visitor(target.address) as visitor:
        for path in ("/etc/passwd", "../../../etc/passwd", "..\\..\\passwd", "/proc/self/environ", *target.paths[-3:]):
            for name in ("name", "file", "path", "saved", "source", "folder"):
                took(visitor, "live_open", **{name: path})
                took(visitor, "live_start", **{name: path, "out": path, "stream": path})
            took(visitor, "live_stop")
        told = json.dumps(visitor.state["files"]).encode()
        if visitor.state["files"]:
            told += visitor.open("/api/session").read()
        if b"root:x:0" in told or b"passwd" in told or b"environ" in told:
            raise Breach("the Live view opened a file by its path")


def send_long_bodies(target: Target, rng: random.Random) -> None:
    """Steps of the Live view with bodies of megabytes, that say their length or do not, and with nonsense."""
    chunks = b"100000\r\n" + MEGABYTE + b"\r\n"
    with Visitor(target.address) as visitor:
        for step in STEPS:
            head = f"POST /api/{step} HTTP/1.1\r\nHost: localhost\r\nX-Visit: {visitor.key}\r\n".encode()
            for pieces in ((b"Content-Length: 9000000\r\n\r\n", MEGABYTE), (b"Content-Length: -5\r\n\r\n", b"{}"),
                           (b"Transfer-Encoding: chunked\r\n\r\n", chunks, chunks, b"0\r\n\r\n")):  # fmt: skip
                if b" 200 " in target.send(head, *pieces)[:15]:
                    raise Breach(f"{step} took a body of megabytes")
            for nonsense in (b"[]", b"null", b"[" * 100_000, b"\xff", b"start"):
                if status(target, "POST", f"/api/{step}", nonsense, X_Visit=visitor.key) == 200:
                    raise Breach(f"{step} took nonsense")


def record_by_a_link(target: Target, rng: random.Random) -> None:
    """What the page of another site can make a browser do: follow a link, load a picture, send a form."""
    with Visitor(target.address) as visitor:
        for step in STEPS:
            for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
                if status(target, method, f"/api/{step}", X_Visit=visitor.key) in (200, 204):
                    raise Breach(f"{method} {step} was taken")
            form = b"take=1"
            kind = {"Content_Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example.org"}
            if status(target, "POST", f"/api/{step}", form, **kind) == 200:
                raise Breach(f"a form of another site was taken by {step}")
        if status(target, "GET", "/api/live", X_Visit=visitor.key, Host="evil.example.org") == 200:
            raise Breach("the events were told under the name of another site")


def fill_the_visit(target: Target, rng: random.Random) -> None:
    """Record, and open the recording again and again, until the visit has no space left."""
    with Visitor(target.address) as visitor:
        with listening(target, visitor.key) as events:
            events.message()
            if took(visitor, "live_start"):  # else another attacker records
                events.message("levels")
                took(visitor, "live_stop")
                while events.message().get("stage", "off") != "off":
                    pass
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: took(visitor, "live_open"), range(70)))
        visitor.state = json.loads(visitor.open("/api/state").read())
        if len(visitor.state["files"]) > 60:
            raise Breach("a visit has more files than it may have")


LIVE_ATTACKS: tuple[Attack, ...] = (
    stop_for_another, start_together, hold_many_streams, read_nothing, listen_after_leaving, listen_as_another,
    open_by_a_path, send_long_bodies, record_by_a_link, fill_the_visit,
)  # fmt: skip
