"""Recordings of a stream: one at a time, answered, saved whole, and stopped by the visit that may."""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lsl_outlets import NAMES, lsl, streamed
from semg_hht import samples
from semg_hht.errors import InputError
from semg_hht.prediction.live import LiveOptions
from semg_hht.prediction.run import open_run
from semg_hht.recordings.lsl_stream import LslStream, StreamChoice
from semg_hht.recordings.recording import Recording, read_recording
from semg_hht.recordings.stream import Notice, ReplayedRecording, StreamDescription
from semg_hht.web import uploads
from semg_hht.web.repetition_table import Refused
from semg_hht.web.shared_run import Desk
from semg_hht.web.visit import Visit
from semg_hht.web.watched_stream import LiveSource, WatchedStream
from signal_builders import bursts

__all__ = ["lsl"]  # a fixture
SIGNAL = 20 * bursts((2, 3, 8.0), (4.5, 5.5, 8.0), duration_s=7.0, n_channels=2)
ARM = Recording(SIGNAL, 1000.0, NAMES, "uV", "arm")


class Endless:
    """A stream that sends its pieces, then waits."""

    def __init__(self, *pieces: Any) -> None:
        self.description = StreamDescription("arm", 1000.0, NAMES, "uV", remarks=("sent by a test",))
        self._pieces = pieces

    def pieces(self) -> Iterator[Any]:
        yield from self._pieces
        while True:
            time.sleep(0.01)
            yield np.empty((2, 0))


def watched(
    tmp_path: Path, source: Any = None, *, is_kept: bool = True, opened: Callable[[], Any] | None = None, **desk: Any
) -> WatchedStream:
    made = LiveSource("arm", opened or (lambda: source), LiveOptions, tmp_path / "kept" if is_kept else None)
    return WatchedStream(made, Desk(**desk), tmp_path / "while")


def ended(stream: WatchedStream, condition: Callable[[], Any] = lambda: False) -> bool:
    """Wait until a recording has ended; True if the condition is met before."""
    end_s = time.monotonic() + 60
    while not (met := condition()) and stream.now.stage != "off":
        assert time.monotonic() < end_s
        time.sleep(0.01)
    return bool(met)


def test_a_played_recording_is_answered_by_the_run_of_the_package_and_saved_whole(tmp_path: Path, visit: Visit) -> None:
    curls = read_recording(samples.recordings()["P30_supinated"])
    curls = replace(curls, samples=curls.samples[:, :18000])
    stream = watched(
        tmp_path, ReplayedRecording(curls, float("inf")), is_kept=False, open_shipped=lambda: open_run(samples.RUN)
    )
    for n_started in (1, 2):  # the second in the place of the first
        stream.start(visit, None)
        ended(stream)
        now = stream.now
        assert now.problem is None and visit.run == "shipped" and now.run.kind == "shipped", n_started
        assert [one.answers["action_quality"].prediction for one in now.repetitions] == ["supinated"] * 2
        (part,) = now.saved
        assert [part.path] == list((tmp_path / "while").iterdir())
        assert_array_equal(read_recording(part.path).samples, curls.samples)


def test_a_stream_is_recorded_until_it_is_stopped(lsl: Any, tmp_path: Path, visit: Visit) -> None:
    stream = watched(
        tmp_path, opened=lambda: LslStream(StreamChoice("bench")), open_shipped=lambda: open_run(samples.RUN)
    )
    with streamed(lsl, SIGNAL, "bench", speed=20):
        stream.start(visit, None)
        assert ended(stream, lambda: len(stream.now.repetitions) == 2)
        with pytest.raises(Refused, match="app_live_on"):
            stream.start(visit, None)
        stream.stop(visit)
        ended(stream)
    assert visit.run == stream.now.run.kind == "" and not stream.now.repetitions[0].answers  # other channels
    assert [level.name for level in stream.now.levels] == list(NAMES)
    (part,) = stream.now.saved
    assert part.path.parent == tmp_path / "kept" and part.path.name.startswith("bench_20")
    found = read_recording(part.path).samples
    assert found.shape[1] > 6000
    assert_array_equal(found, SIGNAL.astype(np.float32)[:, : found.shape[1]])


def test_what_comes_after_an_interruption_is_saved_apart_and_said(tmp_path: Path, visit: Visit) -> None:
    pieces = np.split(SIGNAL, 70, axis=1)
    stream = watched(tmp_path, Endless(*pieces, Notice("the stream 'arm' is lost", True), *pieces[:60]))
    stream.start(visit, None)
    assert ended(stream, lambda: stream.now.levels and stream.now.session and stream.now.session.lasted_s == 13)
    stream.close()  # as when the page ends
    assert stream.now.notices == ["sent by a test", "the stream 'arm' is lost"]
    assert [round(part.duration_s, 3) for part in stream.now.saved] == [7.0, 6.0]
    assert [one.stretch for one in stream.now.repetitions] == [1, 1, 2, 2]


def test_only_the_visit_that_started_stops_while_it_watches(tmp_path: Path, visit: Visit) -> None:
    (tmp_path / "other").mkdir()
    other, stream = Visit(tmp_path / "other"), watched(tmp_path, Endless())
    stream.start(visit, None)
    stream.watching[visit.folder] = object()
    assert stream.may_stop(visit) and not stream.may_stop(other)
    with pytest.raises(Refused, match="app_live_of_another"):
        stream.stop(other)
    del stream.watching[visit.folder]
    stream.stop(other)
    ended(stream)
    assert stream.now.problem is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("arm: expected a stream of this name; found no stream at all"), "arm: expected a stream"),
        (OSError(28, "No space left on device", "/secret/arm"), "No space left on device"),
        (ValueError("/secret"), ""),
    ],
)
def test_what_fails_is_said_without_folders_and_it_can_be_started_again(
    tmp_path: Path, visit: Visit, error: Exception, said: str
) -> None:
    def fail() -> Any:
        raise error

    stream = watched(tmp_path, opened=fail)
    for _ in range(2):
        stream.start(visit, None)
        ended(stream)
        problem = stream.now.problem
        assert problem is not None and "/secret" not in str(problem)
        assert str(problem.values.get("said", "")).startswith(said)


def test_a_recording_ends_before_the_disk_is_full(
    tmp_path: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(uploads.shutil, "disk_usage", lambda _: usage(10**12, 10**12, uploads.RESERVED_BYTES + 50_000))
    stream = watched(tmp_path, Endless(*np.split(SIGNAL, 70, axis=1)))
    stream.start(visit, None)
    ended(stream)
    assert stream.now.problem is not None and stream.now.problem.name == "app_disk_full"
    assert [round(part.duration_s, 3) for part in stream.now.saved] == [5.1]
