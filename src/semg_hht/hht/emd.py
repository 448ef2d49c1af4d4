"""Empirical mode decomposition: sift a signal into IMFs and a residue.

It works on arrays and does not know sampling rates.
"""

from __future__ import annotations

from math import isfinite
from operator import eq

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semg_hht.hht.kernel import decompose, over_threads, signals_at_once
from semg_hht.hht.stopping import StoppingRule, stopping_rule

Array = NDArray[np.float64]

MIN_SAMPLES = 8


def emd(
    x: ArrayLike,
    *,
    stopping: str | StoppingRule = "sd",
    sd_threshold: float | None = None,
    max_imfs: int | None = None,
    max_sifts: int | None = None,
    n_sifts: int | None = None,
    n_threads: int | None = None,
) -> Array:
    """Decompose signals into intrinsic mode functions (IMFs), highest frequency first, and a residue.

    Parameters
    ----------
    x : (n_samples,) or (n_signals, n_samples), any real dtype, finite.
    stopping : the rule that ends the sift of an IMF: ``"sd"`` (the default), ``"emd"``, ``"rilling"``,
        ``"s-number"``, ``"fixed"``, ``"pyemd"``, ``"upstream"``, or a :class:`StoppingRule`; the module
        ``semg_hht.hht.stopping`` has the source and the numbers of each. Under ``"sd"`` the sift ends as soon as one
        sift changes the IMF by less than ``sd_threshold`` (default 0.1), measured as
        ``sum(mean_envelope**2) / sum(h**2)`` (Huang et al. 1998, doi 10.1098/rspa.1998.0193, in the form that does not
        divide by single samples). This is a ratio, so the result does not depend on the unit.
    max_imfs : largest number of IMFs (12; 40 under ``"emd"`` and ``"pyemd"``); the rest stays in the residue.
    max_sifts : largest number of sifts for one IMF (100 under ``"sd"``).
    n_sifts : number of sifts of ``"fixed"`` (10), or that must agree for ``"s-number"`` (4).
    n_threads : threads that share a batch; None for all cores. The result does not depend on it.

    Returns
    -------
    (..., n_imfs + 1, n_samples) float64. The last row is the residue, and the rows add up to ``x``. In a batch, signals
    with fewer IMFs than others have rows of zeros before their residue.

    Raises
    ------
    ValueError
        Fewer than 8 samples, a value that is not finite, a constant signal, a complex or non-numeric dtype, an
        unknown rule, or a number out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.sin(2 * np.pi * 50 * np.arange(1000) / 1000) + np.sin(2 * np.pi * 120 * np.arange(1000) / 1000)
    >>> imfs = sh.hht.emd(x)
    >>> np.allclose(imfs.sum(axis=0), x)  # the last row is the residue
    True
    """
    rule = stopping_rule(stopping, sd_threshold, max_imfs, max_sifts, n_sifts)
    signals = as_signals(x)
    rows, n_imfs, _ = decompose(np.atleast_2d(signals), rule, n_threads)
    if signals.ndim == 1:
        return rows[0, : n_imfs[0] + 1]
    max_n_imfs = int(n_imfs.max())

    def move_residues(start: int, stop: int) -> None:
        for row, n in zip(rows[start:stop], n_imfs[start:stop], strict=True):
            if n < max_n_imfs:
                row[max_n_imfs] = row[n]
                row[n:max_n_imfs] = 0

    over_threads(move_residues, len(rows), n_threads, signals_at_once(len(rows), n_threads))
    return rows[:, : max_n_imfs + 1]


def as_signals(x: ArrayLike) -> Array:
    """``x`` as contiguous float64; a ValueError reports what is wrong with it."""
    raw = np.asarray(x)
    if raw.dtype.kind not in "biuf":
        raise ValueError(f"a signal must hold real numbers; got dtype {raw.dtype}")
    if raw.ndim not in (1, 2) or raw.shape[0] == 0:
        raise ValueError(f"expected a signal (n_samples,) or a batch (n_signals, n_samples); got shape {raw.shape}")
    if raw.shape[-1] < MIN_SAMPLES:
        raise ValueError(f"a signal needs at least {MIN_SAMPLES} samples; got {raw.shape[-1]}")
    signals = np.ascontiguousarray(raw, dtype=np.float64)
    rows = signals.reshape(-1, signals.shape[-1])  # (n_samples,) or (n_signals, n_samples) -> (n_signals, n_samples)
    low, high = rows.min(axis=1).tolist(), rows.max(axis=1).tolist()  # both are NaN if any sample is
    if not (all(map(isfinite, low)) and all(map(isfinite, high))):
        n_bad = int(np.count_nonzero(~np.isfinite(signals)))
        raise ValueError(f"a signal must be finite; {n_bad} of {signals.size} samples are NaN or infinite")
    if any(map(eq, low, high)):
        raise ValueError("a signal must vary; got the same value in every sample")
    return signals
