"""Reading videos and cameras frame by frame, each with its time; only a few are in memory."""

import contextlib
import re
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kerazoo.errors import UserError
from kerazoo.media.lost_frames import LostFrames
from kerazoo.media.packets import DemuxedPacket, read_packets, video_file

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from kerazoo.media.opencv import cv2

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4v", ".avi", ".divx", ".mkv", ".webm", ".ogv", ".wmv", ".asf"}
    | {".flv", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".m2v", ".vob"}
)
"""What a file must be called to be taken for a video; and a GIF of more than one frame is one."""

RATE = 30.0
"""Frames per second where video or camera do not say."""


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        image: uint8 `(H, W, 3)`, RGB, upright; None where the file is damaged and the frame lost.
        number: from 0; lost frames have theirs.
        seconds: since the first frame, or since the camera was opened.
    """

    image: np.ndarray | None
    number: int
    seconds: float


def is_video(path: Path) -> bool:
    """Whether a path is a video (by its suffix), an animated GIF, or a camera such as camera:0."""
    suffix = path.suffix.lower()
    return camera_number(path) is not None or suffix in SUFFIXES or (suffix == ".gif" and _is_animated(path))


def camera_number(path: Path) -> int | None:
    """Return the number of a camera's path such as camera:0, None for a file."""
    match = re.fullmatch(r"camera:([0-9]+)", str(path))
    return int(match[1]) if match else None


class Camera:
    """An open camera; its frames never end.

    Attributes:
        path: camera:N.
        live: True.
        fps: frames per second.
        frame_count: None, since nobody knows how many frames there will be.
        frames_read: frames that were read so far.
    """

    live, frame_count = True, None

    def __init__(self, path: Path):
        self.path, self.frames_read = path, 0
        with _quiet_opencv() as cv2:
            self._capture = _open_capture(cv2, camera_number(path) or 0)
            fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 1 <= fps <= 1000 else RATE

    def frames(self) -> Generator[Frame, None, None]:
        """Read the frames one by one and close the camera."""
        began = time.monotonic()
        try:
            while (image := self._read()) is not None:
                self.frames_read += 1
                yield Frame(image, self.frames_read - 1, time.monotonic() - began)
        finally:
            self._capture.release()

    def _read(self) -> np.ndarray | None:
        with _quiet_opencv() as cv2:
            is_frame, image = self._capture.read()
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if is_frame else None

    def problem(self) -> str:
        """Return why the frames ended."""
        return f"{self.path} gives no more frames; is it still connected?"


class Video:
    """An open video file; its frames are read once.

    A frame is lost where its packet is missing or cannot be decoded, or only in part. In FLV and WMV files
    and GIFs nobody can tell missing packets from a pause: they have neither an index nor sums to check.

    Attributes:
        path: of the file.
        live: False.
        fps: frames per second, on average.
        frame_count: frames that the file says it has, None where none are told.
        frames_read: frames that were read so far, lost ones included.
        frames_lost: of these.
    """

    live = False

    def __init__(self, path: Path):
        """Open a video.

        Raises:
            UserError: there is none, or none that can be decoded.
        """
        self.path, self.frames_read, self.frames_lost = path, 0, 0
        self._file = contextlib.ExitStack()
        self._container = self._file.enter_context(video_file(path))
        self._stream = self._container.streams.video[0]
        self.fps = float(self._stream.average_rate or self._stream.guessed_rate or RATE)
        self.frame_count = self._stream.frames or None
        self._tick = float(self._stream.time_base or 1)
        self._period = 1 / (self.fps * self._tick)
        self._losses = LostFrames(self._period, steady=self._container.format.name == "mpeg")
        self._packets, self._cut = 0, False
        self._began = self._first_lost = 0.0

    def frames(self) -> Generator[Frame, None, None]:
        """Read the frames one by one, in the order of their times, and close the video.

        Raises:
            UserError: the disk cannot be read any more.
        """
        with self._file:
            for read in read_packets(self._container, max(round(self._period), 1)):
                self._losses.note_packet(read)
                self._packets += read.packet is not None
                self._cut = read.damaged
                for image in self._decoded(read):
                    if (ticks := self._losses.frame_time(image)) is None:
                        continue
                    broken = image.is_corrupt or self._losses.is_partial(ticks)
                    if broken:
                        self._losses.note_failure()
                    for lost in self._losses.lost_before(ticks):
                        yield self._frame(lost, None)
                    yield self._frame(ticks, None if broken else _apply_display_matrix(image))
            for lost in self._losses.lost_after():
                yield self._frame(lost, None)

    def _decoded(self, read: DemuxedPacket) -> "list[VideoFrame]":
        import av

        try:
            return self._stream.decode(read.packet)
        except av.FFmpegError:
            self._losses.note_failure()
            return []

    def _frame(self, ticks: int, image: np.ndarray | None) -> Frame:
        if not self.frames_read:
            self._began = ticks * self._tick
        seconds = ticks * self._tick - self._began
        if image is None:
            self._first_lost = self._first_lost if self.frames_lost else seconds
            self.frames_lost += 1
        self.frames_read += 1
        return Frame(image, self.frames_read - 1, seconds)

    def problem(self) -> str | None:
        """Return the problem of a video after its end, None if there was none."""
        lasted = ((self._losses.last or 0) * self._tick - self._began) * self.fps + 1.5
        short = self.frame_count is not None and max(self._packets, lasted) < self.frame_count
        problems = []
        if short or self._cut or not self.frames_read:
            problems.append(
                f"ends after {self.frames_read}{f' of {self.frame_count}' if self.frame_count else ''} frames"
            )
        if self.frames_lost:
            problems.append(
                f"has damaged or missing frames: {self.frames_lost}, the first at {self._first_lost:.2f} s"
            )
        return f"{self.path} {' and '.join(problems)}; copy the video again" if problems else None


def open_video(path: Path) -> Video | Camera:
    """Open a video file or a camera.

    Raises:
        UserError: there is none, or none that can be read.
    """
    return Video(path) if camera_number(path) is None else Camera(path)


def _is_animated(path: Path) -> bool:
    try:
        with video_file(path) as container:
            return container.streams.video[0].frames > 1
    except UserError:  # told when it is read as an image
        return False


def _apply_display_matrix(frame: "VideoFrame") -> np.ndarray:
    """Return a frame after the rotation in its metadata: phones do not rotate the pixels themselves."""
    image = frame.to_ndarray(format="rgb24", threads=1)
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    a, b, _, c, d = np.frombuffer(matrix, "int32")[:5].tolist()
    if abs(b) > abs(a):  # rows become columns
        image, a, d = image.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _open_capture(cv2: ModuleType, number: int) -> "cv2.VideoCapture":
    capture = cv2.VideoCapture(number)
    if capture.isOpened():
        return capture
    raise UserError(f"there is no camera {number}, or it is in use", "close what uses it, or try camera:1")


@contextlib.contextmanager
def _quiet_opencv() -> Iterator[ModuleType]:
    """Yield OpenCV with its messages about missing cameras silenced."""
    from kerazoo.media.opencv import cv2

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield cv2
    finally:
        cv2.utils.logging.setLogLevel(level)
