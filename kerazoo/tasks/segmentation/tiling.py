"""Segmentation of images of any size: overlapping tiles and test-time averaging."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from kerazoo.errors import UserError
from kerazoo.structures.mask import Segmented
from kerazoo.structures.placement import Placement, reflected_window
from kerazoo.task import Forward, Options, batches
from kerazoo.tasks.images import tile_for

if TYPE_CHECKING:
    from kerazoo.tasks.segmentation import Segmentation

OVERLAP = 0.25
"""Part of a tile's side that is context on each side, for networks that name none of their own."""


def whole_or_tiled(
    task: "Segmentation", forward: Forward, images: Iterable[np.ndarray], options: Options
) -> Iterator[Segmented]:
    """Yield the labels of images in turn, predicted at once or in tiles.

    Args:
        task: the family; its `context` decides how tiles overlap.
        forward: the network on a batch.
        images: uint8 `(H, W, 3)` each. Those that follow each other and have one shape share a batch.
        options: `tile` is the side of the windows given to the network; None predicts images up to
            `WHOLE` pixels at once. `tta` averages over the eight flips and quarter turns.
    """
    for tile, alike in itertools.groupby(images, key=lambda image: tile_for(image, options.tile)):
        if tile is not None:
            yield from (_tiled(task, forward, image, tile, options) for image in alike)
            continue
        for stack in batches(alike, options.batch_size):  # (N, H, W, 3)
            yield from map(task.label, _averaged(task, forward, stack, options.tta, whole=True))


def _tiled(
    task: "Segmentation", forward: Forward, image: np.ndarray, tile: int, options: Options
) -> Segmented:
    """Return the labels of an image, predicted in windows.

    Memory beyond the image and its labels (one byte a pixel, of two classes two) is that of a batch of tiles:
    their probabilities become labels before the next are looked at.
    """
    height, width = image.shape[:2]
    core, margin = core_and_margin(task, tile)
    # A network without padding gives `context` pixels less on each side: of the margin `skip` is left to cut.
    side, skip = task.admissible(core + 2 * margin), margin - task.context()
    whole = Segmented(*(np.empty((height, width), "uint8") for _ in range(2 if task.classes == 1 else 1)))
    corners = list(itertools.product(range(0, height, core), range(0, width, core)))
    windows = (
        reflected_window(image, Placement(top - margin, left - margin, side, side)) for top, left in corners
    )
    stacks = batches(windows, options.batch_size)  # (N, side, side, 3)
    seen = (_averaged(task, forward, stack, options.tta, whole=False) for stack in stacks)
    for (top, left), probabilities in zip(corners, itertools.chain.from_iterable(seen), strict=True):
        inner = probabilities[skip : skip + core, skip : skip + core]  # (core, core, classes)
        tile_result = task.label(inner)
        for plane, part in ((whole.labels, tile_result.labels), (whole.levels, tile_result.levels)):
            if plane is not None and part is not None:
                place = plane[top : top + core, left : left + core]  # a view; smaller at the right and bottom
                place[:] = part[: place.shape[0], : place.shape[1]]
    return whole


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
    task: "Segmentation", forward: Forward, images: np.ndarray, tta: bool, *, whole: bool
) -> np.ndarray:
    """Return probabilities, with `tta` the mean over the square's eight symmetries.

    Shape: `(N, H, W, 3)` -> `(N, h, w, classes)`.
    """
    if not tta:
        return _probabilities(task, forward, images, whole)
    predictions = []
    for flip in (False, True):
        for turns in range(4):  # g = turn after flip, so g^-1 turns back before it flips back
            turned = np.rot90(images[:, :, ::-1] if flip else images, turns, axes=(1, 2))
            back = np.rot90(_probabilities(task, forward, turned, whole), -turns, axes=(1, 2))
            predictions.append(back[:, :, ::-1] if flip else back)
    return np.mean(predictions, axis=0)  # 1/8 sum over g of g^-1 f(g x)


def _probabilities(task: "Segmentation", forward: Forward, images: np.ndarray, whole: bool) -> np.ndarray:
    prepared = [task.prepare(image, whole=whole) for image in images]
    outputs = forward(np.stack([x for x, _ in prepared]))  # (N, H, W, C) -> (N, h, w, classes) by head
    each = [{name: value[index] for name, value in outputs.items()} for index in range(len(images))]
    placements = [placement for _, placement in prepared]
    return np.stack([task.probabilities(*pair) for pair in zip(each, placements, strict=True)])
