"""Pose: key points of people, faces or a user's own objects."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from kerazoo.settings import settings
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.scores import Scores
from kerazoo.structures.skeleton import COCO17, Skeleton
from kerazoo.task import Forward
from kerazoo.tasks.images import ImageTask

if TYPE_CHECKING:
    from kerazoo.data.source import Source


class TopDown(Protocol):
    """A family that looks at boxes in which something else has found people; it supports "boxes"."""

    def infer_boxes(
        self, forward: Forward, image: np.ndarray, boxes: np.ndarray, scores: np.ndarray, *, tta: bool = False
    ) -> Poses:
        """Return the people in boxes, the best first.

        Args:
            forward: the network on a batch.
            image: uint8 `(H, W, 3)`.
            boxes: float32 `(B, 4)`, left, top, width and height in pixels; there may be none.
            scores: float32 `(B,)`, 0..1.
            tta: average over flips.
        """


@settings
class Pose(ImageTask):
    """What every pose family shares.

    Attributes:
        skeleton: the points and how they hang together.
    """

    supports: ClassVar[frozenset[str]] = frozenset({"tta"})

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

    def evaluate(self, pairs: Iterable[tuple[People, Poses]]) -> Scores:
        """Return the scores, and the results for COCO's own tools."""
        from kerazoo.tasks.pose.oks import scores

        return scores(pairs, self.skeleton)

    def draw(self, image: np.ndarray, result: "Poses | People") -> np.ndarray:
        from kerazoo.tasks.pose.drawing import draw_people

        return draw_people(image, result, self.skeleton)

    def describe(self, result: Poses) -> dict[str, Any]:
        """Return every person's score, box and points by name, in the image's pixels."""
        from kerazoo.tasks.pose.json_rows import people_rows

        return people_rows(result, self.skeleton)

    def summary(self, described: dict[str, Any]) -> str:
        count = len(described["people"])
        return f"{count} {'person' if count == 1 else 'people'}"

    def save(self, result: Poses, stem: Path) -> list[Path]:
        """Write the people as OpenPose's JSON, which many programs read."""
        from kerazoo.tasks.pose.json_rows import save_openpose

        return [save_openpose(result, stem.with_name(f"{stem.name}_keypoints.json"))]
