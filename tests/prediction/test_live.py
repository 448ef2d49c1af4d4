"""prediction/live.py: repetitions of an arriving signal, measured and answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht import samples
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.errors import InputError
from semg_hht.prediction.live import LiveOptions, LiveRepetition, LiveSession, fits, follow
from semg_hht.prediction.run import Run, open_run
from semg_hht.recordings.manifest import ManifestRow, manifest_text
from semg_hht.recordings.recording import Recording, read_recording, write_recording
from semg_hht.recordings.stream import Notice, ReplayedRecording, StreamDescription
from semg_hht.recordings.stream_recorder import StreamRecorder
from semg_hht.signals.repetitions import SegmentConfig
from signal_builders import bursts

RATE_HZ = 1000.0
DESCRIPTION = StreamDescription("arm", RATE_HZ, ("biceps", "angle", "triceps"), "mV", ("angle",))
SIGNAL = bursts((2, 3.5, 8.0), (6, 7.5, 8.0), duration_s=10.0, n_channels=3)
N_SHORT = 26000  # samples of the shipped recording, with three repetitions


@pytest.fixture(scope="module")
def shipped() -> Run:
    return open_run(samples.RUN)


@pytest.fixture(scope="module")
def curls() -> Recording:
    recording = read_recording(samples.recordings()["P30_supinated"])
    return replace(recording, samples=recording.samples[:, :N_SHORT])


def played(session: LiveSession, signal: np.ndarray) -> list[LiveRepetition]:
    found = []
    for start in range(0, signal.shape[1], 50):
        found += session.add(signal[:, start : start + 50])
    return found


def test_answers_are_those_of_the_recording(shipped: Run, curls: Recording, tmp_path: Path) -> None:
    source = ReplayedRecording(curls, float("inf"))
    assert fits(shipped, source.description)
    found = [one for one in follow(source, LiveSession(source.description, shipped)) if isinstance(one, LiveRepetition)]
    write_recording(curls, tmp_path / "curls.npz")
    (whole,) = shipped.predict(tmp_path / "curls.npz", InputOptions(segmentation=SegmentConfig())).predictions
    assert [one.number for one in found] == [1, 2, 3] and len(whole.parts) == 3
    for one, part in zip(found, whole.parts, strict=True):
        assert abs(one.start_s - (part.start_s or 0)) < 0.6 and abs(one.stop_s - (part.stop_s or 0)) < 0.3
        assert one.answers["action_quality"].prediction == part.answers["action_quality"].prediction
        assert not one.unlike and not one.problem
    content = found[0].to_json()
    assert content["action_quality"]["prediction"] == "supinated" and content["stretch"] == 1
    assert [level["channel"] for level in content["levels"]] == ["BicepsBrachi", "Brachioradialis"]


def test_a_run_that_answers_a_person_together_knows_the_earlier_repetitions(shipped: Run, curls: Recording) -> None:
    session, other = (LiveSession(ReplayedRecording(curls).description, shipped) for _ in range(2))
    first, second = played(session, curls.samples)[:2]
    alone = played(other, curls.samples[:, round(curls.rate_hz * (first.stop_s + 0.8)) : round(curls.rate_hz * 9)])[-1]
    assert abs(alone.stop_s - alone.start_s - second.stop_s + second.start_s) < 0.5  # the same repetition
    sure, unsure = (one.answers["action_quality"].confidence for one in (second, alone))
    assert sure != unsure


def test_without_a_run_repetitions_are_measured() -> None:
    session = LiveSession(DESCRIPTION, None)
    found = played(session, SIGNAL)
    assert session.channel_names == ("biceps", "triceps")  # the angle is none
    assert_allclose([(one.start_s, one.stop_s) for one in found], [(2, 3.5), (6, 7.5)], atol=0.15)
    assert [level.name for level in found[0].levels] == ["biceps", "triceps"]
    # White noise of RMS 8 below 500 Hz, of which the band-pass leaves 20 to 450 Hz.
    assert_allclose([level.rms for level in found[0].levels], 8 * np.sqrt(430 / 500), rtol=0.1)
    assert found[0].part is None and found[0].answers == {} and "action_quality" not in found[0].to_json()
    assert session.levels[0].rms < 1.5 and session.lasted_s == 10


def test_amplitudes_are_in_percent_of_the_maximal_contraction(tmp_path: Path) -> None:
    maximal = Recording(16e3 * SIGNAL[:, 2200:3200] / 8, RATE_HZ, ("biceps", "angle", "triceps"), "uV", "", ("angle",))
    write_recording(maximal, tmp_path / "mvc.npz")
    rows = [ManifestRow("mvc.npz", "P1", movement="mvc")]
    (tmp_path / "mvc.csv").write_text(manifest_text(rows), encoding="utf-8")
    options = LiveOptions(references=tmp_path / "mvc.csv")
    (first, _) = played(LiveSession(DESCRIPTION, None, options), SIGNAL)
    assert_allclose([level.percent_mvc for level in first.levels], 50, rtol=0.1)
    with pytest.raises(InputError, match="no reference amplitude of subject 'P2' for this channel"):
        LiveSession(DESCRIPTION, None, replace(options, subject="P2"))


def test_an_interruption_begins_the_times_anew_and_drops_what_has_no_end() -> None:
    session = LiveSession(DESCRIPTION, None)
    found = played(session, SIGNAL[:, :6800])
    assert len(found) == 1 and session.interrupt() == []  # the second repetition had not ended
    found += played(session, SIGNAL)
    assert [(one.number, one.stretch, round(one.start_s)) for one in found] == [(1, 1, 2), (2, 2, 2), (3, 2, 6)]
    played(session, np.empty((3, 0)))
    assert session.finish() == []
    session = LiveSession(DESCRIPTION, None)
    assert len(played(session, SIGNAL[:, :7950])) == 1
    assert [round(one.start_s) for one in session.interrupt()] == [6]  # it was over, but for the rest after it


def test_values_that_are_no_numbers_are_passed_over() -> None:
    signal = SIGNAL.copy()
    signal[0, 2500:2530] = np.nan
    signal[2, :40] = np.inf
    session = LiveSession(DESCRIPTION, None)
    found = played(session, signal)
    assert len(found) == 2 and all(np.isfinite(level.rms) for one in found for level in one.levels)


def test_a_run_that_does_not_fit_the_stream_is_refused_before_it_begins(shipped: Run) -> None:
    one_channel = replace(DESCRIPTION, channel_names=("biceps",), non_emg=())
    assert not fits(shipped, one_channel)
    with pytest.raises(
        InputError, match=r"trained on 2 channels \(BicepsBrachi, Brachioradialis\) and the recording has 1 \(biceps\)"
    ):
        LiveSession(one_channel, shipped)
    assert shipped.recording_config is not None
    relative = replace(shipped, recording_config=replace(shipped.recording_config, scaling="mvc"))
    with pytest.raises(
        InputError, match="arm: the run answers relative to a maximal contraction; expected references="
    ):
        LiveSession(DESCRIPTION, relative)
    with pytest.raises(
        InputError, match="was trained on matrices of another tool; expected a run trained on recordings"
    ):
        LiveSession(DESCRIPTION, replace(shipped, recording_config=None))


def test_the_scaling_subject_compares_with_the_repetitions_so_far(shipped: Run, curls: Recording) -> None:
    assert shipped.recording_config is not None
    relative = replace(shipped, recording_config=replace(shipped.recording_config, scaling="subject"))
    source = ReplayedRecording(curls)
    found = played(LiveSession(source.description, relative), curls.samples)
    assert len(found) == 3 and all(one.part is not None for one in found)


@dataclass(frozen=True)
class Interrupted:
    """A source that loses a second."""

    description: StreamDescription = DESCRIPTION

    def pieces(self) -> Iterator[np.ndarray | Notice]:
        yield SIGNAL[:, :5000]
        yield Notice("lost", interrupts=True)
        yield Notice("back")
        yield SIGNAL[:, 5000:]


def test_what_is_followed_is_saved_in_the_parts_that_belong_together(tmp_path: Path) -> None:
    with StreamRecorder(tmp_path / "arm.npz", DESCRIPTION) as recorder:
        events = [event for event in follow(Interrupted(), LiveSession(DESCRIPTION, None), recorder) if event]
    told = [event.text if isinstance(event, Notice) else (event.stretch, round(event.start_s)) for event in events]
    assert told == [(1, 2), "lost", "back", (2, 1)]
    assert [part.duration_s for part in recorder.saved] == [5, 5]


def test_following_stops_when_asked() -> None:
    session = LiveSession(DESCRIPTION, None)
    list(follow(Interrupted(), session, is_stopped=lambda: session.lasted_s >= 5))
    assert session.lasted_s == 5
