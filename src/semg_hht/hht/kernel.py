"""One door to the compiled kernel or, where it was not built, to the NumPy sift that does the same, slowly.

Knows rows of numbers, rules and threads. Results never depend on the number of threads.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.hht import sifting
from semg_hht.hht.stopping import Rule

compiled: ModuleType | None
try:
    from semg_hht.hht import _kernel

    compiled = _kernel
except ImportError:
    compiled = None

Array = NDArray[np.float64]
Counts = NDArray[np.int32]

CHUNK = (
    16  # trials added up one after the other by one thread: fixed, so that sums round alike on any number of threads
)

_log = logging.getLogger(__name__)
_told = False


def available() -> ModuleType | None:
    """The compiled kernel, or None after saying so once."""
    global _told
    if compiled is None and not _told:
        _told = True
        _log.warning(
            "the compiled Hilbert-Huang transform was not built (no C compiler at install?): "
            "using NumPy, with the same results but a hundred times slower"
        )
    return compiled


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_threads(work: Callable[[int, int], Any], n_items: int, n_threads: int | None, chunk: int = 1) -> list[Any]:
    """``work(start, stop)`` on consecutive chunks of ``range(n_items)``; results in order."""
    starts = range(0, n_items, chunk)
    n_threads = min(n_threads or cores(), len(starts))
    if n_threads <= 1:
        return [work(start, min(start + chunk, n_items)) for start in starts]
    pool = _pool(n_threads, os.getpid())
    return list(pool.map(lambda start: work(start, min(start + chunk, n_items)), starts))


@lru_cache(maxsize=4)
def _pool(n_threads: int, process: int) -> ThreadPoolExecutor:
    """Threads to keep: an ensemble asks for them a few times a millisecond. A forked process needs its own."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix=f"hht-{process}")


def _numbers(rule: Rule) -> tuple[int, float, int, int, int]:
    return rule.code, rule.threshold, rule.max_imfs, rule.max_sifts, rule.n_sifts


def decompose(signals: Array, rule: Rule, n_threads: int | None = 1) -> tuple[Array, Counts, Counts]:
    """Decompose each row of ``signals`` (n_signals, n_samples), contiguous.

    Returns
    -------
    rows : (n_signals, max_imfs + 1, n_samples); after a signal's last mode comes its residue, the rest is undefined.
    n_imfs : (n_signals,)
    n_sifts : (n_signals, max_imfs + 1) sifts spent on each mode; the one after the last belongs to the residue.
    """
    n_signals, n_samples = signals.shape
    rows = np.empty((n_signals, rule.max_imfs + 1, n_samples))
    n_imfs = np.zeros(n_signals, np.int32)
    n_sifts = np.zeros((n_signals, rule.max_imfs + 1), np.int32)
    kernel = available()

    def work(start: int, stop: int) -> None:
        part = slice(start, stop)
        if kernel:
            buffers = signals[part], rows[part], n_imfs[part], n_sifts[part]
            kernel.decompose(*buffers, stop - start, n_samples, *_numbers(rule))
            return
        for i in range(start, stop):
            stream = sifting.open_stream(signals[i])
            while True:
                mode, sifts = sifting.next_mode(stream, rule)
                n_sifts[i, n_imfs[i]] = sifts
                if mode is None:
                    break
                rows[i, n_imfs[i]] = mode
                n_imfs[i] += 1
            rows[i, n_imfs[i]] = stream.rest

    over_threads(work, n_signals, n_threads, chunk=max(1, -(-n_signals // (8 * (n_threads or cores())))))
    return rows, n_imfs, n_sifts


def first_mode(signal: Array, rule: Rule) -> tuple[Array | None, int]:
    """First mode of a contiguous ``signal`` (n_samples,), None where it has none, and the extrema counted last."""
    kernel = available()
    if kernel is None:
        mode, _, n_extrema = sifting.extract_mode(signal, rule)
        return mode, n_extrema
    out = np.empty_like(signal)
    found, n_extrema = kernel.first_mode(signal, out, signal.size, *_numbers(rule))
    return out if found else None, n_extrema


class Streams:
    """The modes of every row of ``x`` (n_rows, n_samples), one level at a time, fastest first.

    rest : (n_rows, n_samples) what is left of each row.
    counts : (n_rows,) modes taken of each row, -1 once it has no more.
    """

    def __init__(self, x: Array, rule: Rule, n_threads: int | None = 1) -> None:
        self.x, self.rule, self.n_threads = x, rule, n_threads
        self.rest = x.copy()
        self.counts: Counts = np.zeros(len(x), np.int32)
        self._smallest = np.zeros(len(x))
        self._modes = np.empty(x.shape)  # one buffer for all levels: fresh memory costs more than a sift

    def next(self) -> Array:
        """One more mode of every row; zeros where a row has no more. Good until the next call."""
        n_rows, n_samples = self.x.shape
        modes, rule = self._modes, self.rule
        kernel = available()

        def work(start: int, stop: int) -> None:
            part = slice(start, stop)
            if kernel:
                n_sifts = np.zeros(stop - start, np.int32)
                buffers = self.x[part], self.rest[part], self.counts[part], modes[part], self._smallest[part], n_sifts
                kernel.next_modes(*buffers, stop - start, n_samples, *_numbers(rule))
                return
            for i in range(start, stop):
                done = bool(self.counts[i] < 0)
                taken = max(int(self.counts[i]), 0)
                stream = sifting.Stream(self.x[i], self.rest[i].copy(), self.x[i] - self.rest[i], taken, done)
                mode, _ = sifting.next_mode(stream, rule)
                modes[i] = 0 if mode is None else mode
                self.rest[i] = stream.rest
                self.counts[i] = -1 if stream.done else stream.n_modes

        over_threads(work, n_rows, self.n_threads, CHUNK)
        return modes


def ensemble_mean(
    base: Array,
    noise: Array,
    scale: Array,
    rule: Rule,
    *,
    local_mean: bool,
    starts: NDArray[np.int64] | None = None,
    n_threads: int | None = 1,
) -> Array:
    """Mean over trials of the first mode of ``base + scale[i] * noise[i]``, or of what that mode leaves.

    base (n_samples,); noise (n_trials, n_samples), or any numbers in which trial i's begin at ``starts[i]``; scale
    (n_trials,). A trial that has no mode counts whole, as a mode and as what is left alike.
    """
    n_trials, n_samples = scale.size, base.size
    if starts is None:
        starts = np.arange(n_trials, dtype=np.int64) * n_samples
    kernel = available()

    def work(start: int, stop: int) -> Array:
        part = slice(start, stop)
        total = np.zeros(n_samples)
        if kernel:
            buffers = starts[part], scale[part], total, np.zeros(stop - start, np.int32)
            shape = stop - start, n_samples, local_mean
            kernel.ensemble_sum(base, noise, noise.size, *buffers, *shape, *_numbers(rule))
            return total
        for much, first in zip(scale[part], starts[part], strict=True):
            trial = base + much * noise.ravel()[first : first + n_samples]
            mode, _, n_extrema = sifting.extract_mode(trial, rule)
            if mode is None or (rule.name == "pyemd" and n_extrema <= 2):  # PyEMD drops such a mode
                total += trial
            else:
                total += trial - mode if local_mean else mode
        return total

    total: Array = np.zeros(n_samples)
    for part in over_threads(work, n_trials, n_threads, CHUNK):
        total += part
    total /= n_trials
    return total
