"""Which boxes stay where several overlap, in NumPy.

`kerazoo.layers.suppression` states the greedy one for networks.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from kerazoo.structures.boxes import Detections
from kerazoo.tasks.detection.overlaps import iou

Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Two times `(..., 4)` -> `(...)`: `kerazoo.tasks.detection.overlaps`."""

BLOCK = 128
"""Candidates that are compared with all others at once, which bounds memory."""

LOST = 1e-3
"""Score below which soft suppression lets a box go (Bodla et al. 2017)."""


def greedy(boxes: np.ndarray, loses: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Return which boxes stay: the first, and each one that none that stays suppresses.

    Args:
        boxes: `(D, 4)`, best first.
        loses: of boxes and as many later ones that have area in common with them, int `(P,)` each: whether
            the former, where they stay, suppress the latter, bool `(P,)`.

    Returns:
        int64 `(K,)`, rising.
    """
    sides = np.ascontiguousarray(boxes.T)  # (4, D)
    left, kept = np.arange(len(boxes)), [np.zeros(0, "int64")]
    while len(left):
        first = left[:BLOCK]
        row, column = np.nonzero(_meet(sides[:, first, None], sides[:, None, left]))
        later = column > row
        row, column = row[later], column[later]
        lost = loses(first[row], left[column])
        row, column = row[lost], column[lost]
        stays = np.ones(len(left), bool)
        for place in range(len(first)):
            if stays[place]:
                begin, end = np.searchsorted(row, (place, place + 1))
                stays[column[begin:end]] = False
        kept.append(first[stays[:BLOCK]])
        left = left[BLOCK:][stays[BLOCK:]]
    return np.concatenate(kept)


def _meet(sides: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return whether boxes have area in common: two times `(4, ...)` -> bool `(...)`."""
    meet = sides[0] < others[2]
    meet &= others[0] < sides[2]
    meet &= sides[1] < others[3]
    meet &= others[1] < sides[3]
    return meet


def unsuppressed(
    boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray, threshold: float, overlap: Overlap = iou
) -> np.ndarray:
    """Return which boxes overlap with no better one of their class: greedy non-maximum suppression.

    Args:
        boxes: `(D, 4)`.
        labels: int `(D,)`; a box suppresses those of its own class only.
        scores: `(D,)`; of equal ones the first is better.
        threshold: of overlap, above which the worse box goes.
        overlap: how it is measured; `functools.partial(diou, exponent=0.6)` is darknet's.

    Returns:
        int64 `(K,)`, best first.
    """
    kept = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(-scores[members], kind="stable")]
        own = boxes[members]

        def loses(better: np.ndarray, others: np.ndarray, own: np.ndarray = own) -> np.ndarray:
            return overlap(own[better], own[others]) > threshold

        kept.append(members[greedy(own, loses)])
    stays = np.sort(np.concatenate([np.zeros(0, "int64"), *kept]))
    return stays[np.argsort(-scores[stays], kind="stable")]


def softened(
    boxes: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    mode: Literal["linear", "gaussian"] = "gaussian",
    threshold: float = 0.5,
    sigma: float = 0.5,
) -> Detections:
    """Return boxes with scores that fall by how much they overlap with better ones of their class.

    Soft suppression (Bodla et al. 2017). The best box keeps its score; the score of each other one is
    multiplied by 1 - IoU where IoU is above the threshold ("linear"), or by exp(-IoU^2 / sigma)
    ("gaussian"); and so on with the next best. Boxes that fall below `LOST` are left out.

    Args:
        boxes: `(D, 4)`.
        labels: int `(D,)`.
        scores: `(D,)`, 0..1.
        mode: what scores are multiplied by.
        threshold: of "linear".
        sigma: of "gaussian".
    """
    found, decayed = [], []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        own, left = boxes[members], scores[members].astype("float32")
        sides = np.ascontiguousarray(own.T)  # (4, M)
        while left.max() >= LOST:
            best = int(left.argmax())
            found.append(members[best])
            decayed.append(left[best])
            left[best] = 0
            near = np.flatnonzero(_meet(sides[:, best], sides))
            overlap = iou(own[best], own[near])
            if mode == "linear":
                left[near] *= np.where(overlap > threshold, 1 - overlap, 1)
            else:
                left[near] *= np.exp(-np.square(overlap) / sigma)
    index, score = np.array(found, "int64"), np.array(decayed, "float32")
    order = np.argsort(-score, kind="stable")
    index = index[order]
    return Detections(boxes[index], labels[index], score[order])
