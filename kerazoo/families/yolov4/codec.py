"""Boxes as factors of anchors, and back: NumPy's side of YOLOv4.

As in darknet's `yolo_layer.c`, boxes are centre x and y, width and height as shares of the network's input.
"""

from functools import partial

import numpy as np

from kerazoo.families.yolov4.anchors import shapes_overlap
from kerazoo.families.yolov4.configuration import PER_HEAD, Heads, Thresholds
from kerazoo.structures.boxes import Boxes, Detections, box_areas, clipped
from kerazoo.structures.placement import Framed, Window
from kerazoo.tasks.detection.overlaps import diou, iou
from kerazoo.tasks.detection.suppression import unsuppressed

MOST = 200
"""Objects of an image that are learned, the first; `max` of the cfg files."""

CANDIDATES = 1000
"""Boxes of an image that are looked at for suppression, the best."""

LARGEST = 10.0
"""Logit of a width or height; more would be 22,026 anchors."""

UNKNOWN = -1.0
"""Objectness of cells about which nothing is known."""


# --- from boxes to targets -----------------------------------------------------------------


def targets(truth: Boxes, window: Window, heads: Heads, iou_thresh: float = 0.213) -> dict[str, np.ndarray]:
    """Return what the heads are trained towards, and which boxes they shall tell where.

    An object is assigned to the cell that its centre is in, there to the anchor whose shape is most like its
    own, of all heads, and to every other one that is more like it than `iou_thresh`. Several objects may be
    assigned to one anchor of one cell. As in darknet they are then all learned: the cell's classes are those
    of all; the gradients of their boxes are added up and divided by the number of different classes.

    Crowds and difficult objects are assigned nowhere, and objectness in their boxes is `UNKNOWN`.

    Args:
        truth: in the image.
        window: the network's input.
        heads: of the network.
        iou_thresh: of shapes laid upon each other; 1 leaves the best anchor alone.

    Returns:
        Of `MOST` objects at most "boxes" float32 `(MOST, 4)`, shares; "labels" int32 `(MOST,)`. Of each
        head, such as "stride8": "stride8_objectness" float32 `(h, w, 3)`, 1 where an object is assigned;
        "stride8_cells" int32 `(MOST,)`, row by row; and float32 `(MOST, 3)` for object and anchor
        "stride8_weights", of the box: 1 / number of classes, 0 where it is not assigned; "stride8_first", 1
        for the first object that is assigned there; "stride8_distinct", 1 for the first one of its class.
    """
    boxes = to_shares(truth.boxes, window)
    real = (boxes[:, 2:] > 0).all(axis=1)
    known = real & ~(truth.crowd | truth.difficult)
    own, labels = boxes[known][:MOST], truth.labels[known][:MOST]
    chosen = assigned(own[:, 2:] * (window.columns, window.rows), np.array(heads.anchors), iou_thresh)
    arrays = {"boxes": _filled(own.astype("float32")), "labels": _filled(labels.astype("int32"))}
    for name, stride, mask in zip(heads.names(), heads.strides, heads.masks, strict=True):
        shape = window.rows // stride, window.columns // stride
        objectness = np.zeros((*shape, PER_HEAD), "float32")
        for left, top, right, bottom in _corners(boxes[real & ~known]) * (shape[::-1] * 2):
            objectness[round(top) : round(bottom), round(left) : round(right)] = UNKNOWN
        parts = _of_head(own, labels, chosen[:, mask], shape)
        objectness.reshape(-1, PER_HEAD)[parts.pop("places")] = 1
        arrays[f"{name}_objectness"] = objectness
        arrays |= {f"{name}_{part}": _filled(array) for part, array in parts.items()}
    return arrays


def assigned(sizes: np.ndarray, anchors: np.ndarray, iou_thresh: float) -> np.ndarray:
    """Return which anchors objects are assigned to: the one of the best shape, and those above a threshold.

    Args:
        sizes: width and height of objects, `(B, 2)`.
        anchors: `(A, 2)`, in the same unit.
        iou_thresh: IoU of the two rectangles with one centre.

    Returns:
        bool `(B, A)`.

    Example:
        >>> import numpy as np
        >>> assigned(np.array([[10, 10], [30, 30]]), np.array([[8, 8], [16, 16], [40, 40]]), 0.3)
        array([[ True,  True, False],
               [False, False,  True]])
    """
    overlap = shapes_overlap(sizes, anchors)
    best = overlap.argmax(axis=1)[:, None] == np.arange(len(anchors))
    return best | (overlap > iou_thresh)


def _of_head(
    boxes: np.ndarray, labels: np.ndarray, chosen: np.ndarray, shape: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Return what `targets` says of a head, for chosen `(B, 3)`; "places" are cells and anchors."""
    rows, columns = shape
    limits = np.array([columns, rows])
    column, row = np.clip(np.floor(boxes[:, :2] * limits), 0, limits - 1).astype("int32").T
    cells = row * columns + column
    index, anchor = np.nonzero(chosen)  # (P,), by object
    place = cells[index] * PER_HEAD + anchor
    pair = place * (labels.max(initial=0) + 1) + labels[index]
    _, first = np.unique(place, return_index=True)
    _, distinct = np.unique(pair, return_index=True)
    classes = (place[:, None] == place[distinct]).sum(axis=1)  # how many different ones, (P,)
    arrays = {name: np.zeros(chosen.shape, "float32") for name in ("weights", "first", "distinct")}
    arrays["weights"][index, anchor] = 1 / np.maximum(classes, 1)
    for name, chosen_pairs in (("first", first), ("distinct", distinct)):
        arrays[name][index[chosen_pairs], anchor[chosen_pairs]] = 1
    return arrays | {"cells": cells, "places": (cells[index], anchor)}


def _filled(array: np.ndarray) -> np.ndarray:
    """Return an array with `MOST` rows, the last of them zeros."""
    return np.pad(array, [(0, MOST - len(array)), *[(0, 0)] * (array.ndim - 1)])


def to_shares(boxes: np.ndarray, window: Window) -> np.ndarray:
    """Return what of boxes of the image is inside the input, in its shares: `(B, 4)` -> float64 `(B, 4)`."""
    # A window counts from the centres of pixels, boxes from their edges.
    corners = window.to_input(boxes.reshape(-1, 2, 2).astype("float64") - 0.5) + 0.5
    shares = clipped(corners.reshape(-1, 4) / ((window.columns, window.rows) * 2), (1, 1))
    return np.concatenate([(shares[:, :2] + shares[:, 2:]) / 2, shares[:, 2:] - shares[:, :2]], axis=1)


def _corners(shares: np.ndarray) -> np.ndarray:
    """Return left, top, right, bottom of centres and sizes: `(..., 4)` -> `(..., 4)`."""
    centres, halves = shares[..., :2], shares[..., 2:] / 2
    return np.concatenate([centres - halves, centres + halves], axis=-1)


# --- from heads to boxes ---------------------------------------------------------------------


def detections(
    outputs: dict[str, np.ndarray],
    placement: Framed,
    heads: Heads,
    thresholds: Thresholds,
    exponent: float | None,
    top: int,
) -> Detections:
    """Return the objects of an image's heads, in its pixels, clipped to it.

    Args:
        outputs: "stride8" `(h, w, 3 (5 + classes))` and so on, logits.
        placement: of the image in the network's input.
        heads: of the network.
        thresholds: what is an answer.
        exponent: of the distance in suppression; None for plain IoU.
        top: objects at most.
    """
    window = placement.window
    shares, scores = predictions(outputs, heads, (window.rows, window.columns))
    boxes = _corners(shares) * ((window.columns, window.rows) * 2)  # pixels of the input
    scores = np.where(box_areas(clipped(boxes, (window.rows, window.columns)))[:, None] > 0, scores, 0)
    order = _best(scores.ravel(), thresholds.least)
    owner, labels = np.divmod(order, scores.shape[1])
    boxes, best = boxes[owner], scores.ravel()[order]
    overlap = iou if exponent is None else partial(diou, exponent=exponent)
    stays = unsuppressed(boxes, labels, best, thresholds.overlap, overlap)[:top]
    corners = window.to_image(boxes[stays].reshape(-1, 2, 2).astype("float64") - 0.5) + 0.5
    inside = clipped(corners.reshape(-1, 4), placement.size).astype("float32")
    return Detections(inside, labels[stays].astype("int32"), best[stays])


def _best(scores: np.ndarray, least: float) -> np.ndarray:
    """Return the `CANDIDATES` best of scores `(S,)` above the least, best first; of equals the first."""
    index = np.flatnonzero(scores > least)
    if len(index) > CANDIDATES:
        index = index[scores[index] >= np.partition(scores[index], -CANDIDATES)[-CANDIDATES]]
    return index[np.argsort(-scores[index], kind="stable")][:CANDIDATES]


def predictions(
    outputs: dict[str, np.ndarray], heads: Heads, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return what all anchors of all cells tell: boxes, and the probabilities that an object is of a class.

    `x = (s logistic(tx) - (s - 1) / 2 + column) / columns`, `w = exp(tw) anchor / width`; the probability of
    a class is that of the object times that of the class where there is one.

    Args:
        outputs, heads: as for `detections`.
        size: height and width of the network's input.

    Returns:
        Shares `(B, 4)` and probabilities `(B, classes)`, float32, head by head, row by row, anchor by anchor.
    """
    boxes, scores = [], []
    for name, mask, scale in zip(heads.names(), heads.masks, heads.scale_x_y, strict=True):
        maps = outputs[name].astype("float32")
        rows, columns, _ = maps.shape
        maps = maps.reshape(rows, columns, PER_HEAD, -1)
        corner = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]
        centres = (_logistic(maps[..., :2]) * scale - (scale - 1) / 2 + corner) / (columns, rows)
        anchors = np.array(heads.anchors, "float32")[list(mask)] / size[::-1]  # (3, 2)
        sides = np.exp(np.minimum(maps[..., 2:4], LARGEST)) * anchors
        boxes.append(np.concatenate([centres, sides], axis=-1).reshape(-1, 4))
        probabilities = _logistic(maps[..., 4:])
        joint = probabilities[..., :1] * probabilities[..., 1:]
        scores.append(joint.reshape(-1, joint.shape[-1]))
    return np.concatenate(boxes).astype("float32"), np.concatenate(scores)


def _logistic(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
