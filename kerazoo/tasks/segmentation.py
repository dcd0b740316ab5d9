"""Semantic segmentation: a class for every pixel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kerazoo.data.warp import Warp

VOID = 255
"""The label of pixels that count for nothing, neither in the loss nor in the scores."""


@dataclass(frozen=True)
class Mask:
    """The truth of segmentation.

    Attributes:
        labels: uint8 `(H, W)`, class indices from 0; `VOID` where unlabelled.
        weights: float32 `(H, W)`, what each pixel's loss is multiplied by, or None for 1.
    """

    labels: np.ndarray
    weights: np.ndarray | None = None

    def moved(self, warp: "Warp") -> "Mask":
        """Return the mask after a geometric change, by nearest neighbour."""
        weights = None if self.weights is None else warp.labels(self.weights)
        return Mask(warp.labels(self.labels), weights)
