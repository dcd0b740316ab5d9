"""Which part of a photograph the network looks at, and that part brought to the network's size."""

from collections.abc import Sequence

import numpy as np

from kerazoo.media.opencv import cv2
from kerazoo.structures.placement import Frame

GREY = 127
"""What lies beyond a photograph."""


def around_image(height: int, width: int, size: tuple[int, int]) -> Frame:
    """Return the frame in the proportions of `size` that just holds a whole photograph, in its middle.

    `kerazoo.layers.Framing` states the same inside a graph.

    Args:
        height, width: of the photograph.
        size: height and width of the network's input.
    """
    rows, columns = size
    framed_height = max(height, (2 * width * rows + columns) // (2 * columns))
    framed_width = max(width, (2 * height * columns + rows) // (2 * rows))
    top, left = -((framed_height - height) // 2), -((framed_width - width) // 2)
    return Frame(left, top, framed_width, framed_height, columns, rows)


def around_box(box: Sequence[float], size: tuple[int, int], margin: float) -> Frame:
    """Return the frame in the proportions of `size`, of whole pixels, around a box.

    Args:
        box: left, top, width, height in the photograph.
        size: height and width of the network's input.
        margin: by how much the frame is larger than what just holds the box.
    """
    rows, columns = size
    left, top, width, height = box
    scale = margin * max(width / columns, height / rows)
    framed_width, framed_height = (max(round(side * scale), 1) for side in (columns, rows))
    x, y = left + (width - framed_width) / 2, top + (height - framed_height) / 2
    return Frame(round(x), round(y), framed_width, framed_height, columns, rows)


def seen(image: np.ndarray, frame: Frame) -> np.ndarray:
    """Return what is in a frame, of the frame's rows and columns: grey beyond the photograph.

    Where both sides shrink, it averages over areas; else it interpolates linearly.

    Args:
        image: uint8 `(H, W, C)`.
        frame: of whole pixels.

    Returns:
        float32 `(rows, columns, C)`, 0..255.
    """
    shrinks = frame.width >= frame.columns and frame.height >= frame.rows
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    down, across = (frame.top, frame.height, frame.rows), (frame.left, frame.width, frame.columns)
    # The side that the photograph fills goes first: filling up a panorama as it is would take gigabytes.
    if frame.height > image.shape[0]:
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
