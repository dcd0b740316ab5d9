"""Films and cameras: frames in one by one, pictures out into a film; never more than one in memory."""

import contextlib
import os
import re
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from kerazoo.errors import UserError
from kerazoo.files import whole_file

if TYPE_CHECKING:
    from kerazoo.opencv import cv2

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv"})
"""What a file must be called to be taken for a film."""

RATE = 30.0
"""Frames per second where film or camera do not say."""


class Frame(NamedTuple):
    """A picture of a film.

    Attributes:
        image: uint8 `(H, W, 3)`, RGB, upright.
        number: from 0.
        seconds: since the film's beginning, or since the camera was opened.
    """

    image: np.ndarray
    number: int
    seconds: float


def is_film(path: Path) -> bool:
    """Whether a path means a film, by its suffix, or a camera, such as camera:0."""
    return camera(path) is not None or path.suffix.lower() in SUFFIXES


def camera(path: Path) -> int | None:
    """Return which camera a path means, None for a file."""
    found = re.fullmatch(r"camera:([0-9]+)", str(path))
    return int(found[1]) if found else None


class Film:
    """A film or camera that is open; its frames are read once, those of a camera without end.

    Attributes:
        path: of the file, or camera:N.
        live: it is a camera.
        rate: frames per second.
        count: frames that the file says it has, None where none are told.
        seen: frames that were read so far.
    """

    def __init__(self, path: Path):
        """Open a film or camera.

        Raises:
            UserError: there is none, or none that OpenCV can read.
        """
        self.path, self.seen, self.live = path, 0, camera(path) is not None
        with _quiet() as cv2:
            self._capture = _capture(cv2, path)
            rate, count = (self._capture.get(key) for key in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT))
        self.rate = rate if 1 <= rate <= 240 else RATE
        self.count = int(count) if count > 0 and not self.live else None

    def frames(self) -> Generator[Frame, None, None]:
        """Read the frames one by one and close the film."""
        began = time.monotonic()
        try:
            while (read := self._read()) is not None:
                image, seconds = read
                self.seen += 1
                yield Frame(image, self.seen - 1, time.monotonic() - began if self.live else seconds)
        finally:
            self._capture.release()

    def _read(self) -> tuple[np.ndarray, float] | None:
        with _quiet() as cv2:
            there, image = self._capture.read()
            if not there:
                return None
            milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), milliseconds / 1000

    def problem(self) -> str | None:
        """Return why the frames ended before the film did, None where they did not."""
        if self.live:
            return f"{self.path} gives no more frames; is it still connected?"
        lacking = (self.count or 0) - self.seen
        # some formats only estimate how many frames they have
        if self.seen and lacking <= self.rate and not _cut(self.path):
            return None
        known = f" of {self.count}" if self.count else ""
        remedy = "the film is truncated or damaged: copy it again"
        return f"{self.path} ends after {self.seen}{known} frames; {remedy}"


class FilmWriter:
    """A film that is being written, as MPEG-4 in an MP4 file; `with` closes it.

    It is written beside and renamed at the end. If that is an interruption or an error, the frames until
    then are kept all the same; only a process that is killed leaves a file behind that nothing can read.

    Attributes:
        path: of the film, which ends in .mp4.
        rate: frames per second.
        frames: that were added so far; without any there will be no file.
    """

    def __init__(self, path: Path, rate: float):
        self.path, self.rate, self.frames = path, rate, 0
        self._file = contextlib.ExitStack()
        self._partial = path
        self._writer: cv2.VideoWriter | None = None
        self._size = 0, 0

    def __enter__(self) -> Self:
        return self

    def add(self, image: np.ndarray, seconds: float = 0.0) -> None:
        """Add a frame, repeated where it takes more than one to reach a time.

        Args:
            image: uint8 `(H, W, 3)`, RGB; later ones are fitted to the size of the first.
            seconds: time of the frame from a camera, whose frames are lost while the last one is worked on.

        Raises:
            UserError: the file cannot be written.
        """
        with _quiet() as cv2:
            if self._writer is None:
                self._size = image.shape[1], image.shape[0]
                self._partial = self._file.enter_context(whole_file(self.path))
                code = cv2.VideoWriter.fourcc(*"mp4v")
                partial = str(self._partial)
                self._writer = cv2.VideoWriter(partial, cv2.CAP_FFMPEG, code, self.rate, self._size)
                if not self._writer.isOpened():
                    raise self._unwritable()
            if (image.shape[1], image.shape[0]) != self._size:
                image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
            for _ in range(max(int(seconds * self.rate) + 1 - self.frames, 1)):
                self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
                self.frames += 1

    def __exit__(self, *reason: object) -> None:
        if self._writer is None:
            return
        with _quiet() as cv2:
            self._writer.release()  # tells of no error, such as of a full disk
            written = cv2.VideoCapture(str(self._partial), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT)
        if written >= self.frames:  # an interruption may come before a frame was counted
            self._file.close()
            return
        error = self._unwritable()
        self._file.__exit__(UserError, error, None)
        raise error

    def _unwritable(self) -> UserError:
        return UserError(f"cannot write {self.path}", "is the disk full? Choose another folder")


def _capture(cv2: ModuleType, path: Path) -> "cv2.VideoCapture":
    number = camera(path)
    if number is None and not path.is_file():
        raise UserError(f"cannot open {path}: no such file", "check the path")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG) if number is None else cv2.VideoCapture(number)
    if capture.isOpened():
        return capture
    if number is None:
        remedy = "it is truncated, or its format is not known: copy it again or convert it to MP4"
        raise UserError(f"{path} cannot be opened as a film", remedy)
    raise UserError(f"there is no camera {number}, or it is in use", "close what uses it, or try camera:1")


@contextlib.contextmanager
def _quiet() -> Iterator[ModuleType]:
    """Give OpenCV, which does not print what it thinks of damaged films and missing cameras."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read once, by the first film
    from kerazoo.opencv import cv2

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield cv2
    finally:
        cv2.utils.logging.setLogLevel(level)


def _cut(path: Path) -> bool:
    """Whether a film's headers promise more bytes than the file has.

    OpenCV says nothing of it: it gives a damaged half of the frame that the file ends in, and stops.
    """
    promised, length = 0, path.stat().st_size
    with path.open("rb") as file:
        while promised < length and (size := _size(file.read(16))):
            promised += size
            file.seek(promised)
    return promised > length


def _size(head: bytes) -> int:
    """Return how many bytes a part of an AVI, Matroska or MP4 file has that begins so; 0 for untold."""
    if head.startswith(b"RIFF"):
        return 8 + int.from_bytes(head[4:8], "little")
    if head.startswith(_MATROSKA):  # the number of leading zeros is that of further bytes
        end = 13 - head[4].bit_length()
        unknown = 2 ** (7 * (end - 4)) - 1
        value = int.from_bytes(head[4:end], "big") & unknown
        return 0 if value == unknown else end + value
    if head[4:8] in _BOXES:
        size = int.from_bytes(head[:4], "big")
        return int.from_bytes(head[8:16], "big") if size == 1 else size
    return 0


_MATROSKA = (b"\x1aE\xdf\xa3", b"\x18S\x80g")
_BOXES = {b"ftyp", b"free", b"skip", b"wide", b"pnot", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"uuid"}
