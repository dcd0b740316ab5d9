"""Average precision and recall of boxes as COCO's tool gives them (https://cocodataset.org/#detection-eval).

By faster-coco-eval, which gives the numbers of pycocotools.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kerazoo.structures.boxes import Boxes, Detections, box_areas, to_xywh
from kerazoo.tasks.detection.result_files import coco_results

Seen = Sequence[tuple[Boxes, Detections]]
"""Images: what is true and what was found."""

NAMES = (
    "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip
"""Of the numbers of COCO's evaluation, in the order in which it gives them."""

BEYOND_ALL = 1e12
"""Square pixels that are beyond all of COCO's sizes: its tool passes over such an object."""


class CocoScores(NamedTuple):
    """What COCO's tool says.

    Attributes:
        numbers: by `NAMES`; None for what no object of the truth tells of.
        by_class: float64 `(C, 2)`: AP and AP50 of every class, NaN where it has no object.
        precision: float64 `(C, 101)`, at IoU 0.5: the precision at recalls of 0, 0.01 ... 1, NaN where the
            class has no object.
    """

    numbers: dict[str, float | None]
    by_class: np.ndarray
    precision: np.ndarray


def coco_scores(seen: Seen, classes: int) -> CocoScores:
    """Return COCO's scores of images.

    What is found in a crowd counts neither for nor against, and so does what is found on a difficult object,
    which COCO itself does not know: its tool takes it for one beyond all sizes.

    Args:
        seen: truths and results.
        classes: number of classes.
    """
    annotations = [
        entry for number, (truth, _) in enumerate(seen, 1) for entry in _annotations(number, truth)
    ]
    if not annotations:
        missing = np.full((classes, 2), np.nan), np.full((classes, 101), np.nan)
        return CocoScores(dict.fromkeys(NAMES), *missing)
    from faster_coco_eval import COCO, COCOeval_faster

    truths = COCO(
        {
            "images": [{"id": number} for number in range(1, len(seen) + 1)],
            "categories": [{"id": label + 1} for label in range(classes)],
            "annotations": [{"id": number} | entry for number, entry in enumerate(annotations, 1)],
        }
    )
    found = [row for number, (_, result) in enumerate(seen, 1) for row in coco_results(number, result)]
    evaluation = COCOeval_faster(truths, truths.loadRes(found), "bbox")
    evaluation.run()
    # Precision is (T, R, C, A, M): overlaps 0.5 .. 0.95, recalls, classes, sizes and numbers of boxes.
    precision = evaluation.eval["precision"][..., 0, -1].astype(
        "float64"
    )  # (T, R, C): of any size, 100 boxes
    precision = np.where(precision < 0, np.nan, precision)  # -1 stands for what no object tells of
    by_class = np.stack([precision.mean(axis=(0, 1)), precision[0].mean(axis=0)], axis=-1)
    stats = [float(value) if value >= 0 else None for value in evaluation.stats]
    return CocoScores(dict(zip(NAMES, stats, strict=True)), by_class, precision[0].T)


def _annotations(number: int, truth: Boxes) -> list[dict[str, Any]]:
    """Return the truth of an image as COCO annotates it, without ids of its own."""
    areas = box_areas(truth.boxes.astype("float64")) if truth.areas is None else truth.areas
    areas = np.where(truth.difficult, BEYOND_ALL, areas)
    boxes = to_xywh(truth.boxes.astype("float64"))
    columns = truth.labels + 1, boxes, areas, truth.crowd
    return [
        {"image_id": number, "category_id": label, "bbox": box, "area": area, "iscrowd": int(crowd)}
        for label, box, area, crowd in zip(*(column.tolist() for column in columns), strict=True)
    ]
