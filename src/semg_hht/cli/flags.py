"""Settings in messages: the library names them as arguments of Python, the terminal shows them as flags.

A message says ``rate_hz=...``, ``overwrite=True`` or ``band_hz=(20, 100)``, or begins with ``engine must``. The command
line prints ``--rate_hz``, ``--overwrite``, ``--band 20 100`` and ``--engine must``. It does not know what a flag does.
"""

from __future__ import annotations

import re

# Arguments whose flag has another name; without a value, an argument is printed as the flag alone.
OTHER_NAMES = {
    "band_hz": "band",
    "data": "data_dir",
    "language": "lang",
    "n_jobs": "jobs",
    "protocols": "protocol",
    "segmentation": "segment",
    "source": "card",
}
SAME_NAMES = (
    "backend", "base_channels", "batch_size", "channels", "checkpoint_dir", "cpu", "data_dir", "engine", "epochs",
    "examples", "explain", "file", "full_at", "gender", "lag_s", "learning_rate", "manifest", "max_lag_s", "method",
    "min_duration_s", "overwrite", "pack", "rate_hz", "references", "repetition", "resume", "scaling", "scheduler",
    "sensor", "source_id", "speed", "split", "task", "units", "whole",
)  # fmt: skip
FLAG_OF = {**{name: name for name in SAME_NAMES}, **OTHER_NAMES}
SENSOR_RATE = "SensorSource(rate_hz=...)"

_NAME = "|".join(sorted(FLAG_OF, key=len, reverse=True))
_VALUE = r"\.\.\.|True\b|\(([^()]*)\)|'([^']*)'|[\w.+-]*\w"
# A setting stands at the start or after a space or bracket; elsewhere, "rate_hz=1000" is a part of a path. The second
# of two, as in "numpy.savez(file, samples=..., rate_hz=...)", is a part of a line of Python.
_SETTING = re.compile(rf"(?<![^\s(])(?<!=\.\.\., )({_NAME})=({_VALUE})")
_SUBJECT = re.compile(rf"^({_NAME})(?= must )")


def as_flags(message: str) -> str:
    """A message of the library with the flags of the command line in the place of arguments."""
    message = message.replace(SENSOR_RATE, "--sensor_rate_hz")
    return _SUBJECT.sub(_flag, _SETTING.sub(_flag, message))


def _flag(found: re.Match[str]) -> str:
    flag = f"--{FLAG_OF[found[1]]}"
    if found.re is _SUBJECT or found[2] in ("...", "True"):
        return flag
    value = found[2] if found[3] is None and found[4] is None else (found[3] or found[4] or "").replace(", ", " ")
    return f"{flag} {value}"
