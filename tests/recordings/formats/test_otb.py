"""signals/otb.py: archives laid out as OTBioLab+ writes them (attributes as MNE's reader of OTB+ takes them)."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording

COUNTS = np.random.default_rng(0).integers(-20_000, 20_000, (2000, 4)).astype("<i2")
XML = """<?xml version="1.0" encoding="utf-8"?>
<Device Name="QUATTROCENTO;1" ID="a" SampleFrequency="2048" DeviceTotalChannels="4" ad_bits="16"><Channels>
<Adapter ID="Quattro" Gain="150" ChannelStartIndex="0" HighPassFilter="10" LowPassFilter="500">
<Channel Index="0" ID="GR08MM1305" Muscle="Biceps" Gain="1"/><Channel Index="1" ID="GR08MM1305" Muscle="Biceps"/>
</Adapter>
<Adapter ID="Direct connection to Auxiliary Input" Gain="0.5" ChannelStartIndex="2"><Channel Index="0" ID="AUX 1"/>
</Adapter>
<Adapter ID="AdapterControl" Gain="1" ChannelStartIndex="3"><Channel Index="0" ID="RampChannel"/></Adapter>
</Channels></Device>"""


def write(folder: Path, members: dict[str, bytes], kind: str = "w") -> Path:
    path = folder / "a.otb+"
    with tarfile.open(path, kind) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def whole(xml: str = XML, content: bytes = COUNTS.tobytes()) -> dict[str, bytes]:
    return {"patient.xml": b"<patient/>", "a1.xml": xml.encode(), "a1.sig": content}


@pytest.mark.parametrize("kind", ["w", "w:gz"])
def test_samples_rate_names_and_units(tmp_path: Path, kind: str) -> None:
    recording = read_recording(write(tmp_path, whole(), kind))
    assert_allclose(recording.samples[:2], COUNTS.T[:2] * 0.00050863)
    assert_allclose(recording.samples[2:], COUNTS.T[2:])
    assert (recording.rate_hz, recording.units) == (2048.0, "mV")
    assert recording.channel_names == ("Biceps GR08MM1305 1", "Biceps GR08MM1305 2", "AUX 1", "RampChannel")
    assert recording.other == ("AUX 1", "RampChannel")
    assert recording.remarks[:2] == (
        "not taken for EMG, by adapter: AUX 1, RampChannel",
        "amplitudes follow the maker's factor for QUATTROCENTO, 0.50863 uV a count",
    )


def test_a_device_whose_factor_is_unknown_stays_in_counts(tmp_path: Path) -> None:
    recording = read_recording(write(tmp_path, whole(XML.replace("QUATTROCENTO", "SYNCSTATION"))))
    assert_allclose(recording.samples, COUNTS.T)
    assert recording.units == "adc"
    assert recording.remarks[1].endswith("the factor of SYNCSTATION is unknown")


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "one" / "two"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    path = write(folder, whole() | {"../../escaped.txt": b"outside"})
    assert read_recording(path).n_samples == 2000
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('ad_bits="16"', 'ad_bits="24"', "samples of 24 bits; expected 16"),
        ('ad_bits="16"', "", "a1.xml lacks a number or holds one that is none"),
        ('Frequency="2048"', 'Frequency="fast"', "a1.xml lacks a number or holds one that is none; .*'fast'"),
        ('Channels="4"', 'Channels="0"', "16000 bytes of samples; expected a multiple of 0"),
        ('Channels="4"', 'Channels="7"', "16000 bytes of samples; expected a multiple of 14"),
        ('StartIndex="3"', 'StartIndex="9"', "describes channel 10; the signal has 4"),
        ("</Device>", "", "a1.xml can't be read as XML"),
        ("<Device ", '<!DOCTYPE d [<!ENTITY a "aaaa">]><Device ', "a1.xml declares a document type 'd'"),
    ],
)
def test_descriptions_that_lie(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in XML
    with pytest.raises(InputError, match=said):
        read_recording(write(tmp_path, whole(XML.replace(old, new))))


def test_archives_that_lack_or_double_a_member(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected one signal \(\.sig\); found none"):
        read_recording(write(tmp_path, {"a1.xml": b""}))
    with pytest.raises(InputError, match=r"expected one signal \(\.sig\); found a1\.sig, a2\.sig"):
        read_recording(write(tmp_path, whole() | {"a2.sig": b""}))
    with pytest.raises(InputError, match=r"expected a1\.xml, which describes the signal; found none"):
        read_recording(write(tmp_path, {"a1.sig": b""}))


@pytest.mark.parametrize("n_bytes", [0, 100, 5000, 12_000])
def test_an_archive_that_is_cut_short(tmp_path: Path, n_bytes: int) -> None:
    path = write(tmp_path, whole())
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"a\.otb\+: (can't be read as OTB\+|a1\.sig holds|expected one signal)"):
        read_recording(path)


def test_a_member_larger_than_any_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.recordings.formats.otb.MAX_SIGNAL_BYTES", 15_999)
    with pytest.raises(InputError, match=r"a1\.sig declares 16000 bytes; expected no more than 15999"):
        read_recording(write(tmp_path, whole(), "w:gz"))


def test_a_description_larger_than_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.recordings.formats.otb.MAX_BYTES", 100)
    with pytest.raises(InputError, match=r"a1\.xml declares \d+ bytes; expected no more than 100"):
        read_recording(write(tmp_path, whole()))
