"""Feeds the compiled kernel what no caller would, past the checks that stand before it. Run by sanitize_hht.sh."""

import sys
import time

import numpy as np

from semg_hht.hht import kernel
from semg_hht.hht.rules import RULES
from semg_hht.hht.spectrum import power_on_grid

VALUES = np.array([0.0, -0.0, 1.0, -1.0, 1e300, -1e300, 5e-324, np.inf, -np.inf, np.nan])


def hostile(rng: np.random.Generator) -> np.ndarray:
    """A signal of an awkward length: noise, steps, plateaus, spikes, or numbers that are none."""
    n_samples = int(rng.choice([8, 9, 15, 16, 17, 23, 24, 25, 63, 64, 65, rng.integers(8, 700)]))
    x = rng.standard_normal(n_samples)
    match rng.integers(7):
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
    return np.ascontiguousarray(x[None])


def main(seconds: float) -> None:
    rng = np.random.default_rng()
    until = time.monotonic() + seconds
    n_runs = 0
    while time.monotonic() < until:
        kernel.compiled.choose(rng.choice(kernel.compiled.builds()))
        x = hostile(rng)
        rule = RULES[rng.choice(list(RULES))]
        rows, n_imfs, _ = kernel.decompose(x, rule)
        noise = rng.standard_normal((3, x.shape[1]))
        kernel.ensemble_mean(x[0], noise, np.full(3, rng.choice([0.0, 0.2, 1e300])), rule, local_mean=bool(n_runs % 2))
        kernel.Streams(x, rule).next()
        with np.errstate(all="ignore"):
            power_on_grid(rows[0, : n_imfs[0] + 1], float(rng.choice([1000.0, 1e-3, 1e12])), (20.0, 450.0))
        n_runs += 1
    sys.stdout.write(f"{n_runs} hostile signals, {kernel.compiled.builds()}: no fault\n")


main(float(sys.argv[1]))
