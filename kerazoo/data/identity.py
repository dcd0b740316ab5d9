"""The identity of a data set, by which a resumed training notices that the data changed.

A file is known by the SHA-256 of its content. Files of up to `SMALL` bytes are read whenever that is asked
for; of a larger one whose size and time are as before the former answer is taken. So a copied or moved data
set is the same, and a change is missed only in a large file that got its size and its time, to the
nanosecond, back.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kerazoo.data.source import Source
from kerazoo.errors import UserError
from kerazoo.files.reading import open_file
from kerazoo.settings import flatten, to_plain

SMALL = 1 << 18

READERS = 16
"""Files that are read at once: disks in a network answer slowly, but many at a time."""

NAMED = 3
"""So many of the files that differ are named."""


@dataclass(frozen=True)
class KnownFile:
    """Size, time and checksum of a file.

    Attributes:
        bytes, mtime_ns: its size and the time it was changed.
        sha256: of its content.
    """

    bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Identity:
    """What a data set is known by.

    Attributes:
        settings: of the source by dotted name, but for the path.
        classes: their names in label order.
        files: all that samples and classes are read from, by the path from the source's folder.
    """

    settings: dict[str, Any]
    classes: tuple[str, ...]
    files: dict[str, KnownFile]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return asdict(self)

    def digest(self) -> str:
        """Return the SHA-256 of all but sizes and times, as 64 hexadecimal digits."""
        files = sorted((name, known.sha256) for name, known in self.files.items())
        return hashlib.sha256(json.dumps([self.settings, self.classes, files]).encode()).hexdigest()

    def changes(self, now: "Identity") -> list[str]:
        """Return short descriptions of the differences from a later identity."""
        settings = [
            f"data.{key} is {now.settings.get(key)!r} instead of {self.settings.get(key)!r}"
            for key in sorted(self.settings.keys() | now.settings.keys())
            if now.settings.get(key) != self.settings.get(key)
        ]
        classes = [f"the classes are {_join_names(now.classes)} instead of {_join_names(self.classes)}"]
        common = self.files.keys() & now.files.keys()
        changed = [name for name in common if self.files[name].sha256 != now.files[name].sha256]
        files = {
            "removed": self.files.keys() - now.files.keys(),
            "added": now.files.keys() - self.files.keys(),
            "changed": changed,
        }
        file_changes = [
            f"{len(names)} file(s) {what}: {_join_names(sorted(names))}"
            for what, names in files.items()
            if names
        ]
        return settings + classes * (self.classes != now.classes) + file_changes


def identity(source: Source, before: Identity | None = None) -> Identity:
    """Return the identity of a source's data.

    Args:
        source: of the data; none of its samples is read.
        before: an earlier answer for it, which large files that are as old are not read again for.

    Raises:
        UserError: the data cannot be used, or a file cannot be read.
    """
    classes, former = source.class_names(), before.files if before else {}
    root = os.path.abspath(os.path.expanduser(getattr(source, "path", "")))
    folder = os.path.join(os.path.dirname(root) if os.path.isfile(root) else root, "")
    paths = {os.path.abspath(path).removeprefix(folder).replace(os.sep, "/"): path for path in source.files()}
    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(_known_file, paths.values(), (former.get(name) for name in paths))
        files = dict(zip(paths, found, strict=True))
    settings = {key: value for key, value in flatten(to_plain(source)).items() if value is not None}
    settings.pop("path", None)
    return Identity(settings, classes, files)


def changed_data_error(before: Identity | None, now: Identity, where: Path) -> UserError:
    """Return the error for a run in the folder `where` whose data changed since its training."""
    differences = "; ".join(before.changes(now) if before else ()) or "what exactly is not known"
    return UserError(
        f"the data of {where} have changed since it was trained on them: {differences}",
        "put them back, or go on with them as they are: --accept-changed-data",
    )


def _known_file(path: Path, before: KnownFile | None) -> KnownFile:
    with open_file(path) as file:
        status = os.fstat(file.fileno())
        size, time = status.st_size, status.st_mtime_ns
        if before and size > SMALL and (size, time) == (before.bytes, before.mtime_ns):
            return before
        return KnownFile(size, time, hashlib.file_digest(file, "sha256").hexdigest())


def _join_names(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:NAMED]) + (", ..." if len(every) > NAMED else "")
