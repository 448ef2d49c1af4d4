"""The picture of a recording shows signal, repetitions and axes at their places, and needs no matplotlib."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from semg_hht.figures import repetitions_picture
from semg_hht.figures.drawing import GREEN, GREY, ORANGE
from semg_hht.figures.repetitions_picture import AFTER, GAP, HEAD, ROW, WIDTH, draw_repetitions

RATE_HZ = 1000.0


def drawn(
    path: Path, samples: NDArray[np.float64], spans: list[tuple[float, float, float]], **options: Any
) -> NDArray[np.uint8]:
    """The pixels (height, width, 3)."""
    draw_repetitions(samples, RATE_HZ, "uV", spans, path, **options)
    with Image.open(path) as picture:
        return np.asarray(picture)


def near(colour: str, pixels: NDArray[np.uint8], *, tint: float = 1.0) -> NDArray[np.bool_]:
    """Which pixels (..., 3) have a colour, or a tint of it on white."""
    expected = 255 + tint * (np.array(ImageColor.getrgb(colour)) - 255.0)
    return np.asarray(np.abs(pixels - expected).max(axis=-1) < 4)


def frame(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """The columns of the left and the right edge of the first row."""
    between_labels = pixels[HEAD + 30]
    black = np.flatnonzero((between_labels == 0).all(axis=-1))
    return int(black[0]), int(black[-1])


def test_a_repetition_is_tinted_from_its_start_to_its_stop_by_its_confidence(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "a.png", np.zeros(10_000), [(2.0, 4.0, 0.9), (6.0, 9.0, 0.3)])
    left, right = frame(pixels)
    line = pixels[HEAD + 60]
    for colour, start_s, stop_s in ((GREEN, 2.0, 4.0), (ORANGE, 6.0, 9.0)):
        columns = np.flatnonzero(near(colour, line, tint=0.18))
        found_s = 10 * (np.array([columns[0], columns[-1] + 1]) - left) / (right - left)
        assert found_s == pytest.approx([start_s, stop_s], abs=0.01)
    assert near(GREEN, pixels[HEAD + 4 : HEAD + 20, :], tint=1.0).any(), "its number"


def test_the_signal_reaches_its_extremes_at_their_times_and_no_spike_is_lost(tmp_path: Path) -> None:
    samples = np.zeros(20_000)
    samples[15_000] = 100.0
    pixels = drawn(tmp_path / "a.png", samples, [])
    left, right = frame(pixels)
    grey = near(GREY, pixels, tint=1.0) | near(GREY, pixels, tint=0.5)
    grey[:, : left + 1] = grey[:, right:] = False  # labels of the axes
    grey[HEAD + ROW - GAP :] = False
    tall = np.flatnonzero(grey[HEAD + 10 : HEAD + 50].any(axis=0))
    assert tall.size
    assert 20 * (tall - left) / (right - left) == pytest.approx(np.full(tall.size, 15.0), abs=0.03)
    heights = np.flatnonzero(grey.any(axis=1))
    height = ROW - GAP
    assert heights[0] - HEAD == pytest.approx(height / 2 * (1 - 1 / 1.05), abs=2)
    assert np.abs(heights[-1] - HEAD - height / 2) < 3, "nothing is below zero"


def test_a_long_recording_has_a_row_for_each_half_minute_and_numbers_once(tmp_path: Path) -> None:
    short = drawn(tmp_path / "a.png", np.zeros(29_000), [])
    long = drawn(tmp_path / "b.png", np.zeros(61_000), [(20.0, 21.0, 1.0)])
    assert (short.shape[1], long.shape[1]) == (WIDTH, WIDTH)
    assert len(long) - len(short) == 2 * ROW
    shown = [near(GREEN, long[HEAD + ROW * i : HEAD + ROW * (i + 1)], tint=0.18).any() for i in range(3)]
    assert shown == [True, True, False], "it lies in the first two rows of 20.3 s"


def test_activity_that_is_left_out_is_hatched_and_the_hatching_is_explained(tmp_path: Path) -> None:
    plain = drawn(tmp_path / "a.png", np.zeros(10_000), [])
    hatched = drawn(tmp_path / "b.png", np.zeros(10_000), [], left_out=[(3.0, 3.5)])
    left, right = frame(plain)
    changed = (plain != hatched).any(axis=-1)
    columns = np.flatnonzero(changed[HEAD : HEAD + ROW].any(axis=0))
    assert 10 * (columns[[0, -1]] - left) / (right - left) == pytest.approx([3.0, 3.5], abs=0.02)
    assert changed[:HEAD, WIDTH // 2 : WIDTH - AFTER].any()


def test_chinese_names_are_drawn_with_an_installed_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(repetitions_picture, "_chinese_file", lambda: asked.append("") or repetitions_picture._dejavu())
    drawn(tmp_path / "a.png", np.zeros(1000), [], title="biceps é µV")
    assert not asked
    drawn(tmp_path / "a.png", np.zeros(1000), [], title="曲臂")
    assert asked


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (-21_000, 21_000, ["−20000", "−10000", "0", "10000", "20000"]),
        (-0.0044, 0.0044, ["−0.004", "−0.002", "0", "0.002", "0.004"]),
        (25.0, 50.0, ["25", "30", "35", "40", "45", "50"]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, labels: list[str]) -> None:
    assert [label for label, _ in repetitions_picture._ticks(low, high, 5 if low < 0 else 8)] == labels


def test_the_same_signal_gives_the_same_file_without_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from pathlib import Path; "
        "from semg_hht.figures.repetitions_picture import draw_repetitions; "
        "draw_repetitions(np.sin(np.arange(5000.0)), 1000.0, 'uV', [(1, 2, 0.8)], Path(sys.argv[1]), title='S01'); "
        "print('matplotlib' in sys.modules)"
    )
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    told = [
        subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True) for path in paths
    ]
    assert [one.stdout.strip() for one in told] == ["False", "False"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
