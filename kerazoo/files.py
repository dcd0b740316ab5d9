"""Writing files so that a crash leaves the old one or the new one, never half of one."""

import contextlib
import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from kerazoo.errors import UserError

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "your quota is used up: free some space or choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "you may not write there: choose another folder or change its permissions",
    errno.EPERM: "you may not write there: choose another folder or change its permissions",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
}


def atomic_bytes(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, whose folder is made if need be.

    Written beside under a temporary name, flushed to the disk, then renamed, so that
    after a crash or power loss `path` holds either what it held before or all of `data`.

    Raises:
        UserError: it cannot be written (no permission, read-only, disk full); no
            temporary file stays behind.
    """
    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(data)


def atomic_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8; otherwise as `atomic_bytes`."""
    atomic_bytes(path, text.encode())


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` for a library to write to; renamed to `path` at the end.

    For writers that open their target themselves. The suffix is kept, since some go by it.

    Raises:
        UserError: as `atomic_bytes`.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        _discard(temporary)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` to fill; renamed to `path` at the end, removed on failure.

    Raises:
        UserError: as `atomic_bytes`, or `path` exists already and is not empty.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left behind in `folder`."""
    for path in folder.glob(".*"):
        if re.match(r"\.[0-9a-f]{32}\.", path.name):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else _discard(path)


def make_folder(path: Path) -> None:
    """Make a folder with its parents, unless it exists.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def sync_folder(folder: str | Path) -> None:
    """Flush a folder's names to the disk, so that a rename in it survives a power loss."""
    if os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(path: str | Path, error: OSError) -> UserError:
    """Return the line a user reads when `path` could not be written."""
    remedy = _REMEDIES.get(error.errno or 0, "choose another folder")
    return UserError(f"cannot write {path}: {error.strerror or error}", remedy)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def natural(path: str | Path) -> list[tuple[int, str]]:
    """Return a sorting key by which `slice2` comes before `slice10`."""
    parts = re.split(r"([0-9]+)", str(path))
    key = [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]
    return [*key, (-1, str(path))]


def _discard(temporary: Path) -> None:
    try:
        temporary.unlink(missing_ok=True)
    except OSError:  # the error that led here is the one to tell
        return
