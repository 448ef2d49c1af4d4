"""The reader of each kind of file, by its suffix, and the library that it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from semg_hht.errors import InputError
from semg_hht.recordings.formats.decoded_recording import DecodedRecording


@dataclass(frozen=True)
class Reader:
    """How one kind of file is read.

    read : takes the file and the rate that the user states, which most kinds of files do not need.
    library, extra : the library that reads it and the extra that installs it; empty: none is needed.
    """

    read: Callable[[Path, float | None], DecodedRecording]
    library: str = ""
    extra: str = "readers"


def _by(module: str, name: str, *, takes_rate: bool = False) -> Callable[[Path, float | None], DecodedRecording]:
    """The function ``name`` of a module of this package, which is imported when the first such file is read."""

    def read(path: Path, rate_hz: float | None) -> DecodedRecording:
        function = getattr(import_module(f"semg_hht.recordings.formats.{module}"), name)
        decoded: DecodedRecording = function(path, rate_hz) if takes_rate else function(path)
        return decoded

    return read


_read_table = _by("tables", "read_table", takes_rate=True)
_read_sheet = _by("sheets", "read_sheet", takes_rate=True)
_read_parquet = _by("parquet", "read_parquet", takes_rate=True)


def _read_csv(path: Path, rate_hz: float | None) -> DecodedRecording:
    from semg_hht.recordings.formats.trigno import is_trigno, read_trigno

    return read_trigno(path, rate_hz) if is_trigno(path) else _read_table(path, rate_hz)


def _read_mat(path: Path, _: float | None) -> DecodedRecording:
    from semg_hht.recordings.formats.arrays import read_mat
    from semg_hht.recordings.formats.hdf5 import is_matlab_73, read_hdf5

    return read_hdf5(path) if is_matlab_73(path) else read_mat(path)


READERS = {
    ".csv": Reader(_read_csv),
    ".txt": Reader(_read_table),
    ".tsv": Reader(_read_table),
    ".sto": Reader(_read_table),
    ".mot": Reader(_read_table),
    ".xlsx": Reader(_read_sheet, "python-calamine"),
    ".xlsm": Reader(_read_sheet, "python-calamine"),
    ".ods": Reader(_read_sheet, "python-calamine"),
    ".parquet": Reader(_read_parquet, "pyarrow", "parquet"),
    ".feather": Reader(_read_parquet, "pyarrow", "parquet"),
    ".mat": Reader(_read_mat, "h5py"),
    ".npz": Reader(_by("arrays", "read_npz")),
    ".npy": Reader(_by("arrays", "read_npy")),
    ".h5": Reader(_by("hdf5", "read_hdf5"), "h5py"),
    ".hdf5": Reader(_by("hdf5", "read_hdf5"), "h5py"),
    ".edf": Reader(_by("edf", "read_edf"), "pyedflib"),
    ".bdf": Reader(_by("edf", "read_edf"), "pyedflib"),
    ".hea": Reader(_by("wfdb", "read_wfdb"), "wfdb", "wfdb"),
    ".xdf": Reader(_by("xdf", "read_xdf"), "pyxdf"),
    ".c3d": Reader(_by("c3d", "read_c3d")),
    ".otb+": Reader(_by("otb", "read_otb")),
    ".acq": Reader(_by("biopac", "read_acq"), "bioread", "biopac"),
    ".rhd": Reader(_by("intan", "read_rhd"), "neo", "intan"),
    ".poly5": Reader(_by("poly5", "read_poly5")),
    ".smr": Reader(_by("spike2", "read_spike2")),
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
