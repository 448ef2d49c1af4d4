"""The local maxima of a curve, and those that stand out; equal to `scipy.signal.find_peaks`.

Importing `scipy.signal` takes longer than labelling a recording.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def local_maxima(values: Array) -> NDArray[np.intp]:
    """Numbers of the local maxima of (n,), of a plateau its middle."""
    edges = np.flatnonzero(np.diff(values, prepend=np.nan, append=np.nan))  # where runs of equal values begin and end
    runs = values[edges[:-1]]
    higher = runs[1:-1] > np.maximum(runs[:-2], runs[2:])
    return (edges[:-1] + edges[1:] - 1)[1:-1][higher] // 2


def prominent_maxima(values: Array, least: float) -> NDArray[np.intp]:
    """Those of the local maxima of (n,) from which the curve falls by ``least`` on both sides before it is higher."""
    maxima = local_maxima(values)
    return maxima[[_prominence(values, peak) >= least for peak in maxima.tolist()]] if maxima.size else maxima


def _prominence(values: Array, peak: int) -> float:
    higher = values > values[peak]
    before, after = np.flatnonzero(higher[:peak]), np.flatnonzero(higher[peak:])
    left = values[before[-1] + 1 if before.size else 0 : peak + 1].min()
    right = values[peak : peak + after[0] if after.size else None].min()
    return float(values[peak] - max(left, right))
