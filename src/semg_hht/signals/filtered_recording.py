"""Read and filter a recording once, for segmentation, transform, features and explanations alike.

It does not know spectra or networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.jobs import Job, read_job
from semg_hht.recordings.manifest import ManifestRow
from semg_hht.recordings.recording import Array, Recording
from semg_hht.signals.filters import FilterConfig, filter_steps
from semg_hht.signals.repetitions import cut_repetition

LONGEST_S = 20.0  # a longer recording that is taken as one repetition gets a remark
# Times that somebody stated fit if the muscles are louder within them than outside: in 40 real recordings at least 6
# times, at least 1.23 times where only every third repetition was stated; about 1 time where the times were wrong.
MIN_LOUDER = 1.2
MIN_STATED = 3  # repetitions; of fewer nothing is said
MIN_OUTSIDE = 0.2  # of the recording
SMALLEST = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class FilteredRecording:
    """The recording of a job before and after filtering.

    raw, filtered : the same channels, before and after.
    steps : name and samples (n_channels, n_samples) after each filter step, the first without any filter; empty unless
        `open_filtered` keeps them.
    """

    job: Job
    raw: Recording
    filtered: Recording
    steps: tuple[tuple[str, Array], ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks on the recording: of channels left out, and where it is long and was taken as a single repetition."""
        remarks = [*self.raw.remarks]
        emg = self.filtered.select(())
        empty = [name for name in emg.channel_names if name not in self._with_signal]
        if empty and len(empty) < len(emg.channel_names) and not all(row.channels for row in self.job.rows):
            remarks.append(f"channels without a signal in the pass band were left out: {', '.join(empty)}")
        if self.raw.duration_s > LONGEST_S and not self.job.states_times:
            whole = f"{self.raw.duration_s:.0f} s were taken as one repetition"
            remarks.append(f"{whole}; segmentation=... finds the repetitions in them")
        if (ratio := self.misses_the_muscles) is not None:
            remarks.append(
                f"the amplitude within the stated repetitions is only {ratio:.2g} times that outside of them; check "
                "that their times, in seconds, belong to this recording"
            )
        return tuple(remarks)

    @cached_property
    def _with_signal(self) -> frozenset[str]:
        """The channels of which the filters leave something: not those that hold the same value, or a straight line."""
        names = zip(self.filtered.channel_names, self.filtered.samples, strict=True)
        return frozenset(name for name, channel in names if channel.any())

    @cached_property
    def misses_the_muscles(self) -> float | None:
        """The amplitude within the stated times over that outside of them, if they seem to be wrong; None if not.

        The channel where it is largest counts.
        """
        times = {(row.start_s or 0.0, row.stop_s or self.raw.duration_s) for row in self.job.rows}
        named = zip(self.filtered.channel_names, self.filtered.samples, strict=True)
        channels = [
            channel for name, channel in named if name in self._with_signal and name not in self.filtered.non_emg
        ]
        inside = np.zeros(self.filtered.n_samples, dtype=bool)
        for start_s, stop_s in times:
            inside[round(start_s * self.filtered.rate_hz) : round(stop_s * self.filtered.rate_hz)] = True
        if len(times) < MIN_STATED or not channels or not 0 < inside.mean() <= 1 - MIN_OUTSIDE:
            return None
        ratio = max(_rms(channel[inside]) / max(_rms(channel[~inside]), SMALLEST) for channel in channels)
        return ratio if ratio < MIN_LOUDER else None

    def channels_of(self, row: ManifestRow) -> Recording:
        """The filtered channels that a row names; where it names none, all EMG channels that hold a signal.

        Raises
        ------
        InputError
            A channel that the row names holds no signal, or no channel does; the text names the file.
        """
        chosen = self.filtered.select(row.channels)
        names = tuple(name for name in chosen.channel_names if name in self._with_signal)
        if names == chosen.channel_names:
            return chosen
        if names and not row.channels:
            return self.filtered.select(names)
        name = next(name for name in chosen.channel_names if name not in names)
        raw = self.raw.samples[self.raw.channel_names.index(name)]
        what = "holds the same value throughout" if np.ptp(raw) == 0 else "has nothing in the pass band"
        raise InputError(f"{self.job.path}: channel {name} {what}; expected a signal")

    def in_microvolts(self) -> FilteredRecording:
        """The same recording in microvolts; unchanged where its units are not volts."""
        factor = self.raw.microvolts_per_unit
        if factor is None or factor == 1:
            return self
        raw, filtered = (replace(r, samples=factor * r.samples, units="uV") for r in (self.raw, self.filtered))
        return replace(self, raw=raw, filtered=filtered, steps=())

    def unit_amplitude(self, channel: str) -> float:
        """The amplitude that is scaled to 1, in units of the recording: the reference, else 1 uV, else 1 device unit.

        Raises
        ------
        InputError
            The reference does not have the channel, or its units can't be compared; the text names the file.
        """
        where = f"{self.job.path}, channel {channel}"
        factor, reference = self.raw.microvolts_per_unit, self.job.reference
        if reference is None:
            return 1.0 / (factor or 1.0)
        if channel not in reference.amplitude:
            subject = self.job.rows[0].subject
            raise InputError(f"{where}: no reference amplitude of subject {subject!r} for this channel")
        if reference.in_microvolts != (factor is not None):
            raise InputError(
                f"{where}: the units of the recording and of its reference can't be compared; state both in V, mV or uV"
            )
        return reference.amplitude[channel] / (factor or 1.0)

    def scaled_repetitions(self) -> Iterator[tuple[ManifestRow, Recording]]:
        """Yield each row and its `scaled_repetition`."""
        for row in self.job.rows:
            yield row, self.scaled_repetition(row)

    def scaled_repetition(self, row: ManifestRow) -> Recording:
        """The repetition of a row, cut from the filtered recording and divided by `unit_amplitude`.

        Raises
        ------
        InputError
            No channel can be used (see `channels_of`), one has no reference amplitude, or the row's times lie outside
            the recording; the text names the file.
        """
        chosen = self.channels_of(row)
        samples = cut_repetition(chosen, row.start_s, row.stop_s).cut(chosen.samples)  # (n_channels, n_samples)
        unit = np.array([[self.unit_amplitude(name)] for name in chosen.channel_names])  # (n_channels, 1)
        return replace(chosen, samples=samples / unit)


def _rms(samples: Array) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def open_filtered(job: Job, filters: FilterConfig, *, keep_steps: bool = False) -> FilteredRecording:
    """Read the recording of a job and filter all its channels.

    Raises
    ------
    InputError
        The recording can't be read or filtered; the text names the file.
    """
    raw = read_job(job)
    try:
        steps = filter_steps(raw.samples, raw.rate_hz, filters, keep=keep_steps)
    except InputError as error:
        raise InputError(f"{job.path}: {error}") from None
    filtered = replace(raw, samples=steps[-1][1])
    return FilteredRecording(job, raw, filtered, tuple(steps) if keep_steps else ())
