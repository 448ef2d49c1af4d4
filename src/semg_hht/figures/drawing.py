"""What all figures share: colours, the axes to draw on, and the edges of bins. It does not know what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semg_hht.matrices.matrix import SIZE

if TYPE_CHECKING:  # the picture of repetitions does without matplotlib
    from matplotlib.axes import Axes as Axes  # also for pages that plot

# Okabe and Ito's palette, whose colours colour-blind readers can distinguish.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
MATRIX_COLOURS = "magma"


def axes_or_new(ax: Axes | None, width_in: float = 6.4, height_in: float = 4.0) -> Axes:
    """``ax``, or the axes of a new figure of matplotlib's pyplot, which a notebook shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    _, new = pyplot.subplots(figsize=(width_in, height_in), layout="constrained")
    return new


def bin_edges(centres: NDArray[np.float64] | None) -> tuple[float, float]:
    """Return the start of the first bin and the end of the last; bin numbers where there are no centres."""
    if centres is None:
        return 0.0, float(SIZE)
    half = (centres[1] - centres[0]) / 2
    return float(centres[0] - half), float(centres[-1] + half)
