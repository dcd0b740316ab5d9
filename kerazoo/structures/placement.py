"""The placement of an image in the network's input."""

from typing import NamedTuple

import numpy as np


class Placement(NamedTuple):
    """The window of the image that the network's output stands for.

    Attributes:
        top, left: image pixel of the output's first pixel.
        height, width: size of the window in image pixels; what the output
            holds beyond it is padding and is cut off by `decode`.
    """

    top: int
    left: int
    height: int
    width: int


class Window(NamedTuple):
    """The window of the image that was resized to the network's input.

    Coordinates of pixels are those of their centres, so the window's first pixel reaches from
    `left - 0.5` to `left + 0.5`.

    Attributes:
        left, top: of the window, in image pixels; it may reach beyond the image.
        width, height: of the window in image pixels.
        columns, rows: size of the network's input.
    """

    left: float
    top: float
    width: float
    height: float
    columns: int
    rows: int

    def to_input(self, points: np.ndarray) -> np.ndarray:
        """Return the input coordinates of image points: `(..., 2)`, x and y."""
        return (points - self._corner() + 0.5) / self._scale() - 0.5

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Return the image coordinates of input points: `(..., 2)`, x and y."""
        return (points + 0.5) * self._scale() - 0.5 + self._corner()

    def _corner(self) -> np.ndarray:
        return np.array([self.left, self.top])

    def _scale(self) -> np.ndarray:
        return np.array([self.width / self.columns, self.height / self.rows])


class Framed(NamedTuple):
    """A window together with the size of the image that it is in.

    Attributes:
        window: of the image, brought to the network's input.
        size: height and width of the image; what is found beyond is cut off by `decode`.
    """

    window: Window
    size: tuple[int, int]


def reflected_window(image: np.ndarray, placement: Placement) -> np.ndarray:
    """Return a window of `image`, reflected where it reaches beyond the border.

    The edge itself is not repeated, and where the window is larger than the image the
    reflection goes on bouncing, as in `np.pad(mode="reflect")`.

    Args:
        image: `(H, W, ...)`.
        placement: the window; `top` and `left` may be negative.
    """
    top, left, height, width = placement
    if 0 <= top and 0 <= left and top + height <= image.shape[0] and left + width <= image.shape[1]:
        return image[top : top + height, left : left + width]
    rows = _reflected_index(np.arange(top, top + height), image.shape[0])
    columns = _reflected_index(np.arange(left, left + width), image.shape[1])
    return image[rows[:, None], columns]


def _reflected_index(index: np.ndarray, size: int) -> np.ndarray:
    period = max(2 * (size - 1), 1)
    index = index % period
    return np.minimum(index, period - index) if size > 1 else index * 0
