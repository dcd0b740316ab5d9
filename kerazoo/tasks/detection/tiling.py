"""Objects in images of any size, found in overlapping tiles and joined across the seams."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kerazoo.errors import UserError
from kerazoo.structures.boxes import Detections
from kerazoo.tasks.detection import augmented
from kerazoo.tasks.detection.overlaps import covered, iou
from kerazoo.tasks.detection.suppression import greedy

if TYPE_CHECKING:
    from kerazoo.task import Forward, Options
    from kerazoo.tasks.detection import Detection

OVERLAP = 0.25
"""Part of a tile's side that neighbours have in common at least; what is smaller is whole in one of them."""

SMALLEST = 32
"""Pixels of the side of the smallest tile."""

NEAR = 1 / 64
"""A box that comes nearer to the edge of its tile, by the tile's side, may be a part of an object."""

SAME = 0.5
"""Boxes of two tiles with a larger IoU are of one object."""

PART = 0.6
"""A cut box of which a larger part lies in a box of another tile is of that box's object."""

WORTH = 0.25
"""By this factor a cut box counts less than a whole one."""


class _Found(NamedTuple):
    """What was found in tiles, in pixels of the image.

    Attributes:
        boxes: `(D, 4)`.
        labels, scores: `(D,)`.
        tile: int `(D,)`, the number of the tile.
        cut: bool `(D,)`, whether the box touches an edge of its tile that is not one of the image.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    tile: np.ndarray
    cut: np.ndarray

    def select(self, chosen: np.ndarray) -> "_Found":
        return _Found(*(array[chosen] for array in self))


def whole_or_tiled(
    task: "Detection", forward: "Forward", image: np.ndarray, options: "Options"
) -> Detections:
    """Return the objects in an image, looked for at once or in tiles.

    Memory beyond the image and the result is that of one tile, and of the boxes of a row of tiles.

    Args:
        task: the family.
        forward: the network on a batch.
        image: uint8 `(H, W, 3)`.
        options: `tile` is the side of the windows that are looked at one by one, each as an image of its
            own; None takes the whole image. `tta` as for `augmented.found`.

    Raises:
        UserError: the tile is smaller than `SMALLEST`.
    """
    tile = options.tile
    if tile is not None and tile < SMALLEST:
        raise UserError(f"a tile of {tile} pixels is too small", f"give --tile at least {SMALLEST}")
    if tile is None or not needs_tiles(image, tile):
        return augmented.found(task, forward, image, tta=options.tta)
    tops, lefts = (starts(side, tile) for side in image.shape[:2])
    done: list[Detections] = []
    open_ends: list[_Found] = []
    for row, top in enumerate(tops):
        parts = open_ends
        for column, left in enumerate(lefts):
            window = image[top : top + tile, left : left + tile]
            result = augmented.found(task, forward, window, tta=options.tta)
            parts.append(_placed(result, (top, left), window.shape, image.shape, row * len(lefts) + column))
        kept = _across_seams(_Found(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True))))
        # What ends above the next row of tiles meets nothing any more.
        beneath = tops[row + 1] if row + 1 < len(tops) else np.inf
        settled = kept.boxes[:, 3] <= beneath
        done.append(Detections(*kept.select(settled)[:3]))
        open_ends = [kept.select(~settled)]
    return augmented.joined(done)


def needs_tiles(image: np.ndarray, tile: int | None) -> bool:
    """Return whether an image is larger than a tile; None stands for no tiles."""
    return tile is not None and max(image.shape[:2]) > tile


def starts(length: int, tile: int) -> list[int]:
    """Return where tiles begin along a side, evenly spaced and overlapping by `OVERLAP` at least.

    Args:
        length: of the image's side.
        tile: side of a tile.
    """
    if length <= tile:
        return [0]
    overlap = int(np.ceil(OVERLAP * tile))
    count = -(-(length - overlap) // (tile - overlap))
    return np.linspace(0, length - tile, count).astype(int).tolist()


def _placed(result: Detections, corner: tuple[int, int], window: tuple, image: tuple, number: int) -> _Found:
    """Return a tile's result in pixels of the image, with what its edges cut."""
    shift = np.array([*corner[::-1], *corner[::-1]], "float32")
    edges = shift + np.array([0, 0, window[1], window[0]])
    inner = edges != np.array([0, 0, image[1], image[0]])
    boxes = result.boxes + shift
    cut = ((np.abs(boxes - edges) <= NEAR * max(window[:2])) & inner).any(axis=1)
    return _Found(boxes, result.labels, result.scores, np.full(len(boxes), number), cut)


def _across_seams(found: _Found) -> _Found:
    """Return what stays where tiles overlap; boxes of one tile never suppress each other.

    Whole boxes go before cut ones, unless their scores are much lower.
    """
    worth = found.scores * np.where(found.cut, WORTH, 1)
    boxes, labels, _, tile, cut = found = found.select(np.argsort(-worth, kind="stable"))

    def loses(better: np.ndarray, others: np.ndarray) -> np.ndarray:
        rivals = (labels[better] == labels[others]) & (tile[better] != tile[others])
        same = iou(boxes[better], boxes[others]) > SAME
        part = cut[others] & (covered(boxes[others], boxes[better]) > PART)
        return rivals & (same | part)

    return found.select(greedy(boxes, loses))
