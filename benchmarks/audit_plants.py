"""Faults that audit.py plants in recordings: each planter changes one, and says which finding must name it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import resample_poly

from semg_hht.audit import AuditedExample
from semg_hht.audit.recording_description import describe
from semg_hht.audit.recordings_compared import AuditedRecording
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording


@dataclass(frozen=True)
class Item:
    """A recording, its rows, what the audit keeps of it."""

    rows: tuple[ManifestRow, ...]
    recording: Recording
    audited: AuditedRecording
    examples: tuple[AuditedExample, ...]

    @classmethod
    def of(cls, rows: Sequence[ManifestRow], recording: Recording) -> Item:
        rows = tuple(rows)
        examples = tuple(AuditedExample.of_recording(row, recording.samples) for row in rows)
        return cls(rows, recording, AuditedRecording(rows, describe(recording)), examples)

    @property
    def row(self) -> ManifestRow:
        return self.rows[0]

    def with_samples(self, samples: np.ndarray, **changes: object) -> Item:
        return Item.of(self.rows, replace(self.recording, samples=samples, **changes))  # type: ignore[arg-type]

    def with_labels(self, **labels: object) -> Item:
        rows = tuple(replace(row, **labels) for row in self.rows)  # type: ignore[arg-type]
        examples = tuple(replace(e, row=row) for e, row in zip(self.examples, rows, strict=True))
        return Item(rows, self.recording, AuditedRecording(rows, self.audited.description), examples)


@dataclass(frozen=True)
class Plant:
    """The draw with a fault, the kinds of finding that report it, and the names of which one must occur in it."""

    items: list[Item]
    kinds: tuple[str, ...]
    names: tuple[str, ...]


Rng = np.random.Generator
Planter = Callable[[list[Item], Rng], "Plant | None"]


def step_of(item: Item) -> float:
    """The step between the values of a file; a millionth of their range where there is none."""
    steps = item.audited.description.step
    known = steps[np.isfinite(steps)]
    return 10.0 ** float(np.median(known)) if known.size else 1e-6 * float(np.ptp(item.recording.samples))


def rounded(samples: np.ndarray, item: Item) -> np.ndarray:
    """Values rounded as those of the file are, which has converter steps or seven digits."""
    step = step_of(item)
    return np.asarray(np.round(samples / step) * step)


def changed(items: list[Item], number: int, item: Item) -> list[Item]:
    return [item if i == number else other for i, other in enumerate(items)]


# Rates


def stated_rate(*ratios: float) -> Planter:
    def plant(items: list[Item], rng: Rng) -> Plant:
        k = int(rng.integers(len(items)))
        rate_hz = items[k].recording.rate_hz * float(rng.choice(ratios))
        item = items[k].with_samples(items[k].recording.samples, rate_hz=rate_hz)
        return Plant(changed(items, k, item), ("rate",), (item.row.file,))

    return plant


def sampled_at_half(items: list[Item], rng: Rng) -> Plant:
    """The device recorded at half or twice the rate of the others, and the manifest states one rate for all."""
    k = int(rng.integers(len(items)))
    up, down = (1, 2) if rng.random() < 0.5 else (2, 1)
    item = items[k].with_samples(rounded(resample_poly(items[k].recording.samples, up, down, axis=1), items[k]))
    return Plant(changed(items, k, item), ("rate",), (item.row.file,))


# Copies


def copied(change: Callable[[Item, Rng], Item], *, other: str = "person") -> Planter:
    """A changed copy under another name, of another person or with another movement."""

    def plant(items: list[Item], rng: Rng) -> Plant | None:
        k = int(rng.integers(len(items)))
        copy = change(items[k], rng)
        labels: dict[str, object] = {"file": "copy.csv"}
        if other == "person":
            labels["subject"] = str(rng.choice([i.row.subject for i in items if i.row.subject != items[k].row.subject]))
        else:
            others = sorted({i.row.movement for i in items} - {items[k].row.movement, ""})
            if not others:
                return None
            labels["movement"] = str(rng.choice(others))
        return Plant([*items, copy.with_labels(**labels)], ("duplicate", "near-duplicate"), ("copy.csv",))

    return plant


def exact(item: Item, rng: Rng) -> Item:
    return item


def rescaled(item: Item, rng: Rng) -> Item:
    gain = 10 ** rng.uniform(np.log10(0.3), np.log10(3))
    return item.with_samples(rounded(item.recording.samples * gain, item))


def inverted(item: Item, rng: Rng) -> Item:
    return item.with_samples(-item.recording.samples)


def resampled(item: Item, rng: Rng) -> Item:
    rate_hz = item.recording.rate_hz
    ways = [(4, 5), (1, 2), (2, 1), (5, 4), (256, 250)]
    up, down = ways[int(rng.choice([i for i, (u, d) in enumerate(ways) if rate_hz * u / d >= 200]))]
    samples = resample_poly(item.recording.samples, up, down, axis=1)
    return item.with_samples(rounded(samples, item), rate_hz=rate_hz * up / down)


def trimmed(item: Item, rng: Rng) -> Item:
    n = item.recording.n_samples
    start, stop = int(rng.uniform(0, 0.3) * n), int(rng.uniform(0.7, 1) * n)
    return item.with_samples(item.recording.samples[:, start:stop].copy())


def noisy(item: Item, rng: Rng) -> Item:
    step = step_of(item)
    samples = item.recording.samples
    return item.with_samples(rounded(samples + step * rng.uniform(-1, 1, samples.shape), item))


def one_channel(item: Item, rng: Rng) -> Item:
    k = int(rng.integers(len(item.recording.samples)))
    samples = item.recording.samples[k : k + 1] * rng.uniform(0.5, 2)
    return item.with_samples(rounded(samples, item), channel_names=("ch",), numbers=())


# People


def with_second_name(items: list[Item], rng: Rng, *, n_people: int, n_recordings: int) -> Plant | None:
    """A random half of the recordings of one person has another name; None with too few people or recordings."""
    counts = Counter(item.row.subject for item in items)
    people = sorted(p for p, n in counts.items() if n >= n_recordings)
    if len(counts) < n_people or not people:
        return None
    person = str(rng.choice(people))
    own = [i for i, item in enumerate(items) if item.row.subject == person]
    renamed = {int(i) for i in rng.permutation(own)[: len(own) // 2]}
    named = [item.with_labels(subject="OTHER") if i in renamed else item for i, item in enumerate(items)]
    return Plant(named, ("lookalikes",), (f"{person} and OTHER", f"OTHER and {person}"))


def two_names(items: list[Item], rng: Rng) -> Plant | None:
    """A random half of the recordings of one person has another name."""
    return with_second_name(items, rng, n_people=3, n_recordings=28)


def two_names_of_one_body(items: list[Item], rng: Rng) -> Plant | None:
    """The manifest states age, height and weight; half of the recordings of one person have another name."""
    people = sorted({item.row.subject for item in items})
    bodies = {
        subject: {"age": str(a), "height_cm": str(h), "weight_kg": str(w)}
        for subject, a, h, w in zip(
            people, rng.integers(20, 40, 99), rng.integers(155, 195, 99), rng.integers(50, 95, 99), strict=False
        )
    }
    stated = [item.with_labels(extra=item.row.extra | bodies[item.row.subject]) for item in items]
    return with_second_name(stated, rng, n_people=5, n_recordings=2)


# Channels


def reordered(how: str, *, sessions: bool = True) -> Planter:
    """The channels of a person's second session, or of one recording: swapped, shifted, mirrored or one inverted."""

    def plant(items: list[Item], rng: Rng) -> Plant | None:
        n = items[0].recording.samples.shape[0]
        if n < 4 or not items[0].row.repetition.isdigit() or any(len(i.recording.samples) != n for i in items):
            return None
        order, sign = np.arange(n), np.ones((n, 1))
        if how == "swapped":
            a, b = rng.choice(n, 2, replace=False)
            order[[a, b]] = order[[b, a]]
        elif how == "shifted":
            order = np.roll(order, int(rng.integers(1, n)))
        elif how == "mirrored":
            order = np.roll(order[::-1], int(rng.integers(n)))
        else:
            sign[rng.integers(n)] = -1
        if sessions:
            items = [item.with_labels(session=f"day{int(item.row.repetition) % 2}") for item in items]
        person = str(rng.choice(sorted({item.row.subject for item in items})))
        own = [i for i, item in enumerate(items) if item.row.subject == person]
        own = [i for i in own if items[i].row.session == "day1"] if sessions else [int(rng.choice(own))]
        for i in own:
            items = changed(items, i, items[i].with_samples(sign * items[i].recording.samples[order]))
        return Plant(items, ("channels",), tuple(items[i].row.file for i in own))

    return plant


# Units


def scaled(power: int, *, filtered: bool = False) -> Planter:
    """The values of a recording are a power of ten too large or too small. ``filtered``: no file shows its steps."""

    def plant(items: list[Item], rng: Rng) -> Plant:
        k = int(rng.integers(len(items)))
        factor = 10.0 ** (power if rng.random() < 0.5 else -power)
        items = changed(items, k, items[k].with_samples(items[k].recording.samples * factor))
        if filtered:
            items = [without_steps(item) for item in items]
        return Plant(items, ("unit",), (items[k].row.file,))

    return plant


def without_steps(item: Item) -> Item:
    described = item.audited.description
    unknown = replace(described, step=np.full_like(described.step, np.nan))
    return replace(item, audited=replace(item.audited, description=unknown))


def without_landmarks(item: Item) -> Item:
    described = item.audited.description
    none = replace(
        described, landmarks=described.landmarks[:0], landmark_s=described.landmark_s[:0],
        landmark_channel=described.landmark_channel[:0],
    )  # fmt: skip
    return replace(item, audited=replace(item.audited, description=none))


# Labels


def relabelled(column: str) -> Planter:
    """One row of the manifest has a wrong label, and the file name or the person's other rows state the right one."""

    def plant(items: list[Item], rng: Rng) -> Plant | None:
        k = int(rng.integers(len(items)))
        others = sorted({getattr(i.row, column) for i in items} - {getattr(items[k].row, column), ""})
        if not others:
            return None
        item = items[k].with_labels(**{column: str(rng.choice(others))})
        return Plant(changed(items, k, item), ("labels",), (item.row.file, f"subject {item.row.subject} has"))

    return plant


def overlapping(items: list[Item], rng: Rng) -> Plant | None:
    """Two rows of one recording overlap in time and have two movements."""
    k = int(rng.integers(len(items)))
    item, row = items[k], items[k].row
    others = sorted({i.row.movement for i in items} - {row.movement, ""})
    if not others:
        return None
    middle = item.recording.duration_s * rng.uniform(0.3, 0.7)
    rows = (replace(row, stop_s=middle), replace(row, start_s=0.8 * middle, movement=str(rng.choice(others))))
    return Plant(changed(items, k, Item.of(rows, item.recording)), ("overlap",), (row.file,))


PLANTERS: dict[str, Planter] = {
    "stated rate ten times too high or too low": stated_rate(10, 0.1),
    "stated rate twice too high or too low": stated_rate(2, 0.5),
    "sampled at half or twice the rate, stated like the others": sampled_at_half,
    "copy, exact": copied(exact),
    "copy, rescaled by 0.3 to 3, rounded": copied(rescaled),
    "copy, inverted": copied(inverted),
    "copy, resampled": copied(resampled),
    "copy, trimmed": copied(trimmed),
    "copy, with noise of one step": copied(noisy),
    "copy of one channel, rescaled": copied(one_channel),
    "copy, rescaled, with another movement": copied(rescaled, other="movement"),
    "one person under two names": two_names,
    "one person under two names, equal body": two_names_of_one_body,
    "session: two channels swapped": reordered("swapped"),
    "session: channels shifted around the ring": reordered("shifted"),
    "session: channels mirrored": reordered("mirrored"),
    "session: one channel inverted": reordered("inverted"),
    "one recording: two channels swapped": reordered("swapped", sessions=False),
    "one recording: channels mirrored": reordered("mirrored", sessions=False),
    "values ten times too large or too small": scaled(1),
    "values 1000 times too large or too small": scaled(3),
    "the same, ten times, files without steps": scaled(1, filtered=True),
    "the same, 1000 times, files without steps": scaled(3, filtered=True),
    "movement differs from the file name": relabelled("movement"),
    "gender differs from the file name or the person": relabelled("gender"),
    "one stretch with two movements": overlapping,
}
WHOLE_HALF = (two_names, two_names_of_one_body)
