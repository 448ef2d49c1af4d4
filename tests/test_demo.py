"""Tests of the demo's labels. `tests/cli/commands/test_demo.py` runs all its steps."""

from __future__ import annotations

from semg_hht.demo import _labelled
from semg_hht.recordings.manifest import ManifestRow


def test_a_repetition_takes_the_label_of_the_true_one_that_it_overlaps_by_half() -> None:
    truth = [
        ManifestRow("a.csv", movement="full", start_s=1.0, stop_s=3.0),
        ManifestRow("a.csv", movement="half", start_s=4.0, stop_s=5.0),
        ManifestRow("b.csv", movement="invalid", start_s=1.0, stop_s=3.0),
    ]
    found = [
        ManifestRow("a.csv", start_s=1.5, stop_s=3.5),
        ManifestRow("a.csv", start_s=3.0, stop_s=4.4),
        ManifestRow("c.csv", start_s=1.0, stop_s=3.0),
    ]
    assert [(row.start_s, row.movement) for row in _labelled(found, truth)] == [(1.5, "full")]
