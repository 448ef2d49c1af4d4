"""Compare spectral estimators for the features, and confidence intervals for the trend.

    python benchmarks/features.py spectrum
    python benchmarks/features.py trend

It prints the tables of experiments/LOG.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import signal, stats

from semg_hht.signals import features
from semg_hht.signals.trend import trend

Array = np.ndarray
RATE_HZ = 1000.0
LOW_HZ, HIGH_HZ = 55.0, 110.0
Interval = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["spectrum", "trend"])
    if parser.parse_args().what == "spectrum":
        compare_spectra()
    else:
        compare_intervals()


def true_power(f: Array) -> Array:
    return f**2 * HIGH_HZ**4 / ((f**2 + LOW_HZ**2) * (f**2 + HIGH_HZ**2) ** 2)


def simulated_emg(rng: np.random.Generator, n_repetitions: int, n_samples: int, hump: bool) -> Array:
    f = np.fft.rfftfreq(3 * n_samples, 1 / RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal((n_repetitions, 3 * n_samples))) * np.sqrt(true_power(f))
    # The middle third: the whole inverse transform would be periodic, an advantage for windows without a taper.
    cut = np.fft.irfft(spectrum, 3 * n_samples)[:, n_samples : 2 * n_samples]
    return cut * np.sin(np.pi * (np.arange(n_samples) + 0.5) / n_samples) ** 2 if hump else cut


def _welch(x: Array, rate_hz: float, width_s: float) -> tuple[Array, Array]:
    f, power = signal.welch(x, rate_hz, "hann", min(x.shape[-1], round(width_s * rate_hz)))
    return f, power


def compare_spectra() -> None:
    f = np.linspace(0.01, RATE_HZ / 2, 200_001)
    power = true_power(f)
    band = power * ((f >= 8) & (f <= 500))
    truth = {
        "mnf": np.sum(f * power) / np.sum(power),
        "mdf": f[np.searchsorted(np.cumsum(power), np.sum(power) / 2)],
        "pkf": f[power.argmax()],
        "finsm5": np.sum(band / f) / np.sum(band * f**5),
    }
    estimators: dict[str, Callable[[Array, float], tuple[Array, Array]]] = {
        "one window, no taper": lambda x, rate: signal.periodogram(x, rate, "boxcar"),
        "one Hann window": lambda x, rate: signal.periodogram(x, rate, "hann"),
    }
    for width_s in (0.125, 0.25, 0.5, 1.0):
        estimators[f"Welch, Hann {width_s:g} s"] = partial(_welch, width_s=width_s)
    print("| repetition | estimator | bias, RMSE: MNF Hz | MDF Hz | PKF Hz | FInsm5 % |")
    chosen = features.power_spectrum
    for hump in (False, True):
        for length_s in (0.5, 1.0, 3.0):
            x = simulated_emg(np.random.default_rng(0), 1000, round(length_s * RATE_HZ), hump)
            for name, estimator in estimators.items():
                features.power_spectrum = estimator  # type: ignore[assignment]
                cells = []
                for feature, true in truth.items():
                    error = getattr(features, feature)(x, RATE_HZ) - true
                    error = 100 * error / true if feature == "finsm5" else error
                    cells.append(f"{error.mean():.1f}, {np.sqrt(np.mean(error**2)):.1f}")
                kind = f"{'hump' if hump else 'steady'} {length_s:g} s"
                print(f"| {kind} | {name} | {' | '.join(cells)} |", flush=True)
    features.power_spectrum = chosen


def least_squares(y: Array, x: Array) -> Interval:
    fit = stats.linregress(x, y)
    reach = stats.t.ppf(0.975, y.size - 2) * fit.stderr
    return fit.slope - reach, fit.slope + reach


def theil_sen(y: Array, x: Array) -> Interval:
    return stats.theilslopes(y, x, 0.95)[2:]


def newey_west(y: Array, x: Array) -> Interval:
    x = x - x.mean()
    slope = x @ y / (x @ x)
    scores = x * (y - y.mean() - slope * x)
    n_lags = max(1, int(4 * (y.size / 100) ** (2 / 9)))
    energy = scores @ scores + sum(
        2 * (1 - lag / (n_lags + 1)) * (scores[lag:] @ scores[:-lag]) for lag in range(1, n_lags + 1)
    )
    reach = stats.t.ppf(0.975, y.size - 2) * np.sqrt(max(energy, 0) * y.size / (y.size - 2)) / (x @ x)
    return slope - reach, slope + reach


def mixture(y: Array, x: Array) -> Interval:
    line = trend(y, x)
    return line.low, line.high


def compare_intervals(n_trials: int = 1000) -> None:
    methods = {"least squares": least_squares, "Theil-Sen": theil_sen, "Newey-West": newey_west, "mixture": mixture}
    print(f"| noise | autocorrelation | repetitions | share of {n_trials} intervals that contain the slope, mean "
          f"width over that of least squares: {', '.join(methods)} |")  # fmt: skip
    rng = np.random.default_rng(0)
    for noise in ("normal", "t of 3 degrees"):
        for autocorrelation in (0.0, 0.3, 0.6, 0.8):
            for n in (5, 8, 15, 30):
                hits, widths = np.zeros(len(methods)), np.zeros(len(methods))
                for _ in range(n_trials):
                    steps = rng.standard_normal(n + 50) if noise == "normal" else rng.standard_t(3, n + 50)
                    errors = signal.lfilter([1.0], [1.0, -autocorrelation], steps)[-n:]
                    x = np.arange(n) + rng.uniform(-0.1, 0.1, n)
                    low, high = np.array([method(errors - x, x) for method in methods.values()]).T
                    hits += (low <= -1) & (high >= -1)
                    widths += high - low
                cells = ", ".join(
                    f"{h:.2f} ({w:.1f})" for h, w in zip(hits / n_trials, widths / widths[0], strict=True)
                )
                print(f"| {noise} | {autocorrelation:g} | {n} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
