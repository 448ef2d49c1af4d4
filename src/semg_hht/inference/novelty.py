"""What the training data of a run looked like, and why a repetition is unlike it.

Each repetition is described by what is stated of it (rate, units, channels) and by numbers measured of it (amplitude,
spectrum, course, channel pattern). It works on matrices and on what is stored with them. It does not know labels or
networks, and it can't tell an exercise whose signals look like those of the training people.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.inference.repetition_numbers import MDF, SMALLEST, Numbers, n_channels_of
from semg_hht.recordings.channels import muscle_of
from semg_hht.recordings.units import COUNTS, volts

Array = NDArray[np.float64]

# How far beyond the range of the training repetitions a new person may lie, in powers of ten.
MARGINS = {"amplitude": 0.5, "duration": 0.5, "quietest": 0.5, "contrast": 0.3}
SHAPES = ("spectrum", "course", "channels")  # kinds that are compared by a distance
SHRINKAGE = 0.1  # of the correlations between numbers towards 0
MIN_SPREAD = 0.02  # of a number over repetitions; a number that never changes in training would decide alone
MIN_REPETITIONS = 12  # for distances
# With fewer people nothing is known of how people differ: fifths of the repetitions stand for people, the limit of each
# distance is as many times wider, and the margins are twice as wide.
MIN_PEOPLE, N_FIFTHS, FEW_PEOPLE = 3, 5, 3.0
# Distances of new people: the 95th percentile of each training person, held out, is log-normal over people. Its spread
# is estimated from few people, so that it is averaged with one that four data sets had, at the weight of 4 people.
OF_PERSON, OVER_PEOPLE = 0.95, 0.97
USUAL_SPREAD, USUAL_WEIGHT = 0.3, 4.0
COVERED_RATIO = 1.25  # of the bands that two rates cover; above it they differ
CLIPPED_SHARE = 0.05  # of a channel's samples; of 760 real repetitions 5 had more, all of one device of 8 bits
MAX_STATED = 8  # rates, units, orders of channels; with more of them none is known
MAX_NUMBERS = 200  # of a kind; a file that claims more is broken or hostile

# Name of a reason -> its text.
TEXTS = {
    "foreign": "a matrix of another tool; trained on matrices of this program",
    "own": "a matrix of this program; trained on matrices of another tool",
    "rate": "{rate} Hz; trained on {trained} Hz",
    "units": "units {units}; trained on {trained}",
    "n_channels": "{n} channels; trained on {trained}",
    "order": "channels in another order ({given}); trained on {trained}",
    "muscles": "muscles {given}; trained on {trained}",
    "clipped": "channel {name} is clipped: {share} of its samples are at the ends of its range",
    "one_sided": "channel {name} lies on one side of 0, as rectified signals and envelopes do",
    "times": "amplitude only {ratio} times that outside of the stated times, which may be wrong",
    "high": "amplitude {ratio} times the largest of the training people",
    "low": "amplitude {ratio} times smaller than the smallest of the training people",
    "long": "lasts {duration} s; training repetitions {shortest} to {longest} s",
    "quietest": "a channel with hardly any signal beside the others; not so in training",
    "contrast": "all channels equally strong, as in noise; not so in training",
    "spectrum": "no spectrum like this in training (distance {ratio} times the limit)",
    "frequency": "no spectrum like this in training: median frequency {value} Hz, in training {low} to {high} Hz",
    "course": "no course over time like this in training (distance {ratio} times the limit)",
    "channels": "no channel pattern like this in training (distance {ratio} times the limit)",
}


@dataclass(frozen=True)
class Reason:
    """Why a repetition is unlike the training data: a name of `TEXTS`, and the values in its text."""

    name: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return TEXTS[self.name].format(**self.values)


@dataclass(frozen=True)
class Stated:
    """What is stated of a repetition, besides its numbers.

    rate_hz : None where unknown.
    units : empty where not stated; amplitudes alone are compared then.
    channels : names in the order of the file; empty where unknown.
    is_foreign : whether the matrix was written by another tool.
    clipped : channel -> share of its samples at the ends of its range.
    """

    rate_hz: float | None = None
    units: str = ""
    channels: tuple[str, ...] = ()
    is_foreign: bool = False
    clipped: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Likeness:
    """Distances of repetitions to those of training (Mahalanobis, with shrunk correlations), and the largest expected.

    centre, spread : mean and standard deviation of each number over the training repetitions.
    whitening : lower triangle of the matrix that makes standardised numbers uncorrelated, row by row.
    limit : distance that a repetition of a new person exceeds in a few of 100.
    """

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    whitening: tuple[float, ...]
    limit: float

    def __post_init__(self) -> None:
        n = len(self.centre)
        if not 1 <= n <= MAX_NUMBERS or len(self.spread) != n or len(self.whitening) != n * (n + 1) // 2:
            raise ValueError(f"{n} numbers with {len(self.spread)} spreads and {len(self.whitening)} weights")
        if not (np.isfinite([*self.centre, *self.whitening]).all() and min(self.spread) > 0 and self.limit > 0):
            raise ValueError("expected finite numbers, and spreads and a limit above 0")

    def ratios(self, table: Array) -> Array:
        """Distance of each row of (m, n) over the limit, (m,)."""
        n = len(self.centre)
        whitening = np.zeros((n, n))
        whitening[np.tril_indices(n)] = self.whitening
        standard = (table - np.array(self.centre)) / np.array(self.spread)
        return np.asarray(np.sqrt(np.mean((standard @ whitening) ** 2, axis=1)) / self.limit)


def fit_likeness(table: Array, people: Sequence[str]) -> Likeness:
    """Likeness of training repetitions (m, n); the limit is that of people held out, one at a time."""
    groups = np.array(people)
    logs = np.array(
        [
            np.quantile(np.log(_raw(table[groups != person]).ratios(table[groups == person]) + SMALLEST), OF_PERSON)
            for person in np.unique(groups)
        ]
    )
    import scipy  # not loaded for prediction

    freedom = len(logs) - 1 + USUAL_WEIGHT
    variance = ((len(logs) - 1) * logs.var(ddof=1) + USUAL_WEIGHT * USUAL_SPREAD**2) / freedom
    reach = scipy.stats.t.ppf(OVER_PEOPLE, freedom) * math.sqrt(variance * (1 + 1 / len(logs)))
    return _raw(table, limit=float(np.exp(logs.mean() + reach)))


def _raw(table: Array, limit: float = 1.0) -> Likeness:
    """Likeness with a stated limit."""
    centre, spread = table.mean(axis=0), np.maximum(table.std(axis=0), MIN_SPREAD)
    standard = (table - centre) / spread
    n = table.shape[1]
    correlation = (1 - SHRINKAGE) * np.atleast_2d(np.cov(standard, rowvar=False)) + SHRINKAGE * np.eye(n)
    whitening = np.linalg.cholesky(np.linalg.inv(correlation))[np.tril_indices(n)]
    return Likeness(_rounded(centre), _rounded(spread), _rounded(whitening), limit)


def _rounded(values: Array) -> tuple[float, ...]:
    """Six significant digits, so that JSON stays small."""
    return tuple(float(f"{value:.6g}") for value in values)


@dataclass(frozen=True)
class TrainingData:
    """What the training and validation repetitions of a run looked like. Empty tuples: not known.

    top_hz : upper edge of the band-pass.
    has_amplitude_in_units : the values of the matrices depend on the units.
    orders : names of the channels of a repetition, in the order of the file.
    ranges : kind -> smallest and largest number in training, in powers of ten.
    shapes : kind -> its `Likeness`; none with fewer than 12 repetitions.
    alone : the same of single channels, where repetitions have several matrices, for matrices that come alone.
    """

    n_people: int = 0
    n_repetitions: int = 0
    is_foreign: bool = False
    top_hz: float = math.inf
    has_amplitude_in_units: bool = False
    rates_hz: tuple[float, ...] = ()
    units: tuple[str, ...] = ()
    n_channels: tuple[int, ...] = ()
    orders: tuple[tuple[str, ...], ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    shapes: Mapping[str, Likeness] = field(default_factory=dict)
    alone: TrainingData | None = None

    def to_json(self) -> dict[str, Any]:
        alone = None if self.alone is None else self.alone.to_json()
        return asdict(self) | {"top_hz": None if math.isinf(self.top_hz) else self.top_hz, "alone": alone}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TrainingData:
        """The inverse of `to_json`.

        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError
            A key is missing or unknown, or holds another kind of value.
        """
        parts = dict(content)
        alone = parts.pop("alone")
        ranges = {str(kind): (float(low), float(high)) for kind, (low, high) in parts.pop("ranges").items()}
        shapes = {
            str(kind): Likeness(
                centre=tuple(map(float, stored["centre"])),
                spread=tuple(map(float, stored["spread"])),
                whitening=tuple(map(float, stored["whitening"])),
                limit=float(stored["limit"]),
            )
            for kind, stored in parts.pop("shapes").items()
        }
        if not (np.isfinite([*ranges.values()]).all() and set(ranges) <= set(MARGINS) and set(shapes) <= set(SHAPES)):
            raise ValueError(f"expected finite ranges of {', '.join(MARGINS)}, and distances of {', '.join(SHAPES)}")
        return cls(
            n_people=int(parts.pop("n_people")),
            n_repetitions=int(parts.pop("n_repetitions")),
            is_foreign=bool(parts.pop("is_foreign")),
            top_hz=math.inf if (top_hz := parts.pop("top_hz")) is None else float(top_hz),
            has_amplitude_in_units=bool(parts.pop("has_amplitude_in_units")),
            rates_hz=tuple(map(float, parts.pop("rates_hz"))),
            units=tuple(map(str, parts.pop("units"))),
            n_channels=tuple(map(int, parts.pop("n_channels"))),
            orders=tuple(tuple(map(str, order)) for order in parts.pop("orders")),
            ranges=ranges,
            shapes=shapes,
            alone=None if alone is None else cls.from_json({**alone, "alone": None}),
        )

    def reasons(self, numbers: Numbers, stated: Stated, covariance: Array | None = None) -> tuple[Reason, ...]:
        """Why a repetition is unlike the training data; empty where it is not.

        covariance : log covariance of all its channels; None where unknown.
        """
        if stated.is_foreign != self.is_foreign:
            return (Reason("foreign" if stated.is_foreign else "own"),)
        found = [*self._of_statements(stated, covariance), *self._of_ranges(numbers)]
        for kind, likeness in self.shapes.items():
            values = numbers.get(kind)
            if values is None or values.size != len(likeness.centre):
                continue
            ratio = float(likeness.ratios(values[None])[0])
            if ratio > 1:
                found.append(self._of_shape(kind, likeness, values, ratio, has_features="amplitude" in numbers))
        return tuple(found)

    def _of_statements(self, stated: Stated, covariance: Array | None) -> list[Reason]:
        found = []
        if stated.rate_hz and self.rates_hz:
            covered = [min(rate / 2, self.top_hz) for rate in self.rates_hz]
            own = min(stated.rate_hz / 2, self.top_hz)
            if not min(covered) / COVERED_RATIO <= own <= max(covered) * COVERED_RATIO:
                trained = ", ".join(f"{rate:g}" for rate in self.rates_hz)
                found.append(Reason("rate", {"rate": f"{stated.rate_hz:g}", "trained": trained}))
        has_units = self.has_amplitude_in_units and bool(stated.units and self.units)
        if has_units and _kind_of_units(stated.units) not in self.units:
            found.append(Reason("units", {"units": stated.units, "trained": ", ".join(self.units)}))
        n = 0 if covariance is None else n_channels_of(covariance)
        if self.n_channels and n and n not in self.n_channels:
            trained = ", ".join(map(str, self.n_channels))
            found.append(Reason("n_channels", {"n": str(n), "trained": trained}))
        elif stated.channels and self.orders and stated.channels not in self.orders:
            found += _of_names(stated.channels, self.orders)
        for name, share in stated.clipped.items():
            if share > CLIPPED_SHARE:
                found.append(Reason("clipped", {"name": name, "share": f"{share:.0%}"}))
                break
        return found

    def _of_ranges(self, numbers: Numbers) -> list[Reason]:
        found = []
        for kind, (low, high) in self.ranges.items():
            if kind not in numbers:
                continue
            value, margin = float(numbers[kind][0]), MARGINS[kind] * (1 if self.n_people >= MIN_PEOPLE else 2)
            if low - margin <= value <= high + margin:
                continue
            if kind == "amplitude":
                ratio = 10 ** (value - high if value > high else low - value)
                found.append(Reason("high" if value > high else "low", {"ratio": _times(ratio)}))
            elif kind == "duration":
                texts = (f"{10**power:.3g}" for power in (value, low, high))
                found.append(Reason("long", dict(zip(("duration", "shortest", "longest"), texts, strict=True))))
            elif value < low:
                found.append(Reason(kind))
        return found

    def _of_shape(self, kind: str, likeness: Likeness, values: Array, ratio: float, *, has_features: bool) -> Reason:
        if kind == "spectrum" and has_features:
            centre, spread = likeness.centre[MDF], likeness.spread[MDF]
            low, high = centre - 2 * spread, centre + 2 * spread
            if not low <= values[MDF] <= high:
                texts = (f"{math.exp(value):.0f}" for value in (float(values[MDF]), low, high))
                return Reason("frequency", dict(zip(("value", "low", "high"), texts, strict=True)))
        return Reason(kind, {"ratio": _times(ratio)})


def _of_names(channels: tuple[str, ...], orders: tuple[tuple[str, ...], ...]) -> list[Reason]:
    """Whether the names of channels show another order, or other muscles, than those of training."""
    alike = [order for order in orders if sorted(order) == sorted(channels)]
    given, *trained = ([muscle_of(name) for name in names] for names in (channels, *orders))
    # Of muscles nothing is said where a name states none, or where two channels, such as left and right, have one.
    are_known = all("" not in muscles and len(set(muscles)) == len(muscles) for muscles in (given, *trained))
    if not alike and (not are_known or given in trained):
        return []
    if not alike:
        alike = [order for order, own in zip(orders, trained, strict=True) if sorted(own) == sorted(given)]
    values = {"given": ", ".join(channels), "trained": ", ".join((alike or orders)[0])}
    return [Reason("order" if alike else "muscles", values)]


def _times(ratio: float) -> str:
    """A ratio in two digits, without an exponent."""
    return f"{ratio:.1f}" if ratio < 10 else f"{float(f'{ratio:.2g}'):.0f}"


def _kind_of_units(units: str) -> str:
    """``volts`` for all units of volts, ``counts`` for those of a converter, else the unit itself."""
    plain = units.strip().lower()
    return "volts" if volts(units) else "counts" if plain in COUNTS else plain


@dataclass(frozen=True)
class TrainingRepetition:
    """A training repetition: its person, what is stated of it and what is measured."""

    person: str
    stated: Stated
    numbers: Numbers
    n_channels: int


def describe_training(repetitions: Sequence[TrainingRepetition], preparation: Mapping[str, Any] | None) -> TrainingData:
    """What the training data of a run looked like.

    preparation : settings of the matrices (see `PipelineConfig.to_json`); None for matrices of another tool.
    """
    filters, scaling = (preparation or {}).get("filter", {}), (preparation or {}).get("scaling")
    people = [repetition.person for repetition in repetitions]
    stated_units = [repetition.stated.units for repetition in repetitions]
    groups, factor = people, 1.0
    if len(set(people)) < MIN_PEOPLE:
        groups, factor = [str(i % N_FIFTHS) for i in range(len(people))], FEW_PEOPLE
    ranges, shapes = {}, {}
    for kind in (*MARGINS, *SHAPES):
        own = [repetition.numbers[kind] for repetition in repetitions if kind in repetition.numbers]
        if len(own) < len(people) or len({values.size for values in own}) != 1 or own[0].size > MAX_NUMBERS:
            continue  # not every repetition has it
        table = np.stack(own)
        if kind in MARGINS:
            ranges[kind] = (float(table.min()), float(table.max()))
        elif len(own) >= MIN_REPETITIONS:
            shapes[kind] = replace(likeness := fit_likeness(table, groups), limit=likeness.limit * factor)
    return TrainingData(
        n_people=len(set(people)),
        n_repetitions=len(people),
        is_foreign=preparation is None,
        top_hz=float(filters["band_hz"][1]) if "band_hz" in filters else math.inf,
        has_amplitude_in_units=scaling == "log",
        rates_hz=_few(repetition.stated.rate_hz for repetition in repetitions if repetition.stated.rate_hz),
        units=_few(_kind_of_units(units) for units in stated_units) if all(stated_units) else (),
        n_channels=_few(repetition.n_channels for repetition in repetitions if repetition.n_channels),
        orders=_few(repetition.stated.channels for repetition in repetitions if repetition.stated.channels),
        ranges=ranges,
        shapes=shapes,
    )


def _few(values: Iterable[Any]) -> tuple[Any, ...]:
    """The distinct values, in order; none where there are too many."""
    distinct = sorted(set(values))
    return tuple(distinct) if len(distinct) <= MAX_STATED else ()
