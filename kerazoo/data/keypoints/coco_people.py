"""Parsing the numbers in COCO's annotations of people, and checking them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from kerazoo.data.annotations import LARGEST, Remarks, number_array, parse_flags
from kerazoo.data.keypoints.plausible import are_corners, are_misplaced
from kerazoo.data.keypoints.source import AREA_OF_BOX
from kerazoo.errors import UserError

_FEW = 0.01
"""Boxes that miss what they should hold are told where they are more than this share: COCO has some."""


@dataclasses.dataclass(frozen=True)
class AnnotatedPeople:
    """Annotated people and crowds, as arrays.

    Attributes:
        entries: the annotations themselves.
        image_index: int `(N,)`, number of the image that each is in.
        sizes: float64 `(N, 2)`, its height and width; infinite where unknown.
        points: float64 `(N, K, 2)`; 0 where not labelled.
        visible: uint8 `(N, K)`, as COCO counts it.
        boxes: float64 `(N, 4)`, left, top, width and height; NaN where none is told.
        crowd: bool `(N,)`.
    """

    entries: list[dict[str, Any]]
    image_index: np.ndarray
    sizes: np.ndarray
    points: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray
    crowd: np.ndarray

    def select(self, kept: Sequence[bool]) -> Self:
        """Return the annotations selected by bool `(N,)`."""
        chosen = np.array(kept, bool)
        entries = [entry for entry, keep in zip(self.entries, kept, strict=True) if keep]
        arrays = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[1:]}
        return type(self)(entries, **{name: array[chosen] for name, array in arrays.items()})


def parse_people(
    entries: list[dict[str, Any]], image_index: np.ndarray, sizes: np.ndarray, count: int
) -> tuple[AnnotatedPeople, dict[int, str]]:
    """Return the parsed annotations, and the problems of invalid ones by index.

    Args:
        entries: decoded JSON.
        image_index, sizes: as in `AnnotatedPeople`.
        count: of points, K.
    """
    crowd, odd = parse_flags([entry.get("iscrowd", 0) for entry in entries])
    keypoints = [
        _keypoint_numbers(entry, quiet, count) for entry, quiet in zip(entries, crowd.tolist(), strict=True)
    ]
    flat, sound = number_array(keypoints, 3 * count)
    points, visible = _points_and_visibility(flat.reshape(-1, count, 3))
    boxes, of_four = number_array([entry.get("bbox") or [None] * 4 for entry in entries], 4)
    wrong: dict[int, str] = {}
    for unsound, problem in (
        (odd, "has an iscrowd other than 0 and 1"),
        (~np.isin(visible, (0, 1, 2)).all(axis=1), "has keypoints of a visibility other than 0, 1, 2"),
        (~sound | np.isnan(visible).any(axis=1) | np.isnan(points).any(axis=(1, 2)),
         "has keypoints that are no finite numbers"),
        (_is_outside(boxes, sizes), "has a bbox outside the image"),
        (_is_no_box(boxes) | ~of_four, "has no bbox of left, top, width and height"),
    ):  # fmt: skip
        wrong |= dict.fromkeys(np.flatnonzero(unsound).tolist(), problem)
    for index in np.flatnonzero(~sound).tolist():
        length = len(keypoints[index]) if isinstance(keypoints[index], list) else "no"
        if length != 3 * count:
            wrong[index] = f"has {length} numbers as keypoints, {count} points need {3 * count}"
    visible = np.where(np.isin(visible, (0, 1, 2)), visible, 0).astype("uint8")
    return AnnotatedPeople(entries, image_index, sizes, points, visible, boxes, crowd), wrong


def check_boxes(people: AnnotatedPeople, file: Path, remarks: Remarks) -> None:
    """Warn of missing and misplaced boxes.

    Raises:
        UserError: they are left, top, right and bottom, or more than half of those with points contradict
            these: then boxes or points are no pixels of the whole image.
    """
    visible, labelled = people.visible == 2, people.visible > 0
    expected = np.where(visible.any(axis=1)[:, None], visible, labelled)
    has_box = (people.boxes[:, 2:] > 0).all(axis=1) & ~people.crowd
    boxed = people.boxes[has_box], people.sizes[has_box], people.points[has_box], expected[has_box]
    if are_corners(*boxed):
        reason = "taken for left, top, width and height some leave their image"
        raise UserError(f"{file}: each bbox is left, top, right and bottom: {reason}",
                        "write width and height in place of right and bottom")  # fmt: skip
    has_none, has_points = np.isnan(people.boxes).any(axis=1), labelled.any(axis=1)
    misplaced = np.zeros_like(has_none)
    misplaced[has_box] = are_misplaced(*boxed)
    if 2 * (count := int((misplaced & has_points).sum())) > (of := int((has_box & has_points).sum())):
        wrong = f"{file}: the bbox of {count} of {of} people with points misses them or leaves the image"
        raise UserError(wrong, "write left, top, width and height; boxes and points in pixels of the image")
    for which, least, what in (
        (misplaced, _FEW * has_box.sum(), "a bbox that leaves the image or misses points that are seen"),
        (has_none & has_points, 0, "no bbox and get that of their labelled points"),
        (has_none & ~has_points, 0, "neither a bbox nor labelled points: nothing is learned in their images"),
    ):
        if (count := int(which.sum())) > least:
            first = people.entries[int(which.argmax())].get("id")
            remarks.warnings.append(f"{file}: {count} annotation(s), the first is {first}, have {what}")


def boxes_and_areas(people: AnnotatedPeople) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes clipped to their images, `(N, 4)`, and areas, `(N,)`, both float32.

    A box without extent becomes that of the labelled points; where none is told either, the image.
    """
    boxes, labelled = people.boxes.copy(), people.visible > 0
    none = np.isnan(boxes).any(axis=1)
    for index in np.flatnonzero((none | (boxes[:, 2:] <= 0).any(axis=1)) & labelled.any(axis=1)):
        places = people.points[index][labelled[index]]
        boxes[index] = *places.min(axis=0), *np.maximum(np.ptp(places, axis=0), 1)
    low = np.maximum(np.nan_to_num(boxes[:, :2]), 0)
    high = np.minimum(np.nan_to_num(boxes[:, :2] + boxes[:, 2:], nan=LARGEST), people.sizes[:, ::-1])
    clipped = np.concatenate([low, np.maximum(high - low, 0)], axis=1)
    areas = number_array([[entry.get("area")] for entry in people.entries], 1)[0][:, 0]
    usual = AREA_OF_BOX * clipped[:, 2:].prod(axis=1)
    return clipped.astype("float32"), np.where(areas > 0, areas, usual).astype("float32")


def _keypoint_numbers(entry: dict[str, Any], crowd: bool, count: int) -> Any:
    """Return the numbers of a person's points; zeros for crowds and for unlabelled people."""
    return [0] * (3 * count) if crowd else entry.get("keypoints") or [0] * (3 * count)


def _points_and_visibility(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points `(N, K, 2)` and visibilities `(N, K)`; unlabelled points without place are at 0."""
    points, visible = keypoints[..., :2].copy(), keypoints[..., 2]
    points[(visible == 0) & np.isnan(points).any(axis=2)] = 0
    return points, visible


def _is_no_box(boxes: np.ndarray) -> np.ndarray:
    missing = np.isnan(boxes)
    return (missing.any(axis=1) & ~missing.all(axis=1)) | (boxes[:, 2:] < 0).any(axis=1)


def _is_outside(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    beyond = ((low >= sizes[:, ::-1]) | (high <= 0)).any(axis=1)
    return beyond & (boxes[:, 2:] > 0).all(axis=1)  # COCO has a few boxes without extent
