"""explanation_plot.py: one picture of evidence over its matrix, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from explanation_builders import explanation
from semg_hht.reports.explanation_text import plot_explanation, write_evidence
from semg_hht.reports.words import read_words


def test_the_same_evidence_is_the_same_picture(tmp_path: Path) -> None:
    blind = explanation(evidence=np.zeros((2, 256, 256)), blocks={"mixing": 0.3})
    for name, language in (("a", "en"), ("b", "en"), ("c", "zh")):
        write_evidence([explanation(), blind], tmp_path / f"{name}.png", read_words(language))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()


def test_evidence_is_plotted_on_axes_that_are_given() -> None:
    over_a_matrix, bars = Figure().add_subplot(), Figure().add_subplot()
    assert plot_explanation(explanation(), ax=over_a_matrix) is over_a_matrix
    of_several = Figure().add_subplot()
    plot_explanation([explanation(), explanation(evidence=np.zeros((2, 256, 256)))], ax=of_several)
    assert of_several.get_title() == over_a_matrix.get_title()
    assert over_a_matrix.images and over_a_matrix.get_ylabel() == "frequency (Hz)"
    plot_explanation(explanation(evidence=np.zeros((2, 256, 256)), blocks={"mixing": 0.3}), ax=bars)
    assert len(bars.patches) == 1 and bars.get_xlabel() == "by input (share of probability)"
    assert over_a_matrix.get_title() and bars.get_title()
