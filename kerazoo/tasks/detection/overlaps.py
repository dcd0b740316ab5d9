"""How much boxes overlap: intersection over union and what grew out of it, in NumPy.

Boxes are left, top, right, bottom, `(..., 4)`, and broadcast: `iou(a, b)` is of pairs, and
`iou(a[:, None], b)` of every box of `a` with every box of `b`. `kerazoo.layers.suppression` and
`kerazoo.tasks.detection.box_losses` state the same for networks.
"""

import numpy as np

from kerazoo.structures.boxes import box_areas

_LEAST = 1e-12
"""What is divided by at least: boxes without area overlap with nothing, not even themselves."""


def intersection(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the areas that boxes have in common: two times `(..., 4)` -> `(...)`."""
    # Sides one by one: NumPy is slow along an axis of two.
    width = np.minimum(boxes[..., 2], others[..., 2]) - np.maximum(boxes[..., 0], others[..., 0])
    height = np.minimum(boxes[..., 3], others[..., 3]) - np.maximum(boxes[..., 1], others[..., 1])
    return np.maximum(width, 0) * np.maximum(height, 0)


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return intersection over union, 0..1: two times `(..., 4)` -> `(...)`."""
    common = intersection(boxes, others)
    return common / np.maximum(box_areas(boxes) + box_areas(others) - common, _LEAST)


def covered(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which share of each box the other box covers, 0..1: two times `(..., 4)` -> `(...)`."""
    return intersection(boxes, others) / np.maximum(box_areas(boxes), _LEAST)


def giou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the generalised IoU, -1..1: `IoU - (C - U) / C` (Rezatofighi et al. 2019).

    U is the area of the union and C that of the smallest box around both.

    Shape: two times `(..., 4)` -> `(...)`.
    """
    common = intersection(boxes, others)
    union = box_areas(boxes) + box_areas(others) - common
    width, height = _enclosing(boxes, others)
    around = np.maximum(width * height, _LEAST)
    return common / np.maximum(union, _LEAST) - (around - union) / around


def diou(boxes: np.ndarray, others: np.ndarray, exponent: float = 1.0) -> np.ndarray:
    """Return the distance IoU, -1..1: `IoU - (d^2 / c^2)^exponent` (Zheng et al. 2020).

    d is the distance of the centres and c the diagonal of the smallest box around both.

    Shape: two times `(..., 4)` -> `(...)`.

    Args:
        boxes, others: the boxes.
        exponent: 1 in the paper; 0.6 in darknet's suppression.
    """
    x, y = (
        (boxes[..., low] + boxes[..., low + 2] - others[..., low] - others[..., low + 2]) / 2
        for low in (0, 1)
    )
    width, height = _enclosing(boxes, others)
    share = (x * x + y * y) / np.maximum(width * width + height * height, _LEAST)
    return iou(boxes, others) - (share if exponent == 1 else share**exponent)


def ciou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the complete IoU: `DIoU - alpha v`, with v the difference of the shapes (Zheng et al. 2020).

    `v = 4 / pi^2 (atan(w / h) - atan(w' / h'))^2` and `alpha = v / (1 - IoU + v)`.

    Shape: two times `(..., 4)` -> `(...)`.
    """
    v = 4 / np.pi**2 * np.square(_slant(boxes) - _slant(others))
    alpha = v / np.maximum(1 - iou(boxes, others) + v, _LEAST)
    return diou(boxes, others) - alpha * v


def _enclosing(boxes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return width and height of the smallest boxes around two boxes each."""
    width = np.maximum(boxes[..., 2], others[..., 2]) - np.minimum(boxes[..., 0], others[..., 0])
    height = np.maximum(boxes[..., 3], others[..., 3]) - np.minimum(boxes[..., 1], others[..., 1])
    return width, height


def _slant(boxes: np.ndarray) -> np.ndarray:
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return np.arctan2(width, height)
