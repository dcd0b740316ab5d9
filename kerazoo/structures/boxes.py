"""Truth and result of detection: boxes with labels.

A box is left, top, right, bottom in pixels. These are edges, not indices of pixels: the box of one pixel is
`(x, y, x + 1, y + 1)`, and `(0, 0, W, H)` is the whole image.
"""

import dataclasses
from typing import ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True)
class Boxes:
    """The truth of detection.

    Attributes:
        boxes: float32 `(B, 4)`, left, top, right, bottom; inside the image.
        labels: int32 `(B,)`.
        crowd: bool `(B,)`: the box surrounds many objects; what is found in it counts neither for nor against.
        difficult: bool `(B,)`: Pascal VOC's flag; such objects count neither for nor against.
        size: height and width of the image.
        image: id of the image in the data's own files.
        areas: float32 `(B,)`, square pixels by which objects are called small, medium or large.
    """

    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    difficult: np.ndarray
    size: tuple[int, int]
    image: int | str = 0
    areas: np.ndarray | None = None
    counted: ClassVar[str] = "boxes"


@dataclasses.dataclass(frozen=True)
class Detections:
    """The result of detection, best first.

    Attributes:
        boxes: float32 `(D, 4)`, left, top, right, bottom in the image's pixels.
        labels: int32 `(D,)`.
        scores: float32 `(D,)`, 0..1, falling.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
