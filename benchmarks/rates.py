"""Whether the same muscle at another sampling rate or duration has the same matrix and the same answer.

    python benchmarks/rates.py [--data FOLDER] [--epochs 6] [--base_channels 8] [--quick]

Without --data: the mean value of the matrices of simulated EMG (100 uV RMS, the same signal at every rate) of 1 to 10
kHz and 0.5 to 10 s, as single cells (up to version 0.2.0) and as a density. With it, FOLDER holds the recordings of
contraction_intensity/: a run is trained on five people (motions C1, C3, C5, two channels, scaling subject) with either,
and the recordings of the sixth are answered at 1000 Hz and resampled to 2000, 2148 and 4000 Hz. ``--quick``: one
signal, two rates and durations.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from experiment import FOREARM
from numpy.typing import NDArray

from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import prepare
from semg_hht.hht import hilbert_spectrum
from semg_hht.matrices.density import DensityConfig, power_density
from semg_hht.matrices.scaling import scale_power
from semg_hht.matrices.transform import configure
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Recording, read_recording, write_recording

KINDS = {"single cells": None, "density": DensityConfig()}
RATES_HZ = (1000, 2000, 2148, 4000, 10000)
DURATIONS_S = (0.5, 1, 2, 5, 10)
HELD_OUT = "S6"


def muscle(duration_s: float, rate_hz: float, seed: int) -> NDArray[np.float64]:
    """Noise with the spectrum of surface EMG, 100 uV RMS; a seed gives the same signal at every rate."""
    first, last = round(20 * duration_s), round(450 * duration_s)
    frequency_hz = np.arange(first, last) / duration_s
    amplitude = 1 / np.sqrt((1 + (40 / frequency_hz) ** 4) * (1 + (frequency_hz / 150) ** 4))
    rng = np.random.default_rng(seed)
    spectrum = np.zeros(round(duration_s * rate_hz) // 2 + 1, complex)
    spectrum[first:last] = amplitude * (rng.standard_normal(last - first) + 1j * rng.standard_normal(last - first))
    x = np.fft.irfft(spectrum, round(duration_s * rate_hz))
    return np.asarray(100 * x / x.std())


def show_means(rates_hz: tuple[float, ...], durations_s: tuple[float, ...], n_seconds: float) -> None:
    print("| simulated | mean value, single cells | density |\n|---|---|---|")
    for duration_s, rate_hz in [(2.0, rate) for rate in rates_hz] + [(duration, 1000) for duration in durations_s]:
        means = []
        for seed in range(max(1, round(n_seconds / duration_s))):
            found = hilbert_spectrum(muscle(duration_s, rate_hz, seed), rate_hz)
            powers: list[Any] = [found.power, power_density(found.power, found.time_s, DensityConfig())]
            means.append([float(scale_power(power, "log").mean()) for power in powers])
        cells, density = np.mean(means, axis=0)
        print(f"| {duration_s:g} s, {rate_hz} Hz | {cells:.2f} | {density:.2f} |", flush=True)


def write_at_rate(data: Path, folder: Path, rate_hz: int) -> Path:
    """Two channels of the recordings of motions C1, C3 and C5 at another rate; returns their manifest."""
    folder.mkdir(parents=True)
    rows: list[ManifestRow] = []
    ratio = Fraction(rate_hz, 1000)
    for job in find_jobs(data / FOREARM / "manifest.csv"):
        row = job.rows[0]
        if row.extra["motion"] not in ("C1", "C3", "C5") or (rate_hz != 1000 and row.subject != HELD_OUT):
            continue
        recording = read_recording(job.path, rate_hz=1000, units="V")
        samples = recording.samples[:2]
        if ratio != 1:
            samples = scipy.signal.resample_poly(samples, ratio.numerator, ratio.denominator, axis=1)
        name = f"{Path(row.file).stem}.npz"
        write_recording(Recording(samples, float(rate_hz), ("ch1", "ch2"), "V"), folder / name)
        rows.append(replace(row, file=name, rate_hz=float(rate_hz)))
    (folder / "manifest.csv").write_text(manifest_text(rows), encoding="utf-8")
    return folder / "manifest.csv"


def show_answers(data: Path, options: argparse.Namespace) -> None:
    from semg_hht.learning.dataset import load_folder
    from semg_hht.learning.epochs import TrainingConfig
    from semg_hht.learning.train import NetworkSize, train
    from semg_hht.prediction.run import open_run

    rates_hz = (1000, 4000) if options.quick else (1000, 2000, 2148, 4000)
    print(f"\n| answers for {HELD_OUT} | rate | balanced accuracy | answers kept |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        manifests = {rate: write_at_rate(data, root / f"{rate}", rate) for rate in rates_hz}
        for kind, density in KINDS.items():
            config = replace(configure(mains_hz=50.0, scaling="subject"), density=density)
            jobs = [job for job in find_jobs(manifests[1000]) if job.rows[0].subject != HELD_OUT]
            folder = root / kind.replace(" ", "_")
            prepare(with_references(jobs, config, None, n_jobs=1), folder / "prepared", config, n_jobs=1)
            training = TrainingConfig(epochs=options.epochs, learning_rate=1e-3, seed=options.seed)
            size = NetworkSize(base_channels=options.base_channels)
            train(load_folder(folder / "prepared" / "hht_matrices"), folder / "run", training, size)
            run = open_run(folder / "run")
            before: dict[str, str] = {}
            for rate, manifest in manifests.items():
                rows = [job.rows[0] for job in find_jobs(manifest) if job.rows[0].subject == HELD_OUT]
                held_out = manifest.with_name("held_out.csv")
                held_out.write_text(manifest_text(rows), encoding="utf-8")
                predictions = run.predict(held_out, n_jobs=1).to_json()
                found = {row.file: predictions[row.file]["action_quality"]["prediction"] for row in rows}
                before = before or found
                recalls = [
                    np.mean([found[row.file] == label for row in rows if row.movement == label])
                    for label in {row.movement for row in rows}
                ]
                kept = sum(found[name] == answer for name, answer in before.items())
                print(f"| {kind} | {rate} Hz | {np.mean(recalls):.2f} | {kept} of {len(rows)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of contraction_intensity/")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--base_channels", type=int, default=8)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        show_means((1000, 4000), (0.5, 2), 0)
    else:
        show_means(RATES_HZ, DURATIONS_S, 16)
    if options.data is not None:
        show_answers(options.data, options)


if __name__ == "__main__":
    main()
