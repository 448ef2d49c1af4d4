"""Channel names: recognise names of signals other than EMG, and make repeated names distinct.

It works on names and does not know files or samples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Joint angles, forces, movement, heart, eyes, breathing, blood pressure, triggers.
_NON_EMG = re.compile(
    r"angle|flexo|gonio|\bacc|accel|gyro|\bgyr\b|magnet|\bmag\b|quaternion|orientation|force|torque|trigger|marker|label"
    r"|winkel|kraft|drehmoment|beschleunigung|\bclass\b|gesture|stimulus|temperature|\becg\b|\beeg\b|\beog\b|\bresp|pleth|\bppg\b|\babp\b|角度|力矩"
    r"|[\[(]\s*(?:g|deg\w*|grad|°\w*|n|nm|n\.m|kg|m/s\S*|rad\S*|dps|mmhg|%|bpm|on)\s*[\])]$",
    re.IGNORECASE,
)


def is_not_emg(name: str) -> bool:
    """Whether the name shows that a channel is not EMG."""
    return bool(_NON_EMG.search(name))


def distinct_names(names: list[str], numbers: Sequence[int] = ()) -> tuple[str, ...]:
    """The names, each repeated one followed by the number of its channel; an empty name becomes ``ch`` and the number.

    numbers : of the channels; empty: 1, 2, 3 ...
    """
    return tuple(
        name if name and names.count(name) == 1 else f"{name} {i}" if name else f"ch{i}"
        for i, name in zip(numbers or range(1, len(names) + 1), names, strict=True)
    )
