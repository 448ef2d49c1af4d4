"""Find recordings whose sampling rate or unit contradicts the other recordings of the same device.

It works on descriptions and on names of people and labels. It does not know files or findings.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.audit.recording_description import BANDS_PER_DECADE, RecordingDescription
from semg_hht.recordings.units import microvolts_per

Array = NDArray[np.float64]

MIN_OTHERS = 4  # recordings of the same device to compare with
MIN_SAME_PERSON = 3  # recordings of the person with the same label; with fewer, those of other people are taken

# Ratios of the stated to the true rate that occur: a wrong power of ten, or a rate that was halved or doubled.
RATE_RATIOS = (0.01, 0.1, 0.5, 2.0, 10.0, 100.0)
MIN_RATE_RATIO = 1.5  # between rates that differ
MIN_COMMON_BANDS = 6
MIN_DISTANCE = 0.3  # of two spectra that contradict, in log10 of the power, mean over the bands
RIGHT_DISTANCE_RATIO = 0.6  # distance with the right rate over that with the stated one
SIMILAR_DISTANCE = 0.05  # distances that differ by less say nothing
MIN_DURATION_SPREAD = 0.02  # in log10
CLEAR_DURATION_SPREADS = 4.0

MIN_LEVEL_SHIFT = 0.8  # in log10; recordings of one label differed by at most 0.75 in five sets
MIN_LEVEL_SPREADS = 4.0
MIN_LEVEL_SPREAD = 0.05
SAME_STEP = 0.12  # in log10
MIN_SAME_STEP_SHARE = 0.5  # of the recordings of a device, for their resolution to be a measure of the unit
MIN_LEVEL_PER_STEP = 0.3


@dataclass(frozen=True)
class ComparedRecording:
    """One recording to compare: its description, its person and its label; empty text: unknown."""

    description: RecordingDescription
    subject: str = ""
    session: str = ""
    label: str = ""


@dataclass(frozen=True)
class RateOutlier:
    """A recording whose stated rate is ``ratio`` times the rate that the others suggest.

    usual_hz : the rate that the others state. stated, corrected : distance of its spectrum to that of the others with
    either rate, in log10 of the power. duration_s, usual_s : its duration by the stated rate, and that of the others.
    """

    number: int
    ratio: float
    usual_hz: float
    stated: float
    corrected: float
    duration_s: float
    usual_s: float


@dataclass(frozen=True)
class UnitOutlier:
    """A recording whose values are ``factor`` times as large as the others suggest.

    by_step : the resolution of the values differs by the same factor. n_others : recordings compared with.
    """

    number: int
    factor: float
    by_step: bool
    n_others: int


def rate_outliers(recordings: Sequence[ComparedRecording]) -> list[RateOutlier]:
    """Recordings whose stated rate contradicts the spectra and the durations of the others of the device."""
    found = []
    for members in _by_device(recordings):
        described = {i: recordings[i].description for i in members}
        usual_hz = Counter(one.rate_hz for one in described.values()).most_common(1)[0][0]
        spectra = {i: _typical_spectrum(one) for i, one in described.items()}
        at_usual = [i for i in members if described[i].rate_hz == usual_hz]
        by_label: dict[str, list[int]] = defaultdict(list)
        for i in at_usual:
            by_label[recordings[i].label].append(i)
        usual = {
            label: _Usual.of(usual_hz, np.array([spectra[i] for i in own]), [described[i].duration_s for i in own])
            for label, own in [*by_label.items(), (None, at_usual)]
            if len(own) > MIN_OTHERS
        }
        for i in members:
            other = usual.get(recordings[i].label, usual.get(None))
            outlier = other and _rate_outlier(i, described[i], spectra[i], other)
            if outlier:
                found.append(outlier)
    return found


@dataclass(frozen=True)
class _Usual:
    """Median spectrum (n_bands,) of recordings, their median distance to it, and their log10 durations in seconds."""

    rate_hz: float
    spectrum: Array
    distance: float
    log_duration: float
    duration_spread: float

    @classmethod
    def of(cls, rate_hz: float, spectra: Array, durations_s: Sequence[float]) -> _Usual:
        spectrum = _median(spectra)
        distance = float(np.median([_distance(one, spectrum) for one in spectra]))
        log_s = np.log10(durations_s)
        middle = float(np.median(log_s))
        spread = 1.4826 * float(np.median(np.abs(log_s - middle)))
        return cls(rate_hz, spectrum, distance, middle, max(MIN_DURATION_SPREAD, spread))

    def duration_spreads(self, duration_s: float) -> float:
        """Distance of a duration to the median, in spreads."""
        return abs(float(np.log10(duration_s)) - self.log_duration) / self.duration_spread


def _rate_outlier(number: int, one: RecordingDescription, spectrum: Array, usual: _Usual) -> RateOutlier | None:
    stated = _distance(spectrum, usual.spectrum)
    rates_differ = not 1 / MIN_RATE_RATIO < one.rate_hz / usual.rate_hz < MIN_RATE_RATIO
    found = []
    for ratio in (one.rate_hz / usual.rate_hz,) if rates_differ else RATE_RATIOS:
        corrected = _distance(_moved(spectrum, ratio), usual.spectrum)
        off_stated = usual.duration_spreads(one.duration_s)
        off_corrected = usual.duration_spreads(one.duration_s * ratio)
        by_duration = off_stated > off_corrected + CLEAR_DURATION_SPREADS
        against_duration = off_corrected > off_stated + CLEAR_DURATION_SPREADS
        by_spectrum = stated > max(MIN_DISTANCE, 2 * usual.distance) and corrected < RIGHT_DISTANCE_RATIO * stated
        if rates_differ:
            # A rate that no other recording of the device has, and that the spectrum does not support, is a mistake.
            fits_better = corrected < stated or (by_duration and corrected < stated + SIMILAR_DISTANCE)
            wrong = by_spectrum or (fits_better and not against_duration)
        else:
            wrong = by_spectrum and by_duration and off_corrected < CLEAR_DURATION_SPREADS
        if wrong:
            usual_s = float(10**usual.log_duration)
            found.append(RateOutlier(number, ratio, usual.rate_hz, stated, corrected, one.duration_s, usual_s))
    return min(found, key=lambda outlier: outlier.corrected, default=None)


def unit_outliers(recordings: Sequence[ComparedRecording]) -> list[UnitOutlier]:
    """Recordings whose amplitudes differ from those of the others of the device as if their unit were another."""
    found = []
    for members in _by_device(recordings):
        levels = np.array([_level(recordings[i].description) for i in members])
        steps = np.array([_log_unit(recordings[i].description) + _median_of(recordings[i].description.step)
                          for i in members])  # fmt: skip
        usual_step = _most_common(steps)
        same_step = np.abs(steps - usual_step) < SAME_STEP
        has_step = float(np.mean(same_step)) >= MIN_SAME_STEP_SHARE
        for k, number in enumerate(members):
            others = _comparable(k, [recordings[i] for i in members], same_step if has_step else None)
            if len(others) < MIN_SAME_PERSON or not np.isfinite(levels[k]):
                continue
            shift = float(levels[k] - np.median(levels[others]))
            spread = 1.4826 * float(np.median(np.abs(levels[others] - np.median(levels[others]))))
            step = float(steps[k] - usual_step)
            power = round(step) if np.isfinite(step) else 0
            if has_step and power and abs(step - power) < SAME_STEP and shift / power > MIN_LEVEL_PER_STEP:
                found.append(UnitOutlier(number, 10.0**step, True, len(others)))
            elif has_step and abs(step) < SAME_STEP:
                continue  # equal resolution: the muscle was louder or quieter
            elif abs(shift) > MIN_LEVEL_SHIFT and abs(shift) > MIN_LEVEL_SPREADS * max(spread, MIN_LEVEL_SPREAD):
                found.append(UnitOutlier(number, 10.0**shift, False, len(others)))
    return found


def _comparable(k: int, members: Sequence[ComparedRecording], usual: NDArray[np.bool_] | None) -> list[int]:
    """Others of the same person and label, else of the same label, else all; where known, those in the usual unit."""
    one = members[k]
    others = [i for i in range(len(members)) if i != k and (usual is None or usual[i])]
    labelled = [i for i in others if members[i].label == one.label]
    own = [i for i in labelled if one.subject and members[i].subject == one.subject]
    if len(own) >= MIN_SAME_PERSON:
        return own
    return labelled if len(labelled) >= MIN_OTHERS else others


def _by_device(recordings: Sequence[ComparedRecording]) -> list[list[int]]:
    """Numbers of the recordings with the same channels in the same kind of unit, if there are enough of them."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for number, one in enumerate(recordings):
        described = one.description
        unit = "volts" if microvolts_per(described.units) else described.units.lower()
        groups[described.channel_names, unit].append(number)
    return [members for members in groups.values() if len(members) > MIN_OTHERS]


def _log_unit(described: RecordingDescription) -> float:
    """log10 of the unit in microvolts; 0 for the device's own units."""
    return float(np.log10(microvolts_per(described.units) or 1.0))


def _level(described: RecordingDescription) -> float:
    return _median_of(described.level) + _log_unit(described)


def _median_of(values: NDArray[np.floating[Any]]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _most_common(values: Array) -> float:
    """The value with most others near it."""
    near = np.abs(values[:, None] - values) < SAME_STEP  # (n, n)
    return float(values[np.argmax(near.sum(axis=1))])


def _typical_spectrum(described: RecordingDescription) -> Array:
    return _median(described.spectrum.astype(np.float64))


def _median(rows: Array) -> Array:
    """Median of the rows of (n, n_bands), without NaN; NaN where less than half of the rows have a value."""
    known = np.isfinite(rows).mean(axis=0) >= 0.5
    median = np.full(rows.shape[1], np.nan)
    if known.any():
        median[known] = np.nanmedian(rows[:, known], axis=0)
    return median


def _moved(spectrum: Array, ratio: float) -> Array:
    """The spectrum (n_bands,) of a recording whose true rate is the stated one divided by ``ratio``."""
    shift = round(BANDS_PER_DECADE * float(np.log10(ratio)))
    moved = np.full_like(spectrum, np.nan)
    n_left = max(0, spectrum.size - abs(shift))
    if shift >= 0:
        moved[:n_left] = spectrum[spectrum.size - n_left :]
    else:
        moved[spectrum.size - n_left :] = spectrum[:n_left]
    return moved


def _distance(spectrum: Array, other: Array) -> float:
    """Mean difference of the shapes of two spectra over their common bands, in log10; infinite with too few bands."""
    common = np.isfinite(spectrum) & np.isfinite(other)
    if np.count_nonzero(common) < MIN_COMMON_BANDS:
        return float("inf")
    difference = spectrum[common] - other[common]
    return float(np.mean(np.abs(difference - np.median(difference))))
