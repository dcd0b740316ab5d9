"""Exact resizing: nearest neighbour, bilinear by either convention, and learned from a bilinear start."""

from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

from kerazoo.layers import operations
from kerazoo.layers.registered import registered

Tensor = Any
"""Of the running backend."""


@registered
class Upsample(layers.Layer):
    """Enlarge by a whole factor: nearest neighbour, or bilinear by either convention.

    Shape: `(N, H, W, C)` -> `(N, factor * H, factor * W, C)`.

    Args:
        factor: the same for height and width.
        interpolation: "bilinear" or "nearest".
        align_corners: bilinear only. The corner pixels' centres stay where they are (PyTorch's
            `align_corners=True`); otherwise the corners of the image do (half-pixel centres).
    """

    def __init__(
        self,
        factor: int = 2,
        interpolation: Literal["bilinear", "nearest"] = "bilinear",
        align_corners: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factor, self.interpolation, self.align_corners = factor, interpolation, align_corners

    def call(self, x):
        if self.interpolation == "nearest":
            return _repeated(_repeated(x, 1, self.factor), 2, self.factor)
        _, height, width, _ = ops.shape(x)
        return _bilinear(x, height * self.factor, width * self.factor, self.align_corners)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, _times(height, self.factor), _times(width, self.factor), channels

    def get_config(self):
        own = {
            "factor": self.factor,
            "interpolation": self.interpolation,
            "align_corners": self.align_corners,
        }
        return super().get_config() | own


@registered
class ResizeLike(layers.Layer):
    """Resize the first of two maps to the height and width of the second, bilinearly.

    Shape: `[(N, h, w, C), (N, H, W, any)]` -> `(N, H, W, C)`; no antialiasing when shrinking.

    Args:
        align_corners: see `Upsample`.
        half_pixel: False lays the top left pixels' centres upon each other, and pixel i of the new map at
            i * old / new of the old one: the grid of TensorFlow 1.
    """

    def __init__(self, align_corners: bool = False, half_pixel: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.align_corners, self.half_pixel = align_corners, half_pixel

    def call(self, inputs):
        x, like = inputs
        _, height, width, _ = ops.shape(like)
        return _bilinear(x, height, width, self.align_corners, self.half_pixel)

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return x[0], like[1], like[2], x[3]

    def get_config(self):
        return super().get_config() | {"align_corners": self.align_corners, "half_pixel": self.half_pixel}


def _times(size: int | None, factor: int) -> int | None:
    return None if size is None else size * factor


def _repeated(x: Tensor, axis: int, factor: int) -> Tensor:
    """Repeat every row (axis 1) or column (axis 2). Plain LiteRT knows stack and reshape, but not repeat."""
    shape = list(ops.shape(x))
    shape[axis] = shape[axis] * factor
    return ops.reshape(ops.stack([x] * factor, axis + 1), shape)


def _bilinear(x: Tensor, height: Any, width: Any, align_corners: bool, half_pixel: bool = True) -> Tensor:
    """Resize a map; `height` and `width` are ints, or scalar tensors while TensorFlow traces."""
    _, old_height, old_width, channels = ops.shape(x)
    known = all(isinstance(size, int) for size in (height, width))
    if known and half_pixel and not align_corners:
        return ops.image.resize(x, (height, width), interpolation="bilinear", data_format="channels_last")
    # Keras' own resize knows neither align_corners nor unknown sizes. Two matrix products train faster than
    # gathering two neighbours: 24 against 74 ms on TensorFlow, 50 against 87 on PyTorch, 92 against 124 on
    # JAX (8x64x64x64 doubled, forward and backward, 2 cores); at 256x256 still, except on JAX.
    rows = _weights(old_height, height, align_corners, half_pixel, x.dtype)  # (H, h)
    columns = _weights(old_width, width, align_corners, half_pixel, x.dtype)  # (W, w)
    x = ops.matmul(rows, ops.reshape(x, (-1, old_height, old_width * channels)))  # (N, H, w C)
    return ops.matmul(columns, ops.reshape(x, (-1, height, old_width, channels)))  # (N, H, W, C)


def _weights(old: Any, new: Any, align_corners: bool, half_pixel: bool, dtype: Any) -> Tensor:
    """Return the `(new, old)` matrix that interpolates linearly along one axis.

    Positions are counted in whole numbers of 1 / unit pixels, so they are exact at any size.
    """
    target, source = ops.arange(new, dtype="int32"), ops.arange(old, dtype="int32")
    if align_corners:  # pixel i comes from i (old - 1) / (new - 1)
        unit = ops.maximum(new - 1, 1)
        position = target * (old - 1)
    elif not half_pixel:  # from i old / new
        unit = new
        position = ops.minimum(target * old, unit * (old - 1))
    else:  # from (i + 1/2) old / new - 1/2
        unit = 2 * new
        position = ops.clip((2 * target + 1) * old - new, 0, unit * (old - 1))
    # A neighbour at distance d weighs 1 - d, and nothing from distance 1 on.
    distance = ops.abs(ops.expand_dims(position, 1) - unit * ops.expand_dims(source, 0))
    weights = 1.0 - ops.cast(distance, "float32") / ops.cast(unit, "float32")
    return ops.cast(ops.relu(weights), dtype)


def bilinear_kernel(size: int, channels: int) -> np.ndarray:
    """Return the kernel with which a transposed convolution interpolates, channel by channel.

    Returns:
        float32 `(size, size, channels, channels)`; a stride of size / 2 goes with it.
    """
    factor, centre = (size + 1) // 2, (size - 1) / 2
    ramp = 1 - np.abs(np.arange(size) - centre) / factor  # (size,), a triangle around the centre
    return np.einsum("h,w,io->hwio", ramp, ramp, np.eye(channels)).astype("float32")


@registered
class Bilinear(keras.initializers.Initializer):
    """Start a transposed convolution as bilinear interpolation (FCN, section 3.3).

    A kernel is `(size, size, C, C)`, or `(size, size, C, 1)` where every channel has its own.
    """

    def __call__(self, shape, dtype=None):
        if shape[-1] == 1:
            return ops.convert_to_tensor(np.tile(bilinear_kernel(shape[0], 1), (1, 1, shape[2], 1)), dtype)
        return ops.convert_to_tensor(bilinear_kernel(shape[0], shape[-1]), dtype)


@registered
class BilinearConv2DTranspose(layers.Layer):
    """A transposed convolution with the bilinear kernel fixed: nothing to train or to store.

    Shape: `(N, H, W, C)` -> `(N, factor * (H + 1), factor * (W + 1), C)`, without padding.

    Args:
        factor: the stride; the kernel has twice its size.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        kernel = ops.convert_to_tensor(bilinear_kernel(2 * self.factor, x.shape[-1]), x.dtype)
        return ops.conv_transpose(
            x, kernel, strides=self.factor, padding="valid", data_format="channels_last"
        )

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, *(side and self.factor * (side + 1) for side in (height, width)), channels

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


@registered
class DepthwiseConv2DTranspose(layers.Layer):
    """Enlarge by an even factor, each channel by a kernel of its own, which begins as bilinear interpolation.

    PyTorch's `ConvTranspose2d(C, C, 2 f, stride=f, padding=f // 2, groups=C, bias=False)` with f the factor.

    Shape: `(N, H, W, C)` -> `(N, factor * H, factor * W, C)`.

    Args:
        factor: the stride, even; the kernel has twice its size.

    Raises:
        ValueError: an odd factor.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if factor % 2:
            raise ValueError(f"factor is {factor}, which is odd")
        self.factor = factor

    def build(self, input_shape):
        shape = (2 * self.factor, 2 * self.factor, input_shape[-1], 1)
        self.kernel = self.add_weight(shape=shape, initializer=Bilinear(), name="kernel")

    def call(self, x):
        _, height, width, channels = ops.shape(x)
        f = self.factor
        # Rows f i + a of the output, 0 <= a < f, are made of rows i - 1, i and i + 1 of the input: a 3x3
        # convolution gives all f x f parts as channels. Padded by f / 2, row f t + a of the kernel is what
        # input row i + 1 - t counts.
        half = (f // 2, f // 2)
        kernel = ops.pad(ops.cast(self.kernel, x.dtype), (half, half, (0, 0), (0, 0)))  # (3f, 3f, C, 1)
        kernel = ops.flip(ops.reshape(kernel, (3, f, 3, f, channels)), (0, 2))
        kernel = ops.reshape(ops.transpose(kernel, (0, 2, 4, 1, 3)), (3, 3, channels, f * f))
        y = operations.depthwise_convolution(x, kernel, None, (1, 1), "same", (1, 1))  # (N, H, W, C f f)
        y = ops.transpose(ops.reshape(y, (-1, height, width, channels, f, f)), (0, 1, 4, 2, 5, 3))
        return ops.reshape(y, (-1, height * f, width * f, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, _times(height, self.factor), _times(width, self.factor), channels

    def get_config(self):
        return super().get_config() | {"factor": self.factor}
