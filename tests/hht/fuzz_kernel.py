"""Fuzz the compiled kernel with signals that the public functions would refuse. sanitize_kernel.sh runs this script.

One sift of every finite signal is compared with NumPy. Usage: ``fuzz_kernel.py SECONDS [SEED]``; the seed is printed.
"""

import logging
import sys
import time
from dataclasses import replace

import numpy as np

from semg_hht.hht import kernel
from semg_hht.hht.spectrum import power_on_grid
from semg_hht.hht.stopping import RULES

VALUES = np.array([0.0, -0.0, 1.0, -1.0, 1e300, -1e300, 5e-324, np.inf, -np.inf, np.nan])


def critical_signal(rng: np.random.Generator) -> np.ndarray:
    """A signal of a critical length: noise, steps, plateaus, spikes, infinities or NaN."""
    n_samples = int(rng.choice([8, 9, 15, 16, 17, 23, 24, 25, 63, 64, 65, rng.integers(8, 700)]))
    x = rng.standard_normal(n_samples)
    match rng.integers(8):
        case 0:
            x = np.round(x * rng.integers(1, 4))
        case 1:
            x = np.cumsum(np.round(x))
        case 2:
            x[:] = np.arange(n_samples) % rng.integers(1, 5)
        case 3:
            x[rng.random(n_samples) < 0.2] = rng.choice(VALUES)
        case 4:
            x = rng.choice(VALUES, n_samples)
        case 5:
            x = np.repeat(x, rng.integers(1, 9))[:n_samples]
        case 6:  # a rising staircase with few drops: one dense and one sparse envelope
            steps = np.where(np.arange(n_samples) % 2, 0.0, rng.uniform(1, 5, n_samples))
            steps[rng.integers(0, n_samples, 2)] = -50
            x = np.cumsum(steps)
    return np.ascontiguousarray(x[None])


def compare(x: np.ndarray, name: str) -> None:
    """Compare one sift with NumPy. After more sifts, rounding can decide between two equal samples."""
    one_sift = replace(RULES[name], max_imfs=1, max_sifts=1)
    if name == "fixed":  # this rule always has n_sifts sifts
        one_sift = replace(one_sift, n_sifts=1)
    rows, n_imfs, _ = kernel.decompose(x, one_sift)
    compiled, kernel.compiled = kernel.compiled, None
    expected, n_expected, _ = kernel.decompose(x, one_sift)
    kernel.compiled = compiled
    assert n_imfs[0] == n_expected[0], (name, x.shape)
    used = slice(0, n_imfs[0] + 1)  # the IMFs and the residue; further rows are undefined
    difference = np.abs(rows[0, used] - expected[0, used]).max()
    assert difference <= 1e-10 * np.ptp(x), (name, x.shape, difference)


def filter_rows(rng: np.random.Generator, x: np.ndarray) -> None:
    """Filter as many rows as fill the vectors, and some more; one row alone gives the same."""
    n_rows, n_sections = int(rng.integers(1, 10)), int(rng.choice([1, 2, 13, kernel.MAX_SECTIONS]))
    sos = np.tile([1.0, 2.0, 1.0, 1.0, -0.5, 0.1], (n_sections, 1)) / 4
    rows, state = np.repeat(x, n_rows, axis=0), np.zeros((n_rows, n_sections, 2))
    alone, own = x.copy(), np.zeros((1, n_sections, 2))
    for backwards in (False, True):
        kernel.compiled.filter(rows, sos, state, *rows.shape, n_sections, backwards)
        kernel.compiled.filter(alone, sos, own, *alone.shape, n_sections, backwards)
    np.testing.assert_array_equal(rows, np.repeat(alone, n_rows, axis=0))
    np.testing.assert_array_equal(state, np.repeat(own, n_rows, axis=0))


def main(seconds: float, seed: int) -> None:
    logging.disable()  # the comparison with NumPy would log that the kernel was not built
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    rng = np.random.default_rng(seed)
    end = time.monotonic() + seconds
    n_runs = 0
    while time.monotonic() < end:
        kernel.compiled.choose(rng.choice(kernel.compiled.builds()))
        x = critical_signal(rng)
        name = str(rng.choice(list(RULES)))
        rule = RULES[name]
        if np.abs(x).max() < 1e6:  # False if a value is NaN
            compare(x, name)
        rows, n_imfs, _ = kernel.decompose(x, rule)
        noise = rng.standard_normal((3, x.shape[1]))
        kernel.ensemble_mean(x[0], noise, np.full(3, rng.choice([0.0, 0.2, 1e300])), rule, local_mean=bool(n_runs % 2))
        kernel.Streams(x, rule).next()
        filter_rows(rng, x)
        with np.errstate(all="ignore"):
            power_on_grid(rows[0, : n_imfs[0] + 1], float(rng.choice([1000.0, 1e-3, 1e12])), (20.0, 450.0))
        n_runs += 1
    sys.stdout.write(f"{n_runs} signals, {kernel.compiled.builds()}: no fault\n")


main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 2**32)
