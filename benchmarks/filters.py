"""Measure the detection of mains hum and the removal of the ECG on simulated recordings with known ground truth.

    python benchmarks/filters.py mains
    python benchmarks/filters.py ecg [--ecg_csv FILE]

It prints the tables of experiments/LOG.md. ``--ecg_csv`` replaces the simulated ECG by a real one without EMG, one
number per line at 1000 Hz.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import signal

from semg_hht.signals.ecg import find_r_peaks, remove_ecg
from semg_hht.signals.features import mdf
from semg_hht.signals.filters import FilterConfig, find_hum, preprocess
from semg_hht.signals.simulate import SimulationConfig, coloured_noise, simulate_people

Array = np.ndarray
NO_NOTCH = FilterConfig(mains_hz=None)
MAINS_DB = (-30, -20, -15, -10, -5, 0, 10, 20)
ECG_DB = (-15, -10, -5, 0, 5, 10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["mains", "ecg"])
    parser.add_argument("--ecg_csv", type=Path)
    args = parser.parse_args()
    if args.what == "mains":
        hum_detections()
        notch_errors()
    else:
        false_ecg_detections()
        ecg_detections()
        ecg_removal(np.loadtxt(args.ecg_csv) if args.ecg_csv else None)


def muscle(tonic: bool, rate_hz: float = 1000.0, n_channels: int = 1, ecg_uv: float = 5.0) -> list[Array]:
    """Recordings without hum: curls with rests, or a steady contraction."""
    config = SimulationConfig(24, n_repetitions=6, rate_hz=rate_hz, n_channels=n_channels, mains_uv=0.0, ecg_uv=ecg_uv)
    people = simulate_people(config, 7)
    if not tonic:
        return [person.recording.samples for person in people]
    rng = np.random.default_rng(0)
    return [coloured(rng, round(40 * rate_hz), rate_hz, n_channels) for _ in people]


def coloured(rng: np.random.Generator, n_samples: int, rate_hz: float, n_channels: int) -> Array:
    """EMG of a steady contraction, (n_channels, n_samples) of RMS 1."""
    corners_hz = rng.uniform(45, 60), rng.uniform(80, 120)
    return np.stack([coloured_noise(n_samples, rate_hz, corners_hz, rng) for _ in range(n_channels)])


def hum_like(samples: Array, rate_hz: float, mains_hz: float, db: float, rng: np.random.Generator) -> Array:
    """Hum with a first and a weaker third harmonic, ``db`` above the channel's RMS over the piece."""
    t = np.arange(samples.shape[-1]) / rate_hz
    true_hz = mains_hz * (1 + rng.uniform(-1e-3, 1e-3))  # the mains frequency varies
    wave = sum(a * np.sin(2 * np.pi * k * true_hz * t + rng.uniform(0, 6.3)) for k, a in ((1, 1.0), (3, 0.3))
               if k * true_hz < rate_hz / 2)  # fmt: skip
    level = np.std(samples, axis=-1, keepdims=True)
    return np.asarray(level * 10 ** (db / 20) * wave / np.std(wave))


def hum_detections() -> None:
    levels = ", ".join(f"{db:+d}" for db in MAINS_DB)
    print(f"| muscle | length s | pieces | false detections | detected at {levels} dB |")
    for name, tonic, rate_hz, n_channels in (
        ("curls", False, 1000.0, 1), ("steady", True, 1000.0, 1), ("curls, 8 channels", False, 1000.0, 8),
        ("curls, 200 Hz", False, 200.0, 1), ("curls, 2000 Hz", False, 2000.0, 1),
    ):  # fmt: skip
        recordings = muscle(tonic, rate_hz, n_channels)
        for length_s, n_null, n_hum in ((0.5, 2000, 200), (1, 2000, 200), (3, 1000, 200), (30, 300, 100)):
            rng = np.random.default_rng(1)
            n_samples = round(length_s * rate_hz)
            n_false = sum(find_hum(piece(recordings, n_samples, rng), rate_hz) is not None for _ in range(n_null))
            shares = []
            for db in MAINS_DB:
                right = 0
                for _ in range(n_hum):
                    clean, mains_hz = piece(recordings, n_samples, rng), rng.choice([50.0, 60.0])
                    hum = find_hum(clean + hum_like(clean, rate_hz, mains_hz, db, rng), rate_hz)
                    right += hum is not None and hum.mains_hz == mains_hz
                shares.append(f"{right / n_hum:.2f}")
            print(f"| {name} | {length_s:g} | {n_null} | {n_false} | {', '.join(shares)} |", flush=True)


def piece(recordings: list[Array], n_samples: int, rng: np.random.Generator) -> Array:
    whole = recordings[rng.integers(len(recordings))]
    start = rng.integers(whole.shape[-1] - n_samples)
    return whole[:, start : start + n_samples]


def notch_errors() -> None:
    """Error relative to the band-passed signal without hum, in dB of its energy, without and with notches."""
    print("\n| hum dB | no notch | all harmonics | auto |")
    rng = np.random.default_rng(0)
    for db in (-200, *MAINS_DB):
        errors = []
        for clean in muscle(False)[:12]:
            expected = preprocess(clean, 1000.0, NO_NOTCH)
            noisy = clean + hum_like(clean, 1000.0, 50.0, db, rng)
            configs = [FilterConfig(mains_hz=mains_hz) for mains_hz in (None, 50.0, "auto")]
            errors.append([error_db(preprocess(noisy, 1000.0, config), expected) for config in configs])
        print(f"| {db:+d} | " + " | ".join(f"{e:.1f}" for e in np.mean(errors, axis=0)) + " |", flush=True)


def error_db(actual: Array, expected: Array) -> float:
    return float(10 * np.log10(np.sum((actual - expected) ** 2) / np.sum(expected**2) + 1e-20))


def trunk(seed: int, db: float, n_channels: int, tonic: bool, real: Array | None, length_s: float = 30.0
          ) -> tuple[Array, Array, Array]:  # fmt: skip
    """(EMG, EMG with ECG and drift, R peaks in s); ``db``: RMS of the ECG over that of the EMG."""
    rng = np.random.default_rng(seed)
    n_samples = round(1000 * length_s)
    t = np.arange(n_samples) / 1000
    activity = np.ones(n_samples) if tonic else np.full(n_samples, 0.15)
    start = rng.uniform(0.3, 2)
    while not tonic and start < length_s:
        duration = rng.uniform(0.8, 2.5)
        inside = (t >= start) & (t < start + duration)
        activity[inside] += rng.uniform(0.6, 1.2) * np.sin(np.pi * (t[inside] - start) / duration) ** 2
        start += duration + rng.uniform(0.8, 2)
    clean = coloured(rng, n_samples, 1000.0, n_channels) * activity
    clean /= np.sqrt(np.mean(clean**2, axis=-1, keepdims=True))
    clean += 0.03 * rng.standard_normal(clean.shape)
    if real is None:
        heart, peaks_s = simulated_heart(rng, t, n_channels)
    else:
        offset = int(rng.integers(real.size - n_samples))
        heart = np.tile(real[offset : offset + n_samples] - np.median(real), (n_channels, 1))
        peaks_s = np.zeros(0)
    heart *= 10 ** (db / 20) / np.sqrt(np.mean(heart**2, axis=-1, keepdims=True))
    return clean, clean + heart + 0.5 * np.sin(2 * np.pi * 0.3 * t), peaks_s


def simulated_heart(rng: np.random.Generator, t: Array, n_channels: int) -> tuple[Array, Array]:
    """Five Gaussians per beat (McSharry et al. 2003, doi 10.1109/TBME.2003.808805); breathing changes rate and size."""
    beats = [rng.uniform(0.2, 0.9)]
    slow, breath = rng.uniform(0, 6.3, 2)
    interval_s = 60 / rng.uniform(55, 110)
    while beats[-1] < t[-1] + 1:
        sway = 0.05 * np.sin(0.2 * np.pi * beats[-1] + slow) + 0.04 * np.sin(0.5 * np.pi * beats[-1] + breath)
        beats.append(beats[-1] + interval_s * (1 + sway + 0.015 * rng.standard_normal()))
    heart = np.zeros((n_channels, t.size))
    for channel in heart:
        size = np.array([0.12, -0.12, rng.choice([-1, 1]), -0.25, 0.3]) * rng.uniform(0.6, 1.4, 5)  # P Q R S T
        width_s = np.array([0.025, 0.009, 0.011, 0.010, 0.045]) * rng.uniform(0.85, 1.2, 5)
        for beat in beats:
            strength = 1 + 0.1 * np.sin(0.5 * np.pi * beat + breath) + 0.03 * rng.standard_normal()
            near = slice(*np.searchsorted(t, [beat - 0.45, beat + 0.6]))
            for a, offset_s, w in zip(size, (-0.18, -0.028, 0.0, 0.03, 0.28), width_s, strict=True):
                channel[near] += strength * a * np.exp(-0.5 * ((t[near] - beat - offset_s) / w) ** 2)
    return heart, np.array([beat for beat in beats if 0 < beat < t[-1]])


def f1(detected_s: Array, true_s: Array, within_s: float = 0.03) -> float:
    """F1 of detected beats; each matches at most one true beat."""
    unmatched = list(detected_s)
    hits = 0
    for beat in true_s:
        near = [t for t in unmatched if abs(t - beat) <= within_s]
        if near:
            unmatched.remove(min(near, key=lambda t: abs(t - beat)))
            hits += 1
    return 2 * hits / max(1, len(detected_s) + len(true_s))


def false_ecg_detections(n_pieces: int = 200) -> None:
    print("| EMG without ECG | channels | false detections in pieces of 6, 10, 30 s, of so many |")
    curls = {n_channels: muscle(False, n_channels=n_channels, ecg_uv=0.0) for n_channels in (1, 2)}
    devices = {f"bursts, band-passed from {low} Hz": FilterConfig((low, 450), None) for low in (20, 30)}
    for name in ("curls", "bursts", "steady", *devices):
        for n_channels in (1, 2):
            counts = []
            for length_s in (6, 10, 30):
                n_false = 0
                for seed in range(n_pieces):
                    if name == "curls":
                        samples = piece(curls[n_channels], 1000 * length_s, np.random.default_rng(seed))
                    else:
                        samples = trunk(seed, -300, n_channels, name == "steady", None, length_s)[1]
                    if name in devices:
                        samples = preprocess(samples, 1000.0, devices[name])
                    n_false += find_r_peaks(samples, 1000.0).size > 0
                counts.append(f"{n_false}")
            print(f"| {name} | {n_channels} | {', '.join(counts)} of {n_pieces} |", flush=True)
    print()


def ecg_detections() -> None:
    levels = ", ".join(f"{db:+d}" for db in ECG_DB)
    print(f"| channels | muscle | share detected without ECG, at {levels} dB | F1 |")
    for n_channels in (1, 4):
        for tonic in (False, True):
            shares, scores = [], []
            for db in (-200, *ECG_DB):
                n = 100 if db == -200 else 20
                results = []
                for seed in range(n):
                    _, noisy, true_s = trunk(1000 + seed, db, n_channels, tonic, None)
                    results.append((find_r_peaks(noisy, 1000.0) / 1000, true_s))
                shares.append(f"{np.mean([detected.size > 0 for detected, _ in results]):.2f}")
                scores.append(f"{np.mean([f1(*result) for result in results]):.3f}")
            kind = "steady" if tonic else "bursts"
            print(f"| {n_channels} | {kind} | {', '.join(shares)} | {', '.join(scores[1:])} |", flush=True)


def ecg_removal(real: Array | None) -> None:
    high_pass = signal.butter(4, 30, btype="highpass", fs=1000, output="sos")

    def filtered(samples: Array) -> Array:
        return preprocess(samples, 1000.0, NO_NOTCH)

    def templates(samples: Array) -> Array:
        return filtered(remove_ecg(samples, 1000.0, find_r_peaks(samples, 1000.0)))

    methods: dict[str, Callable[[Array], Array]] = {
        "nothing": filtered,
        "high-pass 30 Hz": lambda samples: filtered(signal.sosfiltfilt(high_pass, samples)),
        "templates": templates,
        "both": lambda samples: signal.sosfiltfilt(high_pass, templates(samples)),
    }
    print("\n| muscle | method | ECG dB | RMS error % | correlation | MDF error Hz | error dB |")
    for tonic in (False, True):
        for name, method in methods.items():
            for db in ECG_DB:
                rows = []
                for seed in range(20):
                    clean, noisy, _ = trunk(seed, db, 1, tonic, real)
                    expected, actual = filtered(clean), method(noisy)
                    rms_error = 100 * abs(np.sqrt(np.mean(actual**2) / np.mean(expected**2)) - 1)
                    mdf_error = abs(float(mdf(actual, 1000.0)[0] - mdf(expected, 1000.0)[0]))
                    correlation = np.corrcoef(actual[0], expected[0])[0, 1]
                    rows.append((rms_error, correlation, mdf_error, error_db(actual, expected)))
                r, c, m, e = np.mean(rows, axis=0)
                kind = "steady" if tonic else "bursts"
                print(f"| {kind} | {name} | {db:+d} | {r:.1f} | {c:.3f} | {m:.1f} | {e:.1f} |", flush=True)


if __name__ == "__main__":
    main()
