"""Reading the tags of classic TIFF and BigTIFF files, and writing them.

Tags are read when they are asked for, and only where the file has all of their bytes.
"""

import io
import itertools
import struct
from collections.abc import Mapping, Sequence
from typing import BinaryIO, NamedTuple

MOST_VALUES = 1 << 22
"""Of one tag, such as the places of strips."""

_MOST_TAGS = 4096
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""The types of whole numbers."""

_SIZES = {2: 1, 5: 8, 10: 8, 11: 4, 12: 8} | {
    kind: struct.calcsize(f"={code}") for kind, code in _CODES.items()
}


class Entry(NamedTuple):
    """A tag's type, how many values it has, and their bytes."""

    type: int
    length: int
    data: bytes


class _Layout(NamedTuple):
    """The struct codes of a directory: its count, its entries, a file offset."""

    length: str
    entry: str
    place: str
    inline: int


_CLASSIC, _BIG = _Layout("H", "HHI4s", "I", 4), _Layout("Q", "HHQ8s", "Q", 8)


class Tags:
    """The tags of one directory of an open TIFF file.

    Attributes:
        order: "<" or ">", of the file's numbers.
        next_offset: where the next directory is; 0 after the last one.
    """

    def __init__(self, file: BinaryIO, order: str, form: _Layout, offset: int) -> None:
        self.file, self.order, self.form = file, order, form
        (count,) = self._unpack(form.length, offset)
        if count > _MOST_TAGS:
            raise ValueError("its directory of tags is damaged")
        start = offset + struct.calcsize(f"={form.length}")
        width = struct.calcsize(f"={form.entry}")
        rows = struct.iter_unpack(f"{order}{form.entry}", read_at(file, start, count * width))
        self.rows = {tag: (kind, number, field) for tag, kind, number, field in rows}
        pointer = read_at(file, start + count * width, struct.calcsize(f"={form.place}"), short=True)
        self.next_offset = int.from_bytes(pointer, "little" if order == "<" else "big")

    def __contains__(self, tag: int) -> bool:
        return tag in self.rows

    def entry(self, tag: int) -> Entry:
        """Return a tag of the directory.

        Raises:
            ValueError: the file is damaged.
        """
        kind, count, field = self.rows[tag]
        size = count * _SIZES.get(kind, 0)
        if size <= self.form.inline:
            return Entry(kind, count, field[:size])
        (offset,) = struct.unpack(f"{self.order}{self.form.place}", field)
        return Entry(kind, count, read_at(self.file, offset, size))

    def classic_entry(self, tag: int) -> Entry:
        """Return a tag of the directory in classic TIFF's types: no 64-bit numbers.

        Raises:
            ValueError: the file is damaged.
        """
        entry = self.entry(tag)
        if entry.type not in (16, 18):
            return entry
        numbers = (number & 0xFFFFFFFF for number in self.numbers(tag, 0))
        return Entry(4, entry.length, struct.pack(f"{self.order}{entry.length}I", *numbers))

    def numbers(self, tag: int, default: int) -> tuple[int, ...]:
        """Return the integers of a tag; the default if it is missing or has none.

        Raises:
            ValueError: the file is damaged.
        """
        kind, count, _ = self.rows.get(tag, (0, 0, b""))
        if not count or kind not in _CODES:
            return (default,)
        if count > MOST_VALUES:
            raise ValueError(f"its tag {tag} has {count} values")
        return struct.unpack(f"{self.order}{count}{_CODES[kind]}", self.entry(tag).data)

    def read_segments(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Return the bytes of some segments.

        Raises:
            ValueError: it ends before, or they overlap.
        """
        if sum(sizes) > self.file.seek(0, io.SEEK_END):
            raise ValueError("it is shorter than its strips or tiles together")
        return [read_at(self.file, offset, size) for offset, size in zip(offsets, sizes, strict=True)]

    def _unpack(self, code: str, offset: int) -> tuple[int, ...]:
        return struct.unpack(f"{self.order}{code}", read_at(self.file, offset, struct.calcsize(f"={code}")))


def read_directories(file: BinaryIO) -> list[Tags]:
    """Return all directories of a TIFF file, one at least.

    Raises:
        ValueError: the first one cannot be read.
    """
    header = read_at(file, 0, 16, short=True)
    order = "<" if header.startswith(b"II") else ">"
    form = _BIG if header[2:4] in (b"+\0", b"\0+") else _CLASSIC
    (offset,) = struct.unpack_from(f"{order}{form.place}", header.ljust(16, b"\0"), form.inline)
    directories, seen = [Tags(file, order, form, offset)], {offset}
    while (offset := directories[-1].next_offset) and offset not in seen:
        seen.add(offset)
        try:
            directories.append(Tags(file, order, form, offset))
        except ValueError:  # what follows is cut off: the pages before are whole
            break
    return directories


def read_at(file: BinaryIO, offset: int, size: int, short: bool = False) -> bytes:
    """Return bytes of a file; fewer at its end if `short`.

    Raises:
        ValueError: the file ends before.
    """
    left = max(file.seek(0, io.SEEK_END) - offset, 0)
    if size > left and not short:
        raise ValueError("it ends too early")
    file.seek(offset)
    return file.read(min(size, left))


def build_tiff(
    order: str, entries: Mapping[int, Entry], segments: Sequence[bytes], tiled: bool
) -> io.BytesIO:
    """Return a classic TIFF file of one page.

    Args:
        order: "<" or ">", of numbers in entries and pixels.
        entries: all tags but those of where the pixels are.
        segments: strips or tiles, packed as the entries tell.
        tiled: whether they are tiles.

    Raises:
        ValueError: more than 4 GB.
    """
    sizes = [len(segment) for segment in segments]
    offsets = [8 + before for before in itertools.accumulate(sizes, initial=0)]
    end = offsets.pop()
    if end >= 2**32 - 2**24:
        raise ValueError("its pixels take more than 4 GB as they are packed")
    place_entries = [
        Entry(4, len(numbers), struct.pack(f"{order}{len(numbers)}I", *numbers))
        for numbers in (offsets, sizes)
    ]
    entries = {**entries, **dict(zip((324, 325) if tiled else (273, 279), place_entries, strict=True))}
    next_free = end + 6 + 12 * len(entries)
    rows, outside = [], []
    for tag, (kind, count, data) in sorted(entries.items()):
        inline = len(data) <= 4
        rows.append(struct.pack(f"{order}HHI", tag, kind, count))
        rows.append(data.ljust(4, b"\0") if inline else struct.pack(f"{order}I", next_free))
        outside.append(b"" if inline else data)
        next_free += len(outside[-1])
    mark = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, end)
    directory = [struct.pack(f"{order}H", len(entries)), *rows, bytes(4)]
    return io.BytesIO(b"".join([mark, *segments, *directory, *outside]))
