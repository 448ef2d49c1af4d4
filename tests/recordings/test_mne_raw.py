"""recordings/mne_raw.py: from MNE-Python and back."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from numpy.testing import assert_allclose

from builders import noise
from semg_hht.errors import InputError
from semg_hht.recordings.events import Event
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.mne_raw import event_list, is_raw, recording_of_raw
from semg_hht.signals.repetitions import Repetition

RECORDING = replace(
    noise(3, duration_s=4.0), channel_names=("biceps", "triceps", "elbow_angle"), non_emg=("elbow_angle",)
)


@pytest.fixture
def mne() -> Any:
    return pytest.importorskip("mne")


@pytest.mark.usefixtures("mne")
def test_there_and_back_the_samples_are_microvolts_again() -> None:
    raw = replace(RECORDING, samples=RECORDING.samples / 1000, units="mV").to_mne()
    assert is_raw(raw)
    assert raw.get_channel_types() == ["emg", "emg", "misc"]
    assert_allclose(raw.get_data()[:2], RECORDING.samples[:2] * 1e-6)
    back = recording_of_raw(raw)
    assert (back.units, back.rate_hz, back.non_emg) == ("uV", 500.0, ("elbow_angle",))
    assert_allclose(back.samples[:2], RECORDING.samples[:2])
    assert_allclose(back.samples[2], RECORDING.samples[2] / 1000)  # an angle has no volts


@pytest.mark.usefixtures("mne")
def test_counts_of_a_converter_stay_as_they_are() -> None:
    raw = replace(RECORDING, units="").to_mne()
    assert_allclose(raw.get_data(), RECORDING.samples)


@pytest.mark.usefixtures("mne")
def test_repetitions_become_annotations_and_annotations_events() -> None:
    row = ManifestRow("a.csv", movement="full", start_s=2.0, stop_s=3.0)
    raw = RECORDING.to_mne([Repetition(250, 500, rate_hz=500.0), row])
    assert list(raw.annotations.description) == ["repetition", "full"]
    assert event_list(raw.annotations) == (Event(0.5, 1.0, ""), Event(2.0, 3.0, "full"))


def test_annotations_that_mark_nothing_or_bad_parts_are_no_events(mne: Any) -> None:
    annotations = mne.Annotations([3.0, 0.5, 1.0, 2.0], [0.5, 0.0, 0.5, 0.5], ["half", "click", "BAD_motion", "full"])
    assert event_list(annotations) == (Event(2.0, 2.5, "full"), Event(3.0, 3.5, "half"))


@pytest.mark.usefixtures("mne")
def test_bad_channels_are_used_only_by_name() -> None:
    raw = RECORDING.to_mne()
    raw.info["bads"] = ["triceps"]
    recording = recording_of_raw(raw)
    assert recording.select(()).channel_names == ("biceps",)
    assert recording.select("triceps").channel_names == ("triceps",)
    assert any("marks as bad are used only when selected by name: triceps" in remark for remark in recording.remarks)


def test_without_the_type_emg_names_decide(mne: Any) -> None:
    info = mne.create_info(["biceps", "STI", "knee angle"], 500.0, ["eeg", "stim", "misc"])
    raw = mne.io.RawArray(RECORDING.samples * 1e-6, info, verbose="error")
    recording = recording_of_raw(raw)
    assert recording.select(()).channel_names == ("biceps",)
    assert_allclose(recording["biceps"], RECORDING.samples[0])
    assert any("no channel has MNE's type emg" in remark for remark in recording.remarks)


def test_without_mne_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(InputError, match=r"to_mne needs MNE-Python: pip install 'semg-hht\[mne\]'"):
        RECORDING.to_mne()


def test_events_are_pairs_or_triples_of_times() -> None:
    assert event_list([(1, 2), (3.0, 4.0, "half")]) == (Event(1.0, 2.0, ""), Event(3.0, 4.0, "half"))
    with pytest.raises(InputError, match=r"events: expected a file, an mne\.Annotations, or a sequence"):
        event_list([1, 2])
