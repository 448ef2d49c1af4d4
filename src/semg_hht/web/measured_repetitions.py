"""RMS, median frequency and share of the maximum of each repetition, and their trends, from the kept channels.

It works on samples of one file at a time. It does not know answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from semg_hht.web.drawn_signal import read_samples
from semg_hht.web.visit import Maximum, MeasuredFile, ReadRecording, VisitFile

if TYPE_CHECKING:
    from semg_hht.datasets.feature_table import Drift
    from semg_hht.recordings.manifest import ManifestRow

MIN_SAMPLES = 16  # in a repetition; fewer have no spectrum
MAX_TRENDS = 8  # channels with trends


def measured(file: VisitFile, reference: dict[str, float]) -> VisitFile:
    """The file with the measures of its repetitions.

    reference : amplitude of the maximal contraction by channel, in the units of the file; empty: there is none.
    """
    if file.recorded is None:
        return file
    from semg_hht.signals.features import mdf, rms

    emg = file.recorded.emg
    names = tuple(file.recorded.channels[i].name for i in emg)
    levels, frequencies = [], []
    for row in file.rows:
        samples = _cut(file.recorded, row)[emg]  # (n_channels, n_samples)
        if samples.shape[1] < MIN_SAMPLES:
            levels.append([float("nan")] * len(names))
            frequencies.append([float("nan")] * len(names))
            continue
        levels.append(rms(samples).tolist())
        frequencies.append(mdf(samples, file.recorded.rate_hz).tolist())
    found = MeasuredFile(names, _frozen(levels), _frozen(frequencies))
    drifts = _drifts(file, found)
    bands = tuple(_band(found, drift) for drift in drifts)  # here, because a page asks for them again and again
    return with_percent(replace(file, measured=replace(found, drifts=drifts, bands=bands)), reference)


def with_percent(file: VisitFile, reference: dict[str, float]) -> VisitFile:
    """The file with its amplitudes in percent of those of a maximal contraction; without where there is none."""
    own = file.measured
    if own is None:
        return file
    shares = [[100 * level / reference.get(name, np.nan) for name, level in zip(own.names, levels, strict=True)]
              for levels in own.rms]  # fmt: skip
    return replace(file, measured=replace(own, percent_mvc=_frozen(shares) if reference else ()))


def _cut(recorded: ReadRecording, row: ManifestRow) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    start, stop = (round((at or 0.0) * recorded.rate_hz) for at in (row.start_s, row.stop_s))
    return read_samples(recorded.samples, start, max(stop, start + 1))


def _frozen(table: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, table))


def _drifts(file: VisitFile, found: MeasuredFile) -> tuple[Drift, ...]:
    from semg_hht.datasets.feature_table import Measures, drifts_of

    assert file.recorded is not None
    drifts: list[Drift] = []
    for i, name in enumerate(found.names[:MAX_TRENDS]):
        values = [
            Measures(row, name, file.recorded.units, {"rms": level[i], "mdf_hz": frequency[i]})
            for row, level, frequency in zip(file.rows, found.rms, found.mdf_hz, strict=True)
        ]
        drifts += drifts_of(values)
    return tuple(drifts)


def _band(found: MeasuredFile, drift: Drift) -> tuple[tuple[float, float, float], ...]:
    """The line of a trend at each repetition: value, low, high."""
    from semg_hht.signals.trend import trend_band

    table = found.rms if drift.feature == "rms" else found.mdf_hz
    low, high = trend_band([row[found.names.index(drift.channel)] for row in table])
    line = [drift.trend.start + drift.trend.slope * i for i in range(drift.trend.n)]
    return tuple(zip(line, low.tolist(), high.tolist(), strict=True))


def maximal_amplitudes(file: VisitFile, maximum: Maximum) -> dict[str, float]:
    """The largest RMS over 0.5 s of each EMG channel in an interval of a file, by the name of the channel."""
    if file.recorded is None:
        return {}
    from semg_hht.signals.features import loudest_rms

    rate_hz = file.recorded.rate_hz
    start, stop = round(maximum.start_s * rate_hz), max(round(maximum.stop_s * rate_hz), 1)
    samples = read_samples(file.recorded.samples, start, stop)[file.recorded.emg]
    if samples.shape[1] < MIN_SAMPLES:
        return {}
    names = [file.recorded.channels[i].name for i in file.recorded.emg]
    return {name: float(level) for name, level in zip(names, loudest_rms(samples, rate_hz), strict=True) if level > 0}
