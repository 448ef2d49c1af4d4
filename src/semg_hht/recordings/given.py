"""Recordings from objects of Python: arrays, tables of samples, ``mne.io.Raw``. They are checked like files.

It knows shapes, columns and rates. It does not know repetitions.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError, RateUnknown, TimesUneven
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.mne_raw import RawSignal, is_raw, recording_of_raw
from semg_hht.recordings.recorded import Recording
from semg_hht.recordings.recording import check_decoded, check_rate, read_recording
from semg_hht.recordings.units import same_unit

TIME_COLUMNS = {"time_s": 1.0, "time": 1.0, "t": 1.0, "time_ms": 1e-3}  # name -> seconds of one unit
RATE_COLUMNS = ("rate_hz", "fs", "sampling_rate")
UNEVEN = 0.01  # a larger spread of the steps of a time column, as a share of their median, is no rate


class Table(Protocol):
    """A ``pandas.DataFrame``, or another table with ``columns`` and ``to_numpy``."""

    @property
    def columns(self) -> Any: ...

    @property
    def to_numpy(self) -> Any: ...


RecordingLike = Recording | NDArray[Any] | Table | RawSignal


def is_table(data: object) -> bool:
    """Whether an object is a table such as a DataFrame; pandas is not imported for it."""
    return hasattr(data, "columns") and hasattr(data, "to_numpy")


def is_recording_like(data: object) -> bool:
    """Whether `recording_of` takes an object."""
    return isinstance(data, (Recording, np.ndarray)) or is_table(data) or is_raw(data)


def recording_of(
    data: RecordingLike | str | Path, *, rate_hz: float | None = None, units: str = "", name: str = "recording"
) -> Recording:
    """The recording that an object holds, or that a file holds.

    Parameters
    ----------
    data : a `Recording`; an array (n_channels, n_samples) or (n_samples,); a DataFrame with one column per channel and
        a column ``time_s`` or ``rate_hz`` (or ``rate_hz`` given here); an ``mne.io.Raw``; a path.
    rate_hz, units : of samples that do not state them; stated ones must agree.
    name : what messages and tables call an object without a file.

    Raises
    ------
    InputError
        The rate is unknown or contradicts the stated one, the samples are not finite numbers, or the array is
        transposed.
    """
    if isinstance(data, (str, Path)):
        return read_recording(data, rate_hz=rate_hz, units=units)
    if isinstance(data, Recording):
        recording = data
    elif is_raw(data):
        recording = recording_of_raw(data)  # type: ignore[arg-type]
    elif is_table(data):
        return check_decoded(_decoded_table(data, rate_hz, name), Path(name), rate_hz, units)
    else:
        decoded = DecodedRecording(_array(data, name).T, rate_hz)  # (n_channels, n_samples) -> (n_samples, n_channels)
        _require_rate(rate_hz, name, "an array")
        return check_decoded(decoded, Path(name), rate_hz, units)
    where = recording.source or name
    check_rate(rate_hz, where)
    if rate_hz is not None and abs(recording.rate_hz - rate_hz) > 0.01 * rate_hz:
        raise InputError(
            f"{where}: the recording states {recording.rate_hz:g} Hz, but {rate_hz:g} Hz was given; expected the same "
            "rate"
        )
    if units and recording.units and not same_unit(units, recording.units):
        raise InputError(f"{where}: the recording states {recording.units}, but {units} was given; expected the same")
    if not np.isfinite(recording.samples).all():
        raise InputError(f"{where}: expected finite samples; found NaN or infinite ones")
    return recording if recording.units or not units else replace(recording, units=units)


def _array(data: Any, name: str) -> NDArray[Any]:
    """Samples (n_channels, n_samples) of an array."""
    array = np.asarray(data)
    if array.ndim == 1:
        array = array[None]  # (n_samples,) -> (1, n_samples)
    if array.ndim != 2:
        raise InputError(f"{name}: expected an array of (n_channels, n_samples) or (n_samples,); found {array.shape}")
    if array.shape[0] > array.shape[1] > 0:
        raise InputError(
            f"{name}: expected an array of (n_channels, n_samples); found {array.shape}, more channels than samples: "
            "pass its transpose, array.T"
        )
    return array


def _decoded_table(table: Any, rate_hz: float | None, name: str) -> DecodedRecording:
    """The channels of a table, and the rate that it states in a column of times or of the rate."""
    names = [str(column) for column in table.columns]
    columns = {column: np.asarray(table[original]) for column, original in zip(names, table.columns, strict=True)}
    stated = next((columns.pop(column) for column in names if column.lower() in RATE_COLUMNS), None)
    rate = None
    if stated is not None:
        if len(set(stated.tolist())) != 1:
            raise InputError(f"{name}: expected one sampling rate in its column; found {len(set(stated.tolist()))}")
        rate = float(stated[0])
    time = next((column for column in columns if column.lower() in TIME_COLUMNS), None)
    if time is not None:
        steps = np.diff(columns.pop(time).astype(float)) * TIME_COLUMNS[time.lower()]
        rate = rate or _rate_of_steps(steps, rate_hz, f"{name}, column {time}")
    other = [column for column, values in columns.items() if values.dtype.kind not in "biuf"]
    if other or not columns:
        found = f"the column {other[0]}" if other else "no column of samples"
        raise InputError(f"{name}: expected one column of numbers per channel; found {found}")
    _require_rate(rate or rate_hz, name, "a table without a column time_s or rate_hz")
    return DecodedRecording(np.column_stack(list(columns.values())), rate, tuple(columns))  # (n_samples, n_channels)


def _rate_of_steps(steps: NDArray[np.float64], rate_hz: float | None, where: str) -> float | None:
    """The rate of times that are even; None where they are not and ``rate_hz`` is given."""
    step = float(np.median(steps)) if steps.size else 0.0
    if step > 0 and np.isfinite(steps).all() and np.abs(steps - step).max() <= max(UNEVEN * step, 2e-6):
        return float(f"{steps.size / steps.sum():.6g}")
    if rate_hz is None:
        raise TimesUneven(f"{where}: expected times in seconds with even steps; found others: state rate_hz")
    return None


def _require_rate(rate_hz: float | None, name: str, what: str) -> None:
    if rate_hz is None:
        raise RateUnknown(f"{name}: {what} does not state its sampling rate; expected rate_hz=1000 or the like")
