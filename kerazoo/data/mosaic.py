"""Several training samples with boxes become one: mosaic and mixup."""

from collections.abc import Callable, Sequence

import numpy as np

from kerazoo.data.augment import Augmentation
from kerazoo.errors import UserError
from kerazoo.media.opencv import cv2
from kerazoo.structures.boxes import Boxes, joined
from kerazoo.structures.sample import Sample
from kerazoo.structures.warp import Warp, shifted

MARGIN = 0.2
"""The cut of a mosaic is at least this share of the sides away from the border (Bochkovskiy et al. 2020)."""

ALPHA = 32.0
"""Of mixup's Beta distribution: nearly half and half, so that the objects of both images can be seen."""


def combine(
    sample: Sample, draw: Callable[[], Sample], settings: Augmentation, rng: np.random.Generator
) -> Sample:
    """Return a sample alone, as a part of a mosaic, mixed with another one, or both.

    Args:
        sample: with boxes, after its augmentation.
        draw: returns another one, after its own augmentation and of the same size.
        settings: how often, and how much of a box must be left.
        rng: the same generator state gives the same result.

    Raises:
        UserError: the samples have no boxes.
    """
    if not isinstance(sample.truth, Boxes):
        raise UserError("augmentation.mosaic and augmentation.mixup are for boxes", "leave them out")
    if rng.random() < settings.mosaic:
        sample = mosaic([sample, draw(), draw(), draw()], rng)
    if rng.random() < settings.mixup:
        sample = mix(sample, draw(), rng)
    return sample._replace(truth=sample.truth.seen_enough(settings.least_seen, settings.least_size))


def mosaic(samples: Sequence[Sample], rng: np.random.Generator) -> Sample:
    """Return four samples side by side, each cut to its quarter of the image.

    The quarters meet at a random point. What is seen of each sample is its corner that lies there.

    Args:
        samples: upper left, upper right, lower left and lower right, of one size.
        rng: decides the point.
    """
    height, width = samples[0].image.shape[:2]
    y, x = (round(side * rng.uniform(MARGIN, 1 - MARGIN)) for side in (height, width))
    image, truths = np.empty_like(samples[0].image), []
    places = [(rows, columns) for rows in ((0, y), (y, height)) for columns in ((0, x), (x, width))]
    for sample, ((top, bottom), (left, right)) in zip(samples, places, strict=True):
        size = bottom - top, right - left
        # Upper quarters show the lower end of their sample, left ones the right end.
        origin = (width - size[1]) * (left == 0), (height - size[0]) * (top == 0)
        image[top:bottom, left:right] = sample.image[
            origin[1] : origin[1] + size[0], origin[0] : origin[0] + size[1]
        ]
        part = sample.truth.moved(Warp(shifted(*origin), size))
        truths.append(part.moved(Warp(shifted(-left, -top), (height, width))))
    return Sample(image, joined(truths), samples[0].name)


def mix(first: Sample, second: Sample, rng: np.random.Generator) -> Sample:
    """Return two samples of one size on top of each other, with the boxes of both (Zhang et al. 2018).

    Args:
        first, second: with boxes.
        rng: decides how much is seen of each.
    """
    share = rng.beta(ALPHA, ALPHA)
    image = cv2.addWeighted(first.image, share, second.image, 1 - share, 0)
    return Sample(image, joined([first.truth, second.truth]), first.name)
