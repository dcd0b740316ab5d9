"""How long work tells of itself: a bar on a terminal, lines elsewhere; standard error only."""

import contextlib
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from typing import Any, TypeVar

from kerazoo.files.text import printable

T = TypeVar("T")

QUIET_SECONDS = 30.0
"""Without a terminal, a line about the steps comes this often."""


class Progress:
    """Reports a training on standard error: steps, images/s and time left, and a line per epoch."""

    step_name, thing_name = "step", "images"

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self.total: int | None = 0
        self.done = self.batch = self.shown = 0
        self.began = self.spoke = 0.0
        self.live: Any = None

    def say(self, line: str) -> None:
        """Print one line."""
        if self.quiet:
            return
        if self.live is not None:
            self.live.console.print(printable(line), highlight=False, markup=False)
        else:
            print(printable(line), file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def bar(self, total: int | None, done: int, batch: int) -> Iterator[None]:
        """Show the steps of a training while the block runs.

        Args:
            total: steps of the whole training; None where nobody knows.
            done: steps that were done before.
            batch: images per step.
        """
        self.total, self.done, self.batch = total, done, batch
        self.shown, self.began = done, time.monotonic()
        self.spoke = self.began
        if self.quiet or not sys.stderr.isatty():
            yield
            return
        with _rich_bar(self.step_name, total, done) as (self.live, self.task):
            try:
                yield
            finally:
                self.live = None

    def step(self) -> None:
        """Count one step."""
        self.done += 1
        now = time.monotonic()
        if self.live is not None:
            self.live.update(self.task, completed=self.done, speed=self._speed(now))
        elif now - self.spoke >= QUIET_SECONDS:
            self.spoke = now
            parts = [f"  {self.step_name} {self.done}", self._speed(now)]
            if self.total is not None:
                left = (self.total - self.done) * (now - self.began) / max(self.done - self.shown, 1)
                parts[0] += f"/{self.total}"
                parts.append(time.strftime("%H:%M:%S left", time.gmtime(max(left, 0))))
            self.say(" · ".join(parts))

    def _speed(self, now: float) -> str:
        speed = (self.done - self.shown) * self.batch / max(now - self.began, 1e-9)
        return f"{speed:.1f} {self.thing_name}/s"

    def epoch(self, row: dict[str, Any], epochs: int, monitor: str) -> None:
        """Print the line of a finished epoch; `row` as in `log.jsonl`."""
        parts = [f"epoch {row['epoch']}/{epochs}", f"loss {row['loss']:.4f}"]
        score = row.get("validation", {}).get(monitor)
        if score is not None:
            parts.append(f"{monitor} {score:.4f}")
        parts.append(f"{row['images_per_second']:.1f} images/s")
        if row["skipped"]:
            parts.append(f"{row['skipped']} steps with non-finite gradients left out")
        self.say(" · ".join(parts))


class VideoProgress(Progress):
    """Reports how far a video has been worked through, in frames."""

    step_name, thing_name = "frame", "frames"

    def through(self, frames: Iterable[T], total: int | None, name: str) -> Generator[T, None, None]:
        """Pass frames on while they are counted; a line at the end, also where that is an interruption.

        Args:
            frames: of the video, or what else is counted.
            total: how many there are, None where nobody knows.
            name: what to call the video.
        """
        with self.bar(total, 0, 1):
            try:
                for frame in frames:
                    yield frame
                    self.step()
            finally:
                seconds = time.monotonic() - self.began
                speed = self._speed(self.began + seconds)
                self.say(f"{name}: {self.done} {self.thing_name} in {seconds:.1f} s, {speed}")


class ImageProgress(VideoProgress):
    """Reports how far a folder has been worked through, in images."""

    step_name, thing_name = "image", "images"


@contextlib.contextmanager
def _rich_bar(step_name: str, total: int | None, done: int) -> Iterator[tuple[Any, Any]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = [TextColumn(step_name), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[speed]}")]
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        yield bar, bar.add_task(step_name, total=total, completed=done, speed="")
