"""From boxes to people: framed, answered in batches, averaged with the mirror image, decoded."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from kerazoo.structures.keypoints import Poses
from kerazoo.structures.placement import Window
from kerazoo.structures.skeleton import Skeleton
from kerazoo.tasks.framing import box_window
from kerazoo.tasks.pose.similarity import distinct

if TYPE_CHECKING:
    from kerazoo.families.hrnet.pose import HRNetPose

AT_ONCE = 32
"""Boxes that the network is given together."""


def people(
    family: "HRNetPose", forward: Callable, inputs: Iterable[tuple[np.ndarray, Window]], tta: bool
) -> Iterator[Poses]:
    """Return the one person in each input in turn.

    Args:
        family: decodes.
        forward: the network on a batch.
        inputs: of the network, float32 `(*size, C)`, and where they were put.
        tta: average the heat maps with those of the mirror image.
    """
    inputs = iter(inputs)
    while batch := list(itertools.islice(inputs, AT_ONCE)):
        x = np.stack([each for each, _ in batch])
        heatmaps = forward(x)["heatmaps"]
        if tta:
            turned = forward(np.ascontiguousarray(x[:, :, ::-1]))["heatmaps"]
            heatmaps = (heatmaps + mirrored(turned, family.skeleton, family.cells == "corner")) / 2
        for each, (_, window) in zip(heatmaps, batch, strict=True):
            yield family.decode({"heatmaps": each}, window)


def mirrored(heatmaps: np.ndarray, skeleton: Skeleton, shifted: bool) -> np.ndarray:
    """Return the heat maps of mirrored inputs as those of the inputs themselves.

    In the mirror, pixel x of W is W - 1 - x and cell g of w is w - 1 - g. If cells stand for their middles,
    that is the same. If cell g stands for pixel 4 g, points then lie 3/4 of a cell too far left, and the
    published flip test shifts by a whole one to the right; the first column stays.

    Args:
        heatmaps: `(N, h, w, K)`.
        skeleton: says which points change places.
        shifted: whether cell g stands for pixel 4 g.
    """
    turned = heatmaps[:, :, ::-1][..., skeleton.flip_indices()]
    return np.concatenate([turned[:, :, :1], turned[:, :, :-1]], axis=2) if shifted else turned


def in_boxes(
    family: "HRNetPose",
    forward: Callable,
    image: np.ndarray,
    boxes: np.ndarray,
    scores: np.ndarray,
    tta: bool,
) -> Poses:
    """Return the people in boxes, the best first; a score is the person's own times that of the box.

    Of people more alike than 0.9 the better one stays, as published.

    Args:
        family, forward, tta: as for `people`.
        image: uint8 `(H, W, 3)`.
        boxes: `(B, 4)`, left, top, width, height.
        scores: `(B,)`.
    """
    windows = (box_window(box, family.size, family.margin) for box in boxes)
    found = list(people(family, forward, ((family.framed(image, window), window) for window in windows), tta))
    none = np.zeros((0, len(family.skeleton.points), 3), "float32")
    points = np.concatenate([none, *(person.points for person in found)])
    ranked = np.array([person.scores[0] for person in found], "float32") * np.asarray(scores, "float32")
    return distinct(Poses(points, ranked), family.skeleton.sigma_per_point())
