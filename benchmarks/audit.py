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
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from audit_plants import PLANTERS, WHOLE_HALF, Item, Plant, Planter, Rng, without_landmarks

from semg_hht import InputError
from semg_hht.audit import Finding, audit_examples
from semg_hht.audit.recordings_compared import audit_recordings
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.simulated import write_simulation
from semg_hht.recordings.jobs import read_job
from semg_hht.signals.simulate import SimulationConfig

MIN_RECORDINGS = 5  # of the measured half of a set
MAX_PEOPLE, MAX_RECORDINGS, N_DRAWS = 8, 24, 5  # in a draw, and of a set
KINDS = {"rate", "unit", "channels", "duplicate", "near-duplicate", "lookalikes", "overlap", "labels"}
NO_FAULTS = ("without a label", "nothing is labelled")  # findings on sets that have no labels


def findings_of(items: Sequence[Item]) -> list[Finding]:
    """What `check` reports on recordings, without remarks on single files."""
    found = audit_recordings([item.audited for item in items], {})
    found += audit_examples([example for item in items for example in item.examples])
    return [
        f for f in found if f.what in KINDS and f.severity != "note" and not any(s in f.sentence for s in NO_FAULTS)
    ]


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
