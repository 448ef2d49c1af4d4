"""`prepare`: a folder of matrices from recordings."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from weakref import finalize

from semg_hht.datasets.bids_export import ExportedDataset, export_bids
from semg_hht.datasets.find_inputs import MANIFEST
from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.prepare import BIDS_FOLDER, MATRIX_FOLDER
from semg_hht.datasets.prepare import prepare as prepare_folder
from semg_hht.datasets.prepared import Prepared
from semg_hht.datasets.segment import with_repetitions
from semg_hht.errors import InputError
from semg_hht.matrices.transform import PipelineConfig
from semg_hht.recordings.jobs import Failure, Job
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.system.arguments import checked
from semg_hht.system.processes import path_for_workers, workers
from semg_hht.verbs.work import Work

__all__ = ["MATRIX_FOLDER", "PrepareOptions", "prepare"]


@checked
@dataclass(frozen=True)
class PrepareOptions:
    """What `prepare` prepares and writes.

    segmentation : how to find the repetitions of recordings whose rows state no times; None: such a recording is one
        repetition.
    references : manifest or recordings of maximal contractions, for the scaling ``mvc``.
    images : also draw each matrix. bids : also write a BIDS-EMG dataset of the recordings and repetitions.
    overwrite : write into a folder that is not empty.

    Examples
    --------
    >>> import semg_hht as sh
    >>> options = sh.PrepareOptions(segmentation=sh.SegmentConfig(), overwrite=True)
    """

    segmentation: SegmentConfig | None = None
    references: Data | None = None
    images: bool = False
    bids: bool = False
    overwrite: bool = False


class TemporaryFolder(type(Path())):  # type: ignore[misc]  # the class of paths on this system
    """A folder that is removed when nothing refers to this path, or to one made from it with ``/``, any more."""

    within: TemporaryFolder | None = None

    def __truediv__(self, name: str | Path) -> TemporaryFolder:
        path = TemporaryFolder(super().__truediv__(name))
        path.within = self
        return path


@checked
def prepare(
    data: Data,
    out: str | Path | None = None,
    *,
    rate_hz: float | None = None,
    units: str = "",
    transform: PipelineConfig = PipelineConfig(),
    options: PrepareOptions = PrepareOptions(),
    work: Work = Work(),
) -> Prepared:
    """Compute Hilbert-Huang matrices of recordings: 256 x 256 matrices and a manifest.csv, which `train` reads.

    Parameters
    ----------
    data : recordings, a table of repetitions or a result of `segment` or `label`, as for `segment`.
    out : folder for ``hht_matrices/`` and ``manifest.csv``. Finished matrices are not computed again. None: a temporary
        folder, which is removed when nothing refers to the result or its ``folder`` any more, at the latest when
        Python ends. So the same verbs take the result, and memory holds only the matrices that are read from it.
    rate_hz, units : of recordings that do not state them.
    transform : the settings that decide a matrix, as `configure` makes them.

    Raises
    ------
    InputError
        The folder holds other files or a manifest.csv, or no recording could be used.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"]).crop(0, 12)
    >>> prepared = sh.prepare(sh.segment(recording))
    >>> len(prepared), prepared[0].values.shape  # 3 repetitions on 2 channels
    (6, (1, 256, 256))
    >>> prepared = sh.prepare(sh.segment(recording), "prepared")
    >>> prepared.manifest.name
    'manifest.csv'
    """
    if out is None:
        folder = TemporaryFolder(mkdtemp(prefix="semg_hht_"))
        try:
            done = prepare(data, folder, rate_hz=rate_hz, units=units, transform=transform, options=options, work=work)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finalize(folder, shutil.rmtree, str(folder), ignore_errors=True)
        return replace(done, folder=folder, manifest=folder / done.manifest.name)
    not_segmented: list[Failure] = []
    if isinstance(data, (str, Path)):
        data = path_for_workers(work.backend, Path(data))
    references = options.references
    if isinstance(references, (str, Path)):
        references = path_for_workers(work.backend, Path(references))
    out = path_for_workers(work.backend, Path(out))
    with workers(work.backend, work.scheduler):
        jobs = jobs_of(data, rate_hz=rate_hz, units=units)
        if options.segmentation is not None:
            jobs, not_segmented = with_repetitions(
                jobs, options.segmentation, transform.filter, n_jobs=work.n_jobs, track=work.track
            )
        jobs = with_references(jobs, transform, references, n_jobs=work.n_jobs)
        done = prepare_folder(
            jobs, out, transform, images=options.images, overwrite=options.overwrite, n_jobs=work.n_jobs,
            track=work.track,
        )  # fmt: skip
        try:
            bids = _export(jobs, out, data, transform, options.overwrite, work) if options.bids else None
        except (InputError, OSError) as error:
            raise InputError(
                f"{error}. The matrices are finished; with overwrite=True they are not computed again"
            ) from None
    return replace(done, failures=(*not_segmented, *done.failures), bids=bids)


def _export(
    jobs: list[Job], out: Path, data: Data, transform: PipelineConfig, overwrite: bool, work: Work
) -> ExportedDataset:
    named_after = Path(data).absolute() if isinstance(data, (str, Path)) else Path(jobs[0].file)
    if named_after.name == MANIFEST:
        named_after = named_after.parent
    mains_hz = transform.filter.mains_hz if isinstance(transform.filter.mains_hz, float) else None
    return export_bids(
        jobs, out / BIDS_FOLDER, name=named_after.stem, power_line_hz=mains_hz, overwrite=overwrite, track=work.track
    )
