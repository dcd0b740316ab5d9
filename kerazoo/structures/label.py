"""Truth and result of classification: one class for an image."""

import dataclasses
from typing import ClassVar

import numpy as np

from kerazoo.structures.warp import Warp


@dataclasses.dataclass(frozen=True)
class Label:
    """The truth of classification.

    Attributes:
        label: class index from 0.
    """

    label: int
    counted: ClassVar[str] = "images"

    def moved(self, warp: Warp) -> "Label":
        """Return the label after a geometric change: itself."""
        return self

    def counts(self, classes: int) -> np.ndarray:
        """Return 1 for its class and 0 for all others and for none: int64 `(classes + 1,)`."""
        return np.eye(1, classes + 1, self.label, dtype="int64")[0]


@dataclasses.dataclass(frozen=True)
class Classified:
    """The result of classification.

    Attributes:
        probabilities: float32 `(classes,)`, of sum 1.
    """

    probabilities: np.ndarray
