"""labelled_repetitions.py: recordings of a manifest as arrays with labels and people."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from conftest import Simulated
from semg_hht import samples
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.labelled_repetitions import read_repetitions
from semg_hht.errors import InputError
from semg_hht.recordings.manifest import read_manifest
from semg_hht.signals.filtered_recording import open_filtered
from semg_hht.signals.repetitions import SegmentConfig


def test_rows_are_the_filtered_repetitions_of_the_manifest(simulated: Simulated) -> None:
    data = read_repetitions(simulated.manifest, filters=simulated.config.filter)
    rows = read_manifest(simulated.manifest)
    assert data.X.shape[:2] == (len(rows), 1) and data.rate_hz == 500
    assert data.y.tolist() == [row.movement for row in rows]
    assert data.groups.tolist() == [row.subject for row in rows]
    _, first = next(open_filtered(find_jobs(simulated.manifest)[0], simulated.config.filter).scaled_repetitions())
    assert_array_equal(data.X[0, :, : first.n_samples], first.samples)
    assert np.isnan(data.X[0, :, first.n_samples :]).all()
    assert read_repetitions(simulated.manifest, task="gender").y.tolist() == [row.gender for row in rows]


def test_repetitions_are_found_in_recordings_without_times() -> None:
    data = read_repetitions(samples.MANIFEST, segmentation=SegmentConfig())
    assert data.channel_names == ("BicepsBrachi", "Brachioradialis")
    assert len(data.X) > 50 and len(set(data.files)) == 6
    whole = read_repetitions(samples.recordings()["P30_supinated"])
    assert repr(whole).endswith(" at 2000 Hz, y 1 without a label, 1 groups>")
    assert len(whole.X) == 1 and whole.groups.tolist() == ["P30_supinated.mat"]


def test_a_recording_that_cannot_be_used_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    signal = np.random.default_rng(0).normal(size=(2000, 2))
    for name, n_channels in (("a", 1), ("b", 2)):
        np.savetxt(tmp_path / f"{name}.csv", signal[:, :n_channels], delimiter=",")
    (tmp_path / "c.csv").write_text("nothing\n")
    lines = "\n".join(f"{name}.csv,P,full,{rate}" for name, rate in (("a", 1000), ("c", 1000)))
    (tmp_path / "manifest.csv").write_text(f"file,subject,movement,rate_hz\n{lines}\n")
    with caplog.at_level(logging.WARNING):
        assert len(read_repetitions(tmp_path).X) == 1
    assert "c.csv was left out; " in caplog.text


@pytest.mark.parametrize(
    ("rates", "message"),
    [((1000, 1000), "same number of channels; found 1, 2"), ((1000, 500), "of one rate; found 500 Hz, 1000 Hz")],
)
def test_recordings_that_do_not_fit_one_array(tmp_path: Path, rates: tuple[int, int], message: str) -> None:
    signal = np.random.default_rng(0).normal(size=(2000, 2))
    lines = []
    for n_channels, rate in zip((1, 2), rates, strict=True):
        np.savetxt(tmp_path / f"{n_channels}.csv", signal[:, :n_channels], delimiter=",")
        lines.append(f"{n_channels}.csv,P,full,{rate}")
    (tmp_path / "manifest.csv").write_text("\n".join(["file,subject,movement,rate_hz", *lines, ""]))
    with pytest.raises(InputError, match=message):
        read_repetitions(tmp_path, filters=None)
