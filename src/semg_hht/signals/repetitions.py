"""Cut a recording into repetitions [start, stop): detected in the signal, or given as times.

It does not know labels, spectra or networks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from semg_hht.errors import InputError
from semg_hht.hht.spectrum import fast_length
from semg_hht.recordings.given import RecordingLike, recording_of
from semg_hht.recordings.recording import Array, Recording
from semg_hht.signals.activity import METHODS, Activity, find_activity, runs
from semg_hht.signals.filters import FilterConfig, preprocess
from semg_hht.signals.peaks import local_maxima
from semg_hht.system.arguments import checked

# Periodic movement, such as walking: range of its period, and limits of a repetition relative to the period.
PERIODS_S = (0.5, 8.0)
MIN_AUTOCORRELATION = 0.3  # of the level at a lag of one period
MAX_GAP_OF_PERIOD = 0.2  # a longer rest separates two repetitions
MAX_DURATION_OF_PERIOD = 1.2  # of a repetition
BLIP_S = 0.25  # duration of a smoothed heartbeat
MIN_AGREEMENT = 0.8  # of the channels; a smaller share lowers the confidence
PAUSE_DB = 6.0  # depth of a pause within activity: half the amplitude of both sides


@checked
@dataclass(frozen=True)
class SegmentConfig:
    """How stretches of activity become repetitions.

    method : ``markov`` or ``threshold``; see `semg_hht.signals.activity.find_activity`.
    merge_gap_s : a shorter rest lies within a repetition, such as the rest between lifting and lowering a weight.
    min_duration_s, max_duration_s : shorter activity is ignored; longer activity is split at its deepest pause.
    min_recording_s : a recording that is not longer is one repetition, as a whole.
    ghost_share : activity is ignored if its amplitude is below this share of the median amplitude.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> len(sh.find_repetitions(recording, sh.SegmentConfig(min_duration_s=2.1)))
    10
    """

    method: str = "markov"
    merge_gap_s: float = 0.5
    min_duration_s: float = 0.3
    max_duration_s: float = 15.0
    ghost_share: float = 0.2
    min_recording_s: float = 0.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method {self.method!r} is unknown; expected one of {', '.join(METHODS)}")
        if not 0 <= self.min_duration_s < self.max_duration_s:
            raise InputError(
                f"expected 0 <= min_duration_s < max_duration_s; got {self.min_duration_s:g} and "
                f"{self.max_duration_s:g}"
            )
        if self.merge_gap_s < 0 or not 0 <= self.ghost_share < 1:
            raise InputError(
                f"expected merge_gap_s >= 0 and 0 <= ghost_share < 1; got {self.merge_gap_s:g} and {self.ghost_share:g}"
            )


@dataclass(frozen=True)
class Repetition:
    """One repetition of a recording: sample indices [start, stop).

    confidence : estimated probability, 0 to 1, that this is one whole repetition; 1 if a person gave its times.
    rate_hz : of the recording; None: not known, and then the times in seconds are not either.

    Examples
    --------
    >>> import semg_hht as sh
    >>> repetition = sh.find_repetitions(sh.read_recording(sh.samples.recordings()["P30_supinated"]))[0]
    >>> repetition.start_s, repetition.end_s, round(repetition.duration_s, 2)
    (1.69, 3.71, 2.02)
    """

    start: int
    stop: int
    confidence: float = 1.0
    rate_hz: float | None = field(default=None, compare=False)

    @property
    def start_s(self) -> float:
        """Start in seconds."""
        return self.start / self._rate_hz

    @property
    def stop_s(self) -> float:
        """End in seconds, under the name that tables give it."""
        return self.stop / self._rate_hz

    @property
    def end_s(self) -> float:
        """End in seconds."""
        return self.stop_s

    @property
    def duration_s(self) -> float:
        """Duration in seconds."""
        return (self.stop - self.start) / self._rate_hz

    @property
    def _rate_hz(self) -> float:
        if self.rate_hz is None:
            raise InputError(f"repetition of the samples {self.start} to {self.stop}: expected rate_hz; found none")
        return self.rate_hz

    def cut(self, samples: Array) -> Array:
        """(n_channels, n_samples) -> (n_channels, stop - start)."""
        return samples[:, self.start : self.stop]


@checked
def find_repetitions(
    recording: RecordingLike | str | Path,
    config: SegmentConfig | None = None,
    filters: FilterConfig | None = None,
    *,
    rate_hz: float | None = None,
) -> list[Repetition]:
    """Filter an unfiltered recording and detect its repetitions, in order; empty if no activity stands out from rest.

    Stretches of activity are joined across short rests and split at long pauses, and weak ones are dropped.

    Parameters
    ----------
    recording : a `Recording`, an array (n_channels, n_samples), a DataFrame of samples or an ``mne.io.Raw``; or a
        path. Channels that are not EMG are not searched, unless there are no others.
    rate_hz : of one that does not state it.

    Raises
    ------
    InputError
        The filters do not fit the recording; the message names the file.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> len(sh.find_repetitions(recording))
    11
    """
    recording = recording_of(recording, rate_hz=rate_hz)
    if set(recording.channel_names) - set(recording.non_emg):
        recording = recording.select(())
    try:
        filtered = preprocess(recording.samples, recording.rate_hz, filters or FilterConfig())
    except InputError as error:
        raise InputError(f"{recording.source}: {error}") from None
    return repetitions_in(filtered, recording.rate_hz, config or SegmentConfig())


def repetitions_in(samples: Array, rate_hz: float, config: SegmentConfig) -> list[Repetition]:
    """Detect repetitions in filtered samples (n_channels, n_samples), from all channels together."""
    activity = activity_in(samples, rate_hz, config)
    return [] if activity is None else repetitions_of(activity, samples.shape[1], rate_hz, config)


def activity_in(samples: Array, rate_hz: float, config: SegmentConfig) -> Activity | None:
    """The activity that `repetitions_of` divides into repetitions; None if all channels are constant."""
    varying = samples[np.ptp(samples, axis=1) > 0]  # (n_varying_channels, n_samples)
    return find_activity(varying, rate_hz, config.method) if varying.size else None


def repetitions_of(activity: Activity, n_samples: int, rate_hz: float, config: SegmentConfig) -> list[Repetition]:
    """Divide the activity in ``n_samples`` samples into repetitions."""
    frame_s = activity.n_frame / rate_hz
    period_s = _period_s(activity.level_db, frame_s)
    spans = _without_blips(runs(activity.active), activity.level_db, BLIP_S / frame_s, config.ghost_share)
    spans = _joined(spans, min(config.merge_gap_s, MAX_GAP_OF_PERIOD * period_s) / frame_s)
    longest = min(config.max_duration_s, MAX_DURATION_OF_PERIOD * period_s) / frame_s
    shortest = config.min_duration_s / frame_s
    spans = [part for span in spans for part in _split(span, activity.level_db, longest, shortest)]
    spans = [(start, stop) for start, stop in spans if (stop - start) * frame_s >= config.min_duration_s]
    spans = _without_ghosts(spans, activity, config.ghost_share)
    typical = float(np.median([stop - start for start, stop in spans])) if spans else 0.0
    return [
        Repetition(
            start=start * activity.n_frame,
            stop=min(stop * activity.n_frame, n_samples),
            confidence=_confidence(activity, (stop - start) / typical),
            rate_hz=rate_hz,
        )
        for start, stop in spans
    ]


def cut_repetition(recording: Recording, start_s: float | None, stop_s: float | None) -> Repetition:
    """The repetition between two times; None means the start or the end of the recording.

    Raises
    ------
    InputError
        The interval does not lie within the recording.
    """
    start = 0 if start_s is None else round(start_s * recording.rate_hz)
    stop = recording.n_samples if stop_s is None else round(stop_s * recording.rate_hz)
    # Times in tables are rounded to a few digits, so a time one sample past the end means the end.
    stop = min(stop, recording.n_samples) if stop <= recording.n_samples + 1 else stop
    if not 0 <= start < stop <= recording.n_samples:
        raise InputError(
            f"{recording.source}: a repetition from {start / recording.rate_hz:g} s to {stop / recording.rate_hz:g} s "
            f"does not lie within the recording of {recording.duration_s:g} s"
        )
    return Repetition(start, stop, rate_hz=recording.rate_hz)


_Span = tuple[int, int]  # frames [start, stop)


def _without_blips(spans: list[_Span], level_db: Array, shortest: float, share: float) -> list[_Span]:
    """Drop short and weak spans, such as heartbeats, before they join other spans or lengthen a repetition."""
    if not spans:
        return []
    loud_db = float(np.quantile(np.concatenate([level_db[slice(*span)] for span in spans]), 0.9))
    faint_db = loud_db + 20 * np.log10(max(share, 1e-6))
    return [
        (start, stop) for start, stop in spans if stop - start >= shortest or level_db[start:stop].max() >= faint_db
    ]


def _joined(spans: list[_Span], min_gap: float) -> list[_Span]:
    """Join spans that are less than ``min_gap`` frames apart."""
    joined: list[_Span] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] < min_gap:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _period_s(level_db: Array, frame_s: float) -> float:
    """Period of a periodic movement, such as walking, from the autocorrelation of the level; infinite without one.

    Rests are short in quick movements: two steps may be less than half a second apart.
    """
    shortest, longest = round(PERIODS_S[0] / frame_s), round(PERIODS_S[1] / frame_s)
    if level_db.size < 3 * longest:
        longest = level_db.size // 3
    deviation = level_db - level_db.mean()
    n_fft = fast_length(2 * level_db.size)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(deviation, n_fft)) ** 2, n_fft)[: longest + 1]
    lags = np.arange(longest + 1)
    correlation = correlation / (correlation[0] + np.finfo(float).tiny) * level_db.size / (level_db.size - lags)
    peaks = shortest + local_maxima(correlation[shortest:])
    peaks = peaks[correlation[peaks] >= MIN_AUTOCORRELATION]
    return float(frame_s * peaks[0]) if peaks.size else np.inf


def _split(span: _Span, level_db: Array, longest: float, shortest: float) -> list[_Span]:
    """Split a span longer than ``longest`` frames at its deepest pauses; without a pause it stays whole."""
    start, stop = span
    margin = max(1, round(shortest))
    if stop - start <= max(longest, 2 * margin):
        return [span]
    middle = start + margin + int(np.argmin(level_db[start + margin : stop - margin]))
    peak = min(level_db[start:middle].max(), level_db[middle:stop].max())
    if level_db[middle] > peak - PAUSE_DB:
        return [span]
    halves = ((start, middle), (middle, stop))
    return [part for half in halves for part in _split(half, level_db, longest, shortest)]


def _without_ghosts(spans: list[_Span], activity: Activity, share: float) -> list[_Span]:
    """Drop spans much weaker than the others, such as a twitch or a step."""
    amplitude = [np.sqrt(max(_energy(activity.level_db[slice(*span)]) - 1, 0)) for span in spans]
    return [span for span, a in zip(spans, amplitude, strict=True) if a >= share * np.median(amplitude)]


def _energy(level_db: Array) -> float:
    """Mean energy relative to rest."""
    return float(np.mean(10 ** (level_db / 10)))


def _confidence(activity: Activity, duration_share: float) -> float:
    """Probability that a span is one whole repetition, from contrast and duration; less where the channels disagree.

    Logistic regression fitted to simulated people at signal-to-noise ratios of -5 to 20 dB. On other simulated people
    the probabilities held within 0.1 (area under the ROC curve 0.94). ``duration_share`` is the span's duration over
    the recording's median. One channel in five may disagree with the others; those measured had one channel each.
    """
    score = -3.4 + 1.1 * min(activity.contrast_db, 10.0) + 9.0 * min(np.log(duration_share), 0.0)
    return float(min(activity.agreement / MIN_AGREEMENT, 1.0) / (1 + np.exp(-score)))
