"""Pose: key points of people, faces or a user's own objects."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerazoo.settings import settings
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.skeleton import COCO17, Skeleton
from kerazoo.tasks.images import ImageTask

if TYPE_CHECKING:
    from kerazoo.data.source import Source


@settings
class Pose(ImageTask):
    """What every pose family shares.

    Attributes:
        skeleton: the points and how they hang together.
    """

    skeleton: Skeleton = COCO17

    def class_names(self) -> tuple[str, ...]:
        return self.skeleton.points

    def with_classes(self, names: Sequence[str]) -> "Pose":
        """Return this family: data are asked for its points, and tell which they lack when they are read."""
        return self

    def source_for(self, path: str) -> "type[Source]":
        from kerazoo.data.keypoints.reader import keypoint_source

        return keypoint_source(Path(path))

    def configure(self, data: "Source") -> "Source":
        """Return the data with this network's points in this network's order."""
        from kerazoo.settings import replace

        return replace(data, {"skeleton": self.skeleton})

    def evaluate(self, pairs: Iterable[tuple[People, Poses]]) -> dict[str, Any]:
        from kerazoo.tasks.pose.oks import scores

        return scores(pairs, self.skeleton)

    def report(self, pairs: Iterable[tuple[People, Poses]]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the scores, and the results for COCO's own tools."""
        from kerazoo.tasks.pose.oks import report

        return report(pairs, self.skeleton)

    def draw(self, image: np.ndarray, result: "Poses | People") -> np.ndarray:
        from kerazoo.tasks.pose.drawing import drawn

        return drawn(image, result, self.skeleton)

    def describe(self, result: Poses) -> dict[str, Any]:
        """Return every person's score, box and points by name, in the image's pixels."""
        from kerazoo.tasks.pose.json_rows import described

        return described(result, self.skeleton)

    def summary(self, described: dict[str, Any]) -> str:
        count = len(described["people"])
        return f"{count} {'person' if count == 1 else 'people'}"

    def save(self, result: Poses, stem: Path) -> list[Path]:
        """Write the people as OpenPose's JSON, which many programs read."""
        from kerazoo.tasks.pose.json_rows import save_openpose

        return [save_openpose(result, stem.with_name(f"{stem.name}_keypoints.json"))]
