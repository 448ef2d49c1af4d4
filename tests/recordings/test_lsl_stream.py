"""recordings/lsl_stream.py: streams of Lab Streaming Layer, from real outlets on the loopback interface."""

from __future__ import annotations

import builtins
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lsl_outlets import NAMES, RATE_HZ, lsl, outlet, streamed
from semg_hht.errors import InputError
from semg_hht.recordings import lsl_stream
from semg_hht.recordings.lsl_stream import LslStream, StreamChoice
from semg_hht.recordings.stream import Notice

__all__ = ["lsl"]  # a fixture
SAMPLES = np.random.default_rng(0).standard_normal((2, 600)).astype(np.float32)
PATIENCE_S = 60.0


def received(stream: LslStream, n: int) -> tuple[np.ndarray, list[Notice]]:
    """The first ``n`` samples and the notices among them."""
    pieces, notices, end_s = [np.empty((2, 0))], list[Notice](), time.monotonic() + PATIENCE_S
    for piece in stream.pieces():
        if isinstance(piece, Notice):
            notices.append(piece)
        else:
            pieces.append(piece)
        if sum(part.shape[1] for part in pieces) >= n:
            return np.concatenate(pieces, axis=1), notices
        assert time.monotonic() < end_s, f"{notices}"
    raise AssertionError


def until(stream: Iterator[Any], words: str) -> Notice:
    """The next notice that has these words."""
    end_s = time.monotonic() + PATIENCE_S
    for piece in stream:
        if isinstance(piece, Notice) and words in piece.text:
            return piece
        assert time.monotonic() < end_s, f"no notice with {words!r}"
    raise AssertionError


def test_samples_and_description_come_from_the_stream(lsl: Any) -> None:
    with streamed(lsl, SAMPLES, "arm"):
        stream = LslStream(StreamChoice("arm"))
        samples, notices = received(stream, 600)
    assert_allclose(samples, SAMPLES)
    assert notices == []
    described = stream.description
    assert (described.name, described.rate_hz, described.units) == ("arm", RATE_HZ, "uV")
    assert (described.channel_names, described.non_emg, described.remarks) == (NAMES, (), ())
    stream.close()


def test_channels_of_another_unit_are_no_emg_and_volts_of_several_sizes_become_one(lsl: Any) -> None:
    info = lsl.StreamInfo("mixed", "EMG", 3, RATE_HZ, "double64", "")
    channels = info.desc().append_child("channels")
    for label, unit in (("biceps", "millivolts"), ("triceps", "uV"), ("elbow", "degrees")):
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
    own = lsl.StreamOutlet(info)
    stream = LslStream(StreamChoice("mixed"))
    own.push_chunk(np.ones((100, 3)).tolist())
    samples = next(piece for piece in stream.pieces() if not isinstance(piece, Notice) and piece.shape[1])
    assert_allclose(samples[:, 0], [1000, 1, 1])
    assert stream.description.non_emg == ("elbow",)
    assert stream.description.remarks == ("channels that are not EMG are saved and not shown: elbow",)


def test_a_stream_that_can_not_be_used_is_refused(lsl: Any) -> None:
    kept = [
        outlet(lsl, "texts", form="string"),
        outlet(lsl, "markers", rate_hz=0.0),
        outlet(lsl, "angles", names=("knee angle", "hip angle"), unit="degrees"),
        outlet(lsl, "plain"),
    ]
    for choice, reason in (
        (StreamChoice("texts"), "texts: the stream holds texts; expected a stream of numbers"),
        (StreamChoice("markers"), "markers: the stream states no rate; state it with rate_hz=..."),
        (StreamChoice("angles"), "angles: expected at least one EMG channel; found knee angle, hip angle"),
        (StreamChoice("plain", rate_hz=500.0), "states 1000 Hz, but 500 Hz was given; expected the same rate"),
        (StreamChoice("plain", units="mV"), "states uV, but mV was given; expected the same units"),
    ):
        with pytest.raises(InputError, match=reason):
            LslStream(choice)
    assert LslStream(StreamChoice("markers", rate_hz=RATE_HZ)).description.rate_hz == RATE_HZ
    del kept


def test_a_name_that_no_stream_or_several_have_is_told_with_what_there_is(lsl: Any) -> None:
    kept = [outlet(lsl, "arm2", source_id="left"), outlet(lsl, "arm2", source_id="right", names=("one", "two"))]
    with pytest.raises(
        InputError, match=r"leg: expected a stream of this name; found .*'arm2', source 'left' \(EMG, 2"
    ):
        LslStream(StreamChoice("leg", wait_s=0.0))
    with pytest.raises(InputError, match="arm2: 2 streams have this name; expected one, or source_id="):
        LslStream(StreamChoice("arm2"))
    assert LslStream(StreamChoice("arm2", "right")).description.channel_names == ("one", "two")
    del kept


def test_a_lost_stream_is_said_and_rejoined(lsl: Any) -> None:
    own = outlet(lsl, "lost", source_id="device")
    stream = LslStream(StreamChoice("lost"))
    own.push_chunk(SAMPLES[:, :100].T.tolist())
    pieces = stream.pieces()
    next(pieces)
    del own
    assert until(pieces, "the stream 'lost' is lost; looking for it again").interrupts
    other = outlet(lsl, "lost", source_id="device", names=("other", "channels"))  # not the same stream
    assert all(not isinstance(next(pieces), Notice) for _ in range(2))
    del other
    own = outlet(lsl, "lost", source_id="device")
    assert not until(pieces, "the stream 'lost' is back after").interrupts
    own.push_chunk(SAMPLES[:, 100:300].T.tolist())
    while not isinstance(piece := next(pieces), np.ndarray) or not piece.shape[1]:
        pass
    assert_allclose(piece[:, :1], SAMPLES[:, 100:101])


def test_missing_samples_silence_and_a_wrong_rate_are_said(lsl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lsl_stream, "SILENCE_S", 0.5)
    own = outlet(lsl, "gaps")
    stream = LslStream(StreamChoice("gaps"))
    pieces = stream.pieces()
    first = lsl.local_clock()
    stamps = first + np.arange(600) / RATE_HZ + np.where(np.arange(600) < 250, 0, 3.0)
    own.push_chunk(SAMPLES.T.tolist(), stamps.tolist())
    parts = [0, 0]
    while sum(parts) < 600:
        piece = next(pieces)
        if isinstance(piece, Notice):
            assert piece == Notice("3.0 s of the signal are missing", interrupts=True)
            assert parts == [250, 0]
        else:
            parts[parts[0] >= 250] += piece.shape[1]
    assert parts == [250, 350]
    assert not until(pieces, "no samples have arrived for 0.5 s; the stream is still there").interrupts
    slower = stamps[-1] + np.arange(1, 12001) / 900
    own.push_chunk(np.zeros((12000, 2)).tolist(), slower.tolist())
    assert "the stream states 1000 Hz, but the time stamps give 9" in until(pieces, "time stamps").text


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with pytest.raises(InputError, match=r"a stream needs pylsl: pip install 'semg-hht\[live\]'"):
        LslStream(StreamChoice("arm"))
    monkeypatch.delitem(sys.modules, "pylsl")
    load = builtins.__import__

    def without_liblsl(name: str, *rest: Any, **named: Any) -> Any:
        if name == "pylsl":
            raise RuntimeError("LSL binary library file was not found.\nPlease make sure ...")
        return load(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_liblsl)
    with pytest.raises(InputError, match=r"pylsl does not load the library liblsl \(LSL binary library file was"):
        LslStream(StreamChoice("arm"))
