"""Reading a detector's boxes in COCO's format of results."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.data.annotations import Ids, Key, number_array, parse_key
from kerazoo.data.keypoints.plausible import are_corners, are_shares
from kerazoo.errors import UserError
from kerazoo.files.reading import read_json

_REMEDY = "give a detector's results in COCO's form, or leave data.detections out"


def read_detections(
    path: Path, categories: Collection[Key], sizes: Mapping[Key, tuple[int, int] | None]
) -> dict[Key, np.ndarray]:
    """Return all boxes of people with their scores, by the id of the image; others are left out.

    Args:
        path: of a list of {"image_id", "category_id", "bbox", "score"}.
        categories: the ids of people.
        sizes: height and width of every image by its id, None where unknown.

    Returns:
        float32 `(B, 5)` each: left, top, width, height and score, in the order of the file.

    Raises:
        UserError: the file cannot be read, an entry is no box, there is none of a person in these images, or
            boxes are shares of sides or corners.
    """
    entries = _person_entries(path, Ids(categories))
    boxes, _ = number_array([entry.get("bbox") for entry in entries.values()], 4)
    scores, _ = number_array([[entry.get("score")] for entry in entries.values()], 1)
    both = np.concatenate([boxes, scores], axis=1)
    sound = np.isfinite(both).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    sound &= np.array([parse_key(entry.get("image_id")) is not None for entry in entries.values()], bool)
    if not sound.all():
        raise UserError(f"{path}: entry {list(entries)[int(sound.argmin())]} is no box of an image", _REMEDY)
    images = Ids(sizes)
    by_image: dict[Key, list[int]] = {}
    for index, entry in enumerate(entries.values()):
        key = images.find(entry["image_id"])
        if key is not None:
            by_image.setdefault(key, []).append(index)
    if not by_image:
        raise UserError(f"{path} has no box of these images", "give the detections in these images")
    chosen = [index for indices in by_image.values() for index in indices]
    sides = [sizes[key] or (np.inf, np.inf) for key, indices in by_image.items() for _ in indices]
    _refuse_other_units(boxes[chosen], np.array(sides, "float64"), path)
    return {key: both[indices].astype("float32") for key, indices in by_image.items()}


def _person_entries(path: Path, categories: Ids) -> dict[int, dict[str, Any]]:
    """Return the entries of some categories or without category, by their numbers in the file."""
    entries = read_json(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"{path} is no list of boxes", _REMEDY)
    of_people = {
        number: entry
        for number, entry in enumerate(entries, 1)
        if "category_id" not in entry or categories.find(entry["category_id"]) is not None
    }
    if not of_people:
        raise UserError(f"{path} has no box of category {categories}", _REMEDY)
    return of_people


def _refuse_other_units(boxes: np.ndarray, sizes: np.ndarray, path: Path) -> None:
    """Raise a `UserError` if boxes are shares of the image's sides, or corners."""
    corners = boxes.reshape(-1, 2, 2)
    everywhere = np.ones(corners.shape[:2], bool)
    if len(boxes) and are_shares(corners, everywhere, sizes).all():
        raise UserError(f"{path} has boxes in shares of the images' sides", "give them in pixels")
    if are_corners(boxes, sizes, corners[:, :0], everywhere[:, :0]):
        message = (
            f"{path} has boxes of left, top, right and bottom: with width and height some leave their image"
        )
        raise UserError(message, "give them as left, top, width and height")
