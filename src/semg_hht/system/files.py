"""Atomic writes and safe reads: a file or folder appears under its final name complete, or not at all.

The module works on bytes and paths and does not know the contents.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import stat
import struct
import sys
import tokenize
import unicodedata
import zipfile
import zlib
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from semg_hht.errors import InputError, WriteError

_PART = ".part"
# Largest size of an unpacked file. Beyond the first GiB it may have MAX_RATIO times as many bytes as the packed file.
MAX_BYTES = 16 * 2**30
MAX_RATIO = 200
# Errors that zipfile and numpy raise for an npz that is cut short, encrypted, or manipulated.
BROKEN_NPZ = (
    OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, MemoryError,
    OverflowError, SystemError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
# Not UTF-8, not JSON, a number with thousands of digits; deeply nested brackets.
BROKEN_JSON = (ValueError, RecursionError)
OTHER_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"),
               (stat.S_ISBLK, "a device"), (stat.S_ISSOCK, "a socket"))  # fmt: skip
LEFTOVERS = (".*.part", ".*.old")  # temporary files of a killed process
OF_A_MAC = "__MACOSX"  # folder that a Mac adds to an archive: attributes under the names of the files
LOCK_FILE = ".in_use"  # locked by the process that writes into a folder; the file alone has no meaning


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``. It is renamed to ``path`` if the block succeeds, and removed if not.

    Raises
    ------
    InputError
        The disk is full or the folder can't be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _flush_to_disk(part)
        part.replace(path)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        with suppress(OSError):  # in a folder that became read-only the file stays; the error is already raised
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole_file`, for a folder; an existing folder is replaced when the new one is complete."""
    part = path.with_name(f".{path.name}.{os.getpid()}{_PART}")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        part.mkdir(parents=True)
        yield part
        try:
            if path.exists():
                path.rename(old)
            part.rename(path)
        except BaseException:  # Ctrl-C, too
            if old.exists() and not path.exists():
                old.rename(path)  # put the previous folder back
            raise
    except OSError as error:
        raise _explained(error, path) from error
    except InputError as error:  # about a file in the folder: name it by its final path
        raise type(error)(str(error).replace(part.name, path.name)) from error.__cause__
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if path.exists():  # else the old folder is the only copy: see `recover_folder`
            shutil.rmtree(old, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Restore the old folder if a process was killed between the two renames of `whole_folder`."""
    old = sorted(path.parent.glob(f".{path.name}.*.old"))
    if old and not path.exists():
        old[-1].rename(path)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text. Bytes of a file name that are not UTF-8 (Linux allows any) are written as ``\\udcff``."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON, with keys in their order and Chinese characters as such.

    Bytes of a file name that are not UTF-8 are written as ``\\udcff`` and are read back unchanged.
    """
    with whole_file(path) as part, part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as handle:
        json.dump(content, handle, indent=2, ensure_ascii=False)
        handle.write("\n")


def in_command(path: Path | str) -> str:
    """A path as a word of a command line that is printed to be copied: in quotes where the shell would divide it."""
    text = str(path)
    if re.fullmatch(r"[\w@%+=:,./\\-]+" if sys.platform == "win32" else r"[\w@%+=:,./-]+", text):
        return text
    return f'"{text}"' if sys.platform == "win32" else shlex.quote(text)


def require_file(path: Path) -> None:
    """Require a regular file before it is opened: reading a pipe or a device might never end.

    Raises
    ------
    InputError
        No such file, a folder, a pipe, a device, a file without permission, or an invalid name.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file") from None
    except OSError as error:  # the name is too long, a link to itself, or in a folder without permission
        raise InputError(f"{path}: can't be read; {error.strerror}") from None
    except ValueError as error:  # a zero byte in the name, or a letter outside the system's encoding
        raise InputError(f"{str(path)!r}: no name of a file; {error}") from None
    if not stat.S_ISREG(mode):
        found = next((kind for is_kind, kind in OTHER_KINDS if is_kind(mode)), "another kind")
        raise InputError(f"{path}: expected a file; found {found}")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: can't be read; {os.strerror(errno.EACCES)}")


def is_hidden(name: str) -> bool:
    """Whether a file or folder is no data by its name: it begins with a dot, or is the ``__MACOSX`` of an archive.

    Such are ``.ipynb_checkpoints``, with copies of a notebook's files, and the ``._a.csv`` of a Mac.
    """
    return name.startswith(".") or name == OF_A_MAC


def files_in(folder: Path, suffixes: Container[str] | None = None) -> list[Path]:
    """The files in a folder and its folders, sorted, without those that are hidden.

    suffixes : only files whose suffix, in lower case, is one of these; None: all, and folders too.
    """
    found = (path for path in folder.rglob("*") if suffixes is None or path.suffix.lower() in suffixes)
    return sorted(path for path in found if not any(map(is_hidden, path.relative_to(folder).parts)))


def names_in(folder: Path, suffixes: Container[str]) -> list[str]:
    """The names of `files_in`, relative to the folder, with forward slashes: a tenth of the memory of their paths."""
    return sorted(each_name_in(folder, suffixes), key=lambda name: name.split("/"))


def each_name_in(folder: Path, suffixes: Container[str]) -> Iterator[str]:
    """`names_in`, in no order."""
    for place, folders, files in os.walk(folder):
        within = PurePath(place).relative_to(folder).as_posix()
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in (*folders, *files):
            if name[max(0, name.rfind(".")) :].lower() in suffixes and not is_hidden(name):
                yield name if within == "." else f"{within}/{name}"


def file_as_named(folder: Path, name: str) -> Path:
    """The file of this name in a folder; where there is none, the one whose name is the same text.

    A Mac stores an accent as a character of its own. The name in a table and that of an unpacked file may then look
    alike and differ in their bytes.
    """
    path = folder / name
    if name.isascii():
        return path
    with suppress(OSError, ValueError):  # a name that is too long, or no name at all: opening the file reports it
        if path.exists():
            return path
        found = folder
        for part in PurePosixPath(name).parts:
            same = [found / part] if (found / part).exists() else _same_text(found, part)
            if len(same) != 1:
                return path
            found = same[0]
        return found
    return path


def _same_text(folder: Path, name: str) -> list[Path]:
    text = unicodedata.normalize("NFC", name)
    return [path for path in folder.iterdir() if unicodedata.normalize("NFC", path.name) == text]


def read_json(path: Path) -> Any:
    require_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: can't be read; {error.strerror}") from None
    except BROKEN_JSON as error:
        raise InputError(f"{path}: expected JSON; {error}") from None


def require_modest(path: Path, n_bytes: int) -> None:
    """Refuse a file that unpacks to far too many bytes, before memory is allocated.

    Raises
    ------
    InputError
        ``n_bytes`` is above 16 GiB, or above 1 GiB plus 200 bytes for each byte of the file.
    """
    most = min(MAX_BYTES, 2**30 + MAX_RATIO * path.stat().st_size)
    if n_bytes > most:
        raise InputError(f"{path}: unpacks to {n_bytes} bytes; expected no more than {most}")


def require_modest_zip(path: Path, archive: zipfile.ZipFile) -> None:
    """`require_modest` for all members together; zipfile never unpacks more than the declared sizes."""
    require_modest(path, sum(member.file_size for member in archive.infolist()))


def require_space(folder: Path, n_bytes: int) -> None:
    """Raise before writing if the disk has too little space.

    Raises
    ------
    InputError
        The disk of ``folder`` has less than ``n_bytes`` free.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < n_bytes:
        raise WriteError(
            f"{folder}: the disk has {free / 1e6:.1f} MB free, {n_bytes / 1e6:.1f} MB are needed; nothing was written"
        )


def require_new_folder(folder: Path, *, overwrite: bool, except_for: tuple[str, ...] = ()) -> None:
    """Require an empty or new output folder, or ``overwrite``; files that match ``except_for`` are ignored."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder to write into; found a file")
    if overwrite or not folder.is_dir():
        return
    ignored = (LOCK_FILE, *except_for)
    if any(not any(fnmatch(path.name, pattern) for pattern in ignored) for path in folder.iterdir()):
        raise InputError(
            f"{folder}: this folder is not empty; name another one, or say overwrite=True to write into it"
        )


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for this process during the block. The system releases the lock even if the process is killed.

    Raises
    ------
    InputError
        Another process has the lock, or the folder can't be written.
    """
    from filelock import FileLock, Timeout  # many commands lock nothing

    was_there = folder.exists()
    if was_there and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder to write into; found a file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK_FILE, timeout=0)
        lock.acquire()
    except Timeout:
        raise InputError(f"{folder}: another process writes here; wait for its end, or name another folder") from None
    except OSError as error:
        raise _explained(error, folder) from error
    try:
        yield
    finally:
        if os.name == "nt":
            lock.release()  # Windows can't remove an open file
        with suppress(OSError):  # the folder became read-only or was removed, and the error is already raised
            (folder / LOCK_FILE).unlink(missing_ok=True)
            if not was_there and not any(folder.iterdir()):
                folder.rmdir()  # nothing was written: remove the folder that was created above
        lock.release()


def clear_folder(folder: Path, patterns: tuple[str, ...]) -> None:
    """Remove old results: files and folders in ``folder`` that match ``patterns``."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def require_new_file(path: Path, *, overwrite: bool) -> None:
    """Require that ``path`` does not exist, or ``overwrite``."""
    if path.is_dir():
        raise InputError(f"{path}: expected a file to write; found a folder")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; name another file, or say overwrite=True to replace it")


def require_suffix(path: Path, *suffixes: str) -> None:
    """Require that the name of a file to write says what is written, or nothing: no PNG under the name of a table."""
    if path.suffix and path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: is written as {' or '.join(suffixes)}; found {path.suffix}")


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _explained(error: OSError, path: Path) -> OSError | WriteError:
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "it would be larger than a file may be here",
    }
    if error.errno in reasons:
        return WriteError(f"{path}: {reasons[error.errno]}; the file was not written and what stood there is untouched")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WriteError(f"{path}: no permission to write here ({os.strerror(error.errno)})")
    if error.errno == errno.ENOENT:  # a folder that can't be made, as in /proc
        return WriteError(f"{path}: can't be written here; {os.strerror(error.errno)}")
    return error
