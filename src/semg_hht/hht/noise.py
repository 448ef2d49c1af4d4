"""Gaussian noise that depends only on a seed, a trial and a sample number, not on batch order or threads.

A counter passed through SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195) gives the bits. The
quantile function of Wichura 1988 (algorithm AS 241, doi 10.2307/2347330) turns them into normal numbers.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
import scipy
from numpy.typing import NDArray

from semg_hht.hht.kernel import CHUNK, available, over_threads

Array = NDArray[np.float64]

_MASK = 2**64 - 1


def is_whole(number: object) -> bool:
    """Whether a number is whole by its type; True and False are not numbers."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def check_seed(seed: int) -> None:
    """Raise ValueError if ``seed`` is not a whole number from 0."""
    if not is_whole(seed) or seed < 0:
        raise ValueError(f"seed must be a whole number from 0; got {seed!r}")


def _mixed(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def key(seed: int, trial: int) -> int:
    """Key of the random stream of one trial."""
    return _mixed((_mixed((seed + 0x9E3779B97F4A7C15) & _MASK) + (trial + 1) * 0xD1B54A32D192ED03) & _MASK)


def white_noise(n_trials: int, n_samples: int, seed: int, first_trial: int = 0, n_threads: int | None = 1) -> Array:
    """Standard normal numbers (n_trials, n_samples); row i is the stream of trial ``first_trial + i``."""
    noise = np.empty((n_trials, n_samples))
    kernel = available()

    def work(start: int, stop: int) -> None:
        for row in range(start, stop):
            stream = key(seed, first_trial + row)
            if kernel:
                kernel.normals(noise[row], n_samples, stream)
            else:
                noise[row] = numpy_normals(n_samples, stream)

    over_threads(work, n_trials, n_threads, CHUNK)
    return noise


def numpy_normals(n_samples: int, stream: int) -> Array:
    """The numbers of the compiled kernel, to a relative precision of about 1e-15."""
    counter = np.arange(1, n_samples + 1, dtype=np.uint64)
    z = np.uint64(stream) + counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    uniform = (z >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
    return np.asarray(scipy.special.ndtri(uniform), dtype=np.float64)
