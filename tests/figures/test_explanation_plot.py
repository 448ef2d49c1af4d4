"""explanation_plot.py: one picture of evidence over its matrix, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from explanation_builders import explanation
from semg_hht.reports.explanation_text import write_evidence
from semg_hht.reports.words import read_words


def test_the_same_evidence_is_the_same_picture(tmp_path: Path) -> None:
    blind = explanation(evidence=np.zeros((2, 256, 256)), blocks={"mixing": 0.3})
    for name, language in (("a", "en"), ("b", "en"), ("c", "zh")):
        write_evidence([explanation(), blind], tmp_path / f"{name}.png", read_words(language))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()
