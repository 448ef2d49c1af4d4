"""A signal that arrives piece by piece: what is known of it, and a recording that is played at its own rate.

It knows nothing of repetitions. `recordings/lsl_stream.py` receives a stream of Lab Streaming Layer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.recording import Array, Recording

PIECE_S = 0.05  # of a replayed recording


@dataclass(frozen=True)
class StreamDescription:
    """What is known of a stream before its samples arrive.

    non_emg : names of channels that are not EMG by their description.
    remarks : what a person should know of the stream, a sentence each.
    """

    name: str
    rate_hz: float
    channel_names: tuple[str, ...]
    units: str = ""
    non_emg: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def recording(self, samples: Array) -> Recording:
        """Samples (n_channels, n_samples) of the stream as a recording."""
        return Recording(samples, self.rate_hz, self.channel_names, self.units, self.name, self.non_emg)


@dataclass(frozen=True)
class Notice:
    """Something that a person should know while the signal arrives.

    interrupts : samples are missing here, so that what comes next does not continue what came before.
    """

    text: str
    interrupts: bool = False


class SignalSource(Protocol):
    """Yields samples (n_channels, n_samples) as they arrive, and notices.

    While nothing arrives it yields empty pieces, several a second, so that the reader can stop.
    """

    @property
    def description(self) -> StreamDescription: ...

    def pieces(self) -> Iterator[Array | Notice]: ...


@dataclass(frozen=True)
class ReplayedRecording:
    """A recording that arrives at its own rate.

    speed : 1: at its own rate, 10: ten times as fast; infinite: without waiting.
    """

    recording: Recording
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise InputError(f"speed must be above 0; got {self.speed:g}")

    @property
    def description(self) -> StreamDescription:
        own = self.recording
        return StreamDescription(own.source, own.rate_hz, own.channel_names, own.units, own.non_emg, own.remarks)

    def pieces(self) -> Iterator[Array | Notice]:
        rate_hz, samples = self.recording.rate_hz, self.recording.samples
        n_piece = max(1, round(PIECE_S * rate_hz))
        begin_s = time.monotonic()
        for start in range(0, samples.shape[1], n_piece):
            piece = samples[:, start : start + n_piece]
            due_s = begin_s + (start + piece.shape[1]) / rate_hz / self.speed
            while (wait_s := due_s - time.monotonic()) > 0:
                time.sleep(min(wait_s, PIECE_S))
                if wait_s > PIECE_S:
                    yield np.empty((len(samples), 0))
            yield piece
