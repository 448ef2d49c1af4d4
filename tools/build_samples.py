"""Make the recordings and the run that come with the package, in src/semg_hht/samples.

    python tools/build_samples.py --data FOLDER [--recipe auto] [--channels separate] [--out FOLDER]

FOLDER holds the 40 recordings and the manifest.csv of elbow_flexors (informacja/Collegium-Medicum, CC0). The same
command writes the same bytes with the same versions on the same kind of processor. ``--recordings`` makes the
recordings alone. The run is trained on the 17 men whose recordings are not shipped; its score is that of a
cross-validation over all 20 with the same settings.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import torch

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.prepare import prepare
from semg_hht.datasets.segment import with_repetitions
from semg_hht.evaluation.comparison import OURS, HeldOutAnswers
from semg_hht.evaluation.metrics import pool
from semg_hht.exports.export import export
from semg_hht.inference.exported import DESCRIPTION_FILE
from semg_hht.learning.checkpoint import load_model
from semg_hht.learning.crossvalidation import FoldOptions, cross_validate
from semg_hht.learning.dataset import Dataset, load_folder
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.folds import Fold, make_folds
from semg_hht.learning.split import Split, divide
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.manifest import ManifestRow, manifest_text, read_manifest
from semg_hht.samples.shipped import ALONE, METRICS, TOGETHER
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.files import read_json, write_json, write_text

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "semg_hht" / "samples"
N_SHIPPED = 3  # the men whose two recordings take the least space; together less than 2 MB
RATE_HZ = 2000.0  # half of the files state 20000 Hz, which their duration and their spectrum contradict
STEP_UV = 0.125  # samples are rounded to it: below the noise of a recorder, and half of the bytes
HEADER = b"MATLAB 5.0 MAT-file, from informacja/Collegium-Medicum (CC0), see README.md"  # without the date of writing
N_FOLDS = 5
MAX_RUN_BYTES, MAX_RECORDING_BYTES = 3_000_000, 2_000_000


def as_mat(path: Path) -> bytes:
    """A recording in the layout of the original (a struct of MATLAB), as MAT version 5, which SciPy reads."""
    with h5py.File(path) as file:
        name = next(key for key in file if not key.startswith("#"))
        struct = file[name]
        fields: dict[str, Any] = {}
        for key in ("ID", "sex", "posture", "amplitude_units", "frequency_units", "time_units"):
            value = struct[key][()].ravel()
            fields[key] = "".join(map(chr, value)) if value.dtype.kind == "u" else float(value[0])
        fields["sampling_frequency"] = RATE_HZ
        channels = struct["data"]
        fields["data"] = {
            muscle: (np.round(channels[muscle][()] / STEP_UV) * STEP_UV).astype(np.float32)
            for muscle in sorted(channels)
        }
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {name: fields}, do_compression=True)  # type: ignore[arg-type]  # takes a file too
    content = buffer.getvalue()
    return HEADER.ljust(124) + content[124:]


def write_recordings(rows: list[ManifestRow], data: Path, out: Path) -> None:
    """Write the recordings of the men whose files are smallest, and their manifest."""
    files = {row.file: as_mat(data / row.file) for row in rows}
    of_person: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        of_person[row.subject].append(row)
    people = sorted(of_person, key=lambda person: sum(len(files[row.file]) for row in of_person[person]))[:N_SHIPPED]
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.mat"):
        old.unlink()
    shipped = []
    for person in sorted(people):
        for row in of_person[person]:
            name = f"{person}_{row.movement}.mat"
            (out / name).write_bytes(files[row.file])
            shipped.append(replace(row, file=name, rate_hz=None, units=""))  # the files state both
    write_text(out / "manifest.csv", manifest_text(shipped))
    n_bytes = sum(path.stat().st_size for path in out.iterdir())
    print(f"{len(shipped)} recordings of {', '.join(sorted(people))}: {n_bytes / 1e6:.2f} MB in {out}")
    if n_bytes > MAX_RECORDING_BYTES:
        raise SystemExit(f"expected at most {MAX_RECORDING_BYTES / 1e6:g} MB")


def prepared(rows: list[ManifestRow], data: Path, channels: str, folder: Path) -> Dataset:
    """The matrices of all repetitions, found as `predict` finds them."""
    config = replace(PipelineConfig(), channels=channels)
    write_text(folder / "recordings.csv", manifest_text(rows))
    jobs = find_jobs(folder / "recordings.csv", base=data)
    jobs, failures = with_repetitions(jobs, SegmentConfig(), config.filter)
    if failures:
        raise SystemExit(f"{failures[0].file}: {failures[0].reason}")
    return load_folder(prepare(jobs, folder / "prepared", config).folder / "hht_matrices")


def score(answers: HeldOutAnswers) -> dict[str, Any]:
    """The score for a repetition and, with the mean over its repetitions, for a recording."""
    report = answers.report()
    interval = report.balanced_accuracy_interval
    assert interval is not None
    sums: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(len(answers.classes)))
    for subject, label, row in zip(answers.subjects, answers.labels, answers.probabilities, strict=True):
        sums[subject, label] += row
    n_right = sum(answers.classes[int(total.argmax())] == label for (_, label), total in sums.items())
    return {
        "n_people": len(set(answers.subjects)),
        "n_repetitions": len(answers.labels),
        "balanced_accuracy": round(report.balanced_accuracy, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
        "n_recordings": len(sums),
        "n_recordings_right": n_right,
    }


def answers_alone(dataset: Dataset, folder: Path, folds: list[Fold], like: HeldOutAnswers) -> HeldOutAnswers:
    """The answers of the trained folds where each recording is answered as if it were all that is known of a person."""
    rows: dict[str, np.ndarray] = {}
    for fold in folds:
        people = dataset.subset(fold.split.test)
        strangers = [replace(row, subject=f"{row.subject} {row.movement}") for row in people.rows]
        people = replace(people, rows=tuple(strangers))
        model = load_model(folder / "folds" / f"{fold.number:02d}" / "best")
        probabilities = model.probabilities(people.matrices, people.svm_inputs)[like.task]
        keys, pooled = pool(probabilities, dataset.subset(fold.split.test).repetitions)
        rows |= dict(zip(keys, pooled, strict=True))
    return replace(like, probabilities=np.array([rows[key] for key in like.repetitions]), in_set=None)


def train_run(dataset: Dataset, held_out: set[str], config: TrainingConfig, size: NetworkSize, folder: Path) -> Path:
    """Train on the other people; ``held_out`` are the test people. Returns the run."""
    subjects = np.array(dataset.subjects)
    test = np.flatnonzero(np.isin(subjects, sorted(held_out)))
    rest = np.flatnonzero(~np.isin(subjects, sorted(held_out)))
    training, validation = divide(rest, subjects, dataset, config.validation_size, config.seed)
    split = Split(training, validation, test, "subject")
    return train(dataset, folder, config, size, RunOptions("action_quality", cpu=True), split=split).folder


def note(scored: dict[str, Any]) -> str:
    """What every answer of the run must be read with."""
    return (
        "the run that comes with semg-hht tells the grip in an elbow flexion, neutral or supinated, and nothing else; "
        f"{scored['balanced_accuracy']:.0%} of the repetitions of men it was not trained on are right"
    )


def build_run(rows: list[ManifestRow], options: argparse.Namespace, folder: Path, out: Path) -> None:
    shipped = {row.subject for row in read_manifest(options.out / "elbow_flexors" / "manifest.csv")}
    dataset = prepared(rows, options.data, options.channels, folder)
    config = TrainingConfig(
        epochs=options.epochs, learning_rate=options.learning_rate, seed=options.seed, recipe=options.recipe
    )
    size = NetworkSize(base_channels=options.base_channels)
    options_of_folds = FoldOptions("grouped", N_FOLDS, "action_quality", cpu=True, keep_models=True)
    found = cross_validate(dataset, folder / "folds", config, size, options_of_folds, n_jobs=options.jobs)
    scores = {answers.method: score(answers) for answers in found}
    ours = next(answers for answers in found if answers.method == OURS)
    folds = make_folds(dataset, "grouped", N_FOLDS, config.validation_size, config.seed)
    alone = score(answers_alone(dataset, folder / "folds", folds, ours))
    for name, scored in {f"{OURS}, each recording alone": alone, **scores}.items():
        print(f"{name}: {scored}", flush=True)
    run = train_run(dataset, shipped, config, size, folder / "run")
    shutil.rmtree(out, ignore_errors=True)
    export(load_model(run / "best"), run / "best", out, data=dataset)
    write_json(out / DESCRIPTION_FILE, read_json(out / DESCRIPTION_FILE) | {"note": note(alone)})
    content = {
        "answers": "grip technique of elbow flexion: neutral or supinated",
        "source": "informacja/Collegium-Medicum, CC0, doi 10.1177/15280837241250290",
        "trained_on": sorted(set(dataset.subjects) - shipped),
        "held_out": sorted(shipped),
        ALONE: alone,
        TOGETHER: scores[OURS],
        "others": {name: value for name, value in scores.items() if name != OURS},
        "on_the_shipped": read_json(run / "metrics.json")["test"]["action_quality"],
        "settings": {
            "recipe": options.recipe, "channels": options.channels, "base_channels": options.base_channels,
            "epochs": options.epochs, "learning_rate": options.learning_rate, "seed": options.seed,
        },
    }  # fmt: skip
    write_json(out / METRICS, content)
    n_bytes = sum(path.stat().st_size for path in out.iterdir())
    print(f"the run: {n_bytes / 1e6:.2f} MB in {out}")
    if n_bytes > MAX_RUN_BYTES:
        raise SystemExit(f"expected at most {MAX_RUN_BYTES / 1e6:g} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=PACKAGE)
    parser.add_argument("--recordings", action="store_true", help="make the recordings alone")
    parser.add_argument("--recipe", default="auto")
    parser.add_argument("--channels", default="separate", choices=["separate", "stack"])
    parser.add_argument("--base_channels", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--jobs", type=int, default=-1, help="folds at the same time")
    options = parser.parse_args()
    rows = read_manifest(options.data / "manifest.csv")
    write_recordings(rows, options.data, options.out / "elbow_flexors")
    if options.recordings:
        return
    torch.set_num_threads(1)  # sums in one order, on any number of cores
    with tempfile.TemporaryDirectory() as temporary:
        build_run(rows, options, Path(temporary), options.out / "technique_run")


if __name__ == "__main__":
    main()
