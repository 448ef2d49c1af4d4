"""recordings/formats/otb.py: archives as OTBioLab+ writes them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from recording_files import OTB_COUNTS, OTB_XML, otb_members, write_otb
from semg_hht.errors import InputError
from semg_hht.recordings.recording import read_recording


@pytest.mark.parametrize("kind", ["w", "w:gz"])
def test_samples_rate_names_and_units(tmp_path: Path, kind: str) -> None:
    recording = read_recording(write_otb(tmp_path, otb_members(), kind))
    assert_allclose(recording.samples[:2], OTB_COUNTS.T[:2] * 0.00050863)
    assert_allclose(recording.samples[2:], OTB_COUNTS.T[2:])
    assert (recording.rate_hz, recording.units) == (2048.0, "mV")
    assert recording.channel_names == ("Biceps GR08MM1305 1", "Biceps GR08MM1305 2", "AUX 1", "RampChannel")
    assert recording.non_emg == ("AUX 1", "RampChannel")
    assert recording.remarks[:2] == (
        "the amplitudes are scaled by the maker's factor for QUATTROCENTO, 0.50863 uV per count",
        "channels that are not EMG, by their names: AUX 1, RampChannel",
    )


def test_samples_of_a_device_with_an_unknown_factor_stay_counts(tmp_path: Path) -> None:
    recording = read_recording(write_otb(tmp_path, otb_members(OTB_XML.replace("QUATTROCENTO", "SYNCSTATION"))))
    assert_allclose(recording.samples, OTB_COUNTS.T)
    assert recording.units == "adc"
    assert recording.remarks[0].endswith("the factor of SYNCSTATION is unknown")


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "one" / "two"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    path = write_otb(folder, otb_members() | {"../../escaped.txt": b"outside"})
    assert read_recording(path).n_samples == 2000
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('ad_bits="16"', 'ad_bits="24"', "expected samples of 16 bits; found 24 bits"),
        ('ad_bits="16"', "", "expected numbers in a1.xml; one is missing or invalid"),
        ('Frequency="2048"', 'Frequency="fast"', "expected numbers in a1.xml; one is missing or invalid: .*'fast'"),
        ('Channels="4"', 'Channels="0"', "expected a multiple of 0 bytes of samples; found 16000"),
        ('Channels="4"', 'Channels="7"', "expected a multiple of 14 bytes of samples; found 16000"),
        ('StartIndex="3"', 'StartIndex="9"', "describes channel 10; expected at most 4"),
        ("</Device>", "", "a1.xml can't be read as XML"),
        ("<Device ", '<!DOCTYPE d [<!ENTITY a "aaaa">]><Device ', "a1.xml declares a document type 'd'"),
    ],
)
def test_a_wrong_description_is_an_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OTB_XML
    with pytest.raises(InputError, match=message):
        read_recording(write_otb(tmp_path, otb_members(OTB_XML.replace(old, new))))


def test_a_missing_or_repeated_member_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected one signal \(\.sig\); found none"):
        read_recording(write_otb(tmp_path, {"a1.xml": b""}))
    with pytest.raises(InputError, match=r"expected one signal \(\.sig\); found a1\.sig, a2\.sig"):
        read_recording(write_otb(tmp_path, otb_members() | {"a2.sig": b""}))
    with pytest.raises(InputError, match=r"expected a1\.xml, which describes the signal; found none"):
        read_recording(write_otb(tmp_path, {"a1.sig": b""}))


@pytest.mark.parametrize("n_bytes", [0, 100, 5000, 12_000])
def test_an_archive_that_is_cut_short_is_an_error(tmp_path: Path, n_bytes: int) -> None:
    path = write_otb(tmp_path, otb_members())
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"a\.otb\+: (can't be read as OTB\+|a1\.sig holds|expected one signal)"):
        read_recording(path)


def test_a_member_that_is_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.recordings.formats.otb.MAX_SIGNAL_BYTES", 15_999)
    with pytest.raises(InputError, match=r"a1\.sig declares 16000 bytes; expected at most 15999"):
        read_recording(write_otb(tmp_path, otb_members(), "w:gz"))


def test_a_description_larger_than_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semg_hht.recordings.formats.otb.MAX_XML_BYTES", 100)
    with pytest.raises(InputError, match=r"a1\.xml declares \d+ bytes; expected at most 100"):
        read_recording(write_otb(tmp_path, otb_members()))
