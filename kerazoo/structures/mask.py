"""Truth and result of segmentation: a class for every pixel."""

import dataclasses
from typing import ClassVar

import numpy as np

from kerazoo.structures.warp import Warp

VOID = 255
"""The label of pixels that count for nothing, neither in the loss nor in the scores."""


@dataclasses.dataclass(frozen=True)
class Mask:
    """The truth of segmentation.

    Attributes:
        labels: uint8 `(H, W)`, class indices from 0; `VOID` where unlabelled.
        weights: float32 `(H, W)`, what each pixel's loss is multiplied by, or None for 1.
    """

    labels: np.ndarray
    weights: np.ndarray | None = None
    counted: ClassVar[str] = "pixels"

    def moved(self, warp: Warp) -> "Mask":
        """Return the mask after a geometric change, by nearest neighbour."""
        weights = None if self.weights is None else warp.labels(self.weights)
        return Mask(warp.labels(self.labels), weights)

    def counts(self, classes: int) -> np.ndarray:
        """Return the pixels of every class and, last, the void ones: int64 `(classes + 1,)`."""
        pixels = np.bincount(self.labels.ravel(), minlength=VOID + 1)
        return np.append(pixels[:classes], pixels[VOID])

    def levels(self, classes: int) -> np.ndarray:
        """Return how far down the pixels of each class are, a share of the height: `(classes,)`, or NaN."""
        height, width = self.labels.shape
        rows = np.repeat((np.arange(height) + 0.5) / height, width)
        labels = self.labels.ravel()
        counts, sums = (np.bincount(labels, by, VOID + 1)[:classes] for by in (None, rows))
        return np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0)


@dataclasses.dataclass(frozen=True)
class Segmented:
    """The result of segmentation.

    Attributes:
        labels: uint8 `(H, W)`, the class of every pixel of the image.
        levels: uint8 `(H, W)`, of two classes the probability of the second in 255ths, else None.
    """

    labels: np.ndarray
    levels: np.ndarray | None = None
