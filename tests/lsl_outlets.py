"""Outlets of Lab Streaming Layer on the loopback interface, for the tests of streams.

Each test process has a session of its own, so that tests that run side by side do not find each other's streams. On
the loopback interface an answer takes no time, so the library asks anew after 0.1 s instead of a second.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest

from semg_hht.recordings import lsl_stream

CONFIG = """
[lab]
KnownPeers = {{127.0.0.1}}
SessionID = semg_hht_tests_{process}
[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
ListenAddress = 127.0.0.1
[tuning]
MulticastMinRTT = 0.05
UnicastMinRTT = 0.05
ContinuousResolveInterval = 0.05
[log]
level = -3
"""
RATE_HZ = 1000.0
NAMES = ("biceps", "triceps")
LOOK_S = 0.4  # in which all streams are found several times


@cache
def _loaded() -> Any:
    try:
        import pylsl
    except (ImportError, OSError, RuntimeError) as error:
        return str(error)
    pylsl.set_config_content(CONFIG.format(process=os.getpid()))  # before the library does anything else
    return pylsl


@pytest.fixture
def lsl(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module pylsl; a test that needs it is skipped where it, or its library, can't be loaded."""
    module = _loaded()
    if isinstance(module, str):
        pytest.skip(f"no Lab Streaming Layer: {module.splitlines()[0]}")
    monkeypatch.setattr(lsl_stream, "LOOK_S", LOOK_S)
    return module


def outlet(
    lsl: Any,
    name: str,
    *,
    names: Sequence[str] = NAMES,
    unit: str = "microvolts",
    rate_hz: float = RATE_HZ,
    form: str = "float32",
    source_id: str = "",
) -> Any:
    """An outlet that describes its channels as amplifiers do."""
    info = lsl.StreamInfo(name, "EMG", len(names), rate_hz, form, source_id)
    channels = info.desc().append_child("channels")
    for label in names:
        channel = channels.append_child("channel")
        for key, value in (("label", label), ("unit", unit), ("type", "EMG")):
            channel.append_child_value(key, value)
    return lsl.StreamOutlet(info)


@contextmanager
def streamed(lsl: Any, samples: np.ndarray, name: str, *, speed: float = 1.0, **described: Any) -> Iterator[Any]:
    """An outlet that sends samples (n_channels, n_samples), with stamps at its rate, once somebody listens."""
    own = outlet(lsl, name, **described)
    rate_hz = described.get("rate_hz") or RATE_HZ
    stop = threading.Event()

    def send() -> None:
        while not (own.have_consumers() or stop.is_set()):
            time.sleep(0.01)
        begin_s, first, sent = time.monotonic(), lsl.local_clock(), 0
        while sent < samples.shape[1] and not stop.is_set():
            due = min(samples.shape[1], int((time.monotonic() - begin_s) * rate_hz * speed))
            if due > sent:
                rows = samples[:, sent:due].T.astype(np.float32).tolist()
                own.push_chunk(rows, (first + np.arange(sent, due) / rate_hz).tolist())
            sent = due
            time.sleep(0.02)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield own
    finally:
        stop.set()
        sender.join()
