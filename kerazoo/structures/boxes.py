"""Truth and result of detection: boxes with labels; and the only place where formats of boxes are converted.

A box is left, top, right, bottom in pixels. These are edges, not indices of pixels: the box of one pixel is
`(x, y, x + 1, y + 1)`, and `(0, 0, W, H)` is the whole image. All conversions take and give `(N, 4)`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from kerazoo.structures.warp import Warp

SMALL, LARGE = 32.0**2, 96.0**2
"""Square pixels below which COCO calls an object small, and above which large."""

BEYOND = 1e-4
"""By a smaller share of its image's side, a box reaches beyond it because of rounding alone."""


@dataclasses.dataclass(frozen=True)
class Boxes:
    """The truth of detection.

    Attributes:
        boxes: float32 `(B, 4)`, left, top, right, bottom; inside the image.
        labels: int32 `(B,)`.
        crowd: bool `(B,)`: the box surrounds many objects; what is found in it counts neither for nor
            against.
        difficult: bool `(B,)`: Pascal VOC's flag; such objects count neither for nor against.
        size: height and width of the image.
        image: id of the image in the data's own files.
        areas: float32 `(B,)`, square pixels by which objects are called small, medium or large; None for
            those of the boxes.
        seen: float32 `(B,)`, 0..1, the share of each box that is still inside after geometric changes; None
            for all of it.
        categories: ids of the classes in the data's own files, in label order; empty where they have none.
    """

    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    difficult: np.ndarray
    size: tuple[int, int]
    image: int | str = 0
    areas: np.ndarray | None = None
    seen: np.ndarray | None = None
    categories: tuple[int | str, ...] = ()
    counted: ClassVar[str] = "boxes"

    def moved(self, warp: Warp) -> "Boxes":
        """Return the boxes after a geometric change: each encloses its moved corners and is clipped.

        What is outside is gone; `seen` says how much of the rest is left.
        """
        whole = from_xywh(warp.boxes(to_xywh(self.boxes)))  # (B, 4)
        inside = clipped(whole, warp.size)
        shares = box_areas(inside) / np.maximum(box_areas(whole), 1e-9)
        zoom = abs(np.linalg.det(warp.matrix))  # input pixels per output pixel
        return dataclasses.replace(
            self,
            boxes=inside,
            size=warp.size,
            seen=(shares if self.seen is None else self.seen * shares).astype("float32"),
            areas=None if self.areas is None else (self.areas * shares / zoom).astype("float32"),
        ).select(box_areas(inside) > 0)

    def seen_enough(self, least: float, side: float) -> "Boxes":
        """Return the boxes that can still be recognised; those of crowds all stay.

        Args:
            least: share of its area that must be left, 0..1.
            side: pixels that its width and its height must have.
        """
        large = (self.boxes[:, 2:] - self.boxes[:, :2] >= side).all(axis=1)
        return self.select((large if self.seen is None else large & (self.seen >= least)) | self.crowd)

    def select(self, chosen: np.ndarray) -> "Boxes":
        """Return the boxes chosen by bool `(B,)` or by indices."""
        return dataclasses.replace(self, **{name: array[chosen] for name, array in _per_box(self).items()})

    def counts(self, classes: int) -> np.ndarray:
        """Return the boxes of every class, without crowds, and 0: int64 `(classes + 1,)`."""
        return np.bincount(self.labels[~self.crowd], minlength=classes + 1).astype("int64")

    def levels(self, classes: int) -> np.ndarray:
        """Return how far down the boxes of each class are, a share of the height: `(classes,)`, or NaN."""
        middles = (self.boxes[:, 1] + self.boxes[:, 3]) / (2 * self.size[0])
        counts, sums = (np.bincount(self.labels, by, classes) for by in (None, middles))
        return np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0)

    def tally(self) -> dict[str, int]:
        """Return how many boxes there are of each kind and of COCO's sizes; and 1 if there is none."""
        single = self.select(~self.crowd)
        areas = box_areas(single.boxes) if single.areas is None else single.areas
        small, large = int((areas < SMALL).sum()), int((areas > LARGE).sum())
        return {
            "boxes": len(areas),
            "small boxes": small,
            "medium boxes": len(areas) - small - large,
            "large boxes": large,
            "crowd boxes": int(self.crowd.sum()),
            "difficult boxes": int(self.difficult.sum()),
            "images without boxes": int(len(self.boxes) == 0),
        }

    def measures(self) -> dict[str, np.ndarray]:
        """Return the sizes and shapes of all boxes, and how many there are: float32 `(n,)` by name."""
        width, height = (self.boxes[:, 2:] - self.boxes[:, :2]).T
        return {
            "box size (pixels)": np.sqrt(width * height),
            "box width / height": width / np.maximum(height, 1e-6),
            "boxes in an image": np.array([len(self.boxes)], "float32"),
        }


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


class Sanitised(NamedTuple):
    """Boxes after `sanitised`.

    Attributes:
        boxes: `(N, 4)`, clipped.
        beyond: bool `(N,)`, which reached beyond the image.
        empty: bool `(N,)`, which have no area inside of it: reversed, without extent, or wholly outside.
    """

    boxes: np.ndarray
    beyond: np.ndarray
    empty: np.ndarray


def joined(parts: Sequence[Boxes]) -> Boxes:
    """Return the boxes of several parts, of one size, as those of the first one's image."""
    whole = [
        dataclasses.replace(
            part,
            areas=box_areas(part.boxes) if part.areas is None else part.areas,
            seen=np.ones(len(part.boxes), "float32") if part.seen is None else part.seen,
        )
        for part in parts
    ]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in whole]) for name in _per_box(whole[0])
    }
    return dataclasses.replace(parts[0], **arrays)


def sanitised(boxes: np.ndarray, size: Sequence[float]) -> Sanitised:
    """Return boxes clipped to their image, and which of them reached beyond it or are empty.

    Args:
        boxes: `(N, 4)`, edges.
        size: height and width; 1, 1 for shares.
    """
    sides = np.array((*size[::-1], *size[::-1]))
    inside = clipped(boxes, size)
    empty = box_areas(inside) == 0
    return Sanitised(inside, (np.abs(boxes - inside) > BEYOND * sides).any(axis=1) & ~empty, empty)


def clipped(boxes: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """Return the parts of boxes that lie in an image of height and width `size`."""
    return np.clip(boxes, 0, np.array((*size[::-1], *size[::-1]), boxes.dtype))


def box_areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes, 0 for reversed ones: `(..., 4)` -> `(...)`."""
    # Sides one by one: NumPy is slow along an axis of two.
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return np.maximum(width, 0) * np.maximum(height, 0)


def from_xywh(boxes: np.ndarray) -> np.ndarray:
    """Return the edges of boxes that are left, top, width and height, as COCO's."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def to_xywh(boxes: np.ndarray) -> np.ndarray:
    """Return left, top, width and height of boxes."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def from_voc(boxes: np.ndarray) -> np.ndarray:
    """Return the edges of Pascal VOC's boxes: numbers from 1 of the first and last column and row."""
    return boxes - np.array([1, 1, 0, 0], boxes.dtype)


def to_voc(boxes: np.ndarray) -> np.ndarray:
    """Return xmin, ymin, xmax, ymax of boxes, as Pascal VOC counts: the first pixel is 1, the last inside."""
    return boxes + np.array([1, 1, 0, 0], boxes.dtype)


def from_yolo(boxes: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """Return the edges of YOLO's boxes, which are centre x, y, width and height as shares of the sides.

    Args:
        boxes: `(N, 4)`.
        size: height and width of the image.
    """
    height, width = size
    centres, halves = boxes[:, :2], boxes[:, 2:] / 2
    sides = np.array([width, height, width, height], boxes.dtype)
    return np.concatenate([centres - halves, centres + halves], axis=1) * sides


def to_yolo(boxes: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """Return centre x, y, width and height of boxes as shares of the sides of an image of this `size`."""
    height, width = size
    shares = boxes / np.array([width, height, width, height], boxes.dtype)
    return np.concatenate([(shares[:, :2] + shares[:, 2:]) / 2, shares[:, 2:] - shares[:, :2]], axis=1)


def _per_box(boxes: Boxes) -> dict[str, Any]:
    """Return the arrays that have a row for each box, by field."""
    names = ("boxes", "labels", "crowd", "difficult", "areas", "seen")
    return {name: array for name in names if (array := getattr(boxes, name)) is not None}
