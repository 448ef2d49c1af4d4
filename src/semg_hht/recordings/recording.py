"""Recording: samples, rate, channel names, units, and the file they came from; reading and writing it.

Knows files and physical units: nothing of filters, spectra or labels.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semg_hht.errors import InputError, RateUnknown
from semg_hht.recordings.formats.arrays import read_mat, read_npz
from semg_hht.recordings.formats.contents import Contents
from semg_hht.recordings.formats.edf import read_edf
from semg_hht.recordings.formats.hdf5 import is_matlab_73, read_hdf5
from semg_hht.recordings.formats.otb import read_otb
from semg_hht.recordings.formats.tables import read_table
from semg_hht.recordings.formats.trigno import is_trigno, read_trigno
from semg_hht.recordings.formats.wfdb import read_wfdb, record_files
from semg_hht.recordings.formats.xdf import read_xdf
from semg_hht.recordings.quality import bridge_gaps, examine
from semg_hht.recordings.units import microvolts_per
from semg_hht.system.files import BROKEN_NPZ, require_file, whole_file

Array = NDArray[np.float64]

RECORDING_SUFFIXES = (".csv", ".txt", ".tsv", ".mat", ".npz", ".h5", ".hdf5", ".edf", ".bdf", ".hea", ".xdf", ".otb+")
MIN_SAMPLES = 32


@dataclass(frozen=True)
class Recording:
    """A recording of one or more channels at one rate.

    samples : (n_channels, n_samples) float64, finite, in ``units``.
    rate_hz : samples a second.
    units : ``V``, ``mV``, ``uV``, or a name of the device's own such as ``adc``; empty: not stated.
    source : the file, for messages.
    other : names of channels that are no EMG, such as a joint angle; they are used only where they are named.
    remarks : what a person should know of the recording (clipped samples, an implausible rate ...), a sentence each.
    """

    samples: Array
    rate_hz: float
    channel_names: tuple[str, ...]
    units: str = ""
    source: str = ""
    other: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return self.n_samples / self.rate_hz

    @property
    def microvolts_per_unit(self) -> float | None:
        """Factor from ``units`` to microvolts; None where the units are not volts."""
        return microvolts_per(self.units)

    def select(self, channels: tuple[str, ...]) -> Recording:
        """Only these channels, by name or 1-based number; where ``channels`` is empty, all that are EMG.

        Raises
        ------
        InputError
            A channel that the recording does not have.
        """
        if not channels and not self.other:
            return self
        if not channels:
            channels = tuple(name for name in self.channel_names if name not in self.other)
            if not channels:
                raise InputError(f"{self.source}: no channel is EMG; found {', '.join(self.channel_names)}")
        chosen = []
        for channel in channels:
            if channel in self.channel_names:
                chosen.append(self.channel_names.index(channel))
            elif channel.isdigit() and 1 <= int(channel) <= len(self.channel_names):
                chosen.append(int(channel) - 1)
            else:
                known = ", ".join(self.channel_names)
                raise InputError(f"{self.source}: no channel {channel!r}; the recording has {known}")
        return replace(self, samples=self.samples[chosen], channel_names=tuple(self.channel_names[i] for i in chosen))


def read_recording(
    path: str | Path, *, rate_hz: float | None = None, units: str = "", rate_from: str = ""
) -> Recording:
    """Read a CSV/TXT table (one column a channel), a MAT, NPZ, HDF5 (PLUX or plain), EDF, BDF, WFDB, XDF or OTB+ file.

    A CSV table may be Delsys' export, of several rates. Of a WFDB record, either the header or its .dat file is named.

    Parameters
    ----------
    rate_hz : samples a second, where the file does not say. Where it does (a time column, a comment line, a key
        ``rate_hz`` or ``fs``) the two must agree within 1 %.
    units : units of the samples, where the file does not say.
    rate_from : the file that states ``rate_hz``, to name both where they contradict each other.

    Raises
    ------
    InputError
        The file can't be read as one of these, holds no samples or values that are no finite numbers, or its rate is
        unknown or contradicts ``rate_hz``.
    """
    path = Path(path)
    require_file(path)
    readers = {".mat": read_mat, ".npz": read_npz, ".h5": read_hdf5, ".hdf5": read_hdf5}
    readers |= {".edf": read_edf, ".bdf": read_edf, ".hea": read_wfdb, ".xdf": read_xdf, ".otb+": read_otb}
    suffix = path.suffix.lower()
    if suffix == ".dat":
        path, suffix = _header_of(path), ".hea"
    if suffix not in RECORDING_SUFFIXES:
        known = ", ".join(RECORDING_SUFFIXES)
        raise InputError(f"{path}: recordings are read from {known}; found {suffix or 'no ending'}")
    try:
        if suffix == ".mat" and is_matlab_73(path):
            found = read_hdf5(path)
        elif suffix == ".csv" and is_trigno(path):
            found = read_trigno(path)
        else:
            found = readers.get(suffix, read_table)(path)
    except InputError:
        raise
    except (csv.Error, *BROKEN_NPZ) as error:
        raise InputError(f"{path}: can't be read as {suffix[1:].upper()}; {error}") from error
    return _checked(found, path, rate_hz, units, rate_from)


def files_of(path: Path) -> tuple[Path, ...]:
    """All files that ``read_recording(path)`` reads: the file itself, and the others of a WFDB record.

    Raises
    ------
    InputError
        A WFDB signal file without its header.
    """
    if path.suffix.lower() not in (".hea", ".dat") or not path.is_file():
        return (path,)
    return record_files(_header_of(path) if path.suffix.lower() == ".dat" else path)


def _header_of(path: Path) -> Path:
    """The header of a WFDB signal file; samples alone say neither rate nor channels."""
    header = path.with_suffix(".hea")
    if not header.is_file():
        raise InputError(f"{path}: expected a WFDB header {header.name} beside it; found none")
    return header


def _checked(found: Contents, path: Path, rate_hz: float | None, units: str, rate_from: str) -> Recording:
    if found.rate_hz is not None and rate_hz is not None and abs(found.rate_hz - rate_hz) > 0.01 * rate_hz:
        stated = f"{rate_from} states {rate_hz:g} Hz" if rate_from else f"{rate_hz:g} Hz was stated"
        raise InputError(f"{path}: the file says {found.rate_hz:g} Hz, but {stated}; expected them to agree")
    rate = rate_hz if rate_hz is not None else found.rate_hz
    if rate is None:
        raise RateUnknown(f"{path}: the sampling rate is unknown; state it with --rate_hz or in a manifest.csv")
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"{path}: the sampling rate must be above 0 Hz; found {rate:g}")
    table = found.table
    if table.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected real numbers; found {table.dtype}")
    samples = np.ascontiguousarray(table.T, dtype=np.float64)  # (n_samples, n_channels) -> (n_channels, n_samples)
    if samples.shape[0] == 0 or samples.shape[1] < MIN_SAMPLES:
        raise InputError(
            f"{path}: expected at least one channel of {MIN_SAMPLES} samples; "
            f"found {samples.shape[0]} of {samples.shape[1]}"
        )
    names = found.channel_names or tuple(f"ch{i + 1}" for i in range(samples.shape[0]))
    try:
        bridged = bridge_gaps(samples, rate, names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    units = found.units or units
    emg = [i for i, name in enumerate(names) if name not in found.other]
    seen = examine([samples[i] for i in emg], rate, [names[i] for i in emg], units)
    return Recording(samples, float(rate), names, units, str(path), found.other, (*found.remarks, *bridged, *seen))


def write_recording(recording: Recording, path: Path) -> None:
    """Write a recording as ``.npz`` (exact) or ``.csv`` (a time column, seven digits, header with the channel names).

    Raises
    ------
    InputError
        Another ending, or a disk that is full.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".csv"):
        raise InputError(f"{path}: recordings are written as .npz or .csv; found {suffix or 'no ending'}")
    with whole_file(path) as part:
        if suffix == ".npz":
            with part.open("wb") as handle:
                np.savez_compressed(
                    handle,
                    samples=recording.samples,
                    rate_hz=np.float64(recording.rate_hz),
                    channel_names=np.array(recording.channel_names),
                    units=np.array(recording.units),
                )
        else:
            time_s = np.arange(recording.n_samples) / recording.rate_hz
            table = np.column_stack([time_s, recording.samples.T])  # (n_samples, 1 + n_channels)
            header = ",".join(["time_s", *recording.channel_names])
            np.savetxt(part, table, fmt=["%.6f"] + ["%.7g"] * len(recording.channel_names), delimiter=",",
                       header=header, comments="", encoding="utf-8")  # fmt: skip
