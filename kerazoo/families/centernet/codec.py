"""Objects as points, and back: NumPy's side of CenterNet (Zhou et al. 2019, arXiv:1904.07850).

Places on the maps are in cells, edges as those of boxes: cell 0 reaches from 0 to 1.
"""

from typing import Literal

import numpy as np

from kerazoo.structures.boxes import Boxes, Detections, box_areas, clipped
from kerazoo.structures.placement import Window

STRIDE = 4
"""Input pixels per cell, along each axis."""

MOST = 128
"""Objects of an image whose sizes and offsets are learned."""

TOP = 100
"""Objects of an image that are told, the best."""

OVERLAP = 0.7
"""IoU with the true box that a box of the right size has at least whose centre is within the radius."""

IGNORED = 1 - 1e-3
"""Target of cells about which nothing is known: (1 - Y)^4 takes their part of the loss away."""

Radius = Literal["centernet", "iou"]


def targets(
    truth: Boxes, window: Window, classes: int, radius: Radius = "centernet"
) -> dict[str, np.ndarray]:
    """Return what the maps of an image are trained towards.

    Crowds and difficult objects teach nothing: in their boxes, cells of their class that are no centre of
    another object are `IGNORED`.

    Args:
        truth: in the image.
        window: the network's input; its sides are multiples of `STRIDE`.
        classes: number of classes.
        radius: of the Gaussians (`gaussian_radius`).

    Returns:
        "heatmap" float32 `(h, w, classes)`, 1 at centres. Of `MOST` objects at most: "cells" int32
        `(MOST,)`, the centre's, row by row; "size" float32 `(MOST, 2)`, width and height in cells; "offset"
        float32 `(MOST, 2)`, x and y of the centre from the cell's corner, 0..1; and "weights" float32
        `(MOST,)`, 1 for an object and 0 for the rest.
    """
    shape = window.rows // STRIDE, window.columns // STRIDE  # (h, w)
    boxes = clipped(to_cells(truth.boxes, window), shape)
    real = box_areas(boxes) > 0
    unknown = real & (truth.crowd | truth.difficult)
    known = real & ~unknown
    heatmap = gaussians(boxes[known], truth.labels[known], (*shape, classes), radius)
    for (left, top, right, bottom), label in zip(
        boxes[unknown].round().astype(int), truth.labels[unknown], strict=True
    ):
        region = heatmap[top:bottom, left:right, label]
        np.maximum(region, IGNORED, out=region, where=region < 1)
    boxes = boxes[known][:MOST]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    column, row = np.floor(centres).astype("int32").T
    arrays = {
        "cells": row * shape[1] + column,
        "size": (boxes[:, 2:] - boxes[:, :2]).astype("float32"),
        "offset": (centres - np.floor(centres)).astype("float32"),
        "weights": np.ones(len(boxes), "float32"),
    }
    return {"heatmap": heatmap} | {name: _filled(array) for name, array in arrays.items()}


def _filled(array: np.ndarray) -> np.ndarray:
    """Return an array with `MOST` rows, the last of them zeros."""
    return np.pad(array, [(0, MOST - len(array)), *[(0, 0)] * (array.ndim - 1)])


def gaussians(
    boxes: np.ndarray, labels: np.ndarray, shape: tuple[int, int, int], radius: Radius
) -> np.ndarray:
    """Return a map for every class with a Gaussian at the centre of each box, the highest where several meet.

    `Y = exp(-(x^2 + y^2) / (2 sigma^2))` within a square of the radius around the centre's cell, sigma a
    sixth of the square's side.

    Args:
        boxes: `(B, 4)` in cells, inside the map.
        labels: int `(B,)`.
        shape: height, width and classes.
        radius: see `gaussian_radius`.

    Returns:
        float32 `shape`, 0..1.
    """
    height, width, _ = shape
    sides = np.ceil(boxes[:, 2:] - boxes[:, :2]).astype("float64")
    reach = np.maximum(gaussian_radius(sides[:, 1], sides[:, 0], radius).astype(int), 0)  # (B,)
    column, row = np.floor((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int).T
    # The cells of all squares, one after the other: whose (P,), and how far from the centre, x and y (P,).
    side = 2 * reach + 1
    owner = np.repeat(np.arange(len(boxes)), side**2)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(side**2) - side**2, side**2)
    y, x = place // side[owner] - reach[owner], place % side[owner] - reach[owner]
    values = np.exp(-(x * x + y * y) / (2 * (side[owner] / 6) ** 2))
    y, x = y + row[owner], x + column[owner]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    maps = np.zeros(shape, "float32")
    np.maximum.at(maps, (y[inside], x[inside], labels[owner][inside]), values[inside].astype("float32"))
    return maps


def gaussian_radius(
    height: np.ndarray, width: np.ndarray, mode: Radius, overlap: float = OVERLAP
) -> np.ndarray:
    """Return how far corners of a box may be off: the least radius of three cases (Law and Deng 2018).

    With both corners shifted alike, both inwards or both outwards, the IoU with the true box is `overlap`.

    Args:
        height, width: of the boxes, float64 `(B,)`.
        mode: "iou" solves the quadratics. "centernet" is the published code, which divides all by 2 and takes
            the wrong root twice; its radius is about 3.35 times as large, and the published networks were
            trained with it. A corrected one has lowered AP.
        overlap: IoU.
    """
    area, total = height * width, height + width
    shifted = total, area * (1 - overlap) / (1 + overlap), 1.0  # b, c and a of a r^2 - b r + c = 0
    inwards = 2 * total, (1 - overlap) * area, 4.0
    outwards = -2 * overlap * total, (overlap - 1) * area, 4 * overlap
    roots = []
    for (b, c, a), sign in zip((shifted, inwards, outwards), (-1, -1, 1), strict=True):
        root = np.sqrt(b * b - 4 * a * c)
        roots.append((b + root) / 2 if mode == "centernet" else (b + sign * root) / (2 * a))
    return np.min(roots, axis=0)


def detections(
    outputs: dict[str, np.ndarray], window: Window, size: tuple[int, int], top: int = TOP
) -> Detections:
    """Return the objects of an image's maps, in its pixels, clipped to it.

    Args:
        outputs: "heatmap" `(h, w, classes)` logits, "size" and "offset" `(h, w, 2)`, in cells.
        window: the network's input.
        size: height and width of the image.
        top: objects at most.
    """
    found = in_cells(outputs, top)
    boxes = clipped(to_pixels(found.boxes, window), size).astype("float32")
    real = box_areas(boxes) > 0
    return Detections(boxes[real], found.labels[real], found.scores[real])


def in_cells(outputs: dict[str, np.ndarray], top: int = TOP) -> Detections:
    """Return the objects of an image's maps, in cells.

    An object is where no neighbouring cell is higher; equal neighbours are both one. Nothing is suppressed.

    Args:
        outputs, top: as for `detections`.
    """
    row, column, label = _peaks(outputs["heatmap"], top)
    logits = outputs["heatmap"][row, column, label].astype("float64")
    centres = np.stack([column, row], axis=-1) + outputs["offset"][row, column]  # (D, 2)
    halves = outputs["size"][row, column] / 2
    boxes = np.concatenate([centres - halves, centres + halves], axis=-1)
    scores = 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    return Detections(boxes.astype("float32"), label.astype("int32"), scores.astype("float32"))


def _peaks(heatmap: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and class of the cells that no neighbour exceeds, the highest first: `(D,)` each."""
    padded = np.pad(heatmap, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    highest = np.maximum(np.maximum(padded[:-2], padded[2:]), padded[1:-1])  # (h, w + 2, C)
    highest = np.maximum(np.maximum(highest[:, :-2], highest[:, 2:]), highest[:, 1:-1])
    row, column, label = np.nonzero(heatmap == highest)
    value = heatmap[row, column, label]
    if len(value) > top:
        high = value >= np.partition(value, -top)[-top]
        row, column, label, value = row[high], column[high], label[high], value[high]
    order = np.lexsort((column, row, label, -value))[:top]
    return row[order], column[order], label[order]


def averaged(outputs: dict[str, np.ndarray], mirrored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the maps of an image, averaged with those of its mirror image as the published flip test does.

    Probabilities and sizes are averaged; offsets are those of the image itself.

    Args:
        outputs, mirrored: "heatmap" `(h, w, classes)` logits, "size" and "offset" `(h, w, 2)`.
    """
    back = {name: value[:, ::-1].astype("float64") for name, value in mirrored.items()}
    heatmap = np.mean([_sigmoid(outputs["heatmap"].astype("float64")), _sigmoid(back["heatmap"])], axis=0)
    return {
        "heatmap": (np.log(heatmap) - np.log1p(-heatmap)).astype("float32"),
        "size": ((outputs["size"] + back["size"]) / 2).astype("float32"),
        "offset": outputs["offset"],
    }


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -30, 30)))


def to_cells(boxes: np.ndarray, window: Window) -> np.ndarray:
    """Return boxes of the image in cells: `(B, 4)` -> float64 `(B, 4)`."""
    # A window counts from the centres of pixels, boxes from their edges.
    corners = window.to_input(boxes.reshape(-1, 2, 2).astype("float64") - 0.5) + 0.5
    return corners.reshape(-1, 4) / STRIDE


def to_pixels(boxes: np.ndarray, window: Window) -> np.ndarray:
    """Return boxes in cells in pixels of the image: `(B, 4)` -> float64 `(B, 4)`."""
    corners = window.to_image(boxes.reshape(-1, 2, 2).astype("float64") * STRIDE - 0.5) + 0.5
    return corners.reshape(-1, 4)
