"""Captions of figures in Chinese."""

from __future__ import annotations

import io
import json
import logging
import re
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from builders import make_dataset, write_dataset
from evaluation_builders import HOSTILE, PEOPLE, Page, copy_of_run, evaluated, protocol, read_page, saved_matrices
from semg_hht.cli.main import main
from semg_hht.errors import InputError
from semg_hht.evaluation.comparison import OURS
from semg_hht.evaluation.metrics import evaluate
from semg_hht.figures import plots
from semg_hht.figures.captions import CHINESE, in_chinese
from semg_hht.figures.plots import chinese_font, draw_confusion, draw_history, draw_matrices, draw_matrix, plane_png
from semg_hht.hht.spectrum import DECOMPOSITIONS
from semg_hht.learning.baselines import BASELINES
from semg_hht.learning.epochs import Epoch
from semg_hht.learning.folds import PROTOCOLS
from semg_hht.matrices.matrix import Matrix
from semg_hht.matrices.scaling import SCALINGS
from semg_hht.recordings.manifest import TASKS
from semg_hht.report.evaluation_page import matrix_path, write_page
from semg_hht.report.evaluations import open_evaluation
from semg_hht.report.summary import gather
from semg_hht.report.template import fill, signed, ticks
from semg_hht.report.words import LANGUAGES, read_words
from semg_hht.system.files import read_json, write_json


def pictures_in_chinese(folder: Path) -> None:
    matrices = [("half", Matrix(VALUES[:1], {}, 20 + 430 * AXIS, 2 * AXIS)), ("full", Matrix(VALUES[:1]))]
    draw_matrices(matrices, folder / "matrices.png", lang="zh")
    draw_history([Epoch(1, 1e-4, 1.1, 0.3, 1.0, 0.4, 0.4)], 1, folder / "history.png", lang="zh")
    draw_confusion({"action_quality": REPORT, "gender": REPORT}, folder / "confusion.png", lang="zh")


def test_captions_are_chinese_and_names_of_classes_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Text] = []
    monkeypatch.setattr(figures, "chinese_font", lambda: "DejaVu Sans")
    monkeypatch.setattr(Figure, "savefig", lambda self, part, **_: (part.touch(), drawn.extend(self.findobj(Text))))
    pictures_in_chinese(tmp_path)
    english = {word for text in drawn for word in re.findall("[A-Za-z]{2,}", text.get_text())}
    assert english <= {"Hz", "half", "full", "low", "mid", "high"}
    assert {"希尔伯特", "最佳轮次", "平衡准确率"} <= {
        word for text in drawn for word in re.findall("希尔伯特|最佳轮次|平衡准确率", text.get_text())
    }


def test_without_a_font_captions_stay_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(figures, "get_font_names", list)
    chinese_font.cache_clear()
    with caplog.at_level(logging.WARNING):
        pictures_in_chinese(tmp_path)
    chinese_font.cache_clear()
    assert is_png(tmp_path / "history.png")
    assert "no font for Chinese is here" in caplog.text


def test_chinese_names_are_drawn_without_a_warning(tmp_path: Path) -> None:
    draw_matrix(Matrix(VALUES[:1], {}, 20 + 430 * AXIS, 2 * AXIS), tmp_path / "弯举.png", title="弯举 µV")
    assert (tmp_path / "弯举.png").read_bytes().startswith(b"\x89PNG")
