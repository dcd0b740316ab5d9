"""The packets of a video file, with corrected times and a mark for damage."""

import bisect
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from kerazoo.errors import UserError
from kerazoo.files.reading import open_file

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

LARGEST = 1 << 26
"""Pixels of the largest frame that is decoded."""

FORMATS = "avi,mov,matroska,webm,mpeg,mpegvideo,mpegts,asf,flv,ogg,gif"
"""FFmpeg's demuxers that may open a file: containers only, none that opens further files or addresses."""

_CHUNK_HEADER = 8
"""Bytes between the place of an AVI chunk that the index tells and its data."""


class DemuxedPacket(NamedTuple):
    """A packet that was read.

    Attributes:
        packet: with its right times; None at the end.
        damaged: FFmpeg's demuxer, or an AVI file's index, says that the file is damaged just before.
    """

    packet: "Packet[VideoStream] | None"
    damaged: bool


class _FileSource:
    """A file that FFmpeg reads. It keeps an `OSError` for later: FFmpeg would hide it."""

    def __init__(self, file: BinaryIO):
        self.seek, self.tell, self._file = file.seek, file.tell, file
        self.error: OSError | None = None

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            self.error = error
            return b""

    def check(self) -> None:
        if self.error is not None:
            raise self.error


@contextlib.contextmanager
def video_file(path: Path) -> Iterator["InputContainer"]:
    """Open a file that contains a video stream.

    Raises:
        UserError: there is no such file, it holds no video that can be decoded, or, at the end of the block,
            the disk could not be read.
    """
    import av

    remedy = "it is truncated, or its format is not known: copy it again or convert it to MP4"
    with open_file(path) as file:
        source = _FileSource(file)
        try:
            options = {"format_whitelist": FORMATS}
            container = av.open(source, "r", options=options, metadata_errors="replace")
        except av.FFmpegError as error:
            source.check()
            raise UserError(f"{path} cannot be opened as a video: {error.strerror}", remedy) from None
        with container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:
                raise UserError(f"{path} cannot be opened as a video: there is none in it", remedy)
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > LARGEST:
                raise UserError(f"{path} has frames of {width} x {height} pixels, more than the {LARGEST} "
                                "that are read", "scale it down")  # fmt: skip
            stream.codec_context.options = {"max_pixels": str(LARGEST)}
            yield container
        source.check()


def read_packets(container: "InputContainer", period: int) -> Iterator[DemuxedPacket]:
    """Read the packets of a file's video, between which there are about `period` ticks; the last one is None.

    Two kinds of times are put right. An AVI file has none: FFmpeg counts its frames in the order of decoding,
    and counts on where some are missing, while the index tells which each one is; what it thinks of the order
    in which they are shown is left out. Files that were put one after another begin their clocks anew: they
    go on instead.
    """
    avi = container.format.name == "avi"
    index: Any = container.streams.video[0].index_entries if avi else ()
    shift, last = 0, None
    for packet, damaged in _demux(container):
        if packet is not None and packet.dts is not None:
            numbered = _indexed_time(index, packet.pos)
            missing = numbered is not None and numbered != packet.dts + shift
            if numbered is not None:
                shift = numbered - packet.dts
            elif last is not None and packet.dts + shift < last:
                shift = last + period - packet.dts
            packet.dts += shift
            packet.pts = None if avi or packet.pts is None else packet.pts + shift
            last, damaged = packet.dts, damaged or missing
        yield DemuxedPacket(packet, damaged)


def _demux(container: "InputContainer") -> Iterator[DemuxedPacket]:
    """Read packets unchanged; errors that FFmpeg's demuxer only logs count as damage."""
    import av

    reading = container.demux(container.streams.video[0])
    packet, damaged, ended = None, False, False
    while not ended:
        level, (before, _) = av.logging.get_level(), av.logging.get_last_error()
        av.logging.set_level(av.logging.PANIC)  # errors are counted, and not printed
        try:
            packet = next(reading, None)
        except Exception:  # on damaged files PyAV raises many kinds
            packet, damaged = None, True
        finally:
            av.logging.set_level(level)
        ended = packet is None
        damaged |= av.logging.get_last_error()[0] > before
        if packet is None or packet.size:  # an empty one would tell the decoder that all is over
            yield DemuxedPacket(packet, damaged)
            damaged = False


def _indexed_time(index: Any, position: int | None) -> int | None:
    """Return the time of the frame at a file position, from an AVI file's index."""
    if position is None:
        return None
    position_in_index = bisect.bisect_left(index, position - _CHUNK_HEADER, key=lambda entry: entry.pos)
    is_indexed = position_in_index < len(index) and index[position_in_index].pos == position - _CHUNK_HEADER
    return index[position_in_index].timestamp if is_indexed else None
