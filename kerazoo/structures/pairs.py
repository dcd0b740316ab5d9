"""Truth and results of verification: pairs of images, and what an index holds of one."""

import dataclasses
from typing import ClassVar

import numpy as np

from kerazoo.structures.warp import Warp


@dataclasses.dataclass(frozen=True)
class Couples:
    """The truth of pairs of images.

    Attributes:
        alike: bool `(P,)`.
    """

    alike: np.ndarray
    counted: ClassVar[str] = "pairs"

    def moved(self, warp: Warp) -> "Couples":
        """Return the truth after a geometric change of the images: itself."""
        return self

    def counts(self, classes: int) -> np.ndarray:
        """Return that it is of no class in particular: int64 `(classes + 1,)`."""
        return len(self.alike) * np.eye(1, classes + 1, classes, dtype="int64")[0]


@dataclasses.dataclass(frozen=True)
class Distances:
    """The result of a stack of images, `(R, M)` of them: pairs, or an episode.

    Attributes:
        between: float32 `(R, M, R, M)`, of each two; the smaller, the more alike.
    """

    between: np.ndarray

    def of_pairs(self) -> np.ndarray:
        """Return the distance of the first two images of every row: float32 `(R,)`."""
        rows = np.arange(len(self.between))
        return self.between[rows, 0, rows, 1]

    def of_queries(self, shots: int) -> np.ndarray:
        """Return how far an episode's queries are from the nearest of each row's first `shots` images.

        Shape: float32 `(R, M - shots, R)`.
        """
        return self.between[:, shots:, :, :shots].min(axis=-1)

    def right(self, shots: int) -> np.ndarray:
        """Return which queries are nearest to an image of their own row: bool `(R, M - shots)`."""
        return self.of_queries(shots).argmin(axis=-1) == np.arange(len(self.between))[:, None]


@dataclasses.dataclass(frozen=True)
class Nearest:
    """What was found in an index for an image, the nearest first.

    Attributes:
        files: names as the index has them.
        distances: float32 `(K,)`.
        images: of the first `SHOWN` files, uint8 `(H, W, 3)` each; None where the file is gone.
    """

    files: tuple[str, ...]
    distances: np.ndarray
    images: tuple[np.ndarray | None, ...]
