"""Atomic writing: after a crash there is the old file or the new one, never a part."""

import contextlib
import errno
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from kerazoo.errors import UserError

OLD = 24 * 3600.0
"""Seconds after which a temporary file that nobody wrote to is litter, whoever made it."""

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "your quota is used up: free some space or choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "you may not write there: choose another folder or change its permissions",
    errno.EPERM: "you may not write there: choose another folder or change its permissions",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
}


def atomic_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` atomically; make the folder if it is missing.

    Written beside under a temporary name, flushed to the disk, then renamed, so that
    after a crash or power loss `path` holds either what it held before or all of `data`.

    Raises:
        UserError: it cannot be written (no permission, read-only, disk full); no
            temporary file stays behind.
    """
    with atomic_file(Path(path)) as temporary:
        temporary.write_bytes(data)


def atomic_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, as `atomic_bytes`."""
    atomic_bytes(path, text.encode())


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` for a library to write to; renamed to `path` at the end.

    For writers that open their target themselves. The suffix is kept, since some go by it.

    Raises:
        UserError: as `atomic_bytes`.
    """
    with temporary_path(path) as temporary:
        yield temporary
        move_into_place(temporary, path)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` to fill; renamed to `path` at the end, removed on failure.

    Raises:
        UserError: as `atomic_bytes`, or `path` exists already and is not empty.
    """
    with temporary_path(path) as temporary:
        temporary.mkdir()
        yield temporary
        move_into_place(temporary, path)


@contextlib.contextmanager
def temporary_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; at the end it is removed, unless `move_into_place` moved it.

    Raises:
        UserError: as `atomic_bytes`.
    """
    _remove_stale_files_once(path.parent)
    temporary = path.with_name(f".{_host():08x}{os.getpid():08x}{secrets.token_hex(8)}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        _remove(temporary)


def move_into_place(temporary: Path, path: Path) -> None:
    """Flush a finished file to the disk and rename it to `path`; the files of a folder must be flushed."""
    if temporary.is_file():
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def remove_stale_files(folder: Path) -> None:
    """Remove temporary files of killed processes from `folder`; keep those of running ones.

    At work are the processes of this machine that are there, and of others those that wrote within `OLD`.
    """
    for path in folder.glob(".*"):
        match = re.match(r"\.([0-9a-f]{8})([0-9a-f]{8})[0-9a-f]{16}\.", path.name)
        if match and (_has_ended(int(match[1], 16), int(match[2], 16)) or _is_old(path)):
            _remove(path)


def make_folder(path: Path) -> None:
    """Make a folder with its parents if it does not exist.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error) from None


def sync_folder(folder: str | Path) -> None:
    """Flush a folder's entries to the disk: a rename in it then survives a power loss."""
    if os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_error(path: str | Path, error: OSError) -> UserError:
    """Return the error for a `path` that cannot be written."""
    remedy = _REMEDIES.get(error.errno or 0, "choose another folder")
    return UserError(f"cannot write {path}: {error.strerror or error}", remedy)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def natural_key(path: str | Path) -> list[tuple[int, str]]:
    """Return a sorting key by which `slice2` comes before `slice10`."""
    parts = re.split(r"([0-9]+)", str(path))
    key = [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]
    return [*key, (-1, str(path))]


_remove_stale_files_once = functools.lru_cache(maxsize=64)(remove_stale_files)
"""Every process clears a folder before it first writes there."""


@functools.cache
def _host() -> int:
    """Return a number that stands for this machine; a process id only means something on its machine."""
    return zlib.crc32(platform.node().encode())


def _has_ended(host: int, process: int) -> bool:
    """Whether a process has surely ended; False on Windows and for processes of other machines."""
    if host != _host() or os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it is another user's
        return False
    return False


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > OLD
    except OSError:  # gone meanwhile
        return False


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
        return
    try:
        temporary.unlink(missing_ok=True)
    except OSError:  # the error that led here is the one to tell
        return
