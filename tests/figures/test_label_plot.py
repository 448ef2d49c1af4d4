"""Tests of the figure of labels from a second sensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from semg_hht.figures.label_plot import Bands, LabelledSpan, draw_labels, plot_labels
from semg_hht.signals.sensor_alignment import Movement

BANDS = Bands(100.0, 0.85, 0.35, 0.65, 0.2)


@pytest.mark.parametrize("sign", [1, -1])
def test_bands_labels_and_reasons_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: int) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr("semg_hht.figures.label_plot.save", lambda figure, path: drawn.append(figure))
    n = 40 * 50
    movement = Movement(np.linspace(0, 100, n), np.ones(n), sign, 0.0, 0.9)
    spans = [
        LabelledSpan(1.0, 3.0, "full", 0.97, (0.0, 2.0), (2.0, 97.0)),
        LabelledSpan(28.0, 33.0, "half", 0.5, (0.0, 2.0), (30.0, 50.0), person="full"),
        LabelledSpan(35.0, 37.0, "", np.nan, (np.nan, np.nan), (36.0, np.nan), remark="the sensor has no samples here"),
    ]
    extremes = np.stack([-np.ones(n), np.ones(n)])
    draw_labels(extremes, movement, spans, BANDS, tmp_path / "a.png", title="one", units=("uV", "angle (deg)"))
    (figure,) = drawn
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["1  full\n97%", "2  half\n50%\nperson: full", "3  no label\nno samples"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["sEMG (uV)", "angle (deg)"] * 2
    levels = figure.axes[1].get_ylim()
    assert levels[0] < min(0, sign * 100) and levels[1] > max(0, sign * 100)


def test_the_figure_is_written(tmp_path: Path) -> None:
    movement = Movement(np.full(100, np.nan), np.ones(100), 1, 0.0, 0.9)
    draw_labels(np.zeros((2, 100)), movement, [], BANDS, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_labels_are_plotted_on_axes_that_are_given() -> None:
    axes = Figure().add_subplot()
    movement = Movement(np.linspace(0, 100, 4000), np.ones(4000), 1, 0.0, 0.9)
    spans = [LabelledSpan(1.0, 3.0, "full", 0.97, (0.0, 2.0), (2.0, 97.0))]
    assert plot_labels(movement, spans, BANDS, sensor="angle (deg)", ax=axes) is axes
    assert [text.get_text() for text in axes.texts] == ["1  full\n97%"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "angle (deg)")
    assert axes.get_title() == "Labels from a second sensor"
    assert axes.get_legend() is not None
