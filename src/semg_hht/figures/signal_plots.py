"""Plot signals on axes: a recording, its repetitions, the IMFs of a signal, and trends over repetitions.

Every function returns the axes that it drew on. `plots` makes the files of the command line from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from semg_hht.figures.drawing import BLUE, GREEN, GREY, ORANGE, axes_or_new
from semg_hht.recordings.given import RecordingLike, recording_of
from semg_hht.recordings.mne_raw import Span
from semg_hht.recordings.recording import Recording
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.repetitions import Repetition
from semg_hht.signals.trend import MIN_VALUES, Trend, trend, trend_band
from semg_hht.system.arguments import checked

Array = NDArray[np.float64]
Marked = tuple[float, float, float]  # start_s, stop_s and confidence of a repetition

MAX_COLUMNS = 3000  # of a row; more would fall on the same pixels
ENVELOPE_S = 0.1  # window of the envelope
ROW = 2.2  # distance of two rows of a figure, in units of the largest value


@checked
def plot_recording(
    recording: RecordingLike | str | Path,
    repetitions: Iterable[Span] = (),
    *,
    filters: FilterConfig | None = FilterConfig(),
    ax: Axes | None = None,
) -> Axes:
    """Plot all EMG channels of a recording one above the other, with envelope and repetitions.

    Parameters
    ----------
    recording : a `semg_hht.Recording`, an ``mne.io.Raw``, or a path.
    repetitions : of `semg_hht.find_repetitions`, or the result of `semg_hht.segment`; their spans are coloured.
    filters : how to filter first; None: the samples as they are.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: time in s, and one row for each channel, all on one scale, which the title states. The envelope is the
    root mean square of 0.1 s.

    Raises
    ------
    InputError
        The filters do not fit the recording.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> axes = sh.plot_recording(recording, sh.find_repetitions(recording))
    >>> axes.get_xlabel()
    'time (s)'
    """
    emg = recording_of(recording).select(())
    samples = emg.samples if filters is None else preprocess(emg.samples, emg.rate_hz, filters)
    n_channels = len(samples)
    axes = axes_or_new(ax, 11.0, 1.0 + 1.1 * n_channels)
    top = float(np.abs(samples).max()) or 1.0
    for row, (name, signal) in enumerate(zip(emg.channel_names, samples, strict=True)):
        level = -ROW * row
        times, extremes = _extremes(signal / top, 0.0, emg.rate_hz)
        axes.plot(times, extremes + level, color=GREY, linewidth=0.5)
        width = max(1, round(ENVELOPE_S * emg.rate_hz))
        envelope = np.sqrt(np.convolve((signal / top) ** 2, np.full(width, 1 / width), mode="same"))
        step = max(1, envelope.size // MAX_COLUMNS)
        axes.plot(np.arange(envelope.size)[::step] / emg.rate_hz, envelope[::step] + level, color=BLUE, linewidth=1.2)
        axes.text(0, level + 1.05, name, fontsize="small", va="bottom")
    spans = spans_of(repetitions, emg)
    for start_s, stop_s, _ in spans:
        axes.axvspan(start_s, stop_s, color=GREEN, alpha=0.18, linewidth=0)
    axes.set(xlim=(0, emg.duration_s), ylim=(-ROW * (n_channels - 1) - 1.1, 1.7), yticks=[], xlabel="time (s)")
    found = f", {len(spans)} repetitions" if spans else ""
    scale = f"{_amount(top)} {emg.units or 'device units'}"
    axes.set_title(f"{Path(emg.source).name}{found}; rows are ±{scale} high", fontsize="medium")
    return axes


@checked
def plot_repetitions(
    recording: RecordingLike | str | Path,
    repetitions: Iterable[Span],
    *,
    channel: int = 0,
    filters: FilterConfig | None = FilterConfig(),
    ax: Axes | None = None,
) -> Axes:
    """Plot one EMG channel with its numbered repetitions, orange where the confidence is below 0.5.

    Parameters
    ----------
    channel : number of the EMG channel, from 0. Other parameters as `plot_recording`.

    Returns
    -------
    The axes: time in s, and the channel in units of the recording.

    Raises
    ------
    InputError
        The filters do not fit the recording.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> sh.plot_repetitions(recording, sh.find_repetitions(recording)).get_ylabel()
    'sEMG (uV)'
    """
    emg = recording_of(recording).select(())
    samples = emg.samples if filters is None else preprocess(emg.samples, emg.rate_hz, filters)
    signal, rate_hz = samples[channel], emg.rate_hz
    axes = axes_or_new(ax, 11.0, 3.0)
    plot_signal(axes, signal, 0.0, rate_hz)
    spans = spans_of(repetitions, emg)
    top = 1.05 * float(np.max(np.abs(signal))) or 1.0
    plot_spans(axes, spans, 0.97 * top, (0.0, emg.duration_s))
    axes.set(xlim=(0, emg.duration_s), ylim=(-top, top), ylabel=_label("sEMG", emg.units), xlabel="time (s)")
    axes.set_title(f"{Path(emg.source).name}, {emg.channel_names[channel]}: {len(spans)} repetitions")
    return axes


def spans_of(repetitions: Iterable[Span], recording: Recording) -> list[Marked]:
    """The times and the confidence of repetitions of a recording; a row without times is the whole recording."""
    spans = []
    for one in repetitions:
        if isinstance(one, Repetition):
            spans.append((one.start / recording.rate_hz, one.stop / recording.rate_hz, one.confidence))
        else:
            stop_s = recording.duration_s if one.stop_s is None else one.stop_s
            extra = getattr(one, "extra", {})
            spans.append((one.start_s or 0.0, stop_s, float(extra.get("confidence") or 1.0)))
    return spans


def plot_spans(axes: Axes, spans: Sequence[Marked], top: float, shown_s: tuple[float, float]) -> None:
    """Colour repetitions, and write the number of those that start in ``shown_s`` at the height ``top``."""
    for number, (start_s, stop_s, confidence) in enumerate(spans, start=1):
        colour = GREEN if confidence >= 0.5 else ORANGE
        axes.axvspan(start_s, stop_s, color=colour, alpha=0.18, linewidth=0)
        if shown_s[0] <= start_s < shown_s[1]:
            label = f"{number}" if confidence == 1 else f"{number}  {confidence:.0%}"
            axes.text(start_s, top, label, va="top", fontsize="small", color=colour)


def plot_signal(axes: Axes, samples: Array, start_s: float, rate_hz: float) -> None:
    """Plot (n_samples,); of more than `MAX_COLUMNS` samples the minimum and maximum of each block."""
    times, extremes = _extremes(samples, start_s, rate_hz)
    axes.plot(times, extremes, color=GREY, linewidth=0.5)


def _extremes(samples: Array, start_s: float, rate_hz: float) -> tuple[Array, Array]:
    """Times and values (2 n_blocks,) that draw the samples."""
    step = max(1, samples.size // MAX_COLUMNS)
    blocks = samples[: samples.size // step * step].reshape(-1, step)  # (n_samples,) -> (n_blocks, step)
    times = start_s + np.repeat(np.arange(len(blocks)) * step, 2) / rate_hz
    extremes = np.stack([blocks.min(axis=1), blocks.max(axis=1)], axis=1).ravel()  # (n_blocks, 2) -> (2 n_blocks,)
    return times, extremes


@checked
def plot_imfs(
    imfs: Array, rate_hz: float, *, signal: Array | None = None, units: str = "", ax: Axes | None = None
) -> Axes:
    """Plot the IMFs of a signal one above the other, the residue last.

    Parameters
    ----------
    imfs : (n_imfs + 1, n_samples) as `semg_hht.hht.emd` gives them; the last row is the residue.
    signal : (n_samples,) drawn above them; None: not drawn.
    units : of the signal.
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: time in s, and one row for each IMF, whose largest value stands at its end: each row has its own scale.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> x = np.random.default_rng(0).normal(size=500)
    >>> axes = sh.plot_imfs(sh.hht.emd(x), 1000, signal=x, units="uV")
    >>> axes.get_yticklabels()[0].get_text()
    'signal'
    """
    rows = [] if signal is None else [("signal", signal)]
    rows += [*((f"IMF {i}", imf) for i, imf in enumerate(imfs[:-1], start=1)), ("residue", imfs[-1])]
    axes = axes_or_new(ax, 9.0, 1.0 + 0.5 * len(rows))
    for row, (name, values) in enumerate(rows):
        peak = float(np.abs(values).max())
        times = np.arange(values.size) / rate_hz
        colour = GREY if name in ("signal", "residue") else BLUE
        axes.plot(times, values / (peak or 1.0) - ROW * row, color=colour, linewidth=0.5)
        axes.annotate(
            f"±{_amount(peak)} {units}".rstrip(), (1.01, -ROW * row), xycoords=("axes fraction", "data"), va="center",
            fontsize="small", annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks([-ROW * row for row in range(len(rows))], [name for name, _ in rows])
    axes.set(xlim=(0, imfs.shape[1] / rate_hz), ylim=(-ROW * (len(rows) - 1) - 1.2, 1.2), xlabel="time (s)")
    axes.set_title("Intrinsic mode functions, each on a scale of its own", fontsize="medium")
    return axes


@checked
def plot_trend(
    values: Sequence[float], *, name: str = "value", units: str = "", line: Trend | None = None, ax: Axes | None = None
) -> Axes:
    """Plot a value over the repetitions with its linear trend and the 95 % interval of the line.

    Parameters
    ----------
    values : (n,) one per repetition, in their order; a trend needs four.
    name, units : of the value, for the axis.
    line : their trend; None: it is fitted (`semg_hht.signals.trend.trend`).
    ax : axes to draw on; None: new ones.

    Returns
    -------
    The axes: number of the repetition, from 1, and the value. The title states the slope in percent per repetition.

    Raises
    ------
    InputError
        Values that are not finite.

    Examples
    --------
    >>> import semg_hht as sh
    >>> sh.plot_trend([81.0, 80.2, 78.9, 78.1, 77.0], name="MDF", units="Hz").get_ylabel()
    'MDF (Hz)'
    """
    axes = axes_or_new(ax)
    numbers = np.arange(1, len(values) + 1)
    if len(values) >= MIN_VALUES:
        line = line or trend(values)
        axes.fill_between(numbers, *trend_band(values), color=BLUE, alpha=0.15, linewidth=0)
        axes.plot(numbers, line.start + line.slope * (numbers - 1), color=BLUE)
        axes.set_title(slope_text(line), fontsize="small")
    axes.plot(numbers, values, "o", color=GREY, markersize=4)
    axes.set(xlabel="repetition", ylabel=_label(name, units))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return axes


def slope_text(line: Any) -> str:
    """The slope of a trend, with its interval."""
    slope, low, high = line.percent
    return f"{slope:+.2g} % per repetition (95 % interval {low:+.2g} to {high:+.2g})"


def _amount(value: float) -> str:
    """Three digits, and no power of ten for large values."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _label(name: str, units: str) -> str:
    return f"{name} ({units})" if units else name
