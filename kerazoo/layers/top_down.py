"""What an exported top-down network does before and after: an image framed, its key points read off.

`kerazoo.tasks.framing` and `families.hrnet.codec` state the same for NumPy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from kerazoo.layers.registered import registered

Tensor = Any
"""Of the running backend."""


@registered
class Letterbox(layers.Layer):
    """Bring whole images to one size: in proportion, in the middle, one colour beyond them.

    Where both sides shrink, it averages over areas; else it interpolates linearly.

    Shape: `(N, H, W, C)` -> `(N, *size, C)`.

    Args:
        size: height and width.
        fill: the colour, C values.
    """

    def __init__(self, size: Sequence[int], fill: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        (rows, columns), self.fill = size, tuple(fill)
        self.size = rows, columns

    def call(self, image):
        _, height, width, _ = ops.shape(image)
        rows, columns = self.size
        top, left, framed_height, framed_width = letterbox(height, width, self.size)
        shrinks = ops.logical_and(framed_height >= rows, framed_width >= columns)
        down = _weights(height, top, framed_height, rows, shrinks)  # (rows, H)
        across = _weights(width, left, framed_width, columns, shrinks)  # (columns, W)
        x = _resampled(image, down, across)
        # How much of each pixel the image covers, (rows, columns), 0..1; the rest is of the fill's colour.
        covered = ops.expand_dims(ops.sum(down, 1), 1) * ops.sum(across, 1)
        fill = ops.convert_to_tensor(self.fill, x.dtype)
        return x + (1.0 - ops.expand_dims(covered, -1)) * fill

    def compute_output_shape(self, input_shape):
        return input_shape[0], *self.size, input_shape[3]

    def get_config(self):
        return super().get_config() | {"size": self.size, "fill": self.fill}


@registered
class Stretch(layers.Layer):
    """Bring whole images to one size, whatever their proportions.

    Where both sides shrink, it averages over areas; else it interpolates linearly.

    Shape: `(N, H, W, C)` -> `(N, *size, C)`.

    Args:
        size: height and width.
    """

    def __init__(self, size: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        rows, columns = size
        self.size = rows, columns

    def call(self, image):
        _, height, width, _ = ops.shape(image)
        rows, columns = self.size
        length, breadth = (ops.convert_to_tensor(side, "int32") for side in (height, width))
        shrinks = ops.logical_and(length >= rows, breadth >= columns)
        down = _weights(height, 0, length, rows, shrinks)  # (rows, H)
        across = _weights(width, 0, breadth, columns, shrinks)  # (columns, W)
        return _resampled(image, down, across)

    def compute_output_shape(self, input_shape):
        return input_shape[0], *self.size, input_shape[3]

    def get_config(self):
        return super().get_config() | {"size": self.size}


def letterbox(height: Any, width: Any, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return top, left, height and width of the frame around an image, int32 (`tasks.framing.letterbox`)."""
    rows, columns = size
    height, width = (ops.convert_to_tensor(side, "int32") for side in (height, width))
    # The frame has the proportions of `size`: round(width rows / columns) high, in whole numbers.
    framed_height = ops.maximum(height, (2 * width * rows + columns) // (2 * columns))
    framed_width = ops.maximum(width, (2 * height * columns + rows) // (2 * rows))
    top, left = -((framed_height - height) // 2), -((framed_width - width) // 2)
    return top, left, framed_height, framed_width


def _resampled(image: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Return images of another size.

    Shape: `(N, H, W, C)`, `(rows, H)`, `(columns, W)` -> `(N, rows, columns, C)`.
    """
    _, height, width, channels = ops.shape(image)
    x = ops.matmul(down, ops.reshape(image, (-1, height, width * channels)))  # (N, rows, W C)
    return ops.matmul(across, ops.reshape(x, (-1, down.shape[0], width, channels)))


def _weights(old: Any, start: Any, length: Tensor, new: int, shrinks: Tensor) -> Tensor:
    """Return the `(new, old)` matrix that brings pixels from `start` on to `new` ones.

    Positions are whole numbers of 1 / (2 new) pixels, so they are exact at any size. Rows of pixels that
    the image does not cover wholly sum up to less than one.
    """
    unit = 2 * new
    target = ops.expand_dims(ops.arange(new, dtype="int32"), 1)
    source = unit * (ops.expand_dims(ops.arange(old, dtype="int32"), 0) - start)
    # In these units target i covers 2 length i .. 2 length (i + 1), and source j `source` .. `source + unit`.
    overlap = ops.minimum(2 * length * (target + 1), source + unit) - ops.maximum(2 * length * target, source)
    area = ops.cast(ops.maximum(overlap, 0), "float32") / ops.cast(2 * length, "float32")
    position = ops.clip(
        (2 * target + 1) * length - new, 0, unit * (length - 1)
    )  # (i + 1/2) length / new - 1/2
    linear = ops.relu(1.0 - ops.cast(ops.abs(position - source), "float32") / unit)
    return ops.where(shrinks, area, linear)


@registered
class KeyPoints(layers.Layer):
    """Read key points off heat maps, in the pixels of the image that was framed.

    Shape: `[(N, h, w, K), (N, H, W, any)]` -> float32 `(N, K, 3)`: x, y and the height of the map there,
        0 where nothing is above 0.

    Args:
        stride: input pixels per cell.
        first: input pixel that cell 0 stands for.
        sigma: of the Gaussian whose top is looked for, in cells (Zhang et al. 2020, arXiv:1910.06278);
            None shifts by a quarter of a cell towards the higher neighbour.
    """

    def __init__(
        self, stride: int = 4, first: float = 1.5, sigma: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stride, self.first, self.sigma = stride, first, sigma

    def call(self, inputs):
        heatmaps, image = inputs
        heatmaps = ops.cast(heatmaps, "float32")
        _, rows, columns, count = heatmaps.shape
        flat = ops.reshape(heatmaps, (-1, rows * columns, count))  # (N, h w, K)
        best = _highest(flat)  # (N, K)
        cells = ops.stack([best % columns, best // columns], axis=-1)  # (N, K, 2), x before y
        shift = _quarter(heatmaps, cells)
        if self.sigma is not None:
            shift = _refined(heatmaps, cells, self.sigma, shift)
        points = (ops.cast(cells, "float32") + shift) * self.stride + self.first
        height = ops.expand_dims(ops.relu(ops.max(flat, axis=1)), -1)
        return ops.concatenate([self._outside(points, image, (rows, columns)), height], axis=-1)

    def _outside(self, points, image, cells):
        size = cells[0] * self.stride, cells[1] * self.stride
        _, height, width, _ = ops.shape(image)
        top, left, *framed = (ops.cast(value, "float32") for value in letterbox(height, width, size))
        scale = ops.stack([framed[1] / size[1], framed[0] / size[0]])
        # Pixels of the input -> of the frame -> of the image; pixel 0 begins at -1/2 in each.
        return (points + 0.5) * scale - 0.5 + ops.stack([left, top])

    def compute_output_shape(self, input_shape):
        heatmaps, _ = input_shape
        return heatmaps[0], heatmaps[3], 3

    def get_config(self):
        return super().get_config() | {"stride": self.stride, "first": self.first, "sigma": self.sigma}


def _highest(flat: Tensor) -> Tensor:
    """Return the first highest cell of every map: `(N, h * w, K)` -> int32 `(N, K)`.

    Keras' own argmax looks at the bits of zeros, which neither ONNX nor LiteRT can.
    """
    cells = ops.expand_dims(ops.arange(flat.shape[1], dtype="int32"), 1)
    return ops.min(ops.where(flat == ops.max(flat, axis=1, keepdims=True), cells, flat.shape[1] - 1), axis=1)


def _quarter(maps: Tensor, cells: Tensor) -> Tensor:
    at, inside = _around(maps, cells, 1)
    slope = ops.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)
    return 0.25 * ops.sign(slope) * ops.cast(ops.expand_dims(inside, -1), "float32")


def _refined(maps: Tensor, cells: Tensor, sigma: float, otherwise: Tensor) -> Tensor:
    """Return the shift to the top of the Gaussian; `otherwise` where there is none within a cell.

    -(D'')^-1 D' (Zhang et al. 2020, equation 9), all `(N, K)`, as `kerazoo.families.hrnet.codec.refined`.
    """
    at, inside = _around(ops.log(ops.maximum(_smoothed(maps, sigma), 1e-10)), cells, 2)
    dx, dy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    dxx, dyy = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4, (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
    dxy = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    determinant = dxx * dyy - dxy * dxy
    is_top = ops.logical_and(inside, ops.logical_and(determinant > 1e-8, dxx < 0))
    numerator = ops.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1)  # (N, K, 2)
    shift = numerator / ops.expand_dims(ops.where(is_top, determinant, 1.0), -1)
    near = ops.logical_and(is_top, ops.max(ops.abs(shift), axis=-1) <= 1)
    return ops.where(ops.expand_dims(near, -1), shift, otherwise)


def _smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Return the maps after a Gaussian filter, up to a factor that their logarithm's slopes do not know."""
    _, rows, columns, count = maps.shape
    down, across = (ops.convert_to_tensor(_bell(side, sigma)) for side in (rows, columns))
    x = ops.matmul(down, ops.reshape(maps, (-1, rows, columns * count)))  # (N, h, w K)
    return ops.matmul(across, ops.reshape(x, (-1, rows, columns, count)))


def _bell(length: int, sigma: float) -> np.ndarray:
    distance = np.arange(length) - np.arange(length)[:, None]
    return np.exp(-np.square(distance) / (2 * sigma**2)).astype("float32")


def _around(maps: Tensor, cells: Tensor, reach: int) -> tuple[Any, Tensor]:
    """Return a function from (dx, dy) to the values `(N, K)` there, and where those are known."""
    _, rows, columns, count = maps.shape
    flat = ops.reshape(maps, (-1, rows * columns, count))
    numbers = ops.expand_dims(ops.arange(rows * columns, dtype="int32"), 1)
    x, y = cells[..., 0], cells[..., 1]
    inside = (x > 1, x < columns - reach, y > 1, y < rows - reach)
    x, y = ops.clip(x, reach, columns - 1 - reach), ops.clip(y, reach, rows - 1 - reach)

    def at(dx: int, dy: int) -> Tensor:
        # The sum over all cells (N, h w, K) in which all but one count 0.
        place = ops.expand_dims((y + dy) * columns + x + dx, 1)  # (N, 1, K)
        return ops.sum(ops.where(place == numbers, flat, 0.0), axis=1)

    return at, ops.all(ops.stack(inside), axis=0)
