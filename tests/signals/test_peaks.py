"""Local maxima and prominent ones are those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from semg_hht.signals.peaks import local_maxima, prominent_maxima


@pytest.mark.parametrize("seed", range(20))
def test_the_maxima_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for n in (1, 2, 3, 4, 10, 200):
        for values in (rng.standard_normal(n), rng.integers(0, 4, n).astype(float), np.cumsum(rng.standard_normal(n))):
            assert local_maxima(values).tolist() == scipy.signal.find_peaks(values)[0].tolist()
            for least in (0.0, 0.3, 1.0, 2.0):
                expected = scipy.signal.find_peaks(values, prominence=least)[0]
                assert prominent_maxima(values, least).tolist() == expected.tolist()
