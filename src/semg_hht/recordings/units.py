"""Units of volts: what they are called, what one is in microvolts, and one unit for channels that state several.

Knows volts: nothing of files or samples.
"""

from __future__ import annotations

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}
_SPELLINGS = {
    "v": "V", "volt": "V", "volts": "V", "伏": "V",
    "mv": "mV", "millivolt": "mV", "millivolts": "mV", "毫伏": "mV",
    "uv": "uV", "microvolt": "uV", "microvolts": "uV", "微伏": "uV",
    "礦": "uV",  # "µV" of Windows-1252 read as GB18030, in which Chinese programs write
    "nv": "nV", "nanovolt": "nV", "nanovolts": "nV",
}  # fmt: skip


def volts(text: str) -> str:
    """``V``, ``mV``, ``uV`` or ``nV`` where the text is a spelling of one of them; empty otherwise."""
    return _SPELLINGS.get(text.strip().replace("µ", "u").replace("μ", "u").lower(), "")


def microvolts_per(unit: str) -> float | None:
    """The factor from ``unit`` to microvolts; None where it is no unit of volts."""
    return MICROVOLTS.get(volts(unit))


def one_unit(stated: list[str]) -> tuple[str, list[float]]:
    """One unit for all, and the factor of each channel to it: volts become microvolts where channels differ."""
    clean = [volts(unit) or unit.strip() for unit in stated]
    if len(set(clean)) == 1 and clean[0] != "nV":
        return clean[0], [1.0] * len(clean)
    found = {unit for unit in clean if unit in MICROVOLTS}
    # Those that are no volts are other things beside the muscle; they keep their numbers.
    if len(found) <= 1 and found != {"nV"}:
        return (found.pop() if found else ""), [1.0] * len(clean)
    return "uV", [MICROVOLTS.get(unit, 1.0) for unit in clean]
