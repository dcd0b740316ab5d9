"""Checksums of important files, in a file beside them that `sha256sum --check` can read."""

import hashlib
import re
from pathlib import Path

from kerazoo.errors import UserError
from kerazoo.files.reading import is_file, open_file, read_text
from kerazoo.files.writing import atomic_text, sha256

SUMS = "SHA256SUMS"
"""The file beside."""

_ROW = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def record(*paths: Path) -> None:
    """Write the checksums of files in one folder; they replace all earlier ones."""
    _write_rows(paths[0].parent, [(sha256(path), path.name) for path in paths])


def announce(path: Path, digest: str) -> None:
    """Add the checksum of a file's next version beside that of the present one.

    A writer announces, puts the new file in the old one's place, and records: killed at any moment it
    leaves a file that `verify` takes.
    """
    _write_rows(path.parent, [*_read_rows(path.parent), (digest, path.name)])


def verify(path: Path, largest: int | None = None) -> None:
    """Raise a `UserError` if a file does not have the checksum that is written beside it.

    Args:
        path: of the file.
        largest: bytes above which it is not even read; None for any size.
    """
    for _ in range(2):  # a training may put a new file there between the two readings
        with open_file(path, largest) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        expected = [known for known, name in _read_rows(path.parent) if name == path.name]
        if digest in expected:
            return
    problem = f"is not what was written: its checksum is another than {SUMS} tells" if expected else (
        f"has no checksum in {path.parent / SUMS}"
    )  # fmt: skip
    raise UserError(
        f"{path} {problem}",
        "restore both from a copy; if you put the file there yourself, trust it in that folder with: "
        f"sha256sum {path.name} > {SUMS}",
    )


def _read_rows(folder: Path) -> list[tuple[str, str]]:
    """Return (checksum, name) of every line; an empty list if there is no file of checksums."""
    if not is_file(folder / SUMS):
        return []
    lines = read_text(folder / SUMS, largest=1 << 20).splitlines()
    return [(match[1], match[2]) for line in lines if (match := _ROW.fullmatch(line))]


def _write_rows(folder: Path, rows: list[tuple[str, str]]) -> None:
    atomic_text(folder / SUMS, "".join(f"{digest}  {name}\n" for digest, name in rows))
