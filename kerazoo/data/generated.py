"""Built-in data that needs no download: drawn cells with membranes, drawn shapes."""

import functools
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from kerazoo.data.lazy import Lazy
from kerazoo.data.source import Source, Split
from kerazoo.settings import settings
from kerazoo.task import Sample
from kerazoo.tasks.classification import Label
from kerazoo.tasks.segmentation import Mask

Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=16, le=4096)]

_STREAMS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}


@settings
class Cells(Source):
    """Microscope images of cells with membranes, drawn from a seed; see `kerazoo.data.cells`.

    Attributes:
        train, validation, test: number of images in each split; none is in two of them.
        size: height and width in pixels, or one number for both.
        seed: another one gives other images.
    """

    train: Count = 240
    validation: Count = 40
    test: Count = 40
    size: Side | tuple[Side, Side] = (128, 128)
    seed: Count = 0

    def samples(self, split: Split) -> Sequence[Sample]:
        count = {"train": self.train, "val": self.validation, "test": self.test}[split]
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        return Lazy(range(count), functools.partial(_drawn, self.seed, split, size))

    def class_names(self) -> tuple[str, ...]:
        return "background", "cell", "membrane"


def _drawn(seed: int, split: Split, size: tuple[int, int], index: int) -> Sample:
    """Return one sample."""
    import numpy as np

    from kerazoo.data.cells import draw_cells

    image, labels, _ = draw_cells(np.random.default_rng([seed, _STREAMS[split], index]), size)
    return Sample(image, Mask(labels), f"{split}-{index:04}.png")


@settings
class Shapes(Source):
    """Small pictures of ten kinds of shapes, drawn from a seed; see `kerazoo.data.shapes`.

    Attributes:
        train, validation, test: number of images in each split; none is in two of them.
        size: height and width in pixels.
        seed: another one gives other images.
    """

    train: Count = 4000
    validation: Count = 500
    test: Count = 500
    size: Side = 32
    seed: Count = 0

    def samples(self, split: Split) -> Sequence[Sample]:
        count = {"train": self.train, "val": self.validation, "test": self.test}[split]
        return Lazy(range(count), functools.partial(_shape, self.seed, split, self.size))

    def class_names(self) -> tuple[str, ...]:
        from kerazoo.data.shapes import NAMES

        return NAMES


def _shape(seed: int, split: Split, size: int, index: int) -> Sample:
    """Return one sample; the kinds take turns."""
    import numpy as np

    from kerazoo.data.shapes import NAMES, draw_shape

    label = index % len(NAMES)
    image = draw_shape(np.random.default_rng([seed, _STREAMS[split], index]), label, size)
    return Sample(image, Label(label), f"{split}-{index:05}.png")
