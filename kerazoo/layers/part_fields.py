"""What an exported network of part affinity fields does after: peaks of the heat maps, scores of all limbs.

`kerazoo.families.openpose.peaks` and `grouping` state the same for NumPy, and more.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from kerazoo.layers.registered import registered

MOST = 24
"""Peaks of a point that are kept, the highest: so many people at most."""

Tensor = Any


@registered
class Peaks(layers.Layer):
    """The highest peaks of every heat map, between cells.

    A peak is no lower than its eight neighbours. Its place is that of the Gaussian through it and its
    neighbours, by the logarithms' parabola along each axis.

    Shape: `(N, h, w, K + 1)` -> `(N, K, MOST, 3)`, x and y in cells and the height, 0 for no peak.

    Args:
        threshold: height that a peak is above.
    """

    def __init__(self, threshold: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold

    def call(self, heatmaps):
        maps = heatmaps[..., :-1]  # (N, h, w, K), without the background
        highest = ops.max_pool(maps, 3, 1, "same", data_format="channels_last")
        is_peak = ops.logical_and(maps >= highest, maps > self.threshold)
        logs = ops.log(ops.maximum(maps, 1e-4))
        columns = ops.shape(maps)[2]
        flat = _flat(ops.where(is_peak, maps, 0.0))  # (N, K, h w)
        height, index = ops.top_k(ops.pad(flat, ((0, 0), (0, 0), (0, MOST))), MOST)  # maps may be small
        index = ops.where(height > 0, index, 0)  # (N, K, MOST); no peak is read at cell 0
        x, y = (_gathered(_flat(_offset(logs, axis)), index) for axis in (2, 1))  # (N, K, MOST)
        x = x + ops.cast(index % columns, x.dtype)
        y = y + ops.cast(index // columns, y.dtype)
        return ops.stack([x, y, height], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[-1] - 1, MOST, 3

    def get_config(self):
        return super().get_config() | {"threshold": self.threshold}


@registered
class LimbScores(layers.Layer):
    """How well the field of every limb joins every pair of peaks (Cao et al. 2017, eq. 10 and 11).

    The field is read at `samples` places from peak to peak, in the nearest cell, along the pair's direction.

    Shape: peaks `(N, K, M, 3)`, fields `(N, h, w, 2 L)` -> `(N, L, M, M)`: the mean along the line, 0 where
        too few samples are above `threshold` or one of the two is no peak.

    Args:
        limbs: pairs of points.
        samples: along a line, both ends included.
        threshold: that a sample agrees above.
        share: of the samples that must agree.
    """

    def __init__(
        self, limbs: Sequence[Sequence[int]], samples: int, threshold: float, share: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.limbs = [tuple(limb) for limb in limbs]
        self.samples, self.threshold, self.share = samples, threshold, share

    def call(self, inputs):
        peaks, fields = inputs
        most = peaks.shape[2]
        # All pairs side by side: LiteRT takes no more than five axes.
        first, second = (ops.take(peaks, [limb[end] for limb in self.limbs], axis=1) for end in (0, 1))
        first, second = ops.repeat(first, most, axis=2), ops.tile(second, (1, 1, most, 1))
        # (N, L, P, 3) each, P = M M: the first point's peaks in rows, the second's in columns.
        way_x, way_y = ((second - first)[..., axis : axis + 1] for axis in (0, 1))  # d_2 - d_1: (N, L, P, 1)
        along = ops.convert_to_tensor(np.linspace(0, 1, self.samples, dtype="float32"))  # (S,), u
        x, y = first[..., :1] + way_x * along, first[..., 1:2] + way_y * along  # p(u) (eq. 11)
        # E = 1/S sum over s of L(p(u_s)) . (d_2 - d_1) / |d_2 - d_1| (eq. 10)
        length = ops.maximum(ops.sqrt(ops.square(way_x) + ops.square(way_y)), 1e-6)
        field_x, field_y = self._sampled(fields, x, y)  # (N, L, P, S)
        agreement = (field_x * way_x + field_y * way_y) / length
        agreeing = ops.mean(ops.cast(agreement > self.threshold, "float32"), axis=-1)
        score = ops.mean(agreement, axis=-1)
        joined = ops.logical_and(agreeing >= self.share - 1e-6, score > 0)
        both = ops.logical_and(first[..., 2] > 0, second[..., 2] > 0)
        score = ops.where(ops.logical_and(joined, both), score, 0.0)
        return ops.reshape(score, (-1, len(self.limbs), most, most))

    def _sampled(self, fields: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and y of each limb's field in the nearest cells: `(N, L, P, S)` each."""
        rows, columns = ops.shape(fields)[1], ops.shape(fields)[2]
        column = ops.clip(ops.cast(ops.round(x), "int32"), 0, columns - 1)
        row = ops.clip(ops.cast(ops.round(y), "int32"), 0, rows - 1)
        shape = (-1, len(self.limbs), x.shape[2], self.samples)
        index = ops.reshape(row * columns + column, (-1, len(self.limbs), x.shape[2] * self.samples))
        flat = _flat(fields)  # (N, 2 L, h w); channels 2 l and 2 l + 1 are x and y of limb l
        field_x, field_y = (ops.reshape(_gathered(flat[:, axis::2], index), shape) for axis in (0, 1))
        return field_x, field_y

    def compute_output_shape(self, input_shape):
        (batch, _, most, _), _ = input_shape
        return batch, len(self.limbs), most, most

    def get_config(self):
        own = ("limbs", "samples", "threshold", "share")
        return super().get_config() | {name: getattr(self, name) for name in own}


def _offset(logs: Tensor, axis: int) -> Tensor:
    """Return how far the parabola's top is from each cell, -0.5..0.5; 0 at the border."""
    border = [(0, 0)] * 4
    border[axis] = (1, 1)
    padded = ops.pad(logs, border, mode="reflect")  # both neighbours alike
    before, after = (padded[:, :-2], padded[:, 2:]) if axis == 1 else (padded[:, :, :-2], padded[:, :, 2:])
    # The parabola through f(-1), f(0), f(1) has its top at (f(-1) - f(1)) / (2 (f(-1) - 2 f(0) + f(1))).
    curvature = ops.minimum(before - 2 * logs + after, -1e-6)
    return ops.clip(0.5 * (before - after) / curvature, -0.5, 0.5)


def _flat(maps: Tensor) -> Tensor:
    """`(N, h, w, K)` -> `(N, K, h * w)`."""
    turned = ops.transpose(maps, (0, 3, 1, 2))
    return ops.reshape(turned, (ops.shape(turned)[0], turned.shape[1], -1))


def _gathered(values: Tensor, index: Tensor) -> Tensor:
    """`(N, K, h * w)` and int `(N, K, M)` -> `(N, K, M)`."""
    return ops.take_along_axis(values, index, axis=-1)
