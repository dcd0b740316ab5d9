"""Segmentation of images of any size: overlapping tiles and test-time averaging."""

from typing import TYPE_CHECKING

import numpy as np

from kerazoo.errors import UserError
from kerazoo.structures.mask import Segmented
from kerazoo.structures.placement import Placement, reflected_window
from kerazoo.task import Forward, Options
from kerazoo.tasks.images import tile_for

if TYPE_CHECKING:
    from kerazoo.tasks.segmentation import Segmentation

OVERLAP = 0.25
"""Part of a tile's side that is context on each side, for networks that name none of their own."""


def whole_or_tiled(task: "Segmentation", forward: Forward, image: np.ndarray, options: Options) -> Segmented:
    """Return the labels of an image, predicted at once or in tiles.

    Memory beyond the image and its labels (one byte a pixel) is that of one tile: each
    tile's probabilities become labels before the next is looked at.

    Args:
        task: the family; its `context` decides how tiles overlap.
        forward: the network on a batch.
        image: uint8 `(H, W, 3)`.
        options: `tile` is the side of the windows given to the network; None predicts images up to
            `WHOLE` pixels at once. `tta` averages over the eight flips and quarter turns.
    """
    height, width = image.shape[:2]
    tile, tta = tile_for(image, options.tile), options.tta
    if tile is None:
        return task.label(_averaged(task, forward, image, tta, whole=True))
    core, margin = core_and_margin(task, tile)
    # A network without padding gives `context` pixels less on each side: of the margin `skip` is left to cut.
    side, skip = task.admissible(core + 2 * margin), margin - task.context()
    labels = np.empty((height, width), "uint8")
    for top in range(0, height, core):
        for left in range(0, width, core):
            window = reflected_window(image, Placement(top - margin, left - margin, side, side))
            probabilities = _averaged(
                task, forward, window, tta, whole=False
            )  # (side - 2 context, .., classes)
            inner = probabilities[skip : skip + core, skip : skip + core]  # (core, core, classes)
            place = labels[top : top + core, left : left + core]  # a view; smaller at the right and bottom
            place[:] = task.label(inner).labels[: place.shape[0], : place.shape[1]]
    return Segmented(labels)


def core_and_margin(task: "Segmentation", tile: int) -> tuple[int, int]:
    """Return the side of what a tile labels and the context around it.

    The core is a multiple of the network's stride: tiles then start on the pooling grid
    of the whole image, and their centres come out the same.
    """
    stride = task.stride()
    margin = task.context() or max(int(tile * OVERLAP) // stride, 1) * stride  # at least one stride
    core = (tile - 2 * margin) // stride * stride
    if core <= 0:
        raise UserError(
            f"a tile of {tile} pixels leaves nothing after the {margin} pixels of context on each side",
            f"give --tile at least {2 * margin + 4 * stride}",
        )
    return core, margin


def _averaged(
    task: "Segmentation", forward: Forward, image: np.ndarray, tta: bool, *, whole: bool
) -> np.ndarray:
    """Return probabilities `(H, W, classes)`, with `tta` the mean over the square's eight symmetries."""
    if not tta:
        return _probabilities(task, forward, image, whole)
    predictions = []
    for flip in (False, True):
        for turns in range(4):  # g = turn after flip, so g^-1 turns back before it flips back
            turned = np.rot90(image[:, ::-1] if flip else image, turns)
            back = np.rot90(_probabilities(task, forward, turned, whole), -turns)
            predictions.append(back[:, ::-1] if flip else back)
    return np.mean(predictions, axis=0)  # 1/8 sum over g of g^-1 f(g x)


def _probabilities(task: "Segmentation", forward: Forward, image: np.ndarray, whole: bool) -> np.ndarray:
    x, placement = task.prepare(image, whole=whole)
    outputs = forward(x[None])  # (1, H, W, C) -> (1, h, w, classes) by head
    return task.probabilities({name: value[0] for name, value in outputs.items()}, placement)
