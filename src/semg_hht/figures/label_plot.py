"""Figure of a recording with its second sensor, the thresholds and the labels, for a person to check.

It draws values and does not know how they are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from semg_hht.figures.drawing import BLUE, GREEN, GREY, ORANGE, axes_or_new
from semg_hht.figures.plots import MAX_ROWS, ROW_S, save
from semg_hht.signals.sensor_alignment import FRAME_HZ, Movement

COLOURS = {"full": GREEN, "half": BLUE, "invalid": ORANGE, "": GREY}
WIDEST, LOWER = 15, 0.13  # labels that fit beside each other in a row; how far the lower ones are below the others
BAND, BACKGROUND, FAINT = 0.25, 0.16, 0.05  # opacity of the bands, and of repetitions behind the EMG and the sensor


@dataclass(frozen=True)
class LabelledSpan:
    """A repetition: its times, its label, its share of the best excursion, the level of the sensor before and after it.

    peak : time and level of the peak.
    person : the label that a person set; empty: none. remark : why there is no label, or why it is invalid.
    """

    start_s: float
    stop_s: float
    label: str
    share: float
    rest: tuple[float, float]
    peak: tuple[float, float]
    person: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Bands:
    """The best excursion, in units of the sensor, and the thresholds as shares of it."""

    best: float
    full_from: float
    half_from: float
    half_to: float
    invalid_below: float


def draw_labels(
    extremes: NDArray[np.float64],
    movement: Movement,
    spans: Sequence[LabelledSpan],
    bands: Bands,
    path: Path,
    *,
    title: str = "",
    units: tuple[str, str] = ("", "sensor"),
) -> None:
    """Draw a channel of the EMG (2, n_frames), smallest and largest samples, above the sensor with bands and labels.

    units : of the EMG, and the caption of the sensor.
    """
    times = np.arange(extremes.shape[1]) / FRAME_HZ
    duration_s = extremes.shape[1] / FRAME_HZ
    n_rows = int(np.clip(np.ceil(duration_s / ROW_S), 1, MAX_ROWS))
    row_s = duration_s / n_rows
    figure = Figure(figsize=(14, 0.9 + 4.2 * n_rows), layout="constrained")
    axes = figure.subplots(2 * n_rows, 1, squeeze=False, height_ratios=[1, 2.2] * n_rows)[:, 0]
    top = 1.05 * float(np.max(np.abs(extremes))) or 1.0
    for row in range(n_rows):
        above, below = axes[2 * row], axes[2 * row + 1]
        above.fill_between(times, extremes[0], extremes[1], color=GREY, linewidth=0)
        above.set(ylim=(-top, top), ylabel=f"sEMG ({units[0]})" if units[0] else "sEMG")
        above.tick_params(labelbottom=False)
        _plot_row(below, movement, spans, bands, (row * row_s, (row + 1) * row_s))
        below.set_ylabel(units[1])
        for span in spans:
            above.axvspan(span.start_s, span.stop_s, color=COLOURS[span.label], alpha=BACKGROUND, linewidth=0)
        for panel in (above, below):
            panel.set_xlim(row * row_s, (row + 1) * row_s)
            panel.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("time (s)")
    figure.legend(handles=_legend(bands), loc="outside upper right", ncols=4, frameon=False, fontsize="small")
    figure.suptitle(title, x=0.01, ha="left")
    save(figure, path)


def plot_labels(
    movement: Movement,
    spans: Sequence[LabelledSpan],
    bands: Bands,
    *,
    sensor: str = "sensor",
    ax: Axes | None = None,
) -> Axes:
    """Plot a second sensor with the labels of the repetitions and the bands of the classes.

    Parameters
    ----------
    movement : the sensor on the clock of the EMG.
    spans : the labelled repetitions. bands : the thresholds.
    sensor : its name and unit, for the axis.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: time in s and the sensor in its unit. A label has the share of the best excursion below it.

    Examples
    --------
    >>> import numpy as np
    >>> from semg_hht.figures.label_plot import Bands, LabelledSpan, plot_labels
    >>> from semg_hht.signals.sensor_alignment import FRAME_HZ, Movement
    >>> flexion = 50 - 50 * np.cos(np.linspace(0, 2 * np.pi, int(4 * FRAME_HZ)))  # 4 s
    >>> movement = Movement(flexion, np.ones_like(flexion), 1, 0.0, 0.9)
    >>> spans = [LabelledSpan(0.5, 3.5, "full", 1.0, (0.0, 0.0), (2.0, 100.0))]
    >>> axes = plot_labels(movement, spans, Bands(100.0, 0.85, 0.35, 0.65, 0.2), sensor="angle (deg)")
    >>> axes.texts[0].get_text().split()
    ['1', 'full', '100%']
    """
    axes = axes_or_new(ax, 11.0, 4.0)
    shown_s = (0.0, movement.values.size / FRAME_HZ)
    _plot_row(axes, movement, spans, bands, shown_s)
    axes.set(xlim=shown_s, xlabel="time (s)", ylabel=sensor)
    axes.legend(handles=_legend(bands), loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=2, fontsize="small")
    axes.set_title("Labels from a second sensor", fontsize="medium")
    return axes


def _plot_row(
    axes: Axes, movement: Movement, spans: Sequence[LabelledSpan], bands: Bands, shown_s: tuple[float, float]
) -> None:
    """The sensor with all spans, and the labels of those that start in ``shown_s``."""
    values = movement.sign * movement.values
    low, high = _limits(values, spans, bands, movement.sign)
    axes.plot(np.arange(values.size) / FRAME_HZ, values, color="black", linewidth=1.1)
    axes.set_ylim(low, high)
    row_s = shown_s[1] - shown_s[0]
    last_s, is_low = -row_s, False
    for number, span in enumerate(spans, start=1):
        _show_span(axes, span, bands, movement.sign)
        axes.axvspan(span.start_s, span.stop_s, color=COLOURS[span.label], alpha=FAINT, linewidth=0)
        if shown_s[0] <= span.start_s < shown_s[1]:
            middle_s = (span.start_s + min(span.stop_s, shown_s[1])) / 2
            is_low = middle_s - last_s < row_s / WIDEST and not is_low  # crowded labels stand at two heights
            _show_label(axes, span, number, (middle_s, high - LOWER * is_low * (high - low)))
            last_s = middle_s


def _levels(bands: Bands) -> list[tuple[str, float, float]]:
    return [
        ("full", bands.full_from, max(1.0, bands.full_from)),
        ("half", bands.half_from, bands.half_to),
        ("invalid", 0.0, bands.invalid_below),
    ]


def _show_span(axes: Axes, span: LabelledSpan, bands: Bands, sign: int) -> None:
    """The bands of the classes over the rest of a repetition, which may drift from its start to its end."""
    if not np.isfinite([*span.rest, bands.best]).all():
        return
    rest = np.array(span.rest)
    for name, low, high in _levels(bands):
        axes.fill_between(
            [span.start_s, span.stop_s], sign * (rest + low * bands.best), sign * (rest + high * bands.best),
            color=COLOURS[name], alpha=BAND, linewidth=0,
        )  # fmt: skip
    axes.plot(*span.peak, marker="o", color=COLOURS[span.label], markersize=5)


def _show_label(axes: Axes, span: LabelledSpan, number: int, at: tuple[float, float]) -> None:
    share = f"{span.share:.0%}" if np.isfinite(span.share) else ""
    below = f"person: {span.person}" if span.person else _short(span.remark)
    text = "\n".join(filter(None, [f"{number}  {span.label or 'no label'}", share, below]))
    axes.text(
        *at, text, ha="center", va="top", fontsize="small", color=COLOURS[span.label],
        fontweight="bold" if span.label else "normal",
    )  # fmt: skip


def _short(remark: str) -> str:
    for word in ("reverses", "stops", "no muscle", "outside", "clipped", "no samples"):
        if word in remark:
            return word
    return ""


def _limits(values: NDArray[np.float64], spans: Sequence[LabelledSpan], bands: Bands, sign: int) -> tuple[float, float]:
    """Limits of the vertical axis with space for the labels above."""
    rests = np.array([span.rest for span in spans]).ravel()
    levels = np.concatenate([values, sign * rests, sign * (rests + bands.best)])
    levels = levels[np.isfinite(levels)]
    if not levels.size:
        return 0.0, 1.0
    low, high = float(levels.min()), float(levels.max())
    span = (high - low) or 1.0
    return low - 0.05 * span, high + 0.4 * span


def _legend(bands: Bands) -> list[Patch]:
    texts = {
        "full": f"full: from {bands.full_from:.0%}",
        "half": f"half: {bands.half_from:.0%} to {bands.half_to:.0%}",
        "invalid": f"invalid: below {bands.invalid_below:.0%}, or stopped or reversed",
        "": "no label",
    }
    return [Patch(color=COLOURS[name], alpha=0.5, label=text) for name, text in texts.items()]
