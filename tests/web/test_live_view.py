"""The Live view of a visit: what it is told, in its language; who may watch; nothing of it without a stream."""

from __future__ import annotations

import http.client
import importlib
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from page_builders import PageVisitor, free_port, page_of
from semg_hht import samples
from semg_hht.inference.answers import Answer, Part
from semg_hht.prediction.live import ChannelLevel, LiveOptions, LiveRepetition
from semg_hht.prediction.run import open_run
from semg_hht.recordings.recording import Recording, read_recording
from semg_hht.recordings.stream import ReplayedRecording
from semg_hht.web.address import PageAddress
from semg_hht.web.live_view import LIVE_CHANGES, LiveNews
from semg_hht.web.page_server import launch
from semg_hht.web.page_steps import Page
from semg_hht.web.shared_run import Desk, RunInfo
from semg_hht.web.visit import Visit
from semg_hht.web.visitors import Visitors
from semg_hht.web.watched_stream import ON, LiveRecording, LiveSource, WatchedStream

LEVELS = (ChannelLevel("biceps", 12.3456, 41.9), ChannelLevel("triceps", 3.0, 7.0))
SURE, UNSURE = (
    Answer("half", 0.91, {"full": 0.09, "half": 0.91}),
    Answer("full", 0.5, {"full": 0.5, "half": 0.5}, ("full", "half")),
)
LIVE_ATTACKS = (
    "stop_for_another", "start_together", "hold_many_streams", "read_nothing", "listen_after_leaving",
    "listen_as_another", "open_by_a_path", "send_long_bodies", "record_by_a_link", "fill_the_visit",
)  # fmt: skip
GENDER = Answer("F", 0.7, {"F": 0.7, "M": 0.3})


def repetition(number: int, answer: Answer | None, **others: Any) -> LiveRepetition:
    part = None if answer is None else Part("", 1.0, 2.0, {"gender": GENDER, "action_quality": answer})
    return LiveRepetition(number, 1, 1.0, 2.0, 1.0, LEVELS, part, **others)


@pytest.fixture
def curls() -> Recording:
    recording = read_recording(samples.recordings()["P30_supinated"])
    return replace(recording, samples=recording.samples[:, :18000], source="P30")


def stream_of(
    tmp_path: Path, recording: Recording | None = None, speed: float = float("inf"), **desk: Any
) -> WatchedStream:
    def opened() -> ReplayedRecording:
        assert recording is not None
        return ReplayedRecording(recording, speed)

    return WatchedStream(LiveSource("arm", opened, LiveOptions, tmp_path / "kept"), Desk(**desk), tmp_path / "live")


def test_without_a_stream_of_the_owner_nothing_of_it_is_there(visitor: PageVisitor) -> None:
    assert "watch" not in visitor.client.get("/").text
    for path in ("/api/live", "/static/live.js"):
        assert visitor.client.get(path).status_code == 404
    for step in LIVE_CHANGES:
        assert visitor.client.post(f"/api/{step}", json={}).status_code == 404


def test_each_address_needs_the_key_of_a_visit(visitors: Visitors, tmp_path: Path) -> None:
    page = page_of(visitors)
    page.stream = stream_of(tmp_path)
    visitor = PageVisitor(page)
    assert 'id="to-watch"' in visitor.client.get("/").text
    assert "is not here (any more)" in visitor.post("live_open", 400)["error"]
    del visitor.client.headers["X-Visit"]
    assert visitor.client.get(f"/api/live?visit={visitor.key}").status_code == 404
    for step in LIVE_CHANGES:
        assert visitor.client.post(f"/api/{step}", json={"visit": visitor.key}).status_code == 404
    assert page.stream.now.stage == "off"


def test_a_visit_is_told_what_is_new_in_its_language(tmp_path: Path, visit: Visit) -> None:
    stream = stream_of(tmp_path)
    news = LiveNews(stream, visit)
    first = news.next()
    assert first["begins"] and (first["stage"], first["n"], first["rows"]) == ("off", 0, []) and news.next() == {}
    classes = {"action_quality": ("full", "half"), "gender": ("F", "M")}
    now = stream.now = LiveRecording(visit.folder, ON, run=RunInfo("own", "mine", is_practice=True, classes=classes))
    now.levels = LEVELS
    message = news.next()
    assert message["begins"] and message["is_mine"] and message["run"] == {"kind": "own", "name": "mine"}
    assert "simulated people" in message["warning"]
    assert message["levels"][0] == {"name": "biceps", "rms": 12.35, "percent_mvc": 41.9}
    now.repetitions += [repetition(1, SURE), repetition(2, UNSURE), repetition(3, None, problem="clipped here")]
    now.notices.append("the stream 'arm' is lost; looking for it again")
    message = news.next()
    assert "begins" not in message and "levels" not in message and message["n"] == 3
    assert message["counts"] == "3 repetitions: 1 × half, 1 × unsure"
    sure, unsure, failed = message["rows"]
    assert [(one["text"], one["confidence"]) for one in sure["answers"]] == [("half", 0.91)]  # gender was not asked for
    assert (sure["tone"], unsure["tone"], failed["tone"]) == (1, None, None)
    assert unsure["answers"][0]["text"] == "unsure" and unsure["answers"][0]["unsure"]
    assert failed["problem"] == "clipped here" and failed["answers"] == []
    visit.language = "zh"
    message = news.next()
    assert message["begins"] and len(message["rows"]) == 3 and message["counts"] == "共 3 次动作：1 × 半程、1 × 不确定"
    assert message["notices"] == ["数据流 'arm' 已丢失；正在重新寻找"] and message["rows"][2]["problem"] == "在此处削波"
    visit.gender = True
    assert len(news.next()["rows"][0]["answers"]) == 2


def told(port: int, key: str) -> Iterator[dict[str, Any]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/api/live", headers={"X-Visit": key})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.getheader("content-type", "").startswith("text/event-stream")
        assert "default-src 'none'" in answer.getheader("content-security-policy", "")
        while line := answer.readline():
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


def until(condition: Any) -> None:
    end_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


@contextmanager
def served(visitors: Visitors, stream: WatchedStream) -> Iterator[tuple[Page, int]]:
    port = free_port()
    running = launch(stream.desk, visitors, PageAddress(port=port), stream=stream)
    try:
        yield running.page, port
    finally:
        running.close()


def test_visits_watch_the_same_recording_and_open_it_when_it_has_ended(
    visitors: Visitors, tmp_path: Path, curls: Recording
) -> None:
    stream = stream_of(tmp_path, curls, 10.0, open_shipped=lambda: open_run(samples.RUN))
    with served(visitors, stream) as (page, port):
        (ana, of_ana), (ben, of_ben) = visitors.create(), visitors.create()
        both = [told(port, ana), told(port, ben)]
        assert [next(one)["stage"] for one in both] == ["off", "off"]
        LIVE_CHANGES["live_start"].do(page, of_ana, {})
        rows: list[list[dict[str, Any]]] = [[], []]
        levels = [0, 0]
        for i, messages in enumerate(both):
            for message in messages:
                rows[i] += message.get("rows", [])
                levels[i] += "levels" in message
                if message.get("stage") == "off":
                    assert message["is_mine"] is (i == 0) and message["saved"][0]["duration_s"] == 9.0
                    break
        assert rows[0] == rows[1] and [one["answers"][0]["text"] for one in rows[0]] == ["supinated"] * 2
        assert min(levels) > 3
        LIVE_CHANGES["live_open"].do(page, of_ben, {})
        (file,) = of_ben.files.values()
        assert file.recorded is not None and file.recorded.duration_s == 9.0 and len(file.rows) == 2
        assert [path.name for path in (tmp_path / "kept").iterdir()] == [file.name]


def test_a_visit_watches_once_and_until_it_has_left(
    visitors: Visitors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semg_hht.web.live_view.ALIVE_S", 0.1)
    stream = stream_of(tmp_path)
    with served(visitors, stream) as (_, port):
        key, visit = visitors.create()
        first, second = told(port, key), told(port, key)
        next(first), next(second)
        assert list(first) == []  # it has ended: the second is in its place
        assert visit.folder in stream.watching
        second.close()  # type: ignore[attr-defined]  # the browser is closed
        until(lambda: visit.folder not in stream.watching)
        third = told(port, key)
        next(third)
        visitors.leave(key)
        assert list(third) == []


@pytest.mark.parametrize(
    "name",
    [*LIVE_ATTACKS[:-1], pytest.param(LIVE_ATTACKS[-1], marks=pytest.mark.slow)],  # the last reads 70 files
)
def test_no_attack_succeeds(
    name: str, visitors: Visitors, tmp_path: Path, curls: Recording, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    attacks, live_attacks = importlib.import_module("attacks"), importlib.import_module("live_attacks")
    assert sorted(attack.__name__ for attack in live_attacks.LIVE_ATTACKS) == sorted(LIVE_ATTACKS)
    monkeypatch.setattr("semg_hht.web.live_view.ALIVE_S", 0.2)
    hurried = SimpleNamespace(sleep=lambda wait_s: time.sleep(0.3 * wait_s), monotonic=time.monotonic)
    monkeypatch.setattr(live_attacks, "time", hurried)
    with served(visitors, stream_of(tmp_path, curls, 1.0)) as (page, port):
        target = attacks.Target(f"http://127.0.0.1:{port}", tmp_path, most=page.max_upload)
        with suppress(urllib.error.HTTPError, RuntimeError, http.client.HTTPException):  # refused
            getattr(live_attacks, name)(target, random.Random(0))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert answer.status == 200
