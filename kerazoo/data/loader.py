"""From samples to batches: Grain, random access, the batch of step s is `stream[s]`."""

import functools
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerazoo.data.augment import Augmentation, augment
from kerazoo.structures.sample import Deferred, Sample
from kerazoo.task import Task

if TYPE_CHECKING:
    import grain


THREADS = min(max(os.cpu_count() or 2, 4), 16)
"""Threads that read and augment. Some wait for files, so there are more than a small machine has cores."""


def stream(
    samples: Sequence[Sample], task: Task, augmentation: Augmentation, *, batch: int, seed: int
) -> "grain.MapDataset":
    """Return the endless sequence of batches: `(x, y)` of NumPy arrays, the same for the same seed.

    Every epoch is shuffled anew and every sample augmented anew; the batch at an index depends
    on the index alone, so a training resumes exactly and hosts can share the work.
    """
    import grain

    from kerazoo.data.mosaic import combine

    context = task.context()

    def another(rng: np.random.Generator) -> Sample:
        return augment(samples[int(rng.integers(len(samples)))], augmentation, rng, context=context)

    def example(sample: Sample, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        if isinstance(sample.truth, Deferred):  # an episode or pairs, drawn anew for every step
            sample = sample.truth.sample(rng)
        # The image gets `context` pixels more on every side than the network labels.
        moved = augment(sample, augmentation, rng, context=context)
        if augmentation.mosaic or augmentation.mixup:
            moved = combine(moved, functools.partial(another, rng), augmentation, rng)
        x, placement = task.prepare(moved.image, whole=False)
        return x, task.encode(moved.truth, placement)

    # Grain gives `example` a generator seeded by the seed and the index in the endless sequence: hence
    # `stream[s]` depends on s alone, however many threads or hosts read.
    shuffled = grain.MapDataset.source(samples).seed(seed).shuffle().repeat()
    batches = shuffled.random_map(example).batch(batch, drop_remainder=True)
    return batches.random_map(lambda pair, rng: task.mix_batch(pair[0], pair[1], rng))


class Feed:
    """The batches `[start, stop)` of a stream, read ahead by threads; for `kerazoo.backend.fit_input`.

    `error` holds what a reader raised: TensorFlow would replace it by one of its own.
    """

    def __init__(self, batches: "grain.MapDataset", start: int, stop: int):
        self.batches, self.start, self.stop = batches, start, stop
        self.error: Exception | None = None

    def __call__(self) -> Iterator[tuple]:
        import grain

        options = grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=8)
        try:
            yield from self.batches[self.start : self.stop].to_iter_dataset(options)
        except Exception as error:
            self.error = error
            raise
