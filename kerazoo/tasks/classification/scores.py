"""Scores of classification: shares of images that were told right."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

MATRIX = 100
"""With more classes the confusion matrix is left out: the log of a training would be nothing else."""


def scores(pairs: Iterable[tuple[int, np.ndarray]], names: Sequence[str]) -> dict[str, Any]:
    """Return top-1 and top-5 accuracy, and what became of each class.

    "accuracy" is of all images together; "mean_recall" the mean over the classes, where a rare
    class counts as much as a common one. A class without images has a recall of None and does
    not enter the mean. "confusion" has the truth in rows, the prediction in columns.

    Args:
        pairs: a label and float32 `(classes,)` probabilities for each image.
        names: class names in label order.
    """
    truths, guesses = _labels_and_guesses(pairs)
    right = guesses == truths[:, None]
    matrix = np.zeros((len(names),) * 2, "int64")
    np.add.at(matrix, (truths, guesses[:, 0]), 1)
    count = matrix.sum(axis=1)
    recall = [float(hit / n) if n else None for hit, n in zip(np.diag(matrix), count, strict=True)]
    present = [value for value in recall if value is not None]
    return {
        "images": len(truths),
        "accuracy": float(right[:, 0].mean()) if len(truths) else None,
        "top_5": float(right.any(axis=1).mean()) if len(truths) else None,
        "mean_recall": sum(present) / len(present) if present else None,
        "recall": dict(zip(names, recall, strict=True)),
        "count": dict(zip(names, count.tolist(), strict=True)),
        "confusion": matrix.tolist() if len(names) <= MATRIX else None,
    }


def _labels_and_guesses(pairs: Iterable[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels `(n,)` and the (up to) five most probable classes `(n, 5)`, best first."""
    rows = [(truth, np.argsort(-probabilities, kind="stable")[:5]) for truth, probabilities in pairs]
    if not rows:
        return np.zeros(0, int), np.zeros((0, 1), int)
    return np.array([truth for truth, _ in rows]), np.stack([best for _, best in rows])
