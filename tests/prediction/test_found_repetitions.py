"""Repetitions in recordings that state no times, for runs trained on repetitions that were found in recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import noise
from semg_hht import samples
from semg_hht.datasets.find_inputs import InputOptions, find_jobs
from semg_hht.inference.description import ModelDescription, NetworkConfig
from semg_hht.inference.novelty import TrainingData
from semg_hht.prediction.found_repetitions import with_found_repetitions
from semg_hht.prediction.run import open_run
from semg_hht.recordings.recording import read_recording, write_recording
from semg_hht.signals.filtered_recording import FilteredRecording, open_filtered
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig

RATE_HZ = 500
MODEL = ModelDescription(
    NetworkConfig(2),
    "action_quality",
    {"action_quality": ("full", "half")},
    {},
    longest_s=5.0,
    is_segmented=True,
    training=TrainingData(ranges={"duration": (0.0, 0.7)}),  # 1 to 5 s
)


def recorded(folder: Path, *bursts: tuple[float, float], duration_s: float, rest: float = 0.02) -> FilteredRecording:
    """Noise that is loud from each start to each stop, in seconds."""
    recording = noise(duration_s=duration_s)
    level = np.full(recording.n_samples, rest)
    for start_s, stop_s in bursts:
        level[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)] = 1.0
    write_recording(replace(recording, samples=recording.samples * level), folder / "curl.npz")
    (job,) = find_jobs(folder / "curl.npz")
    return open_filtered(job, FilterConfig(band_hz=(20, 200)))


def times(source: FilteredRecording) -> list[tuple[float | None, float | None]]:
    return [(row.start_s, row.stop_s) for row in source.job.rows]


def test_rest_around_a_repetition_is_left_out_where_training_had_none(tmp_path: Path) -> None:
    source = recorded(tmp_path, (1, 3), duration_s=4)
    found, (remark,) = with_found_repetitions(source, MODEL, SegmentConfig())
    np.testing.assert_allclose(times(found), [(1, 3)], atol=0.15)
    assert "is answered without the rest around it, as in training; whole=True takes all 4.0 s" in remark
    assert with_found_repetitions(source, replace(MODEL, is_segmented=False), SegmentConfig()) == (source, ())


def test_two_repetitions_in_a_short_recording_are_two(tmp_path: Path) -> None:
    source = recorded(tmp_path, (0.2, 3), (4.5, 7.2), duration_s=7.5)
    found, (remark,) = with_found_repetitions(source, MODEL, SegmentConfig())
    np.testing.assert_allclose(times(found), [(0.2, 3), (4.5, 7.2)], atol=0.15)
    assert "lasts 8 s, the longest training repetition 5.0 s; repetitions found: 2; whole=True" in remark


@pytest.mark.parametrize(
    ("bursts", "rest"),
    [
        (((0.3, 3.9),), 0.02),  # all but the ends
        (((1.0, 3.0),), 0.4),  # a loud middle of one repetition
        (((1.0, 1.6),), 0.02),  # shorter than a training repetition
        ((), 1.0),
    ],
)
def test_a_short_recording_stays_whole(tmp_path: Path, bursts: tuple[tuple[float, float], ...], rest: float) -> None:
    source = recorded(tmp_path, *bursts, duration_s=4, rest=rest)
    assert with_found_repetitions(source, MODEL, SegmentConfig()) == (source, ())


def test_rest_around_a_real_repetition_does_not_make_a_wrong_answer_sure() -> None:
    run = open_run(samples.RUN)
    assert run.description.is_segmented
    recording = read_recording(samples.recordings()["P06_supinated"])
    part = run.predict(recording)[0].parts[4]
    assert part.start_s is not None and part.stop_s is not None
    cut = recording.crop(part.start_s - 1, part.stop_s + 1)
    answers = [
        run.predict(cut, options)[0].answers["action_quality"] for options in (InputOptions(), InputOptions(whole=True))
    ]
    assert [answer.prediction for answer in answers] == ["supinated", "neutral"]
    assert not answers[1].is_unsure, "with the rest, the answer is wrong and sure"
