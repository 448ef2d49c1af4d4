"""Draw the pictures of the documentation.

    python docs/make_pictures.py [--data FOLDER] [--out FOLDER]

FOLDER contains contraction_intensity/ and formats/biosignalsnotebooks/, the recordings named in the captions. Pictures
that need the labels full, half and invalid show simulated people. The same input and versions give the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import runpy
import shutil
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from semg_hht import hht, label, samples
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.simulated import write_simulation
from semg_hht.figures.drawing import GREY
from semg_hht.figures.plots import (
    draw_confusion,
    draw_filter_steps,
    draw_history,
    draw_matrix,
    save,
)
from semg_hht.figures.repetitions_picture import draw_repetitions
from semg_hht.figures.result_plots import plot_plane
from semg_hht.figures.signal_plots import plot_imfs
from semg_hht.learning.dataset import from_examples
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import NetworkSize, RunOptions, train
from semg_hht.matrices.matrix import Matrix
from semg_hht.matrices.scaling import scale_power
from semg_hht.matrices.transform import PipelineConfig, transform_all, transform_job
from semg_hht.recordings.jobs import Failure
from semg_hht.recordings.recording import read_recording
from semg_hht.signals.features import power_spectrum
from semg_hht.signals.filters import FilterConfig, filter_steps
from semg_hht.signals.repetitions import SegmentConfig, repetitions_in
from semg_hht.signals.simulate import SimulationConfig

Array = np.ndarray
CLOSE_S = 0.3  # duration of the enlarged part, short enough to show single oscillations
SEED = 42


def draw_forearm(data: Path, out: Path) -> None:
    """Draw the filter steps of a weak contraction with mains hum, and the matrix of one at half of maximal effort."""
    folder = data / "contraction_intensity"
    recording = read_recording(folder / "S2" / "S2_20P_C5_R1.csv", rate_hz=1000, units="V")
    steps = filter_steps(recording.samples, recording.rate_hz, FilterConfig())
    strongest = int(np.argmax(steps[-1][1].std(axis=1)))
    shown = [(name, samples[strongest]) for name, samples in steps]
    spectra = [power_spectrum(samples, recording.rate_hz) for _, samples in shown]
    draw_filter_steps(shown, spectra, recording.rate_hz, "V", out / "filters.png")
    (job,) = find_jobs(folder / "S1" / "S1_50P_C2_R1.csv", rate_hz=1000, units="V")
    draw_matrix(transform_job(job, None, PipelineConfig())[0].matrix, out / "matrix.png")


def draw_biceps(data: Path, out: Path) -> None:
    """Draw the repetitions of a biceps recording, and the IMFs and the matrix of one of them."""
    recording = read_recording(data / "formats" / "biosignalsnotebooks" / "emg_bursts.h5")
    rate_hz = recording.rate_hz
    filtered = filter_steps(recording.samples, rate_hz, FilterConfig())[-1][1]
    repetitions = repetitions_in(filtered, rate_hz, SegmentConfig())
    spans = [(r.start / rate_hz, r.stop / rate_hz, r.confidence) for r in repetitions]
    draw_repetitions(filtered[0], rate_hz, recording.units, spans, out / "repetitions.png")
    contraction = repetitions[1].cut(filtered)[0]
    draw_imfs(contraction, hht.emd(contraction), rate_hz, out / "imfs.png")
    draw_spectrum(contraction, rate_hz, out / "spectrum.png")


def draw_sample(out: Path) -> None:
    """Draw the repetitions of a recording that comes with the package."""
    recording = read_recording(samples.recordings()["P30_supinated"])
    rate_hz = recording.rate_hz
    filtered = filter_steps(recording.samples, rate_hz, FilterConfig())[-1][1]
    repetitions = repetitions_in(filtered, rate_hz, SegmentConfig())
    spans = [(r.start / rate_hz, r.stop / rate_hz, r.confidence) for r in repetitions]
    draw_repetitions(filtered[0], rate_hz, recording.units, spans, out / "sample.png")


def draw_imfs(signal: Array, imfs: Array, rate_hz: float, path: Path) -> None:
    """Draw a repetition (n_samples,) and its IMFs and residue (n_imfs + 1, n_samples), whole and enlarged."""
    figure = Figure(figsize=(11, 0.8 + 0.6 * len(imfs)), layout="constrained")
    whole, part = figure.subplots(1, 2, width_ratios=[2, 1], sharey=True)
    plot_imfs(imfs, rate_hz, signal=signal, ax=whole)
    close = slice(middle := int(np.argmax(np.abs(signal))), middle + round(CLOSE_S * rate_hz))
    plot_imfs(imfs[:, close], rate_hz, signal=signal[close], ax=part)
    part.set_title("the strongest moment, close by", fontsize="medium")
    save(figure, path)


def draw_spectrum(signal: Array, rate_hz: float, path: Path) -> None:
    """Draw a repetition above its matrix."""
    spectrum = hht.hilbert_spectrum(signal, rate_hz)
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[1, 3], sharex=True)
    above.plot(np.arange(signal.size) / rate_hz, signal, color=GREY, linewidth=0.4)
    above.set(yticks=[], ylabel="sEMG")
    plot_plane(below, scale_power(spectrum.power, "log"), spectrum.frequency_hz, spectrum.time_s)
    save(figure, path)


def draw_people(out: Path, epochs: int) -> None:
    """Draw a simulated repetition of each class, and the training of a small network on them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        manifest = write_simulation(folder / "people", SimulationConfig(n_subjects=12, n_repetitions=3), SEED)
        jobs = find_jobs(manifest)
        examples = list(transform_all(jobs, PipelineConfig()))
        dataset = from_examples(examples)
        config = TrainingConfig(epochs=epochs, learning_rate=1e-3, test_size=0.25, seed=SEED)
        done = train(
            dataset, folder / "run", config, NetworkSize(base_channels=8), RunOptions(task="action_quality", cpu=True)
        )
    draw_history(done.history, done.best_epoch, out / "history.png")
    draw_confusion(done.reports, out / "confusion.png")
    first = {label: i for i, label in reversed(list(enumerate(dataset.labels("action_quality"))))}
    transformed = [one for one in examples if not isinstance(one, Failure)]
    matrices = {example.row.movement: example.matrix for one in transformed for example in reversed(one)}
    draw_kinds({label: matrices[label] for label in sorted(first)}, out / "kinds.png")


def draw_kinds(matrices: dict[str, Matrix], path: Path) -> None:
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    for axes, (kind, matrix) in zip(figure.subplots(1, len(matrices), sharey=True), matrices.items(), strict=True):
        plot_plane(axes, matrix.values[0], matrix.frequency_hz, matrix.time_s)
        axes.set_title(kind)
    save(figure, path)


def draw_labels(out: Path) -> None:
    """Draw the labels of a simulated person with a goniometer that drifts and falls with the flexion."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        config = SimulationConfig(n_subjects=2, n_repetitions=3)
        write_simulation(folder / "people", config, SEED, goniometer=True)
        done = label(folder / "people" / "S02_E01_BICEPS.csv", out=folder / "reps.csv")
        assert done.pictures is not None
        (picture,) = done.pictures.iterdir()
        (out / "goniometer.png").write_bytes(picture.read_bytes())


def draw_gallery(out: Path) -> None:
    """Run the lines of the gallery page, which save their own pictures."""
    page = (Path(__file__).parent / "en" / "gallery.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        script = Path("gallery.py")
        script.write_text("\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)), encoding="utf-8")
        runpy.run_path(str(script))
        for picture in Path().glob("*.png"):
            shutil.copy(picture, out / picture.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="none: the gallery alone is drawn")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    (args.out / "gallery").mkdir(parents=True, exist_ok=True)
    draw_gallery((args.out / "gallery").resolve())
    if args.data is None:
        return
    draw_forearm(args.data, args.out)
    draw_biceps(args.data, args.out)
    draw_sample(args.out)
    draw_people(args.out, args.epochs)
    draw_labels(args.out)


if __name__ == "__main__":
    main()
