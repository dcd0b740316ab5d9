"""People found, as JSON: kerazoo's own rows, COCO's results and OpenPose's files."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.files.writing import atomic_text
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.skeleton import Skeleton
from kerazoo.tasks.pose.similarity import bounds

_EMPTY = (
    "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d",
    "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d",
)  # fmt: skip


def people_rows(poses: Poses, skeleton: Skeleton) -> dict[str, Any]:
    """Return the people, best first: `{"people": [{"score", "box", "keypoints"}]}`, JSON-ready.

    A box is left, top, width and height of the points found; key points are x, y and score by name,
    None for those not found. Pixels have two decimals, scores four.
    """
    return {
        "people": [
            {
                "score": round(float(score), 4),
                "box": _rounded(box, 2),
                "keypoints": {
                    name: [*_rounded(point[:2], 2), round(float(point[2]), 4)] if point[2] > 0 else None
                    for name, point in zip(skeleton.points, points, strict=True)
                },
            }
            for score, box, points in zip(poses.scores, bounds(poses.points), poses.points, strict=True)
        ]
    }


def coco_results(seen: Iterable[tuple[People, Poses]]) -> list[dict[str, Any]]:
    """Return results as COCO's tools read them (https://cocodataset.org/#format-results), JSON-ready.

    "image_id" and "category_id" are the data's own, "keypoints" x, y and score of every annotated point in
    the publisher's order, three zeros for one not found. Pixels and their scores have three decimals.

    Args:
        seen: images, in the points that people annotate (`kerazoo.tasks.pose.oks.images`).
    """
    return [
        {
            "image_id": truth.image,
            "category_id": truth.category,
            "keypoints": _rounded(np.where(points[:, 2:] > 0, points, 0.0), 3),
            "score": float(score),
        }
        for truth, poses in seen
        for points, score in zip(poses.points, poses.scores, strict=True)
    ]


def save_openpose(poses: Poses, path: Path) -> Path:
    """Write the people as OpenPose does, in its format 1.3, and return `path`.

    "pose_keypoints_2d" has x, y and confidence of every point in the skeleton's order, three zeros for one
    not found; what else the format has is empty.

    Raises:
        UserError: it cannot be written.
    """
    people = [
        {"person_id": [-1], "pose_keypoints_2d": _rounded(np.where(points[:, 2:] > 0, points, 0.0), 3)}
        | {name: [] for name in _EMPTY}
        for points in poses.points
    ]
    atomic_text(path, json.dumps({"version": 1.3, "people": people}))
    return path


def _rounded(values: np.ndarray, decimals: int) -> list[float]:
    return np.round(values.astype("float64"), decimals).ravel().tolist()
