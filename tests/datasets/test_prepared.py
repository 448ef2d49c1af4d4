"""prepared.py: a folder of matrices that `prepare` wrote, as an object."""

from __future__ import annotations

import pytest
from numpy.testing import assert_array_equal

from conftest import Simulated
from semg_hht.datasets.prepared import Prepared
from semg_hht.matrices.matrix import read_matrix
from semg_hht.recordings.manifest import read_manifest


@pytest.fixture
def prepared(simulated: Simulated) -> Prepared:
    manifest = simulated.prepared_manifest
    n = len(read_manifest(manifest))
    return Prepared(manifest.parent, manifest, 4, 0, n, n, 0.0, (), ())


def test_matrices_are_read_in_the_order_of_the_manifest(prepared: Prepared) -> None:
    files = [row.file for row in prepared.rows]
    assert len(prepared) == len(files) == len(list(prepared)) > 4
    for number, matrix in enumerate(prepared):
        expected = read_matrix(prepared.folder / files[number]).values
        assert_array_equal(matrix.values, expected)
        assert_array_equal(prepared[number].values, expected)


def test_its_manifest_is_a_dataframe(prepared: Prepared) -> None:
    pytest.importorskip("pandas")
    assert list(prepared.to_dataframe()["file"]) == [row.file for row in prepared.rows]
