"""Average precision of boxes as Pascal VOC's devkit gives it (Everingham et al. 2010, section 4.2)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.tasks.detection.overlaps import iou

IOU = 0.5
"""Overlap from which on an object is found."""


class VocScores(NamedTuple):
    """Average precision at an overlap of `IOU`; float64 `(C,)`, NaN where a class has no object.

    Attributes:
        area: the area under the curve of precision, made falling, over recall (VOC 2010 and later).
        points: the mean of the precision at recalls of 0, 0.1 ... 1 (VOC 2007).
    """

    area: np.ndarray
    points: np.ndarray


def voc_scores(seen: Sequence[tuple[Boxes, Detections]], classes: int) -> VocScores:
    """Return the average precision of every class.

    As in the devkit each box found goes with the object of its class that it overlaps most, and is wrong
    where a better box was with that one before. On difficult objects (and on crowds, which VOC does not know)
    it counts neither for nor against.

    Args:
        seen: truths and results.
        classes: number of classes.
    """
    labels, scores, objects = _found(seen)
    order = np.argsort(-scores, kind="stable")
    labels, objects = labels[order], objects[order]
    truths = [truth.labels[~_passed_over(truth)] for truth, _ in seen]
    counts = np.bincount(np.concatenate([np.zeros(0, "int64"), *truths]), minlength=classes)
    precisions = [
        average_precision(_right(objects[labels == label]), counts[label]) for label in range(classes)
    ]
    area, points = np.array(precisions).reshape(-1, 2).T
    return VocScores(area, points)


def average_precision(right: np.ndarray, count: int) -> tuple[float, float]:
    """Return the area under the curve, and the mean at eleven recalls; NaN where there is no object.

    Args:
        right: bool `(D,)`, whether each box found is right, best first.
        count: of objects.
    """
    if not count:
        return np.nan, np.nan
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)  # max over r' >= r of p(r')
    # In whole numbers, so that a recall of 3 / 10 is 0.3: 10 hits >= k count.
    reached = np.searchsorted(10 * hits, np.arange(11) * count)
    return float(best[:-1][right].sum() / count), float(best[reached].mean())


def _found(seen: Sequence[tuple[Boxes, Detections]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and scores of all boxes found, and the object of each, numbered through: `(D,)` each.

    -1 stands for none, and -2 for one that is passed over.
    """
    labels, scores, objects = [np.zeros(0, "int64")], [np.zeros(0)], [np.zeros(0, "int64")]
    first = 0
    for truth, result in seen:
        labels.append(result.labels)
        scores.append(result.scores)
        objects.append(_objects(truth, result, first))
        first += len(truth.boxes)
    return np.concatenate(labels), np.concatenate(scores), np.concatenate(objects)


def _objects(truth: Boxes, result: Detections, first: int) -> np.ndarray:
    alike = iou(result.boxes[:, None].astype("float64"), truth.boxes.astype("float64"))  # (D, B)
    alike = np.where(result.labels[:, None] == truth.labels, alike, 0.0)
    alike = np.pad(alike, ((0, 0), (0, 1)))  # there may be no object
    numbers = np.append(np.where(_passed_over(truth), -2, first + np.arange(len(truth.boxes))), -1)
    return np.where(alike.max(axis=1) >= IOU, numbers[alike.argmax(axis=1)], -1)


def _passed_over(truth: Boxes) -> np.ndarray:
    return truth.difficult | truth.crowd


def _right(objects: np.ndarray) -> np.ndarray:
    """Return whether each box is the first with its object, without those that are passed over."""
    objects = objects[objects != -2]
    _, first = np.unique(objects, return_index=True)
    right = np.zeros(len(objects), bool)
    right[first] = True
    return right & (objects >= 0)
