"""Figures have the right axes and labels, and the same input gives the same file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from semg_hht.evaluation.metrics import evaluate
from semg_hht.figures.plots import (
    draw_answers,
    draw_confusion,
    draw_history,
    draw_matrix,
    plane_png,
)
from semg_hht.learning.epochs import Epoch
from semg_hht.learning.train import Result
from semg_hht.matrices.matrix import Matrix

AXIS = (np.arange(256) + 0.5) / 256
VALUES = np.random.default_rng(0).random((2, 256, 256), dtype=np.float32)
REPORT = evaluate(["low", "mid", "mid"], np.eye(3)[[0, 1, 0]], ("low", "mid", "high"), ["a", "b", "c"])


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("n_planes", [1, 2])
def test_the_same_matrix_gives_the_same_file(tmp_path: Path, n_planes: int) -> None:
    matrix = Matrix(VALUES[:n_planes], {}, 20 + 430 * AXIS, 2 * AXIS)
    draw_matrix(matrix, tmp_path / "a.png", title="S01")
    draw_matrix(matrix, tmp_path / "b.png", title="S01")
    assert is_png(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_history_is_drawn_also_with_one_epoch(tmp_path: Path, tiny_result: Result) -> None:
    draw_history(tiny_result.history, tiny_result.best_epoch, tmp_path / "a.png")
    draw_history([Epoch(1, 1e-4, 1.1, 0.3, 1.0, 0.4, 0.4)], 1, tmp_path / "one.png")
    assert is_png(tmp_path / "a.png")
    assert is_png(tmp_path / "one.png")


def test_confusion_matrices_and_answers_are_drawn(tmp_path: Path) -> None:
    reports: dict[str, Any] = {"action_quality": REPORT, "gender": REPORT}
    draw_confusion(reports, tmp_path / "a.png")
    time_s = np.arange(1000) / 500
    marks = [(0.1, 0.5, "low", "low", 0.9), (0.7, 1.5, "mid", "low", 0.5)]
    matrix = Matrix(VALUES[:1], {}, 20 + 430 * AXIS, 2 * AXIS)
    draw_answers(time_s, np.sin(time_s), marks, [("low", matrix)], reports, tmp_path / "b.png")
    assert is_png(tmp_path / "a.png")
    assert is_png(tmp_path / "b.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_plane_is_drawn_low_frequencies_below() -> None:
    plane = np.zeros((256, 256), np.float32)
    plane[3, 200] = 1.0  # a low frequency, late
    pixels = imread(io.BytesIO(plane_png(plane)))
    assert pixels.shape[:2] == (128, 128)
    row, column = np.unravel_index(pixels[..., :3].sum(axis=-1).argmax(), (128, 128))
    assert (row, column) == (128 - 1 - 3 // 2, 100)
