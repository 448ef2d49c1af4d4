"""What a file holds, before anything is checked: what every reader gives and the one door takes.

Knows nothing of formats, and nothing of what a recording must be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

MAX_BYTES = 16 * 2**30  # of decoded samples: a damaged or hostile file may declare any size


@dataclass(frozen=True)
class Contents:
    """Columns are channels, rows are samples; None and empty: the file does not say.

    other : names of channels that are no EMG (an angle, a trigger, an accelerometer).
    remarks : what a person should know of how the file was read, a short sentence each, without the file's name.
    """

    table: NDArray[Any]  # (n_samples, n_channels)
    rate_hz: float | None = None
    channel_names: tuple[str, ...] = ()
    units: str = ""
    other: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
