"""Sequences of samples: read or generated on access, and kept after the first reading."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kerazoo.structures.sample import Sample


@dataclass(frozen=True)
class Lazy(Sequence[Sample]):
    """The sequence `read(items[0]), read(items[1]), ...`; a slice of it reads nothing either."""

    items: Sequence[Any]
    read: Callable[[Any], Sample]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Lazy(self.items[index], self.read)
        return self.read(self.items[index])


class CachedSamples(Sequence):
    """A sequence of samples that keeps as many as fit in memory.

    Args:
        samples: the samples as they are on disk.
        megabytes: of images and truths to keep; later samples are read every time.
    """

    def __init__(self, samples: Sequence[Sample], megabytes: int = 1024):
        self.samples, self.left = samples, megabytes * 2**20
        self.kept: dict[int, Sample] = {}
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index in self.kept:
            return self.kept[index]
        sample = self.samples[index]
        size = sample.image.nbytes + sum(
            a.nbytes for a in vars(sample.truth).values() if hasattr(a, "nbytes")
        )
        with self.lock:  # several threads read; without it `left` would be counted down twice
            if size <= self.left and index not in self.kept:
                self.kept[index] = sample
                self.left -= size
        return sample
