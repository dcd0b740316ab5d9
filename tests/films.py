"""Small films for tests, made by OpenCV and damaged by hand."""

import os
import struct
from pathlib import Path

import cv2
import numpy as np

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # as kerazoo.video does; FFmpeg reads it once

FRAMES, RATE = 12, 10.0


def picture(number: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Return a frame, RGB: red rises with its number, and a bright square is at the upper left."""
    image = np.full((*size, 3), 60, "uint8")
    image[..., 0] = 20 * number
    image[:12, :12] = 255
    return image


def film(path: Path, frames: int = FRAMES, code: str = "mp4v") -> Path:
    """Write a film and return its path."""
    size = picture(0).shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), RATE, size)
    for number in range(frames):
        writer.write(picture(number)[..., ::-1].copy())
    writer.release()
    return path


def index_first(path: Path) -> Path:
    """Move an MP4 file's index before its frames, as films for the web have it, so that half a file opens."""
    data, parts, position = path.read_bytes(), {}, 0
    while position < len(data):
        size, kind = struct.unpack(">I4s", data[position : position + 8])
        parts[kind] = bytearray(data[position : position + size])
        position += size
    index = parts[b"moov"]
    table = index.index(b"stco") + 8
    for entry in range(table + 4, table + 4 + 4 * int.from_bytes(index[table : table + 4], "big"), 4):
        offset = int.from_bytes(index[entry : entry + 4], "big") + len(index)
        index[entry : entry + 4] = offset.to_bytes(4, "big")
    path.write_bytes(b"".join(parts[kind] for kind in (b"ftyp", b"moov", b"free", b"mdat")))
    return path


def turned(path: Path) -> Path:
    """Have an MP4 file say that it is to be shown turned by 90 degrees, as telephones do."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path
