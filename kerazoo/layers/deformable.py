"""Convolution at places that the network chooses itself."""

from typing import Any

import numpy as np
from keras import layers, ops

from kerazoo.layers.blocks import HeNormal
from kerazoo.layers.convolutions import Conv2D
from kerazoo.layers.registered import registered

Tensor = Any
"""Of the running backend."""
TAPS = 9
"""Places of a 3x3 kernel."""


@registered
class DeformableConv2D(layers.Layer):
    """Modulated deformable convolution (DCNv2: Zhu et al. 2018, arXiv:1811.11168, equation 1), 3x3.

    With w_k the kernel's tap k of displacement p_k,

        y(p) = b + sum over k of w_k m_k(p) x(p + p_k + d_k(p)),

    where another 3x3 convolution tells the offsets d_k and, through a sigmoid, the weights m_k. x between
    pixels is interpolated bilinearly, and 0 beyond the border. The offsets begin at 0 and the weights at 1/2.

    Shape: `(N, H, W, C)` -> `(N, H, W, filters)`.

    Args:
        filters: channels of the output.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.offset = Conv2D(
            3 * TAPS, 3, padding="same", kernel_initializer="zeros", dtype=self.dtype_policy, name="offset"
        )

    def build(self, input_shape):
        shape = (3, 3, input_shape[-1], self.filters)
        self.kernel = self.add_weight(shape=shape, initializer=HeNormal(), name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self.offset.build(input_shape)

    def call(self, x):
        y = deformable_convolution(x, self.offset(x), ops.cast(self.kernel, x.dtype))
        return y + ops.cast(self.bias, x.dtype)

    def compute_output_shape(self, input_shape):
        return *input_shape[:-1], self.filters

    def get_config(self):
        return super().get_config() | {"filters": self.filters}


def deformable_convolution(x: Tensor, offsets: Tensor, kernel: Tensor) -> Tensor:
    """Convolve at given places.

    Args:
        x: `(N, H, W, C)`.
        offsets: `(N, H, W, 27)`: channels 2k and 2k + 1 are y and x of d_k, 18 + k is m_k before the sigmoid.
        kernel: `(3, 3, C, filters)`.

    Returns:
        `(N, H, W, filters)`.
    """
    _, height, width, channels = ops.shape(x)
    corners = _corners(ops.cast(offsets, "float32"))
    pixels = ops.reshape(ops.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0))), (-1, channels))
    kernel = ops.reshape(kernel, (3, 3 * channels, -1))
    y = []
    # A row of the kernel at a time: as quick as all nine taps at once, and a third of the memory.
    for row in range(3):
        taps = slice(3 * row, 3 * row + 3)
        terms = []
        for number, weight in corners:
            weight = ops.cast(ops.reshape(weight[..., taps], (-1, 1)), x.dtype)
            terms.append(weight * ops.take(pixels, ops.reshape(number[..., taps], (-1,)), axis=0))
        values = ops.reshape(sum(terms), (-1, 3 * channels))  # (N H W 3, C) -> (N H W, 3 C)
        y.append(ops.matmul(values, kernel[row]))
    return ops.reshape(sum(y), (-1, height, width, kernel.shape[-1]))


def _corners(offsets: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the pixels around each place that is sampled, and how much each of them counts.

    Args:
        offsets: `(N, H, W, 27)`.

    Returns:
        For the four pixels: int32 `(N, H, W, 9)`, their numbers in a batch of maps with one more row and
        column of zeros before and two after; float32 `(N, H, W, 9)`, m_k times their share.
    """
    count, height, width, _ = ops.shape(offsets)
    modulation = ops.sigmoid(offsets[..., 2 * TAPS :])  # (N, H, W, 9)
    top, below = _pixels(offsets[..., 0 : 2 * TAPS : 2], height, axis=1)
    left, beside = _pixels(offsets[..., 1 : 2 * TAPS : 2], width, axis=2)
    image = ops.reshape(ops.arange(count, dtype="int32"), (-1, 1, 1, 1)) * (height + 3)
    first = (image + top + 1) * (width + 3) + left + 1
    return [
        (first, modulation * (1 - below) * (1 - beside)),
        (first + 1, modulation * (1 - below) * beside),
        (first + width + 3, modulation * below * (1 - beside)),
        (first + width + 4, modulation * below * beside),
    ]


def _pixels(offsets: Tensor, size: Any, axis: int) -> tuple[Tensor, Tensor]:
    """Return along one axis the pixel before each place, -1..size, and the place's distance from it, 0..1.

    Args:
        offsets: `(N, H, W, 9)`.
        size: H or W.
        axis: 1 for H, 2 for W.
    """
    taps = np.indices((3, 3))[axis - 1].ravel().astype("float32") - 1  # -1, 0 or 1 for each of nine
    shape = [1, 1, 1, 1]
    shape[axis] = -1
    grid = ops.reshape(ops.arange(size, dtype="float32"), shape) + ops.convert_to_tensor(taps)
    # Beyond -1 and `size` all is 0.
    place = ops.clip(grid + offsets, -1.0, ops.cast(size, "float32"))
    before = ops.floor(place)
    # What is not a number is no pixel's, either.
    return ops.clip(ops.cast(before, "int32"), -1, size), place - before
