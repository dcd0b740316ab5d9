"""Scores of detection: COCO's and Pascal VOC's, with curves, a confusion matrix and COCO's results."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.structures.scores import Scores
from kerazoo.tasks.detection.coco_scores import coco_scores
from kerazoo.tasks.detection.confusion import confusion
from kerazoo.tasks.detection.result_files import coco_results
from kerazoo.tasks.detection.voc_scores import voc_scores


def scores(pairs: Iterable[tuple[Boxes, Detections]], names: Sequence[str], score: float) -> Scores:
    """Return the scores of (truth, result) pairs, and what was found as COCO's results ("coco").

    - "images" and "boxes", without crowds and difficult ones.
    - "ap", "ap50" and so on: of COCO (`kerazoo.tasks.detection.coco_scores`), the mean over classes.
    - "voc_ap" and "voc07_ap": the means of Pascal VOC (`kerazoo.tasks.detection.voc_scores`).
    - "class_ap", "class_ap50", "class_voc_ap" and "class_boxes": by class; None for classes without a box.

    Drawings: "curves", precision over recall at an overlap of 0.5, and "confusion".

    Args:
        pairs: read once; of each only the boxes are kept.
        names: class names in label order.
        score: of the boxes found that the confusion matrix looks at, at least.
    """
    seen, classes = list(pairs), len(names)
    coco, voc = coco_scores(seen, classes), voc_scores(seen, classes)
    counts = np.bincount(
        np.concatenate([np.zeros(0, "int64"), *(t.labels[~(t.crowd | t.difficult)] for t, _ in seen)]),
        minlength=classes,
    )
    numbers: dict[str, Any] = {"images": len(seen), "boxes": int(counts.sum())}
    numbers |= coco.numbers | {"voc_ap": _mean(voc.area), "voc07_ap": _mean(voc.points)}
    columns = {"ap": coco.by_class[:, 0], "ap50": coco.by_class[:, 1], "voc_ap": voc.area}
    for column, values in columns.items():
        known = [None if np.isnan(value) else float(value) for value in values]
        numbers[f"class_{column}"] = dict(zip(names, known, strict=True))
    numbers["class_boxes"] = dict(zip(names, counts.tolist(), strict=True))
    # With the data's own ids of images and classes.
    results = [row for truth, result in seen for row in coco_results(truth.image, result, truth.categories)]
    return Scores(numbers, {"coco": results}, _drawings(seen, coco.precision, names, score))


def _drawings(
    seen: Sequence[tuple[Boxes, Detections]], precision: np.ndarray, names: Sequence[str], score: float
) -> dict[str, Any]:
    from kerazoo.draw import confusion_matrix
    from kerazoo.tasks.detection.curves import precision_recall

    return {
        "curves": lambda: precision_recall(precision, names),
        "confusion": lambda: confusion_matrix(confusion(seen, len(names), score), [*names, "background"]),
    }


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
