"""recordings/formats/readers.py: the reader of each suffix."""

from __future__ import annotations

from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.recordings.formats.readers import NOT_READ, READERS, reader_of, remark_on_others


def test_a_suffix_in_capital_letters_has_the_same_reader() -> None:
    assert reader_of(Path("S01.EDF")) is READERS[".edf"]


@pytest.mark.parametrize("name", ["S01.docx", "S01"])
def test_a_suffix_without_a_reader_lists_those_that_have_one(name: str) -> None:
    with pytest.raises(InputError, match=r"recordings are read from \.csv, .*; found"):
        reader_of(Path(name))


@pytest.mark.parametrize(
    ("name", "advice"),
    [("S01.hpf", "open it in Delsys EMGworks and export it as CSV"), ("S01.VHDR", "mne.io.read_raw_brainvision"),
     ("S01.csv.gz", "unpack it with gunzip"), ("S01.nwb", "read it with pynwb")],
)  # fmt: skip
def test_a_kind_that_is_not_read_says_how_to_convert_it(name: str, advice: str) -> None:
    with pytest.raises(InputError, match=rf"{name}: {Path(name).suffix.lower()} is not read; .*{advice}"):
        reader_of(Path(name))


def test_no_kind_is_read_and_not_read() -> None:
    assert not NOT_READ.keys() & READERS.keys()


def test_files_of_kinds_that_are_not_read_are_one_remark(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.hpf", "b.HPF", "c.nwb", "d.csv", "e.json")]
    for file in files:
        file.touch()
    (tmp_path / "folder.nwb").mkdir()
    remark = remark_on_others([*files, tmp_path / "folder.nwb"])
    start = (
        "3 files of kinds that are not read were left alone (.hpf, .nwb): .hpf: open it in Delsys EMGworks and export"
    )
    assert remark.startswith(start)
    assert remark_on_others(files[3:]) == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.adicht", "open it in ADInstruments LabChart and export it as .mat or .txt"),
        ("a.smrx", r"open it in Spike2 and export it as text \(\.txt\)"),
    ],
)
def test_formats_that_only_their_maker_reads_name_the_export(name: str, message: str) -> None:
    with pytest.raises(InputError, match=f"is not read; {message}"):
        reader_of(Path(name))
