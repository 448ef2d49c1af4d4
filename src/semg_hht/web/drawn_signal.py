"""The channels of a recording in a file that is mapped into memory -> the points that a browser draws of an interval.

It works on samples and does not know about visits or files that people upload.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.system.numpy_files import map_npy

MAX_POINTS = 1200  # blocks of one channel; a block is drawn as its smallest and its largest sample
MAX_CHANNELS = 16  # that are drawn
ENVELOPE_S = 0.1  # duration over which the moving RMS is taken
DIGITS = 4  # of a drawn value

Array = NDArray[np.floating[Any]]


def write_samples(samples: NDArray[np.float64], path: Path) -> None:
    """Write (n_channels, n_samples) as float32, from which any interval is read without the others."""
    np.save(path, samples.astype(np.float32), allow_pickle=False)


def read_samples(path: Path, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
    """Return the samples [start, stop) of all channels, (n_channels, stop - start)."""
    return np.asarray(map_npy(path)[:, start:stop], dtype=np.float64)


def draw_interval(
    path: Path, rate_hz: float, names: list[tuple[str, str, bool]], interval_s: tuple[float, float], n_points: int
) -> dict[str, Any]:
    """Return what the page draws of an interval: channels, their envelopes, and sensors.

    names : name and units of each channel in the file, and whether it is a sensor.
    """
    mapped = map_npy(path)
    n = mapped.shape[1]
    start = min(max(0, int(interval_s[0] * rate_hz)), n - 1)
    stop = max(start + 1, min(n, int(np.ceil(interval_s[1] * rate_hz)) + 1))
    step = -(-(stop - start) // max(2, min(n_points, MAX_POINTS)))
    content: dict[str, Any] = {"from": start / rate_hz, "to": stop / rate_hz, "rate_hz": rate_hz}
    content |= {"channels": [], "envelope": [], "sensors": []}
    for i, (name, units, is_sensor) in enumerate(names[: len(mapped)]):
        about = {"name": name, "units": units, "t0": start / rate_hz, "dt": step / rate_hz}
        samples = np.asarray(mapped[i, start:stop])
        low, high = blocks(samples, step)
        content["sensors" if is_sensor else "channels"].append(about | {"low": _short(low), "high": _short(high)})
        if not is_sensor:
            own = _short(_envelope(mapped[i], rate_hz, start, stop, step))
            content["envelope"].append(about | {"values": own})
    return content


def blocks(samples: Array, step: int) -> tuple[Array, Array]:
    """The smallest and the largest sample of each block of ``step`` samples, (n_blocks,) each."""
    edges = np.arange(0, samples.size, step)
    return np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)


def _envelope(channel: Array, rate_hz: float, start: int, stop: int, step: int) -> Array:
    """The RMS around the middle of each block, over `ENVELOPE_S` or the block, whichever is longer."""
    half = max(1, round(ENVELOPE_S * rate_hz / 2), step // 2)
    first = max(0, start - half)
    squares = np.square(np.asarray(channel[first : stop + half]), dtype=np.float64)
    energy = np.concatenate([[0.0], np.cumsum(squares)])
    middles = np.arange(start, stop, step) + step // 2 - first
    left, right = np.maximum(middles - half, 0), np.minimum(middles + half, squares.size)
    left = np.minimum(left, right - 1)
    return np.asarray(np.sqrt(np.maximum(energy[right] - energy[left], 0) / (right - left)))


def _short(values: Array) -> list[float | None]:
    """Values with the digits that a screen shows; None where a sensor has no sample."""
    with np.errstate(divide="ignore", invalid="ignore"):
        top = float(np.nanmax(np.abs(values), initial=0.0))
    if not np.isfinite(top) or top == 0:
        return [0.0 if np.isfinite(value) else None for value in values.tolist()]
    decimals = DIGITS - 1 - int(np.floor(np.log10(top)))
    rounded = np.round(values.astype(np.float64), decimals)
    return [value if np.isfinite(value) else None for value in rounded.tolist()]
