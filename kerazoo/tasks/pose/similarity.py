"""How alike people are: the object keypoint similarity (OKS; Ronchi and Perona 2017), and what goes by it."""

import numpy as np

from kerazoo.structures.keypoints import Poses

AS_ONE = 0.9
"""People found in several windows of an image are one person if they are more alike than this (HRNet)."""


def similarity(
    points: np.ndarray, others: np.ndarray, areas: np.ndarray, sigmas: np.ndarray, counted: np.ndarray
) -> np.ndarray:
    """Return the object keypoint similarity of people with others: float64 `(P, Q)`, 0..1.

    The mean over an other's counted points of exp(-d^2 / (2 * area * (2 sigma)^2)).

    Args:
        points: `(P, K, 2)`, x and y.
        others: `(Q, K, 2)`.
        areas: square pixels, `(Q,)` or `(P, Q)`.
        sigmas: float64 `(K,)`.
        counted: `(Q, K)`, which points of the others count; where none does, the similarity is 0.
    """
    squared = ((points[:, None].astype("float64") - others[None]) ** 2).sum(axis=-1)
    scale = 2 * (areas[..., None] + np.spacing(1)) * (2 * sigmas) ** 2
    alike = np.where(counted, np.exp(-squared / scale), 0.0)
    return alike.sum(axis=2) / np.maximum(counted.sum(axis=1), 1)


def distinct(poses: Poses, sigmas: np.ndarray, limit: float = AS_ONE) -> Poses:
    """Return the people, best first, without those more alike than `limit` to a better one.

    A person's area is that of the bounds of the points found.

    Args:
        poses: of one image.
        sigmas: float64 `(K,)`.
        limit: similarity, 0..1.
    """
    order = np.argsort(-poses.scores, kind="stable")
    points, kept = poses.points[order], np.ones(len(order), bool)
    boxes, counted = bounds(points), np.ones(points.shape[:2], bool)
    areas = boxes[:, 2] * boxes[:, 3]
    alike = similarity(points[..., :2], points[..., :2], (areas[:, None] + areas) / 2, sigmas, counted)
    for index in range(len(order)):
        if kept[index]:
            kept[index + 1 :] &= alike[index, index + 1 :] <= limit
    return Poses(points[kept], poses.scores[order][kept])


def bounds(points: np.ndarray) -> np.ndarray:
    """Return the boxes around the points that were found: float64 `(P, 4)`, left, top, width, height.

    Args:
        points: `(P, K, 3)` as in `Poses`; a person without any gets zeros.
    """
    present = points[..., 2:] > 0
    low = np.min(points[..., :2], axis=1, where=present, initial=np.inf)
    high = np.max(points[..., :2], axis=1, where=present, initial=-np.inf)
    boxes = np.concatenate([low, high - low], axis=-1, dtype="float64")
    return np.where(present.any(axis=1), boxes, 0.0)
