"""Find repetitions in a signal while it arrives. It works on arrays and a rate and does not know labels or streams.

The last 20 s are filtered and searched as `segment` does with a whole recording, up to 20 times a second. To learn how
rest and activity look takes most of the time of a search. So that is done when a repetition has just been returned, and
the searches that follow use it. A repetition has ended when the muscle has rested for `SegmentConfig.merge_gap_s`,
because a shorter rest lies within a repetition.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from semg_hht.signals.activity import CLEAR_CONTRAST_DB, SPECTRUM_S, Activity, Detector, fit_detector, frame_length
from semg_hht.signals.arriving_filter import ArrivingFilter
from semg_hht.signals.features import rms
from semg_hht.signals.filters import ROUNDING_SHARE, Array, FilterConfig, effective_band_hz
from semg_hht.signals.repetitions import Repetition, SegmentConfig, repetitions_of

BLOCK_S = 0.05  # between two searches while the end of a repetition may be near
BLOCK_WITH_ECG_S = 0.25  # as heartbeats are removed from the whole window each time
SKIPPED_S = 0.1  # between two searches in activity and in rest, which begins and ends within this
WINDOW_S = 20.0  # of the signal is searched; it holds several repetitions and their rests
FIRST_S = 2.0  # of the signal before rest and activity are learned
EVERY_S = 0.5  # between two such fits until the first repetition was returned
UNSURE_S = 5.0  # of the signal before a first repetition of little contrast, which might be a twitch
STILL_DB = 4.0  # above rest; where no level in the window is as high before the first repetition, nothing is learned
SELDOM_S = 6.0  # between two such fits while no repetition ends
EARLY_SHARE = 0.6  # of the rest that ends a repetition, after which its answer may be computed
SAME_S = 0.1  # by which the end of a repetition may move while this rest lasts
MIN_RATE_OF_BAND = 2.2  # times the upper edge of the band: the search needs no higher rate
MIN_CONFIDENCE = 0.5  # nobody checks the repetitions before they are answered
N_REMEMBERED = 50  # repetitions, whose median amplitude tells a repetition from a twitch


@dataclass(frozen=True)
class ArrivedRepetition:
    """A repetition that has ended.

    start, stop : samples since the beginning of the signal, [start, stop).
    raw, filtered : its samples, (n_channels, stop - start).
    confidence : see `semg_hht.signals.repetitions.Repetition`.
    """

    start: int
    stop: int
    raw: Array
    filtered: Array
    confidence: float


class ArrivingRepetitions:
    """The repetitions of a signal that arrives piece by piece; the result does not depend on how it is divided.

    Raises
    ------
    InputError
        The band does not fit the rate.
    """

    def __init__(self, n_channels: int, rate_hz: float, filters: FilterConfig, config: SegmentConfig) -> None:
        self.rate_hz, self._config = rate_hz, config
        self._stride = max(1, int(rate_hz / (MIN_RATE_OF_BAND * effective_band_hz(filters, rate_hz)[1])))
        self._n_frame = self._stride * frame_length(rate_hz / self._stride)  # samples
        block_s = BLOCK_WITH_ECG_S if filters.ecg else BLOCK_S
        self._n_block = self._n_frame * max(1, round(block_s * rate_hz / self._n_frame))
        # Frames over which the detector's weighting spreads a sample.
        self._n_spread = -(-round(SPECTRUM_S * rate_hz) // self._n_frame)
        n_window = self._n_block * round(WINDOW_S * rate_hz / self._n_block)
        self._signal = ArrivingFilter(n_channels, rate_hz, filters, n_window)
        self._waiting = np.empty((n_channels, 0))  # less than a block
        self._detector: Detector | None = None  # None: rest and activity are not known yet
        self._channels = np.arange(n_channels)  # that vary
        self._energy = np.empty(0)  # of the frames up to ``_n_known`` that the window still holds
        self._n_known = 0  # frames since the beginning of the signal whose energy does not change any more
        self._next_fit = round(FIRST_S * rate_hz)
        self._last_stop = self._next_search = 0
        self._is_still = False  # whether nothing stands out from rest yet
        self._loudness: deque[float] = deque(maxlen=N_REMEMBERED)
        self.pending: ArrivedRepetition | None = None  # it has ended if the muscle goes on resting

    def add(self, samples: Array) -> list[ArrivedRepetition]:
        """Add samples (n_channels, n_samples); returns the repetitions that have ended."""
        found: list[ArrivedRepetition] = []
        samples = np.concatenate([self._waiting, samples], axis=1)
        while samples.shape[1] >= self._n_block:
            block, samples = samples[:, : self._n_block], samples[:, self._n_block :]
            self._signal.add(block)
            if self._signal.n_seen >= self._next_fit and self.pending is None:
                if self._is_still:
                    self._next_fit += round(EVERY_S * self.rate_hz)
                else:
                    self._fit()
            if self._signal.n_seen >= self._next_search:
                found += self._search()
        self._waiting = samples
        return found

    def finish(self) -> list[ArrivedRepetition]:
        """The repetitions that end with the signal."""
        if self._waiting.shape[1]:
            self._signal.add(self._waiting)
        if self._signal.n_seen <= self._n_block:
            return []
        self._fit()
        return self._search(is_end=True)

    def _fit(self) -> None:
        """Learn how rest and activity look from the window."""
        self._signal.look_for_hum()
        raw, filtered = self._signal.raw, self._signal.filtered()
        varies = np.abs(filtered).max(axis=1) > ROUNDING_SHARE * np.abs(raw).max(axis=1)
        self._channels = np.flatnonzero(varies)
        samples = filtered[self._channels, :: self._stride]
        self._detector = None
        if samples.size:
            self._detector = fit_detector(samples, self.rate_hz / self._stride, self._config.method)[0]
        self._energy, self._n_known = np.empty(0), 0
        self._next_fit = self._signal.n_seen + round((SELDOM_S if self._loudness else EVERY_S) * self.rate_hz)

    def _energies(self, detector: Detector) -> Array:
        """(n_frames,) of the window; only what may have changed is computed again."""
        filtered, start, first = self._signal.filtered(), self._signal.start, self._first_frame
        known = self._energy[len(self._energy) - max(0, self._n_known - first) :]
        begin = max(first, first + len(known) - self._n_spread)
        piece = filtered[self._channels, begin * self._n_frame - start :: self._stride]
        fresh = detector.energy(piece)[first + len(known) - begin :]
        energy = np.concatenate([known, fresh])
        self._n_known = max(self._n_known, self._signal.n_settled // self._n_frame - self._n_spread)
        self._energy = energy[: max(0, self._n_known - first)]
        return energy

    @property
    def _first_frame(self) -> int:
        """Of the frames since the beginning of the signal, the first that the window holds whole."""
        return -(-self._signal.start // self._n_frame)

    def _search(self, *, is_end: bool = False) -> list[ArrivedRepetition]:
        """Search the window; returns the repetitions that have ended, and sets the one that may have."""
        detector, pending, self.pending = self._detector, self.pending, None
        if detector is None:
            return []
        activity = detector.judged(self._energies(detector))
        self._is_still = not self._loudness and bool(detector.channels) and bool(activity.level_db.max() < STILL_DB)
        spans = self._new_spans(activity) if is_end or self._is_clear(detector) else []
        n_seen, gap = self._signal.n_seen, self._config.merge_gap_s * self.rate_hz
        found: list[ArrivedRepetition] = []
        is_open = False  # whether a repetition has not ended
        for span, following in zip_longest(spans, spans[1:]):
            if not is_end and (n_seen < span.stop + EARLY_SHARE * gap or self._goes_on(span, following)):
                is_open = True
                continue
            is_same = pending is not None and abs(pending.stop - span.stop) <= SAME_S * self.rate_hz
            repetition = pending if pending is not None and is_same else self._cut(span)
            if not self._counts(repetition):
                continue
            if is_end or n_seen >= repetition.stop + gap:
                found.append(self._ended(repetition))
            else:
                self.pending, is_open = repetition, True
        n_last = round(BLOCK_S * self.rate_hz / self._n_frame)
        is_loud = float(activity.level_db[-n_last:].mean()) >= activity.contrast_db / 2
        self._next_search = n_seen + (0 if is_open and not is_loud else round(SKIPPED_S * self.rate_hz))
        return found

    def _ended(self, repetition: ArrivedRepetition) -> ArrivedRepetition:
        self._last_stop, self._next_fit = repetition.stop, 0
        self._loudness.append(float(rms(repetition.filtered).max()))
        return repetition

    def _goes_on(self, span: Repetition, following: Repetition | None) -> bool:
        """Whether what began after it may show that it is a part of a repetition or, before the first, a twitch."""
        gap = self._config.merge_gap_s * self.rate_hz
        if following is None or self._signal.n_seen >= following.stop + gap:
            return False
        return following.start < span.stop + gap or not self._loudness

    def _is_clear(self, detector: Detector) -> bool:
        """Whether what stands out may be a repetition, and no twitch before the first."""
        is_early = self._signal.n_seen < UNSURE_S * self.rate_hz and not self._loudness
        return not is_early or detector.contrast_db >= CLEAR_CONTRAST_DB

    def _new_spans(self, activity: Activity) -> list[Repetition]:
        """What was not returned yet and whose beginning was seen, in samples since the beginning of the signal."""
        n, start = self._stride, self._first_frame * self._n_frame
        n_seen, last_stop = self._signal.n_seen, self._last_stop
        found = repetitions_of(activity, -(-(n_seen - start) // n), self.rate_hz / n, self._config)
        spans = [Repetition(n * one.start + start, min(n * one.stop + start, n_seen), one.confidence) for one in found]
        return [span for span in spans if span.start + span.stop >= 2 * last_stop and span.start > start]

    def _cut(self, span: Repetition) -> ArrivedRepetition:
        start = max(span.start, self._last_stop)
        within = slice(start - self._signal.start, span.stop - self._signal.start)
        raw, filtered = self._signal.raw, self._signal.filtered()
        return ArrivedRepetition(start, span.stop, raw[:, within].copy(), filtered[:, within].copy(), span.confidence)

    def _counts(self, repetition: ArrivedRepetition) -> bool:
        """Whether an activity is a repetition, by its duration, its confidence and the repetitions before."""
        is_long = repetition.stop - repetition.start >= self._config.min_duration_s * self.rate_hz
        is_sure = repetition.confidence >= MIN_CONFIDENCE
        return is_long and is_sure and float(rms(repetition.filtered).max()) >= self._faint

    @property
    def _faint(self) -> float:
        """Amplitude below which an activity is none, by the repetitions before."""
        return self._config.ghost_share * float(np.median(self._loudness)) if len(self._loudness) > 2 else 0.0
