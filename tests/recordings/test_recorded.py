"""recordings/recorded.py: a recording in memory: its shape, its channels, its parts, what it shows of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from builders import noise
from semg_hht.errors import InputError
from semg_hht.recordings.recorded import Recording
from semg_hht.signals.repetitions import Repetition


def test_channels_are_selected_by_their_numbers_in_the_file() -> None:
    recording = replace(noise(2), numbers=(2, 5))
    assert recording.select(("5", "2")).channel_names == ("ch2", "ch1")
    assert recording.select(("5", "2")).select(("5",)).channel_names == ("ch2",)
    with pytest.raises(InputError, match=r"no channel '1'; expected one of ch1, ch2, or of the numbers 2, 5"):
        recording.select(("1",))


def test_channels_are_selected_by_name_or_number() -> None:
    recording = noise(3)
    assert recording.select(()) is recording
    chosen = recording.select(("ch3", "1"))
    assert chosen.channel_names == ("ch3", "ch1")
    assert_allclose(chosen.samples, recording.samples[[2, 0]])
    for wrong in ("4", "0", "biceps"):
        with pytest.raises(InputError, match=f"noise0: has no channel '{wrong}'; expected one of ch1, ch2, ch3"):
            recording.select((wrong,))


def test_a_number_may_be_no_text() -> None:
    recording = Recording(np.arange(6.0).reshape(2, 3), 1000.0, ("a", "b"))
    assert recording.select(2).channel_names == ("b",)
    assert recording[1].tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="has no channel '0'; expected one of a, b"):
        recording[0]


def test_microvolts_per_unit() -> None:
    samples = np.zeros((1, 40))
    assert [Recording(samples, 1.0, ("a",), u).microvolts_per_unit for u in ("V", "mV", "uV", "µV", "adc")] == [
        1e6, 1e3, 1.0, 1.0, None,
    ]  # fmt: skip


def test_one_name_selects_one_channel() -> None:
    recording = Recording(np.arange(80.0).reshape(2, 40), 100.0, ("biceps_long", "triceps"))
    assert recording.select("biceps_long").channel_names == ("biceps_long",)
    assert_allclose(recording["triceps"], np.arange(40.0, 80.0))
    assert_allclose(recording["2"], recording["triceps"])
    with pytest.raises(InputError, match="recording: has no channel 'b'; expected one of biceps_long, triceps"):
        recording["b"]


def test_neighbouring_channels_share_the_samples_and_others_are_copied() -> None:
    recording = noise(3)
    assert np.shares_memory(recording.select(("ch2", "ch3")).samples, recording.samples)
    assert np.shares_memory(recording.select(()).samples, recording.samples)
    assert not np.shares_memory(recording.select(("ch1", "ch3")).samples, recording.samples)
    assert not np.shares_memory(recording.select(("ch2", "ch1")).samples, recording.samples)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((40, 2)), r"expected samples of \(n_channels, n_samples\) .* pass samples\.T"),
        (np.zeros(40), r"found \(40,\)$"),
        (np.zeros((3, 40)), r"the 2 channels a, b; found \(3, 40\)"),
    ],
)
def test_samples_of_another_shape_are_an_error(samples: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recording(samples, 100.0, ("a", "b"), source="x.csv")


def test_one_vector_is_told_how_to_become_a_channel() -> None:
    with pytest.raises(InputError, match=r"pass samples\[None\]"):
        Recording(np.zeros(40), 100.0, "a")  # type: ignore[arg-type]


def test_a_part_is_cut_in_seconds_and_has_a_name_of_its_own() -> None:
    recording = replace(noise(1, duration_s=4.0), source="a.csv")
    part = recording.crop(1.0, 3.0)
    assert (part.duration_s, part.source) == (2.0, "a 1000 to 3000 ms.csv")
    assert_allclose(part.samples, recording.samples[:, 500:1500])
    assert_allclose(part.time_s[[0, -1]], [0.0, 1.998])
    assert recording.crop() is recording
    with pytest.raises(InputError, match=r"a\.csv: expected a part within the 4 s of the recording; found 3 s to 5 s"):
        recording.crop(3.0, 5.0)


def test_it_says_in_a_line_what_it_is_and_in_a_table_what_it_holds() -> None:
    recording = replace(noise(2), non_emg=("ch2",), remarks=("a <remark>",))
    assert repr(recording) == "<Recording noise0: 2 channels (ch1, ch2), 2 s at 500 Hz, uV>"
    page = recording._repr_html_()
    assert page.count("<tr>") == 3
    assert "<td>ch2</td><td>no</td>" in page
    assert "<li>a &lt;remark&gt;</li>" in page


def test_a_recording_plots_its_emg_channels_with_repetitions() -> None:
    recording = replace(noise(2), non_emg=("ch2",), source="curl.csv")
    axes = recording.plot([Repetition(100, 500, rate_hz=500.0)], ax=Figure().add_subplot())
    assert [text.get_text() for text in axes.texts] == ["ch1"]
    assert axes.get_title().startswith("curl.csv, 1 repetitions")
