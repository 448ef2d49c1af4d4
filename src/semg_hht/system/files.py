"""Files and folders that appear under their final name whole, or not at all.

Knows bytes and paths only: nothing of what they hold.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from semg_hht.errors import InputError, WriteError

_PART = ".part"
MAX_BYTES = 16 * 2**30  # that a file may unpack to, and no more than these for each of its own beside the first GiB:
MAX_RATIO = 200
# All that zipfile and numpy raise on an npz that is cut short, encrypted, or tampered with.
BROKEN_NPZ = (
    OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, MemoryError,
    OverflowError, SystemError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
# No UTF-8, no JSON, a number of thousands of digits; brackets within brackets without end.
BROKEN_JSON = (ValueError, RecursionError)
OTHER_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISCHR, "a device"),
               (stat.S_ISBLK, "a device"), (stat.S_ISSOCK, "a socket"))  # fmt: skip
LEFTOVERS = (".*.part", ".*.old")  # what a killed process may leave beside its files
CLAIM = ".in_use"  # locked by the process that writes into a folder; without a lock on it, it means nothing


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``path``; it takes the final name when the block ends well, else it is removed.

    Raises
    ------
    InputError
        The disk is full or the folder can't be written; the text says where.
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
        with suppress(OSError):  # a folder that turned read-only keeps it, and has been spoken of
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole_file`, for a folder; a folder of that name is replaced only once the new one is complete."""
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
                old.rename(path)  # what stood there is worth more than a tidy folder
            raise
    except OSError as error:
        raise _explained(error, path) from error
    except InputError as error:  # of a file within: the name it was to have says more
        raise type(error)(str(error).replace(part.name, path.name)) from error.__cause__
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if path.exists():  # else what stood there has no other name left: see `recover_folder`
            shutil.rmtree(old, ignore_errors=True)


def recover_folder(path: Path) -> None:
    """Undo a replacement that a kill cut between its two renames: the old folder takes its name back."""
    old = sorted(path.parent.glob(f".{path.name}.*.old"))
    if old and not path.exists():
        old[-1].rename(path)


def write_text(path: Path, text: str) -> None:
    """In UTF-8; of a file name that is none (Linux takes any bytes) the odd ones as ``\\udcff``."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """JSON a person can read; keys keep their order and Chinese text stays Chinese. Written as it is made.

    Odd bytes of a file name stand as ``\\udcff``, which reads back as it was.
    """
    with whole_file(path) as part, part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as handle:
        json.dump(content, handle, indent=2, ensure_ascii=False)
        handle.write("\n")


def require_file(path: Path) -> None:
    """Refuse what is no ordinary file before it is opened: a pipe may never answer, a device never end.

    Raises
    ------
    InputError
        Nothing there, a folder, a pipe, a device, a file without permission, or a name that no file can have.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file") from None
    except OSError as error:  # a name too long, a link to itself, a folder that may not be entered
        raise InputError(f"{path}: can't be read; {error.strerror}") from None
    except ValueError as error:  # a zero in the name, or a letter that this system's encoding lacks
        raise InputError(f"{str(path)!r}: no name of a file; {error}") from None
    if not stat.S_ISREG(mode):
        found = next((kind for is_one, kind in OTHER_KINDS if is_one(mode)), "another kind")
        raise InputError(f"{path}: expected a file; found {found}")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: can't be read; {os.strerror(errno.EACCES)}")


def read_json(path: Path) -> Any:
    require_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: can't be read; {error.strerror}") from None
    except BROKEN_JSON as error:
        raise InputError(f"{path}: expected JSON; {error}") from None


def require_modest(path: Path, n_bytes: int) -> None:
    """Refuse a file that unpacks to far more than it could hold, before memory is asked for.

    Raises
    ------
    InputError
        ``n_bytes`` are more than 1 GiB and 200 for each byte of the file, or more than 16 GiB.
    """
    most = min(MAX_BYTES, 2**30 + MAX_RATIO * path.stat().st_size)
    if n_bytes > most:
        raise InputError(f"{path}: unpacks to {n_bytes} bytes; expected no more than {most}")


def require_modest_zip(path: Path, archive: zipfile.ZipFile) -> None:
    """`require_modest`, of all members; zipfile gives no more of one than it declares."""
    require_modest(path, sum(member.file_size for member in archive.infolist()))


def require_space(folder: Path, n_bytes: int) -> None:
    """Refuse to begin a write that the disk can't hold.

    Raises
    ------
    InputError
        Less than ``n_bytes`` are free where ``folder`` is or will be.
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
    """Refuse an output folder that already holds something, unless the user said ``--overwrite``.

    What matches a pattern of ``except_for`` does not count.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder to write into; found a file")
    if overwrite or not folder.is_dir():
        return
    if any(not any(fnmatch(path.name, pattern) for pattern in (CLAIM, *except_for)) for path in folder.iterdir()):
        raise InputError(f"{folder}: this folder is not empty; name another one, or say --overwrite to write into it")


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keep ``folder`` for this process while the block runs; the system lets go of it however the process ends.

    Raises
    ------
    InputError
        Another process keeps it, or it can't be written.
    """
    was_there = folder.exists()
    if was_there and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder to write into; found a file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / CLAIM, timeout=0)
        lock.acquire()
    except Timeout:
        raise InputError(f"{folder}: another process writes here; wait for its end, or name another folder") from None
    except OSError as error:
        raise _explained(error, folder) from error
    try:
        yield
    finally:
        if os.name == "nt":
            lock.release()  # there an open file can't be removed
        with suppress(OSError):  # a folder that turned read-only, or is gone, has been spoken of
            (folder / CLAIM).unlink(missing_ok=True)
            if not was_there and not any(folder.iterdir()):
                folder.rmdir()  # what failed at once leaves nothing behind
        lock.release()


def clear_folder(folder: Path, patterns: tuple[str, ...]) -> None:
    """Remove what matches ``patterns`` in ``folder``, and nothing else: leftovers must not pass for new results."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def require_new_file(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file, unless the user said ``--overwrite``."""
    if path.is_dir():
        raise InputError(f"{path}: expected a file to write; found a folder")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; name another file, or say --overwrite to replace it")


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as handle:
        os.fsync(handle.fileno())


def _explained(error: OSError, path: Path) -> OSError | WriteError:
    told = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "it would be larger than a file may be here",
    }
    if error.errno in told:
        return WriteError(f"{path}: {told[error.errno]}; the file was not written and what stood there is untouched")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return WriteError(f"{path}: no permission to write here ({os.strerror(error.errno)})")
    return error
