"""Units of voltage: how files spell them, and one unit for channels that were stored in several.

Knows volts: nothing of files or samples.
"""

from __future__ import annotations

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}
_SPELT = {
    "v": "V", "volt": "V", "volts": "V",
    "mv": "mV", "millivolt": "mV", "millivolts": "mV",
    "uv": "uV", "microvolt": "uV", "microvolts": "uV",
    "nv": "nV", "nanovolt": "nV", "nanovolts": "nV",
}  # fmt: skip


def one_unit(stated: list[str]) -> tuple[str, list[float]]:
    """One unit for all, and the factor of each channel to it: volts become microvolts where channels differ."""
    clean = [_short(unit) for unit in stated]
    if len(set(clean)) == 1 and clean[0] != "nV":
        return clean[0], [1.0] * len(clean)
    volts = {unit for unit in clean if unit in MICROVOLTS}
    if len(volts) <= 1 and volts != {"nV"}:
        return (volts.pop() if volts else ""), [1.0] * len(clean)
    # Those that are no volts are other things beside the muscle; they keep their numbers.
    return "uV", [MICROVOLTS.get(unit, 1.0) for unit in clean]


def microvolts_per(unit: str) -> float | None:
    """The factor from ``unit`` to microvolts; None where it is no unit of volts."""
    return MICROVOLTS.get(_short(unit))


def _short(unit: str) -> str:
    unit = unit.strip().replace("µ", "u").replace("μ", "u")
    return _SPELT.get(unit.lower(), unit)
