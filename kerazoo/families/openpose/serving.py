"""The exported graph: peaks of the heat maps and scores of all possible limbs.

Putting people together takes loops over what was found, which no graph of tensors does well: docs/pose.md
has the sixty lines of Python that do it behind a server.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

from kerazoo.layers.blocks import registered

if TYPE_CHECKING:
    from kerazoo.families.openpose import OpenPose

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
        maps = heatmaps[..., :-1]
        highest = ops.max_pool(maps, 3, 1, "same", data_format="channels_last")
        is_peak = ops.logical_and(maps >= highest, maps > self.threshold)
        logs = ops.log(ops.maximum(maps, 1e-4))
        columns = ops.shape(maps)[2]
        flat = _flat(ops.where(is_peak, maps, 0.0))
        height, index = ops.top_k(ops.pad(flat, ((0, 0), (0, 0), (0, MOST))), MOST)  # maps may be small
        index = ops.where(height > 0, index, 0)
        x, y = (_taken(_flat(_offset(logs, axis)), index) for axis in (2, 1))
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
        first, second = (ops.take(peaks, [limb[end] for limb in self.limbs], axis=1) for end in (0, 1))
        start = first[:, :, :, None, None, :2]
        way = second[:, :, None, :, None, :2] - start
        along = ops.convert_to_tensor(np.linspace(0, 1, self.samples, dtype="float32")[:, None])
        values = self._sampled(fields, start + way * along)
        length = ops.sqrt(ops.sum(ops.square(way), axis=-1, keepdims=True))
        agreement = ops.sum(values * way / ops.maximum(length, 1e-6), axis=-1)
        agreeing = ops.mean(ops.cast(agreement > self.threshold, "float32"), axis=-1)
        score = ops.mean(agreement, axis=-1)
        joined = ops.logical_and(agreeing >= self.share - 1e-6, score > 0)
        both = ops.logical_and(first[:, :, :, None, 2] > 0, second[:, :, None, :, 2] > 0)
        return ops.where(ops.logical_and(joined, both), score, 0.0)

    def _sampled(self, fields: Tensor, places: Tensor) -> Tensor:
        """Return the vectors of each limb's field in the cells of `places`, `(N, L, M, M, S, 2)` both."""
        rows, columns = ops.shape(fields)[1], ops.shape(fields)[2]
        cells = ops.cast(ops.round(places), "int32")
        x = ops.clip(cells[..., 0], 0, columns - 1)
        y = ops.clip(cells[..., 1], 0, rows - 1)
        count, limbs = ops.shape(fields)[0], len(self.limbs)
        index = ops.reshape(y * columns + x, (count, limbs, -1))
        flat = _flat(fields)
        shape = (count, limbs, places.shape[2], places.shape[3], self.samples)
        vectors = [ops.reshape(_taken(flat[:, axis::2], index), shape) for axis in (0, 1)]
        return ops.stack(vectors, axis=-1)

    def compute_output_shape(self, input_shape):
        (batch, _, most, _), _ = input_shape
        return batch, len(self.limbs), most, most

    def get_config(self):
        told = ("limbs", "samples", "threshold", "share")
        return super().get_config() | {name: getattr(self, name) for name in told}


def serving_model(family: "OpenPose", network: keras.Model) -> keras.Model:
    """Return `{"image"}` -> `{"peaks", "limbs"}` of unknown batch, height and width.

    Shape: image float32 `(N, H, W, C)`, 0..255, of the size that people are to be looked for in (the graph
        does not scale it) -> peaks float32 `(N, K, MOST, 3)`: x and y in the image's pixels and the height
        of the heat map, highest first, height 0 for none; limbs float32 `(N, L, MOST, MOST)`: by limb, peak
        of its first and of its second point, how well the field joins them, 0 for not at all.
    """
    from kerazoo.families.openpose import STRIDE

    image, x = family.serving_input()
    outputs = network(x)
    last = f"stage{family.stages}"
    parser = family.parsing()
    peaks = Peaks(parser.peak, name="cells")(outputs[f"{last}_heatmaps"])
    limbs = LimbScores(
        family.skeleton.limbs, parser.samples[1], parser.agreement, parser.share, name="limbs"
    )([peaks, outputs[f"{last}_fields"]])
    scale = np.array([STRIDE, STRIDE, 1.0], "float32")
    centre = np.array([(STRIDE - 1) / 2, (STRIDE - 1) / 2, 0.0], "float32")
    found = layers.Rescaling(scale.tolist(), centre.tolist(), name="peaks")(peaks)
    return keras.Model({"image": image}, {"peaks": found, "limbs": limbs}, name="serving")


def _offset(logs: Tensor, axis: int) -> Tensor:
    """Return how far the parabola's top is from each cell, -0.5..0.5; 0 at the border."""
    border = [(0, 0)] * 4
    border[axis] = (1, 1)
    padded = ops.pad(logs, border, mode="reflect")  # both neighbours alike
    before, after = (padded[:, :-2], padded[:, 2:]) if axis == 1 else (padded[:, :, :-2], padded[:, :, 2:])
    curvature = ops.minimum(before - 2 * logs + after, -1e-6)
    return ops.clip(0.5 * (before - after) / curvature, -0.5, 0.5)


def _flat(maps: Tensor) -> Tensor:
    """`(N, h, w, K)` -> `(N, K, h * w)`."""
    turned = ops.transpose(maps, (0, 3, 1, 2))
    return ops.reshape(turned, (ops.shape(turned)[0], turned.shape[1], -1))


def _taken(values: Tensor, index: Tensor) -> Tensor:
    return ops.take_along_axis(values, index, axis=-1)
