"""Tests of the figure of labels from a second sensor."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from semg_hht.errors import InputError
from semg_hht.figures.label_plot import draw_labels, plot_labels
from semg_hht.signals.labelled_sensor import Bands, LabelledSensor, LabelledSpan
from semg_hht.signals.sensor_alignment import Movement

BANDS = Bands(100.0, 0.85, 0.35, 0.65, 0.2)


def sensor_of(movement: Movement, *spans: LabelledSpan, file: str = "a.csv") -> LabelledSensor:
    n = movement.values.size
    extremes = np.stack([-np.ones(n), np.ones(n)])
    return LabelledSensor(file, "angle", "deg", movement, spans, BANDS, extremes, "uV")


@pytest.mark.parametrize("sign", [1, -1])
def test_bands_labels_and_reasons_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: int) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr("semg_hht.figures.label_plot.save", lambda figure, path: drawn.append(figure))
    n = 40 * 50
    movement = Movement(np.linspace(0, 100, n), np.ones(n), sign, 0.0, 0.9)
    spans = (
        LabelledSpan(1.0, 3.0, "full", 0.97, (0.0, 2.0), (2.0, 97.0)),
        LabelledSpan(28.0, 33.0, "half", 0.5, (0.0, 2.0), (30.0, 50.0), person="full"),
        LabelledSpan(35.0, 37.0, "", np.nan, (np.nan, np.nan), (36.0, np.nan), remark="the sensor has no samples here"),
    )
    draw_labels(sensor_of(movement, *spans), tmp_path / "a.png")
    (figure,) = drawn
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["1  full\n97%", "2  half\n50%\nperson: full", "3  no label\nno samples"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["sEMG (uV)", "angle (deg)"] * 2
    levels = figure.axes[1].get_ylim()
    assert levels[0] < min(0, sign * 100) and levels[1] > max(0, sign * 100)


def test_the_figure_is_written(tmp_path: Path) -> None:
    movement = Movement(np.full(100, np.nan), np.ones(100), 1, 0.0, 0.9)
    draw_labels(sensor_of(movement), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_labels_of_a_result_are_plotted_on_axes_that_are_given() -> None:
    movement = Movement(np.linspace(0, 100, 4000), np.ones(4000), 1, 0.0, 0.9)
    span = LabelledSpan(1.0, 3.0, "full", 0.97, (0.0, 2.0), (2.0, 97.0))
    labelled = SimpleNamespace(sensors=[sensor_of(movement), sensor_of(movement, span, file="b.csv")])
    axes = Figure().add_subplot()
    assert plot_labels(labelled, "b.csv", ax=axes) is axes
    assert [text.get_text() for text in axes.texts] == ["1  full\n97%"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "angle (deg)")
    assert axes.get_title() == "Labels from a second sensor: b.csv"
    assert axes.get_legend() is not None
    with pytest.raises(InputError, match=r"c\.csv: no sensor of this recording; expected one of a\.csv, b\.csv"):
        plot_labels(labelled, "c.csv")
