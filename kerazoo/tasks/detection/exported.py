"""How far the objects that an exported graph finds are from those of the Keras model."""

import numpy as np

LAST = 1e-4
"""Objects whose score is nearer to that of the last one may be there or not."""


def objects_apart(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
    """Return by how much scores differ, or boxes as a share of the farthest coordinate, in the worst case.

    Rounding decides the order of objects of nearly the same score, and which of them is the last that is
    kept. So every object is compared with the nearest one of its class.

    Args:
        expected, found: "boxes" `(N, D, 4)`, "scores" and "classes" `(N, D)`, "count" `(N,)`.
    """
    pairs = [
        ({name: value[index] for name, value in outputs.items()} for outputs in (expected, found))
        for index in range(len(expected["count"]))
    ]
    return max(max(_farthest(one, other), _farthest(other, one)) for one, other in pairs)


def _farthest(objects: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> float:
    least = min(objects["scores"].min(), others["scores"].min())
    sure = objects["scores"] > least + LAST
    if not sure.any():
        return 0.0
    scores = np.abs(objects["scores"][sure, None] - others["scores"])  # (S, D)
    scale = max(np.abs(objects["boxes"]).max(), 1.0)
    boxes = np.abs(objects["boxes"][sure, None] - others["boxes"]).max(axis=-1) / scale
    apart = np.maximum(scores, boxes)
    apart = np.where(objects["classes"][sure, None] == others["classes"], apart, 1.0)
    return float(apart.min(axis=1).max())
