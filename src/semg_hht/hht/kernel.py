"""Call the compiled kernel or, if it was not built, the NumPy sift, which gives the same results slowly.

It spreads the work over threads. Results never depend on the number of threads.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.hht import sifting
from semg_hht.hht.stopping import StoppingRule

compiled: ModuleType | None
try:
    from semg_hht.hht import _kernel

    compiled = _kernel
except ImportError:
    compiled = None

Array = NDArray[np.float64]
Counts = NDArray[np.int32]

# Trials that one thread adds up; a fixed number, so that sums round in the same way with any number of threads.
CHUNK = 16

MAX_SECTIONS = 64  # of a filter; sections.c keeps their state on the stack

_log = logging.getLogger(__name__)
_warned = False


def available() -> ModuleType | None:
    """The compiled kernel, or None; the first None is logged as a warning."""
    global _warned
    if compiled is None and not _warned:
        _warned = True
        _log.warning(
            "the compiled Hilbert-Huang transform was not built (was there no C compiler at installation?): "
            "NumPy is used instead, with the same results but a hundred times slower"
        )
    return compiled


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_threads(work: Callable[[int, int], Any], n_items: int, n_threads: int | None, chunk: int = 1) -> list[Any]:
    """Results of ``work(start, stop)`` on consecutive chunks of ``range(n_items)``, in order.

    The calling thread works too, and each thread takes the next chunk as soon as it has finished one.
    """
    if 0 < n_items <= chunk:
        return [work(0, n_items)]
    starts = range(0, n_items, chunk)
    n_threads = min(n_threads or cores(), len(starts))
    results: list[Any] = [None] * len(starts)
    numbers = iter(range(len(starts)))  # next() of it is atomic

    def take() -> None:
        for i in numbers:
            results[i] = work(starts[i], min(starts[i] + chunk, n_items))

    if n_threads <= 1:
        take()
        return results
    others = [_pool(n_threads - 1, os.getpid()).submit(take) for _ in range(n_threads - 1)]
    try:
        take()
    finally:
        for _ in numbers:  # after an error nobody takes another chunk
            pass
        wait([other for other in others if not other.cancel()])
    for other in others:
        if not other.cancelled():
            other.result()  # raises what its thread raised
    return results


@lru_cache(maxsize=4)
def _pool(n_threads: int, process: int) -> ThreadPoolExecutor:
    """A pool that is kept, because an ensemble uses it several times per millisecond; a forked process gets its own."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix=f"hht-{process}")


def _numbers(rule: StoppingRule) -> tuple[int, float, int, int, int]:
    return rule.code, rule.threshold, rule.max_imfs, rule.max_sifts, rule.n_sifts


def decompose(signals: Array, rule: StoppingRule, n_threads: int | None = 1) -> tuple[Array, Counts, Counts]:
    """Decompose each row of contiguous ``signals`` (n_signals, n_samples).

    Returns
    -------
    rows : (n_signals, max_imfs + 1, n_samples). The residue follows a signal's last IMF; further rows are undefined.
    n_imfs : (n_signals,)
    n_sifts : (n_signals, max_imfs + 1) sifts of each IMF; the number after the last IMF belongs to the residue.
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

    over_threads(work, n_signals, n_threads, signals_at_once(n_signals, n_threads))
    return rows, n_imfs, n_sifts


def signals_at_once(n_signals: int, n_threads: int | None) -> int:
    """Signals of a batch that a thread takes at once: a sixteenth of its share, so that all end at the same time."""
    return 1 if n_signals == 1 else max(1, n_signals // (16 * (n_threads or cores())))


def first_mode(signal: Array, rule: StoppingRule) -> tuple[Array | None, int]:
    """First mode of contiguous ``signal`` (n_samples,), None if it has none, and the last number of extrema."""
    kernel = available()
    if kernel is None:
        mode, _, n_extrema = sifting.extract_mode(signal, rule)
        return mode, n_extrema
    out = np.empty_like(signal)
    is_mode, n_extrema = kernel.first_mode(signal, out, signal.size, *_numbers(rule))
    return out if is_mode else None, n_extrema


def count_extrema(signal: Array, rule: StoppingRule) -> int:
    """Number of extrema of contiguous ``signal`` (n_samples,), by the rule's definition of an extremum."""
    return first_mode(signal, replace(rule, max_sifts=0, n_sifts=0))[1]


class Streams:
    """Modes of every row of ``x`` (n_rows, n_samples), one level at a time, highest frequency first.

    rest : (n_rows, n_samples) each row less its modes so far.
    counts : (n_rows,) number of modes of each row so far, -1 once it has no more.
    """

    def __init__(self, x: Array, rule: StoppingRule, n_threads: int | None = 1) -> None:
        self.x, self.rule, self.n_threads = x, rule, n_threads
        self.rest = x.copy()
        self.counts: Counts = np.zeros(len(x), np.int32)
        self._smallest = np.zeros(len(x))
        self._modes = np.empty(x.shape)  # one buffer for all levels: new memory takes longer than a sift

    def next(self) -> Array:
        """The next mode of every row, zeros for a row without one. The array is valid until the next call."""
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
    rule: StoppingRule,
    *,
    local_mean: bool,
    starts: NDArray[np.int64] | None = None,
    n_threads: int | None = 1,
) -> Array:
    """Mean over trials of the first mode of ``base + scale[i] * noise[i]``, or of its local mean.

    base : (n_samples,).
    noise : (n_trials, n_samples), or any numbers among which those of trial i begin at ``starts[i]``.
    scale : (n_trials,).
    local_mean : average the trials less their first modes, not the modes. A trial without a mode counts as a whole in
        both cases.
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
        for factor, first in zip(scale[part], starts[part], strict=True):
            trial = base + factor * noise.ravel()[first : first + n_samples]
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
