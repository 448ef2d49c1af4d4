"""Recordings of OT Bioelettronica's devices (OTB+): a tar archive of samples and their description in XML.

Knows adapters and converter counts: nothing of what a recording must be. Nothing of the archive is written to disk.
"""

# biosigio unpacks the archive with the program tar into a temporary folder, prints as it goes, and scales every device
# alike; MNE's reader says in its source that its scale is a guess. So the few lines are here.

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.channels import distinct, is_other
from semg_hht.recordings.formats.contents import Contents
from semg_hht.recordings.formats.safe_xml import MAX_BYTES, read_xml
from semg_hht.system.files import require_modest

# Millivolts of one count at the electrodes: OT Bioelettronica, OTB-Matlab, OpenOTBfilesConvFact.m.
MILLIVOLTS = {
    "QUATTROCENTO": 0.00050863, "QUATTRO": 0.00050863, "DUE+": 0.00024928, "QUATTRO+": 0.00024928, "DUE": 0.00038147,
    "MUOVI": 0.0002861, "MUOVI+": 0.0002861, "SESSANTAQUATTRO": 0.0002861, "SESSANTAQUATTRO+": 0.0002861,
    "NOVECENTO": 0.0002861, "NOVECENTO+": 0.0002861,
}  # fmt: skip
MAX_SIGNAL_BYTES = 4 * 2**30  # an archive that was packed once more may claim any size
# Parts of the names of adapters and channels that carry no muscle.
NO_MUSCLE = ("CONTROL", "QUATERNION", "LOADCELL", "AUX", "DIRECT CONNECTION", "BUFFER", "RAMP", "ACC", "GYRO")


def read_otb(path: Path) -> Contents:
    """The one signal of an OTB+ file, in millivolts where the device's factor is known, else in counts.

    Raises
    ------
    InputError
        The file is no such archive, holds none or several signals, or one that is cut short or of other than 16 bits.
    """
    try:
        with tarfile.open(path, "r:*") as archive:
            signals = [member for member in archive if member.isfile() and member.name.endswith(".sig")]
            if len(signals) != 1:
                found = ", ".join(member.name for member in signals) or "none"
                raise InputError(f"{path}: expected one signal (.sig); found {found}")
            name = str(PurePosixPath(signals[0].name).with_suffix(".xml"))
            device = read_xml(path, _bytes(path, archive, archive.getmember(name), MAX_BYTES), name)
            require_modest(path, 4 * signals[0].size)  # as numbers of 64 bits
            content = _bytes(path, archive, signals[0], MAX_SIGNAL_BYTES)
    except KeyError:
        raise InputError(f"{path}: expected {name}, which describes the signal; found none") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        first = str(error).partition(":\n")[0]  # behind it stands every way of packing that was tried
        raise InputError(f"{path}: can't be read as OTB+; {first}") from None
    try:
        return _contents(path, device, content)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {name} lacks a number or holds one that is none; {error}") from None


def _bytes(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    if member.size > most:
        raise InputError(f"{path}: {member.name} declares {member.size} bytes; expected no more than {most}")
    handle = archive.extractfile(member)
    return handle.read() if handle else b""  # one that is cut short is a ReadError of tarfile's


def _contents(path: Path, device: Element, content: bytes) -> Contents:
    model = device.get("Name", "").split(";")[0].strip()
    n_bits, n_channels = int(device.get("ad_bits", "")), int(device.get("DeviceTotalChannels", ""))
    if n_bits != 16:
        raise InputError(f"{path}: samples of {n_bits} bits; expected 16")
    if n_channels < 1 or len(content) % (2 * n_channels):
        raise InputError(f"{path}: {len(content)} bytes of samples; expected a multiple of {2 * n_channels}")
    table = np.frombuffer(content, dtype="<i2").reshape(-1, n_channels).astype(np.float64)  # (n_samples, n_channels)
    labels, others = [""] * n_channels, [False] * n_channels
    for adapter in device.iter("Adapter"):
        for channel in adapter.iter("Channel"):
            at = int(adapter.get("ChannelStartIndex", "")) + int(channel.get("Index", ""))
            if not 0 <= at < n_channels:
                raise InputError(f"{path}: describes channel {at + 1}; the signal has {n_channels}")
            said = [channel.get("Muscle", "").strip(), channel.get("ID", "").strip()]
            labels[at] = " ".join(text for text in said if text and text.lower() != "not defined")
            what = " ".join([adapter.get("ID", ""), channel.get("ID", ""), channel.get("Description", "")])
            others[at] = is_other(what) or any(word in what.upper() for word in NO_MUSCLE)
    names = distinct(labels)
    other = tuple(name for name, is_aside in zip(names, others, strict=True) if is_aside)
    remarks = [f"not taken for EMG, by adapter: {', '.join(other)}"] if other else []
    factor = MILLIVOLTS.get(model.upper())
    if factor is None:
        remarks.append(f"amplitudes are the converter's own counts: the factor of {model or 'the device'} is unknown")
    else:
        table[:, [not is_aside for is_aside in others]] *= factor
        remarks.append(f"amplitudes follow the maker's factor for {model}, {factor * 1e3:g} uV a count")
    units = "adc" if factor is None else "mV"
    return Contents(table, float(device.get("SampleFrequency", "")), names, units, other, tuple(remarks))
