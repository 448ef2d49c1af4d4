"""Results against those of other libraries, which tests/references/make_hht_references.py stored."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.hht import ceemdan, emd, upstream_ceemdan
from semg_hht.hht.kernel import decompose
from semg_hht.hht.noise import key, numpy_normals
from semg_hht.hht.stopping import RULES
from semg_hht.hht.upstream import upstream_matrix

FOLDER = Path(__file__).parents[1] / "references"
sys.path.insert(0, str(FOLDER))
from hht_signals import N_REAL, N_SIMULATED, probes, real, semg_like, simulated  # noqa: E402


@pytest.fixture(scope="module")
def references():
    with np.load(FOLDER / "hht_references.npz") as stored:
        return dict(stored)


def assert_is_pyemd(references, name, signal):
    """IMFs equal to 1e-10 of the signal, and the same number of sifts."""
    rows, n_imfs, n_sifts = decompose(signal[None], RULES["pyemd"])
    expected = references[f"pyemd/{name}"]
    actual = probes(rows[0, : n_imfs[0] + 1])
    assert actual.shape == expected.shape
    assert_allclose(actual, expected, rtol=0, atol=1e-10 * np.abs(signal).max())
    assert n_sifts[0, : n_imfs[0] + 1].sum() == references[f"pyemd_sifts/{name}"]


@pytest.mark.parametrize("index", range(N_SIMULATED))
def test_emd_is_pyemd(references, index):
    assert_is_pyemd(references, f"simulated_{index}", simulated(index))


@pytest.mark.parametrize("index", range(N_REAL))
def test_emd_is_pyemd_on_real_recordings(references, index):
    signal = real(str(references["recordings"][index]), index)
    if signal is None:
        pytest.skip("no recordings beside the repository")
    assert_is_pyemd(references, f"real_{index}", signal)


@pytest.mark.parametrize("index", range(12))
def test_ceemdan_is_pyemd_with_the_same_noise(references, index):
    recording = str(references["recordings"][index])
    signal = real(recording, index) if index % 3 == 0 else semg_like(200 + 30 * index, index)
    if signal is None:
        pytest.skip("no recordings beside the repository")
    noise = np.stack([numpy_normals(signal.size, key(5, trial)) for trial in range(8)])
    actual = probes(ceemdan(signal, 8, 0.005, stopping="pyemd", noise=noise))
    expected = references[f"ceemdan/{index}"]
    assert actual.shape == expected.shape
    assert_allclose(actual, expected, rtol=0, atol=1e-10 * np.abs(signal).max())


@pytest.mark.parametrize("index", range(12))
def test_one_sift_equals_that_of_emd_away_from_the_ends(references, index):
    signal = semg_like(600 + 50 * index, 50 + index)
    imf = emd(signal, stopping="fixed", n_sifts=1, max_imfs=1)[0]
    assert_allclose(imf[200:400], references[f"emd_sift/{index}"], rtol=0, atol=1e-10)


@pytest.mark.parametrize("index", range(6))
def test_upstream_matrix_is_that_of_the_tool_with_the_same_noise(references, index):
    signal = semg_like(300 + 150 * index, 80 + index)
    noise = [[numpy_normals(signal.size, key(6, 30 * level + trial)) for trial in range(30)] for level in range(10)]
    imfs = upstream_ceemdan(signal, noise=np.array(noise))[:-1]
    matrix = upstream_matrix(imfs, 1000.0, (20.0, 450.0))
    assert_allclose(matrix[::9, ::7], references[f"upstream/{index}"], rtol=0, atol=1e-9)


def test_references_are_small_and_many():
    assert N_SIMULATED + N_REAL >= 150
    assert sum(path.stat().st_size for path in FOLDER.glob("*hht*")) < 2_000_000
