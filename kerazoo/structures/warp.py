"""One geometric change, however many steps it was composed of: every pixel is resampled once.

Coordinates are (x, y) in pixels, pixel centres at whole numbers: an image of width w
reaches from -0.5 to w - 0.5 and has its centre at (w - 1) / 2.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kerazoo.media.opencv import cv2


@dataclass(frozen=True)
class Warp:
    """Where every output pixel comes from; what lies beyond the input is mirrored, or of one grey.

    Flips, quarter turns and moves by whole pixels copy pixels bit for bit.

    Attributes:
        matrix: float64 `(3, 3)`, output pixel (x, y, 1) -> input pixel (x, y, 1).
        size: height and width of the output.
        displacement: float32 `(2, height, width)`, x and y in output pixels, added to the output
            pixel before `matrix` is applied; or None.
        fill: grey level of what lies beyond the input (labels there are 0); None mirrors.
    """

    matrix: np.ndarray
    size: tuple[int, int]
    displacement: np.ndarray | None = None
    fill: int | None = None

    def image(self, array: np.ndarray) -> np.ndarray:
        """Return an image warped by linear interpolation: uint8 `(H, W, C)` -> `(height, width, C)`.

        Where the warp shrinks by more than a quarter, the image is first shrunk by averaging
        over areas, so that fine texture does not turn into false patterns.
        """
        warped = self._resampled(array)
        if self.fill is not None:
            warped[self._outside(array)] = self.fill
        return warped

    def _resampled(self, array: np.ndarray) -> np.ndarray:
        # The determinant is an area: input pixels per output pixel; its root is a length.
        shrink = math.sqrt(abs(np.linalg.det(self.matrix[:2, :2])))
        if shrink <= 1.25:
            return _sampled(array, self._sources, cv2.INTER_LINEAR)
        lengths = array.shape[1], array.shape[0]  # width and height, as x comes before y
        smaller = tuple(max(round(length / shrink), 1) for length in lengths)
        # Mirrored here, in the pixels of the whole image, where the labels are mirrored too.
        inside = (_folded(*pair) for pair in zip(self._sources, lengths, strict=True))
        # Pixel centres: x + 1/2 is the distance to the border, which scales by new / old.
        ratios = (np.float32(new / old) for new, old in zip(smaller, lengths, strict=True))
        sources = [(x + 0.5) * ratio - 0.5 for x, ratio in zip(inside, ratios, strict=True)]
        return _sampled(cv2.resize(array, smaller, interpolation=cv2.INTER_AREA), sources, cv2.INTER_LINEAR)

    def labels(self, array: np.ndarray) -> np.ndarray:
        """Return labels or weights of the same pixels, by nearest neighbour.

        Args:
            array: `(H, W)`, uint8 or float32.
        """
        warped = _sampled(array, self._sources, cv2.INTER_NEAREST)
        if self.fill is not None:
            warped[self._outside(array)] = 0
        return warped

    def points(self, points: np.ndarray) -> np.ndarray:
        """Return where points of the input are in the output: float32 `(..., 2)`, x and y."""
        inverse = np.linalg.inv(self.matrix)  # input (x, y, 1) -> output, (3, 3)
        undisplaced = (points @ inverse[:2, :2].T + inverse[:2, 2]).astype("float32")  # (..., 2)
        if self.displacement is None:
            return undisplaced
        # q with q + d(q) = undisplaced, by the fixed-point iteration q <- undisplaced - d(q).
        outputs = undisplaced
        for _ in range(20):
            outputs = undisplaced - self._displaced(outputs)
        return outputs

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Return the upright boxes around boxes of the input: float32 `(N, 4)`, left, top, width, height.

        Sides of boxes lie between pixels: (0, 0, w, h) is the box around an image of width w and height h.
        """
        corners = boxes[:, None, :2] + boxes[:, None, 2:] * ((0, 0), (1, 0), (0, 1), (1, 1))  # (N, 4, 2)
        corners = self.points(corners - 0.5) + 0.5  # sides lie half a pixel off pixel centres
        left_top = corners.min(axis=1)  # (N, 2)
        return np.concatenate([left_top, corners.max(axis=1) - left_top], axis=1).astype("float32")

    def _outside(self, array: np.ndarray) -> np.ndarray:
        x, y = self._sources
        height, width = array.shape[:2]
        # A pixel reaches half a pixel around its centre: (height, width) of the output, bool.
        return (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)

    def _displaced(self, points: np.ndarray) -> np.ndarray:
        """Return the displacement at points of the output; beyond it that of its border."""
        assert self.displacement is not None
        if not points.size:
            return points  # OpenCV takes none
        x, y = (points[..., axis].reshape(1, -1).astype("float32") for axis in (0, 1))  # (1, P)
        components = [  # of x and of y, (1, P) each
            cv2.remap(component, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for component in self.displacement
        ]
        return np.stack(components, axis=-1).reshape(points.shape)

    @functools.cached_property
    def _sources(self) -> list[np.ndarray]:
        """The input pixel of every output pixel: its x and its y, float32 `(height, width)` each."""
        height, width = self.size
        x, y = np.arange(width), np.arange(height)[:, None]  # (width,), (height, 1)
        sources = [  # a x + b y + shift, in float64 along the sides and float32 over the area
            np.add((a * x).astype("float32"), (b * y + shift).astype("float32"))
            for a, b, shift in self.matrix[:2]
        ]
        if self.displacement is not None:
            for source, (a, b, _) in zip(sources, self.matrix[:2].astype("float32"), strict=True):
                source += a * self.displacement[0] + b * self.displacement[1]
        return sources


def _sampled(array: np.ndarray, sources: Sequence[np.ndarray], interpolation: int) -> np.ndarray:
    # remap takes no side of 2^15 and more: only what the window reaches for is handed to it.
    x, y = sources
    if max(array.shape[:2]) >= 2**15 and y.min() >= 0 and x.min() >= 0:
        top, left = max(int(y.min()) - 2, 0), max(int(x.min()) - 2, 0)
        array = array[top : int(y.max()) + 3, left : int(x.max()) + 3]
        sources = [x - np.float32(left), y - np.float32(top)]
    return cv2.remap(array, sources[0], sources[1], interpolation, borderMode=cv2.BORDER_REFLECT_101)


def _folded(x: np.ndarray, length: int) -> np.ndarray:
    """Return the coordinates within 0..length - 1 that mirroring at both ends leads to."""
    # Mirroring about the middles of the first and last pixel has the period 2 (length - 1): a triangle wave.
    last = np.float32(max(length - 1, 1))
    return x if x.min() >= 0 and x.max() <= last else last - np.abs(x % (2 * last) - last)


def shifted(x: float, y: float) -> np.ndarray:
    """Return the matrix that adds (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def linear(a: float, b: float, c: float, d: float) -> np.ndarray:
    """Return the matrix x' = a x + b y, y' = c x + d y."""
    return np.array([[a, b, 0.0], [c, d, 0.0], [0.0, 0.0, 1.0]])


def quarter_turn(turns: int) -> np.ndarray:
    """Return the matrix under which the output is the input turned like `np.rot90(input, turns)`."""
    # Exact whole numbers, so that a turn copies pixels bit for bit.
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns % 4]
    return linear(cosine, -sine, sine, cosine)


def about(matrix: np.ndarray, size: tuple[int, int], centre: Sequence[float]) -> np.ndarray:
    """Return `matrix` with the centre of an output of `size` coming from input pixel `centre`, (x, y)."""
    height, width = size
    # Read from the right: the output's centre to 0, the matrix about 0, 0 to the input's centre.
    return shifted(*centre) @ matrix @ shifted((1 - width) / 2, (1 - height) / 2)


def elastic(nodes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return U-Net's smooth displacement field by bicubic interpolation of a coarse grid.

    Args:
        nodes: `(n, n, 2)` displacements in pixels; the grid reaches from corner to corner
            (3 x 3 in the paper, section 3.1).
        size: height and width of the field.

    Returns:
        float32 `(2, height, width)`.
    """
    rows, columns = (_cubic(length, len(nodes)) for length in size)  # (height, n), (width, n)
    # Interpolation is separable: (height, n) (n, n) (n, width), for x and for y.
    return np.stack([rows @ axis @ columns.T for axis in np.moveaxis(nodes, -1, 0).astype("float32")])


@functools.lru_cache(64)
def _cubic(length: int, nodes: int) -> np.ndarray:
    """Return every node's weight at every pixel by Keys' cubic convolution: float32 `(length, nodes)`."""
    position = np.linspace(0.0, nodes - 1.0, length)[:, None]  # (length, 1), in nodes
    t = np.abs(position - np.arange(-1, nodes + 1))  # (length, nodes + 2), one node beyond either border
    # Keys 1981, equation 15 (a = -1/2).
    near = (1.5 * t - 2.5) * t * t + 1.0  # 3/2 t^3 - 5/2 t^2 + 1 for t < 1
    far = ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0  # -1/2 t^3 + 5/2 t^2 - 4 t + 2 for 1 <= t < 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    inner = weights[:, 1:-1].copy()  # the nodes beyond the border repeat those on it
    inner[:, 0] += weights[:, 0]
    inner[:, -1] += weights[:, -1]
    return inner.astype("float32")
