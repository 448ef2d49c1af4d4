"""Chinese captions of figures, with and without a font for them."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from semg_hht.evaluation.metrics import evaluate
from semg_hht.figures import plots
from semg_hht.figures.plots import chinese_font, draw_confusion, draw_history, draw_matrices, draw_matrix
from semg_hht.learning.epochs import Epoch
from semg_hht.matrices.matrix import Matrix

AXIS = (np.arange(256) + 0.5) / 256
PLANES = np.random.default_rng(0).random((1, 256, 256), dtype=np.float32)
MATRIX = Matrix(PLANES, {}, 20 + 430 * AXIS, 2 * AXIS)
REPORT = evaluate(["low", "mid", "mid"], np.eye(3)[[0, 1, 0]], ("low", "mid", "high"), ["a", "b", "c"])


def draw_in_chinese(folder: Path) -> None:
    matrices = [("half", MATRIX), ("full", Matrix(PLANES))]
    draw_matrices(matrices, folder / "matrices.png", lang="zh")
    draw_history([Epoch(1, 1e-4, 1.1, 0.3, 1.0, 0.4, 0.4)], 1, folder / "history.png", lang="zh")
    draw_confusion({"action_quality": REPORT, "gender": REPORT}, folder / "confusion.png", lang="zh")


def test_captions_are_chinese_and_class_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Text] = []
    monkeypatch.setattr(plots, "chinese_font", lambda: "DejaVu Sans")
    monkeypatch.setattr(Figure, "savefig", lambda self, part, **_: (part.touch(), drawn.extend(self.findobj(Text))))
    draw_in_chinese(tmp_path)
    english = {word for text in drawn for word in re.findall("[A-Za-z]{2,}", text.get_text())}
    assert english <= {"Hz", "half", "full", "low", "mid", "high"}
    assert {"希尔伯特", "最佳轮次", "平衡准确率"} <= {
        word for text in drawn for word in re.findall("希尔伯特|最佳轮次|平衡准确率", text.get_text())
    }


def test_without_a_font_captions_stay_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(plots, "get_font_names", list)
    chinese_font.cache_clear()
    with caplog.at_level(logging.WARNING):
        draw_in_chinese(tmp_path)
    chinese_font.cache_clear()
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    assert "no font for Chinese is installed" in caplog.text


def test_chinese_names_are_drawn_without_a_warning(tmp_path: Path) -> None:
    draw_matrix(MATRIX, tmp_path / "弯举.png", title="弯举 µV")
    assert (tmp_path / "弯举.png").read_bytes().startswith(b"\x89PNG")
