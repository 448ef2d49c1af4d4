"""Plant a column that is no muscle beside the muscles of real recordings, for `segmentation.py --planted`.

Each column is planted alone. Repetitions stay if each one has a counterpart without the column and the other way round,
which shares at least 0.7 of their union. "detected": all columns take part in the detection. "as read": the columns,
without names, first pass the decision on EMG channels, as those of a file do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from semg_hht.recordings.channels import ChannelDescription, decide_channels
from semg_hht.recordings.recording import Recording, read_recording
from semg_hht.signals.repetitions import Repetition, find_repetitions
from semg_hht.signals.simulate import SimulationConfig, coloured_noise, simulate_people

Array = NDArray[np.float64]

# Rounding of the band-pass filter made a constant look active or not, depending on its value.
CONSTANTS = (31.0, 192.0, 3.3, 0.1, 127.0, 4095.0, 32767.0, -1.0)
LONGEST_S = 20.0
SURE = 0.9  # a confidence above this tells the user that nothing is doubtful
MIN_SHARED = 0.7
WAYS = ("detected", "as read")


@dataclass(frozen=True)
class Source:
    """A real recording: muscles (n_channels, n_samples), and the force (n_samples,) that was recorded with them."""

    name: str
    muscles: Array
    rate_hz: float
    force: Array | None = None

    def resampled(self, rate_hz: float) -> Source:
        ratio = Fraction(rate_hz / self.rate_hz).limit_denominator(1000)
        if ratio == 1:
            return self
        resample = partial(scipy.signal.resample_poly, up=ratio.numerator, down=ratio.denominator, padtype="line")
        force = None if self.force is None else resample(self.force)
        return replace(self, muscles=resample(self.muscles, axis=1), rate_hz=rate_hz, force=force)


@dataclass
class Tally:
    """How often repetitions stayed the same, and the largest confidence of a repetition that came or went otherwise."""

    n_same: int = 0
    other: list[float] = field(default_factory=list)

    def add(self, before: list[Repetition], after: list[Repetition]) -> bool:
        """Compare the repetitions with those without the column; whether they stayed the same."""
        changed = without_counterpart(before, after) + without_counterpart(after, before)
        if changed:
            self.other.append(max(repetition.confidence for repetition in changed))
        else:
            self.n_same += 1
        return not changed

    @property
    def n(self) -> int:
        return self.n_same + len(self.other)

    @property
    def n_sure(self) -> int:
        return sum(confidence > SURE for confidence in self.other)


def sources(folder: Path) -> Iterator[Source]:
    """Recordings of five devices below ``folder``; those that are absent are left out."""
    formats = folder / "formats"
    paths = [
        *sorted((formats / "biosignalsnotebooks").glob("emg_bursts.h5")),
        *sorted((formats / "lower_limb").glob("*.csv"))[:2],
        *sorted((folder / "knee_angle").glob("*.txt"))[:12:4],
        *sorted((folder / "elbow_flexors").glob("*.mat"))[:40:20],
    ]
    for path in paths:
        rate_hz = 1000.0 if path.suffix != ".mat" else None
        recording = read_recording(path, rate_hz=rate_hz).select(())
        n = round(LONGEST_S * recording.rate_hz)
        yield Source(f"{path.parent.name}/{path.stem}", recording.samples[:4, :n], recording.rate_hz)
    for path in sorted((folder / "grip_force").glob("*.mat"))[:2]:
        file = scipy.io.loadmat(path, simplify_cells=True)
        muscles, force = np.asarray(file["emg"], float).T, np.ravel(file["Force"]).astype(float)
        n = round(LONGEST_S * 200)
        yield Source(f"grip_force/{path.stem}", np.ascontiguousarray(muscles[:, :n]), 200.0, force[:n])
    for person in ("Female1", "Male3"):
        files = (folder / "myo_armband" / person / "training0" / f"rec{i}.csv" for i in range(1, 5))
        pieces = [read_recording(path, rate_hz=200).samples for path in files if path.exists()]
        if pieces:
            yield Source(f"myo_armband/{person}", np.concatenate(pieces, axis=1), 200.0)


def simulated() -> Iterator[Source]:
    for person in simulate_people(SimulationConfig(n_subjects=4, n_channels=2), seed=100):
        recording = person.recording
        n = round(LONGEST_S * recording.rate_hz)
        yield Source(f"simulated/{recording.source}", recording.samples[:, :n], recording.rate_hz)


def columns(source: Source, rng: np.random.Generator) -> Iterator[tuple[str, NDArray[Any]]]:
    """Kinds of columns that are no muscle, (n_samples,)."""
    rate_hz, n = source.rate_hz, source.muscles.shape[1]
    time_s: Array = np.arange(n) / rate_hz
    muscle = source.muscles[0] - np.median(source.muscles[0])
    rms = float(np.sqrt(np.mean(muscle**2)))
    for value in CONSTANTS:
        yield "constant", np.full(n, value)
        yield "constant with rounding", value + np.spacing(value) * rng.integers(-1, 2, n)
    label = np.zeros(n)
    for i, start_s in enumerate(np.arange(1.1, time_s[-1] - 1, 3.4)):
        label[round(start_s * rate_hz) : round((start_s + 1.7) * rate_hz)] = 1 + i % 3
    trigger = 5.0 * ((time_s - 0.35) % 2.1 < 0.05)
    once = (np.arange(n) > 0.3 * n) & (np.arange(n) < 0.55 * n)
    yield "label", label
    yield "trigger, 5 V", trigger
    yield "trigger, 10 bit", np.round((trigger + 0.004 * rng.standard_normal(n)) * 204.6)
    yield "gated copy, by the label", muscle * (label > 0)
    yield "gated copy, once", muscle * once
    slow = scipy.signal.butter(2, 2.0, fs=rate_hz, output="sos")
    force = 80 * scipy.signal.sosfiltfilt(slow, (label > 0).astype(float)) if source.force is None else source.force
    yield "force", force
    yield "force, 12 bit", np.round(40 * force + 0.7 * rng.standard_normal(n))
    yield "clock, ms", 1000 * time_s
    yield "clock, since 1970", 1.7e9 + time_s
    yield "counter of 256", np.arange(n) % 256.0
    yield "ECG", 5 * rms * heart(time_s, rng) + 0.02 * rms * rng.standard_normal(n)
    yield "white noise", np.asarray(rms * rng.standard_normal(n))
    yield "hum, 50 Hz", 5 * rms * (np.sin(2 * np.pi * 50 * time_s + 1) + 2e-4 * rng.standard_normal(n))
    # A muscle takes part whatever its gain is, so one at rest lowers the contrast of the others.
    rest = coloured_noise(n, rate_hz, (60.0, min(120.0, 0.4 * rate_hz)), rng)
    yield "muscle at rest, 1000 times as large", 1000 * rms * rest


def heart(time_s: Array, rng: np.random.Generator) -> Array:
    """QRS complexes of height 1, about 70 a minute."""
    wave = np.zeros(time_s.size)
    for beat_s in np.cumsum(rng.normal(0.85, 0.04, int(time_s[-1] / 0.6) + 2)):
        x = (time_s - beat_s) / 0.012
        near = np.abs(x) < 8
        wave[near] += (1 - x[near] ** 2) * np.exp(-(x[near] ** 2) / 2)
    return wave


def shared(a: Repetition, b: Repetition) -> float:
    """The part of their union that two repetitions share."""
    return (min(a.stop, b.stop) - max(a.start, b.start)) / (max(a.stop, b.stop) - min(a.start, b.start))


def without_counterpart(some: list[Repetition], others: list[Repetition]) -> list[Repetition]:
    return [a for a in some if all(shared(a, b) < MIN_SHARED for b in others)]


def is_left_out(samples: Array) -> bool:
    """Whether the last of these columns (n_columns, n_samples), and no other, is no EMG by its samples."""
    names = [f"ch{i + 1}" for i in range(len(samples))]
    return decide_channels([ChannelDescription(name) for name in names], list(samples)).non_emg == (names[-1],)


def repetitions(samples: Array, rate_hz: float) -> list[Repetition]:
    names = tuple(f"ch{i + 1}" for i in range(len(samples)))
    return find_repetitions(Recording(np.ascontiguousarray(samples), rate_hz, names, source="planted"))


def measure(folder: Path | None, rates_hz: list[float], *, every: int = 1, quick: bool = False) -> None:
    """Print a table per rate and, below it, each change at a confidence above `SURE`.

    folder : of real recordings; None: simulated people.
    every : use only each recording of this number, from the first: high rates take long.
    quick : one recording.
    """
    found = list(simulated() if folder is None else sources(folder))[: 1 if quick else None : every]
    for rate_hz in rates_hz:
        tallies: dict[str, tuple[Tally, Tally]] = {}
        lines: list[str] = []
        for source in (source.resampled(rate_hz) for source in found):
            before = repetitions(source.muscles, rate_hz)
            for kind, column in columns(source, np.random.default_rng(0)):
                samples = np.vstack([source.muscles, column])  # (n_muscles + 1, n_samples)
                detected = repetitions(samples, rate_hz)
                read = before if is_left_out(samples) else detected
                both = tallies.setdefault(kind, (Tally(), Tally()))
                for way, tally, after in zip(WAYS, both, (detected, read), strict=True):
                    if not tally.add(before, after) and tally.other[-1] > SURE:
                        lines.append(f"  {source.name}, {kind}, {way}: {len(before)} repetitions, then {len(after)}")
        print(f"\n{rate_hz:g} Hz, {len(found)} recordings: how often repetitions stay the same beside a column")
        print(f"  {'column':36} {WAYS[0]:>10} {WAYS[1]:>10} {f'changed, confidence above {SURE:g}':>34}")
        for kind, both in tallies.items():
            show(kind, both)
        detected_tallies, read_tallies = zip(*tallies.values(), strict=True)
        show("all", (total(detected_tallies), total(read_tallies)))
        print("\n".join(lines), flush=True)


def total(tallies: Iterable[Tally]) -> Tally:
    tallies = list(tallies)
    return Tally(sum(tally.n_same for tally in tallies), [c for tally in tallies for c in tally.other])


def show(kind: str, both: tuple[Tally, Tally]) -> None:
    detected, read = both
    shares = [f"{tally.n_same}/{tally.n}" for tally in both]
    print(f"  {kind:36} {shares[0]:>10} {shares[1]:>10} {f'{detected.n_sure}, as read {read.n_sure}':>34}")
