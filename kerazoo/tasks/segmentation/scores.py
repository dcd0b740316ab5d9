"""Scores of segmentation, all from one confusion matrix."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

GAIN = 0.002
"""Mean IoU that another threshold than one half has to gain on the validation data, to be taken."""

CUTS = slice(26, 230)
"""Levels among which a threshold is chosen, about 0.1 to 0.9: beyond, a few pixels decide."""


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Return counts `(classes, classes)`, int64: rows are the truth, columns the prediction.

    Args:
        truth: uint8 `(H, W)`; labels of `classes` and above (void) are left out.
        predicted: uint8 `(H, W)`, labels below `classes`.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {predicted.shape}")
    counted = truth < classes
    pairs = truth[counted].astype("int64") * classes + predicted[counted]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def level_counts(truth: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return how often each probability occurs where the truth is the first class, and the second.

    Args:
        truth: uint8 `(H, W)`; labels of 2 and above (void) are left out.
        levels: uint8 `(H, W)`, the probability of the second class in 255ths, rounded.

    Returns:
        int64 `(2, 256)`.
    """
    counted = truth < 2
    places = truth[counted].astype("int64") * 256 + levels[counted]
    return np.bincount(places, minlength=512).reshape(2, 256)


def best_cut(counts: np.ndarray) -> float:
    """Return the threshold with the best mean IoU of two classes; one half unless another is `GAIN` better.

    Args:
        counts: `level_counts` of all images, `(2, 256)`.
    """
    above = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # (2, 256): pixels of a level and above
    below = counts.sum(axis=1, keepdims=True) - above
    (fp, tp), (tn, fn) = above, below
    iou = [hit / np.maximum(hit + fp + fn, 1) for hit in (tp, tn)]  # of the second class, and the first
    mean = np.mean(iou, axis=0)
    half = 128  # the first level that is above one half
    best = int(mean[CUTS].argmax()) + CUTS.start
    return (best - 0.5) / 255 if mean[best] >= mean[half] + GAIN else 0.5


def scores(images: Sequence[np.ndarray], names: Sequence[str]) -> dict[str, Any]:
    """Return IoU and Dice per class and on average, and the pixel accuracy.

    "iou" and "dice" are of all pixels together, so large images count for more; "image_iou" is
    the mean of each image's own. A class that neither truth nor prediction holds is None and
    does not enter a mean (Keras' MeanIoU counts it as 1); one that was only predicted is 0.

    Args:
        images: a matrix per image, as `confusion` gives it.
        names: class names in label order.
    """
    matrix = np.sum(images, axis=0, dtype="int64") if len(images) else np.zeros((len(names),) * 2, "int64")
    iou, dice, total = _iou(matrix), _dice(matrix), matrix.sum()
    per_image = zip(*map(_iou, images), strict=True) if len(images) else [[]] * len(names)
    return {
        "mean_iou": _mean(iou),
        "mean_dice": _mean(dice),
        "pixel_accuracy": float(np.trace(matrix) / total) if total else None,
        "iou": dict(zip(names, iou, strict=True)),
        "dice": dict(zip(names, dice, strict=True)),
        "image_iou": dict(zip(names, map(_mean, per_image), strict=True)),
        "confusion": matrix.tolist(),
    }


def _iou(matrix: np.ndarray) -> list[float | None]:
    hit = np.diag(matrix)
    return _ratio(hit, matrix.sum(axis=1) + matrix.sum(axis=0) - hit)


def _dice(matrix: np.ndarray) -> list[float | None]:
    return _ratio(2 * np.diag(matrix), matrix.sum(axis=1) + matrix.sum(axis=0))


def _ratio(part: np.ndarray, whole: np.ndarray) -> list[float | None]:
    return [float(a / b) if b else None for a, b in zip(part, whole, strict=True)]


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
