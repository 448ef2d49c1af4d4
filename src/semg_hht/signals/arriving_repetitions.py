"""Find repetitions in a signal while it arrives. It works on arrays and a rate and does not know labels or streams.

The last 20 s are filtered and searched as `segment` does with a whole recording (`repetitions_in`), at the few moments
that matter: a fast, causal level of the signal tells when the muscle has come to rest. To save time, what has been
filtered with enough signal on both sides is kept, and the search takes no more samples than the band needs. A
repetition has ended when the muscle has rested for `SegmentConfig.merge_gap_s`, because a shorter rest lies within a
repetition.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from semg_hht.signals.features import rms
from semg_hht.signals.filters import Array, FilterConfig, effective_band_hz, find_hum, preprocess
from semg_hht.signals.repetitions import Repetition, SegmentConfig, repetitions_in
from semg_hht.signals.running_rms import RunningRms

BLOCK_S = 0.05  # of the fast level
N_SMOOTHED = 2  # blocks, of which the fast level is the mean
WINDOW_S = 20.0  # of the signal is searched; it holds several repetitions and their rests
FIRST_S = 2.0  # of the signal before the first search
EVERY_S = 3.0  # between searches until rest and activity are known
SELDOM_S = 6.0  # between searches where the level gives no reason for one
EARLY_SHARE = 0.8  # of the rest that ends a repetition, after which the end is looked for
AGAIN_S = 0.1  # between two such searches
MAX_LAG_S = 0.4  # between the end of the fast level and that of a repetition
N_LAGS = 9  # last repetitions, of which the median of these lags is taken
SETTLED_S = 1.0  # a filtered sample with so much signal on both sides does not change any more
HUM_S = 10.0  # between two looks for mains hum
MIN_RATE_OF_BAND = 2.2  # times the upper edge of the band: the search needs no higher rate
MIN_RISE_DB = 3.0  # of activity above rest, whose level varies by 1 or 2 dB
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
        self.rate_hz = rate_hz
        self._filters, self._config = filters, config
        self._level = RunningRms(n_channels, rate_hz, filters)
        self._stride = max(1, int(rate_hz / (MIN_RATE_OF_BAND * effective_band_hz(filters, rate_hz)[1])))
        self._settled = np.empty((n_channels, 0))  # filtered samples up to the index ``_n_settled``
        self._n_settled = 0
        self._mains_hz, self._next_hum = filters.mains_hz, 0
        self._lags: deque[int] = deque(maxlen=N_LAGS)
        self._n_block = max(1, round(BLOCK_S * rate_hz))
        self._waiting = np.empty((n_channels, 0))  # less than a block
        n_blocks = round(WINDOW_S * rate_hz / self._n_block)
        self._blocks: deque[Array] = deque(maxlen=n_blocks)
        self._energies: deque[Array] = deque(maxlen=n_blocks)  # of each block, (n_channels,)
        self._quiet = np.zeros(0)  # energy of each channel at rest; empty: not known yet
        self._threshold = np.inf  # of the level; infinite: rest and activity are not known yet
        self._n_seen = self._last_stop = self._last_search = 0
        self._last_active = 0  # end of the last active block
        self._was_active = False  # since the last repetition
        self._loudness: deque[float] = deque(maxlen=N_REMEMBERED)
        self.pending: ArrivedRepetition | None = None  # it has ended if the muscle goes on resting

    def add(self, samples: Array) -> list[ArrivedRepetition]:
        """Add samples (n_channels, n_samples); returns the repetitions that have ended."""
        found: list[ArrivedRepetition] = []
        samples = np.concatenate([self._waiting, samples], axis=1)
        while samples.shape[1] >= self._n_block:
            block, samples = samples[:, : self._n_block], samples[:, self._n_block :]
            found += self._add_block(block)
        self._waiting = samples
        return found

    def finish(self) -> list[ArrivedRepetition]:
        """The repetitions that end with the signal."""
        if self._waiting.shape[1]:
            self._blocks.append(self._waiting)
            self._n_seen += self._waiting.shape[1]
        return self._search(is_end=True) if self._n_seen > self._n_block else []

    @property
    def _gap(self) -> float:
        """Samples of rest that end a repetition."""
        return self._config.merge_gap_s * self.rate_hz

    def _add_block(self, block: Array) -> list[ArrivedRepetition]:
        self._blocks.append(block)
        self._energies.append(self._level.add(block).mean(axis=1))
        self._n_seen += block.shape[1]
        is_active = self._level_db() >= self._threshold
        if is_active:
            self._last_active, self._was_active, self.pending = self._n_seen, True, None
            if self._n_seen >= self._next_hum > 0:
                self._look_for_hum(np.concatenate(self._blocks, axis=1))
        if self.pending is not None:
            return self._end(self.pending) if self._n_seen >= self.pending.stop + self._gap else []
        return self._search() if self._is_time(is_active=is_active) else []

    def _is_time(self, *, is_active: bool) -> bool:
        """Whether to search now."""
        since_s = (self._n_seen - self._last_search) / self.rate_hz
        if not self._last_search:
            return self._n_seen >= FIRST_S * self.rate_hz
        if self._was_active and not is_active:
            lag = float(np.median(self._lags)) if self._lags else 0.0
            return self._n_seen >= self._last_active + lag + EARLY_SHARE * self._gap and since_s >= AGAIN_S
        return since_s >= (EVERY_S if np.isinf(self._threshold) else SELDOM_S)

    def _level_db(self) -> float:
        """The fast level above rest; 0 until the level at rest is known."""
        if not self._quiet.size:
            return 0.0
        recent = [self._energies[-i] for i in range(1, min(N_SMOOTHED, len(self._energies)) + 1)]
        return float(10 * np.log10(np.mean(np.mean(recent, axis=0) / self._quiet) + 1e-9))

    def _search(self, *, is_end: bool = False) -> list[ArrivedRepetition]:
        """Search the window; returns the repetitions that have ended, and sets the one that may have."""
        self._last_search, self.pending = self._n_seen, None
        raw = np.concatenate(self._blocks, axis=1)
        offset = self._n_seen - raw.shape[1]
        filtered = self._filtered(raw, offset)
        n = self._stride
        spans = [
            replace(span, start=n * span.start, stop=n * span.stop)
            for span in repetitions_in(filtered[:, ::n], self.rate_hz / n, self._config)
        ]
        self._learn(spans, offset)
        found: list[ArrivedRepetition] = []
        goes_on = False
        for span in spans:
            start, stop = span.start + offset, span.stop + offset
            if start + stop < 2 * self._last_stop or span.start == 0:
                continue  # it was returned before, or its beginning was not seen
            start = max(start, self._last_stop)
            within = slice(start - offset, stop - offset)
            repetition = ArrivedRepetition(start, stop, raw[:, within], filtered[:, within], span.confidence)
            if is_end or self._n_seen >= stop + self._gap:
                found += self._end(repetition) if self._counts(repetition) else []
            elif self._n_seen <= stop + self._n_block:
                goes_on = True
            elif self._counts(repetition):
                self.pending = repetition
        self._was_active = goes_on
        return found

    def _filtered(self, raw: Array, offset: int) -> Array:
        """The window after the filters; only what has not settled is filtered again."""
        if not self._next_hum:
            self._look_for_hum(raw)
        n_settled = max(self._n_settled, offset)
        n_around = round(SETTLED_S * self.rate_hz)
        first = offset if self._filters.ecg else max(offset, n_settled - n_around)  # heartbeats need the whole window
        filters = replace(self._filters, mains_hz=self._mains_hz)
        fresh = preprocess(raw[:, first - offset :], self.rate_hz, filters)
        before = self._settled[:, max(0, self._settled.shape[1] - (n_settled - offset)) :]
        filtered = np.concatenate([before[:, : n_settled - offset], fresh[:, n_settled - first :]], axis=1)
        self._n_settled = max(n_settled, self._n_seen - n_around)
        self._settled = filtered[:, : self._n_settled - offset]
        return filtered

    def _look_for_hum(self, raw: Array) -> None:
        """Look for mains hum in the whole window, and not in the short piece that is filtered."""
        self._next_hum = self._n_seen + round(HUM_S * self.rate_hz)
        if self._filters.mains_hz == "auto":
            hum = find_hum(raw, self.rate_hz)
            self._mains_hz = hum.mains_hz if hum else None

    def _counts(self, repetition: ArrivedRepetition) -> bool:
        """Whether an activity is a repetition, by its duration, its confidence and the repetitions before."""
        is_long = repetition.stop - repetition.start >= self._config.min_duration_s * self.rate_hz
        is_sure = repetition.confidence >= MIN_CONFIDENCE
        return is_long and is_sure and float(rms(repetition.filtered).max()) >= self._faint

    @property
    def _faint(self) -> float:
        """Amplitude below which an activity is none, by the repetitions before."""
        return self._config.ghost_share * float(np.median(self._loudness)) if len(self._loudness) > 2 else 0.0

    def _end(self, repetition: ArrivedRepetition) -> list[ArrivedRepetition]:
        self.pending, self._last_stop = None, repetition.stop
        lag = repetition.stop - self._last_active
        if abs(lag) <= MAX_LAG_S * self.rate_hz:
            self._lags.append(lag)
        self._loudness.append(float(rms(repetition.filtered).max()))
        return [repetition]

    def _learn(self, spans: list[Repetition], offset: int) -> None:
        """Learn the level of rest and the threshold of activity from the repetitions in the window."""
        energies = np.stack(self._energies)  # (n_blocks, n_channels)
        quiet = np.percentile(energies, 10, axis=0)
        self._quiet = np.maximum(quiet, 1e-12 * energies.max(axis=0) + np.finfo(np.float64).tiny)
        level_db = 10 * np.log10((energies / self._quiet).mean(axis=1) + 1e-9)
        ends = self._n_seen - offset - self._n_block * np.arange(len(energies))[::-1]  # in samples of the window
        inside = np.zeros(len(energies), dtype=bool)
        edges = []
        for span in spans:
            inside |= (ends > span.start + self._n_block) & (ends <= span.stop)
            if self._n_seen - offset > span.stop + 2 * self._n_block:
                edges.append(int(np.argmin(np.abs(ends - span.stop))))
        if edges and not inside.all():
            rest, active = float(np.median(level_db[~inside])), float(np.median(level_db[inside]))
            lowest = rest + min(MIN_RISE_DB, (active - rest) / 2)
            self._threshold = max(lowest, min(float(np.median(level_db[edges])), active))
