"""Measure the detection of repetitions, compared with NeuroKit2, on simulated people and real recordings.

    pip install neurokit2 h5py
    python benchmarks/segmentation.py [--data FOLDER]
    python benchmarks/segmentation.py --planted [--data FOLDER] [--rates HZ ...] [--every N] [--quick]

One run prints all tables. A detected repetition is correct if it shares at least half of the union with a true one.
NeuroKit2 (threshold, Gaussian mixture) detects activity, not repetitions. Its activity is joined across rests below
0.5 s and fragments below 0.3 s are dropped, as in our method, on the same filtered signal. FOLDER contains the real
recordings: biosignalsnotebooks/emg_bursts.h5 and emg_fatigue.h5, whose repetitions a person marked beforehand
(tests/references/repetitions_seen.json), and lower_limb/*.csv, whose knee angle shows the cycles.

``--planted`` plants a column that is no muscle beside the muscles, and counts how often the repetitions stay the same
(planted_columns.py). FOLDER then contains contraction_intensity/ and its neighbours; without it people are simulated.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from planted_columns import measure
from scipy.signal import find_peaks

from semg_hht.recordings.recording import read_recording
from semg_hht.signals.activity import METHODS, runs
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.repetitions import SegmentConfig, repetitions_in
from semg_hht.signals.simulate import SimulationConfig, simulate_people

RATE_HZ = 1000.0
MARKED = Path(__file__).parents[1] / "tests" / "references" / "repetitions_seen.json"
Spans = list[tuple[float, float]]
Detector = Callable[[np.ndarray], Spans]


def ours(method: str) -> Detector:
    def detect(samples: np.ndarray) -> Spans:
        repetitions = repetitions_in(samples, RATE_HZ, SegmentConfig(method))
        return [(r.start / RATE_HZ, r.stop / RATE_HZ) for r in repetitions]

    return detect


def neurokit(method: str) -> Detector:
    import neurokit2

    def detect(samples: np.ndarray) -> Spans:
        amplitude = neurokit2.emg_amplitude(samples[0])
        activity, _ = neurokit2.emg_activation(
            emg_amplitude=amplitude, sampling_rate=int(RATE_HZ), method=method, duration_min=0.05
        )
        joined: Spans = []
        for start, stop in runs(activity["EMG_Activity"].to_numpy() > 0):
            if joined and start / RATE_HZ - joined[-1][1] < 0.5:
                joined[-1] = (joined[-1][0], stop / RATE_HZ)
            else:
                joined.append((start / RATE_HZ, stop / RATE_HZ))
        return [(start, stop) for start, stop in joined if stop - start >= 0.3]

    return detect


def matches(detected: Spans, truth: Spans) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """(detected, true) pairs that share at least half of their union; each is used once."""
    pairs, unmatched = [], list(detected)
    for a, b in truth:
        shares = [(min(b, d) - max(a, c)) / (max(b, d) - min(a, c)) for c, d in unmatched]
        if shares and max(shares) >= 0.5:
            pairs.append((unmatched.pop(int(np.argmax(shares))), (a, b)))
    return pairs


def on_simulated_people(n_people: int) -> None:
    detectors: dict[str, Detector] = {f"ours, {method}": ours(method) for method in METHODS}
    try:
        detectors |= {f"NeuroKit2, {method}": neurokit(method) for method in ("mixture", "threshold")}
    except ImportError:
        print("neurokit2 is not installed; only our methods are measured")
    print(f"\nsimulated: {n_people} people, 12 repetitions each; hum 20, ECG 15, drift 50 uV RMS")
    print(f"{'SNR dB':>6}  {'detector':22} {'F1':>6} {'precision':>9} {'recall':>6} {'onset error, median ms':>22}")
    for snr_db in (20, 10, 5, 0):
        config = SimulationConfig(n_subjects=n_people, snr_db=snr_db, mains_uv=20, ecg_uv=15, drift_uv=50)
        people = [
            (
                preprocess(simulated.recording.samples, RATE_HZ, FilterConfig()),
                [(r.start_s, r.stop_s) for r in simulated.repetitions],
            )
            for simulated in simulate_people(config, seed=100)
        ]
        for name, detect in detectors.items():
            n_detected = n_true = 0
            errors_s: list[float] = []
            for samples, truth in people:
                spans = detect(samples)
                n_detected, n_true = n_detected + len(spans), n_true + len(truth)
                errors_s += [abs(d[0] - t[0]) for d, t in matches(spans, truth)]
            n_right = len(errors_s)
            f1 = 2 * n_right / (n_detected + n_true)
            onset_ms = 1000 * float(np.median(errors_s)) if errors_s else float("nan")
            print(
                f"{snr_db:6d}  {name:22} {f1:6.2f} {n_right / max(n_detected, 1):9.2f} {n_right / n_true:6.2f} "
                f"{onset_ms:22.0f}"
            )


def on_marked_recordings(folder: Path) -> None:
    import h5py

    print("\nreal, compared with the repetitions that a person marked")
    for name, truth in json.loads(MARKED.read_text()).items():
        if not name.endswith(".h5"):
            continue
        with h5py.File(folder / "biosignalsnotebooks" / name) as file:
            raw = next(iter(file.values()))["raw"]
            channel = next(key for key in raw if key.startswith("channel"))
            samples = preprocess(raw[channel][:].reshape(1, -1).astype(float), RATE_HZ, FilterConfig())
        for method in METHODS:
            spans = ours(method)(samples)
            pairs = matches(spans, truth)
            onset = np.median([abs(d[0] - t[0]) for d, t in pairs])
            print(
                f"  {name:15} {method:10} {len(truth)} marked, {len(spans)} detected, {len(pairs)} correct; "
                f"onset error {1000 * onset:.0f} ms (marked to 100 ms)"
            )


def on_gait(folder: Path) -> None:
    """Gait, one cycle per bend of the knee. Each muscle has its own phase, so the lag is estimated first."""
    print("\nreal, gait compared with the knee angle (one repetition per bend; onsets within 300 ms of their lag)")
    for path in sorted((folder / "lower_limb").glob("*.csv")):
        recording = read_recording(path, rate_hz=RATE_HZ)
        bends = bends_of(recording.samples[-1], RATE_HZ)
        for muscles in ((recording.channel_names[3],), recording.channel_names[:4]):
            samples = preprocess(recording.select(muscles).samples, RATE_HZ, FilterConfig())
            for method in METHODS:
                onsets = np.array([start for start, _ in ours(method)(samples)])
                f1, error_ms = agreement(onsets, bends)
                channels = muscles[0] if len(muscles) == 1 else "all four"
                print(f"  {path.name[:12]} {channels:20} {method:10} {bends.size} bends, {onsets.size} detected, "
                      f"F1 {f1:.2f}, onset error {error_ms:.0f} ms")  # fmt: skip


def bends_of(angle: np.ndarray, rate_hz: float) -> np.ndarray:
    """The times (s) at which a knee is most bent; at least 0.5 s lie between two bends."""
    angle = angle - np.median(angle)
    angle = angle if angle.max() > -angle.min() else -angle
    depth = np.percentile(angle, 98)
    peaks = find_peaks(angle, height=0.5 * depth, distance=round(0.5 * rate_hz), prominence=0.4 * depth)[0]
    return np.asarray(peaks / rate_hz)


def agreement(onsets: np.ndarray, bends: np.ndarray) -> tuple[float, float]:
    """Best F1 over all lags between onsets and bends, and the median error (ms) at this lag."""
    best = (0.0, -np.inf)
    for lag in np.arange(-0.7, 0.7, 0.01) if onsets.size else ():
        nearest = np.array([onsets[np.argmin(np.abs(onsets - bend - lag))] - bend - lag for bend in bends])
        near = np.abs(nearest) < 0.3
        f1 = 2 * int(near.sum()) / (onsets.size + bends.size)
        best = max(best, (f1, -float(np.median(np.abs(nearest[near])))) if near.any() else (0.0, -np.inf))
    return best[0], -1000 * best[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with biosignalsnotebooks/ and lower_limb/")
    parser.add_argument("--n_people", type=int, default=16)
    parser.add_argument("--planted", action="store_true", help="measure columns that are no muscle instead")
    parser.add_argument("--rates", nargs="+", type=float, default=[200.0, 1000.0, 2000.0, 4000.0, 20000.0],
                        help="with --planted: rates in Hz that the recordings are resampled to")  # fmt: skip
    parser.add_argument("--every", type=int, default=1, help="with --planted: use only every N-th recording")
    parser.add_argument("--quick", action="store_true", help="with --planted: as little as shows that it runs")
    arguments = parser.parse_args()
    if arguments.planted:
        measure(arguments.data, arguments.rates, every=arguments.every, quick=arguments.quick)
        return
    warnings.simplefilter("ignore")  # of NeuroKit2
    on_simulated_people(arguments.n_people)
    if arguments.data is not None:
        on_marked_recordings(arguments.data)
        on_gait(arguments.data)


if __name__ == "__main__":
    main()
