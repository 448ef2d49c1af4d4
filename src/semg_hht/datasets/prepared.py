"""The folder that `prepare` wrote, and its matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semg_hht.datasets.rows_table import columns_and_cells
from semg_hht.matrices.matrix import Matrix, read_matrix
from semg_hht.recordings.jobs import Failure, Remark
from semg_hht.recordings.manifest import ManifestRow, read_manifest
from semg_hht.system.dataframes import dataframe

if TYPE_CHECKING:  # commands that only ask whether something is a `Prepared` start sooner
    from semg_hht.datasets.bids_export import ExportedDataset


@dataclass(frozen=True)
class Prepared:
    """What `prepare` wrote: it can be iterated over and indexed, and then reads one `Matrix` after the other.

    folder : of ``hht_matrices/`` and ``manifest``. Where none was named, it is a temporary one, which is removed when
        nothing refers to this object or to its ``folder`` any more.
    n_reused : recordings whose matrices an earlier run had computed.
    dropped : mean share of energy outside the band.
    bids : the BIDS-EMG dataset that was written too; None: there is none.

    Examples
    --------
    >>> import semg_hht as sh
    >>> prepared = sh.prepare(sh.samples.recordings()["P30_supinated"], "two")
    >>> prepared.n_recordings, prepared.n_matrices
    (1, 2)
    >>> prepared[0].values.shape
    (1, 256, 256)
    """

    folder: Path
    manifest: Path
    n_recordings: int
    n_reused: int
    n_matrices: int
    n_labelled: int
    dropped: float
    failures: tuple[Failure, ...]
    remarks: tuple[Remark, ...]
    bids: ExportedDataset | None = None

    def __len__(self) -> int:
        return self.n_matrices

    def __iter__(self) -> Iterator[Matrix]:
        return (read_matrix(self.folder / row.file) for row in self.rows)

    def __getitem__(self, number: int) -> Matrix:
        return read_matrix(self.folder / self.rows[number].file)

    @property
    def rows(self) -> list[ManifestRow]:
        """The manifest as it is now: a row for each matrix, in the order of the matrices."""
        return read_manifest(self.manifest)

    def to_dataframe(self) -> Any:
        """The manifest as a ``pandas.DataFrame``: a row for each matrix, with its labels and its origin.

        Raises
        ------
        InputError
            pandas is not installed.
        """
        return dataframe(*columns_and_cells(self.rows))
