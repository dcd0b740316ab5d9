"""Reading untrusted files: only regular files, of limited size, with checked content.

Every JSON, CSV, text and `.npz` file that kerazoo is given comes in here. What is wrong is one `UserError`
that names the file; nothing waits for a pipe, fills the memory or is unpickled.
"""

import contextlib
import csv
import errno
import gzip
import io
import json
import math
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np
import pydantic

from kerazoo.errors import UserError
from kerazoo.files.writing import natural_key
from kerazoo.settings import validation_error

LARGEST_TEXT = 1 << 30
"""Bytes of the largest JSON, CSV or text file that is read."""

LONGEST_FIELD = 1 << 20
"""Characters of the longest field of a CSV file."""

_LEFT_BY_SYSTEMS = frozenset(
    {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "Thumbs.db", "ehthumbs.db", "desktop.ini"}
)
"""What macOS, Synology's shares and Windows put into folders; none of it is the user's."""

_DAMAGED = "the file is truncated or damaged: copy or export it again"
_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EISDIR: "it is a folder",
    errno.ELOOP: "its links go round in a circle",
}


@contextlib.contextmanager
def open_file(path: str | Path, largest: int | None = None) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading; refuse pipes, devices and folders without waiting.

    Args:
        path: of the file; links are followed.
        largest: bytes above which it is refused; None for any size.

    Raises:
        UserError: there is no such file, it cannot be read, is none, or is too large. So is what the
            block's reading of it raises as `OSError`, such as a disk's input/output error.
    """
    try:
        with open(_open_descriptor(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if largest is not None and size > largest:
                raise UserError(f"{path} has {size} bytes, more than the {largest} that are read", "cut it")
            yield file
    except OSError as error:
        raise read_error(path, error) from None


def read_error(path: str | Path, error: OSError) -> UserError:
    """Return the error for a `path` that cannot be opened or read."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return UserError(f"cannot open {path}: {reason}", "check the path")


def is_file(path: str | Path) -> bool:
    """Whether a path is a regular file; False for names that no file can have."""
    try:
        return os.path.isfile(path)
    except ValueError:  # a NUL in the name
        return False


def is_hidden(path: PurePath) -> bool:
    """Whether a part of a path is hidden: a dot file, or what an operating system leaves.

    >>> hidden(PurePath("cat/.ipynb_checkpoints/a.png")), hidden(PurePath("__MACOSX/a.png"))
    (True, True)
    """
    return any(part.startswith(".") or part in _LEFT_BY_SYSTEMS for part in path.parts)


def list_folder(folder: Path) -> list[Path]:
    """Return the paths in a folder without hidden ones, in natural order.

    Raises:
        UserError: there is no such folder, or it cannot be read.
    """
    try:
        inside = [path for path in folder.iterdir() if not is_hidden(PurePath(path.name))]
    except OSError as error:
        raise read_error(folder, error) from None
    return sorted(inside, key=natural_key)


def read_bytes(path: str | Path, largest: int = LARGEST_TEXT) -> bytes:
    """Return a file's content.

    Raises:
        UserError: as `open_file`.
    """
    with open_file(path, largest) as file:
        return file.read()


def read_gunzipped(path: str | Path, largest: int = LARGEST_TEXT) -> bytes:
    """Return a file's content, decompressed if the file is gzip.

    Args:
        path: of the file.
        largest: bytes above which it is refused, packed or unpacked.

    Raises:
        UserError: as `open_file`; damaged, or it unpacks to more.
    """
    content = bytearray()
    with open_file(path, largest) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        try:
            while piece := stream.read(
                1 << 20
            ):  # more at once would be memory, whether there is so much or not
                content += piece
                if len(content) > largest:
                    raise UserError(
                        f"{path} unpacks to more than the {largest} bytes that are read", "cut it"
                    )
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserError(f"{path} cannot be unpacked: {error}", _DAMAGED) from None
    return bytes(content)


def read_text(path: str | Path, largest: int = LARGEST_TEXT) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark.

    Raises:
        UserError: as `open_file`, or it is not UTF-8.
    """
    try:
        return read_bytes(path, largest).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8 ({error.reason} at byte {error.start})",
                        "save it as UTF-8") from None  # fmt: skip


def read_json(path: str | Path, shape: Any = object, largest: int = LARGEST_TEXT) -> Any:
    """Return the content of a JSON file; NaN and Infinity are allowed.

    Args:
        path: of the file.
        shape: a type that pydantic understands, such as `list[dict[str, Any]]`, a TypedDict or a class made
            by `settings`; the content is checked against it. `object` takes anything.
        largest: bytes above which it is refused.

    Raises:
        UserError: as `open_file`; no JSON; nested too deeply; or of another shape, naming the place in it.
    """
    return parse_json(read_bytes(path, largest), path, shape)


def read_json_lines(path: str | Path, shape: Any = object, largest: int = LARGEST_TEXT) -> list[Any]:
    """Return the decoded JSON of every line that is not empty.

    Raises:
        UserError: as `read_json`, naming the line.
    """
    lines = read_bytes(path, largest).split(b"\n")
    return [
        parse_json(line, f"{path}, line {number}", shape)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def parse_json(data: bytes, name: str | Path, shape: Any = object) -> Any:
    """Return the decoded JSON of some bytes, as `read_json`; messages call it `name`."""
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise UserError(f"{name} is nested too deeply to be read", _DAMAGED) from None
    except ValueError as error:  # no JSON, not UTF-8, or a number of thousands of digits
        raise UserError(f"{name} is no JSON: {error}", _DAMAGED) from None
    return content if shape is object else validate_json(content, name, shape)


def validate_json(content: Any, name: str | Path, shape: Any) -> Any:
    """Return decoded JSON after validation against a type.

    Raises:
        UserError: it is of another shape; names the first few places.
    """
    try:
        return pydantic.TypeAdapter(shape).validate_python(content)
    except pydantic.ValidationError as error:
        raise UserError(
            f"{name} is not as expected: {validation_error(error).message[:300]}", "correct it"
        ) from None
    except RecursionError:
        raise UserError(f"{name} is nested too deeply to be read", _DAMAGED) from None


def read_rows(
    path: str | Path, separator: str = ",", largest: int = LARGEST_TEXT
) -> list[tuple[int, list[str]]]:
    """Return (line number, stripped fields) of every row of a CSV file that is not empty.

    Args:
        path: of the file, in UTF-8.
        separator: one character between fields, or "" for any white space.
        largest: bytes above which it is refused.

    Raises:
        UserError: as `read_text`, a row that is no CSV, or a field of more than `LONGEST_FIELD`.
    """
    text = read_text(path, largest)
    if not separator:
        parted = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
        return [(number, fields) for number, fields in parted if fields]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    csv.field_size_limit(LONGEST_FIELD)
    try:
        return [(rows.line_num, [field.strip() for field in row]) for row in rows if any(row)]
    except csv.Error as error:
        raise UserError(f"{path}: line {rows.line_num} cannot be read: {error}", _DAMAGED) from None


def read_npz(path: str | Path, wanted: Mapping[str, str], largest: int) -> dict[str, np.ndarray]:
    """Return some arrays of an `.npz` file.

    Args:
        path: of the file.
        wanted: `{name: kinds}`, the arrays that are read and what they may hold, such as {"x_train": "u"} or
            {"files": "U", "embeddings": "f"} (`numpy.dtype.kind`); a name that ends in "?" may be missing.
        largest: bytes that all of them may have together once unpacked; told by their headers before
            anything is unpacked.

    Raises:
        UserError: as `open_file`; damaged; a missing name, another kind, or more than `largest`.
    """
    with open_file(path) as file, open_zip(path, file) as members:
        arrays: dict[str, np.ndarray] = {}
        for name, kinds in wanted.items():
            key = name.removesuffix("?")
            if f"{key}.npy" not in members.namelist():
                if name == key:
                    names = ", ".join(sorted(members.namelist())[:8]).replace(".npy", "")
                    raise UserError(f"{path} has no array {key!r}, only {names or 'none'}", _DAMAGED)
                continue
            arrays[key] = _read_npz_member(
                members, key, kinds, largest - sum(array.nbytes for array in arrays.values()), path
            )
        return arrays


def npz_names(path: str | Path) -> list[str]:
    """Return the names of the arrays in an `.npz` file; an empty list for another file."""
    try:
        with open_file(path) as file, open_zip(path, file) as members:
            return [name.removesuffix(".npy") for name in members.namelist() if name.endswith(".npy")]
    except UserError:
        return []


@contextlib.contextmanager
def open_zip(path: str | Path, file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; errors in the block are converted by `zip_errors`."""
    with zip_errors(path), zipfile.ZipFile(file) as members:
        yield members


@contextlib.contextmanager
def zip_errors(name: str | Path) -> Iterator[None]:
    """Convert what `zipfile` raises for a damaged file into a `UserError` about `name`."""
    try:
        yield
    except UserError:
        raise
    except MemoryError:
        raise UserError(f"{name} needs more memory than there is", "read it on a larger machine") from None
    except Exception as error:  # zipfile, zlib and tokenize raise a dozen kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"{name} cannot be read: {reason}", _DAMAGED) from None


def _open_descriptor(path: str | Path) -> int:
    """Open a regular file; do not wait for the other end of a pipe."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError:
        raise UserError(f"cannot open {str(path)!r}: its name holds a NUL", "check the path") from None
    kind = os.fstat(number).st_mode
    if stat.S_ISREG(kind):
        return number
    os.close(number)
    what = "a folder" if stat.S_ISDIR(kind) else "a pipe or a device"
    raise UserError(f"{path} is {what}, not a file", "give a regular file")


def _read_npz_member(
    members: zipfile.ZipFile, key: str, kinds: str, largest: int, path: str | Path
) -> np.ndarray:
    """Read one array; its size is checked before anything is unpacked."""
    stored = members.getinfo(f"{key}.npy").file_size
    with members.open(f"{key}.npy") as file:
        version = np.lib.format.read_magic(file)
        header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = header(file)
        if dtype.hasobject:
            raise UserError(f"{path}: {key} is a pickle, which could execute anything", "save it as numbers")
        if dtype.kind not in kinds:
            raise UserError(f"{path}: {key} holds {dtype}", "is it the right file?")
        count = math.prod(shape)
        size = count * dtype.itemsize
        if size > largest or stored > largest:
            message = f"{path}: {key} unpacks to {max(size, stored)} bytes"
            raise UserError(f"{message}, more than the {largest} that are read", "is it the right file?")
        data = file.read(size + 1)
    if len(data) != size:
        raise UserError(f"{path}: {key} has {len(data)} bytes, its header tells {size}", _DAMAGED)
    return np.frombuffer(bytearray(data), dtype, count).reshape(shape, order="F" if fortran else "C")
