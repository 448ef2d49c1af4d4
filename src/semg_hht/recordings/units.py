"""Units of volts: their spellings, their size in microvolts, and one common unit for channels with different units.

It works on names of units and does not know files or samples.
"""

from __future__ import annotations

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}
_SPELLINGS = {
    "v": "V", "volt": "V", "volts": "V", "伏": "V",
    "mv": "mV", "millivolt": "mV", "millivolts": "mV", "毫伏": "mV",
    "uv": "uV", "microvolt": "uV", "microvolts": "uV", "微伏": "uV",
    "礦": "uV",  # "µV" in Windows-1252, decoded as GB18030, the encoding of Chinese programs
    "nv": "nV", "nanovolt": "nV", "nanovolts": "nV",
}  # fmt: skip


def volts(text: str) -> str:
    """``V``, ``mV``, ``uV`` or ``nV`` if the text is a spelling of one of them; empty otherwise."""
    return _SPELLINGS.get(text.strip().replace("µ", "u").replace("μ", "u").lower(), "")


def microvolts_per(unit: str) -> float | None:
    """The factor from ``unit`` to microvolts; None if it is not a unit of volts."""
    return MICROVOLTS.get(volts(unit))


def one_unit(stated: list[str]) -> tuple[str, list[float]]:
    """One common unit, and the factor of each channel to it. Channels in different units of volts become microvolts."""
    clean = [volts(unit) or unit.strip() for unit in stated]
    if len(set(clean)) == 1 and clean[0] != "nV":
        return clean[0], [1.0] * len(clean)
    volt_units = {unit for unit in clean if unit in MICROVOLTS}
    # Channels in other units are not EMG; their numbers are kept.
    if len(volt_units) <= 1 and volt_units != {"nV"}:
        return (volt_units.pop() if volt_units else ""), [1.0] * len(clean)
    return "uV", [MICROVOLTS.get(unit, 1.0) for unit in clean]
