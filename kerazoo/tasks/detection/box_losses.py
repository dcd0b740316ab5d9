"""Losses of boxes by how much they overlap: 1 - IoU and what grew out of it, in `keras.ops`.

`kerazoo.tasks.detection.overlaps` states the same for NumPy. Boxes are left, top, right, bottom, `(..., 4)`,
in any unit; predicted and true ones broadcast. Nothing is made stable by an addend: only divisors of less
than 1e-12 are raised, so boxes without area have finite losses and gradients.
"""

import math
from typing import Literal

from keras import ops

from kerazoo.layers.suppression import LEAST, area, diou, enclosing, intersection, iou
from kerazoo.objective import Tensor

Kind = Literal["iou", "giou", "diou", "ciou"]


def box_loss(boxes: Tensor, targets: Tensor, kind: Kind) -> Tensor:
    """Return the loss of every pair of boxes, 0 where they are the same.

    Shape: two times `(..., 4)` -> `(...)`: "iou" 0..1, the others 0..2 (for "ciou" a little more).

    Args:
        boxes: predicted.
        targets: true.
        kind: "iou" (Yu et al. 2016, without the logarithm), "giou" (Rezatofighi et al. 2019), "diou" or
            "ciou" (Zheng et al. 2020). Only "iou" teaches nothing where boxes have nothing in common.
    """
    measure = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}[kind]
    return 1.0 - measure(boxes, targets)


def giou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the generalised IoU, -1..1: `IoU - (C - U) / C`; see `overlaps.giou`.

    Shape: two times `(..., 4)` -> `(...)`.
    """
    common = intersection(boxes, others)
    union = area(boxes) + area(others) - common
    around = ops.maximum(area(enclosing(boxes, others)), LEAST)
    return common / ops.maximum(union, LEAST) - (around - union) / around


def ciou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the complete IoU: `DIoU - alpha v`; see `overlaps.ciou`.

    As in the paper alpha is a constant for the gradient.

    Shape: two times `(..., 4)` -> `(...)`.
    """
    v = 4 / math.pi**2 * ops.square(_slant(boxes) - _slant(others))
    alpha = v / ops.maximum(1.0 - iou(boxes, others) + v, LEAST)
    return diou(boxes, others) - ops.stop_gradient(alpha) * v


def _slant(boxes: Tensor) -> Tensor:
    """Return atan(w / h): `(..., 4)` -> `(...)`."""
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return ops.arctan(width / ops.maximum(height, LEAST))
