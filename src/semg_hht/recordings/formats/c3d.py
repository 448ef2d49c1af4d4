"""Reader of C3D recordings of motion capture: the analog channels; markers are passed over."""

# ezc3d ends the process on some damaged files (a segmentation fault). The package c3d refuses files whose header and
# parameters differ slightly, and miscounts frames after frame 65535.

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording, Signal, decode_signals
from semg_hht.recordings.formats.edf import text_of_header

T = TypeVar("T")

# The C3D File Format: A Technical User Guide (https://www.c3d.org/docs/C3D_User_Guide.pdf).
BLOCK = 512  # bytes
KEY = 0x50
INTEL, DEC, MIPS = 84, 85, 86  # types of processors, which order bytes differently
LAST_OF_HEADER = 65535  # the header's last frame in a longer recording
RATE_TOLERANCE = 0.01
TEXT = -1  # type of a parameter
NUMBERS = {1: "i1", 2: "i2", 4: "f4"}


@dataclass(frozen=True)
class _Parameter:
    kind: int
    shape: tuple[int, ...]
    content: bytes

    def texts(self) -> list[str]:
        width = self.shape[0] if self.shape else 1
        cells = [self.content[i : i + width] for i in range(0, len(self.content), width or 1)]
        return [text_of_header(cell) for cell in cells]


class _Content:
    """Header and parameters of a file; numbers are in the byte order of its processor."""

    def __init__(self, path: Path, content: NDArray[np.uint8]) -> None:
        if len(content) < BLOCK or content[1] != KEY:
            raise InputError(f"{path}: can't be read as C3D; expected the byte {KEY:#x} at its second place")
        at = (int(content[0]) - 1) * BLOCK
        self.processor = int(content[at + 3])
        if self.processor not in (INTEL, DEC, MIPS):
            raise InputError(f"{path}: can't be read as C3D; the type of the processor is {self.processor}")
        self.order = ">" if self.processor == MIPS else "<"
        section = content[at + 4 : at + int(content[at + 2]) * BLOCK].tobytes()
        self.parameters = self._parameters(section)
        (self.n_points, self.n_analog, self.first, self.last, _, self.start, self.per_frame) = struct.unpack(
            f"{self.order}5H4x2H", content[2:20].tobytes()
        )
        self.scale, self.frame_hz = (self.floats(content[i : i + 4].tobytes())[0] for i in (12, 20))

    def _parameters(self, section: bytes) -> dict[str, _Parameter]:
        """``GROUP:NAME`` -> parameter. A group may be named after its parameters."""
        groups: dict[int, str] = {}
        found: list[tuple[int, str, _Parameter]] = []
        at = 0
        while at + 4 < len(section) and section[at] and section[at + 1]:
            length, group = struct.unpack_from("bb", section, at)
            name = text_of_header(section[at + 2 : at + 2 + abs(length)]).upper()
            at += 2 + abs(length)
            (offset,) = struct.unpack_from(f"{self.order}H", section, at)
            if group < 0:
                groups[-group] = name
            else:
                kind, n_dimensions = struct.unpack_from("bB", section, at + 2)
                begin = at + 4 + n_dimensions
                shape = tuple(section[at + 4 : begin])
                n_bytes = abs(kind) * int(np.prod(shape, dtype=object))
                found.append((group, name, _Parameter(kind, shape, section[begin : begin + n_bytes])))
            if not offset:
                break
            at += offset
        return {f"{groups.get(group, '')}:{name}": parameter for group, name, parameter in found}

    def floats(self, content: bytes) -> NDArray[np.float64]:
        if self.processor != DEC:
            return np.frombuffer(content, f"{self.order}f4").astype(np.float64)
        # The words are in the other order, and the exponent is larger by two.
        words = np.frombuffer(content, "<u2").reshape(-1, 2)[:, ::-1]  # (2 * n,) -> (n, 2)
        return np.frombuffer(words.tobytes(), "<f4").astype(np.float64) / 4

    def texts(self, name: str) -> list[str]:
        return [text for parameter in self._parts(name) if parameter.kind == TEXT for text in parameter.texts()]

    def numbers(self, name: str, *, signed: bool = True) -> list[float]:
        values: list[float] = []
        for parameter in self._parts(name):
            if parameter.kind == 4:
                values += self.floats(parameter.content).tolist()
            elif form := NUMBERS.get(parameter.kind):
                form = form if signed else form.replace("i", "u")
                values += np.frombuffer(parameter.content, self.order + form).astype(float).tolist()
        return values

    def number(self, name: str, default: float) -> float:
        return next(iter(self.numbers(name, signed=False)), default)

    def _parts(self, name: str) -> list[_Parameter]:
        """The parameter, and those that continue it beyond 255 channels: LABELS, LABELS2, LABELS3."""
        keys = [name, *(f"{name}{i}" for i in range(2, 10))]
        return [self.parameters[key] for key in keys if key in self.parameters]

    def n_frames(self, most: int) -> int:
        """The largest stated number of frames that the file can hold; 0 if it holds less than every stated number."""
        starts, ends = (self.numbers(f"TRIAL:ACTUAL_{which}_FIELD", signed=False)[:2] for which in ("START", "END"))
        stated = [self.last - self.first + 1 if self.last < LAST_OF_HEADER else 0]
        if len(starts) == len(ends) == 2:
            stated.append(int(ends[0] - starts[0] + 65536 * (ends[1] - starts[1])) + 1)
        frames = [self.number(f"POINT:{name}", 0) for name in ("LONG_FRAMES", "FRAMES")]
        stated += [int(n) for n in frames if np.isfinite(n)]
        return max((n for n in stated if 0 < n <= most), default=0)


def read_c3d(path: Path) -> DecodedRecording:
    """Read the analog channels, scaled as the file states.

    Raises
    ------
    InputError
        The file is not C3D, has no analog channels, or is cut short.
    """
    content = np.memmap(path, np.uint8, "r")
    file = _Content(path, content)
    n_points = int(file.number("POINT:USED", file.n_points))
    per_frame = file.per_frame or 1
    n_channels = int(file.number("ANALOG:USED", file.n_analog / per_frame))
    if not n_channels:
        raise InputError(f"{path}: expected analog channels; found {n_points} markers alone")
    is_float = file.number("POINT:SCALE", file.scale) < 0
    is_unsigned = "UNSIGNED" in file.texts("ANALOG:FORMAT")
    form = file.order + ("u4" if is_float else "u2" if is_unsigned else "i2")
    start = (int(file.number("POINT:DATA_START", file.start)) - 1) * BLOCK
    frame = 4 * n_points + n_channels * per_frame  # words in a frame
    n_frames = file.n_frames((len(content) - start) // (frame * int(form[-1])))
    if start < 0 or not n_frames:
        raise InputError(f"{path}: is cut short; {len(content)} bytes hold fewer frames than it states")
    words = content[start : start + n_frames * frame * int(form[-1])].view(form)
    words = words.reshape(n_frames, frame)[:, 4 * n_points :].reshape(-1, n_channels)  # -> (n_samples, n_channels)
    scales, offsets = (
        _of_channels(file.numbers(f"ANALOG:{name}", signed=not is_unsigned), n_channels, default)
        for name, default in (("SCALE", 1.0), ("OFFSET", 0.0))
    )
    general = file.number("ANALOG:GEN_SCALE", 1.0)

    def samples(i: int) -> NDArray[np.float64]:
        column = np.ascontiguousarray(words[:, i])
        values = file.floats(column.tobytes()) if is_float else column.astype(np.float64)
        return (values - offsets[i]) * scales[i] * general

    labels, descriptions, units = (
        _of_channels(file.texts(f"ANALOG:{name}"), n_channels, "") for name in ("LABELS", "DESCRIPTIONS", "UNITS")
    )
    of_frames_hz = file.number("POINT:RATE", file.frame_hz) * per_frame
    rate_hz = file.number("ANALOG:RATE", 0.0) or of_frames_hz
    decoded = decode_signals(
        [Signal(labels[i] or descriptions[i], units[i], rate_hz, partial(samples, i)) for i in range(n_channels)]
    )
    if abs(rate_hz - of_frames_hz) <= RATE_TOLERANCE * rate_hz:
        return decoded
    remark = f"the analog channels state {rate_hz:g} Hz, which is used, but the frames give {of_frames_hz:g} Hz"
    return replace(decoded, remarks=(remark, *decoded.remarks))


def _of_channels(values: list[T], n_channels: int, default: T) -> list[T]:
    """One value per channel; ``default`` where the file states fewer."""
    return values[:n_channels] + [default] * (n_channels - len(values))
