"""Reference amplitudes: what 1 is, for scalings that keep effort visible across people.

Knows subjects and amplitudes: nothing of spectra.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from semg_hht.errors import InputError
from semg_hht.pipeline import Failure, Job, PipelineConfig, read_job
from semg_hht.scaling import WITH_REFERENCE, rms
from semg_hht.signals.filters import preprocess
from semg_hht.sources import find_jobs


def with_references(jobs: list[Job], config: PipelineConfig, references: Path | None, *, n_jobs: int = -1) -> list[Job]:
    """Give each job the amplitudes its scaling needs.

    ``mvc``: for each subject and channel the largest RMS over that subject's recordings in the manifest ``references``
    (maximal contractions). ``subject``: the root of the mean power over the subject's own recordings among ``jobs``.

    Raises
    ------
    InputError
        ``mvc`` without references, references without ``mvc``, or a subject that has none.
    """
    if (config.scaling == "mvc") != (references is not None):
        raise InputError(
            f"scaling 'mvc' and --references go together; got scaling {config.scaling!r} and "
            f"{'no references' if references is None else references}"
        )
    if config.scaling not in WITH_REFERENCE:
        return jobs
    sources = jobs if references is None else find_jobs(references)
    largest = references is not None
    levels: dict[str, list[dict[str, float]]] = {}
    parallel = Parallel(n_jobs=n_jobs, return_as="generator")
    for job, level in zip(sources, parallel(delayed(_channel_rms)(job, config) for job in sources), strict=True):
        # A recording that can't be read is reported when its own turn comes; a broken reference is an error now.
        if isinstance(level, Failure):
            if largest:
                raise InputError(level.reason)
            continue
        levels.setdefault(_who(job), []).append(level)
    amplitudes = {}
    for who, of_person in levels.items():
        channels = sorted({channel for level in of_person for channel in level})
        amplitudes[who] = {
            channel: _pooled([level[channel] for level in of_person if channel in level], largest)
            for channel in channels
        }
    return [replace(job, reference=_reference_of(job, amplitudes, references)) for job in jobs]


def _who(job: Job) -> str:
    """The subject; a recording of nobody known stands for itself."""
    return job.rows[0].subject or f"file {job.path}"


def _reference_of(job: Job, amplitudes: dict[str, dict[str, float]], references: Path | None) -> dict[str, float]:
    if references is None:
        return amplitudes.get(_who(job), {})
    people = list(amplitudes)
    who = job.rows[0].subject
    if not who and len(people) == 1:  # contractions of one person, recordings that don't say whose: theirs
        who = people[0]
    if who not in amplitudes:
        raise InputError(f"{references}: no maximal contraction of subject {who!r}, who recorded {job.path}")
    return amplitudes[who]


def _pooled(values: list[float], largest: bool) -> float:
    return max(values) if largest else float(np.sqrt(np.mean(np.square(values))))


def _channel_rms(job: Job, config: PipelineConfig) -> dict[str, float] | Failure:
    try:
        recording = read_job(job)
        filtered = preprocess(recording.samples, recording.rate_hz, config.filter)
    except InputError as error:
        return Failure(job.rows[0].file, str(error))
    return dict(zip(recording.channel_names, rms(filtered).tolist(), strict=True))
