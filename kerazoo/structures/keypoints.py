"""Truth and result of pose: people, or a user's own objects, with key points."""

import dataclasses
from typing import ClassVar

import numpy as np

from kerazoo.structures.skeleton import Skeleton
from kerazoo.structures.warp import Warp


@dataclasses.dataclass(frozen=True)
class People:
    """The truth of pose.

    Attributes:
        points: float32 `(P, K, 2)`, x and y in pixels, pixel centres at whole numbers.
        visible: uint8 `(P, K)`: 0 not labelled, 1 labelled but hidden, 2 seen.
        boxes: float32 `(P, 4)`: left, top, width, height; (0, 0, W, H) is the whole image.
        areas: float32 `(P,)`, square pixels that each person covers; similarity is measured by it.
        skeleton: what the points are.
        ignore: uint8 `(H, W)`, 1 where nothing is known and nothing may be learned (crowds, people
            whose points are not labelled), or None for nowhere.
        crowds: float32 `(C, 4)`, boxes in which what is found counts neither for nor against.
        image: id of the image, by which scores bring people of several windows together.
        origin: x and y, in the image, of the window that `points` are in.
        score: of the box that the window was cut around; 1 where people and not a detector drew it.
        category: id of people in the data's own files; COCO's number.
    """

    points: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    skeleton: Skeleton
    ignore: np.ndarray | None = None
    crowds: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 4), "float32"))
    image: int | str = 0
    origin: tuple[float, float] = (0.0, 0.0)
    score: float = 1.0
    category: int | str = 1
    counted: ClassVar[str] = "points"

    def moved(self, warp: Warp) -> "People":
        """Return the people after a geometric change.

        Points beyond the window are not labelled any more; in a mirror left and right change places.
        """
        points, visible = warp.points(self.points), self.visible
        if np.linalg.det(warp.matrix) < 0:
            swapped = self.skeleton.flip_indices()
            points, visible = points[:, swapped], visible[:, swapped]
        inside = ((points >= -0.5) & (points < np.array(warp.size[::-1]) - 0.5)).all(axis=-1)
        return dataclasses.replace(
            self,
            points=points,
            visible=np.where(inside, visible, 0).astype("uint8"),
            boxes=warp.boxes(self.boxes),
            areas=self.areas / abs(np.linalg.det(warp.matrix)).astype("float32"),
            ignore=None if self.ignore is None else warp.labels(self.ignore),
            crowds=warp.boxes(self.crowds),
        )

    def counts(self, classes: int) -> np.ndarray:
        """Return how often each point is labelled and, last, how often one is not: int64 `(classes + 1,)`."""
        labelled = (self.visible > 0).sum(axis=0, dtype="int64")
        return np.append(labelled, self.visible.size - labelled.sum())

    def tally(self) -> dict[str, int]:
        """Return how many people there are that have labelled points, and how many crowds."""
        return {"people": int(self.visible.any(axis=1).sum()), "crowds": len(self.crowds)}

    def measures(self) -> dict[str, np.ndarray]:
        """Return the sides of the squares that people fill, and their number: float32 `(n,)` by name."""
        known = self.visible.any(axis=1)
        sides = np.sqrt(np.maximum(self.boxes[known, 2] * self.boxes[known, 3], 0))
        return {
            "size of people (pixels)": sides.astype("float32"),
            "people in an image": np.array([known.sum()], "float32"),
        }


@dataclasses.dataclass(frozen=True)
class Poses:
    """The result of pose.

    Attributes:
        points: float32 `(P, K, 3)`: x and y in the image's pixels and a score, 0 for what was
            not found.
        scores: float32 `(P,)`, of each person, best first.
    """

    points: np.ndarray
    scores: np.ndarray
