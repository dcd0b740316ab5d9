"""The loss of YOLOv4 as darknet's `yolo_layer.c` trains it."""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from kerazoo import backend
from kerazoo.families.yolov4.codec import LARGEST
from kerazoo.families.yolov4.configuration import PER_HEAD, Heads
from kerazoo.layers.suppression import iou
from kerazoo.objective import SumOfTerms, Tensor
from kerazoo.tasks.detection.box_losses import box_loss

TERMS = ("box", "objectness", "classes")

BETA = 0.999
"""Of the effective number of objects, which 1 / (1 - beta) bounds."""

CERTAIN = math.log(0.25 / 0.75)
"""Logit of a class above which a box that overlaps with an object is no mistake: a probability of 0.25."""


class Rules(NamedTuple):
    """Settings of a cfg file's [yolo] sections, by their names.

    Attributes:
        iou_normalizer: weight of boxes.
        ignore_thresh: IoU with an object above which a box is not asked to be none, should it tell a class.
        max_delta: largest gradient of a box by each of its four logits, before those of a cell are added up.
        label_smooth_eps: how far targets of classes are from 0 and 1, twice.
        focal_gamma: of the focal loss of classes (Lin et al. 2017, arXiv:1708.02002); 0 for cross entropy.
        counters_per_class: objects of every class in the training data, for class-balanced weights; or empty.
    """

    iou_normalizer: float = 0.07
    ignore_thresh: float = 0.7
    max_delta: float = 5.0
    label_smooth_eps: float = 0.0
    focal_gamma: float = 0.0
    counters_per_class: tuple[int, ...] = ()


class YOLOv4Objective(SumOfTerms):
    """The terms "box", "objectness" and "classes", each a sum over an image, and the mean over the batch.

    In float32 whatever the precision of the network.

    Args:
        network: outputs `(N, h, w, 3 (5 + classes))` by the names of `heads`.
        heads: of the network.
        rules: what darknet's cfg says.
    """

    def __init__(self, network: keras.Model, heads: Heads, rules: Rules):
        super().__init__(network, TERMS)
        self.heads, self.rules = heads, rules

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        total = dict.fromkeys(TERMS, 0.0)
        for index, name in enumerate(self.heads.names()):
            head = Head.of(outputs[name], self.heads, index)
            of_head = {key.removeprefix(f"{name}_"): value for key, value in y.items()}
            found = head.at(of_head["cells"])  # (N, M, 3, 5 + C)
            total["box"] += box_term(head, found, of_head, self.rules)
            total["objectness"] += objectness_term(head, of_head, self.rules.ignore_thresh)
            total["classes"] += self._classes(found, of_head)
        count = ops.cast(ops.shape(x)[0], "float32")
        return {name: value / count for name, value in total.items()}

    def _classes(self, found: Tensor, y: dict) -> Tensor:
        rules = self.rules
        if rules.focal_gamma or rules.counters_per_class:
            weights = balanced(rules.counters_per_class)
            return focal_class_term(found, y, rules.label_smooth_eps, rules.focal_gamma, weights)
        return class_term(found, y, rules.label_smooth_eps)


class Head(NamedTuple):
    """What a head says of every anchor of every cell.

    Attributes:
        logits: float32 `(N, h, w, 3, 5 + C)`.
        anchors: width and height, `(3, 2)`, shares of the network's input.
        scale: `scale_x_y`.
    """

    logits: Tensor
    anchors: Tensor
    scale: float

    @classmethod
    def of(cls, maps: Tensor, heads: Heads, index: int) -> "Head":
        """Return a head from its output `(N, h, w, 3 (5 + C))`."""
        _, rows, columns, channels = ops.shape(maps)
        logits = ops.reshape(ops.cast(maps, "float32"), (-1, rows, columns, PER_HEAD, channels // PER_HEAD))
        pixels = [heads.anchors[place] for place in heads.masks[index]]
        size = ops.cast(ops.stack([columns, rows]), "float32") * heads.strides[index]
        return cls(logits, ops.convert_to_tensor(pixels, "float32") / size, heads.scale_x_y[index])

    def at(self, cells: Tensor) -> Tensor:
        """Return the logits of cells, int `(N, M)`: `(N, M, 3, 5 + C)`."""
        _, rows, columns, anchors, channels = ops.shape(self.logits)
        flat = ops.reshape(self.logits, (-1, rows * columns, anchors * channels))
        index = ops.broadcast_to(ops.expand_dims(cells, -1), (*ops.shape(cells), anchors * channels))
        return ops.reshape(ops.take_along_axis(flat, index, axis=1), (-1, cells.shape[1], anchors, channels))

    def boxes(self, logits: Tensor, cells: Tensor) -> Tensor:
        """Return centres and sizes, shares of the input, that logits tell in cells.

        Shape: logits `(..., 3, 4)`, cells int `(...)`, row by row -> `(..., 3, 4)`.
        """
        _, rows, columns, *_ = ops.shape(self.logits)
        corner = ops.expand_dims(ops.stack([cells % columns, cells // columns], axis=-1), -2)
        stretched = ops.sigmoid(logits[..., :2]) * self.scale - (self.scale - 1) / 2
        centres = (stretched + ops.cast(corner, "float32")) / ops.cast(ops.stack([columns, rows]), "float32")
        sides = ops.exp(ops.minimum(logits[..., 2:4], LARGEST)) * self.anchors
        return ops.concatenate([centres, sides], axis=-1)


def box_term(head: Head, found: Tensor, y: dict, rules: Rules) -> Tensor:
    """Return the CIoU loss of boxes at objects (Zheng et al. 2020), with darknet's gradient.

    The gradient by tx and ty is that by the centre itself, in shares of the input: the slope of the logistic
    is left out, which would make it vanish where the network is sure, and the size of a cell. That by tw and
    th is that by width and height times e^tw and e^th, without the anchor. Each is clipped to `max_delta`.

    Args:
        head: all that it says.
        found: its logits at objects, `(N, M, 3, 5 + C)`.
        y: targets, as `codec.targets`.
        rules: of the cfg.
    """
    logits = found[..., :4]
    weights = ops.expand_dims(y["weights"], -1)  # (N, M, 3, 1)
    boxes = corners(ops.stop_gradient(head.boxes(logits, y["cells"])))
    truth = corners(ops.expand_dims(y["boxes"], 2))
    loss = rules.iou_normalizer * ops.sum(y["weights"] * box_loss(boxes, truth, "ciou"))
    (by_corner,) = backend.gradients(
        lambda values: ops.sum(box_loss(values[0], truth, "ciou")), [boxes], again=False
    )
    low, high = by_corner[..., :2], by_corner[..., 2:]
    growth = ops.exp(ops.minimum(logits[..., 2:], LARGEST))
    delta = rules.iou_normalizer * ops.concatenate([low + high, (high - low) / 2 * growth], axis=-1)
    delta = ops.clip(delta, -rules.max_delta, rules.max_delta) * weights
    # 0, with this gradient by the logits.
    pull = ops.sum(ops.stop_gradient(delta) * (logits - ops.stop_gradient(logits)))
    return ops.stop_gradient(loss) + pull


def objectness_term(head: Head, y: dict, ignore_thresh: float) -> Tensor:
    """Return the cross entropy of objectness: 1 where an object is assigned, 0 elsewhere.

    Cells about which nothing is known are left out; so are boxes that overlap by more than `ignore_thresh`
    with any object and have a class of a probability above 0.25, whichever it is.

    Args:
        head: all that it says.
        y: targets, as `codec.targets`.
        ignore_thresh: an IoU.
    """
    target = y["objectness"]  # (N, h, w, 3)
    logits = ops.stop_gradient(head.logits)
    batch, rows, columns, *_ = ops.shape(logits)
    cells = ops.reshape(ops.arange(rows * columns, dtype="int32"), (rows, columns))
    boxes = ops.reshape(corners(head.boxes(logits[..., :4], cells)), (batch, -1, 1, 4))
    overlap = ops.max(iou(boxes, corners(ops.expand_dims(y["boxes"], 1))), axis=-1)  # (N, h w 3)
    near = ops.reshape(overlap, (batch, rows, columns, PER_HEAD)) > ignore_thresh
    tells = ops.max(logits[..., 5:], axis=-1) > CERTAIN
    ignored = ops.logical_or(ops.logical_and(near, tells), target < 0)
    counts = ops.cast(ops.logical_or(target > 0, ops.logical_not(ignored)), "float32")
    return ops.sum(counts * (ops.softplus(head.logits[..., 4]) - target * head.logits[..., 4]))


def class_term(found: Tensor, y: dict, label_smooth_eps: float) -> Tensor:
    """Return the cross entropy of every class where objects are assigned, each place once.

    Where objects of several classes are assigned to one place, all of these are asked for.

    Args:
        found: logits at objects, `(N, M, 3, 5 + C)`.
        y: targets, as `codec.targets`.
        label_smooth_eps: a target t becomes `t (1 - eps) + eps / 2`.
    """
    logits = found[..., 5:]
    label = ops.expand_dims(ops.one_hot(y["labels"], logits.shape[-1], dtype="float32"), 2)
    wanted = ops.sum(logits * label, axis=-1)  # (N, M, 3), of the object's class
    none = ops.sum(ops.softplus(logits) - label_smooth_eps / 2 * logits, axis=-1)
    return ops.sum(y["first"] * none - (1 - label_smooth_eps) * y["distinct"] * wanted)


def focal_class_term(
    found: Tensor, y: dict, label_smooth_eps: float, gamma: float, weights: np.ndarray | float
) -> Tensor:
    """Return the focal loss of every class where objects are assigned, each place once.

    Args:
        found, y, label_smooth_eps: as for `class_term`.
        gamma: of the factor (1 - p_t)^gamma; 0 for none.
        weights: of the classes, `(C,)` or 1.
    """
    logits = found[..., 5:]  # (N, M, 3, C)
    target = classes_there(y, logits.shape[-1]) * (1 - label_smooth_eps) + label_smooth_eps / 2
    loss = ops.softplus(logits) - target * logits
    if gamma:
        loss = loss * ops.power(ops.maximum(-ops.expm1(-loss), 1e-12), gamma)
    return ops.sum(ops.expand_dims(y["first"], -1) * ops.convert_to_tensor(weights, "float32") * loss)


def classes_there(y: dict, classes: int) -> Tensor:
    """Return the classes of all objects that are assigned where an object is: `(N, M, 3, C)`, 0 or 1."""
    cells, assigned = y["cells"], y["weights"] > 0  # (N, M), (N, M, 3)
    label = ops.one_hot(y["labels"], classes, dtype="float32")  # (N, M, C)
    here = ops.expand_dims(cells, 1) == ops.expand_dims(cells, 2)  # (N, M, M), symmetric
    # Objects i and j share a place of anchor a if they share a cell and j is assigned to a.
    parts = [
        ops.matmul(ops.cast(here, "float32"), label * ops.cast(assigned[..., anchor, None], "float32"))
        for anchor in range(PER_HEAD)
    ]
    return ops.minimum(ops.stack(parts, axis=2), 1.0)


def balanced(counts: tuple[int, ...]) -> np.ndarray | float:
    """Return weights of classes by their effective numbers (Cui et al. 2019, arXiv:1901.05555), of mean 1.

    Each is as (1 - beta) / (1 - beta^n) with n the number of objects; 1 for no counts.

    Args:
        counts: of objects.
    """
    if not counts:
        return 1.0
    effective = (1 - BETA ** np.array(counts, "float64")) / (1 - BETA)
    weights = 1 / np.maximum(effective, 1)
    return (weights / weights.mean()).astype("float32")


def corners(boxes: Tensor) -> Tensor:
    """Return left, top, right, bottom of centres and sizes: `(..., 4)` -> `(..., 4)`."""
    centres, halves = boxes[..., :2], boxes[..., 2:] / 2
    return ops.concatenate([centres - halves, centres + halves], axis=-1)
