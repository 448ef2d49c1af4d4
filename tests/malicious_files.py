"""Damage valid files at random: change their bytes, numbers, words and structure, depending on their format.

It knows formats and does not know readers; `valid_files.py` has valid files of each format.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

BOMB = 48 * 2**20  # unpacked bytes of a member of zeros, which takes about 48 kB packed
TEXT = (".csv", ".txt", ".tsv", ".json", ".jsonl", ".hea", ".xml")
# Numbers that a malicious header may state.
NUMBERS = ("0", "-1", "1", "1e400", "-1e400", "nan", "inf", "1000000000000", "99999999999999999999", "0.0", "1e-320",
           "9" * 5000, "abc", "", "٣", "1_000", "0x10", "1,5")  # fmt: skip
INTEGERS = (0, 1, -1, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 10**12, 2**63 - 1, 2**64 - 1)
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**12, 10**400, 1e308, float("nan"), float("inf"), "", "x", "../../escaped", "/etc/passwd", [],
    {}, [None], [[[]]], {"": 0}, "\0", "\ud800", "x" * 10_000,
)  # fmt: skip
WORDS = ("\0", "\ufeff", '"', "'", ";", "\t", ",", ",,,,", "\r", "\n\n", "nan", "#", "{", "[" * 3000, "\u2028", "-",
         "1e9", "ÿ", "file", "Time (s)", "=", ":", "Hz", "\x1a")  # fmt: skip


def mutated(files: dict[str, bytes], name: str, rng: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """The content of file ``name`` after one or several random changes; ``others`` are spliced in."""
    content = files[name]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(_mutations(name, content))(content, rng)
        if others and rng.random() < 0.03:
            other = rng.choice(others)
            content = content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]
    return content


def _mutations(name: str, content: bytes) -> list[Callable[[bytes, random.Random], bytes]]:
    mutations = [_bits, _bytes, _insert, _cut_out, _truncate, _integer, _digits]
    if name.endswith(TEXT):
        mutations += [_words, _lines, _digits, _digits]
    if name.endswith((".json", ".jsonl")):
        mutations += [_json] * 8
    if content[:2] == b"PK":
        mutations += [_zip] * 8
    if name.endswith(".npy"):
        mutations += [_npy_or_bits] * 6
    if name.endswith(".otb+"):
        mutations += [_tar] * 8
    if name.endswith(".safetensors"):
        mutations += [_safetensors] * 6
    return mutations


def _at(content: bytes, rng: random.Random) -> int:
    """A random position; half of the time near the start, where headers are."""
    return rng.randrange(min(len(content), 512 if rng.random() < 0.5 else len(content)) or 1)


def _bits(content: bytes, rng: random.Random) -> bytes:
    out = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        out[_at(out, rng)] ^= 1 << rng.randrange(8)
    return bytes(out)


def _bytes(content: bytes, rng: random.Random) -> bytes:
    out, at = bytearray(content or b"\0"), _at(content, rng)
    run = rng.choice((1, 2, 4, 32))
    out[at : at + run] = rng.choice((b"\0" * run, b"\xff" * run, rng.randbytes(run), b"\x80" * run))
    return bytes(out)


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    new = rng.choice((rng.randbytes(rng.choice((1, 3, 64))), content[at : at + 100], b"\0" * 512))
    return content[:at] + new + content[at:]


def _cut_out(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    return content[:at] + content[at + rng.choice((1, 2, 7, 100, 1000)) :]


def _truncate(content: bytes, rng: random.Random) -> bytes:
    return content[: _at(content, rng)]


def _integer(content: bytes, rng: random.Random) -> bytes:
    at, value, form = _at(content, rng), rng.choice(INTEGERS), rng.choice("bhiqd")
    order = rng.choice("<>")
    size = struct.calcsize(form)
    if form == "d":
        new = struct.pack(order + form, rng.choice((float("nan"), float("inf"), -1.0, 1e300, 1e12, float(value))))
    else:
        new = (value % 256**size).to_bytes(size, "little" if order == "<" else "big")
    return content[:at] + new + content[at + size :]


def _digits(content: bytes, rng: random.Random) -> bytes:
    """Replace a number written in decimal digits, as in headers of EDF, WFDB, XDF and tables."""
    found = [m.span() for m in re.finditer(rb"-?\d+(?:\.\d+)?", content[:20_000])]
    if not found:
        return _bits(content, rng)
    start, stop = rng.choice(found[: 20 if rng.random() < 0.5 else len(found)])
    new = rng.choice(NUMBERS).encode()
    if rng.random() < 0.5:  # columns of fixed width keep their place
        new = new[: stop - start].ljust(stop - start)
    return content[:start] + new + content[stop:]


def _words(content: bytes, rng: random.Random) -> bytes:
    at = _at(content, rng)
    return content[:at] + rng.choice(WORDS).encode("utf-8", "surrogatepass") * rng.choice((1, 1, 3)) + content[at:]


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    at = rng.randrange(min(len(lines), rng.choice((8, 1000))))
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        case 2:
            old, new = rng.choice(((b",", b";"), (b",", b"\t"), (b".", b","), (b"\t", b","), (b";", b",")))
            lines = [line.replace(old, new) for line in lines] if rng.random() < 0.5 else lines
            lines[at] = lines[at].replace(old, new)
        case 3:
            lines = lines[: at + 1]
        case _:
            lines[at] = lines[at] * rng.choice((2, 50))
    return b"\n".join(lines)


def _json(content: bytes, rng: random.Random) -> bytes:
    """Change a value in the tree, remove a key, or nest brackets too deeply."""
    try:
        tree = json.loads(content.split(b"\n")[0] if rng.random() < 0.1 else content)
    except (ValueError, RecursionError):
        return _bits(content, rng)
    if rng.random() < 0.03:
        deep = rng.choice((b"[", b'{"a":'))
        return deep * 100_000
    text = json.dumps(_changed(tree, rng))
    if rng.random() < 0.1:
        text = re.sub(r"\d+", "9" * 5000, text, count=1)
    return text.encode("utf-8", "surrogatepass")


def _changed(tree: Any, rng: random.Random) -> Any:
    if isinstance(tree, (dict, list)) and tree and rng.random() < 0.9:
        key = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
        match rng.randrange(12):
            case 0:
                return {k: v for k, v in tree.items() if k != key} if isinstance(tree, dict) else tree[1:]
            case 1:
                return tree | {"unknown": 1} if isinstance(tree, dict) else tree * 2
            case _:
                out = tree.copy()
                out[key] = _changed(tree[key], rng)
                return out
    return rng.choice(VALUES)


def _members(members: Callable[[bytes], list[T]], content: bytes) -> list[T]:
    """The members of an archive; empty if an earlier change damaged it."""
    try:
        return members(content)
    except Exception:  # noqa: BLE001 - damaged archives raise many kinds of errors
        return []


def _zip_members(content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist() if info.file_size < 2**22]


def _tar_members(content: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [(m, archive.extractfile(m).read()) for m in archive if m.isfile()]  # type: ignore[union-attr]


def _zip(content: bytes, rng: random.Random) -> bytes:
    """Change, remove, rename, repeat or inflate one member."""
    members = _members(_zip_members, content)
    if not members:
        return _bits(content, rng)
    at = rng.randrange(len(members))
    name, inner = members[at]
    match rng.randrange(10):
        case 0:
            members[at] = (rng.choice(("../../escaped", "/tmp/escaped.npy", "", "a" * 3000, "hht.npy")), inner)
        case 1:
            del members[at]
        case 2:
            members.append((name, members[rng.randrange(len(members))][1]))
        case 3 if rng.random() < 0.02:
            members[at] = (name, inner[:200] + b"\0" * BOMB)
        case 4 | 5 if inner[:6] == b"\x93NUMPY":
            members[at] = (name, _npy(inner, rng))
        case 6 | 7 if name.endswith(".json"):
            members[at] = (name, _json(inner, rng))
        case 4 | 5 | 6 | 7 if name.endswith((".xml", ".rels")):
            members[at] = (name, rng.choice((_words, _digits, _digits, _insert))(inner, rng))
        case _:
            members[at] = (name, rng.choice((_bits, _bytes, _insert, _truncate, _integer, _digits))(inner, rng))
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about repeated names
        with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), compresslevel=1) as to:
            for name, inner in members:
                with suppress(ValueError, IndexError):  # invalid names
                    to.writestr(name, inner)
    return out.getvalue()


def _npy(content: bytes, rng: random.Random) -> bytes:
    """Change the shape, type or order in an npy header."""
    size = struct.unpack("<H", content[8:10])[0]
    shape = rng.choice(
        ((), (0,), (1,), (10**12,), (2**62,), (2**31, 2**31, 2**31), (256, 256), (-1,), (64, 2), (2, 64))
    )
    descr = rng.choice(("<f8", "<f4", "<i8", "|O", "<U1", "<U1000000000", "|S5", "<c16", "<M8[s]", "|V8", "|b1"))
    header = {"descr": descr, "fortran_order": rng.random() < 0.3, "shape": shape}
    text = repr(header if rng.random() < 0.9 else rng.choice(VALUES)).encode("utf-8", "surrogatepass")[:60_000]
    return content[:8] + struct.pack("<H", len(text) + 1) + text + b"\n" + content[10 + size :]


def _npy_or_bits(content: bytes, rng: random.Random) -> bytes:
    return _npy(content, rng) if content[:6] == b"\x93NUMPY" and len(content) > 10 else _bits(content, rng)


def _tar(content: bytes, rng: random.Random) -> bytes:
    members = _members(_tar_members, content)
    if not members:
        return _bits(content, rng)
    at = rng.randrange(len(members))
    info, inner = members[at]
    match rng.randrange(8):
        case 0:
            info.name = rng.choice(("../../escaped.sig", "/tmp/escaped.xml", "", "a" * 3000, "b.sig"))
        case 1:
            info.type = rng.choice(
                (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
            )
            info.linkname = rng.choice(("../../escaped", "/etc/passwd", "a1.sig", info.name))
        case 2:
            del members[at]
        case 3 if rng.random() < 0.05:
            members[at] = (info, inner + b"\0" * BOMB)
        case _:
            members[at] = (info, rng.choice((_bits, _digits, _digits, _truncate, _insert))(inner, rng))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=rng.choice(("w", "w:gz"))) as to:
        for info, inner in members:
            info.size = len(inner) if info.isreg() else 0
            with suppress(ValueError, UnicodeError):
                to.addfile(info, io.BytesIO(inner))
    return out.getvalue()


def _safetensors(content: bytes, rng: random.Random) -> bytes:
    """Change the header: shapes, types, offsets, facts, and sometimes its stated length."""
    size = int.from_bytes(content[:8], "little")
    header = _json(content[8 : 8 + size], rng)
    length = len(header) if rng.random() < 0.9 else rng.choice(INTEGERS) % 2**64
    return length.to_bytes(8, "little") + header + content[8 + size :]
