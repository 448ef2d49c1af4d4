"""Read, check and write recordings.

It works on files and physical units. It does not know filters, spectra or labels. `recorded.py` defines `Recording`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from semg_hht.errors import InputError, RateUnknown
from semg_hht.recordings.channels import ChannelDecision, decide_channels, distinct_names, reasons_by_description
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.readers import reader_of
from semg_hht.recordings.formats.wfdb import record_files
from semg_hht.recordings.quality import counts_per_unit, interpolate_gaps, quality_remarks, rate_remarks
from semg_hht.recordings.recorded import Array, Recording
from semg_hht.recordings.units import same_unit, unit_remarks, volts
from semg_hht.system.arguments import checked
from semg_hht.system.files import require_file, whole_file

__all__ = [
    "MIN_SAMPLES", "Array", "Recording", "check_decoded", "decode_recording", "files_of", "read_recording",
    "write_recording",
]  # fmt: skip

MIN_SAMPLES = 32


@checked
def read_recording(
    path: str | Path,
    *,
    rate_hz: float | None = None,
    units: str = "",
    rate_source: str = "",
    channels: Iterable[str] = (),
) -> Recording:
    """Read a table (CSV, TXT, XLSX, ODS, Parquet, Feather, STO, MOT; one column per channel), or a MAT, NPZ, NPY, HDF5
    (PLUX or plain), EDF, BDF, WFDB, XDF, C3D, OTB+, ACQ, RHD, Poly5 or SMR file.

    A table has one column per channel, or is a Delsys export, whose channels differ in rate. The path of a WFDB record
    is its header or its .dat file.

    Parameters
    ----------
    rate_hz : samples per second, for files that do not state it. If the file states it (a time column, a comment line,
        a key ``rate_hz`` or ``fs``), the two must agree within 1 %, unless the samples do not look like EMG at
        the file's rate, which is higher. Times that are not even are ignored with a remark.
    units : units of the samples, for files that do not state them. If the file states them, the two must agree.
    rate_source : the file that states ``rate_hz`` and ``units``; the error names it if it contradicts the recording.
    channels : names or numbers of the channels that will be used; empty: all EMG channels. Long gaps in other channels
        are no error: such a channel is left out.

    Raises
    ------
    InputError
        The file can't be decoded, or the library that decodes it is not installed; it holds too few samples or values
        that are not finite numbers; or its rate is unknown; or its rate or units contradict
        the stated ones.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> recording.channel_names, recording.rate_hz
    (('BicepsBrachi', 'Brachioradialis'), 2000.0)
    """
    path = Path(path)
    require_file(path)
    if path.suffix.lower() == ".dat":
        path = _header_of(path)
    return check_decoded(decode_recording(path, rate_hz), path, rate_hz, units, rate_source, frozenset(channels))


def decode_recording(path: Path, rate_hz: float | None = None) -> DecodedRecording:
    """Decode a file with the reader of its format; nothing is checked yet. ``rate_hz``: see `read_recording`.

    Raises
    ------
    InputError
        The file can't be decoded, or the library that decodes it is not installed.
    """
    reader = reader_of(path)
    try:
        return reader.read(path, rate_hz)
    except InputError:
        raise
    except ImportError:
        needed = f"pip install 'semg-hht[{reader.extra}]'"
        raise InputError(f"{path}: reading {path.suffix.lower()} needs {reader.library}: {needed}") from None
    except Exception as error:  # libraries raise whatever a damaged file leads them to; the other files are read
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: can't be read as {path.suffix[1:].upper()}; {reason}") from error


def files_of(path: Path) -> tuple[Path, ...]:
    """All files that ``read_recording(path)`` reads: the file itself and the other files of a WFDB record.

    Raises
    ------
    InputError
        A WFDB signal file has no header.
    """
    if path.suffix.lower() not in (".hea", ".dat") or not path.is_file():
        return (path,)
    return record_files(_header_of(path) if path.suffix.lower() == ".dat" else path)


def _header_of(path: Path) -> Path:
    """The header of a WFDB signal file, which states the rate and the channels."""
    header = path.with_suffix(".hea")
    if not header.is_file():
        raise InputError(f"{path}: expected a WFDB header {header.name} beside it; found none")
    return header


def check_decoded(
    decoded: DecodedRecording,
    path: Path,
    rate_hz: float | None = None,
    units: str = "",
    rate_source: str = "",
    selected: frozenset[str] = frozenset(),
) -> Recording:
    """Check what was decoded, decide which channels are EMG, and fill short gaps; ``path`` is named in messages.

    Parameters and errors are those of `read_recording`; ``selected`` are its ``channels``.
    """
    check_rate(rate_hz, path)
    if decoded.rate_hz is not None and rate_hz is not None and abs(decoded.rate_hz - rate_hz) > 0.01 * rate_hz:
        given = f"{rate_source} states {rate_hz:g} Hz" if rate_source else f"{rate_hz:g} Hz was given"
        if not _is_given_rate_plausible(decoded, rate_hz):
            raise InputError(f"{path}: the file states {decoded.rate_hz:g} Hz, but {given}; expected the same rate")
        remark = (
            f"the file states {decoded.rate_hz:g} Hz, at which the samples do not look like EMG; {given}, which is used"
        )
        decoded = replace(decoded, remarks=(*decoded.remarks, remark))
    rate = rate_hz if rate_hz is not None else decoded.rate_hz
    if rate is None:
        raise RateUnknown(f"{path}: the sampling rate is unknown; state it with rate_hz=... or in a manifest.csv")
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"{path}: the sampling rate must be above 0 Hz; found {rate:g}")
    table = decoded.table
    if table.dtype.kind not in "biuf":
        raise InputError(f"{path}: expected real numbers; found {table.dtype}")
    samples = np.ascontiguousarray(table.T, dtype=np.float64)  # (n_samples, n_channels) -> (n_channels, n_samples)
    if samples.shape[0] == 0 or samples.shape[1] < MIN_SAMPLES:
        raise InputError(
            f"{path}: expected at least one channel with {MIN_SAMPLES} samples; "
            f"found {samples.shape[0]} with {samples.shape[1]}"
        )
    names = decoded.channel_names or ("",) * samples.shape[0]
    names = distinct_names([name.strip() for name in names], decoded.numbers)
    units = _units(decoded, path, units, rate_source)
    if decoded.is_decided:
        decision = ChannelDecision(decoded.non_emg)  # the reader has added the remarks
    else:
        decision = decide_channels(decoded.described(names), list(samples), decoded.non_emg)
    numbers = decoded.numbers or tuple(range(1, len(names) + 1))
    used = [name in selected or str(number) in selected if selected else name not in decision.non_emg
            for name, number in zip(names, numbers, strict=True)]  # fmt: skip
    count_remarks = () if volts(units) else _restore_counts(samples, [name not in decision.non_emg for name in names])
    kept, gap_remarks = _fill_gaps(samples, rate, names, used, path)
    emg = [i for i in kept if names[i] not in decision.non_emg]
    quality = quality_remarks([samples[i] for i in emg], rate, [names[i] for i in emg], units)
    recording = Recording(
        samples,
        float(rate),
        names,
        units,
        str(path),
        decision.non_emg,
        (*decoded.remarks, *decision.remarks, *count_remarks, *gap_remarks, *unit_remarks(units), *quality),
        decoded.numbers,
    )
    return recording if len(kept) == len(names) else recording.select(tuple(names[i] for i in kept))


def check_rate(rate_hz: object, where: str | Path) -> None:
    """Raise an `InputError` for a rate that a caller states and that is no number above 0 (None: states none)."""
    if rate_hz is not None and not (
        isinstance(rate_hz, int | float | np.integer | np.floating) and np.isfinite(rate_hz) and rate_hz > 0
    ):
        raise InputError(f"{where}: expected rate_hz as a number above 0, in Hz; found {rate_hz!r}")


def _restore_counts(samples: Array, is_emg: Sequence[bool]) -> tuple[str, ...]:
    """Multiply the EMG channels in place where they are counts that were divided by the range of the converter.

    Files of one device may hold either, and their amplitudes could not be compared.
    """
    emg = [channel for channel, own in zip(samples, is_emg, strict=True) if own]
    factor = counts_per_unit(emg)
    if factor == 1:
        return ()
    for channel in emg:
        channel *= factor  # a power of two, so that nothing is rounded
    return (
        f"the samples are multiples of 1/{factor}, as counts that were divided by the range of the converter are; they "
        f"were multiplied by {factor}",
    )


def _fill_gaps(
    samples: Array, rate_hz: float, names: Sequence[str], used: Sequence[bool], path: Path
) -> tuple[list[int], list[str]]:
    """Fill short gaps in place. Returns the channels whose samples are finite, and remarks.

    Raises
    ------
    InputError
        A channel that is used has longer gaps, or no channel is left.
    """
    kept: list[int] = []
    remarks: list[str] = []
    left_out: list[str] = []
    for i, name in enumerate(names):
        try:
            remarks += interpolate_gaps(samples[i : i + 1], rate_hz, [name])
            kept.append(i)
        except InputError as error:
            left_out.append(name)
            if used[i] or len(left_out) == len(names):
                raise InputError(f"{path}: {error}") from None
    if left_out:
        remarks.append(
            f"channels with long gaps or infinite samples, which are not used, were left out: {', '.join(left_out)}"
        )
    return kept, remarks


def _units(decoded: DecodedRecording, path: Path, units: str, source: str) -> str:
    """The units of the samples; the stated ones must agree with those of the file, or of some of its channels."""
    of_file = (decoded.units, *filter(None, decoded.channel_units))
    if units and decoded.units and not any(same_unit(units, own) for own in of_file):
        given = f"{source} states {units}" if source else f"{units} was given"
        raise InputError(f"{path}: the file states {decoded.units} as its units, but {given}; expected the same units")
    chosen = decoded.units or units.strip()
    return volts(chosen) or chosen


def _is_given_rate_plausible(decoded: DecodedRecording, rate_hz: float) -> bool:
    """Whether the spectra of the EMG channels show that the rate in the file is too high, and the given one is not."""
    table = decoded.table
    if (
        decoded.rate_hz is None
        or decoded.rate_hz < rate_hz
        or table.dtype.kind not in "biuf"
        or len(table) < MIN_SAMPLES
    ):
        return False
    names = decoded.channel_names or ("",) * table.shape[1]
    reasons = reasons_by_description(decoded.described(names))
    emg = [i for i, name in enumerate(names) if name not in decoded.non_emg and not reasons[i]]
    samples = [np.nan_to_num(table[:, i].astype(np.float64)) for i in emg]
    return bool(rate_remarks(samples, decoded.rate_hz)) and not rate_remarks(samples, rate_hz)


@checked
def write_recording(recording: Recording, path: str | Path) -> None:
    """Write a recording as ``.npz`` (exact) or ``.csv`` (a header, a time column, samples with seven digits).

    Only ``.npz`` keeps the units, and which channels are not EMG.

    Raises
    ------
    InputError
        The file has another suffix, or the disk is full.

    Examples
    --------
    >>> import semg_hht as sh
    >>> recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
    >>> sh.write_recording(recording.crop(0, 5), "first.csv")
    >>> sh.read_recording("first.csv").duration_s
    5.0
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".csv"):
        raise InputError(f"{path}: recordings are written as .npz or .csv; found {suffix or 'no suffix'}")
    with whole_file(path) as part:
        if suffix == ".npz":
            with part.open("wb") as handle:
                np.savez_compressed(
                    handle,
                    samples=recording.samples,
                    rate_hz=np.float64(recording.rate_hz),
                    channel_names=np.array(recording.channel_names),
                    units=np.array(recording.units),
                    non_emg=np.array(recording.non_emg, dtype=str),
                )
        else:
            time_s = np.arange(recording.n_samples) / recording.rate_hz
            table = np.column_stack([time_s, recording.samples.T])  # (n_samples, 1 + n_channels)
            header = ",".join(["time_s", *recording.channel_names])
            np.savetxt(part, table, fmt=["%.6f"] + ["%.7g"] * len(recording.channel_names), delimiter=",",
                       header=header, comments="", encoding="utf-8")  # fmt: skip
