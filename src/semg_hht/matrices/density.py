"""Smooth a Hilbert spectrum to a density of power that depends neither on the sampling rate nor on the duration.

Each sample of an IMF fills one cell, so a higher rate or a longer signal fills more cells of the same grid, and the
logarithm of a matrix of single cells counts them. A Gaussian kernel of fixed width in seconds and in rows spreads each
sample over the same area of time and frequency at every rate and duration. The module works on arrays. It does not know
recordings or scalings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

REACH = 4.0  # standard deviations at which the kernel ends
WIDTH_STEP = 1.02  # widths in cells are rounded to powers of it, so that kernels are computed once


@dataclass(frozen=True)
class DensityConfig:
    """Standard deviations of the Gaussian kernel that smooths the power.

    time_s : in seconds, so that the duration of a repetition does not matter.
    rows : in rows of the grid, 256 of which are the band: 17 Hz of 20 to 450 Hz.
    """

    time_s: float = 0.05
    rows: float = 10.0

    def __post_init__(self) -> None:
        for name, value in (("time_s", self.time_s), ("rows", self.rows)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} of the density must be a width above 0; got {value!r}")


def power_density(power: NDArray[np.float64], time_s: NDArray[np.float64], config: DensityConfig) -> Array:
    """Smooth power (256, 256) [frequency, time] with the kernel, which is mirrored at the edges: no power is lost.

    time_s : (256,) centres of the time bins.
    """
    n_rows, n_columns = power.shape
    block, rows = _kernel(_rounded(config.rows), n_rows)
    pooled = power.reshape(n_rows // block, block, n_columns).sum(axis=1)  # (256, 256) -> (n_row_blocks, 256)
    block, columns = _kernel(_rounded(config.time_s / float(time_s[1] - time_s[0])), n_columns)
    pooled = np.add.reduceat(pooled, range(0, n_columns, block), axis=1)  # -> (n_row_blocks, n_column_blocks)
    return np.asarray(rows @ (pooled.astype(np.float32) @ columns.T))  # float32 takes half the time


def _rounded(width: float) -> float:
    """Width in cells, to within a hundredth."""
    return float(WIDTH_STEP ** round(math.log(width, WIDTH_STEP)))


@lru_cache(maxsize=256)
def _kernel(width: float, n_cells: int) -> tuple[int, Array]:
    """Number of cells that are pooled to a block, and the share of a block's power in each cell, (n_cells, n_blocks).

    Blocks of at most one standard deviation cost a fraction of the cells.
    """
    block = 1
    while 2 * block <= width and n_cells % (2 * block) == 0 and 4 * block < n_cells:
        block *= 2
    # A block spreads its power over itself already; the Gaussian adds what the width lacks.
    width = math.sqrt(max(width**2 - (block**2 - 1) / 12, 1e-4))
    centres = (np.arange(n_cells // block) + 0.5) * block
    cells = np.arange(n_cells)[:, None] + 0.5
    kernel = np.zeros((n_cells, centres.size))
    for mirror in range(-1 - int(REACH * width / 2 / n_cells), 2 + int(REACH * width / 2 / n_cells)):
        for centre in (2 * mirror * n_cells + centres, 2 * mirror * n_cells - centres):
            near = np.abs(centre - n_cells / 2) < REACH * width + n_cells / 2
            distance = (cells - centre[near]) / width
            kernel[:, near] += np.exp(-(distance**2) / 2) * (np.abs(distance) < REACH)
    return block, (kernel / kernel.sum(axis=0)).astype(np.float32)  # all of a block's power stays in the grid
