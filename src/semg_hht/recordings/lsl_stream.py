"""Receive a stream of Lab Streaming Layer, with pylsl: find it by its name, read its description, rejoin it when lost.

It knows nothing of files or repetitions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError, missing_library
from semg_hht.recordings.channels import ChannelDescription, distinct_names, reasons_by_description
from semg_hht.recordings.formats.safe_xml import read_xml
from semg_hht.recordings.formats.xdf import MIN_GAP_S, RATE_TOLERANCE, StreamHeader, channel_texts
from semg_hht.recordings.recording import Array
from semg_hht.recordings.stream import Notice, StreamDescription
from semg_hht.recordings.units import one_unit, same_unit, unit_remarks, volts

PULL_S = 0.05  # a piece holds about as much of the signal
LOOK_S = 1.0  # one search for streams; a shorter one finds only some of them
OPEN_S = 5.0  # until a stream answers
SILENCE_S = 2.0  # without samples, after which it is said
# Stamps of a bundle that arrives late may jump ahead by some tenths of a second without any loss.
MAX_JUMP_S = max(0.5, MIN_GAP_S)
RATE_CHECK_S = 10.0  # of stamps, from which the rate is measured


@dataclass(frozen=True)
class StreamChoice:
    """Which stream to receive, and what it may not state itself.

    source_id : tells streams of the same name apart; empty: any.
    rate_hz, units : of a stream that does not state them.
    wait_s : how long to look for the stream.
    """

    name: str
    source_id: str = ""
    rate_hz: float | None = None
    units: str = ""
    wait_s: float = 5.0


class LslStream:
    """A stream of Lab Streaming Layer, found and opened.

    Raises
    ------
    InputError
        pylsl is not installed, no stream or several have the name, or the stream has no samples that can be used.
    """

    def __init__(self, choice: StreamChoice) -> None:
        self._choice = choice
        self._lsl = _pylsl()
        self._inlet, self.description, self._factors = self._open(self._found())

    def pieces(self) -> Iterator[Array | Notice]:
        """Samples (n_channels, n_samples) as they arrive, for ever; see `semg_hht.recordings.stream.SignalSource`."""
        n_channels, rate_hz = len(self.description.channel_names), self.description.rate_hz
        n_most, nothing = max(1, round(rate_hz)), np.empty((n_channels, 0))
        clock = _StampClock(rate_hz, is_stated=self._choice.rate_hz is None)
        arrived_s, is_silent = time.monotonic(), False
        while True:
            try:
                rows, stamps = self._inlet.pull_chunk(timeout=PULL_S, max_samples=n_most)
            except self._lsl.util.LostError:
                yield Notice(f"the stream {self._choice.name!r} is lost; looking for it again", interrupts=True)
                while not self._rejoined():
                    yield nothing
                yield Notice(f"the stream {self._choice.name!r} is back after {time.monotonic() - arrived_s:.1f} s")
                clock.restart()
                arrived_s, is_silent = time.monotonic(), False
                continue
            if not stamps:
                if time.monotonic() - arrived_s > SILENCE_S and not is_silent:
                    is_silent = True
                    yield Notice(f"no samples have arrived for {SILENCE_S:g} s; the stream is still there")
                yield nothing
                continue
            arrived_s, is_silent = time.monotonic(), False
            samples = np.asarray(rows, dtype=np.float64).T * self._factors  # (n, n_channels) -> (n_channels, n)
            start = 0
            for stop, missing_s in clock.breaks(np.asarray(stamps)):
                if stop > start:
                    yield samples[:, start:stop]
                yield Notice(f"{missing_s:.1f} s of the signal are missing", interrupts=True)
                start = stop
            yield samples[:, start:]
            yield from clock.remarks()

    def close(self) -> None:
        self._inlet.close_stream()

    def _rejoined(self) -> bool:
        """Whether the stream was found again, in one search."""
        try:
            found = self._matching(self._lsl.resolve_streams(LOOK_S))
            if len(found) != 1:
                return False
            inlet, description, factors = self._open(found[0])
        except (InputError, TimeoutError, RuntimeError):
            return False
        if (description.channel_names, description.rate_hz) != (
            self.description.channel_names,
            self.description.rate_hz,
        ):
            inlet.close_stream()
            return False
        self._inlet, self._factors = inlet, factors
        return True

    def _found(self) -> Any:
        """The only stream that matches, which may take `StreamChoice.wait_s` to appear."""
        end_s, everything = time.monotonic() + self._choice.wait_s, []
        while True:
            everything = self._lsl.resolve_streams(LOOK_S)
            found = self._matching(everything)
            if len(found) == 1:
                return found[0]
            if found:
                raise InputError(
                    f"{self._choice.name}: {len(found)} streams have this name; expected one, or source_id=... with "
                    f"the source of one: {'; '.join(map(_told, found))}"
                )
            if time.monotonic() >= end_s:
                break
        listed = "; ".join(map(_told, everything)) or "no stream at all"
        raise InputError(f"{self._choice.name}: expected a stream of this name; found {listed}")

    def _matching(self, streams: list[Any]) -> list[Any]:
        wanted = self._choice
        return [s for s in streams if s.name() == wanted.name and wanted.source_id in ("", s.source_id())]

    def _open(self, found: Any) -> tuple[Any, StreamDescription, Array]:
        """The opened inlet, the description, and the factor of each channel to the common unit, (n_channels, 1)."""
        name, n_channels = self._choice.name, found.channel_count()
        if found.channel_format() == self._lsl.cf_string:
            raise InputError(
                f"{name}: the stream holds texts; expected a stream of numbers, such as an EMG amplifier's"
            )
        inlet = self._lsl.StreamInlet(found, recover=False)
        try:
            inlet.open_stream(timeout=OPEN_S)
            header = StreamHeader(read_xml(Path(name), inlet.info(timeout=OPEN_S).as_xml().encode(), "its description"))
        except (TimeoutError, self._lsl.util.LostError):
            raise InputError(f"{name}: the stream is announced and does not answer; expected its samples") from None
        names, units, kinds = (channel_texts(header, key) for key in ("label", "unit", "type"))
        unit, factors = one_unit(units)
        given = self._choice.units
        if unit and given and not same_unit(unit, given):
            raise InputError(f"{name}: the stream states {unit}, but {given} was given; expected the same units")
        unit = unit or volts(given) or given.strip()
        all_names = distinct_names(names)
        described = [ChannelDescription(*stated) for stated in zip(all_names, units, kinds, strict=True)]
        reasons = reasons_by_description(described)
        non_emg = tuple(n for n, reason in zip(all_names, reasons, strict=True) if reason)
        if len(non_emg) == n_channels:
            raise InputError(f"{name}: expected at least one EMG channel; found {', '.join(all_names)}")
        remarks = list(unit_remarks(unit))
        if non_emg:
            remarks.append(f"channels that are not EMG are saved and not shown: {', '.join(non_emg)}")
        description = StreamDescription(name, self._rate_hz(found), all_names, unit, non_emg, tuple(remarks))
        return inlet, description, np.array(factors)[:, None]

    def _rate_hz(self, found: Any) -> float:
        own, given, name = float(found.nominal_srate()), self._choice.rate_hz, self._choice.name
        if not own and given is None:
            raise InputError(f"{name}: the stream states no rate; state it with rate_hz=...")
        if own and given is not None and abs(own - given) > RATE_TOLERANCE * given:
            raise InputError(
                f"{name}: the stream states {own:g} Hz, but {given:g} Hz was given; expected the same rate"
            )
        return own or float(given or 0)


class _StampClock:
    """Follows the time stamps of a stream: where samples are missing, and whether the rate is the stated one."""

    def __init__(self, rate_hz: float, *, is_stated: bool) -> None:
        self._rate_hz, self._is_stated = rate_hz, is_stated
        self._is_checked = False
        self.restart()

    def restart(self) -> None:
        self._first_s = self._last_s = float("nan")
        self._n = 0

    def breaks(self, stamps: NDArray[np.float64]) -> Iterator[tuple[int, float]]:
        """The index of each sample before which samples are missing, and the seconds that are."""
        steps_s = np.diff(stamps, prepend=self._last_s)
        for index in np.flatnonzero(steps_s > MAX_JUMP_S + 1 / self._rate_hz).tolist():
            yield index, float(steps_s[index])
            self._n, self._first_s = -index, float(stamps[index])
        if not self._n or np.isnan(self._first_s):
            self._first_s = float(stamps[0])
        self._n += stamps.size
        self._last_s = float(stamps[-1])

    def remarks(self) -> Iterator[Notice]:
        """A notice, once, where the stamps give another rate."""
        lasted_s = self._last_s - self._first_s
        if self._is_checked or lasted_s < RATE_CHECK_S:
            return
        self._is_checked = True
        measured_hz = (self._n - 1) / lasted_s
        if abs(measured_hz - self._rate_hz) > RATE_TOLERANCE * self._rate_hz:
            if self._is_stated:
                yield Notice(f"the stream states {self._rate_hz:g} Hz, but the time stamps give {measured_hz:.6g} Hz")
            else:
                yield Notice(f"rate_hz={self._rate_hz:g} is stated, but the time stamps give {measured_hz:.6g} Hz")
            yield Notice("samples are lost or the rate is wrong, and then times and answers are wrong too")


def _told(stream: Any) -> str:
    """A stream as the user finds it: its name, source, type, channels and rate."""
    source = f", source {stream.source_id()!r}" if stream.source_id() else ""
    rate = f"{stream.nominal_srate():g} Hz" if stream.nominal_srate() else "no rate"
    return f"{stream.name()!r}{source} ({stream.type() or 'no type'}, {stream.channel_count()} channels, {rate})"


def _pylsl() -> Any:
    """The module pylsl, whose import loads the library of Lab Streaming Layer."""
    try:
        import pylsl
        import pylsl.util
    except ImportError as error:
        raise missing_library("a stream", error, "live") from None
    except (OSError, RuntimeError) as error:  # it is installed, and the library liblsl is not or does not load
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"a stream can't be received: pylsl does not load the library liblsl ({reason}); see "
            "https://labstreaminglayer.readthedocs.io"
        ) from None
    return pylsl
