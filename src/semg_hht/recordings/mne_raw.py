"""Recordings from and to MNE-Python: ``mne.io.Raw``, its channel types, bad channels and annotations.

It knows MNE's conventions (samples in volts, annotations in seconds). It does not know repetitions or labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.events import Event
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.recorded import Recording
from semg_hht.recordings.recording import check_decoded

# Channel types of MNE whose samples are volts and may hold EMG, where no channel has the type emg.
_VOLTS = ("emg", "eeg", "ecog", "seeg", "dbs", "bio", "ecg", "eog")
_MAYBE_EMG = ("eeg", "ecog", "seeg", "dbs", "bio", "misc")
_IGNORED = ("bad", "edge")  # annotations that mark parts to leave out, and joins of files
MICROVOLTS = 1e6


class Span(Protocol):
    """A part of a recording: a `Repetition`, or a row with ``start_s`` and ``stop_s``."""

    @property
    def start_s(self) -> float | None: ...

    @property
    def stop_s(self) -> float | None: ...


class RawSignal(Protocol):
    """An ``mne.io.Raw``, whatever file it was read from."""

    @property
    def ch_names(self) -> Any: ...

    @property
    def info(self) -> Any: ...

    @property
    def get_data(self) -> Any: ...

    @property
    def get_channel_types(self) -> Any: ...


def is_raw(data: object) -> bool:
    """Whether an object is an ``mne.io.Raw``; MNE is not imported for it."""
    return all(hasattr(data, name) for name in ("ch_names", "info", "get_data", "get_channel_types"))


def recording_of_raw(raw: RawSignal) -> Recording:
    """The recording of an ``mne.io.Raw``: channels of volts in microvolts, the others as they are.

    Channels of the type ``emg`` are EMG. Where there is none, channels of the types eeg, ecog, seeg, dbs, bio and misc
    are decided by their names and samples, as those of a file. Bad channels are used only when selected by name.

    Raises
    ------
    InputError
        Too few samples, samples that are not finite, or no channel.
    """
    names, kinds = tuple(raw.ch_names), list(raw.get_channel_types())
    samples = np.array(raw.get_data(), dtype=np.float64)  # (n_channels, n_samples)
    are_volts = np.array([kind in _VOLTS for kind in kinds])
    samples[are_volts] *= MICROVOLTS
    bads = [name for name in raw.info["bads"] if name in names]
    allowed = ("emg",) if "emg" in kinds else _MAYBE_EMG
    others = [name for name, kind in zip(names, kinds, strict=True) if kind not in allowed]
    remarks = [f"channels that MNE marks as bad are used only when selected by name: {', '.join(bads)}"] if bads else []
    if "emg" not in kinds:
        remarks.append(
            "no channel has MNE's type emg, so names and samples decide which are EMG; raw.set_channel_types states it"
        )
    decoded = DecodedRecording(
        samples.T,  # (n_channels, n_samples) -> (n_samples, n_channels)
        float(raw.info["sfreq"]),
        names,
        units="uV" if are_volts.any() else "",
        non_emg=tuple(name for name in names if name in (*others, *bads)),
        remarks=tuple(remarks),
        is_decided="emg" in kinds,
    )
    return check_decoded(decoded, _name_of(raw))


def _name_of(raw: RawSignal) -> Path:
    """The file of a Raw, for messages and for its labels; ``raw`` if it was made from an array."""
    files = [file for file in getattr(raw, "filenames", ()) if file is not None]
    return Path(str(files[0])) if files else Path("raw")


def raw_of(recording: Recording, repetitions: Iterable[Span] = ()) -> Any:
    """`Recording.to_mne`."""
    try:
        import mne
    except ImportError:
        raise InputError("to_mne needs MNE-Python: pip install 'semg-hht[mne]'") from None
    kinds = ["misc" if name in recording.non_emg else "emg" for name in recording.channel_names]
    factor = recording.microvolts_per_unit
    samples = recording.samples.copy()
    are_emg = np.array([kind == "emg" for kind in kinds])
    if factor is not None:
        samples[are_emg] *= factor / MICROVOLTS
    info = mne.create_info(list(recording.channel_names), recording.rate_hz, kinds)
    raw = mne.io.RawArray(samples, info, verbose="error")
    spans = list(repetitions)
    if spans:
        starts = [span.start_s or 0.0 for span in spans]
        stops = [recording.duration_s if span.stop_s is None else span.stop_s for span in spans]
        labels = [str(getattr(span, "movement", "")) or "repetition" for span in spans]
        raw.set_annotations(mne.Annotations(starts, np.subtract(stops, starts), labels))
    return raw


def events_of_annotations(annotations: Any) -> tuple[Event, ...]:
    """The events of an ``mne.Annotations``, in order of time: those with a duration that mark nothing to leave out.

    Descriptions become labels, but ``repetition`` is none.
    """
    found = zip(annotations.onset, annotations.duration, annotations.description, strict=True)
    events = [
        Event(float(onset), float(onset + duration), "" if label == "repetition" else str(label))
        for onset, duration, label in found
        if duration > 0 and not str(label).lower().startswith(_IGNORED)
    ]
    return tuple(sorted(events, key=lambda event: event.start_s))


def is_annotations(data: object) -> bool:
    """Whether an object is an ``mne.Annotations``; MNE is not imported for it."""
    return all(hasattr(data, name) for name in ("onset", "duration", "description"))


def event_list(events: Any) -> tuple[Event, ...]:
    """Events from an ``mne.Annotations``, or from a sequence of `Event` or of (start_s, stop_s) or with a label.

    Raises
    ------
    InputError
        An item is none of these.
    """
    if is_annotations(events):
        return events_of_annotations(events)
    try:
        return tuple(event if isinstance(event, Event) else _event(event) for event in events)
    except (TypeError, ValueError):
        raise InputError(
            f"events: expected a file, an mne.Annotations, or a sequence of (start_s, stop_s); found {events!r}"
        ) from None


def _event(values: Sequence[Any]) -> Event:
    start_s, stop_s, *label = values
    return Event(float(start_s), float(stop_s), str(label[0]) if label else "")
