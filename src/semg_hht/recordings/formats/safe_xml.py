"""Parse XML from an untrusted file safely."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers import expat

from semg_hht.errors import InputError

MAX_XML_BYTES = 64 * 2**20


def read_xml(path: Path, content: bytes, what: str) -> Element:
    """The root of an XML document. A document type is refused, because it may declare entities that grow without limit.

    what : the name of the document in messages.

    Raises
    ------
    InputError
        The document is not XML, has a document type, or is larger than 64 MiB.
    """
    if len(content) > MAX_XML_BYTES:
        raise InputError(f"{path}: {what} has {len(content)} bytes; expected at most {MAX_XML_BYTES}")
    declared: list[str] = []
    parser = expat.ParserCreate()

    def stop(name: str, *_: object) -> None:
        declared.append(name)
        raise ValueError(name)

    parser.StartDoctypeDeclHandler = stop
    try:
        parser.Parse(content, True)
        return fromstring(content)
    except (expat.ExpatError, ParseError, ValueError, LookupError) as error:
        if declared:
            raise InputError(f"{path}: {what} declares a document type {declared[0]!r}; expected plain XML") from None
        raise InputError(f"{path}: {what} can't be read as XML; {error}") from None
