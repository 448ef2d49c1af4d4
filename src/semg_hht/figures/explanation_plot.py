"""Draw the evidence for an answer: over its matrix in Hz and seconds, and by frequency, channel, IMF and block.

It does not know how the evidence is computed.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from matplotlib import image as images
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from semg_hht.figures.drawing import BLUE, ORANGE, axes_or_new, bin_edges
from semg_hht.figures.plots import make_legible, save

Array = NDArray[np.float64]

DIVERGING = LinearSegmentedColormap.from_list("evidence", [BLUE, "#F7F7F7", ORANGE])
SMOOTHING = 4.0  # cells: the picture has the resolution of the patches of eight cells that are evaluated
STRONG = 99.5  # percentile of smoothed evidence that has the full colour
DARKEST = 0.75  # grey of the strongest cell of the matrix
MAX_BARS = 8
SLIGHT = 0.01  # share of the strongest IMF's evidence below which the slowest are not drawn
CHINESE = "\u2e80"  # letters from here on
WRAP = 135  # letters in a line of the caption
TITLE_WRAP = 44  # of the title of axes


def draw_evidence(
    explanations: Sequence[Any],
    captions: Sequence[Sequence[str]],
    path: Path,
    labels: Mapping[str, Any],
    *,
    titles: Sequence[str],
) -> None:
    """Draw one row for each `Explanation`: map, frequencies and bars, with its caption below.

    labels : texts of axes and colours, by name (see ``reports/en.json``).
    """
    texts = ["\n".join(_wrapped(sentences)) for sentences in captions]
    heights = [
        (4.3 if explanation.sees_matrices else 2.2) + 0.19 * (text.count("\n") + 1)
        for explanation, text in zip(explanations, texts, strict=True)
    ]
    figure = Figure(figsize=(11, sum(heights)), layout="constrained")
    rows = np.ravel(np.asarray(figure.subfigures(len(texts), 1, height_ratios=heights, squeeze=False)))
    for row, explanation, title, text in zip(rows, explanations, titles, texts, strict=True):
        row.suptitle(title, fontsize="x-large")  # not bold: some Chinese fonts have no bold weight
        row.supxlabel(text, x=0.02, ha="left", fontsize="medium", linespacing=1.35)
        _row(row, explanation, labels)
    save(figure, path)


def plot_evidence(explanation: Any, labels: Mapping[str, Any], *, title: str = "", ax: Axes | None = None) -> Axes:
    """Plot where the evidence for an answer lies: over the matrix in Hz and seconds, or as bars of what was measured.

    Parameters
    ----------
    explanation : of `semg_hht.explanation.explain`. One that sees no matrices is drawn as bars.
    labels : texts of axes and colours, by name (see ``report/en.json``).
    ax : axes to draw on; None: new ones.
    """
    axes = axes_or_new(ax, 7.0, 4.4)
    if explanation.sees_matrices:
        _draw_map(axes, explanation, labels)
    else:
        what, names, values = _bars(explanation, labels)[0]
        _draw_bars(axes, "", names, values)
        axes.set_xlabel(what)
    if title:
        axes.set_title(textwrap.fill(title, TITLE_WRAP), fontsize="medium")
    figure = axes.get_figure()
    if figure is not None:
        make_legible(figure)
    return axes


def _row(row: SubFigure, explanation: Any, labels: Mapping[str, Any]) -> None:
    panels = _bars(explanation, labels)
    if not explanation.sees_matrices:
        for axes, panel in zip(np.ravel(np.asarray(row.subplots(1, len(panels), squeeze=False))), panels, strict=True):
            _draw_bars(axes, *panel)
        return
    grid = row.add_gridspec(len(panels) or 1, 3, width_ratios=[3.1, 0.9, 1.25])
    main = row.add_subplot(grid[:, 0])
    _draw_map(main, explanation, labels)
    _draw_profile(row.add_subplot(grid[:, 1], sharey=main), explanation, labels)
    for i, panel in enumerate(panels):
        _draw_bars(row.add_subplot(grid[i, 2]), *panel)


def _draw_map(axes: Axes, explanation: Any, labels: Mapping[str, Any]) -> None:
    evidence = _smoothed(explanation.evidence.sum(axis=0))
    axes.imshow(
        over_matrix(explanation.grid.values.mean(axis=0), evidence),
        origin="lower",
        aspect="auto",
        extent=(*bin_edges(explanation.grid.time_s), *bin_edges(explanation.grid.frequency_hz)),
        interpolation="nearest",
    )
    axes.set_xlabel(labels["evidence_time_bin" if explanation.grid.time_s is None else "evidence_time"])
    axes.set_ylabel(labels["evidence_frequency_bin" if explanation.grid.frequency_hz is None else "evidence_frequency"])
    axes.set_title(labels["evidence_map"], fontsize="small")
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), DIVERGING), ax=axes, location="left", shrink=0.8, aspect=30)
    name = explanation.answer.prediction
    bar.set_ticks(
        [-1, 0, 1], labels=[labels["evidence_against"].format(name=name), "0", labels["evidence_for"].format(name=name)]
    )
    bar.ax.tick_params(labelsize="small", labelrotation=90)
    for extent, line in ((explanation.band, axes.axhline), (explanation.span, axes.axvline)):
        if extent is not None:
            for value in (extent.low, extent.high):
                line(value, color="black", linestyle=":", linewidth=0.8)


def _draw_profile(axes: Axes, explanation: Any, labels: Mapping[str, Any]) -> None:
    """Evidence by frequency, in patches."""
    patches = explanation.patches.sum(axis=1)  # (32,)
    low, high = bin_edges(explanation.grid.frequency_hz)
    edges = np.linspace(low, high, patches.size + 1)
    colours = [ORANGE if value > 0 else BLUE for value in patches]
    axes.barh((edges[:-1] + edges[1:]) / 2, patches, height=0.9 * (edges[1] - edges[0]), color=colours)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.tick_params(labelleft=False, labelsize="small")
    axes.locator_params(axis="x", nbins=3)
    axes.set_title(labels["evidence_by_frequency"], fontsize="small")


def _bars(explanation: Any, labels: Mapping[str, Any]) -> list[tuple[str, list[str], list[float]]]:
    """Title, names and values of each panel of bars; IMFs and channels only where there are several."""
    panels = []
    if explanation.sees_matrices and explanation.imfs and len(explanation.imfs) > 1:
        least = SLIGHT * max(abs(imf.evidence) for imf in explanation.imfs)
        n_drawn = max(i for i, imf in enumerate(explanation.imfs, start=1) if abs(imf.evidence) >= least)
        drawn = explanation.imfs[: min(n_drawn, MAX_BARS)]
        names = [f"{imf.number} ({imf.frequency_hz:.0f} Hz)" for imf in drawn]
        panels.append((labels["evidence_by_imf"], names, [imf.evidence for imf in drawn]))
    if explanation.attribution.measures:
        drawn_measures = explanation.attribution.measures[:MAX_BARS]
        names = [measure.name(labels) for measure in drawn_measures]
        panels.append((labels["evidence_by_measure"], names, [measure.evidence for measure in drawn_measures]))
    if len(explanation.of_channels) > 1:
        largest = dict(sorted(explanation.of_channels.items(), key=lambda item: -abs(item[1]))[:MAX_BARS])
        names = [name for name in explanation.of_channels if name in largest]
        panels.append((labels["evidence_by_channel"], names, [largest[name] for name in names]))
    if len(explanation.blocks) > 1 or not (explanation.sees_matrices or panels):
        names = [labels["blocks"].get(name, name) for name in explanation.blocks]
        panels.append((labels["evidence_by_block"], names, list(explanation.blocks.values())))
    return panels


def _draw_bars(axes: Axes, title: str, names: Sequence[str], values: Sequence[float]) -> None:
    places = np.arange(len(values))
    axes.barh(places, values, color=[ORANGE if value > 0 else BLUE for value in values])
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_yticks(places, names, fontsize="small")
    axes.set_ylim(max(len(values), 3) - 0.5, -0.5)  # downwards; few bars are not drawn wider
    axes.tick_params(axis="x", labelsize="small")
    axes.locator_params(axis="x", nbins=4)
    axes.set_title(title, fontsize="small")


def over_matrix(plane: NDArray[np.float32], evidence: Array) -> Array:
    """A matrix in grey under smoothed evidence, (256, 256) each -> colours (256, 256, 3) from 0 to 1.

    The stronger the evidence of a cell, the more its colour covers the matrix.
    """
    top = float(np.percentile(plane[plane > 0], 99)) if (plane > 0).any() else 1.0
    grey = 1 - DARKEST * np.clip(plane / top, 0, 1)[..., None].astype(np.float64)
    strength = np.clip(evidence / (_strongest(evidence) or 1.0), -1, 1)
    colour = DIVERGING((1 + strength) / 2)[..., :3]
    cover = 0.8 * np.sqrt(np.abs(strength))[..., None]
    return np.asarray(cover * colour + (1 - cover) * grey)


def evidence_png(values: NDArray[np.float32], evidence: Array) -> bytes:
    """The mean of channels (n_channels, 256, 256) and their summed evidence as a small PNG without axes."""
    out = io.BytesIO()
    unstamped: dict[str, Any] = {"Software": None}
    picture = over_matrix(values.mean(axis=0), _smoothed(evidence.sum(axis=0)))
    images.imsave(out, picture, format="png", origin="lower", metadata=unstamped)
    return out.getvalue()


def _smoothed(evidence: Array) -> Array:
    return np.asarray(scipy.ndimage.gaussian_filter(evidence, SMOOTHING))


def _strongest(evidence: Array) -> float:
    return float(np.percentile(np.abs(evidence), STRONG))


def _wrapped(sentences: Sequence[str]) -> list[str]:
    """Lines of a caption; Chinese letters are twice as wide, and lines of them may break anywhere."""
    lines = []
    for sentence in sentences:
        width = WRAP // 2 if any(letter >= CHINESE for letter in sentence) else WRAP
        lines += textwrap.wrap(sentence, width) or [""]
    return lines
