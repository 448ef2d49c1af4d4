"""Scale the power of a Hilbert spectrum to the values of a matrix; each scaling keeps or discards amplitude.

It works on arrays. It does not know files, people or networks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# What each scaling keeps. Those with a reference divide the signal by a reference amplitude before the transform.
SCALINGS = {
    "minmax": "amplitude of each matrix stretched to 0..1; effort is discarded (as in the original README)",
    "log": "logarithm of power above 1 uV (or one unit of the device); effort is kept as far as devices agree",
    "db": "decibels below the strongest cell of each matrix, 60 dB deep; effort is discarded",
    "mvc": "as log, above 1 % of the subject's maximal contraction (references); effort is kept",
    "subject": "as log, above 1 % of the subject's mean amplitude over all recordings given",
    "upstream": "the scaling of the decomposition upstream, for no other decomposition",
}
WITH_REFERENCE = ("mvc", "subject")
IN_UNITS = ("log",)  # the values depend on the units of the recording
DEPTH_DB = 60.0
REFERENCE_FLOOR = 0.01  # share of the reference amplitude that counts as silence


def scale_power(power: NDArray[np.floating], scaling: str) -> NDArray[np.float32]:
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
        with np.errstate(divide="ignore"):  # an empty cell lies at -inf dB and is set to the floor below
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
