"""Writers of small valid recordings, one per format, of a BIDS dataset, and the signals that they write.

They know how files are laid out and do not know the readers.
"""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Sequence
from datetime import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# EDF and BDF, with pyedflib

EDF_UV = 300 * np.random.default_rng(0).standard_normal((2, 2000))


def write_edf(path: Path, labels: Sequence[str], rates_hz: Sequence[int], units: Sequence[str]) -> Path:
    """An EDF+ or BDF+ file, by its suffix; each signal lasts up to two seconds."""
    import pyedflib

    kind = pyedflib.FILETYPE_BDFPLUS if path.suffix == ".bdf" else pyedflib.FILETYPE_EDFPLUS
    steps = 2**23 if path.suffix == ".bdf" else 2**15
    signals = []
    with pyedflib.EdfWriter(str(path), len(labels), file_type=kind) as file:
        for i, (label, rate_hz, unit) in enumerate(zip(labels, rates_hz, units, strict=True)):
            scale = {"uV": 1.0, "mV": 1e-3}.get(unit, 1.0)
            file.setSignalHeader(i, {
                "label": label, "dimension": unit, "sample_frequency": rate_hz, "prefilter": "", "transducer": "",
                "physical_max": 2000 * scale, "physical_min": -2000 * scale, "digital_max": steps - 1,
                "digital_min": -steps,
            })  # fmt: skip
            signals.append(np.ascontiguousarray(EDF_UV[i % 2][: 2 * rate_hz] * scale))
        file.writeSamples(signals)
    return path


# HDF5: PLUX (OpenSignals) and MATLAB 7.3, with h5py

PLUX_COUNTS = np.random.default_rng(0).integers(0, 4096, (500, 2), dtype=np.uint16)


def write_plux(path: Path, *, n_devices: int = 1, sensors: Sequence[str] = ("EMG", "EMG")) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for number in range(n_devices):
            device = file.create_group(f"00:07:80:00:00:0{number}")
            device.attrs["sampling rate"] = 1000
            raw = device.create_group("raw")
            for i, sensor in enumerate(sensors):
                channel = raw.create_dataset(f"channel_{i + 1}", data=PLUX_COUNTS[:, i : i + 1])
                channel.attrs["label"] = f"PORT{i + 1}"
                channel.attrs["sensor"] = sensor
            raw.create_dataset("nSeq", data=np.arange(500).reshape(-1, 1))
    return path


def write_matlab_73(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """As MATLAB writes it: 512 bytes before the HDF5, transposed arrays, their class in an attribute."""
    import h5py

    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=np.atleast_2d(values).T).attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("rb+") as handle:
        handle.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


# Delsys Trigno: exports of EMGworks and of Trigno Discover

TrignoColumn = tuple[str, float, Array]  # name, rate, samples
EMG_HZ, ACC_HZ = 1925.926, 148.148
TRIGNO_V = 3e-4 * np.random.default_rng(0).standard_normal((2, 2000))
ACC_G = np.linspace(0, 1, 154)
EMGWORKS: list[TrignoColumn] = [
    ("Sensor 1: EMG.A 1", EMG_HZ, TRIGNO_V[0]),
    ("Sensor 1: Acc.X 1", ACC_HZ, ACC_G),
    ("Sensor 2: EMG.A 2", EMG_HZ, TRIGNO_V[1]),
]
DISCOVER: list[TrignoColumn] = [
    ("EMG 1 (mV)", EMG_HZ, TRIGNO_V[0] * 1e3),
    ("ACC X (G)", ACC_HZ, ACC_G),
    ("EMG 1 (mV)", EMG_HZ, TRIGNO_V[1] * 1e3),
]


def trigno_rows(columns: Sequence[TrignoColumn]) -> list[str]:
    """Columns of times and samples; shorter ones are empty at the end."""
    pairs = [[f"{i / rate:.6f},{value!r}" for i, value in enumerate(values.tolist())] for _, rate, values in columns]
    return [",".join(cells) for cells in zip_longest(*pairs, fillvalue=",")]


def write_emgworks(folder: Path, columns: Sequence[TrignoColumn], *, with_labels: bool = True) -> Path:
    labels = [
        f"Label: {name} Sampling frequency: {rate} Number of points: {len(values)} start: 0 Unit: V Domain Unit: s"
        for name, rate, values in columns
    ]
    names = ",".join(f'"X[s]","{name}"' for name, _, _ in columns)
    path = folder / "a.csv"
    path.write_text("\n".join([*(labels if with_labels else []), "", names, *trigno_rows(columns)]) + "\n")
    return path


def write_discover(folder: Path, columns: Sequence[TrignoColumn], *, with_rates: bool = True) -> Path:
    lines = [
        "Application:,Trigno Discover (2.1.0.7)",
        "Date/Time:,2026-03-01",
        "Collection Length (seconds):,1.04",
        ",".join(f"Avanti Sensor {i + 1} (7592{i})," for i in range(len(columns))),
        ",".join("sensor mode: 65," for _ in columns),
        ",".join(f"{name.rsplit(' (')[0]} Time Series (s),{name}" for name, _, _ in columns),
    ]
    if with_rates:
        lines.append(",".join(f",{rate} Hz" for _, rate, _ in columns))
        lines.append(",".join(f",{1 / rate:.6f} s" for _, rate, _ in columns) + ",Type,Name")
    path = folder / "a.csv"
    path.write_text("\n".join([*lines, *trigno_rows(columns)]) + "\n")
    return path


# WFDB, with the library wfdb

WFDB_MV = 0.3 * np.random.default_rng(0).standard_normal((2000, 2))
WFDB_GAIN = 20000.0  # counts per mV


def write_wfdb(
    folder: Path, name: str = "a", names: Sequence[str] = ("biceps", "triceps"), signal_mv: Array = WFDB_MV
) -> Path:
    import wfdb

    n = len(names)
    wfdb.wrsamp(
        name, fs=1000, units=["mV"] * n, sig_name=list(names), p_signal=signal_mv[:, [i % 2 for i in range(n)]],
        fmt=["24"] * n, adc_gain=[WFDB_GAIN] * n, baseline=[0] * n, write_dir=str(folder),
    )  # fmt: skip
    return folder / f"{name}.hea"


def write_wfdb_segments(folder: Path, *lines: str, n_samples: int = 4000, signal_mv: Array = WFDB_MV) -> Path:
    """A record of the segments in ``lines``; ``a_1`` and ``a_2`` exist."""
    write_wfdb(folder, "a_1", signal_mv=signal_mv)
    write_wfdb(folder, "a_2", signal_mv=signal_mv)
    path = folder / "a.hea"
    path.write_text("\n".join([f"a/{len(lines)} 2 1000 {n_samples}", *lines, ""]))
    return path


# XDF 1.0 (https://github.com/sccn/xdf/wiki/Specifications)

XDF_UV = (300 * np.random.default_rng(0).standard_normal((4000, 2))).astype(np.float32)
XDF_HZ = 1000.0
XDF_STAMPS = 100 + np.arange(len(XDF_UV)) / XDF_HZ


def xdf_chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<I", len(content) + 2) + struct.pack("<H", tag) + content


def xdf_header(key: int, kind: str, n_channels: int, rate_hz: float, form: str, channels: str = "") -> bytes:
    name = "Events" if kind == "Markers" else "Amp"
    text = (
        f'<?xml version="1.0"?><info><name>{name}</name><type>{kind}</type><channel_count>{n_channels}</channel_count>'
        f"<nominal_srate>{rate_hz:g}</nominal_srate><channel_format>{form}</channel_format>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )
    return xdf_chunk(2, struct.pack("<I", key) + text.encode())


def xdf_channel(label: str, unit: str = "microvolts", kind: str = "EMG") -> str:
    return f"<channel><label>{label}</label><unit>{unit}</unit><type>{kind}</type></channel>"


XDF_CHANNELS = xdf_channel("biceps") + xdf_channel("triceps")


def xdf_samples(key: int, table: NDArray[np.generic], stamps: Array) -> bytes:
    """One chunk; every sample has a time stamp."""
    rows = b"".join(b"\x08" + struct.pack("<d", t) + row.tobytes() for t, row in zip(stamps, table, strict=True))
    return xdf_chunk(3, struct.pack("<I", key) + b"\x04" + struct.pack("<I", len(table)) + rows)


def xdf_footer(key: int, n_samples: int) -> bytes:
    text = f'<?xml version="1.0"?><info><sample_count>{n_samples}</sample_count></info>'
    return xdf_chunk(6, struct.pack("<I", key) + text.encode())


def xdf_markers(key: int) -> bytes:
    content = struct.pack("<I", key) + b"\x01\x01" + b"\x08" + struct.pack("<d", 100.5) + b"\x01\x05start"
    return xdf_header(key, "Markers", 1, 0, "string") + xdf_chunk(3, content)


def xdf_emg(
    stamps: Array = XDF_STAMPS,
    *,
    key: int = 1,
    kind: str = "EMG",
    channels: str = XDF_CHANNELS,
    table: NDArray[np.generic] = XDF_UV,
    form: str = "float32",
) -> bytes:
    """The chunks of one stream, with 100 samples in each."""
    parts = range(0, len(table), 100)
    body = b"".join(xdf_samples(key, table[i : i + 100], stamps[i : i + 100]) for i in parts)
    header = xdf_header(key, kind, table.shape[1], XDF_HZ, form, channels)
    return header + body + xdf_footer(key, len(table))


def write_xdf(folder: Path, *parts: bytes) -> Path:
    path = folder / "a.xdf"
    start = xdf_chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')
    path.write_bytes(b"XDF:" + start + b"".join(parts))
    return path


# OTB+, as OTBioLab+ writes it (with the attributes that MNE's reader of OTB+ takes)

OTB_COUNTS = np.random.default_rng(0).integers(-20_000, 20_000, (2000, 4)).astype("<i2")
OTB_XML = """<?xml version="1.0" encoding="utf-8"?>
<Device Name="QUATTROCENTO;1" ID="a" SampleFrequency="2048" DeviceTotalChannels="4" ad_bits="16"><Channels>
<Adapter ID="Quattro" Gain="150" ChannelStartIndex="0" HighPassFilter="10" LowPassFilter="500">
<Channel Index="0" ID="GR08MM1305" Muscle="Biceps" Gain="1"/><Channel Index="1" ID="GR08MM1305" Muscle="Biceps"/>
</Adapter>
<Adapter ID="Direct connection to Auxiliary Input" Gain="0.5" ChannelStartIndex="2"><Channel Index="0" ID="AUX 1"/>
</Adapter>
<Adapter ID="AdapterControl" Gain="1" ChannelStartIndex="3"><Channel Index="0" ID="RampChannel"/></Adapter>
</Channels></Device>"""


def otb_members(xml: str = OTB_XML, content: bytes = OTB_COUNTS.tobytes()) -> dict[str, bytes]:
    return {"patient.xml": b"<patient/>", "a1.xml": xml.encode(), "a1.sig": content}


def write_otb(folder: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path = folder / "a.otb+"
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


# XLSX (ECMA-376) and ODS (OASIS OpenDocument 1.3), with the parts that a reader needs

SHEET_MV = 0.3 * np.random.default_rng(0).standard_normal((200, 2))
SHEET_NAMES = ["Time (s)", "EMG biceps [mV]", "EMG triceps [mV]"]
SHEET_ROWS: list[list[object]] = [SHEET_NAMES, *([i / 1000, *row] for i, row in enumerate(SHEET_MV.tolist()))]
XML = '<?xml version="1.0" encoding="UTF-8"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def xlsx_cell(value: object, column: int, row: int) -> str:
    """A text within the cell, or a number; a time of day becomes a part of a day in the format hh:mm:ss.000."""
    place = f"{chr(65 + column)}{row}"
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    if isinstance(value, time):
        seconds = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond * 1e-6
        return f'<c r="{place}" s="1"><v>{seconds / 86400!r}</v></c>'
    return "" if value is None else f'<c r="{place}"><v>{value!r}</v></c>'


def write_xlsx(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    bodies = {
        name: "".join(
            f'<row r="{row}">' + "".join(xlsx_cell(value, i, row) for i, value in enumerate(values)) + "</row>"
            for row, values in enumerate(rows, start=1)
        )
        for name, rows in sheets.items()
    }
    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f'{XML}<Types xmlns="{_PACKAGE}/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'{XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
            f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(
            f'<sheet name="{name}" sheetId="{i}" r:id="rId{i}"/>' for i, name in zip(numbers, sheets, strict=True)
        )
        archive.writestr(
            "xl/workbook.xml",
            f'{XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        related = "".join(
            f'<Relationship Id="rId{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>' for i in numbers
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'{XML}<Relationships xmlns="{_PACKAGE}/relationships">{related}</Relationships>',
        )
        archive.writestr(
            "xl/styles.xml",
            f'{XML}<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="hh:mm:ss.000"/>'
            '</numFmts><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>',
        )
        for i, body in zip(numbers, bodies.values(), strict=True):
            sheet = f'{XML}<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'
            archive.writestr(f"xl/worksheets/sheet{i}.xml", sheet)
    return path


def write_ods(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    """With the million empty rows at the end of a sheet that LibreOffice writes."""

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        return f'<table:table-cell office:value-type="float" office:value="{value!r}"/>'

    empty = '<table:table-cell table:number-columns-repeated="16384"/>'
    tables = "".join(
        f'<table:table table:name="{name}">'
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        + f'<table:table-row table:number-rows-repeated="1048000">{empty}</table:table-row></table:table>'
        for name, rows in sheets.items()
    )
    spaces = "".join(f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
                     for name in ("office", "table", "text", "manifest"))  # fmt: skip
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet", zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", f"{XML}<manifest:manifest{spaces}/>")
        archive.writestr("content.xml", f"{XML}<office:document-content{spaces}>{body}</office:document-content>")
    return path


# Parquet and Feather, with pyarrow


def write_parquet(path: Path, table: Any) -> Path:
    """A table of pyarrow as Parquet or Feather, by the suffix."""
    from pyarrow import feather, parquet

    if path.suffix == ".feather":
        feather.write_feather(table, str(path))
    else:
        parquet.write_table(table, path)
    return path


# C3D, byte by byte from the C3D User Guide (https://www.c3d.org/docs/C3D_User_Guide.pdf)

C3D_V = 3e-4 * np.random.default_rng(0).standard_normal((3, 500))
C3D_LABELS = ("EMG_R_Soleus", "EMG_R_TibAnt", "FP1_Fx")
INTEL, DEC, MIPS = 84, 85, 86  # types of processors


def c3d_parameter(group: int, name: str, values: Sequence[float | str] | bytes, order: str = "<", **how: int) -> bytes:
    """A parameter of texts, of numbers (float, or int16 with ``size=2``), or of bytes."""
    if isinstance(values, bytes):
        kind, shape, content = 4, [len(values) // 4], values
    elif isinstance(values[0], str):
        width = max(len(str(text).encode()) for text in values)
        kind, shape = -1, [width, len(values)]
        content = b"".join(str(text).encode().ljust(width) for text in values)
    elif how.get("size") == 2:
        kind, shape, content = 2, [len(values)], np.array(values, f"{order}i2").tobytes()
    else:
        kind, shape, content = 4, [len(values)], np.array(values, f"{order}f4").tobytes()
    body = struct.pack("bB", kind, len(shape)) + bytes(shape) + content + b"\0"
    return struct.pack("bb", len(name), group) + name.encode() + struct.pack(f"{order}H", len(body) + 2) + body


def write_c3d(
    folder: Path,
    signals: Array = C3D_V,
    labels: Sequence[str] = C3D_LABELS,
    units: Sequence[str] = ("V", "V", "N"),
    *,
    processor: int = INTEL,
    scale: float = 0.0,
    more: bytes = b"",
) -> Path:
    """Analog channels (n_channels, n_samples) at 1000 Hz beside two markers at 100 Hz.

    scale : of samples of 16 bits, with an offset of 7; 0: samples are numbers with a floating point.
    more : further parameters; group 1 is POINT, 2 is ANALOG, 3 is TRIAL.
    """
    order = ">" if processor == MIPS else "<"

    def floats(values: Array) -> bytes:
        if processor != DEC:
            return values.astype(f"{order}f4").tobytes()
        return (values * 4).astype("<f4").view("<u2").reshape(-1, 2)[:, ::-1].tobytes()  # (n,) -> (n, 2) words

    n_channels, n_frames = len(signals), signals.shape[1] // 10
    point_scale = floats(np.array([0.1 if scale else -0.1]))
    groups = b"".join(struct.pack("bb", len(name), -i) + name.encode() + struct.pack(f"{order}H", 3) + b"\0"
                      for i, name in enumerate(("POINT", "ANALOG", "TRIAL"), start=1))  # fmt: skip
    section = groups + c3d_parameter(1, "USED", [2], order, size=2) + c3d_parameter(1, "SCALE", point_scale, order)
    section += c3d_parameter(1, "RATE", floats(np.array([100.0])), order)
    section += c3d_parameter(2, "USED", [n_channels], order, size=2) + c3d_parameter(2, "LABELS", labels, order)
    section += c3d_parameter(2, "RATE", floats(np.array([1000.0])), order) + c3d_parameter(2, "UNITS", units, order)
    section += c3d_parameter(2, "SCALE", floats(np.full(n_channels, scale or 1.0)[:255]), order)
    section += c3d_parameter(2, "OFFSET", ([7 if scale else 0] * n_channels)[:255], order, size=2) + more
    n_blocks = (len(section) + 4) // 512 + 1
    header = struct.pack(f"{order}BB5H", 2, 0x50, 2, 10 * n_channels, 1, min(n_frames, 65535), 10)
    header += point_scale
    header += struct.pack(f"{order}2H", 2 + n_blocks, 10) + floats(np.array([100.0]))
    analog = signals.T.reshape(n_frames, 10 * n_channels)  # (n_samples, n_channels) -> (n_frames, ...)
    if scale:
        frames = np.hstack([np.ones((n_frames, 8)), np.rint(analog / scale) + 7])
        content = frames.astype(f"{order}i2").tobytes()
    else:
        content = floats(np.hstack([np.ones((n_frames, 8)), analog]).reshape(-1))
    start = header.ljust(512, b"\0") + (bytes((1, 80, n_blocks, processor)) + section).ljust(512 * n_blocks, b"\0")
    path = folder / "a.c3d"
    path.write_bytes(start + content.ljust(-(-len(content) // 512) * 512, b"\0"))
    return path


# BIDS

BIDS_STEM = "sub-01/emg/sub-01_task-curl"
BIDS_RECORDING = f"{BIDS_STEM}_emg.edf"
BIDS_CHANNELS = """name	type	units	status	target_muscle
B1	EMG	microV	good	biceps
B2	EMG	uV	bad	biceps
K	MISC	oC	n/a	n/a
"""


def write_bids(folder: Path, files: dict[str, str] | None = None) -> Path:
    """A dataset of one recording, which is empty, and of ``files``: path with ``/`` -> text."""
    all_files = {"dataset_description.json": '{"Name": "x", "BIDSVersion": "1.11.1"}', BIDS_RECORDING: ""}
    for name, text in (all_files | (files or {})).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
