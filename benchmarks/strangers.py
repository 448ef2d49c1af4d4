"""How many repetitions a run calls unlike its training data: of new people (few should be), of strangers (all should).

    python benchmarks/strangers.py --data FOLDER [--rows ...] [--recipe auto] [--n_each 12] [--n_strangers 16]
        [--quick]

FOLDER holds contraction_intensity/, myo_armband/, elbow_flexors/, grip_force/, knee_angle/ and formats/hilbert_matrix/.
For each set a small run is trained on two thirds of its people and answers the last third, three times in turn, so that
every person is new once (goal: at most 5 % called unlike). The first run also answers 15 kinds of strangers (goal: at
least 95 % called unlike). Each repetition is a recording of its own. ``--quick``: few repetitions, one run a set, few
people in the sets that strangers are from.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy
from experiment import ARMBAND, FOREARM, folder_or_temporary, parser_of

from semg_hht import InputError
from semg_hht.datasets.find_inputs import InputOptions, find_jobs
from semg_hht.datasets.segment import open_segmented
from semg_hht.evaluation.metrics import ece
from semg_hht.inference.answers import Prediction
from semg_hht.inference.svm_inputs import AUTO, RECIPES
from semg_hht.learning.dataset import Dataset, from_examples
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.split import Split
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.matrices.transform import PipelineConfig, configure, transform_all
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.jobs import read_job
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Recording, write_recording
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.signals.simulate import SimulationConfig, simulate_people

N_FOLDS = 3
SIMULATED = "simulated"
N_SIMULATED = 18  # people
HEART_WAVES = ((0.0, 0.012, 1.0), (-0.03, 0.01, -0.15), (0.03, 0.01, -0.25), (0.25, 0.05, 0.25), (-0.16, 0.03, 0.12))
Change = Callable[[Recording], Recording]


@dataclass(frozen=True)
class Repetition:
    """One repetition as a recording of its own, and its labels."""

    row: ManifestRow
    recording: Recording


@dataclass(frozen=True)
class Kind:
    """A set of recordings that a run is trained on.

    folder : below the folder of all data; ``simulated``.
    is_cut : each file holds one repetition; the others are segmented.
    motions : values of the column ``motion``, or of ``movement``, that the run is trained on; empty: all. The others
        are the stranger "another exercise".
    muscles, exercise : sets whose recordings, resampled, are the strangers "another muscle" and "another exercise".
    """

    name: str
    folder: str
    task: str
    muscles: str
    exercise: str = ""
    is_cut: bool = True
    motions: tuple[str, ...] = ()

    def repetitions(self, data: Path, n_each: int, n_people: int | None = None) -> list[Repetition]:
        """At most ``n_each`` of each person, spread over the recordings, of everyone or at most ``n_people``."""
        is_simulated = self.folder == SIMULATED
        everything = _simulated() if is_simulated else _recorded(data / self.folder, self.is_cut, n_people)
        by_person: dict[str, list[Repetition]] = {}
        for repetition in everything:
            by_person.setdefault(_person(repetition.row), []).append(repetition)
        return [own[i] for own in by_person.values() for i in _spread(len(own), n_each)]

    def trains_on(self, row: ManifestRow) -> bool:
        return not self.motions or row.extra.get("motion", row.movement) in self.motions


GRIP, KNEE, ELBOW = "grip_force", "knee_angle", "elbow_flexors"
KINDS = (
    Kind("forearm", FOREARM, "action_quality", ELBOW),
    Kind("armband", ARMBAND, "gender", FOREARM, GRIP),
    Kind("elbow", ELBOW, "action_quality", KNEE, is_cut=False),
    Kind("simulated", SIMULATED, "action_quality", ELBOW),
    Kind("forearm, C2 and C3", FOREARM, "action_quality", ELBOW, motions=("C2", "C3")),
    Kind("armband, 4 of 7 gestures", ARMBAND, "gender", FOREARM,
         motions=("gesture0", "gesture1", "gesture2", "gesture3")),
)  # fmt: skip


def _spread(n: int, n_wanted: int) -> list[int]:
    return sorted(set(np.linspace(0, n - 1, min(n, n_wanted)).astype(int).tolist()))


def _person(row: ManifestRow) -> str:
    return row.subject or row.file


def _cut(recording: Recording, start_s: float | None, stop_s: float | None) -> Recording:
    start = round((start_s or 0.0) * recording.rate_hz)
    stop = None if stop_s is None else round(stop_s * recording.rate_hz)
    return replace(recording, samples=recording.samples[:, start:stop])


def _recorded(folder: Path, is_cut: bool, n_people: int | None) -> Iterator[Repetition]:
    jobs = find_jobs(folder / "manifest.csv")
    people = list(dict.fromkeys(_person(job.rows[0]) for job in jobs))
    chosen = {people[i] for i in _spread(len(people), n_people or len(people))}
    for job in jobs:
        if _person(job.rows[0]) not in chosen:
            continue
        if is_cut:
            yield Repetition(job.rows[0], read_job(job).select(()))
            continue
        try:
            source = open_segmented(job, PipelineConfig().filter, SegmentConfig())
        except InputError:  # no repetition was found in it
            continue
        raw = source.raw.select(())
        yield from (Repetition(row, _cut(raw, row.start_s, row.stop_s)) for row in source.job.rows)


def _simulated() -> Iterator[Repetition]:
    for simulated in simulate_people(SimulationConfig(n_subjects=N_SIMULATED), 7):
        for truth in simulated.repetitions:
            row = ManifestRow("", simulated.person.subject, movement=truth.movement, gender=simulated.person.gender)
            yield Repetition(row, _cut(simulated.recording, truth.start_s, truth.stop_s))


def as_in(recording: Recording, other: Recording) -> Recording:
    """A recording resampled to the rate of another, with as many channels, repeated where it has fewer."""
    samples = recording.samples
    if recording.rate_hz != other.rate_hz:
        ratio = Fraction(other.rate_hz / recording.rate_hz).limit_denominator(1000)
        samples = scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator, axis=1)
    chosen = np.arange(len(other.samples)) % len(samples)
    return replace(
        recording,
        samples=np.ascontiguousarray(samples[chosen]),
        rate_hz=other.rate_hz,
        channel_names=other.channel_names,
        numbers=(),
        non_emg=(),
    )


def changes(repetitions: Sequence[Repetition], rng: np.random.Generator) -> dict[str, Change]:
    """Stranger -> how it is made of a repetition; noise, hum and ECG are as strong as the median repetition."""
    level = float(np.median([np.std(r.recording.samples, axis=1).mean() for r in repetitions]))
    n_channels = len(repetitions[0].recording.samples)

    def with_samples(r: Recording, samples: np.ndarray) -> Recording:
        return replace(r, samples=samples)

    def noise(times: float) -> Change:
        return lambda r: with_samples(r, times * level * rng.normal(size=r.samples.shape))

    def hum(r: Recording) -> Recording:
        time_s = np.arange(r.n_samples) / r.rate_hz
        waves = [3 * level * np.sin(2 * np.pi * 50 * time_s + phase) for phase in rng.uniform(0, 0.3, len(r.samples))]
        return with_samples(r, np.stack(waves) + 0.05 * level * rng.normal(size=r.samples.shape))

    def heart(r: Recording) -> Recording:
        time_s, beats = np.arange(r.n_samples) / r.rate_hz, np.zeros(r.n_samples)
        for start_s in np.arange(rng.uniform(0, 0.8), r.duration_s, 0.8):
            for delay_s, width_s, height in HEART_WAVES:
                beats += height * np.exp(-(((time_s - start_s - delay_s) / width_s) ** 2) / 2)
        sizes = rng.uniform(0.5, 1.5, (len(r.samples), 1))
        return with_samples(r, 8 * level * sizes * beats + 0.05 * level * rng.normal(size=r.samples.shape))

    def clipped(r: Recording) -> Recording:
        limit = np.quantile(np.abs(r.samples), 0.8, axis=1, keepdims=True)
        return with_samples(r, np.clip(r.samples, -limit, limit))

    def at_other_rate(r: Recording) -> Recording:
        rate_hz = 200.0 if r.rate_hz >= 1000 else 1000.0
        return as_in(r, replace(r, rate_hz=rate_hz))

    def without_last(r: Recording) -> Recording:
        return replace(r, samples=r.samples[:-1], channel_names=r.channel_names[:-1], numbers=())

    found: dict[str, Change] = {
        "noise, a tenth as strong": noise(0.1),
        "noise, as strong": noise(1),
        "noise, ten times as strong": noise(10),
        "200 Hz for 1000 Hz and more, or 1000 for 200": at_other_rate,
        "amplitude x 100": lambda r: with_samples(r, 100 * r.samples),
        "amplitude x 0.01": lambda r: with_samples(r, 0.01 * r.samples),
        "hum of 50 Hz": hum,
        "ECG": heart,
        "clipped (a fifth of the samples)": clipped,
    }
    if n_channels > 1:
        turned = np.roll(np.arange(n_channels), n_channels // 2)
        found |= {
            "channels permuted, with their names": lambda r: replace(
                r, samples=r.samples[turned], channel_names=tuple(r.channel_names[i] for i in turned), numbers=()
            ),
            "channels permuted, names kept": lambda r: with_samples(r, r.samples[turned]),
            "a channel missing": without_last,
        }
    return found


def write(repetitions: Sequence[Repetition], folder: Path) -> Path:
    """One file a repetition and their manifest, whose path is returned."""
    folder.mkdir(parents=True)
    rows = []
    for number, repetition in enumerate(repetitions):
        recording = repetition.recording
        write_recording(recording, folder / f"{number:04d}.npz")
        row = repetition.row
        rows.append(
            ManifestRow(
                f"{number:04d}.npz", row.subject, movement=row.movement, gender=row.gender,
                rate_hz=recording.rate_hz, units=recording.units,
            )
        )  # fmt: skip
    (folder / "manifest.csv").write_text(manifest_text(rows), encoding="utf-8")
    return folder / "manifest.csv"


def trained(dataset: Dataset, new: set[str], folder: Path, kind: Kind, options: argparse.Namespace) -> Run:
    """A run trained on everyone but ``new``; a quarter of the others picks the epoch and calibrates."""
    people = [person for person in dict.fromkeys(dataset.subjects) if person not in new]
    validation = set(people[:: max(2, min(4, len(people) // 2))])
    fitting, tuning, final = (
        np.flatnonzero([person in side for person in dataset.subjects])
        for side in (set(people) - validation, validation, new)
    )
    config = TrainingConfig(
        epochs=options.epochs, learning_rate=options.learning_rate, seed=options.seed, recipe=options.recipe
    )
    size, own = NetworkSize(base_channels=options.base_channels), RunOptions(kind.task, cpu=True)
    train(dataset, folder, config, size, own, split=Split(fitting, tuning, final, "subject"))
    return open_run(folder, cpu=True)


def answered(run: Run, manifest: Path) -> list[Prediction]:
    return list(run.predict(manifest, InputOptions(whole=True)).predictions)


def named(run: Run, inputs: Path) -> tuple[int, int]:
    """How many of how many are called unlike, or refused: a run of measures says what a file lacks."""
    found = run.predict(inputs, InputOptions(whole=True))
    n_unlike = sum(bool(prediction.unlike) for prediction in found.predictions)
    return n_unlike + len(found.errors), len(found.predictions) + len(found.errors)


@dataclass
class Counts:
    """How many of how many were called unlike the training data: of new people, and of each stranger."""

    new_people: tuple[int, int]
    reasons: Counter[str]  # of those for new people
    strangers: dict[str, tuple[int, int]] = field(default_factory=dict)
    calibration: str = ""


def error_of_calibrated(probabilities: np.ndarray, keys: Sequence[str | int], n_draws: int = 200) -> float:
    """Mean calibration error of answers of this confidence that are right as often as they say: it is not 0.

    keys : answers of one key are right together, and the fewer keys there are the larger is the error.
    """
    rng = np.random.default_rng(0)
    best, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    names, of_answer = np.unique(np.array(keys), return_inverse=True)
    errors = []
    for _ in range(n_draws):
        is_wrong = rng.random(len(names))[of_answer] >= confidence
        errors.append(ece((best + is_wrong) % probabilities.shape[1], probabilities))
    return float(np.mean(errors))


def measured(kind: Kind, out: Path, options: argparse.Namespace) -> Counts:
    """Train the runs of a set and count."""
    everyone = kind.repetitions(options.data, options.n_each)
    own = [repetition for repetition in everyone if kind.trains_on(repetition.row)]
    config = configure(mains_hz=50.0)
    results = transform_all(find_jobs(write(own, out / "own")), config)
    dataset = from_examples(results)
    people = sorted(set(dataset.subjects))
    unlike: list[bool] = []
    reasons: Counter[str] = Counter()
    true: list[int] = []
    probabilities: list[list[float]] = []
    of_person: list[str] = []
    first: Run | None = None
    for fold in range(1 if options.quick else N_FOLDS):
        new = set(people[fold::N_FOLDS])
        run = trained(dataset, new, out / f"run{fold}", kind, options)
        first = first or run
        held_out = [repetition for repetition in own if repetition.row.subject in new]
        for prediction, repetition in zip(answered(run, write(held_out, out / f"new{fold}")), held_out, strict=True):
            unlike.append(bool(prediction.unlike))
            reasons.update(reason.name for reason in prediction.unlike)
            if not prediction.unlike:
                answer = prediction.answers[kind.task]
                true.append(list(answer.probabilities).index(repetition.row.label(kind.task)))
                probabilities.append([*answer.probabilities.values()])
                of_person.append(repetition.row.subject)
    assert first is not None
    counts = Counts((sum(unlike), len(unlike)), reasons)
    if len(people) >= 15:
        table = np.array(probabilities)
        right = np.mean(table.argmax(axis=1) == true)
        apart, together = (error_of_calibrated(table, keys) for keys in (range(len(true)), of_person))
        counts.calibration = (
            f"{ece(np.array(true), table):.3f} ({right:.2f} right at a mean confidence of "
            f"{table.max(axis=1).mean():.2f}; {len(true)} answers for {len(people)} people; exactly calibrated ones "
            f"would have {apart:.3f}, and {together:.3f} if those of a person are right together)"
        )
    for name, repetitions in strangers(kind, everyone, options).items():
        counts.strangers[name] = named(
            first, write(repetitions, out / "strangers" / name.replace(" ", "_").replace(",", ""))
        )
    counts.strangers["a matrix of another tool"] = named(first, options.data / "formats" / "hilbert_matrix")
    return counts


def strangers(kind: Kind, everyone: list[Repetition], options: argparse.Namespace) -> dict[str, list[Repetition]]:
    """Stranger -> repetitions; of people of the set, changed, or of other sets, resampled."""
    rng = np.random.default_rng(options.seed)
    own = [repetition for repetition in everyone if kind.trains_on(repetition.row)]
    others = [repetition for repetition in everyone if not kind.trains_on(repetition.row)]
    some = [own[i] for i in _spread(len(own), options.n_strangers)]
    found: dict[str, list[Repetition]] = {}
    if others:
        return {"another exercise": [others[i] for i in _spread(len(others), 4 * options.n_strangers)]}
    for name, change in changes(own, rng).items():
        found[name] = [replace(repetition, recording=change(repetition.recording)) for repetition in some]
    simulated = Kind(SIMULATED, SIMULATED, "", "")
    other_sets = {"another muscle": kind.muscles, "another exercise": kind.exercise}
    other_sets["a simulated person, or a real one"] = ELBOW if kind.folder == SIMULATED else SIMULATED
    for name, folder in other_sets.items():
        if not folder:
            continue
        other = simulated if folder == SIMULATED else Kind("", folder, "", "", is_cut=folder in (FOREARM, ARMBAND))
        strange = other.repetitions(options.data, 2, options.n_strangers if options.quick else None)
        found[name] = [
            replace(strange[i], recording=as_in(strange[i].recording, own[0].recording))
            for i in _spread(len(strange), options.n_strangers)
        ]
    return found


def main() -> None:
    parser = parser_of(__doc__, [])
    parser.set_defaults(rows=[kind.name for kind in KINDS], epochs=3, base_channels=4)
    parser.add_argument("--recipe", choices=list(RECIPES), default=AUTO)
    parser.add_argument("--n_each", type=int, default=12, help="repetitions of each person")
    parser.add_argument("--n_strangers", type=int, default=16, help="repetitions of each kind of stranger")
    options = parser.parse_args()
    if options.quick:
        options.n_each, options.n_strangers, options.epochs = 6, 3, 1
    kinds = [kind for kind in KINDS if kind.name in options.rows]
    counted: dict[str, Counts] = {}
    with folder_or_temporary(options.out) as out:
        for kind in kinds:
            counted[kind.name] = measured(kind, out / kind.name.replace(" ", "_").replace(",", ""), options)
            print(f"{kind.name}: {counted[kind.name]}", flush=True)
    print(f"\n| called unlike the training data | {' | '.join(counted)} |\n|---|{'---|' * len(counted)}")
    rows = {"new people of the same kind": {name: c.new_people for name, c in counted.items()}}
    for name, counts in counted.items():
        for stranger, count in counts.strangers.items():
            rows.setdefault(stranger, {})[name] = count
    for stranger, by_set in rows.items():
        cells = [f"{by_set[name][0]} of {by_set[name][1]}" if name in by_set else "" for name in counted]
        print(f"| {stranger} | {' | '.join(cells)} |")
    for name, counts in counted.items():
        if counts.calibration:
            print(f"calibration error for new people, {name}: {counts.calibration}")


if __name__ == "__main__":
    main()
