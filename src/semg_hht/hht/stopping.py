"""Stopping rules of the sift, each named after its source. Knows numbers only, no signals."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Rule:
    """When an IMF is taken, with the definitions of an extremum and of the signal's ends that belong to it.

    code : number of the rule in the compiled kernel.
    threshold : of the rules that compare energies.
    n_sifts : sifts the rule counts (``fixed``: spent on every IMF; ``s-number``: that must agree).
    """

    name: str
    code: int
    threshold: float = 0.0
    max_imfs: int = 12
    max_sifts: int = 100
    n_sifts: int = 0


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        # Huang et al. 1998 (doi 10.1098/rspa.1998.0193), in the form that does not divide by single samples:
        # energy of the mean envelope over energy of the proto-IMF before it was taken off.
        Rule("sd", 0, threshold=0.1),
        # emd 0.8 (Quinn et al. 2021, doi 10.21105/joss.02977): the same over the energy after; the sift ends when 50 dB
        # of the energy are out, or fewer than two maxima or minima are left. Our ends, not emd's.
        Rule("emd", 1, threshold=0.1, max_imfs=40, max_sifts=1000),
        # Rilling, Flandrin, Goncalves 2003, section 3.2: thresholds 0.05 and 0.5, tolerance 0.05.
        Rule("rilling", 2, max_sifts=300),
        # Huang et al. 2003 (doi 10.1098/rspa.2003.1123): extrema and zero crossings unchanged, and differing by at most
        # one, for so many sifts running; at most 50, as in libeemd.
        Rule("s-number", 3, max_sifts=50, n_sifts=4),
        # Wu and Huang 2009 (doi 10.1142/S1793536909000047): ten sifts, whatever happens.
        Rule("fixed", 4, n_sifts=10),
        # PyEMD 1.10: |extrema - zero crossings| < 2 and one of three tests (scaled variance 0.001, standard deviation
        # 0.2, energy ratio 0.2); absolute thresholds end it, so unlike the others it depends on the unit.
        Rule("pyemd", 5, max_imfs=40, max_sifts=1000),
        # The tool most of our users prepared matrices with: end points are extrema, nothing is mirrored.
        Rule("upstream", 6, threshold=0.05, max_imfs=10, max_sifts=1000),
    )
}


def rule_named(
    name: str,
    sd_threshold: float | None = None,
    max_imfs: int | None = None,
    max_sifts: int | None = None,
    n_sifts: int | None = None,
) -> Rule:
    """The rule of that name, with what is given instead of its own numbers."""
    if name not in RULES:
        raise ValueError(f"stopping rule {name!r} is unknown; expected one of {', '.join(RULES)}")
    rule = RULES[name]
    if sd_threshold is not None:
        if not sd_threshold > 0:
            raise ValueError(f"sd_threshold must be above 0; got {sd_threshold}")
        rule = replace(rule, threshold=float(sd_threshold))
    for field, value in (("max_imfs", max_imfs), ("max_sifts", max_sifts), ("n_sifts", n_sifts)):
        if value is not None and not 1 <= value <= 10**6:
            raise ValueError(f"{field} must be from 1 to 1000000; got {value}")
    return replace(
        rule,
        max_imfs=rule.max_imfs if max_imfs is None else int(max_imfs),
        max_sifts=rule.max_sifts if max_sifts is None else int(max_sifts),
        n_sifts=rule.n_sifts if n_sifts is None else int(n_sifts),
    )
