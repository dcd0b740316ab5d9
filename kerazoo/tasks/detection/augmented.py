"""Objects found in an image, in its mirror image and in several sizes, as one result."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerazoo.structures.boxes import Detections
from kerazoo.tasks.detection.suppression import softened

if TYPE_CHECKING:
    from kerazoo.task import Forward
    from kerazoo.tasks.detection import Detection

MOST = 100
"""Boxes of an image that stay, the best; COCO counts as many."""


def found(task: "Detection", forward: "Forward", image: np.ndarray, *, tta: bool) -> Detections:
    """Return the objects in an image.

    Args:
        task: the family.
        forward: the network on a batch.
        image: uint8 `(H, W, 3)`.
        tta: look at the mirror image, too, in each of `task.tta_sizes`. What is found several times becomes
            one box by soft suppression (Bodla et al. 2017), as the published CenterNet does it.
    """
    if not tta:
        return decoded(task, forward, image)
    sizes = (task.at_scale(factor) for factor in task.tta_sizes)
    parts = [part for sized in sizes for part in sized.views(forward, image)]
    return parts[0] if len(parts) == 1 else softly_joined(parts)


def decoded(task: "Detection", forward: "Forward", image: np.ndarray) -> Detections:
    """Return the objects that the network finds in an image as it is."""
    x, placement = task.prepare(image)  # (H, W, 3) -> (h, w, C)
    outputs = forward(x[None])  # (1, h, w, C) -> {name: (1, ...)}
    return task.decode({name: value[0] for name, value in outputs.items()}, placement)


def mirrored(detections: Detections, width: int) -> Detections:
    """Return what was found in the mirror image of an image as what is in the image itself.

    Args:
        detections: in the mirror image.
        width: of the image, in pixels.
    """
    left, top, right, bottom = detections.boxes.T
    boxes = np.stack([width - right, top, width - left, bottom], axis=-1)
    return Detections(boxes, detections.labels, detections.scores)


def joined(parts: Sequence[Detections]) -> Detections:
    """Return all of several results, best first."""
    boxes, labels, scores = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "labels", "scores")
    )
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], labels[order], scores[order])


def softly_joined(parts: Sequence[Detections]) -> Detections:
    """Return the `MOST` best of several results of one image after soft suppression."""
    both = joined(parts)
    best = softened(both.boxes, both.labels, both.scores)
    return Detections(best.boxes[:MOST], best.labels[:MOST], best.scores[:MOST])
