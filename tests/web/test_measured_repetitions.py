"""Measures of repetitions agree with those of `semg-hht measure`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from page_builders import FILTERS
from semg_hht.datasets.feature_table import measures_of
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.segment import open_segmented
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.web.measured_repetitions import maximal_amplitudes, measured, with_percent
from semg_hht.web.uploads import StatedFacts, read_upload
from semg_hht.web.visit import Maximum, VisitFile


@pytest.fixture
def file(angled: Path, tmp_path: Path) -> VisitFile:
    read = read_upload(angled, StatedFacts(), FILTERS, tmp_path / "drawn.npy")
    return VisitFile(1, angled, recorded=read.recorded, rows=read.rows)


def test_measures_are_those_of_the_feature_table(file: VisitFile, angled: Path) -> None:
    own = measured(file, {}).measured
    expected = measures_of(open_segmented(find_jobs(angled)[0], FILTERS, SegmentConfig()).in_microvolts())
    assert own is not None and own.names == ("biceps",)
    np.testing.assert_allclose([row[0] for row in own.rms], [m.values["rms"] for m in expected], rtol=1e-4)
    np.testing.assert_allclose([row[0] for row in own.mdf_hz], [m.values["mdf_hz"] for m in expected], rtol=1e-3)
    assert [(drift.feature, drift.trend.n) for drift in own.drifts] == [("mdf_hz", 4), ("rms", 4)]


def test_amplitudes_are_shares_of_a_maximum(file: VisitFile) -> None:
    reference = maximal_amplitudes(file, Maximum(1, 1.9, 3.1))
    own = with_percent(measured(file, {}), reference).measured
    assert own is not None
    assert own.percent_mvc[0][0] == pytest.approx(100 * own.rms[0][0] / reference["biceps"])
    assert maximal_amplitudes(file, Maximum(1, 1.0, 1.01)) == {}
    short = replace(file, rows=(replace(file.rows[0], start_s=1.0, stop_s=1.01),))
    own = measured(short, {}).measured
    assert own is not None and np.isnan(own.rms[0][0]) and own.drifts == ()
