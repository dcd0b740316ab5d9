"""Writing videos frame by frame, each with its time."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files.writing import atomic_file, write_error

if TYPE_CHECKING:
    from av.packet import Packet

TICKS = 60_000
"""Per second: frames at 24, 25, 29.97, 30, 240 or 300 a second fall on them. MPEG-4 knows up to 65,535."""

LONGEST = 1 << 30
"""Ticks that a frame may last: five hours. MP4 files can say twice as much."""

LARGEST_SIDE = 8190
"""Pixels of a side that MPEG-4 can have; larger images are scaled down."""

QUALITY = 4
"""MPEG-4's quantiser, 1 (the best) to 31."""


class VideoWriter:
    """A video that is being written, as MPEG-4 in an MP4 file; `with` closes it.

    It is written beside and renamed at the end. If that is an interruption or an error, the frames until
    then are kept all the same; only a process that is killed leaves a file behind that nothing can read.

    Attributes:
        path: of the video, which ends in .mp4.
        fps: frames per second, for the last frame: it lasts as long as one does at that rate.
        frames: that were added so far; without any there will be no file.
    """

    def __init__(self, path: Path, fps: float):
        self.path, self.fps, self.frames = path, fps, 0
        self._open = contextlib.ExitStack()
        self._stream: Any = None
        self._size = 0, 0
        self._ticks = -1

    def __enter__(self) -> Self:
        return self

    def add(self, image: np.ndarray, seconds: float) -> None:
        """Add a frame.

        Args:
            image: uint8 `(H, W, 3)`, RGB; later ones are fitted to the size of the first.
            seconds: when it is shown, later than the last one.

        Raises:
            UserError: the file cannot be written.
        """
        import av

        with self._user_errors():
            if self._stream is None:
                self._begin(image.shape[1], image.shape[0])
            frame = av.VideoFrame.from_ndarray(_resize_to(image, self._size), "rgb24")
            self._ticks = min(max(round(seconds * TICKS), self._ticks + 1), self._ticks + LONGEST)
            frame.pts, frame.time_base = self._ticks, Fraction(1, TICKS)
            self._write(self._stream.encode(frame))
        self.frames += 1

    def __exit__(self, *reason: object) -> None:
        if self._stream is not None:
            with self._user_errors():
                self._write(self._stream.encode())
                self._open.close()

    def _begin(self, width: int, height: int) -> None:
        import av

        partial = self._open.enter_context(atomic_file(self.path))
        file = self._open.enter_context(partial.open("wb"))
        container = self._open.enter_context(av.open(file, "w", format="mp4"))
        scale = min(1.0, LARGEST_SIDE / max(width, height))
        self._size = max(round(width * scale), 1), max(round(height * scale), 1)
        self._stream = container.add_stream("mpeg4")
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt, self._stream.time_base = "yuv420p", Fraction(1, TICKS)
        context = self._stream.codec_context
        context.time_base, context.qmin, context.qmax = Fraction(1, TICKS), QUALITY, QUALITY

    def _write(self, packets: "list[Packet]") -> None:
        for packet in packets:
            packet.duration = round(TICKS / self.fps)
            self._stream.container.mux(packet)

    @contextlib.contextmanager
    def _user_errors(self) -> Iterator[None]:
        """Convert errors of the disk and of FFmpeg into a `UserError`; remove the partial file."""
        import av

        try:
            yield
        except (OSError, av.FFmpegError) as error:
            self._stream = None
            with contextlib.suppress(OSError, UserError, av.FFmpegError):  # which say the same
                self._open.__exit__(type(error), error, None)
            raise write_error(self.path, OSError(error.errno, error.strerror)) from None


def _resize_to(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[1::-1] != size:
        from kerazoo.media.opencv import cv2

        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image)
