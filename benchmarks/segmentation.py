"""How well repetitions are found: simulated people of known truth beside NeuroKit2's detectors, and real recordings.

    pip install neurokit2 h5py
    python benchmarks/segmentation.py [--data FOLDER]

One run prints all tables. A repetition counts as found where it shares at least half of the union with a true one.
NeuroKit2 (threshold, Gaussian mixture) finds activity, not repetitions: its is joined by the same rule
(rests under 0.5 s) and freed of the same fragments (under 0.3 s), on the same filtered signal. FOLDER holds the real
recordings: biosignalsnotebooks/emg_bursts.h5 and emg_fatigue.h5, counted by eye beforehand
(tests/references/repetitions_seen.json), and lower_limb/*.csv, whose knee angle tells the cycles.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.signal import find_peaks

from semg_hht.recordings.recording import read_recording
from semg_hht.signals.activity import METHODS, runs
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.repetitions import SegmentConfig, repetitions_in
from semg_hht.signals.simulate import SimulationConfig, simulate_people

RATE_HZ = 1000.0
SEEN = Path(__file__).parents[1] / "tests" / "references" / "repetitions_seen.json"
Spans = list[tuple[float, float]]
Detector = Callable[[np.ndarray], Spans]


def ours(method: str) -> Detector:
    def detect(samples: np.ndarray) -> Spans:
        found = repetitions_in(samples, RATE_HZ, SegmentConfig(method))
        return [(r.start / RATE_HZ, r.stop / RATE_HZ) for r in found]

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


def matches(found: Spans, truth: Spans) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """(found, true) pairs that share at least half of their union; each is used once."""
    pairs, free = [], list(found)
    for true in truth:
        shares = [(min(true[1], f[1]) - max(true[0], f[0])) / (max(true[1], f[1]) - min(true[0], f[0])) for f in free]
        if shares and max(shares) >= 0.5:
            pairs.append((free.pop(int(np.argmax(shares))), true))
    return pairs


def simulated(n_people: int) -> None:
    detectors: dict[str, Detector] = {f"ours, {method}": ours(method) for method in METHODS}
    try:
        detectors |= {f"NeuroKit2, {method}": neurokit(method) for method in ("mixture", "threshold")}
    except ImportError:
        print("neurokit2 is not installed: ours alone")
    print(f"\nsimulated: {n_people} people, 12 repetitions each; hum 20, ECG 15, drift 50 uV RMS")
    print(f"{'SNR dB':>6}  {'detector':22} {'F1':>6} {'precision':>9} {'recall':>6} {'onset error, median ms':>22}")
    for snr_db in (20, 10, 5, 0):
        config = SimulationConfig(n_subjects=n_people, snr_db=snr_db, mains_uv=20, ecg_uv=15, drift_uv=50)
        people = [
            (
                preprocess(one.recording.samples, RATE_HZ, FilterConfig()),
                [(r.start_s, r.stop_s) for r in one.repetitions],
            )
            for one in simulate_people(config, seed=100)
        ]
        for name, detect in detectors.items():
            n_found = n_true = 0
            onsets: list[float] = []
            for samples, truth in people:
                found = detect(samples)
                n_found, n_true = n_found + len(found), n_true + len(truth)
                onsets += [abs(f[0] - t[0]) for f, t in matches(found, truth)]
            n_right = len(onsets)
            f1 = 2 * n_right / (n_found + n_true)
            onset_ms = 1000 * float(np.median(onsets)) if onsets else float("nan")
            print(
                f"{snr_db:6d}  {name:22} {f1:6.2f} {n_right / max(n_found, 1):9.2f} {n_right / n_true:6.2f} "
                f"{onset_ms:22.0f}"
            )


def seen_by_eye(folder: Path) -> None:
    import h5py

    print("\nreal, against what was counted by eye")
    for name, truth in json.loads(SEEN.read_text()).items():
        if not name.endswith(".h5"):
            continue
        with h5py.File(folder / "biosignalsnotebooks" / name) as file:
            raw = next(iter(file.values()))["raw"]
            channel = next(key for key in raw if key.startswith("channel"))
            samples = preprocess(raw[channel][:].reshape(1, -1).astype(float), RATE_HZ, FilterConfig())
        for method in METHODS:
            found = ours(method)(samples)
            pairs = matches(found, truth)
            onset = np.median([abs(f[0] - t[0]) for f, t in pairs])
            print(
                f"  {name:15} {method:10} {len(truth)} seen, {len(found)} found, {len(pairs)} right; "
                f"onset error {1000 * onset:.0f} ms (read by eye to 100 ms)"
            )


def knee(folder: Path) -> None:
    """A cycle is a bend of the knee; the onset comes at a phase of its own, so its median lag is taken off first."""
    print("\nreal, gait against the knee angle (one repetition a bend; onsets within 300 ms of their median lag)")
    for path in sorted((folder / "lower_limb").glob("*.csv")):
        recording = read_recording(path, rate_hz=RATE_HZ)
        angle = recording.samples[-1] - np.median(recording.samples[-1])
        angle = angle if angle.max() > -angle.min() else -angle
        deep = np.percentile(angle, 98)
        bends = find_peaks(angle, height=0.5 * deep, distance=500, prominence=0.4 * deep)[0] / RATE_HZ
        for muscles in ((recording.channel_names[3],), recording.channel_names[:4]):
            samples = preprocess(recording.select(muscles).samples, RATE_HZ, FilterConfig())
            for method in METHODS:
                onsets = np.array([start for start, _ in ours(method)(samples)])
                f1, error_ms = agreement(onsets, bends)
                who = muscles[0] if len(muscles) == 1 else "all four"
                print(f"  {path.name[:12]} {who:20} {method:10} {bends.size} bends, {onsets.size} found, "
                      f"F1 {f1:.2f}, onset error {error_ms:.0f} ms")  # fmt: skip


def agreement(onsets: np.ndarray, bends: np.ndarray) -> tuple[float, float]:
    """F1 and median error (ms) at the lag where most onsets belong to a bend of their own."""
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
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of the peer
    simulated(arguments.n_people)
    if arguments.data is not None:
        seen_by_eye(arguments.data)
        knee(arguments.data)


if __name__ == "__main__":
    main()
