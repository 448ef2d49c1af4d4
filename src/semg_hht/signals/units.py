"""Units of volts: what they are called, what one is in microvolts, and one unit for channels that state several.

Knows nothing of files.
"""

from __future__ import annotations

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0}
# The last is the Windows-1252 text "µV" read as GB18030, in which Chinese programs write.
_SPELLINGS = {"v": "V", "volt": "V", "volts": "V", "mv": "mV", "millivolt": "mV", "millivolts": "mV", "uv": "uV",
              "microvolt": "uV", "microvolts": "uV", "伏": "V", "毫伏": "mV", "微伏": "uV", "礦": "uV"}  # fmt: skip


def volts(text: str) -> str:
    """``V``, ``mV`` or ``uV`` where the text is a spelling of one of them; empty otherwise."""
    return _SPELLINGS.get(text.strip().replace("µ", "u").replace("μ", "u").lower(), "")


def one_unit(stated: list[str]) -> tuple[str, list[float]]:
    """One unit for all, and the factor of each signal to it: volts of any kind become microvolts where they differ."""
    clean = [unit.replace("µ", "u").replace("μ", "u") for unit in stated]
    if len(set(clean)) == 1:
        return clean[0], [1.0] * len(clean)
    # Those that are no volts are other things beside the muscle; they keep their numbers.
    return "uV", [MICROVOLTS.get(unit, 1.0) for unit in clean]
