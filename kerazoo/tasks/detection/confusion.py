"""What objects are taken for: a confusion matrix of boxes, with the background as one more class."""

from collections.abc import Iterable

import numpy as np

from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.structures.matching import partners
from kerazoo.tasks.detection.overlaps import covered, iou

IOU = 0.5
"""Overlap from which on a box found goes with an object."""


def confusion(seen: Iterable[tuple[Boxes, Detections]], classes: int, score: float) -> np.ndarray:
    """Return how often objects of each class were taken for each class: int64 `(C + 1, C + 1)`.

    The truth is in rows. The last column has the objects that were missed, the last row the boxes found
    where nothing is. Boxes and objects go together if they overlap by `IOU`, whatever their classes, those
    that overlap most first. Crowds and difficult objects, and what is found there, are not counted.

    Args:
        seen: truths and results.
        classes: number of classes.
        score: of the boxes found that are looked at, at least.
    """
    matrix = np.zeros((classes + 1, classes + 1), "int64")
    for truth, result in seen:
        strong = result.scores >= score
        labels, boxes = result.labels[strong], result.boxes[strong].astype("float64")
        single = truth.select(~truth.crowd)
        alike = iou(boxes[:, None], single.boxes.astype("float64"))  # (D, B)
        partner = partners(np.where(alike >= IOU, alike, 0.0))  # (B,), -1 for none
        taken = np.append(labels, classes)[partner]  # (B,): -1 takes the background
        np.add.at(matrix, (single.labels[~single.difficult], taken[~single.difficult]), 1)
        free = ~np.isin(np.arange(len(labels)), partner) & ~_in_crowd(labels, boxes, truth)
        np.add.at(matrix, (classes, labels[free]), 1)
    return matrix


def _in_crowd(labels: np.ndarray, boxes: np.ndarray, truth: Boxes) -> np.ndarray:
    """Return which boxes lie, by half of their area, in a crowd of their class: bool `(D,)`."""
    crowd = truth.select(truth.crowd)
    inside = covered(boxes[:, None], crowd.boxes.astype("float64")) >= IOU
    return (inside & (labels[:, None] == crowd.labels)).any(axis=1)
