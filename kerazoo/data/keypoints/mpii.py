"""Reading MPII's key points in the JSON format of HRNet's authors."""

from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.data.annotations import Remarks, entry_errors, number_array
from kerazoo.data.image_paths import locate_images
from kerazoo.data.keypoints.plausible import validate_points
from kerazoo.data.keypoints.source import (
    AREA_OF_BOX,
    AnnotatedImage,
    AnnotatedImages,
    Keypoints,
    try_image_size,
)
from kerazoo.errors import UserError
from kerazoo.files.reading import read_json
from kerazoo.settings import settings
from kerazoo.structures.keypoints import People
from kerazoo.structures.skeleton import MPII, Skeleton

PIXELS = 200
"""A person's size in pixels where MPII's `scale` is 1."""

LOWER = 15
"""By so many pixels, times `scale`, the published training looks below MPII's `center`, to get the feet."""


@settings
class MpiiKeypoints(Keypoints):
    """A list of people: "image", "joints" `(16, 2)`, "joints_vis" `(16,)`, "center" and "scale".

    Coordinates are counted from 1, as in Matlab; here they are from 0. Joints of visibility 0, or at
    (-1, -1), are not labelled. Boxes are the squares that "center" and "scale" tell, areas are estimated from
    the labelled joints: MPII has neither. PCKh is measured by the distance from `head_top` to
    `upper_neck`, which is close to the 0.6 of the head box' diagonal that MPII takes. Where people are
    whom MPII left out, it is taught, wrongly, that nobody is there.
    """

    skeleton: Skeleton = MPII

    def parse_file(self, file: Path, remarks: Remarks) -> AnnotatedImages:
        content = read_json(file)
        if not isinstance(content, list):
            raise UserError(f"{file} is no list of people", "give MPII's JSON, such as annot/train.json")
        _check_kind(content, file)
        self.check_points(MPII.points, file)
        joints, squares, wrong = _parse_people(content)
        by_number = ((index + 1, problem) for index, problem in sorted(wrong.items()))
        remarks.problems += entry_errors(file, "entry", by_number)
        sound = [index for index in range(len(content)) if index not in wrong]
        by_image: dict[str, list[int]] = {}
        for number, index in enumerate(sound):
            by_image.setdefault(content[index]["image"], []).append(number)
        folder, names = locate_images(file, list(by_image), self.images, remarks)
        sizes = dict(zip(by_image, (try_image_size(folder, name, self) for name in names), strict=True))
        sides = [sizes[content[index]["image"]] or (np.inf, np.inf) for index in sound]
        checked, visible = validate_points(
            joints[sound, :, :2],
            joints[sound, :, 2].astype("uint8"),
            np.array(sides, "float64").reshape(-1, 2),
            lambda number: f"entry {sound[number] + 1}",
            file,
            remarks,
        )
        points, visible = self.skeleton.convert_points(MPII.points, checked.astype("float32"), visible)
        boxes, areas = squares[sound], _estimate_areas(points, visible)
        labelled = self.has_enough_points(visible, areas)
        images = []
        for number, ((image, people), name) in enumerate(zip(by_image.items(), names, strict=True), 1):
            truth = People(
                points[people], visible[people], boxes[people], areas[people], self.skeleton, image=number
            )
            images += [] if name is None else [AnnotatedImage(name, sizes[image], truth, labelled[people])]
        return AnnotatedImages(folder, images, (1,))


def _check_kind(content: list[Any], file: Path) -> None:
    """Raise a `UserError` if a list has no entries of MPII's format."""
    keys = {key for entry in content if isinstance(entry, dict) for key in entry}
    if not content or "joints" in keys:
        return
    if "image_id" in keys:
        message = f"{file} is a list with image_id: COCO's results (predictions), which are no annotations"
        raise UserError(message, "give the file of annotations, which has images, annotations and categories")
    message = f"{file} has neither COCO's key points nor MPII's: a list of people with joints"
    raise UserError(message, "export the key points in COCO's form")


def _parse_people(content: list[Any]) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Return joints `(P, 16, 3)` with visibility, boxes `(P, 4)`, and problems by index."""
    people = [entry if isinstance(entry, dict) else {} for entry in content]
    count = len(MPII.points)
    flat, pairs = number_array([_flatten_joints(entry.get("joints")) for entry in people], 2 * count)
    places = flat.reshape(-1, count, 2)
    visible, _ = number_array([entry.get("joints_vis") for entry in people], count)
    centres, _ = number_array([entry.get("center") for entry in people], 2)
    scales, _ = number_array([[entry.get("scale")] for entry in people], 1)
    has_name = np.array(
        [isinstance(entry.get("image"), str) and entry["image"] != "" for entry in people], bool
    )
    nowhere = np.isnan(places).any(axis=2)
    wrong: dict[int, str] = {}
    for unsound, problem in (
        (np.isnan(centres).any(axis=1) | ~(scales[:, 0] > 0), "has no center and scale above 0"),
        (np.isnan(visible).any(axis=1), f"has no {count} numbers as joints_vis"),
        (~pairs | (nowhere & (visible > 0)).any(axis=1), f"has no {count} finite pairs of numbers as joints"),
        (~has_name, "names no image"),
    ):
        wrong |= dict.fromkeys(np.flatnonzero(unsound).tolist(), problem)
    places[nowhere] = 0
    labelled = (visible > 0) & (places > 0).any(axis=2)
    joints = np.concatenate([places - 1, 2 * labelled[..., None]], axis=2)
    sides = PIXELS * scales
    middles = centres - 1 + 0.5 + LOWER * scales * (0, 1)  # boxes end between pixels
    boxes = np.concatenate([middles - sides / 2, sides, sides], axis=1)
    return joints, boxes.astype("float32"), wrong


def _flatten_joints(joints: Any) -> Any:
    pairs = isinstance(joints, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in joints)
    return [value for pair in joints for value in pair] if pairs else None


def _estimate_areas(points: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return areas estimated from the boxes around labelled points: float32 `(P,)`."""
    labelled = visible[..., None] > 0
    low = np.where(labelled, points, np.inf).min(axis=1)
    high = np.where(labelled, points, -np.inf).max(axis=1)
    return (AREA_OF_BOX * np.maximum(high - low, 1).prod(axis=1)).astype("float32")
