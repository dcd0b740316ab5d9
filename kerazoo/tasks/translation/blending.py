"""Large images in overlapping windows that fade into one another."""

from collections.abc import Callable

import numpy as np

from kerazoo.errors import UserError
from kerazoo.structures.placement import Placement, reflected_window

LEAST = 16
"""Pixels of the smallest tile."""


def blended(
    translate: Callable[[np.ndarray], dict[str, np.ndarray]],
    image: np.ndarray,
    tile: int,
    finished: Callable[[np.ndarray], np.ndarray],
) -> dict[str, np.ndarray]:
    """Return an image made window by window, each fading into the next over half a tile.

    A network that normalises by the statistics of what it sees gives neighbouring windows other
    tones; over so much overlap no seam is left. Memory beyond the image and the finished
    images is that of a strip of windows.

    Args:
        translate: float32 `(tile, tile, C)` images by name for a window.
        image: uint8 `(H, W, 3)`.
        tile: side of the windows, in pixels.
        finished: pixels `(h, W, C)` of float images.
    """
    if tile < LEAST:
        raise UserError(f"a tile of {tile} pixels is too small", f"give --tile at least {LEAST}")
    height, width = image.shape[:2]
    step = tile // 2  # windows overlap by half, so every pixel lies in two rows and two columns of them
    images: dict[str, np.ndarray] = {}
    above: dict[str, np.ndarray] = {}  # the lower half of the strip before, (step, W, C)
    fading = _fading(step)[:, None, None]  # (step, 1, 1), along rows
    for top in range(-step, height, step):  # the first strip only gives the upper half of the second
        strips = _strip(translate, image, top, tile)
        rows = slice(max(top, 0), min(top + step, height))
        for name, strip in strips.items():
            if name in above:  # its lower half fades into this one's upper half
                mixed = (1 - fading) * above[name] + fading * strip[:step]  # (step, W, C); weights sum to 1
                finished_rows = finished(mixed[: rows.stop - rows.start])
                images.setdefault(name, np.empty((height, width, 3), "uint8"))[rows] = finished_rows
            above[name] = strip[step : 2 * step]
    return images


def _strip(translate: Callable, image: np.ndarray, top: int, tile: int) -> dict[str, np.ndarray]:
    """Return the images of the rows from `top`: float32 `(2 * (tile // 2), W, C)` by name."""
    step, width = tile // 2, image.shape[1]
    fading = _fading(step)[:, None]  # (step, 1), along columns
    strips: dict[str, np.ndarray] = {}
    before: dict[str, np.ndarray] = {}  # the right half of the window before, (2 step, step, C)
    for left in range(-step, width, step):
        window = reflected_window(image, Placement(top, left, 2 * step, 2 * step))
        for name, translated in translate(window).items():  # (2 step, 2 step, C)
            if name in before:  # its right half fades into this one's left half
                mixed = (1 - fading) * before[name] + fading * translated[:, :step]  # (2 step, step, C)
                strip = strips.setdefault(name, np.empty((2 * step, width, translated.shape[-1]), "float32"))
                strip[:, left : left + step] = mixed[:, : width - left]  # the last may reach beyond the image
            before[name] = translated[:, step:]
    return strips


def _fading(length: int) -> np.ndarray:
    """Return weights that rise from 0 to 1 without corners, half a Hann window: float32 `(length,)`."""
    # (1 - cos(pi t)) / 2, t = (i + 1/2) / length; a weight and its mirror image sum to 1.
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(length, dtype="float32") + 0.5) / length)).astype("float32")
