"""MPII's key points in the JSON form that HRNet's authors and others published them in."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.data.keypoints import Keypoints, Listed, Photograph, divided, finite, read_annotations
from kerazoo.errors import UserError
from kerazoo.settings import settings
from kerazoo.skeleton import MPII, Skeleton

PIXELS = 200
"""A person's height in pixels by MPII's `scale`."""

WIDE = 0.75
"""Width by height of the boxes that are made of centre and scale; MPII has none."""


@settings
class MpiiKeypoints(Keypoints):
    """A list of people: "image", "joints" `(16, 2)`, "joints_vis" `(16,)`, "center" and "scale".

    Coordinates are counted from 1, as in Matlab; here from 0. Joints at (-1, -1) or with visibility 0
    are not labelled. The photographs lie in `images/` beside the file, or beside it.
    """

    skeleton: Skeleton = MPII

    def listed(self) -> Listed:
        return self._listed

    @functools.cached_property
    def _listed(self) -> Listed:
        people = read_annotations(self.root)
        folder = Path(self.images).expanduser() if self.images else self.root.parent / "images"
        folder = folder if folder.is_dir() else self.root.parent
        problems: list[UserError] = []
        by_image: dict[str, list[dict]] = {}
        for number, told in enumerate(people, 1):
            problem = _problem(told)
            if problem:
                problems.append(UserError(f"{self.path}: entry {number} {problem}", "mend or remove it"))
            else:
                by_image.setdefault(told["image"], []).append(told)
        photographs = []
        for number, (name, some) in enumerate(by_image.items(), 1):
            if (folder / name).is_file():
                photographs.append(_photograph(folder / name, number, some))
            else:
                problems.append(
                    UserError(f"{self.path}: there is no {folder / name}", "add it, or set data.images")
                )
        if not photographs and not problems:
            raise UserError(f"{self.path} has no people", "check the file")
        return Listed(MPII.points, 1, divided(photographs, self), problems)


def _problem(told: Any) -> str:
    """Return what is wrong with an entry, or nothing."""
    if not isinstance(told, dict) or not isinstance(told.get("image"), str):
        return "names no image"
    joints = told.get("joints")
    count = len(MPII.points)
    if not isinstance(joints, list) or len(joints) != count:
        return f"has {len(joints) if isinstance(joints, list) else 'no'} joints, MPII {count}"
    if not all(finite(joint, 2) for joint in joints) or not finite(told.get("joints_vis"), count):
        return "has joints that are no numbers"
    if not finite(told.get("center"), 2) or not finite([told.get("scale")], 1) or told["scale"] <= 0:
        return "has no centre and scale"
    return ""


def _photograph(path: Path, number: int, people: Sequence[dict]) -> Photograph:
    points = np.array([told["joints"] for told in people], "float32") - 1
    labelled = np.array([told["joints_vis"] for told in people]) > 0
    visible = np.where(labelled & (points > -1).any(axis=-1), 2, 0).astype("uint8")
    height = np.array([told["scale"] for told in people], "float32") * PIXELS
    size = np.stack([height * WIDE, height], axis=1)
    corner = np.array([told["center"] for told in people], "float32") - 1 - size / 2
    boxes = np.concatenate([corner, size], axis=1)
    return Photograph(path, number, points, visible, boxes, size.prod(axis=1), np.zeros((0, 4), "float32"))
