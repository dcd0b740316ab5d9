"""Pose in the tests of the contract."""

from typing import ClassVar

import cv2
import numpy as np

from kerazoo.data.generated.sources import Cells
from kerazoo.structures.keypoints import People, Poses
from kerazoo.structures.sample import Sample
from kerazoo.structures.skeleton import Skeleton
from kerazoo.tasks.pose import Pose
from tests.cases.case import TaskCase, of_the_next


class PoseCase(TaskCase):
    """Images of one person: a dot of its own colour for every point."""

    task = Pose
    monitors: ClassVar = {"ap": 0.2}

    def source(self, size=(64, 64)):
        return Cells(train=10, validation=2, test=1, size=size)

    def samples(self, count=8, size=(64, 64)):
        return [_person(self.family.skeleton, n, size) for n in range(count)]

    def window(self):
        return (64, 64)

    def output_shape(self, y, name):
        return y[name.rpartition("_")[2]].shape

    def sure_outputs(self, y):
        last = f"stage{self.family.stages}_" if hasattr(self.family, "stages") else ""
        return {f"{last}{name}": maps for name, maps in y.items() if name != "weights"}

    def answer(self, said):
        return said.points[..., :2]

    def agree(self, result, truth):
        """Whether everybody has everybody's key points, to a pixel."""
        counted = truth.visible > 0 if isinstance(truth, People) else truth.points[..., 2] > 0
        apart = np.linalg.norm(self.answer(result)[:, None] - self.answer(truth), axis=-1)
        worst = np.where(counted, apart, 0).max(axis=-1)
        return len(result.points) == len(truth.points) and bool((worst.min(axis=0, initial=np.inf) < 1).all())

    def wrong(self, pairs):
        results = [result for _, result in pairs]
        return {
            "of another image": of_the_next(results),
            "nobody": [Poses(result.points[:0], result.scores[:0]) for result in results],
            "of other points": [
                Poses(np.roll(result.points, 1, axis=1), result.scores) for result in results
            ],
        }


def _person(skeleton: Skeleton, number: int, size: tuple[int, int]) -> Sample:
    """Return an image of one person away from the border."""
    rng, (height, width) = np.random.default_rng(number), size
    image = rng.integers(100, 120, (height, width, 3)).astype("uint8")
    points = rng.uniform(0.2, 0.8, (1, len(skeleton.points), 2)) * (width, height)
    for point, colour in enumerate(rng.integers(0, 256, (len(skeleton.points), 3)).tolist()):
        cv2.circle(image, points[0, point].round().astype(int).tolist(), 3, colour, -1)
    low, high = points[0].min(axis=0), points[0].max(axis=0)
    boxes = np.array([[*low, *(high - low)]], "float32")
    visible, areas = np.full(points.shape[:2], 2, "uint8"), boxes[:, 2] * boxes[:, 3]
    people = People(points.astype("float32"), visible, boxes, areas, skeleton, image=number)
    return Sample(image, people, f"{number}.png")
