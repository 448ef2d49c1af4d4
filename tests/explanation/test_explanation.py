"""explanation.py: evidence in Hz and seconds, and which way it leans."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from explanation_builders import explanation
from semg_hht.explanation.explanation import narrowest


def test_evidence_is_found_in_hz_and_seconds() -> None:
    made = explanation()
    band, span = made.band, made.span
    assert band is not None and span is not None
    assert 100 <= band.low < band.high <= 200
    assert 0.5 <= span.low < span.high <= 1.0
    assert_allclose(band.share, 0.625)  # five of eight patches hold what is asked for
    assert_allclose(band.share_of_values, (band.high - band.low) / 400)
    assert_allclose(made.share_for, 0.75)
    assert_allclose([made.of_channels["biceps"], made.of_channels["triceps"]], [3, -1])


def test_what_leans_against_the_answer_is_found_where_it_speaks_against() -> None:
    made = explanation(evidence=-explanation().evidence)
    assert made.leans == -1
    assert made.band == explanation().band


def test_the_narrowest_run_is_the_fullest_of_its_width() -> None:
    assert narrowest(np.array([1.0, 0, 4, 4, 0, 1]), 0.8) == (2, 4)
    assert narrowest(np.array([0.0, 3, 0, 0, 5, 0]), 0.6) == (4, 5)
    assert narrowest(np.ones(4), 1.0) == (0, 4)
