"""The picture of a recording and its repetitions, which `segment` writes for each recording.

Pillow draws it: the import of matplotlib alone takes as long as the rest of `segment` for a short recording. The other
figures are drawn by matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from semg_hht.figures.drawing import GREEN, GREY, ORANGE
from semg_hht.system.files import whole_file

ROW_S = 30.0  # duration of one row of the figure of a recording
MAX_ROWS = 8
WIDTH, HEAD, ROW, FOOT = 1680, 44, 264, 52  # in pixels: the picture, its title, a row, and the time axis below the rows
GAP = 32  # below a row, for its numbers
BEFORE, AFTER = 46, 24  # the numbers at the left, and behind the rows
TEXT, SMALL, TITLE = 17, 14, 20  # heights of letters
FINER = 2  # the signal is drawn at this multiple of the size, and reduced, so that its edges are smooth
TINT = 0.18  # of a repetition's colour behind the signal
LEFT_OUT = "left out: too short"
FIRST_CHINESE = 0x2E80  # the letters from here on are not in DejaVu Sans

Span = tuple[float, float, float]  # start_s, stop_s and confidence of a repetition


def picture_of(folder: Path, file: str) -> Path:
    """Return the path of a recording's figure; it contains the names of folders, so that paths do not collide."""
    parts = [part for part in PurePosixPath(file).with_suffix("").parts if part.strip("./")]
    return folder / f"{'_'.join(parts)}.png"


@dataclass(frozen=True)
class _Panel:
    """The frame of a row in the picture, and what it shows: times and amplitudes from ``-top`` to ``top``."""

    left: int
    upper: int
    right: int
    lower: int
    shown_s: tuple[float, float]
    top: float

    def x(self, time_s: float) -> float:
        start_s, stop_s = self.shown_s
        return self.left + (self.right - self.left) * min(1.0, max(0.0, (time_s - start_s) / (stop_s - start_s)))

    def y(self, value: float) -> float:
        return (self.upper + self.lower) / 2 - (self.lower - self.upper) / 2 * value / self.top

    def box(self, start_s: float, stop_s: float) -> tuple[int, int, int, int] | None:
        """The pixels of an interval in this row; None where it is in other rows."""
        if stop_s <= self.shown_s[0] or start_s >= self.shown_s[1]:
            return None
        return round(self.x(start_s)), self.upper, max(round(self.x(start_s)) + 1, round(self.x(stop_s))), self.lower


def draw_repetitions(
    samples: NDArray[np.float64],
    rate_hz: float,
    units: str,
    spans: Sequence[Span],
    path: Path,
    *,
    title: str = "",
    left_out: Sequence[tuple[float, float]] = (),
) -> None:
    """Draw a filtered channel (n_samples,) with its numbered repetitions, orange where the confidence is below 0.5.

    spans : start_s, stop_s and confidence of each repetition.
    left_out : start_s and stop_s of activity that is too short for a repetition; hatched.
    """
    duration_s = samples.size / rate_hz
    n_rows = int(np.clip(np.ceil(duration_s / ROW_S), 1, MAX_ROWS))
    row_s = duration_s / n_rows
    top = 1.05 * float(np.max(np.abs(samples))) or 1.0
    picture = Image.new("RGB", (WIDTH, HEAD + ROW * n_rows + FOOT - GAP), "white")
    draw = ImageDraw.Draw(picture)
    values = _ticks(-top, top, 5)
    widest = max(draw.textlength(label, _font(label, TEXT)) for label, _ in values)
    left, right = BEFORE + round(widest), WIDTH - AFTER
    for i in range(n_rows):
        upper, shown_s = HEAD + ROW * i, (i * row_s, (i + 1) * row_s)
        panel = _Panel(left, upper, right, upper + ROW - GAP, shown_s, top)
        _fill_spans(picture, panel, spans, left_out)
        first, last = (round(time_s * rate_hz) for time_s in shown_s)
        _draw_signal(picture, panel, samples[first:last])
        _number_spans(draw, panel, spans)
        _draw_axes(draw, panel, values)
        _write_upwards(picture, f"sEMG ({units})" if units else "sEMG", (panel.upper + panel.lower) // 2)
    _write(draw, ((left + right) / 2, picture.height - 4), "time (s)", "md")
    if title:
        _write(draw, (WIDTH / 2, 12), title, "ma", TITLE)
    if left_out:
        _write(draw, (right, 22), LEFT_OUT, "rm")
        start = right - 50 - round(draw.textlength(LEFT_OUT, _font(LEFT_OUT, TEXT)))
        _hatch(picture, (start, 14, start + 40, 30))
    with whole_file(path) as part:
        picture.save(part, format="PNG")


def _fill_spans(
    picture: Image.Image, panel: _Panel, spans: Sequence[Span], left_out: Sequence[tuple[float, float]]
) -> None:
    for start_s, stop_s, confidence in spans:
        if box := panel.box(start_s, stop_s):
            tint = Image.new("L", (box[2] - box[0], box[3] - box[1]), round(255 * TINT))
            picture.paste(_colour_of(confidence), box, tint)
    for start_s, stop_s in left_out:
        if box := panel.box(start_s, stop_s):
            _hatch(picture, box)


def _draw_signal(picture: Image.Image, panel: _Panel, samples: NDArray[np.float64]) -> None:
    """A line through the samples; of more samples than columns through the smallest and the largest of each column."""
    width, height = panel.right - panel.left, panel.lower - panel.upper
    step = max(1, samples.size // (FINER * width))
    blocks = samples[: samples.size // step * step].reshape(-1, step)  # (n_samples,) -> (n_blocks, step)
    extremes = np.stack([blocks.min(axis=1), blocks.max(axis=1)], axis=1).ravel()  # (n_blocks, 2) -> (2 n_blocks,)
    x = FINER * width * np.repeat(np.arange(len(blocks)) * step, 2) / samples.size
    y = FINER * height / 2 * (1 - extremes / panel.top)
    finer = Image.new("L", (FINER * width, FINER * height))
    ImageDraw.Draw(finer).line(np.stack([x, y], axis=1).ravel().tolist(), fill=255, width=FINER)
    picture.paste(GREY, (panel.left, panel.upper), finer.reduce(FINER))


def _number_spans(draw: ImageDraw.ImageDraw, panel: _Panel, spans: Sequence[Span]) -> None:
    """The number and the confidence of each repetition that starts in the row."""
    for number, (start_s, _, confidence) in enumerate(spans, start=1):
        if panel.shown_s[0] <= start_s < panel.shown_s[1]:
            label = f"{number}" if confidence == 1 else f"{number}  {confidence:.0%}"
            at = panel.x(start_s) + 3, panel.upper + 4
            draw.text(at, label, _colour_of(confidence), _font(label, SMALL))


def _draw_axes(draw: ImageDraw.ImageDraw, panel: _Panel, values: Sequence[tuple[str, float]]) -> None:
    draw.rectangle((panel.left, panel.upper, panel.right, panel.lower), outline="black")
    for label, value in values:
        y = panel.y(value)
        draw.line((panel.left - 6, y, panel.left, y), fill="black")
        _write(draw, (panel.left - 10, y), label, "rm")
    for label, time_s in _ticks(*panel.shown_s, 8):
        x = panel.x(time_s)
        draw.line((x, panel.lower, x, panel.lower + 6), fill="black")
        _write(draw, (x, panel.lower + 9), label, "ma")


def _hatch(picture: Image.Image, box: tuple[int, int, int, int]) -> None:
    width, height = box[2] - box[0], box[3] - box[1]
    lines = Image.new("L", (width, height))
    draw = ImageDraw.Draw(lines)
    for x in range(-height, width, 8):
        draw.line((x, height, x + height, 0), fill=160)
    picture.paste(GREY, box, lines)


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str, height: int = TEXT) -> None:
    """``anchor`` says which point of the text is at ``at``, as Pillow names it."""
    draw.text(at, text, "black", _font(text, height), anchor)


def _write_upwards(picture: Image.Image, text: str, middle: int) -> None:
    """Along the left edge, from below to above."""
    font = _font(text, TEXT)
    box = font.getbbox(text)
    lying = Image.new("L", (math.ceil(box[2]), math.ceil(box[3]) + 4))
    ImageDraw.Draw(lying).text((0, 0), text, 255, font)
    standing = lying.transpose(Image.Transpose.ROTATE_90)
    picture.paste("black", (6, middle - standing.height // 2), standing)


def _colour_of(confidence: float) -> tuple[int, ...]:
    return ImageColor.getrgb(GREEN if confidence >= 0.5 else ORANGE)


def _ticks(low: float, high: float, at_most: int) -> list[tuple[str, float]]:
    """Round numbers from ``low`` to ``high``, with their labels."""
    rough = (high - low) / at_most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    numbers = [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    return [(f"{number:.10g}".replace("-", "\N{MINUS SIGN}"), number) for number in numbers]


def _font(text: str, height: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of matplotlib, or for Chinese a font that is installed."""
    chinese = any(ord(letter) >= FIRST_CHINESE for letter in text)
    return _read_font((_chinese_file() if chinese else None) or _dejavu(), height)


@cache
def _read_font(file: str, height: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, height)


@cache
def _dejavu() -> str:
    spec = find_spec("matplotlib")  # finds the folder without importing matplotlib
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf")


@cache
def _chinese_file() -> str | None:
    from matplotlib.font_manager import findfont

    from semg_hht.figures.plots import chinese_font

    name = chinese_font()
    return None if name is None else findfont(name)
