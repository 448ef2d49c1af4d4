"""One recording seen by one run: its repetitions in order, what they were answered, and how they drift.

Knows what the other rooms tell of a recording: nothing of pages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from semg_hht.datasets.feature_table import Drift, Measures, drifts_of, filtered_samples, measures_of
from semg_hht.datasets.find_inputs import find_jobs
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.segment import with_repetitions
from semg_hht.errors import InputError
from semg_hht.inference.answers import Answer, Part, Prediction
from semg_hht.matrices.transform import Job, PipelineConfig, read_job
from semg_hht.prediction.run import Run
from semg_hht.recordings.recording import Array, Recording
from semg_hht.signals.filters import FilterConfig
from semg_hht.signals.repetitions import SegmentConfig


@dataclass(frozen=True)
class ChannelCard:
    """One channel of a session.

    samples : (n_samples,) filtered, in ``units``.
    measures : features of each repetition, in order of time.
    drifts : how features change; empty below four repetitions.
    """

    name: str
    units: str
    samples: Array
    measures: tuple[Measures, ...]
    drifts: tuple[Drift, ...]


@dataclass(frozen=True)
class Session:
    """What is known of one recording.

    parts : the answers of each repetition, in order of time.
    answers : of all repetitions together.
    promises : whether the run says which answers are unsure.
    """

    file: str
    rate_hz: float
    parts: tuple[Part, ...]
    answers: dict[str, Answer]
    channels: tuple[ChannelCard, ...]
    remarks: tuple[str, ...]
    promises: bool


def open_session(
    run: Run, path: Path, *, rate_hz: float | None = None, units: str = "", references: Path | None = None
) -> Session:
    """Answer and measure the repetitions of one recording; they are found where no manifest states them.

    Parameters
    ----------
    path : a recording, or a manifest of one.
    references : manifest of maximal contractions, where the run was trained with the scaling ``mvc``.

    Raises
    ------
    InputError
        No recording or several, one that can't be used, or a run that does not know how to prepare one.
    """
    config = run.recording_config
    if config is None:
        raise InputError(f"{run.folder}: was trained on matrices of another tool and can't prepare a recording")
    jobs = find_jobs(path, rate_hz=rate_hz, units=units)
    if len(jobs) != 1:
        raise InputError(f"{path}: expected one recording, or a manifest of one; found {len(jobs)}")
    found, failures = with_repetitions(jobs, SegmentConfig(), config.filter, n_jobs=1)
    if failures:
        raise InputError(failures[0].reason)
    predictions = run.predict(
        path, rate_hz=rate_hz, units=units, references=references, repetitions=SegmentConfig(), n_jobs=1
    )
    if predictions.errors:
        raise InputError(next(iter(predictions.errors.values())))
    return session_of(found[0], predictions.predictions[0], config, references=references)


def session_of(job: Job, prediction: Prediction, config: PipelineConfig, *, references: Path | None = None) -> Session:
    """What was answered of a recording whose repetitions the job states, beside what is measured of them."""
    job = with_references([job], config, references, n_jobs=1)[0]
    percent = config.scaling == "mvc"  # of other references a share of the maximum can't be told
    rate, channels = _channels(job if percent else replace(job, reference=None), config.filter)
    return Session(
        file=job.rows[0].file,
        rate_hz=rate,
        parts=tuple(sorted(prediction.parts, key=lambda part: part.start_s or 0.0)),
        answers=prediction.answers,
        channels=channels,
        remarks=prediction.remarks,
        promises=any(answer.possible for part in prediction.parts for answer in part.answers.values()),
    )


def _in_microvolts(recording: Recording) -> Recording:
    """As surface EMG is read, 60.3 rather than 6.03e-05; a device's own units stay."""
    factor = recording.microvolts_per_unit
    if factor is None or factor == 1:
        return recording
    return replace(recording, samples=factor * recording.samples, units="uV")


def _channels(job: Job, filters: FilterConfig) -> tuple[float, tuple[ChannelCard, ...]]:
    """The rate in Hz, and each channel that was looked at."""
    recording = _in_microvolts(read_job(job))
    filtered = filtered_samples(job, recording, filters)
    measures = measures_of(job, recording, filtered)
    drifts = tuple(drifts_of(measures))
    return recording.rate_hz, tuple(
        ChannelCard(
            name,
            recording.units,
            filtered[recording.channel_names.index(name)],
            tuple(found for found in measures if found.channel == name),
            tuple(drift for drift in drifts if drift.channel == name),
        )
        for name in dict.fromkeys(found.channel for found in measures)
    )
