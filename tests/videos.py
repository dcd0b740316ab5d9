"""Small videos for tests, made by FFmpeg and damaged by hand."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FRAMES, RATE = 12, 10.0
SECONDS = tuple(number / RATE for number in range(FRAMES))


def make_image(number: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Return a frame, RGB: red rises with its number, and a bright square is at the upper left."""
    image = np.full((*size, 3), 60, "uint8")
    image[..., 0] = 20 * number % 256
    image[:12, :12] = 255
    return image


def made(
    path: Path,
    seconds: Sequence[float] = SECONDS,
    codec: str = "mpeg4",
    size: tuple[int, int] = (48, 64),
    cluster: str = "5000",
) -> Path:
    """Write a video with a frame at each of some times, and return its path.

    Args:
        path: its suffix says which container.
        seconds: of the frames, in AVI files tenths only.
        codec: as FFmpeg calls it.
        size: height and width.
        cluster: milliseconds that are put together in Matroska files.
    """
    form = {"mjpeg": "yuvj420p", "gif": "rgb8", "ffv1": "bgr0", "png": "rgba"}.get(codec, "yuv420p")
    base = Fraction(1, 100 if codec == "gif" else 10 if path.suffix == ".avi" else 3000)
    container = {".MTS": "mpegts", ".3gp": "3gp"}.get(path.suffix)
    options = {"cluster_time_limit": cluster} if path.suffix == ".mkv" else {}
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=int(RATE))
        stream.height, stream.width, stream.pix_fmt = *size, form
        stream.codec_context.time_base, stream.codec_context.thread_count = base, 1
        for number, second in enumerate(seconds):
            frame = av.VideoFrame.from_ndarray(make_image(number, size), "rgb24")
            frame = frame.reformat(format=form, threads=1)
            frame.pts, frame.time_base = round(second / base), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def make_video(path: Path, frames: int = FRAMES, codec: str = "mpeg4") -> Path:
    """Write a video of some frames, RATE a second, and return its path."""
    return made(path, SECONDS[:frames], codec)


def index_first(path: Path) -> Path:
    """Move an MP4 file's index before its frames, as videos for the web have it: half a file opens."""
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
    return shown(path, (0, 1, -1, 0))


def shown(path: Path, turn: tuple[int, int, int, int]) -> Path:
    """Have an MP4 file say by which matrix, row by row, it is to be shown."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (each << 16 for each in turn)
    data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def damaged(path: Path, first: int, end: int) -> Path:
    """Overwrite some frames of a file with zeros, as a disk does that lost some of its blocks."""
    with av.open(str(path)) as file:
        places = [packet.pos for packet in file.demux(video=0) if packet.size]
    header = 8 if path.suffix == ".avi" else 0
    start, stop = (places[number] - header for number in (first, end))
    data = bytearray(path.read_bytes())
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    return path
