"""signal_plots.py: plots return the axes they drew on, with titles and units."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from semg_hht.figures.drawing import GREEN, ORANGE
from semg_hht.figures.signal_plots import plot_imfs, plot_recording, plot_repetitions, plot_trend
from semg_hht.hht import emd
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Recording
from semg_hht.signals.repetitions import Repetition

SAMPLES = np.random.default_rng(0).normal(scale=200.0, size=(3, 4000))
RECORDING = Recording(SAMPLES, 1000.0, ("biceps", "triceps", "angle"), "uV", "folder/curl.csv", non_emg=("angle",))
REPETITIONS = [Repetition(500, 1500), Repetition(2000, 3000, 0.4)]


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


def test_a_recording_shows_its_emg_channels_and_repetitions(axes: Axes) -> None:
    assert plot_recording(RECORDING, REPETITIONS, filters=None, ax=axes) is axes
    assert [text.get_text() for text in axes.texts] == ["biceps", "triceps"]  # not the angle
    top = np.abs(SAMPLES[:2]).max()
    assert axes.get_title() == f"curl.csv, 2 repetitions; rows are ±{top:.0f} uV high"
    assert len(axes.patches) == 2 and axes.get_xlim() == (0, 4)
    signal, envelope = axes.lines[0].get_ydata(), axes.lines[1].get_ydata()
    assert np.abs(signal).max() <= 1
    assert np.median(envelope) * top == pytest.approx(200, rel=0.05)  # the root mean square


def test_a_recording_is_filtered_unless_told_otherwise(axes: Axes) -> None:
    shifted = Recording(SAMPLES + 5000, 1000.0, RECORDING.channel_names, "uV", "curl.csv", non_emg=("angle",))
    plot_recording(shifted, ax=axes)
    assert np.abs(np.mean(axes.lines[0].get_ydata())) < 0.05


def test_repetitions_are_numbered_and_coloured_by_confidence(axes: Axes) -> None:
    plot_repetitions(RECORDING, REPETITIONS, channel=1, ax=axes)
    assert [text.get_text() for text in axes.texts] == ["1", "2  40%"]
    assert [to_hex(patch.get_facecolor()) for patch in axes.patches] == [GREEN.lower(), ORANGE.lower()]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "sEMG (uV)")
    assert axes.get_title() == "curl.csv, triceps: 2 repetitions"


def test_imfs_have_a_row_each_with_its_largest_value(axes: Axes) -> None:
    imfs = emd(SAMPLES[0])
    plot_imfs(imfs, 1000.0, signal=SAMPLES[0], units="uV", ax=axes)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["signal", *(f"IMF {i}" for i in range(1, len(imfs))), "residue"]
    assert axes.texts[0].get_text() == f"±{np.abs(SAMPLES[0]).max():.0f} uV"
    plot_imfs(imfs, 1000.0, ax=(bare := Figure().add_subplot()))
    assert len(bare.lines) == len(imfs)


def test_a_trend_has_its_slope_in_the_title(axes: Axes) -> None:
    plot_trend([80.0, 79.0, 78.0, 77.0, 76.0], name="MDF", units="Hz", ax=axes)
    assert axes.get_title().startswith("-1.2 % per repetition (95 % interval")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("repetition", "MDF (Hz)")


def test_too_few_values_are_drawn_without_a_line(axes: Axes) -> None:
    plot_trend([80.0, 79.0], ax=axes)
    assert axes.get_title() == "" and len(axes.lines) == 1


def test_repetitions_may_be_rows_of_a_table(axes: Axes) -> None:
    rows = [
        ManifestRow("curl.csv", start_s=0.5, stop_s=1.5),
        ManifestRow("curl.csv", start_s=2.0, extra={"confidence": "0.40"}),
    ]
    plot_repetitions(RECORDING, rows, ax=axes)
    assert [text.get_text() for text in axes.texts] == ["1", "2  40%"]
    assert [patch.get_x() for patch in axes.patches] == [0.5, 2.0]
    assert axes.patches[1].get_width() == 2.0  # to the end
