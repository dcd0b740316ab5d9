"""The files of a zip archive by name, read without unpacking the archive."""

import contextlib
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from kerazoo.errors import UserError
from kerazoo.files.reading import open_file, zip_errors

LARGEST = 2**26
"""Bytes of the largest member of an archive that is read: a small file may unpack to terabytes."""

_ENCRYPTED, _UTF8 = 0x1, 0x800
"""Bits of a member's flags (APPNOTE.TXT, 4.4.4)."""

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
"""What Python unpacks; not Deflate64 (method 9), by which Windows packs what is large."""

_UNPACK = "unpack it and give the folder"


class ZipMembers(Mapping[str, bytes]):
    """A mapping from the names of a zip file's members to their bytes, read on access; thread-safe.

    Names have "/" between their parts, whatever wrote the archive. Nothing is ever unpacked to the disk.

    Raises:
        UserError: not a zip file; two members of one name, or a name that leads out of the archive; a
            member that is damaged, encrypted or larger than `LARGEST`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_file(path) as file:
            if file.read(2) != b"PK":
                raise UserError(f"{path} is no zip file", "give a .zip, or a folder")
        with zip_errors(path):
            self.archive = zipfile.ZipFile(path)
        self.members = _members_by_name(path, self.archive.infolist())

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, name: str) -> bytes:
        info = self.members[name]
        if info.file_size > LARGEST:
            message = f"{self.path}: {name} unpacks to {info.file_size} bytes, more than {LARGEST}"
            raise UserError(message, "take it out")
        if info.flag_bits & _ENCRYPTED:
            raise UserError(f"{self.path}: {name} is encrypted", _UNPACK)
        if info.compress_type not in _METHODS:
            raise UserError(f"{self.path}: {name} is packed by method {info.compress_type}", _UNPACK)
        with zip_errors(f"{self.path}: {name}"):
            return self.archive.read(info)


def _members_by_name(path: Path, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the members that are files, by name."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = _member_name(info)
        if name.endswith("/"):
            continue
        place = PurePosixPath(name)
        if ".." in place.parts or place.is_absolute() or re.match("[A-Za-z]:", name):
            raise UserError(f"{path}: the name {name[:80]!r} leads out of the archive", _UNPACK)
        if str(place) in members:
            raise UserError(f"{path} holds two files called {name[:80]!r}", "pack it again with one of them")
        members[str(place)] = info
    return members


def _member_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name with "/" as separator; UTF-8 is recognised without its flag."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")
