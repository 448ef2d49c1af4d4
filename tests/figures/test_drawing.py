"""drawing.py: axes that are given are used, and without any a new figure is made."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from semg_hht.figures.drawing import axes_or_new, bin_edges


def test_axes_are_those_given_or_new_ones_of_pyplot() -> None:
    given = Figure().add_subplot()
    assert axes_or_new(given) is given
    new = axes_or_new(None, 3.0, 2.0)
    assert new.get_figure() is pyplot.gcf()
    pyplot.close("all")


def test_edges_of_bins_lie_half_a_bin_outside() -> None:
    assert bin_edges(None) == (0.0, 256.0)
    assert bin_edges(np.array([1.0, 3.0, 5.0])) == (0.0, 6.0)
