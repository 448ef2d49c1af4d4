"""`features`: classical features of each repetition, and their trends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semg_hht.datasets.feature_table import Drift, Measured, TableOutput, measure
from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.datasets.mvc import with_references
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.arguments import checked
from semg_hht.verbs.work import Work

__all__ = ["Drift", "FeatureOptions", "Measured", "features"]


@checked
@dataclass(frozen=True)
class FeatureOptions:
    """How `features` measures.

    filters : of the EMG before it is measured.
    references : recordings of maximal contractions, or their manifest: amplitudes are then in % of MVC too.
    pictures : drawn next to the table, where one is written.
    overwrite : replace existing tables.

    Examples
    --------
    >>> import semg_hht as sh
    >>> maximum = sh.read_recording(sh.samples.recordings()["P30_neutral"])  # stands in for a maximal contraction
    >>> data = sh.segment(sh.samples.recordings()["P30_supinated"])
    >>> measured = sh.features(data, options=sh.FeatureOptions(references=maximum))
    >>> "percent_mvc" in measured[0].values
    True
    """

    filters: FilterConfig = FilterConfig()
    references: Data | None = None
    pictures: bool = True
    overwrite: bool = False


@checked
def features(
    data: Data,
    out: str | Path | None = None,
    *,
    rate_hz: float | None = None,
    units: str = "",
    segmentation: SegmentConfig | None = None,
    options: FeatureOptions = FeatureOptions(),
    work: Work = Work(),
) -> Measured:
    """Measure RMS, median frequency and other features: one row per repetition and channel, and trends.

    Parameters
    ----------
    data : recordings, a table of repetitions or a result of `segment`, as for `segment`.
    out : table to write, with trends and pictures next to it; None: nothing is written.
    rate_hz, units : of recordings that do not state them.
    segmentation : how to find the repetitions of recordings whose rows state no times; None: such a recording is one
        repetition.

    Raises
    ------
    InputError
        A table exists already (unless ``options`` replace it), or no recording could be used.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> measured = sh.features(sh.segment(recording))
    >>> len(measured)  # 11 repetitions on 2 channels
    22
    >>> table = measured.to_dataframe()
    >>> means = table.groupby("channel")["mdf_hz"].mean()
    """
    scaling = "log" if options.references is None else "mvc"
    jobs = jobs_of(data, rate_hz=rate_hz, units=units)
    jobs = with_references(
        jobs, PipelineConfig(filter=options.filters, scaling=scaling), options.references, n_jobs=work.n_jobs
    )
    return measure(
        jobs, None if out is None else Path(out), options.filters, segmentation=segmentation,
        output=TableOutput(options.pictures, options.overwrite), n_jobs=work.n_jobs, track=work.track,
    )  # fmt: skip
