"""`label`: full, half or invalid from a second sensor, such as a goniometer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.datasets.label import Labelled, LabelOptions, SensorSource, label_jobs, table_to_fill
from semg_hht.system.arguments import checked
from semg_hht.system.files import require_new_file, require_suffix
from semg_hht.verbs.work import Work

__all__ = ["label", "table_to_fill"]


@checked
def label(
    data: Data,
    sensor: SensorSource | str = "",
    out: str | Path | None = None,
    *,
    rate_hz: float | None = None,
    options: LabelOptions = LabelOptions(),
    overwrite: bool = False,
    work: Work = Work(),
) -> Labelled:
    """Label repetitions from a second sensor: full, half, invalid, or nothing where the sensor can't tell.

    Parameters
    ----------
    data : a table of repetitions as `segment` writes it, or its result; or recordings as for `segment`, whose
        repetitions are found first.
    sensor : the channel in the recordings, by name or number, or another source; empty: the only one that is not EMG.
    out : table to write, with pictures next to it; None: nothing is written, the result holds the rows.
    rate_hz : of recordings that do not state it.
    overwrite : replace another table than the one that was given.

    Raises
    ------
    InputError
        The recordings or the sensor can't be read, or no repetition could be labelled.

    Examples
    --------
    >>> import semg_hht as sh
    >>> people = sh.SimulationConfig(n_subjects=1, n_repetitions=2)
    >>> manifest = sh.simulate("with_angle", people, goniometer=True)
    >>> labelled = sh.label(sh.segment(manifest.with_name("S01_E01_BICEPS.csv")), "elbow_angle")
    >>> sorted(labelled.counts)
    ['full', 'half', 'invalid']
    """
    source = sensor if isinstance(sensor, SensorSource) else SensorSource(channel=sensor)
    jobs = jobs_of(data, rate_hz=rate_hz)
    table = None if out is None else Path(out)
    if table is None:
        options = replace(options, pictures=False)
    elif not isinstance(data, (str, Path)) or table.resolve() != Path(data).resolve():
        require_suffix(table, ".csv")
        require_new_file(table, overwrite=overwrite)
    return label_jobs(jobs, source, table, options, n_jobs=work.n_jobs, track=work.track)
