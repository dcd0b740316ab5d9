"""The file of an index: embeddings, and marks by which an image that has changed since is known."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files.listing import list_images
from kerazoo.files.reading import read_error, read_npz
from kerazoo.files.writing import atomic_file, sha256

KINDS = {
    "embeddings": "f",
    "files": "U",
    "unread": "U",
    "sizes": "i",
    "times": "i",
    "hashes": "u",
    "folder": "U",
    "run": "U",
}
"""Arrays of the file, and what they hold (`numpy.dtype.kind`)."""


class Mark(NamedTuple):
    """What an image's file was when it was embedded.

    Attributes:
        size: in bytes.
        time: of its last change, in nanoseconds since 1970.
        digest: SHA-256 of its content, 32 bytes.
    """

    size: int
    time: int
    digest: bytes


class Entry(NamedTuple):
    """An image in an index.

    Attributes:
        mark: of its file.
        embedding: float32 `(D,)`.
    """

    mark: Mark
    embedding: np.ndarray


class Changes(NamedTuple):
    """How a folder differs from its index: names of images, in their order."""

    changed: list[str]
    new: list[str]
    gone: list[str]


@dataclass(frozen=True)
class Contents:
    """What an index file holds.

    Attributes:
        folder: of the images.
        run: digest of the run that embedded them.
        entries: by the image's name below the folder, `/` between folders.
        unread: names of images that could not be read.
    """

    folder: Path
    run: str
    entries: dict[str, Entry]
    unread: tuple[str, ...]

    def unchanged(self) -> dict[str, Entry]:
        """Return the images whose files still are what they were."""
        return {name: entry for name, entry in self.entries.items() if fits(entry.mark, self.folder / name)}

    def changes(self) -> Changes:
        """Return what has changed in the folder since."""
        there, same = dict.fromkeys(names_below(self.folder)), self.unchanged()
        known = self.entries.keys() | self.unread
        changed = [name for name in self.entries if name in there and name not in same]
        new = [name for name in there if name not in known]
        return Changes(changed, new, [name for name in self.entries if name not in there])


def names_below(folder: Path) -> list[str]:
    """Return the names of all images of a folder and its sub-folders, `/` between folders."""
    if not folder.is_dir():
        return []
    return [path.relative_to(folder).as_posix() for path in list_images(folder)]


def mark_of(path: Path) -> Mark:
    """Return the mark of an image's file. Taken before it is read, it shows any change after.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        now = path.stat()
        return Mark(now.st_size, now.st_mtime_ns, bytes.fromhex(sha256(path)))
    except OSError as error:
        raise read_error(path, error) from None


def fits(mark: Mark, path: Path) -> bool:
    """Whether a file still is what it was; its content is looked at only if its time is another."""
    try:
        now = path.stat()
        same = (now.st_size, now.st_mtime_ns) == mark[:2]
        return same or (now.st_size == mark.size and mark_of(path).digest == mark.digest)
    except (OSError, UserError):  # gone, or not to be read any more
        return False


def write_contents(contents: Contents, path: Path) -> None:
    """Write an index file: an `.npz` without pickles, with a checksum of all that is in it.

    Raises:
        UserError: it cannot be written.
    """
    marks = [entry.mark for entry in contents.entries.values()]
    arrays: dict[str, Any] = {
        "embeddings": np.stack([entry.embedding for entry in contents.entries.values()]).astype("float32"),
        "files": np.array(list(contents.entries), "U"),
        "unread": np.array(contents.unread, "U"),
        "sizes": np.array([mark.size for mark in marks], "int64"),
        "times": np.array([mark.time for mark in marks], "int64"),
        "hashes": np.frombuffer(b"".join(mark.digest for mark in marks), "uint8").reshape(-1, 32),
        "folder": np.array(str(contents.folder)),
        "run": np.array(contents.run),
    }
    with atomic_file(path) as partial, partial.open("wb") as file:
        np.savez(file, checksum=np.array(_checksum(arrays)), **arrays)


def read_contents(path: Path, remedy: str) -> Contents:
    """Return what an index file holds.

    Raises:
        UserError: it cannot be read, is no index, or is damaged; `remedy` says how to make it.
    """
    try:
        size = path.stat().st_size if path.is_file() else 0
        arrays = read_npz(path, KINDS | {"checksum": "U"}, largest=size)  # nothing in it is compressed
    except UserError as error:
        raise UserError(f"{path} is no index that can be read: {error.message}", remedy) from None
    checksum = str(arrays.pop("checksum"))
    if not _fitting(arrays):
        raise UserError(f"{path} is no index that can be read: its arrays do not fit together", remedy)
    if checksum != _checksum(arrays):
        raise UserError(f"{path} is damaged: its checksum is another", remedy)
    hashes = [digest.tobytes() for digest in arrays["hashes"]]
    marks = map(Mark, arrays["sizes"].tolist(), arrays["times"].tolist(), hashes)
    entries = dict(zip(arrays["files"].tolist(), map(Entry, marks, arrays["embeddings"]), strict=True))
    folder, run = Path(str(arrays["folder"])), str(arrays["run"])
    return Contents(folder, run, entries, tuple(arrays["unread"].tolist()))


def _fitting(arrays: dict[str, np.ndarray]) -> bool:
    """Whether the arrays of a file are those of one index."""
    embeddings, count = arrays["embeddings"], arrays["files"].size
    wanted = {
        "files": (count,),
        "sizes": (count,),
        "times": (count,),
        "hashes": (count, 32),
        "folder": (),
        "run": (),
    }
    shapes = all(arrays[name].shape == shape for name, shape in wanted.items()) and arrays["unread"].ndim == 1
    return (
        shapes and embeddings.shape[:1] == (count,) and embeddings.ndim == 2 and embeddings.dtype == "float32"
    )


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays: of what they hold and are called."""
    digest = hashlib.sha256()
    for name in KINDS:
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
