"""Anchors from data: the shapes that boxes are most alike (Redmon and Farhadi 2016, arXiv:1612.08242, 2.)."""

from typing import TYPE_CHECKING

import numpy as np

from kerazoo.families.yolov4.configuration import HEADS, PER_HEAD
from kerazoo.structures.fingerprint import Decision, Fingerprint

if TYPE_CHECKING:
    from kerazoo.families.yolov4 import YOLOv4

ROUNDS = 100
"""Of k-means at most; it ends when no box changes its shape."""


def shapes_overlap(sizes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoU of rectangles with one centre: `(B, 2)` and `(A, 2)` -> `(B, A)`."""
    common = np.minimum(sizes[:, None], others).prod(axis=-1)
    return common / np.maximum(sizes.prod(axis=-1)[:, None] + others.prod(axis=-1) - common, 1e-9)


def kmeans(sizes: np.ndarray, count: int) -> np.ndarray:
    """Return the shapes that stand for boxes, by k-means whose distance is 1 - IoU; small ones first.

    It begins at quantiles of the area, so the same boxes give the same shapes.

    Args:
        sizes: width and height, `(B, 2)`, B at least 1.
        count: of shapes.

    Returns:
        float64 `(count, 2)`.

    Example:
        >>> import numpy as np
        >>> kmeans(np.array([[10, 10], [12, 10], [40, 80], [42, 80]]), 2)
        array([[11., 10.],
               [41., 80.]])
    """
    ordered = sizes[np.argsort(sizes.prod(axis=1), kind="stable")].astype("float64")
    places = (np.arange(count) + 0.5) / count * len(ordered)
    means, nearest = ordered[places.astype(int)], np.full(len(ordered), -1)
    for _ in range(ROUNDS):
        before, nearest = nearest, shapes_overlap(ordered, means).argmax(axis=1)
        if (nearest == before).all():
            break
        for index in np.unique(nearest):
            means[index] = ordered[nearest == index].mean(axis=0)
    return means[np.argsort(means.prod(axis=1), kind="stable")]


def anchors_of(data: Fingerprint, family: "YOLOv4", size: tuple[int, int]) -> list[Decision]:
    """Plan the anchors, and that each head has its own, where the data have boxes.

    Args:
        data: its `measures` tell the boxes.
        family: whose heads they are for.
        size: height and width of the network's input.
    """
    sizes = box_sizes(data, size)
    if not len(sizes):
        return []
    heads = len(HEADS[family.network].strides)
    found = kmeans(sizes, PER_HEAD * heads)
    alike = shapes_overlap(sizes, found).max(axis=1).mean()
    because = f"the shapes of {len(sizes)} boxes by k-means: the best has a mean IoU of {alike:.2f} with them"
    masks = tuple(tuple(range(PER_HEAD * head, PER_HEAD * (head + 1))) for head in range(heads))
    return [
        Decision("family.anchors", tuple((round(w, 1), round(h, 1)) for w, h in found.tolist()), because),
        Decision("family.masks", masks, "small shapes on the finest map"),
    ]


def box_sizes(data: Fingerprint, size: tuple[int, int]) -> np.ndarray:
    """Return width and height of all boxes in pixels of the input: `(B, 2)`.

    As in images of the median height and width.

    Args:
        data: with the measures of `kerazoo.structures.boxes.Boxes`.
        size: height and width of the input.
    """
    side = data.measures.get("box size (pixels)", np.zeros(0))  # sqrt(w h)
    ratio = data.measures.get("box width / height", np.ones(0))
    shape = np.stack([side * np.sqrt(ratio), side / np.sqrt(np.maximum(ratio, 1e-6))], axis=-1)
    shape = shape[(shape > 0).all(axis=1)]
    return shape * (size[1] / np.median(data.widths), size[0] / np.median(data.heights))
