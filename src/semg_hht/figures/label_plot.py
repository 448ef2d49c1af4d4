"""Figure of a recording with its second sensor, the thresholds and the labels, for a person to check.

It draws values and does not know how they are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from semg_hht.figures.drawing import BLUE, GREEN, GREY, ORANGE, axes_or_new
from semg_hht.figures.plots import save
from semg_hht.figures.repetitions_picture import MAX_ROWS, ROW_S
from semg_hht.signals.labelled_sensor import Bands, LabelledSensor, LabelledSpan, sensor_of
from semg_hht.signals.sensor_alignment import FRAME_HZ
from semg_hht.system.arguments import checked

COLOURS = {"full": GREEN, "half": BLUE, "invalid": ORANGE, "": GREY}
WIDEST, LOWER = 15, 0.13  # labels that fit beside each other in a row; how far the lower ones are below the others
BAND, BACKGROUND, FAINT = 0.25, 0.16, 0.05  # opacity of the bands, and of repetitions behind the EMG and the sensor


def draw_labels(labelled: LabelledSensor, path: Path) -> None:
    """Draw a channel of the EMG, smallest and largest samples, above the sensor with bands and labels."""
    extremes, bands = labelled.extremes, labelled.bands
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
        above.set(ylim=(-top, top), ylabel=f"sEMG ({labelled.emg_units})" if labelled.emg_units else "sEMG")
        above.tick_params(labelbottom=False)
        _plot_row(below, labelled, (row * row_s, (row + 1) * row_s))
        below.set_ylabel(labelled.caption)
        for span in labelled.spans:
            above.axvspan(span.start_s, span.stop_s, color=COLOURS[span.label], alpha=BACKGROUND, linewidth=0)
        for panel in (above, below):
            panel.set_xlim(row * row_s, (row + 1) * row_s)
            panel.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("time (s)")
    figure.legend(handles=_legend(bands), loc="outside upper right", ncols=4, frameon=False, fontsize="small")
    figure.suptitle(_title(labelled), x=0.01, ha="left")
    save(figure, path)


def _title(labelled: LabelledSensor) -> str:
    lag_s = labelled.movement.lag_s
    lag = f", {abs(lag_s):.2f} s {'later' if lag_s > 0 else 'earlier'} than the EMG (drawn aligned)" if lag_s else ""
    return f"{labelled.file}: {labelled.sensor}{lag}"


class WithSensors(Protocol):
    """The result of `semg_hht.label`."""

    @property
    def sensors(self) -> Sequence[LabelledSensor]: ...


@checked
def plot_labels(labelled: WithSensors, file: str = "", *, ax: Axes | None = None) -> Axes:
    """Plot the second sensor of a recording with the labels of its repetitions and the bands of the classes.

    Parameters
    ----------
    labelled : the result of `semg_hht.label`.
    file : the recording, as ``labelled.sensors`` names it; empty: the first.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: time in s and the sensor in its unit. A label has the share of the best excursion below it.

    Raises
    ------
    InputError
        No sensor was read of this file.

    Examples
    --------
    >>> import semg_hht as sh
    >>> people = sh.SimulationConfig(n_subjects=1, n_repetitions=2)
    >>> manifest = sh.simulate("to_plot", people, goniometer=True)
    >>> axes = sh.plot_labels(sh.label(manifest.with_name("S01_E01_BICEPS.csv")))
    >>> axes.texts[0].get_text().split()[:2]
    ['1', 'half']
    """
    found = sensor_of(labelled.sensors, file)
    axes = axes_or_new(ax, 11.0, 4.0)
    shown_s = (0.0, found.movement.values.size / FRAME_HZ)
    _plot_row(axes, found, shown_s)
    axes.set(xlim=shown_s, xlabel="time (s)", ylabel=found.caption)
    axes.legend(handles=_legend(found.bands), loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=2, fontsize="small")
    axes.set_title(f"Labels from a second sensor: {found.file}", fontsize="medium")
    return axes


def _plot_row(axes: Axes, labelled: LabelledSensor, shown_s: tuple[float, float]) -> None:
    """The sensor with all spans, and the labels of those that start in ``shown_s``."""
    movement, spans, bands = labelled.movement, labelled.spans, labelled.bands
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
