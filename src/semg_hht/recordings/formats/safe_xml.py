"""XML that came with a recording, read so that it can do no harm.

Knows XML: nothing of recordings.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.parsers import expat

from semg_hht.errors import InputError

MAX_BYTES = 64 * 2**20


def read_xml(path: Path, content: bytes, what: str) -> Element:
    """The root of an XML document without a document type: entities, which can grow without end, are declared there.

    what : what the document is, for messages.

    Raises
    ------
    InputError
        It is no XML, has a document type, or is larger than 64 MiB.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: {what} takes {len(content)} bytes; expected no more than {MAX_BYTES}")
    declared: list[str] = []
    looking = expat.ParserCreate()

    def stop(name: str, *_: object) -> None:
        declared.append(name)
        raise ValueError(name)

    looking.StartDoctypeDeclHandler = stop
    try:
        looking.Parse(content, True)
        return fromstring(content)
    except (expat.ExpatError, ParseError, ValueError, LookupError) as error:
        if declared:
            raise InputError(f"{path}: {what} declares a document type {declared[0]!r}; expected plain XML") from None
        raise InputError(f"{path}: {what} can't be read as XML; {error}") from None
