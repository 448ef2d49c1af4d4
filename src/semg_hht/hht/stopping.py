"""Stopping rules of the sift, each named after its source. This module holds numbers only; `sifting` applies them."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class StoppingRule:
    """When a sift stops, with the definition of an extremum and the treatment of the ends that belong to the rule.

    code : number of the rule in the compiled kernel.
    threshold : limit of the energy ratio, for rules that compare energies.
    max_imfs : largest number of IMFs; the rest of the signal is the residue.
    max_sifts : largest number of sifts for one IMF.
    n_sifts : for ``fixed`` the sifts of every IMF, for ``s-number`` the consecutive sifts that must agree.

    Examples
    --------
    >>> import semg_hht as sh
    >>> rule = sh.hht.stopping_rule("sd")
    """

    name: str
    code: int
    threshold: float = 0.0
    max_imfs: int = 12
    max_sifts: int = 100
    n_sifts: int = 0


RULES: dict[str, StoppingRule] = {
    rule.name: rule
    for rule in (
        # Huang et al. 1998 (doi 10.1098/rspa.1998.0193), in the form that does not divide by single samples:
        # energy of the mean envelope over energy of the proto-IMF before the mean envelope is subtracted.
        StoppingRule("sd", 0, threshold=0.1),
        # emd 0.8 (Quinn et al. 2021, doi 10.21105/joss.02977): the same ratio, over the energy after the subtraction.
        # The decomposition ends when 50 dB of the energy are in IMFs, or fewer than two maxima or two minima remain.
        # The ends of the signal are treated as under "sd", not as in emd.
        StoppingRule("emd", 1, threshold=0.1, max_imfs=40, max_sifts=1000),
        # Rilling, Flandrin, Goncalves 2003, section 3.2: thresholds 0.05 and 0.5, tolerance 0.05.
        StoppingRule("rilling", 2, max_sifts=300),
        # Huang et al. 2003 (doi 10.1098/rspa.2003.1123): the numbers of extrema and of zero crossings differ by at most
        # one and do not change for n_sifts consecutive sifts; at most 50 sifts, as in libeemd.
        StoppingRule("s-number", 3, max_sifts=50, n_sifts=4),
        # Wu and Huang 2009 (doi 10.1142/S1793536909000047): always ten sifts.
        StoppingRule("fixed", 4, n_sifts=10),
        # PyEMD 1.10: |extrema - zero crossings| < 2 and one of three tests (scaled variance 0.001, standard deviation
        # 0.2, energy ratio 0.2). The decomposition ends at absolute thresholds, so the result depends on the unit.
        StoppingRule("pyemd", 5, max_imfs=40, max_sifts=1000),
        # The tool that made most users' earlier matrices: end points are extrema, and no extremum is mirrored.
        StoppingRule("upstream", 6, threshold=0.05, max_imfs=10, max_sifts=1000),
    )
}


def stopping_rule(
    stopping: str | StoppingRule,
    sd_threshold: float | None = None,
    max_imfs: int | None = None,
    max_sifts: int | None = None,
    n_sifts: int | None = None,
) -> StoppingRule:
    """The rule of this name, or a rule itself, with other numbers where they are given; see `RULES` for the sources.

    sd_threshold : replaces the rule's ``threshold``.

    Raises
    ------
    ValueError
        An unknown name, or a number out of its range.

    Examples
    --------
    >>> import semg_hht as sh
    >>> rule = sh.hht.stopping_rule("sd")
    """
    if isinstance(stopping, str) and stopping not in RULES:
        raise ValueError(f"stopping rule {stopping!r} is unknown; expected one of {', '.join(RULES)}")
    rule = RULES[stopping] if isinstance(stopping, str) else stopping
    if sd_threshold is not None:
        if not sd_threshold > 0:
            raise ValueError(f"sd_threshold must be above 0; got {sd_threshold}")
        rule = replace(rule, threshold=float(sd_threshold))
    for name, number in (("max_imfs", max_imfs), ("max_sifts", max_sifts), ("n_sifts", n_sifts)):
        if number is not None and not 1 <= number <= 10**6:
            raise ValueError(f"{name} must be from 1 to 1000000; got {number}")
    if max_imfs is None and max_sifts is None and n_sifts is None:
        return rule
    return replace(
        rule,
        max_imfs=rule.max_imfs if max_imfs is None else int(max_imfs),
        max_sifts=rule.max_sifts if max_sifts is None else int(max_sifts),
        n_sifts=rule.n_sifts if n_sifts is None else int(n_sifts),
    )
