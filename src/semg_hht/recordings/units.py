"""Units of volts: their spellings, their size in microvolts, and one common unit for channels with different units.

It works on names of units and does not know files or samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

MICROVOLTS = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}
_PREFIXES = {
    "V": ("", "в", "伏"),
    "mV": ("m", "milli", "мв", "毫伏"),
    # ".V", "?V" and "�V": a program replaced the "µ" that it could not write; "mk": "мк" in Latin letters.
    "uV": ("u", "micro", "mk", "mc", ".", "?", "�", "мкв", "微伏", "礦"),  # "礦": "µV" read as GB18030
    "nV": ("n", "nano", "нв", "纳伏"),
}
_VOLT = ("v", "volt", "volts")
_SPELLINGS = {
    spelling: unit
    for unit, prefixes in _PREFIXES.items()
    for prefix in prefixes
    for spelling in ((prefix + volt for volt in _VOLT) if prefix.isascii() or prefix == "�" else (prefix,))
}
# What to do about recordings of which `mixed_units` tells.
STATE_UNITS = (
    "state the units of all of them (column units in the manifest, or units=...), or prepare with "
    "scaling='mvc' (or 'subject', 'db', 'minmax')"
)
COUNTS = ("adc", "adu", "count", "counts", "raw", "lsb", "digit", "digits", "bit", "bits", "a.u.", "au", "arb", "nu")


def volts(text: str) -> str:
    """``V``, ``mV``, ``uV`` or ``nV`` if the text is a spelling of one of them; empty otherwise."""
    # "Âµ" and "Î¼": "µ" in UTF-8, decoded as Windows-1252.
    plain = text.strip().replace("Âµ", "u").replace("Î¼", "u").replace("µ", "u").replace("μ", "u").lower()
    return _SPELLINGS.get(plain.replace(" ", ""), "")


def unit_remarks(unit: str) -> tuple[str, ...]:
    """A remark on a unit that is neither of volts nor stands for counts of a converter or arbitrary units."""
    if not unit.strip() or volts(unit) or unit.strip().lower() in COUNTS:
        return ()
    return (f"the units {unit!r} are not understood as V, mV or uV, so amplitudes stay in them",)


def same_unit(unit: str, other: str) -> bool:
    """Whether two texts are spellings of one unit."""
    return (volts(unit) or unit.strip().lower()) == (volts(other) or other.strip().lower())


def microvolts_per(unit: str) -> float | None:
    """The factor from ``unit`` to microvolts; None if it is not a unit of volts."""
    return MICROVOLTS.get(volts(unit))


def mixed_units(units: Mapping[str, str]) -> str:
    """Recordings in volts and recordings without, counted in a sentence; empty where all are of one kind.

    Parameters
    ----------
    units : recording -> its unit; empty: not stated.
    """
    without = {name: unit for name, unit in units.items() if not volts(unit)}
    n_volts = len(units) - len(without)
    if not (without and n_volts):
        return ""
    counts = Counter(repr(unit) if unit else "not stated" for unit in without.values())
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts.most_common())
    return (
        f"units: {n_volts} of {len(units)} recordings are in volts, {len(without)} are not ({kinds}; such as "
        f"{next(iter(without))}), so their amplitudes can't be compared, and may lie 60 dB apart"
    )


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
