"""A session: one recording answered by one run, with the features of its repetitions and how they drift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from semg_hht.datasets.feature_table import Drift, Measures, drifts_of, measures_of
from semg_hht.datasets.find_inputs import InputOptions
from semg_hht.datasets.given_inputs import Data, jobs_of
from semg_hht.datasets.mvc import with_references
from semg_hht.datasets.segment import open_segmented
from semg_hht.errors import InputError
from semg_hht.inference.answers import Answer, Part, Prediction
from semg_hht.prediction.inputs import Choice, LoadedInput
from semg_hht.prediction.run import Run
from semg_hht.recordings.recording import Array
from semg_hht.signals.filtered_recording import FilteredRecording
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
    """The answers and features of one recording.

    parts : the answers for each repetition, in order of time.
    answers : the answers for all repetitions together.
    promises : whether the run reports which answers are unsure.
    """

    file: str
    rate_hz: float
    parts: tuple[Part, ...]
    answers: dict[str, Answer]
    channels: tuple[ChannelCard, ...]
    remarks: tuple[str, ...]
    promises: bool


def open_session(
    run: Run, given: Data, options: InputOptions = InputOptions(segmentation=SegmentConfig())
) -> tuple[Session, LoadedInput]:
    """Answer and measure the repetitions of one recording, which is read and filtered once.

    Parameters
    ----------
    given : a recording, in memory or as a path, or a manifest of one.
    options : with its ``segmentation``, repetitions are found where no manifest states them.

    Returns
    -------
    The session, and the input of the run, from which its answers can be explained.

    Raises
    ------
    InputError
        No recording or several, one that can't be used, or a run that does not know how to prepare one.
    """
    config = run.recording_config
    if config is None:
        raise InputError(f"{run.folder}: was trained on matrices of another tool and can't prepare a recording")
    jobs = jobs_of(given, rate_hz=options.rate_hz, units=options.units, channels=options.channels)
    if len(jobs) != 1:
        where = given if isinstance(given, (str, Path)) else "recordings"
        raise InputError(f"{where}: expected one recording, or a manifest of one; found {len(jobs)}")
    (job,) = with_references(jobs, config, options.references, segmentation=options.segmentation, n_jobs=1)
    source = open_segmented(job, config.filter, options.segmentation)
    loaded = run.loader.transformed(source, Choice(keep_recordings=True))
    return session_of(source, run.answer(loaded), is_percent=config.scaling == "mvc"), loaded


def session_of(source: FilteredRecording, prediction: Prediction, *, is_percent: bool) -> Session:
    """A session from a filtered recording and the answers for it.

    is_percent : the reference of the recording is a maximal contraction, so amplitudes are reported in percent of it.
    """
    if not is_percent:
        source = replace(source, job=replace(source.job, reference=None))
    source = source.in_microvolts()
    measures = measures_of(source)
    drifts = tuple(drifts_of(measures))
    filtered = source.filtered
    channels = tuple(
        ChannelCard(
            name,
            filtered.units,
            filtered.samples[filtered.channel_names.index(name)],
            tuple(measured for measured in measures if measured.channel == name),
            tuple(drift for drift in drifts if drift.channel == name),
        )
        for name in dict.fromkeys(measured.channel for measured in measures)
    )
    return Session(
        file=source.job.file,
        rate_hz=filtered.rate_hz,
        parts=tuple(sorted(prediction.parts, key=lambda part: part.start_s or 0.0)),
        answers=prediction.answers,
        channels=channels,
        remarks=prediction.remarks,
        promises=any(answer.possible for part in prediction.parts for answer in part.answers.values()),
    )
