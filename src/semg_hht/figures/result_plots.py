"""Plot matrices, spectra, confusion matrices and training histories on axes, which every function returns.

`plots` makes the files of the command line from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from semg_hht.figures.drawing import BLUE, GREEN, GREY, MATRIX_COLOURS, ORANGE, axes_or_new, bin_edges
from semg_hht.matrices.matrix import Matrix
from semg_hht.matrices.scaling import DEPTH_DB, scale_power
from semg_hht.system.arguments import checked

Array = NDArray[np.float64]


class SpectrumOnGrid(Protocol):
    """What `plot_spectrum` reads of a `semg_hht.hht.HilbertSpectrum`."""

    @property
    def power(self) -> Array: ...
    @property
    def frequency_hz(self) -> Array: ...
    @property
    def time_s(self) -> Array: ...


@checked
def plot_matrix(matrix: Matrix, *, channel: int = 0, ax: Axes | None = None) -> Axes:
    """Plot one channel of a matrix, low frequencies below.

    Parameters
    ----------
    matrix : as `semg_hht.matrices.matrix.read_matrix` gives it.
    channel : number of the plane, from 0.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: time in s and frequency in Hz, or numbers of bins where the file states neither; a bar of scaled power.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.figures.result_plots import plot_matrix
    >>> from semg_hht.matrices.matrix import Matrix
    >>> plot_matrix(Matrix(np.zeros((1, 256, 256), np.float32))).get_xlabel()
    'time bin'
    """
    axes = axes_or_new(ax)
    plot_plane(axes, matrix.values[channel], matrix.frequency_hz, matrix.time_s)
    which = f", channel {channel + 1}" if len(matrix.values) > 1 else ""
    axes.set_title(f"Hilbert-Huang matrix{which}")
    return axes


@checked
def plot_spectrum(spectrum: SpectrumOnGrid, *, ax: Axes | None = None) -> Axes:
    """Plot a Hilbert spectrum in decibels below its strongest cell, low frequencies below.

    Parameters
    ----------
    spectrum : of `semg_hht.hht.hilbert_spectrum`.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: time in s and frequency in Hz.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> from semg_hht.figures.result_plots import plot_spectrum
    >>> spectrum = sh.hht.hilbert_spectrum(np.random.default_rng(0).normal(size=500), rate_hz=1000)
    >>> plot_spectrum(spectrum).get_ylabel()
    'frequency (Hz)'
    """
    axes = axes_or_new(ax)
    level_db = DEPTH_DB * (scale_power(spectrum.power, "db") - 1)
    plot_plane(axes, level_db, spectrum.frequency_hz, spectrum.time_s, "power (dB below the strongest cell)")
    axes.set_title("Hilbert spectrum")
    return axes


def plot_plane(
    axes: Axes, plane: NDArray[np.float32], frequency_hz: Array | None, time_s: Array | None, what: str = "scaled power"
) -> None:
    """Plot a plane (256, 256) [frequency, time] without a title, with a bar of colours named ``what``."""
    left, right = bin_edges(time_s)
    low, high = bin_edges(frequency_hz)
    image = axes.imshow(
        plane,
        origin="lower",
        aspect="auto",
        cmap=MATRIX_COLOURS,
        extent=(left, right, low, high),
        interpolation="nearest",
    )
    axes.set_xlabel("time bin" if time_s is None else "time (s)")
    axes.set_ylabel("frequency bin" if frequency_hz is None else "frequency (Hz)")
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label=what)


@checked
def plot_confusion(report: Any, *, ax: Axes | None = None) -> Axes:
    """Plot the confusion matrix of a report, with counts and the share of each recorded class.

    Parameters
    ----------
    report : of `semg_hht.evaluation.metrics.evaluate`, or of a training's `reports`.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: predicted and recorded classes; the title states the balanced accuracy.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.evaluation.metrics import evaluate
    >>> from semg_hht.figures.result_plots import plot_confusion
    >>> report = evaluate(["full", "half"], np.eye(2), ("full", "half"), ["P1", "P2"])
    >>> plot_confusion(report).get_title()
    'balanced accuracy 1.00'
    """
    axes = axes_or_new(ax, 4.6, 4.4)
    counts = report.confusion
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        axes.text(
            j, i, f"{counts[i, j]}\n{share[i, j]:.0%}", ha="center", va="center",
            color="white" if share[i, j] > 0.6 else "black", fontsize="small",
        )  # fmt: skip
    axes.set_xticks(range(len(report.classes)), report.classes)
    axes.set_yticks(range(len(report.classes)), report.classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("recorded")
    axes.set_title(f"balanced accuracy {report.balanced_accuracy:.2f}", fontsize="medium")
    return axes


# What a history is plotted of -> its axis, and the fields of an epoch with their colours and captions.
HISTORIES: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "loss": (
        "cross-entropy",
        (
            ("train_loss", BLUE, "training (weighted, smoothed labels)"),
            ("validation_loss", ORANGE, "validation"),
        ),
    ),
    "accuracy": (
        "accuracy",
        (
            ("train_accuracy", BLUE, "training, each matrix"),
            ("validation_balanced_accuracy", ORANGE, "validation, balanced, each repetition"),
        ),
    ),
    "learning_rate": ("learning rate", (("learning_rate", GREY, "at the end of the epoch"),)),
}


@checked
def plot_history(history: Sequence[Any], best_epoch: int, *, what: str = "loss", ax: Axes | None = None) -> Axes:
    """Plot the loss, the accuracy or the learning rate of a training over its epochs; the best epoch is marked.

    Parameters
    ----------
    history : `semg_hht.learning.train.Result.history`, one record for each epoch.
    best_epoch : its number, from 1.
    what : ``loss``, ``accuracy`` or ``learning_rate``.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: epoch, and cross-entropy, accuracy from 0 to 1, or learning rate.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from semg_hht.figures.result_plots import plot_history
    >>> epochs = [SimpleNamespace(epoch=i, learning_rate=1e-4) for i in (1, 2, 3)]
    >>> plot_history(epochs, 2, what="learning_rate").get_ylabel()
    'learning rate'
    """
    axes = axes_or_new(ax, 5.0, 3.6)
    label, lines = HISTORIES[what]
    epochs = [record.epoch for record in history]
    for field, colour, caption in lines:
        axes.plot(epochs, [getattr(record, field) for record in history], color=colour, label=caption)
    axes.set_ylabel(label)
    if what == "accuracy":
        axes.set_ylim(0, 1.02)
    elif what == "learning_rate":
        axes.set_ylim(bottom=0)
    axes.axvline(best_epoch, color=GREEN, linestyle=":", label=f"best epoch ({best_epoch})")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"Training: {label}", fontsize="medium")
    axes.legend(fontsize="small", edgecolor="none")  # the white background keeps the text legible over lines
    return axes
