"""Reader of OTB+ recordings by devices of OT Bioelettronica: a tar archive of samples and their description in XML."""

# The package biosigio unpacks the archive into a temporary folder with the program tar, prints while it reads, and
# scales all devices alike; the source of MNE's reader calls its own scale a guess. This reader needs few lines.

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import numpy as np

from semg_hht.errors import InputError
from semg_hht.recordings.channels import distinct_names, is_not_emg
from semg_hht.recordings.formats.decoded_recording import DecodedRecording
from semg_hht.recordings.formats.safe_xml import MAX_XML_BYTES, read_xml
from semg_hht.system.files import require_modest

# Millivolts per count at the electrodes: OT Bioelettronica, OTB-Matlab, OpenOTBfilesConvFact.m.
MILLIVOLTS = {
    "QUATTROCENTO": 0.00050863, "QUATTRO": 0.00050863, "DUE+": 0.00024928, "QUATTRO+": 0.00024928, "DUE": 0.00038147,
    "MUOVI": 0.0002861, "MUOVI+": 0.0002861, "SESSANTAQUATTRO": 0.0002861, "SESSANTAQUATTRO+": 0.0002861,
    "NOVECENTO": 0.0002861, "NOVECENTO+": 0.0002861,
}  # fmt: skip
MAX_SIGNAL_BYTES = 4 * 2**30  # a compressed archive may declare any size
# Parts of the names of adapters and channels that are not EMG.
NON_EMG_PARTS = ("CONTROL", "QUATERNION", "LOADCELL", "AUX", "DIRECT CONNECTION", "BUFFER", "RAMP", "ACC", "GYRO")


def read_otb(path: Path) -> DecodedRecording:
    """Read the one signal of an OTB+ file, in millivolts if the factor of the device is known, else in counts.

    Raises
    ------
    InputError
        The file is not a tar archive, does not hold exactly one signal, or the signal is cut short or not of 16 bits.
    """
    try:
        with tarfile.open(path, "r:*") as archive:
            signals = [member for member in archive if member.isfile() and member.name.endswith(".sig")]
            if len(signals) != 1:
                found = ", ".join(member.name for member in signals) or "none"
                raise InputError(f"{path}: expected one signal (.sig); found {found}")
            name = str(PurePosixPath(signals[0].name).with_suffix(".xml"))
            device = read_xml(path, _read_member(path, archive, archive.getmember(name), MAX_XML_BYTES), name)
            require_modest(path, 4 * signals[0].size)  # the samples become numbers of 64 bits
            content = _read_member(path, archive, signals[0], MAX_SIGNAL_BYTES)
    except KeyError:
        raise InputError(f"{path}: expected {name}, which describes the signal; found none") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        first = str(error).partition(":\n")[0]  # the rest lists all compressions that tarfile tried
        raise InputError(f"{path}: can't be read as OTB+; {first}") from None
    try:
        return _decode(path, device, content)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: expected numbers in {name}; one is missing or invalid: {error}") from None


def _read_member(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo, max_bytes: int) -> bytes:
    if member.size > max_bytes:
        raise InputError(f"{path}: {member.name} declares {member.size} bytes; expected at most {max_bytes}")
    handle = archive.extractfile(member)
    return handle.read() if handle else b""  # tarfile raises ReadError if it is cut short


def _decode(path: Path, device: Element, content: bytes) -> DecodedRecording:
    model = device.get("Name", "").split(";")[0].strip()
    n_bits, n_channels = int(device.get("ad_bits", "")), int(device.get("DeviceTotalChannels", ""))
    if n_bits != 16:
        raise InputError(f"{path}: expected samples of 16 bits; found {n_bits} bits")
    if n_channels < 1 or len(content) % (2 * n_channels):
        raise InputError(f"{path}: expected a multiple of {2 * n_channels} bytes of samples; found {len(content)}")
    table = np.frombuffer(content, dtype="<i2").reshape(-1, n_channels).astype(np.float64)  # (n_samples, n_channels)
    labels, is_emg = [""] * n_channels, [True] * n_channels
    for adapter in device.iter("Adapter"):
        for channel in adapter.iter("Channel"):
            at = int(adapter.get("ChannelStartIndex", "")) + int(channel.get("Index", ""))
            if not 0 <= at < n_channels:
                raise InputError(f"{path}: describes channel {at + 1}; expected at most {n_channels}, as in the signal")
            parts = [channel.get("Muscle", "").strip(), channel.get("ID", "").strip()]
            labels[at] = " ".join(text for text in parts if text and text.lower() != "not defined")
            description = " ".join([adapter.get("ID", ""), channel.get("ID", ""), channel.get("Description", "")])
            is_emg[at] = not (is_not_emg(description) or any(part in description.upper() for part in NON_EMG_PARTS))
    names = distinct_names(labels)
    non_emg = tuple(name for name, is_muscle in zip(names, is_emg, strict=True) if not is_muscle)
    remarks = []
    factor = MILLIVOLTS.get(model.upper())
    if factor is None:
        remarks.append(f"the amplitudes are counts of the converter; the factor of {model or 'the device'} is unknown")
    else:
        table[:, is_emg] *= factor
        remarks.append(f"the amplitudes are scaled by the maker's factor for {model}, {factor * 1e3:g} uV per count")
    units = "adc" if factor is None else "mV"
    return DecodedRecording(table, float(device.get("SampleFrequency", "")), names, units, non_emg, tuple(remarks))
