"""Compare the labels of `semg-hht label` with the truth of simulated people and with labels set by eye.

    python benchmarks/labels.py [--data FOLDER] [--people 8]

Simulated: a goniometer beside simulated EMG, by drift, sign and lag; the repetitions are those that `find_repetitions`
detects, and the true ones. Real: FOLDER contains grip_force/ and knee_angle/; the labels set by eye are those of
tests/references/sensor_labels_seen.json, and each disagreement is listed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.matrices.transform import configure
from semg_hht.recordings.sensor import read_sensor
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.repetitions import SegmentConfig, repetitions_in
from semg_hht.signals.sensor_alignment import align, envelope_of
from semg_hht.signals.sensor_labels import (
    LabelConfig,
    SensorLabel,
    best_of,
    label_excursions,
    measure,
    no_movement,
)
from semg_hht.signals.simulate import SimulationConfig, simulate_people
from semg_hht.signals.simulated_sensor import SimulatedSensor, simulate_sensor

ROOT = Path(__file__).resolve().parents[1]
CONFIG = LabelConfig()
Spans = list[tuple[float, float]]


@dataclass(frozen=True)
class Emg:
    """The envelope of a recording, and how it was sampled."""

    samples: np.ndarray
    rate_hz: float
    envelope: np.ndarray


def labels_of(sensor: np.ndarray, rate_hz: float, envelope: np.ndarray, spans: Spans) -> list[SensorLabel]:
    period_s = float(np.median(np.diff([start for start, _ in spans]))) if len(spans) > 1 else 5.0
    movement = align(sensor, rate_hz, envelope, CONFIG.lag, period_s)
    excursions = measure(movement, spans)
    silent = no_movement(movement, excursions)
    if silent:
        return [SensorLabel("", float("nan"), 0.0, silent) for _ in spans]
    return label_excursions(excursions, best_of(excursions)[0], CONFIG)


def share(right: int, n: int) -> str:
    return f"{right}/{n} = {right / n:.1%}"


def simulated(n_people: int, seed: int) -> None:
    people = simulate_people(SimulationConfig(n_subjects=n_people, n_repetitions=4), seed)
    filtered = [preprocess(p.recording.samples, p.recording.rate_hz, FilterConfig()) for p in people]
    emg = [
        Emg(samples, p.recording.rate_hz, envelope_of(samples, p.recording.rate_hz))
        for samples, p in zip(filtered, people, strict=True)
    ]
    detected = [
        [(r.start / e.rate_hz, r.stop / e.rate_hz) for r in repetitions_in(e.samples, e.rate_hz, SegmentConfig())]
        for e in emg
    ]
    totals: Counter[str] = Counter()
    sys.stdout.write(f"simulated people: {n_people}, {sum(len(p.repetitions) for p in people)} repetitions\n")
    sys.stdout.write("  drift  sign  lag (s)   true times          detected times\n")
    for drift, is_reversed, lag_s in itertools.product((0.0, 0.5, -1.0), (False, True), (-0.5, -0.2, 0.0, 0.2, 0.5)):
        sensor = SimulatedSensor(drift=drift, is_reversed=is_reversed, lag_s=lag_s, rate_hz=100.0)
        counts: Counter[str] = Counter()
        for person, e, spans in zip(people, emg, detected, strict=True):
            angle = simulate_sensor(person, sensor, seed)
            truth = [(r.start_s, r.stop_s) for r in person.repetitions]
            for true, found in zip(person.repetitions, labels_of(angle, 100.0, e.envelope, truth), strict=True):
                counts["n"] += 1
                counts["right"] += found.label == true.movement
            for (start_s, stop_s), found in zip(spans, labels_of(angle, 100.0, e.envelope, spans), strict=True):
                middle_s = (start_s + stop_s) / 2
                true_label = next((r.movement for r in person.repetitions if r.start_s <= middle_s < r.stop_s), None)
                counts["n detected"] += true_label is not None
                counts["right detected"] += found.label == true_label
        totals += counts
        sign = "-" if is_reversed else "+"
        sys.stdout.write(
            f"  {drift:5.1f}  {sign:>4}  {lag_s:7.1f}   {share(counts['right'], counts['n']):18}  "
            f"{share(counts['right detected'], counts['n detected'])}\n"
        )
    sys.stdout.write(
        f"  all                    {share(totals['right'], totals['n']):18}  "
        f"{share(totals['right detected'], totals['n detected'])}\n"
    )


def seen_by_a_person(data: Path) -> None:
    seen = json.loads((ROOT / "tests" / "references" / "sensor_labels_seen.json").read_text(encoding="utf-8"))
    total: Counter[str] = Counter()
    for dataset, band_hz, channel in (("grip_force", (20, 95), "Force"), ("knee_angle", (20, 450), "")):
        counts: Counter[str] = Counter()
        lines = []
        for job in find_jobs(data / dataset / "manifest.csv"):
            marked = seen.get(f"{dataset}/{job.file}")
            if marked is None:
                continue
            recording = open_filtered(job, configure(band_hz=band_hz).filter).filtered.select(())
            sensor = read_sensor(job.path, channel, rate_hz=job.rows[0].rate_hz)
            envelope = envelope_of(recording.samples, recording.rate_hz)
            spans = [(start, stop) for start, stop, _, _ in marked]
            labels = labels_of(sensor.samples, sensor.rate_hz, envelope, spans)
            for number, ((_, _, person, level), found) in enumerate(zip(marked, labels, strict=True), start=1):
                if person is None:
                    continue
                kind = "same" if found.label == person else "open" if not found.label else "other"
                counts[kind] += 1
                if kind != "same":
                    lines.append(
                        f"    {job.file} {number}: by eye {person or 'open'} ({level:.0%}), the sensor "
                        f"{found.label or 'open'} ({found.share:.0%}) {found.remark}"
                    )
        total += counts
        sys.stdout.write(f"{dataset}: {_agreement(counts)}\n" + "".join(f"{line}\n" for line in lines))
    sys.stdout.write(f"both: {_agreement(total)}\n")


def _agreement(counts: Counter[str]) -> str:
    return f"{share(counts['same'], counts.total())} as by eye; left open {counts['open']}, other {counts['other']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="folder with grip_force/ and knee_angle/; none: simulated people only"
    )
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    simulated(args.people, args.seed)
    if args.data is not None:
        seen_by_a_person(args.data)


if __name__ == "__main__":
    main()
