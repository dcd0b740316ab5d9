"""Scores of segmentation, all from one confusion matrix."""

from collections.abc import Sequence
from typing import Any

import numpy as np


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


def scores(matrix: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Return IoU and Dice per class and on average, and the pixel accuracy.

    A class that neither truth nor prediction holds is None and does not enter the mean
    (Keras' MeanIoU counts it as 1); one that was only predicted counts as 0.

    Args:
        matrix: as `confusion` gives it, summed over the images.
        names: class names in label order.
    """
    hit = np.diag(matrix).astype("float64")
    truth, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    iou = _ratio(hit, truth + predicted - hit)
    dice = _ratio(2 * hit, truth + predicted)
    total = matrix.sum()
    return {
        "mean_iou": _mean(iou),
        "mean_dice": _mean(dice),
        "pixel_accuracy": float(hit.sum() / total) if total else None,
        "iou": dict(zip(names, iou, strict=True)),
        "dice": dict(zip(names, dice, strict=True)),
        "confusion": matrix.tolist(),
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> list[float | None]:
    return [float(a / b) if b else None for a, b in zip(part, whole, strict=True)]


def _mean(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
