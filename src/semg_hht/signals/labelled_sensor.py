"""A second sensor of one recording with the labels of its repetitions: what is drawn for a person to check.

It holds values. It does not know how they are computed or drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.signals.sensor_alignment import Movement


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


@dataclass(frozen=True)
class LabelledSensor:
    """The sensor of one recording on the clock of the EMG, with the labels of the repetitions.

    file : the recording. sensor, unit : name and unit of the sensor.
    bands : the thresholds.
    extremes : (2, n_frames), smallest and largest sample of the strongest EMG channel, in ``emg_units``.
    """

    file: str
    sensor: str
    unit: str
    movement: Movement
    spans: tuple[LabelledSpan, ...]
    bands: Bands
    extremes: NDArray[np.float64]
    emg_units: str

    @property
    def caption(self) -> str:
        """Name and unit of the sensor, for an axis."""
        return f"{self.sensor} ({self.unit})" if self.unit and self.unit not in self.sensor else self.sensor


def sensor_of(sensors: Sequence[LabelledSensor], file: str = "") -> LabelledSensor:
    """The sensor of one recording; the first if ``file`` is empty.

    Raises
    ------
    InputError
        No sensor was read of this recording.
    """
    found = next((one for one in sensors if file in ("", one.file)), None)
    if found is None:
        files = ", ".join(one.file for one in sensors) or "none"
        raise InputError(f"{file or 'labels'}: no sensor of this recording; expected one of {files}")
    return found
