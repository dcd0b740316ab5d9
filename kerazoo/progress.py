"""How long work tells of itself: a bar on a terminal, lines elsewhere; standard error only."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

QUIET_SECONDS = 30.0
"""Without a terminal, a line about the steps comes this often."""


class Progress:
    """Reports a training on standard error: steps, images/s and time left, and a line per epoch."""

    def __init__(self, quiet: bool = False):
        self.quiet = quiet
        self.total = self.done = self.batch = self.shown = 0
        self.began = self.spoke = 0.0
        self.live: Any = None

    def say(self, line: str) -> None:
        """Print one line."""
        if self.quiet:
            return
        if self.live is not None:
            self.live.console.print(line, highlight=False, markup=False)
        else:
            print(line, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def bar(self, total: int, done: int, batch: int) -> Iterator[None]:
        """Show the steps of a training while the block runs.

        Args:
            total: steps of the whole training.
            done: steps that were done before.
            batch: images per step.
        """
        self.total, self.done, self.batch = total, done, batch
        self.shown, self.began = done, time.monotonic()
        self.spoke = self.began
        if self.quiet or not sys.stderr.isatty():
            yield
            return
        with _rich_bar(total, done) as (self.live, self.task):
            try:
                yield
            finally:
                self.live = None

    def step(self) -> None:
        """Count one step."""
        self.done += 1
        now = time.monotonic()
        if self.live is not None:
            self.live.update(self.task, completed=self.done, speed=f"{self._speed(now):.1f} images/s")
        elif now - self.spoke >= QUIET_SECONDS:
            self.spoke = now
            left = (self.total - self.done) * (now - self.began) / max(self.done - self.shown, 1)
            clock = time.strftime("%H:%M:%S", time.gmtime(left))
            self.say(f"  step {self.done}/{self.total} · {self._speed(now):.1f} images/s · {clock} left")

    def _speed(self, now: float) -> float:
        return (self.done - self.shown) * self.batch / max(now - self.began, 1e-9)

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


@contextlib.contextmanager
def _rich_bar(total: int, done: int) -> Iterator[tuple[Any, Any]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = [TextColumn("step"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[speed]}")]
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        yield bar, bar.add_task("train", total=total, completed=done, speed="")
