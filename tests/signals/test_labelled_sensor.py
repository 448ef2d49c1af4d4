"""Tests of a sensor with the labels of its repetitions."""

from __future__ import annotations

import numpy as np
import pytest

from semg_hht.signals.labelled_sensor import Bands, LabelledSensor
from semg_hht.signals.sensor_alignment import Movement


@pytest.mark.parametrize(
    ("sensor", "unit", "caption"),
    [("angle", "deg", "angle (deg)"), ("angle (deg)", "deg", "angle (deg)"), ("angle", "", "angle")],
)
def test_the_caption_names_the_unit_once(sensor: str, unit: str, caption: str) -> None:
    movement = Movement(np.zeros(4), np.zeros(4), 1, 0.0, 0.9)
    bands = Bands(100.0, 0.85, 0.35, 0.65, 0.2)
    assert LabelledSensor("a.csv", sensor, unit, movement, (), bands, np.zeros((2, 4)), "uV").caption == caption
