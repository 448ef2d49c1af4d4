"""recordings/formats/safe_xml.py: XML from untrusted files."""

from __future__ import annotations

from pathlib import Path

import pytest

from semg_hht.errors import InputError
from semg_hht.recordings.formats import safe_xml
from semg_hht.recordings.formats.safe_xml import read_xml


def test_a_plain_document_is_read(tmp_path: Path) -> None:
    assert read_xml(tmp_path / "a.xdf", b"<info><name>Amp</name></info>", "the header").findtext("name") == "Amp"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'<!DOCTYPE lol [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><info><name>&b;</name></info>',
            r"a\.xdf: the header declares a document type 'lol'; expected plain XML",
        ),
        (b"<info>", r"a\.xdf: the header can't be read as XML"),
        (b"", r"a\.xdf: the header can't be read as XML"),
    ],
)
def test_entities_and_damaged_documents_are_errors(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_xml(tmp_path / "a.xdf", content, "the header")


def test_a_document_that_is_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_xml, "MAX_XML_BYTES", 20)
    with pytest.raises(InputError, match=r"a\.xdf: the header has 21 bytes; expected at most 20"):
        read_xml(tmp_path / "a.xdf", b"<info>" + bytes(8) + b"</info>", "the header")
