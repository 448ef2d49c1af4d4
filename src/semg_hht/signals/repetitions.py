"""A recording is cut into repetitions, [start, stop) each.

Knows samples and seconds: nothing of labels, spectra or networks.
"""

from __future__ import annotations

from dataclasses import dataclass

from semg_hht.errors import InputError
from semg_hht.signals.recording import Array, Recording


@dataclass(frozen=True)
class Repetition:
    """One repetition of a recording: sample indices [start, stop)."""

    start: int
    stop: int

    def cut(self, samples: Array) -> Array:
        """(n_channels, n_samples) -> (n_channels, stop - start)."""
        return samples[:, self.start : self.stop]


def cut_repetition(recording: Recording, start_s: float | None, stop_s: float | None) -> Repetition:
    """The repetition between two times; None means the recording's own start or end.

    Raises
    ------
    InputError
        The interval does not lie within the recording.
    """
    start = 0 if start_s is None else round(start_s * recording.rate_hz)
    stop = recording.n_samples if stop_s is None else round(stop_s * recording.rate_hz)
    # Tables round to a few digits: half a sample past the end is the end.
    stop = min(stop, recording.n_samples) if stop <= recording.n_samples + 1 else stop
    if not 0 <= start < stop <= recording.n_samples:
        raise InputError(
            f"{recording.source}: a repetition from {start / recording.rate_hz:g} s to {stop / recording.rate_hz:g} s "
            f"does not lie within the recording of {recording.duration_s:g} s"
        )
    return Repetition(start, stop)
