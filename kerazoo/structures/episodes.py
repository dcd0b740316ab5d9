"""Truth and result of few-shot learning: episodes."""

import dataclasses
from typing import ClassVar

import numpy as np

from kerazoo.structures.warp import Warp


@dataclasses.dataclass(frozen=True)
class Episode:
    """The truth of few-shot learning: row w of the images shows class w.

    Attributes:
        names: of the classes.
        shots: so many images of each come first and are the support; the others are queries.
    """

    names: tuple[str, ...]
    shots: int
    counted: ClassVar[str] = "episodes"

    def moved(self, warp: Warp) -> "Episode":
        """Return the truth after a geometric change of the images: itself."""
        return self

    def counts(self, classes: int) -> np.ndarray:
        """Return that it is of no class in particular: int64 `(classes + 1,)`."""
        return np.eye(1, classes + 1, classes, dtype="int64")[0]


@dataclasses.dataclass(frozen=True)
class Answers:
    """The result of few-shot learning.

    Attributes:
        probabilities: float32 `(ways, queries, ways)`: of each query of each class, of being each class.
    """

    probabilities: np.ndarray

    def right(self) -> np.ndarray:
        """Return which queries were told right: bool `(ways, queries)`."""
        return self.probabilities.argmax(axis=-1) == np.arange(len(self.probabilities))[:, None]
