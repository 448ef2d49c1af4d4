"""Tables of classical features, one row per repetition and channel, and of their trends over the repetitions.

`signals/features.py` defines the features, `signals/trend.py` the trends.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semg_hht.datasets.segment import open_segmented
from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Failure, Job, Remark, collect, for_each
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.signals.features import FEATURES, repetition_features
from semg_hht.signals.filtered_recording import FilteredRecording
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig, cut_repetition
from semg_hht.signals.trend import MIN_VALUES, Trend, trend
from semg_hht.system.dataframes import dataframe, html_table
from semg_hht.system.files import require_new_file, require_suffix, write_text
from semg_hht.system.progress import Track, untracked

# With fatigue, the first falls and the second rises (De Luca 1997, doi 10.1123/jab.13.2.135).
DRIFTING = ("mdf_hz", "rms")
ROW_COLUMNS = ("file", "subject", "session", "muscle", "movement", "gender", "repetition", "start_s", "stop_s")
TREND_COLUMNS = ("file", "subject", "session", "channel", "feature", "units", "n", "start", "slope", "low", "high",
                 "slope_percent", "low_percent", "high_percent")  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """The features of one repetition on one channel; ``values`` by name, in the order of the table.

    Examples
    --------
    >>> import semg_hht as sh
    >>> measured = sh.features(sh.segment(sh.samples.recordings()["P30_supinated"]))
    >>> measured[0].channel, measured[0].units
    ('BicepsBrachi', 'uV')
    """

    row: ManifestRow
    channel: str
    units: str
    values: dict[str, float]


@dataclass(frozen=True)
class Drift:
    """The trend of a feature over the repetitions of a recording, on one channel. ``row``: the first repetition's."""

    row: ManifestRow
    channel: str
    feature: str
    units: str
    trend: Trend


@dataclass(frozen=True, repr=False)
class Measured:
    """The features that `measure` computed, and what it wrote.

    It has a length, can be iterated over and indexed by number, and becomes a DataFrame by `to_dataframe`.

    table : the file of the table; None if it was not written.
    trends : None if no recording has enough repetitions for a trend, or nothing was written.

    Examples
    --------
    >>> import semg_hht as sh
    >>> measured = sh.features(sh.segment(sh.samples.recordings()["P30_supinated"]))
    >>> drifts = [(drift.channel, drift.feature) for drift in measured.drifts]
    >>> len(drifts)  # of the median frequency and the RMS, on 2 channels
    4
    """

    table: Path | None
    trends: Path | None
    pictures: Path | None
    measures: tuple[Measures, ...]
    drifts: tuple[Drift, ...]
    failures: tuple[Failure, ...]
    remarks: tuple[Remark, ...]

    def __repr__(self) -> str:
        return f"<Measured: {len(self)} rows of features, {len(self.drifts)} trends>"

    def __len__(self) -> int:
        return len(self.measures)

    def __iter__(self) -> Iterator[Measures]:
        return iter(self.measures)

    def __getitem__(self, number: int) -> Measures:
        return self.measures[number]

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with one row per repetition and channel, and one column per feature.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        return dataframe(*_columns_and_cells(self.measures))

    def trends_to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with one row per recording, channel and feature that has a trend.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        return dataframe(TREND_COLUMNS, _trend_cells(self.drifts))

    def _repr_html_(self) -> str:
        return html_table(*_columns_and_cells(self.measures), f"features: {len(self)} rows")


@dataclass(frozen=True)
class TableOutput:
    """Whether to draw pictures next to the table, and whether to replace an existing table."""

    pictures: bool = True
    overwrite: bool = False


def measure(
    jobs: list[Job],
    out: Path | None,
    filters: FilterConfig,
    *,
    segmentation: SegmentConfig | None = None,
    output: TableOutput = TableOutput(),
    n_jobs: int = -1,
    track: Track = untracked,
) -> Measured:
    """Measure the features of each repetition.

    out : the table to write; next to it, for recordings of at least 4 repetitions, ``*_trends.csv`` and pictures.
        None: nothing is written.

    Jobs with a reference (`semg_hht.datasets.mvc.with_references`) have the column ``percent_mvc``. With
    ``segmentation``, repetitions are found in recordings whose rows state no times.

    Raises
    ------
    InputError
        A table is no .csv or exists already (unless ``overwrite``), or no recording could be used.
    """
    if out is not None:
        require_suffix(out, ".csv")
    trends = None if out is None else out.with_name(f"{out.stem}_trends.csv")
    for path in (out, trends):
        if path is not None:
            require_new_file(path, overwrite=output.overwrite)
    folder = out.with_name(f"{out.stem}_pictures") if out is not None and output.pictures else None
    results = for_each(_measure_one, jobs, filters, segmentation, n_jobs=n_jobs)
    recordings, failures = collect(track(results, len(jobs), "measuring"))
    for recording in recordings:
        if folder is not None and recording.drifts:
            _draw(recording.measures, recording.drifts, folder)
    measures = [measured for recording in recordings for measured in recording.measures]
    drifts = [drift for recording in recordings for drift in recording.drifts]
    remarks = [Remark(recording.file, text) for recording in recordings for text in recording.remarks]
    if out is not None and trends is not None:
        write_text(out, _csv(*_columns_and_cells(measures)))
        if drifts:
            write_text(trends, _csv(TREND_COLUMNS, _trend_cells(drifts)))
        else:
            trends.unlink(missing_ok=True)  # written by an earlier run, which --overwrite replaces
    return Measured(
        table=out,
        trends=trends if drifts else None,
        pictures=folder if drifts else None,
        measures=tuple(measures),
        drifts=tuple(drifts),
        failures=tuple(failures),
        remarks=tuple(remarks),
    )


@dataclass(frozen=True)
class _MeasuredRecording:
    file: str
    measures: list[Measures]
    drifts: list[Drift]
    remarks: tuple[str, ...]


def _measure_one(
    job: Job, _: int | None, filters: FilterConfig, segmentation: SegmentConfig | None
) -> _MeasuredRecording:
    source = open_segmented(job, filters, segmentation)
    measures = measures_of(source)
    remarks = (*source.remarks, *_remarks_on_effort(measures))
    return _MeasuredRecording(job.file, measures, list(drifts_of(measures)), remarks)


def _remarks_on_effort(measures: list[Measures]) -> tuple[str, ...]:
    """A remark if most repetitions exceed the reference, which a maximal contraction rarely allows."""
    above = [m.values["percent_mvc"] > 100 for m in measures if "percent_mvc" in m.values]
    if sum(above) <= len(above) / 2:
        return ()
    return ("most repetitions are above 100 % MVC: were the contractions in references=... maximal?",)


def measures_of(source: FilteredRecording) -> list[Measures]:
    """The features of each repetition and channel, in order of time; with a reference, ``percent_mvc`` too."""
    rows = sorted(source.job.rows, key=lambda row: row.start_s or 0.0)
    return [measures for row in rows for measures in _measures_of_row(source, row)]


def _measures_of_row(source: FilteredRecording, row: ManifestRow) -> Iterator[Measures]:
    chosen = source.channels_of(row)
    repetition = cut_repetition(chosen, row.start_s, row.stop_s)
    for name, samples in zip(chosen.channel_names, repetition.cut(chosen.samples), strict=True):
        reference = None if source.job.reference is None else np.array([source.unit_amplitude(name)])
        try:
            features = repetition_features(samples[None], chosen.rate_hz, reference)
        except (ValueError, InputError) as error:
            raise InputError(f"{source.job.path}, channel {name}: {error}") from None
        values = {feature: float(value[0]) for feature, value in features.items()}
        yield Measures(row, name, chosen.units, values)


def drifts_of(measures: list[Measures]) -> Iterator[Drift]:
    """The trends of one recording, channel by channel."""
    for channel in dict.fromkeys(m.channel for m in measures):
        of_channel = [m for m in measures if m.channel == channel]
        first = of_channel[0]
        for feature in DRIFTING:
            values = np.array([m.values[feature] for m in of_channel])
            if len(values) >= MIN_VALUES and np.isfinite(values).all():
                yield Drift(first.row, channel, feature, _units(feature, first.units), trend(values))


def _units(feature: str, units: str) -> str:
    return FEATURES[feature][1].replace("u", units) if FEATURES[feature][1].startswith("u") else FEATURES[feature][1]


def _columns_and_cells(measures: Sequence[Measures]) -> tuple[list[str], list[list[Any]]]:
    names = [*FEATURES, "percent_mvc"] if any("percent_mvc" in m.values for m in measures) else [*FEATURES]
    cells = [
        [*(getattr(m.row, name) for name in ROW_COLUMNS), m.channel, m.units, *(m.values.get(name) for name in names)]
        for m in measures
    ]
    return [*ROW_COLUMNS, "channel", "units", *names], cells


def _trend_cells(drifts: Sequence[Drift]) -> list[list[Any]]:
    rows = []
    for drift in drifts:
        line = drift.trend
        numbers = (line.n, line.start, line.slope, line.low, line.high, *line.percent)
        names = (drift.row.file, drift.row.subject, drift.row.session, drift.channel, drift.feature, drift.units)
        rows.append([*names, *numbers])
    return rows


def _cell(value: Any) -> str:
    """A number with all its digits, so that reading gives the same number; empty for None and NaN."""
    return "" if value is None or value != value else str(value)


def _csv(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _draw(measures: list[Measures], drifts: list[Drift], folder: Path) -> None:
    from semg_hht.figures.plots import draw_trends
    from semg_hht.figures.repetitions_picture import picture_of

    panels = []
    for drift in drifts:
        values = [m.values[drift.feature] for m in measures if m.channel == drift.channel]
        panels.append((drift.channel, drift.feature, drift.units, values, drift.trend))
    file = drifts[0].row.file
    draw_trends(panels, len(DRIFTING), picture_of(folder, file), title=Path(file).name)
