"""Answer the repetitions of a signal while it arrives: samples in, finished repetitions with their answers out.

A repetition is found by `semg_hht.signals.arriving_repetitions` and transformed and answered as any other. It does not
know where the samples come from, nor how the answers are shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from semg_hht.datasets.mvc import with_references
from semg_hht.errors import InputError
from semg_hht.inference.answers import Answer, Part
from semg_hht.inference.novelty import Reason
from semg_hht.matrices.transform import PipelineConfig, warn_of_clipped_band
from semg_hht.prediction.inputs import LoadedInput
from semg_hht.prediction.run import Examples, Run
from semg_hht.recordings.jobs import Job, Reference
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Array
from semg_hht.recordings.stream import Notice, SignalSource, StreamDescription
from semg_hht.recordings.stream_recorder import StreamRecorder
from semg_hht.signals.arriving_repetitions import ArrivedRepetition, ArrivingRepetitions
from semg_hht.signals.features import rms
from semg_hht.signals.filtered_recording import FilteredRecording
from semg_hht.signals.repetitions import SegmentConfig
from semg_hht.signals.running_rms import RunningRms

N_TOGETHER = 60  # last repetitions that are answered together with a new one
WARM_UP_S = 1.0  # of noise, answered before the signal arrives, because a first answer loads libraries


@dataclass(frozen=True)
class LiveOptions:
    """How a signal is searched and answered.

    config : how recordings are prepared where there is no run.
    references : manifest of maximal contractions, for amplitudes in % of MVC. subject : whose of them.
    channels : names or numbers of the channels to use; empty: all EMG channels.
    """

    config: PipelineConfig = PipelineConfig()
    segmentation: SegmentConfig = SegmentConfig()
    references: Path | None = None
    subject: str = ""
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChannelLevel:
    """The amplitude of a channel. percent_mvc : None without a reference."""

    name: str
    rms: float
    percent_mvc: float | None = None

    def to_json(self) -> dict[str, Any]:
        content: dict[str, Any] = {"channel": self.name, "rms": self.rms}
        return content if self.percent_mvc is None else content | {"percent_mvc": self.percent_mvc}


@dataclass(frozen=True)
class LiveRepetition:
    """A repetition that has ended.

    number : from 1, over all stretches of the signal. stretch : from 1, each up to an interruption; the times are its.
    confidence : that this is one whole repetition.
    levels : RMS of the repetition on each channel.
    part : its answers; None without a run.
    problem : why it could not be answered; empty if it could, and without a run.
    """

    number: int
    stretch: int
    start_s: float
    stop_s: float
    confidence: float
    levels: tuple[ChannelLevel, ...]
    part: Part | None = None
    problem: str = ""

    @property
    def answers(self) -> dict[str, Answer]:
        return {} if self.part is None else self.part.answers

    @property
    def unlike(self) -> tuple[Reason, ...]:
        return () if self.part is None else self.part.unlike

    def to_json(self) -> dict[str, Any]:
        content = {
            "repetition": self.number, "stretch": self.stretch, "start_s": round(self.start_s, 3),
            "stop_s": round(self.stop_s, 3), "confidence": round(self.confidence, 3),
            "levels": [level.to_json() for level in self.levels],
        }  # fmt: skip
        if self.problem:
            content["problem"] = self.problem
        if self.part is None:
            return content
        of_part = self.part.to_json()
        return content | {key: value for key, value in of_part.items() if key not in content}


def fits(run: Run, description: StreamDescription, channels: tuple[str, ...] = ()) -> bool:
    """Whether a run was trained on as many channels, of the same names, as a stream has."""
    training = run.description.training
    chosen = description.recording(np.zeros((len(description.channel_names), 1))).select(channels).channel_names
    return training is not None and chosen in training.orders


@dataclass(frozen=True)
class _Answered:
    """A repetition with its answer, and what the answers for later ones need of it."""

    repetition: LiveRepetition
    known: Examples | None = None


class LiveSession:
    """The repetitions of one stream, answered by one run as they end.

    run : None: repetitions are found and measured, not answered.

    Raises
    ------
    InputError
        The stream lacks a channel or has too low a rate, the references lack one, or the run can't take recordings.
    """

    def __init__(self, description: StreamDescription, run: Run | None, options: LiveOptions = LiveOptions()) -> None:
        self._run, self._options = run, options
        config = options.config if run is None else run.recording_config
        if config is None:
            where = "" if run is None else run.folder
            raise InputError(f"{where}: was trained on matrices of another tool; expected a run trained on recordings")
        self._config = config
        everything = np.arange(len(description.channel_names), dtype=np.float64)[:, None]
        chosen = description.recording(everything).select(options.channels)
        self._indices = chosen.samples[:, 0].astype(np.intp)
        self.channel_names, self.units, self.rate_hz = chosen.channel_names, description.units, description.rate_hz
        self._name, nothing = description.name, np.empty((len(self._indices), 0))
        self._empty = replace(chosen, samples=nothing, numbers=(), non_emg=())
        self._last = np.zeros((len(self._indices), 1))
        self._maximum = self._reference()
        if config.scaling == "mvc" and self._maximum is None:
            raise InputError(
                f"{self._name}: the run answers relative to a maximal contraction; expected references=..."
            )
        self._n_found = self._n_stretches = self._n_samples = 0
        self._earlier: deque[Examples] = deque(maxlen=N_TOGETHER)
        self._loudness: deque[Array] = deque(maxlen=N_TOGETHER)
        self._prepared: tuple[ArrivedRepetition, _Answered] | None = None
        self._begin_stretch()
        warn_of_clipped_band(self.rate_hz, config, set())
        self._warm_up()

    def add(self, samples: Array) -> list[LiveRepetition]:
        """Add samples (n_channels of the stream, n_samples); returns the repetitions that have ended."""
        samples = self._finite(samples[self._indices])
        self._n_samples += samples.shape[1]
        self._level.add(samples)
        found = [self._finished(repetition) for repetition in self._arriving.add(samples)]
        pending = self._arriving.pending
        if pending is not None and (self._prepared is None or self._prepared[0] is not pending):
            self._prepared = pending, self._answered(pending)  # while the rest that ends it lasts
        return found

    def interrupt(self) -> list[LiveRepetition]:
        """The signal is interrupted: the search begins anew. Returns the repetition that was over, if there is one.

        A repetition whose end is missing is dropped.
        """
        pending = self._arriving.pending
        found = [self._finished(pending)] if pending is not None else []
        self._begin_stretch()
        return found

    def finish(self) -> list[LiveRepetition]:
        """The repetitions that end with the signal."""
        return [self._finished(repetition) for repetition in self._arriving.finish()]

    @property
    def lasted_s(self) -> float:
        """Seconds of the signal that have arrived."""
        return self._n_samples / self.rate_hz

    @property
    def levels(self) -> tuple[ChannelLevel, ...]:
        """RMS of each channel over the last quarter second."""
        return self._levels(self._level.value)

    def _begin_stretch(self) -> None:
        self._n_stretches += 1
        n_channels, filters = len(self._indices), self._config.filter
        self._level = RunningRms(n_channels, self.rate_hz, filters)
        self._arriving = ArrivingRepetitions(n_channels, self.rate_hz, filters, self._options.segmentation)

    def _finite(self, samples: Array) -> Array:
        """Samples with the last number of a channel in the place of values that are no numbers."""
        if not np.isfinite(samples).all():
            samples = np.concatenate([self._last, samples], axis=1)
            at = np.where(np.isfinite(samples), np.arange(samples.shape[1]), 0)
            samples = np.take_along_axis(samples, np.maximum.accumulate(at, axis=1), axis=1)[:, 1:]
        if samples.shape[1]:
            self._last = samples[:, -1:]
        return samples

    def _finished(self, repetition: ArrivedRepetition) -> LiveRepetition:
        """Count a repetition that has ended; it may have been answered before."""
        if self._prepared is not None and self._prepared[0] is repetition:
            answered = self._prepared[1]
        else:
            answered = self._answered(repetition)
        self._prepared = None
        self._n_found += 1
        self._loudness.append(rms(repetition.filtered))
        if answered.known is not None:
            self._earlier.append(answered.known)
        return replace(answered.repetition, number=self._n_found)

    def _answered(self, repetition: ArrivedRepetition) -> _Answered:
        start_s, stop_s = repetition.start / self.rate_hz, repetition.stop / self.rate_hz
        amplitude = rms(repetition.filtered)
        levels = self._levels(amplitude)
        found = LiveRepetition(0, self._n_stretches, start_s, stop_s, repetition.confidence, levels)
        if self._run is None:
            return _Answered(found)
        try:
            item = self._loaded(self._run, repetition, amplitude)
            prediction, known = self._run.answer_next(item, self._earlier)
        except InputError as error:
            return _Answered(replace(found, problem=str(error)))
        part = replace(prediction.parts[0], start_s=start_s, stop_s=stop_s)
        return _Answered(replace(found, part=part), known)

    def _loaded(self, run: Run, repetition: ArrivedRepetition, amplitude: Array) -> LoadedInput:
        """The repetition as input of the run; its key is unique among those of the stream."""
        raw, filtered = (replace(self._empty, samples=samples) for samples in (repetition.raw, repetition.filtered))
        row = ManifestRow(self._name, self._options.subject, rate_hz=self.rate_hz, units=self.units)
        job = Job(Path(self._name), (row,), self._scale_reference(amplitude))
        item = run.loader.transformed(FilteredRecording(job, raw, filtered), n_threads=1)
        key = f"{self._name}|{self._n_stretches}|{repetition.start}"
        return replace(item, svm_inputs=replace(item.svm_inputs, repetitions=(key,) * len(item.matrices)))

    def _scale_reference(self, amplitude: Array) -> Reference | None:
        """The amplitude that a repetition is divided by, where the scaling of the run needs one."""
        if self._config.scaling == "mvc":
            return self._maximum
        if self._config.scaling != "subject":
            return None
        factor = self._empty.microvolts_per_unit
        mean = np.sqrt(np.mean(np.square([*self._loudness, amplitude]), axis=0)) * (factor or 1.0)
        return Reference(dict(zip(self.channel_names, mean.tolist(), strict=True)), factor is not None)

    def _reference(self) -> Reference | None:
        """The maximal contractions of the person; None where none are named."""
        if self._options.references is None:
            return None
        row = ManifestRow(self._name, self._options.subject, rate_hz=self.rate_hz, units=self.units)
        config = replace(self._config, scaling="mvc")
        (job,) = with_references([Job(Path(self._name), (row,))], config, self._options.references, n_jobs=1)
        source = FilteredRecording(job, self._empty, self._empty)
        for name in self.channel_names:
            source.unit_amplitude(name)  # an error now if the reference lacks the channel
        return job.reference

    def _levels(self, amplitude: Array) -> tuple[ChannelLevel, ...]:
        factor = self._empty.microvolts_per_unit or 1.0
        maxima = [None if self._maximum is None else self._maximum.amplitude[name] for name in self.channel_names]
        return tuple(
            ChannelLevel(name, float(value), None if maximum is None else 100 * float(value) * factor / maximum)
            for name, value, maximum in zip(self.channel_names, amplitude, maxima, strict=True)
        )

    def _warm_up(self) -> None:
        """Answer noise, so that the libraries are loaded when the first repetition ends."""
        if self._run is None:
            return
        noise = np.random.default_rng(0).normal(size=(len(self._indices), round(WARM_UP_S * self.rate_hz)))
        noise /= self._empty.microvolts_per_unit or 1.0
        answered = self._answered(ArrivedRepetition(0, noise.shape[1], noise, noise, 1.0))
        if answered.repetition.problem:  # of the channels: it would be the same for every repetition
            raise InputError(answered.repetition.problem)


def follow(
    source: SignalSource,
    session: LiveSession,
    recorder: StreamRecorder | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[LiveRepetition | Notice | None]:
    """Yield the repetitions of a source as they end and its notices, and None after each piece, until it ends.

    recorder : saves what arrives. is_stopped : asked after each piece.
    """
    for piece in source.pieces():
        if isinstance(piece, Notice):
            if piece.interrupts:
                yield from session.interrupt()
                if recorder is not None:
                    recorder.end_part()
            yield piece
        else:
            if recorder is not None and piece.shape[1]:
                recorder.add(piece)
            yield from session.add(piece)
        yield None
        if is_stopped():
            break
    yield from session.finish()
