"""What a channel is, by its name: a muscle, or something recorded beside it; and names that tell channels apart.

Knows words: nothing of files or samples.
"""

from __future__ import annotations

import re

# Joints, forces, movement, the heart, the eyes, breath, blood pressure, the button that was pressed.
_NO_EMG = re.compile(
    r"angle|flexo|gonio|\bacc|accel|gyro|\bgyr\b|magnet|\bmag\b|quaternion|orientation|force|torque|trigger|marker|label"
    r"|winkel|kraft|drehmoment|beschleunigung|\bclass\b|gesture|stimulus|temperature|\becg\b|\beeg\b|\beog\b|\bresp|pleth|\bppg\b|\babp\b|角度|力矩"
    r"|[\[(]\s*(?:g|deg\w*|grad|°\w*|n|nm|n\.m|kg|m/s\S*|rad\S*|dps|mmhg|%|bpm|on)\s*[\])]$",
    re.IGNORECASE,
)


def is_other(name: str) -> bool:
    """Whether the name says that a channel is no EMG."""
    return bool(_NO_EMG.search(name))


def distinct(names: list[str]) -> tuple[str, ...]:
    """Names as they are; behind one that occurs twice, or that is empty, the number of its channel, counted from 1."""
    return tuple(
        name if name and names.count(name) == 1 else f"{name} {i}" if name else f"ch{i}"
        for i, name in enumerate(names, start=1)
    )
