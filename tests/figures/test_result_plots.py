"""result_plots.py: plots return the axes they drew on, with titles and units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from semg_hht.evaluation.metrics import evaluate
from semg_hht.figures.result_plots import (
    HISTORIES,
    plot_confusion,
    plot_history,
    plot_matrix,
    plot_plane,
    plot_spectrum,
)
from semg_hht.hht import hilbert_spectrum
from semg_hht.learning.epochs import Epoch
from semg_hht.matrices.matrix import Matrix

AXIS = (np.arange(256) + 0.5) / 256
VALUES = np.random.default_rng(0).random((2, 256, 256), dtype=np.float32)
REPORT = evaluate(["low", "mid", "mid"], np.eye(3)[[0, 1, 0]], ("low", "mid", "high"), ["a", "b", "c"])


@pytest.fixture
def axes() -> Iterator[Axes]:
    yield Figure().add_subplot()


def test_a_matrix_has_axes_in_hz_and_seconds(axes: Axes) -> None:
    assert plot_matrix(Matrix(VALUES, {}, 20 + 430 * AXIS, 2 * AXIS), channel=1, ax=axes) is axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "frequency (Hz)")
    assert axes.get_title() == "Hilbert-Huang matrix, channel 2"
    assert_allclose(axes.get_xlim(), (0, 2), atol=1e-9)
    assert_allclose(axes.get_ylim(), (20, 450))  # low frequencies below
    assert_allclose(axes.images[0].get_array(), VALUES[1])


def test_a_matrix_without_axes_has_bins(axes: Axes) -> None:
    plot_plane(axes, VALUES[0], None, None)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time bin", "frequency bin")
    assert_allclose(axes.get_xlim(), (0, 256))


def test_a_spectrum_is_in_decibels(axes: Axes) -> None:
    plot_spectrum(hilbert_spectrum(VALUES[0, 0].astype(float), 1000.0), ax=axes)
    level_db = axes.images[0].get_array()
    assert level_db is not None and (level_db.max(), level_db.min()) == (0, -60)
    assert axes.get_title() == "Hilbert spectrum"


def test_a_confusion_matrix_has_class_names_counts_and_shares(axes: Axes) -> None:
    plot_confusion(REPORT, ax=axes)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["low", "mid", "high"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["low", "mid", "high"]
    assert [text.get_text() for text in axes.texts][:2] == ["1\n100%", "0\n0%"]
    assert axes.get_title() == "balanced accuracy 0.75"


@pytest.mark.parametrize("what", HISTORIES)
def test_a_history_marks_the_best_epoch(axes: Axes, what: str) -> None:
    history = [Epoch(i, 1e-4, 1.0 / i, 0.3, 1.1 / i, 0.4, 0.4) for i in (1, 2, 3)]
    plot_history(history, 2, what=what, ax=axes)
    legend = axes.get_legend()
    assert legend is not None and legend.get_texts()[-1].get_text() == "best epoch (2)"
    assert axes.get_title() == f"Training: {axes.get_ylabel()}" and axes.get_xlabel() == "epoch"
