"""Measure `semg-hht check` on recordings: plant each kind of fault, count how many are found, and count false alarms.

    python benchmarks/audit.py --data FOLDER [--plants 100] [--half measured|tuned|all]
    python benchmarks/audit.py --quick

FOLDER holds data sets, each a folder with a manifest.csv. People are halved within each set: every second one, in order
of the names, is `measured`, and thresholds were chosen on the other half (`tuned`). Each plant changes recordings of a
random draw of the set: about 24 recordings of at most eight people, or the whole half for a person under two names.
A plant is found if a finding of its kind names it that the draw did not have before. `--quick` plants a few faults in
simulated recordings.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from semg_hht.audit import AuditedExample, Finding, audit_examples
from semg_hht.audit.recording_description import describe
from semg_hht.audit.recordings_compared import AuditedRecording, audit_recordings
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.simulated import write_simulation
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import read_job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording
from semg_hht.signals.simulate import SimulationConfig

MIN_RECORDINGS = 5  # of the measured half of a set
MAX_PEOPLE, MAX_RECORDINGS, N_DRAWS = 8, 24, 5  # in a draw, and of a set
KINDS = {"rate", "unit", "channels", "duplicate", "near-duplicate", "lookalikes", "overlap", "labels"}
NO_FAULTS = ("without a label", "nothing is labelled")  # findings on sets that have no labels


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


def findings_of(items: Sequence[Item]) -> list[Finding]:
    """What `check` reports on recordings, without remarks on single files."""
    found = audit_recordings([item.audited for item in items], {})
    found += audit_examples([example for item in items for example in item.examples])
    return [
        f for f in found if f.what in KINDS and f.severity != "note" and not any(s in f.sentence for s in NO_FAULTS)
    ]


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


def two_names(items: list[Item], rng: Rng) -> Plant | None:
    """A random half of the recordings of one person has another name."""
    counts = Counter(item.row.subject for item in items)
    people = sorted(p for p, n in counts.items() if n >= 28)
    if len(counts) < 3 or not people:
        return None
    person = str(rng.choice(people))
    own = [i for i, item in enumerate(items) if item.row.subject == person]
    renamed = {int(i) for i in rng.permutation(own)[: len(own) // 2]}
    named = [item.with_labels(subject="OTHER") if i in renamed else item for i, item in enumerate(items)]
    return Plant(named, ("lookalikes",), (f"{person} and OTHER", f"OTHER and {person}"))


def two_names_of_one_body(items: list[Item], rng: Rng) -> Plant | None:
    """The manifest states age, height and weight; half of the recordings of one person have another name."""
    counts = Counter(item.row.subject for item in items)
    people = sorted(p for p, n in counts.items() if n >= 2)
    if len(counts) < 5 or not people:
        return None
    person = str(rng.choice(people))
    own = [i for i, item in enumerate(items) if item.row.subject == person]
    renamed = {int(i) for i in rng.permutation(own)[: len(own) // 2]}
    bodies = {
        subject: {"age": str(a), "height_cm": str(h), "weight_kg": str(w)}
        for subject, a, h, w in zip(
            sorted(counts), rng.integers(20, 40, 99), rng.integers(155, 195, 99), rng.integers(50, 95, 99), strict=False
        )
    }
    stated = [item.with_labels(extra=item.row.extra | bodies[item.row.subject]) for item in items]
    named = [item.with_labels(subject="OTHER") if i in renamed else item for i, item in enumerate(stated)]
    return Plant(named, ("lookalikes",), (f"{person} and OTHER", f"OTHER and {person}"))


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


def sets_in(folder: Path, half: str) -> Iterator[tuple[str, list[Item]]]:
    """Name and recordings of the chosen half of the people of each set."""
    for manifest in sorted(folder.glob("**/manifest*.csv")):
        try:
            jobs = find_jobs(manifest)
        except InputError:
            continue
        people = sorted({job.rows[0].subject for job in jobs})
        chosen = {"tuned": people[::2], "measured": people[1::2], "all": people}[half]
        items = []
        started = time.perf_counter()
        seconds = 0.0
        for job in jobs:
            if job.rows[0].subject in chosen:
                try:
                    recording = read_job(job).select(())
                except InputError:
                    continue
                started = time.perf_counter()
                items.append(Item.of(job.rows, recording))
                seconds += time.perf_counter() - started
        if len(items) >= MIN_RECORDINGS:
            size = max(item.audited.description.n_bytes for item in items)
            name = manifest.relative_to(folder).as_posix()
            print(f"{name}: {len(items)} recordings of {len(chosen)} people, {1000 * seconds / len(items):.0f} ms and "
                  f"at most {size / 1000:.1f} kB each", flush=True)  # fmt: skip
            yield name, items


def draw(items: list[Item], rng: Rng) -> list[Item]:
    """The recordings of at most eight people, about 24: of each label as many of each person, if possible."""
    people = sorted({item.row.subject for item in items})
    chosen = set(rng.choice(people, min(len(people), MAX_PEOPLE), replace=False))
    drawn = [item for item in items if item.row.subject in chosen]
    labels = sorted({(item.row.movement, item.row.extra.get("motion", "")) for item in drawn})
    by_label = defaultdict(list)
    for item in drawn:
        by_label[item.row.movement, item.row.extra.get("motion", "")].append(item)
    kept: list[Item] = []
    for i in rng.permutation(len(labels)):
        own = by_label[labels[i]]
        if not kept or len(kept) + len(own) <= MAX_RECORDINGS:
            kept += own
    return kept


class Draws:
    """Random draws of each set, and what is found in them before anything is planted."""

    def __init__(self, sets: dict[str, list[Item]]) -> None:
        self.sets = sets
        self._drawn: dict[tuple[str, int], tuple[list[Item], list[Finding]]] = {}

    def get(self, name: str, number: int) -> tuple[list[Item], list[Finding]]:
        """A draw of a set by its number; -1: all of the set."""
        if (name, number) not in self._drawn:
            items = self.sets[name] if number < 0 else draw(self.sets[name], np.random.default_rng(number))
            if number < 0:
                items = [without_landmarks(item) for item in items]  # copies are not the question: faster
            self._drawn[name, number] = items, findings_of(items)
        return self._drawn[name, number]


def is_found(plant: Plant, before: Sequence[Finding]) -> tuple[bool, int]:
    """Whether a new finding names the plant, and the number of new findings that do not."""
    known = {finding.sentence for finding in before}
    new = [finding for finding in findings_of(plant.items) if finding.sentence not in known]
    for finding in new:
        if not any(name in finding.files or name in finding.sentence for name in plant.names):
            print(f"beside: {finding.what}: {finding.sentence}", file=sys.stderr)
    hits = [any(name in f.files or name in f.sentence for name in plant.names) for f in new]
    found = any(hit and f.what in plant.kinds for hit, f in zip(hits, new, strict=True))
    return found, hits.count(False)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of data sets")
    parser.add_argument("--plants", type=int, default=100, help="of each kind, over all sets")
    parser.add_argument("--half", choices=("measured", "tuned", "all"), default="measured")
    parser.add_argument("--only", default="", help="a regular expression: plant these kinds alone")
    parser.add_argument("--quick", action="store_true", help="a few plants in simulated recordings")
    options = parser.parse_args(arguments)
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            simulation = SimulationConfig(3, n_sessions=2, n_repetitions=1, rate_hz=500.0)
            write_simulation(Path(folder) / "simulated", simulation, seed=0)
            measure(dict(sets_in(Path(folder), "all")), 2, options.only)
    elif options.data:
        measure(dict(sets_in(options.data, options.half)), options.plants, options.only)
    else:
        parser.error("expected --data FOLDER or --quick")


def measure(sets: dict[str, list[Item]], n_plants: int, only: str) -> None:
    n_recordings = n_named = 0
    for name, items in () if only else sets.items():
        started = time.perf_counter()
        found = findings_of(items)
        named = {file for finding in found for file in finding.files}
        n_recordings, n_named = n_recordings + len(items), n_named + len(named)
        seconds = time.perf_counter() - started
        print(f"{name}: {len(named)} of {len(items)} recordings named without a plant, {seconds:.1f} s")
        for finding in found:
            print(f"  {finding.what}: {finding.sentence}")
    print(
        f"named without a plant: {n_named} of {n_recordings} ({100 * n_named / max(1, n_recordings):.2f} in 100)\n",
        flush=True,
    )
    draws = Draws(sets)
    print("| planted | found | false alarms beside it | by set |\n|---|---|---|---|")
    for kind, planter in PLANTERS.items():
        if re.search(only, kind):
            print(row_of(kind, planter, draws, n_plants), flush=True)


def row_of(kind: str, planter: Planter, draws: Draws, n_plants: int) -> str:
    """Plant in the sets in turn; a set that can't take this kind is left out."""
    sets = draws.sets
    rng = np.random.default_rng(0)
    found: dict[str, list[bool]] = defaultdict(list)
    n_beside = 0
    usable = list(sets)
    n_done = 0
    while usable and n_done < n_plants:
        name = usable[n_done % len(usable)]
        number = -1 if planter in WHOLE_HALF else int(rng.integers(N_DRAWS))
        items, before = draws.get(name, number)
        plant = planter(items, rng)
        if plant is None:
            usable.remove(name)
            continue
        hit, beside = is_found(plant, before)
        found[name].append(hit)
        n_beside += beside
        n_done += 1
    by_set = ", ".join(f"{name.split('/')[0]} {sum(hits)}/{len(hits)}" for name, hits in found.items())
    return f"| {kind} | {sum(map(sum, found.values()))}/{n_done} | {n_beside} | {by_set} |"


if __name__ == "__main__":
    main()
