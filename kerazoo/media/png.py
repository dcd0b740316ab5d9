"""PNG files with good pixels and damaged metadata."""

import io
import zlib
from typing import BinaryIO

_LONGEST_TEXT = 1 << 20
"""Characters of the longest text that Pillow reads; it refuses images with longer ones."""

_PACKED = {b"tEXt", b"zTXt", b"iTXt", b"iCCP"}


def without_bad_chunks(file: BinaryIO) -> BinaryIO:
    """Return a PNG file without the metadata chunks that Pillow would fail at.

    These are chunks with wrong checksums, long texts, such as of Photoshop and image generators, and colour
    profiles like that. A file
    without such is returned itself, at its beginning.
    """
    chunks = _list_chunks(file)
    bad = [
        (start, end)
        for kind, start, end in chunks
        if kind[:1].islower() and _is_bad_chunk(file, kind, start, end)
    ]
    file.seek(0)
    if not bad:
        return file
    data = file.read()
    starts, ends = [0, *(end for _, end in bad)], [*(start for start, _ in bad), len(data)]
    return io.BytesIO(b"".join(data[start:end] for start, end in zip(starts, ends, strict=True)))


def _list_chunks(file: BinaryIO) -> list[tuple[bytes, int, int]]:
    """Return kind, start and end of every complete chunk."""
    length, start, chunks = file.seek(0, io.SEEK_END), 8, []
    while start + 12 <= length:
        file.seek(start)
        head = file.read(8)
        end = start + 12 + int.from_bytes(head[:4], "big")
        if end > length or head[4:] == b"IEND":
            break
        chunks.append((head[4:], start, end))
        start = end
    return chunks


def _is_bad_chunk(file: BinaryIO, kind: bytes, start: int, end: int) -> bool:
    if kind == b"fdAT":  # frames after the first one, which is read alone
        return False
    file.seek(start + 8)
    data = file.read(end - start - 12)
    if zlib.crc32(data, zlib.crc32(kind)) != int.from_bytes(file.read(4), "big"):
        return True
    return kind in _PACKED and (len(data) > _LONGEST_TEXT or _is_badly_packed(kind, data))


def _is_badly_packed(kind: bytes, data: bytes) -> bool:
    """Whether a text or a colour profile is compressed wrongly, or unpacks to more than Pillow reads."""
    _, _, rest = data.partition(b"\0")
    if kind in (b"zTXt", b"iCCP"):
        if rest[:1] != b"\0":  # packed in no known way
            return True
        packed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    else:
        return False
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, _LONGEST_TEXT)
    except zlib.error:
        return True
    return bool(unpacking.unconsumed_tail)
