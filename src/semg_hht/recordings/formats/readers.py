"""The reader of each kind of file, by its suffix, and the library that it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from semg_hht.errors import InputError
from semg_hht.recordings.formats.arrays import read_mat, read_npy, read_npz
from semg_hht.recordings.formats.biopac import read_acq
from semg_hht.recordings.formats.c3d import read_c3d
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.edf import read_edf
from semg_hht.recordings.formats.hdf5 import is_matlab_73, read_hdf5
from semg_hht.recordings.formats.intan import read_rhd
from semg_hht.recordings.formats.otb import read_otb
from semg_hht.recordings.formats.parquet import read_parquet
from semg_hht.recordings.formats.poly5 import read_poly5
from semg_hht.recordings.formats.sheets import read_sheet
from semg_hht.recordings.formats.spike2 import read_spike2
from semg_hht.recordings.formats.tables import read_table
from semg_hht.recordings.formats.trigno import is_trigno, read_trigno
from semg_hht.recordings.formats.wfdb import read_wfdb
from semg_hht.recordings.formats.xdf import read_xdf


@dataclass(frozen=True)
class Reader:
    """How one kind of file is read.

    read : takes the file and the rate that the user states, which most kinds of files do not need.
    library, extra : the library that reads it and the extra that installs it; empty: none is needed.
    """

    read: Callable[[Path, float | None], DecodedRecording]
    library: str = ""
    extra: str = "readers"


def _read_csv(path: Path, rate_hz: float | None) -> DecodedRecording:
    return read_trigno(path, rate_hz) if is_trigno(path) else read_table(path, rate_hz)


def _read_mat(path: Path, _: float | None) -> DecodedRecording:
    return read_hdf5(path) if is_matlab_73(path) else read_mat(path)


READERS = {
    ".csv": Reader(_read_csv),
    ".txt": Reader(read_table),
    ".tsv": Reader(read_table),
    ".sto": Reader(read_table),
    ".mot": Reader(read_table),
    ".xlsx": Reader(read_sheet, "python-calamine"),
    ".xlsm": Reader(read_sheet, "python-calamine"),
    ".ods": Reader(read_sheet, "python-calamine"),
    ".parquet": Reader(read_parquet, "pyarrow", "parquet"),
    ".feather": Reader(read_parquet, "pyarrow", "parquet"),
    ".mat": Reader(_read_mat, "h5py"),
    ".npz": Reader(lambda path, _: read_npz(path)),
    ".npy": Reader(lambda path, _: read_npy(path)),
    ".h5": Reader(lambda path, _: read_hdf5(path), "h5py"),
    ".hdf5": Reader(lambda path, _: read_hdf5(path), "h5py"),
    ".edf": Reader(lambda path, _: read_edf(path), "pyedflib"),
    ".bdf": Reader(lambda path, _: read_edf(path), "pyedflib"),
    ".hea": Reader(lambda path, _: read_wfdb(path), "wfdb", "wfdb"),
    ".xdf": Reader(lambda path, _: read_xdf(path), "pyxdf"),
    ".c3d": Reader(lambda path, _: read_c3d(path)),
    ".otb+": Reader(lambda path, _: read_otb(path)),
    ".acq": Reader(lambda path, _: read_acq(path), "bioread", "biopac"),
    ".rhd": Reader(lambda path, _: read_rhd(path), "neo", "intan"),
    ".poly5": Reader(lambda path, _: read_poly5(path)),
    ".smr": Reader(lambda path, _: read_spike2(path)),
}

# What to do with files of these kinds, which are not read.
NOT_READ = {
    ".hpf": "open it in Delsys EMGworks and export it as CSV",
    ".shpf": "open it in Delsys Trigno Discover and export it as CSV",
    ".xls": "open it in a spreadsheet program and save it as .xlsx or .csv",
    ".xlsb": "open it in a spreadsheet program and save it as .xlsx or .csv",
    ".gz": "unpack it with gunzip",
    ".vhdr": 'write it as EDF: mne.export.export_raw("a.edf", mne.io.read_raw_brainvision("a.vhdr"))',
    ".cnt": 'write it as EDF: mne.export.export_raw("a.edf", mne.io.read_raw_cnt("a.cnt"))',
    ".fif": 'write it as EDF: mne.export.export_raw("a.edf", mne.io.read_raw_fif("a.fif"))',
    ".set": 'write it as EDF: mne.export.export_raw("a.edf", mne.io.read_raw_eeglab("a.set"))',
    ".nwb": 'read it with pynwb and write samples and rate with numpy.savez("a.npz", samples=..., rate_hz=...)',
    ".otb4": "open it in OTBioLab+ and export it as .otb+ or .csv",
    ".gdf": "write it as EDF with BioSig (save2gdf -f=EDF) or EDFbrowser",
    ".trc": "it holds markers; export the analog channels as C3D or CSV",
    ".anc": "open it in Cortex and export it as C3D",
    ".pkl": 'reading it would run code; write samples and rate with numpy.savez("a.npz", samples=..., rate_hz=...)',
    ".adicht": "open it in ADInstruments LabChart and export it as .mat or .txt",
    ".smrx": "open it in Spike2 and export it as text (.txt)",
    ".tdms": 'write it as CSV with nptdms: TdmsFile.read("a.tdms").as_dataframe().to_csv("a.csv")',
}


def reader_of(path: Path) -> Reader:
    """The reader of a file, by its suffix in any case.

    Raises
    ------
    InputError
        No reader reads files of this suffix.
    """
    suffix = path.suffix.lower()
    if suffix in NOT_READ:
        raise InputError(f"{path}: {suffix} is not read; {NOT_READ[suffix]}")
    if suffix not in READERS:
        raise InputError(f"{path}: recordings are read from {', '.join(READERS)}; found {suffix or 'no suffix'}")
    return READERS[suffix]


def remark_on_others(files: Iterable[Path]) -> str:
    """A remark on the files of known kinds that are not read, and what to do with each kind; empty: there are none."""
    others = Counter(s for path in files if (s := path.suffix.lower()) in NOT_READ and path.is_file())
    if not others:
        return ""
    n = others.total()
    start = "1 file of a kind that is not read was" if n == 1 else f"{n} files of kinds that are not read were"
    return f"{start} left alone ({', '.join(sorted(others))}): " + "; ".join(
        f"{suffix}: {NOT_READ[suffix]}" for suffix in sorted(others)
    )
