"""The maps of one image, averaged over sizes and its mirror image."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kerazoo.errors import UserError
from kerazoo.media.opencv import cv2
from kerazoo.structures.placement import Window
from kerazoo.structures.skeleton import Skeleton

if TYPE_CHECKING:
    from kerazoo.families.openpose import OpenPose

Maps = tuple[np.ndarray, np.ndarray]
"""Heat maps `(h, w, K + 1)` and fields `(h, w, 2 L)`."""


def averaged(
    family: "OpenPose", forward: Callable, image: np.ndarray, *, mirrored: bool
) -> tuple[np.ndarray, np.ndarray, Window]:
    """Return heat maps, fields and the window they are in, that of the first of `family.scales`.

    Args:
        family: decides the sizes.
        forward: the network on a batch.
        image: uint8 `(H, W, 3)`.
        mirrored: average over the image and its mirror image.
    """
    all_maps: list[Maps] = []
    windows = []
    for scale in family.scales:
        x, window = family.scaled(image, max(round(family.height * scale), 1))
        windows.append(window)
        views = [_last(family, forward, x)]
        if mirrored:
            views.append(mirror(*_last(family, forward, x[:, ::-1]), family.skeleton))
        all_maps += [_in_window(maps, window, windows[0]) for maps in views]
    heatmaps, fields = (np.mean(maps, axis=0) for maps in zip(*all_maps, strict=True))
    return heatmaps, fields, windows[0]


def mirror(heatmaps: np.ndarray, fields: np.ndarray, skeleton: Skeleton) -> Maps:
    """Return the maps of a mirrored image as those of the image itself.

    Columns are reversed, left and right points and limbs change places, and vectors turn round in x. A limb
    whose mirror image is listed from its other end turns round as a whole.
    """
    swapped = skeleton.flip_indices()
    heatmaps = heatmaps[:, ::-1][..., [*swapped, len(swapped)]]  # the background, last, stays last
    vectors = fields[:, ::-1].reshape(*fields.shape[:2], -1, 2)  # (h, w, L, 2)
    place, direction = _mirrored_limbs(skeleton)
    vectors = vectors[:, :, place] * (direction[:, None] * (-1, 1))  # (L, 2): x turns round, and whole limbs
    return heatmaps, vectors.reshape(fields.shape).astype("float32")


def _mirrored_limbs(skeleton: Skeleton) -> tuple[list[int], np.ndarray]:
    """Return, for every limb, which one is its mirror image, and 1 or (the other way round) -1."""
    swapped = skeleton.flip_indices()
    place, direction = [], []
    for first, second in skeleton.limbs:
        image = (int(swapped[first]), int(swapped[second]))
        forwards = image in skeleton.limbs
        if not forwards and image[::-1] not in skeleton.limbs:
            raise UserError(
                f"the limb from {skeleton.points[first]} to {skeleton.points[second]} has no mirror image "
                "in the skeleton",
                "leave --tta out",
            )
        place.append(skeleton.limbs.index(image if forwards else image[::-1]))
        direction.append(1 if forwards else -1)
    return place, np.array(direction)


def _last(family: "OpenPose", forward: Callable, x: np.ndarray) -> Maps:
    outputs = forward(np.ascontiguousarray(x)[None])
    heatmaps, fields = (outputs[f"stage{family.stages}_{name}"][0] for name in ("heatmaps", "fields"))
    return heatmaps, fields


def _in_window(maps: Maps, window: Window, target: Window) -> Maps:
    """Return maps resampled to the cells of another window of the same image."""
    if window == target:
        return maps
    rows, columns = (round(side * maps[0].shape[0] / window.rows) for side in (target.rows, target.columns))
    # Middles of the new cells, (rows, columns, 2) in cells -> pixels of the target -> of the image -> of the
    # window -> its cells; pixel p reaches from p - 1/2 to p + 1/2, hence the halves.
    x = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) + 0.5
    cell = window.rows / maps[0].shape[0]  # pixels
    places = (window.to_input(target.to_image(x * cell - 0.5)) + 0.5) / cell - 0.5
    x, y = (places[..., axis].astype("float32") for axis in (0, 1))
    heatmaps, fields = (
        np.stack([cv2.remap(m, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
                  for m in np.moveaxis(array, -1, 0)], axis=-1)
        for array in maps
    )  # fmt: skip
    return heatmaps, fields
