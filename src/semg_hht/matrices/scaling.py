"""From power on the grid to the values the network sees: the one place where amplitude is kept or thrown away.

Knows arrays and amplitudes: nothing of files, people or networks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# What each choice keeps; the ones with a reference divide the signal by an amplitude before the transform.
SCALINGS = {
    "minmax": "amplitude of each matrix stretched to 0..1; effort is thrown away (the seed's choice)",
    "log": "logarithm of power above 1 uV (or one unit of the device); effort stays as far as devices agree",
    "db": "decibels below the strongest cell of each matrix, 60 dB deep; effort is thrown away",
    "mvc": "as log, above 1 % of the subject's maximal contraction (--references); effort stays",
    "subject": "as log, above 1 % of the subject's mean amplitude over all recordings given",
    "upstream": "as the recipe has it; goes with the decomposition upstream, and with no other",
}
WITH_REFERENCE = ("mvc", "subject")
DEPTH_DB = 60.0
REFERENCE_FLOOR = 0.01  # share of the reference amplitude that counts as silence


def scale_power(power: Array, scaling: str) -> NDArray[np.float32]:
    """Power (256, 256) in squared units -> matrix (256, 256) float32, 0 where there is no power.

    For ``mvc`` and ``subject`` the power is that of a signal already divided by its reference amplitude.
    """
    if scaling == "upstream":
        return np.asarray(power, dtype=np.float32)
    if scaling == "minmax":
        return min_max(np.sqrt(power))
    if scaling == "db":
        peak = float(power.max())
        if peak == 0:
            return np.zeros(power.shape, dtype=np.float32)
        with np.errstate(divide="ignore"):  # empty cells are infinitely quiet: they end on the floor
            level = 10 * np.log10(power / peak)
        return np.asarray(np.maximum(level / DEPTH_DB, -1) + 1, dtype=np.float32)
    floor = REFERENCE_FLOOR**2 if scaling in WITH_REFERENCE else 1.0
    return np.asarray(np.log1p(power / floor), dtype=np.float32)


def min_max(matrix: NDArray[np.floating]) -> NDArray[np.float32]:
    """Stretch to 0..1; a constant matrix becomes zeros."""
    low, high = float(matrix.min()), float(matrix.max())
    if high == low:
        return np.zeros(matrix.shape, dtype=np.float32)
    return np.asarray((matrix - low) / (high - low), dtype=np.float32)
