"""Write figures of matrices, filter steps, trends over repetitions, training history and confusion matrices to files.

`signal_plots` and `result_plots` plot what the figures hold. It does not know how values are computed.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import image as images
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import findSystemFonts, fontManager, get_font_names
from matplotlib.text import Text
from numpy.typing import NDArray

from semg_hht.figures.captions import in_chinese
from semg_hht.figures.drawing import BLUE, GREEN, GREY, MATRIX_COLOURS, ORANGE
from semg_hht.figures.result_plots import HISTORIES, plot_confusion, plot_history, plot_matrix, plot_plane
from semg_hht.figures.signal_plots import plot_signal, plot_trend, slope_text
from semg_hht.matrices.matrix import SIZE, Matrix
from semg_hht.system.files import whole_file

log = logging.getLogger(__name__)

# Fonts for Chinese on common systems; the first that is installed draws the characters that DejaVu Sans lacks.
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei",
    "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS",
)  # fmt: skip


def save(figure: Figure, path: Path, lang: str = "en") -> None:
    """Write a PNG without a time stamp, so that the same figure gives the same bytes. Names may be Chinese.

    lang : ``zh`` for Chinese captions, where the system has a font for them.
    """
    texts = texts_of(figure)
    if lang == "zh" and chinese_font() is None:
        log.warning("no font for Chinese is installed, so captions stay English; Debian has one in fonts-wqy-microhei")
    elif lang == "zh":
        for text in texts:
            text.set_text(in_chinese(text.get_text()))
    make_legible(figure)
    with whole_file(path) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # without a font, boxes are drawn
        figure.savefig(part, format="png", dpi=120, metadata={"Software": None})


def make_legible(figure: Figure | SubFigure) -> None:
    """Give texts with letters that DejaVu Sans lacks an installed font for Chinese."""
    for text in texts_of(figure):
        if not text.get_text().isascii():
            text.set_fontfamily(["DejaVu Sans", *filter(None, [chinese_font()])])


def texts_of(figure: Figure | SubFigure) -> list[Text]:
    return [text for text in figure.findobj(Text) if isinstance(text, Text)]


@cache
def chinese_font() -> str | None:
    """Return the first installed font for Chinese, also one that is newer than matplotlib's stored list of fonts."""
    for path in set(findSystemFonts()) - {font.fname for font in fontManager.ttflist}:
        with suppress(OSError, RuntimeError):  # a font that matplotlib can't read
            fontManager.addfont(path)
    installed = set(get_font_names())
    return next((name for name in CHINESE_FONTS if name in installed), None)


def draw_matrix(matrix: Matrix, path: Path, *, title: str = "") -> None:
    """Draw a matrix with axes in Hz and s (bin numbers where the file has no axes), one panel per channel."""
    planes = matrix.values
    figure = Figure(figsize=(6.4, 0.8 + 3.6 * len(planes)), layout="constrained")
    for i, plane in enumerate(planes):
        axes = figure.add_subplot(len(planes), 1, i + 1)
        plot_plane(axes, plane, matrix.frequency_hz, matrix.time_s)
        if len(planes) > 1:
            axes.set_title(f"channel {i + 1}", fontsize="small")
    figure.suptitle(title)
    save(figure, path)


def draw_matrices(matrices: Sequence[tuple[str, Matrix]], path: Path, *, lang: str = "en") -> None:
    """Draw named matrices side by side, the first channel of each."""
    figure = Figure(figsize=(4.6 * len(matrices), 3.6), layout="constrained")
    _show_matrices(figure, matrices)
    save(figure, path, lang)


def _show_matrices(figure: Any, matrices: Sequence[tuple[str, Matrix]]) -> None:
    for axes, (label, matrix) in zip(figure.subplots(1, len(matrices), squeeze=False)[0], matrices, strict=True):
        plot_matrix(matrix.plane(0), ax=axes)
        axes.set_title(f"{label}: Hilbert-Huang matrix")


def plane_png(plane: NDArray[np.float32], step: int = 2) -> bytes:
    """Return a plane (256, 256) [frequency, time] as a small PNG without axes, low frequencies below.

    A pixel shows the strongest of ``step`` x ``step`` cells: ridges are one cell wide, and an average would hide them.
    """
    n = SIZE // step
    strongest = plane.reshape(n, step, n, step).max(axis=(1, 3))  # (256, 256) -> (n, step, n, step) -> (n, n)
    out = io.BytesIO()
    unstamped: dict[str, Any] = {"Software": None}
    images.imsave(out, strongest, format="png", cmap=MATRIX_COLOURS, origin="lower", metadata=unstamped)
    return out.getvalue()


def draw_filter_steps(
    steps: Sequence[tuple[str, NDArray[np.float64]]],
    spectra: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]],
    rate_hz: float,
    units: str,
    path: Path,
    *,
    title: str = "",
) -> None:
    """Draw a channel after each filter step, one row per step: all of it, its strongest second, and its spectrum.

    steps : name and samples (n_samples,) of each step.
    spectra : frequencies in Hz and power in squared units per Hz, after each step.
    """
    figure = Figure(figsize=(15, 0.6 + 2.1 * len(steps)), layout="constrained")
    last = steps[-1][1]
    n_shown = min(last.size, round(rate_hz))
    strongest = int(np.argmax(np.convolve(last**2, np.ones(n_shown), mode="valid")))
    for row, (name, samples), (frequency_hz, power) in zip(
        figure.subplots(len(steps), 3, squeeze=False, width_ratios=[2, 1, 1]), steps, spectra, strict=True
    ):
        whole, part, spectrum = row
        plot_signal(whole, samples, 0.0, rate_hz)
        whole.set(title=name, xlim=(0, samples.size / rate_hz), ylabel=f"sEMG ({units})" if units else "sEMG")
        times = (strongest + np.arange(n_shown)) / rate_hz
        part.plot(times, samples[strongest : strongest + n_shown], color=BLUE, linewidth=0.6)
        part.set(title="its strongest second", xlim=(times[0], times[-1]))
        spectrum.semilogy(frequency_hz, np.maximum(power, power.max() * 1e-8), color=BLUE, linewidth=0.8)
        spectrum.set(title="power spectrum", xlim=(0, frequency_hz[-1]))
    for axes, label in zip(row, ("time (s)", "time (s)", "frequency (Hz)"), strict=True):
        axes.set_xlabel(label)
    figure.suptitle(title)
    save(figure, path)


def draw_trends(
    panels: Sequence[tuple[str, str, str, Sequence[float], Any]], n_columns: int, path: Path, *, title: str = ""
) -> None:
    """Draw features of a recording over its repetitions, one row per channel, with trend lines and intervals.

    panels : channel, feature, units, values and their `semg_hht.signals.trend.Trend`, of each panel.
    """
    n_rows = -(-len(panels) // n_columns)
    figure = Figure(figsize=(6 * n_columns, 0.6 + 2.6 * n_rows), layout="constrained")
    all_axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (channel, feature, units, values, line) in zip(all_axes, panels, strict=False):
        name = feature.removesuffix("_hz").upper() if units else feature.upper()
        plot_trend(values, name=name, units=units, line=line, ax=axes)
        axes.set_title(f"{channel}: {slope_text(line)}", fontsize="small")
    figure.suptitle(title)
    save(figure, path)


def draw_history(history: Sequence[Any], best_epoch: int, path: Path, *, lang: str = "en") -> None:
    """Draw loss, accuracy and learning rate over epochs; the best epoch is marked."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axes, what in zip(figure.subplots(1, len(HISTORIES)), HISTORIES, strict=True):
        plot_history(history, best_epoch, what=what, ax=axes)
        axes.set_title("")  # the axis says it
    save(figure, path, lang)


def draw_confusion(reports: dict[str, Any], path: Path, *, lang: str = "en") -> None:
    """Draw the confusion matrices of the tasks side by side, with counts and row shares."""
    figure = Figure(figsize=(4.6 * len(reports), 4.4), layout="constrained")
    for axes, (task, report) in zip(figure.subplots(1, len(reports), squeeze=False)[0], reports.items(), strict=True):
        plot_confusion(report, ax=axes)
        axes.set_title(f"{task.replace('_', ' ')}: balanced accuracy {report.balanced_accuracy:.2f}", fontsize="medium")
    save(figure, path, lang)


def draw_answers(
    time_s: NDArray[np.float64],
    samples: NDArray[np.float64],
    repetitions: Sequence[tuple[float, float, str, str, float]],
    matrices: Sequence[tuple[str, Matrix]],
    reports: dict[str, Any],
    path: Path,
) -> None:
    """Draw the demo: a recording with true and predicted labels, a matrix of each class, the confusion matrices.

    Parameters
    ----------
    samples : (n_samples,) in microvolts.
    repetitions : start_s, stop_s, true label, predicted label and confidence of each.
    """
    figure = Figure(figsize=(14, 10), layout="constrained")
    top_row, middle_row, bottom_row = np.ravel(np.asarray(figure.subfigures(3, 1, height_ratios=[1.1, 1, 1.25])))
    signal = top_row.add_subplot()
    signal.plot(time_s, samples, color=GREY, linewidth=0.4)
    signal.set_xlim(time_s[0], time_s[-1])
    signal.set_xlabel("time (s)")
    signal.set_ylabel("sEMG (µV)")
    top = float(np.max(np.abs(samples)))
    signal.set_ylim(-1.1 * top, 1.45 * top)
    for start_s, stop_s, true, predicted, confidence in repetitions:
        colour = GREEN if predicted == true else ORANGE
        signal.axvspan(start_s, stop_s, color=colour, alpha=0.18, linewidth=0)
        label = f"{predicted}\n{confidence:.0%}" if predicted == true else f"{predicted}\n(is {true})\n{confidence:.0%}"
        signal.text((start_s + stop_s) / 2, 1.4 * top, label, ha="center", va="top", fontsize="small", color=colour)
    top_row.suptitle("Predictions for a person held out from training (green: correct)")
    _show_matrices(middle_row, matrices)
    for axes, (task, report) in zip(
        bottom_row.subplots(1, len(reports), squeeze=False)[0], reports.items(), strict=True
    ):
        plot_confusion(report, ax=axes)
        axes.set_title(f"{task.replace('_', ' ')}, all people held out from training")
    save(figure, path)
