"""Heat maps of hands of five points, and people with hands somewhere in the frame."""

import numpy as np

from kerazoo.families.hrnet import HRNetPose
from kerazoo.settings import replace
from kerazoo.structures.keypoints import People
from kerazoo.structures.placement import Window
from kerazoo.structures.skeleton import Skeleton
from tests.families.test_hrnet import TINY as BODY

HAND = Skeleton(
    points=("left", "right", "middle", "left tip", "right tip"), flips=((0, 1), (3, 4)), sigmas=(0.05,)
)
SMALL = HRNetPose(skeleton=HAND, size=(128, 96), body=BODY)
AS_PUBLISHED = replace(SMALL, HRNetPose.published)
WHOLE = Window(0, 0, 96, 128, 96, 128)


def people(points, visible=None, skeleton=HAND):
    """Return people with the boxes around their points."""
    points = np.array(points, "float32")
    low, high = points.min(axis=1), points.max(axis=1)
    visible = np.full(points.shape[:2], 2, "uint8") if visible is None else np.array(visible, "uint8")
    boxes = np.concatenate([low, high - low], axis=1)
    return People(points, visible, boxes, boxes[:, 2] * boxes[:, 3], skeleton)


def somewhere(count, low=20, size=(96, 128), seed=0):
    return np.random.default_rng(seed).uniform(low, np.array(size) - low, (count, 5, 2)).astype("float32")
