"""Finding the lost frames of a damaged video from the times of its packets and decoded frames."""

import heapq
import itertools
from typing import TYPE_CHECKING

from kerazoo.media.packets import DemuxedPacket

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

GAP = 1.75
"""Frame periods between two frames that show, where a file is damaged, that one between them is lost."""

REORDERED = 16
"""Frames by which the order of decoding can differ from that of showing, at most (H.264)."""

MOST_LOST = 10_000
"""Frames that can be lost between two; what looks like more is a clock that jumped, and counts as one."""


class LostFrames:
    """Compares the times of packets with those of decoded frames. All times are in ticks of the stream.

    Packets of which no frame comes are no loss in a sound file: some only help others.

    Attributes:
        damaged: the file is, somewhere before what was read last.
        last: time of the last frame, lost or not; None before the first.
    """

    def __init__(self, period: float, *, steady: bool):
        """Begin.

        Args:
            period: ticks from frame to frame.
            steady: frames come at a constant rate, so that every gap is a loss.
        """
        self.damaged = False
        self.last: int | None = None
        self._period, self._steady = period, steady
        self._read = 0  # time of the last packet
        self._suspicious = float("-inf")  # up to this time every gap is a loss
        self._waiting: list[int] = []
        self._partial: set[int] = set()

    def note_packet(self, read: DemuxedPacket) -> None:
        """Record a packet from which a frame is expected."""
        self.damaged |= read.damaged
        time = None if read.packet is None else timestamp(read.packet)
        if read.packet is None or time is None or read.packet.is_discard:
            return
        self._read = time
        heapq.heappush(self._waiting, time)
        if read.packet.is_corrupt:
            self._partial.add(time)
        if read.packet.is_corrupt or read.damaged:
            self.note_failure()

    def note_failure(self) -> None:
        """Record that the last packet could not be decoded."""
        self.damaged = True
        self._suspicious = self._read + REORDERED * self._period

    def frame_time(self, image: "VideoFrame") -> int | None:
        """Return the time of a frame: its own, or one period after the last.

        None where its time is over: in a damaged file the frame was told to be lost.
        """
        time = timestamp(image)
        if self.last is None:
            return time or 0
        if time is None:
            return self.last + max(round(self._period), 1)
        if time <= self.last:
            return None if self.damaged else self.last + 1
        return time

    def lost_before(self, time: int) -> list[int]:
        """Return the times of the frames lost between the last one and the one at `time`."""
        overdue = self._overdue(time)
        lost = overdue if self.damaged else []
        if self.last is not None and (self._steady or self.last < self._suspicious):
            pairs = itertools.pairwise([self.last, *lost, time])
            lost = sorted(
                lost + [missing for pair in pairs for missing in _missing_times(*pair, self._period)]
            )
        self.last = time
        return lost

    def is_partial(self, time: int) -> bool:
        """Whether the packet of a frame is incomplete."""
        partial = time in self._partial
        self._partial.discard(time)
        return partial

    def lost_after(self) -> list[int]:
        """Return the times of the frames lost after the last one."""
        return [time for time in sorted(self._waiting) if self.damaged]

    def _overdue(self, time: int) -> list[int]:
        overdue = []
        while self._waiting and self._waiting[0] <= time:
            overdue.append(heapq.heappop(self._waiting))
        return [
            expected
            for expected in overdue
            if (self.last is None or expected > self.last) and expected < time
        ]


def timestamp(thing: "Packet[VideoStream] | VideoFrame") -> int | None:
    """Return the presentation time of a packet or frame, or else its decoding time."""
    return thing.dts if thing.pts is None else thing.pts


def _missing_times(start: int, end: int, period: float) -> list[int]:
    """Return the times of the frames that are missing between two times."""
    steps = (end - start) / period
    count = round(steps) - 1 if steps >= GAP else 0
    count = 1 if count > MOST_LOST else count
    return [start + round((end - start) * step / (count + 1)) for step in range(1, count + 1)]
