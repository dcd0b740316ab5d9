"""What a detector found in a data set, as COCO's results tell it."""

from pathlib import Path

import numpy as np

from kerazoo.data.annotations import finite_rows, read_json
from kerazoo.errors import UserError


def read_detections(path: Path, category: int) -> dict[int, np.ndarray]:
    """Return all boxes of a category, whatever their scores, by number of the photograph.

    Args:
        path: of a list of {"image_id", "category_id", "bbox", "score"}.
        category: number of whose boxes are wanted.

    Returns:
        float32 `(B, 5)` each: left, top, width, height and score, in the order of the file.

    Raises:
        UserError: the file cannot be read, an entry is no box, or there is none of the category.
    """
    told, remedy = read_json(path), "give a detector's results in COCO's form, or leave data.detections out"
    if not isinstance(told, list) or not all(isinstance(entry, dict) for entry in told):
        raise UserError(f"{path} is no list of boxes", remedy)
    wanted = [number for number, entry in enumerate(told) if entry.get("category_id", category) == category]
    if not wanted:
        raise UserError(f"{path} has no box of category {category}", remedy)
    boxes = finite_rows([told[number].get("bbox") for number in wanted], 4)
    scores = finite_rows([[told[number].get("score")] for number in wanted], 1)
    images = [told[number].get("image_id") for number in wanted]
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores[:, 0]) & (boxes[:, 2:] > 0).all(axis=1)
    sound &= np.array([isinstance(image, int) for image in images])
    if not sound.all():
        number = wanted[int(sound.argmin())]
        raise UserError(f"{path}: entry {number + 1} is no box of a photograph", remedy)
    order = np.argsort(images, kind="stable")
    both = np.concatenate([boxes, scores], axis=1)[order].astype("float32")
    numbers, starts = np.unique(np.array(images)[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(both, starts[1:]), strict=True))
