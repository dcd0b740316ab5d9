"""Which part of an image the network looks at, and that part brought to the network's size."""

from collections.abc import Sequence

import numpy as np

from kerazoo.media.opencv import cv2
from kerazoo.structures.placement import Window

GREY = 127
"""What lies beyond an image."""


def letterbox(height: int, width: int, size: tuple[int, int]) -> Window:
    """Return the window in the proportions of `size` that just holds a whole image, in its middle.

    `kerazoo.layers.Letterbox` states the same inside a graph.

    Args:
        height, width: of the image.
        size: height and width of the network's input.
    """
    rows, columns = size
    framed_height = max(height, (2 * width * rows + columns) // (2 * columns))
    framed_width = max(width, (2 * height * columns + rows) // (2 * rows))
    top, left = -((framed_height - height) // 2), -((framed_width - width) // 2)
    return Window(left, top, framed_width, framed_height, columns, rows)


def box_window(box: Sequence[float], size: tuple[int, int], margin: float) -> Window:
    """Return the window in the proportions of `size`, of whole pixels, around a box.

    Args:
        box: left, top, width, height in the image.
        size: height and width of the network's input.
        margin: by how much the window is larger than what just holds the box.
    """
    rows, columns = size
    left, top, width, height = box
    scale = margin * max(width / columns, height / rows)
    framed_width, framed_height = (max(round(side * scale), 1) for side in (columns, rows))
    x, y = left + (width - framed_width) / 2, top + (height - framed_height) / 2
    return Window(round(x), round(y), framed_width, framed_height, columns, rows)


def seen(image: np.ndarray, window: Window) -> np.ndarray:
    """Return what is in a window, of the window's rows and columns: grey beyond the image.

    Where both sides shrink, it averages over areas; else it interpolates linearly.

    Args:
        image: uint8 `(H, W, C)`.
        window: of whole pixels.

    Returns:
        float32 `(rows, columns, C)`, 0..255.
    """
    shrinks = window.width >= window.columns and window.height >= window.rows
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    down, across = (window.top, window.height, window.rows), (window.left, window.width, window.columns)
    # The side that the image fills goes first: filling up a panorama as it is would take gigabytes.
    if window.height > image.shape[0]:
        return _stretched(_stretched(image, 1, *across, method), 0, *down, method)
    return _stretched(_stretched(image, 0, *down, method), 1, *across, method)


def _stretched(
    image: np.ndarray, axis: int, start: float, length: float, size: int, method: int
) -> np.ndarray:
    """Return the pixels from `start` on along an axis, grey where there are none, brought to `size`."""
    first, last, side = int(start), int(start + length), image.shape[axis]
    before, after = (min(max(beyond, 0), last - first) for beyond in (-first, last - side))
    inner = np.moveaxis(np.moveaxis(image, axis, 0)[max(first, 0) : max(last, 0)], 0, axis)
    border = [(0, 0)] * image.ndim
    border[axis] = before, after
    padded = np.pad(inner, border, constant_values=GREY).astype("float32")
    shape = [size, padded.shape[1]] if axis == 0 else [padded.shape[0], size]
    return cv2.resize(padded, shape[::-1], interpolation=method)
