"""Recording: the samples, rate, channel names and units of one recording, in memory.

It works on arrays and physical units. It does not know files; `recording.py` reads and writes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError
from semg_hht.recordings.units import microvolts_per
from semg_hht.system.arguments import checked

if TYPE_CHECKING:
    from semg_hht.recordings.mne_raw import Span

Array = NDArray[np.float64]


@checked
@dataclass(frozen=True, repr=False)
class Recording:
    """Channels recorded at one rate.

    samples : (n_channels, n_samples) float64, finite, in ``units``.
    rate_hz : samples per second.
    units : ``V``, ``mV``, ``uV``, or the device's own unit such as ``adc``; empty: not stated.
    source : the file, for messages.
    non_emg : names of channels that are not EMG, such as a joint angle; they are used only when selected by name.
    remarks : what the user should know about the recording (clipped samples, an implausible rate), a sentence each.
    numbers : of each channel among the signals of the file, from 1, also counting signals that were left out for their
        rate; empty: 1, 2, 3 ...

    Raises
    ------
    InputError
        The samples are not (n_channels, n_samples), or the names are not one for each channel.

    Examples
    --------
    >>> import numpy as np
    >>> import semg_hht as sh
    >>> recording = sh.Recording(np.random.default_rng(0).normal(size=(2, 3000)), 1000.0, ("biceps", "triceps"), "mV")
    >>> recording.crop(0.5, 1.5)
    <Recording recording 500 to 1500 ms: 2 channels (biceps, triceps), 1 s at 1000 Hz, mV>
    >>> recording["triceps"].shape
    (3000,)
    """

    samples: Array
    rate_hz: float
    channel_names: tuple[str, ...]
    units: str = ""
    source: str = ""
    non_emg: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples, dtype=np.float64)
        given: Any = self.channel_names  # a caller may give one name, or a list
        names = (given,) if isinstance(given, str) else tuple(given)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "channel_names", names)
        if samples.ndim == 2 and samples.shape[0] == len(names):
            return
        expected = f"expected samples of (n_channels, n_samples) for the {len(names)} channels {', '.join(names)}"
        found = f"found {samples.shape}"
        if samples.ndim == 2 and samples.shape[1] == len(names):
            found += ", which is (n_samples, n_channels): pass samples.T"
        elif samples.ndim == 1 and len(names) == 1:
            found += ": pass samples[None]"
        raise InputError(f"{self.source or 'recording'}: {expected}; {found}")

    def __repr__(self) -> str:
        return f"<Recording{self._title()}: {', '.join(self._facts())}>"

    def __getitem__(self, channel: str | int) -> Array:
        """The samples (n_samples,) of one channel, by name or by number in the file."""
        return np.asarray(self.select(channel).samples[0])

    @property
    def n_samples(self) -> int:
        """Samples of each channel."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        """Duration in seconds."""
        return self.n_samples / self.rate_hz

    @property
    def time_s(self) -> Array:
        """(n_samples,) the time of each sample in seconds, from 0."""
        return np.arange(self.n_samples) / self.rate_hz

    @property
    def microvolts_per_unit(self) -> float | None:
        """The factor from ``units`` to microvolts; None if the units are not volts."""
        return microvolts_per(self.units)

    @checked
    def crop(self, start_s: float = 0.0, end_s: float | None = None) -> Recording:
        """The part from ``start_s`` to ``end_s`` (None: the end), in seconds. It shares the samples of this recording.

        Raises
        ------
        InputError
            The part does not lie within the recording, or holds no sample.
        """
        stop_s = self.duration_s if end_s is None else end_s
        start, stop = round(start_s * self.rate_hz), round(stop_s * self.rate_hz)
        if not 0 <= start < stop <= self.n_samples:
            raise InputError(
                f"{self.source or 'recording'}: expected a part within the {self.duration_s:g} s of the recording; "
                f"found {start_s:g} s to {stop_s:g} s"
            )
        if (start, stop) == (0, self.n_samples):
            return self
        whole = PurePath(self.source or "recording")
        name = f"{whole.stem} {1000 * start_s:.0f} to {1000 * stop_s:.0f} ms{whole.suffix}"  # a stem of its own
        return replace(self, samples=self.samples[:, start:stop], source=str(whole.with_name(name)))

    def select(self, channels: str | int | Sequence[str | int]) -> Recording:
        """Only these channels, by name or by number in the file (from 1); all EMG channels if ``channels`` is empty.

        Channels that stand side by side share the samples of this recording; others are copied.

        Raises
        ------
        InputError
            The recording does not have the channel, or has no EMG channel.
        """
        if isinstance(channels, (str, int)):
            channels = (channels,) if channels != "" else ()
        channels = tuple(map(str, channels))
        if not channels and not self.non_emg:
            return self
        if not channels:
            channels = tuple(name for name in self.channel_names if name not in self.non_emg)
            if not channels:
                found = ", ".join(self.channel_names)
                raise InputError(f"{self.source}: expected at least one EMG channel; found {found}")
        numbers = self.numbers or tuple(range(1, len(self.channel_names) + 1))
        chosen = []
        for channel in channels:
            if channel in self.channel_names:
                chosen.append(self.channel_names.index(channel))
            elif channel.isdecimal() and int(channel) in numbers:
                chosen.append(numbers.index(int(channel)))
            else:
                found = ", ".join(self.channel_names)
                if self.numbers:
                    found += f", or of the numbers {', '.join(map(str, numbers))}"
                raise InputError(f"{self.source or 'recording'}: has no channel {channel!r}; expected one of {found}")
        are_neighbours = chosen == list(range(chosen[0], chosen[0] + len(chosen)))
        return replace(
            self,
            samples=self.samples[chosen[0] : chosen[0] + len(chosen)] if are_neighbours else self.samples[chosen],
            channel_names=tuple(self.channel_names[i] for i in chosen),
            numbers=tuple(numbers[i] for i in chosen),
        )

    def to_mne(self, repetitions: Iterable[Span] = ()) -> Any:
        """This recording as an `mne.io.RawArray`, in volts where ``units`` are volts.

        EMG channels have the type ``emg``, the others ``misc``.

        Parameters
        ----------
        repetitions : repetitions of `find_repetitions`, or rows of a table; each becomes an annotation with its label.

        Raises
        ------
        InputError
            MNE is not installed.
        """
        from semg_hht.recordings.mne_raw import raw_of

        return raw_of(self, repetitions)

    def plot(self, repetitions: Iterable[Span] = (), *, ax: Any = None) -> Any:
        """Plot the EMG channels one above the other, filtered, as `semg_hht.plot_recording` does.

        Parameters
        ----------
        repetitions : of `semg_hht.find_repetitions`, or the result of `semg_hht.segment`; their spans are coloured.
        ax : axes of matplotlib to draw on; None: new ones.

        Returns
        -------
        The axes.

        Examples
        --------
        >>> import semg_hht as sh
        >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
        >>> recording.plot(sh.segment(recording)).get_xlabel()
        'time (s)'
        """
        # The figures know recordings, so that a recording finds them through the package, when it is plotted.
        return import_module("semg_hht").plot_recording(self, repetitions, ax=ax)

    def _title(self) -> str:
        return f" {self.source}" if self.source else ""

    def _facts(self) -> list[str]:
        names, units = ", ".join(self.channel_names), self.units or "units not stated"
        n = len(self.channel_names)
        return [f"{n} channel{'' if n == 1 else 's'} ({names})", f"{self.duration_s:g} s at {self.rate_hz:g} Hz", units]

    def _repr_html_(self) -> str:
        """A table for notebooks: a row for each channel, and the remarks."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{'no' if name in self.non_emg else 'yes'}</td>"
            f"<td>{np.sqrt(np.mean(np.square(own))):.3g}</td><td>{own.min():.3g} to {own.max():.3g}</td></tr>"
            for name, own in zip(self.channel_names, self.samples, strict=True)
        )
        unit = f" ({escape(self.units)})" if self.units else ""
        remarks = "".join(f"<li>{escape(remark)}</li>" for remark in self.remarks)
        return (
            f"<p><b>Recording{escape(self._title())}</b>, {escape(', '.join(self._facts()[1:]))}</p>"
            f"<table><tr><th>channel</th><th>EMG</th><th>RMS{unit}</th><th>range{unit}</th></tr>{rows}</table>"
            + (f"<ul>{remarks}</ul>" if remarks else "")
        )
