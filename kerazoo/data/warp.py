"""One geometric change, however many steps it was composed of: every pixel is resampled once.

Coordinates are (x, y) in pixels, pixel centres at whole numbers: an image of width w
reaches from -0.5 to w - 0.5 and has its centre at (w - 1) / 2.
"""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Warp:
    """Where every output pixel comes from; what lies beyond the input is mirrored.

    Flips, quarter turns and moves by whole pixels copy pixels bit for bit.

    Attributes:
        matrix: float64 `(3, 3)`, output pixel (x, y, 1) -> input pixel (x, y, 1).
        size: height and width of the output.
        displacement: float32 `(height, width, 2)`, (x, y) in output pixels, added to the output
            pixel before `matrix` is applied; or None.
    """

    matrix: np.ndarray
    size: tuple[int, int]
    displacement: np.ndarray | None = None

    def image(self, array: np.ndarray) -> np.ndarray:
        """Return an image warped by linear interpolation: uint8 `(H, W, C)` -> `(height, width, C)`.

        Where the warp shrinks by more than a quarter, the image is first shrunk by averaging
        over areas, so that fine texture does not turn into false patterns.
        """
        shrink = math.sqrt(abs(np.linalg.det(self.matrix[:2, :2])))
        if shrink <= 1.25:
            return self._sampled(array, self._sources, cv2.INTER_LINEAR)
        height, width = array.shape[:2]
        smaller = max(round(width / shrink), 1), max(round(height / shrink), 1)
        ratio = np.array(smaller, "float32") / np.array([width, height], "float32")
        array = cv2.resize(array, smaller, interpolation=cv2.INTER_AREA)
        # Mirrored here, in the pixels of the whole image, where the labels are mirrored too.
        last = np.maximum(np.array([width, height], "float32") - 1, 1)
        inside = last - np.abs(self._sources % (2 * last) - last)
        return self._sampled(array, (inside + 0.5) * ratio - 0.5, cv2.INTER_LINEAR)

    def labels(self, array: np.ndarray) -> np.ndarray:
        """Return labels or weights of the same pixels, by nearest neighbour.

        Args:
            array: `(H, W)`, uint8 or float32.
        """
        return self._sampled(array, self._sources, cv2.INTER_NEAREST)

    @functools.cached_property
    def _sources(self) -> np.ndarray:
        """The input pixel of every output pixel: float32 `(height, width, 2)`."""
        height, width = self.size
        (a, b, x0), (c, d, y0) = self.matrix[:2]
        x, y = np.arange(width, dtype="float64"), np.arange(height, dtype="float64")[:, None]
        sources = np.empty((height, width, 2), "float32")
        sources[..., 0] = a * x + (b * y + x0)
        sources[..., 1] = c * x + (d * y + y0)
        if self.displacement is not None:
            sources += cv2.transform(self.displacement, self.matrix[:2, :2])
        return sources

    def _sampled(self, array: np.ndarray, sources: np.ndarray, interpolation: int) -> np.ndarray:
        return cv2.remap(array, sources, None, interpolation, borderMode=cv2.BORDER_REFLECT_101)


def shifted(x: float, y: float) -> np.ndarray:
    """Return the matrix that adds (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def linear(a: float, b: float, c: float, d: float) -> np.ndarray:
    """Return the matrix x' = a x + b y, y' = c x + d y."""
    return np.array([[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]])


def quarter_turn(turns: int) -> np.ndarray:
    """Return the matrix under which the output is the input turned like `np.rot90(input, turns)`."""
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns % 4]
    return linear(cosine, -sine, sine, cosine)


def about(matrix: np.ndarray, size: tuple[int, int], centre: tuple[float, float]) -> np.ndarray:
    """Return `matrix` with the centre of an output of `size` coming from input pixel `centre` (x, y)."""
    height, width = size
    return shifted(*centre) @ matrix @ shifted((1 - width) / 2, (1 - height) / 2)


def elastic(nodes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return U-Net's smooth displacement field by bicubic interpolation of a coarse grid.

    Args:
        nodes: `(n, n, 2)` displacements in pixels; the grid reaches from corner to corner
            (3 x 3 in the paper, section 3.1).
        size: height and width of the field.

    Returns:
        float32 `(height, width, 2)`.
    """
    rows, columns = (_cubic(length, len(nodes)) for length in size)
    return np.ascontiguousarray(
        np.einsum("yi,ijc,xj->yxc", rows, nodes.astype("float32"), columns, optimize=True)
    )


@functools.lru_cache(64)
def _cubic(length: int, nodes: int) -> np.ndarray:
    """Return how much every node weighs at every pixel: Keys' cubic convolution, float32 `(length, nodes)`."""
    position = np.linspace(0.0, nodes - 1.0, length)[:, None]
    t = np.abs(position - np.arange(-1, nodes + 1))
    near = (1.5 * t - 2.5) * t * t + 1.0
    far = ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    inner = weights[:, 1:-1].copy()  # the nodes beyond the border repeat those on it
    inner[:, 0] += weights[:, 0]
    inner[:, -1] += weights[:, -1]
    return inner.astype("float32")
