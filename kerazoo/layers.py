"""What networks are made of: convolution blocks, exact resizing, mirroring to any size.

Every layer gives the same numbers on the three backends and, on TensorFlow, exports with
unknown height and width.
"""

import math
import random
from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

Tensor = Any
"""Of the running backend."""

registered = keras.saving.register_keras_serializable(package="kerazoo")

# PyTorch's defaults, which the published weights were made with; Keras' own are 1e-3 and 0.99.
BATCH_NORM_EPSILON = 1e-5
BATCH_NORM_MOMENTUM = 0.9


@registered
class HeNormal(keras.initializers.Initializer):
    """Gaussian with deviation sqrt(2 / fan-in) (He et al. 2015; U-Net, section 3), drawn by NumPy.

    So `keras.utils.set_random_seed` gives the same network on every backend, and JAX does not
    compile a generator for every shape (20 seconds for UNet++).

    Args:
        seed: None takes one from Python's generator.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = random.randrange(2**31) if seed is None else seed

    def __call__(self, shape, dtype=None):
        normal = np.random.default_rng(self.seed).standard_normal(shape, "float32")
        normal *= math.sqrt(2 / math.prod(shape[:-1]))
        return ops.convert_to_tensor(normal, dtype)

    def get_config(self):
        return {"seed": self.seed}


# --- blocks --------------------------------------------------------------------------


def pad_conv(
    x: keras.KerasTensor,
    filters: int,
    kernel: int = 3,
    *,
    name: str,
    stride: int = 1,
    bias: bool = True,
    activation: str | None = None,
) -> keras.KerasTensor:
    """Convolve with `kernel // 2` zeros on all four sides.

    That is PyTorch's `padding=k//2`. With a stride, Keras' "same" pads even sizes on the bottom
    and right only, which shifts the map by a pixel.

    Shape: `(N, H, W, C)` -> `(N, ceil(H / stride), ceil(W / stride), filters)`, kernel odd.
    """
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=bias,
        activation=activation,
        kernel_initializer=HeNormal(),
        name=name,
    )(x)


def conv_norm_act(
    x: keras.KerasTensor,
    filters: int,
    kernel: int = 3,
    *,
    name: str,
    stride: int = 1,
    norm: bool = True,
    bias: bool = False,
    activation: str | None = "relu",
    epsilon: float = BATCH_NORM_EPSILON,
) -> keras.KerasTensor:
    """Convolve, normalise (layer `{name}_bn`) and activate (layer `{name}_act`).

    Without `norm` the convolution has a bias and the activation in itself.

    Shape: as `pad_conv`.
    """
    if not norm:
        return pad_conv(x, filters, kernel, name=name, stride=stride, activation=activation)
    x = pad_conv(x, filters, kernel, name=name, stride=stride, bias=bias)
    return norm_act(x, name=name, activation=activation, epsilon=epsilon)


def norm_act(
    x: keras.KerasTensor,
    *,
    name: str,
    activation: str | None = "relu",
    epsilon: float = BATCH_NORM_EPSILON,
) -> keras.KerasTensor:
    """Normalise by batch (layer `{name}_bn`) and activate (layer `{name}_act`)."""
    x = layers.BatchNormalization(epsilon=epsilon, momentum=BATCH_NORM_MOMENTUM, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_act")(x) if activation else x


def dropout(x: keras.KerasTensor, rate: float, *, name: str) -> keras.KerasTensor:
    """Drop elements while training, by a random state of its own.

    Without a seed Keras on torch draws from torch's global generator, which no resume point holds.
    """
    return layers.Dropout(rate, seed=random.randrange(2**31), name=name)(x)


@registered
class PadMaxPool(layers.Layer):
    """Take the maximum of odd windows; what lies beyond the border never wins.

    That is PyTorch's `MaxPool2d(size, stride, padding=size // 2)`. Keras' "same" shifts even sizes by a
    pixel, and zeros beyond the border would beat negative values.

    Shape: `(N, H, W, C)` -> `(N, ceil(H / stride), ceil(W / stride), C)`.

    Args:
        size: side of the window, odd.
        stride: pixels between windows.
    """

    def __init__(self, size: int, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size, self.stride = size, stride

    def call(self, x):
        border = (self.size // 2, self.size // 2)
        x = ops.pad(x, ((0, 0), border, border, (0, 0)), constant_values=float("-inf"))
        return ops.max_pool(x, self.size, self.stride, "valid", data_format="channels_last")

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return batch, *(side and -(-side // self.stride) for side in sides), channels

    def get_config(self):
        return super().get_config() | {"size": self.size, "stride": self.stride}


# --- resizing ------------------------------------------------------------------------


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
    """

    def __init__(self, align_corners: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.align_corners = align_corners

    def call(self, inputs):
        x, like = inputs
        _, height, width, _ = ops.shape(like)
        return _bilinear(x, height, width, self.align_corners)

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return x[0], like[1], like[2], x[3]

    def get_config(self):
        return super().get_config() | {"align_corners": self.align_corners}


def _times(size: int | None, factor: int) -> int | None:
    return None if size is None else size * factor


def _repeated(x: Tensor, axis: int, factor: int) -> Tensor:
    """Repeat every row (axis 1) or column (axis 2). Plain LiteRT knows stack and reshape, but not repeat."""
    shape = list(ops.shape(x))
    shape[axis] = shape[axis] * factor
    return ops.reshape(ops.stack([x] * factor, axis + 1), shape)


def _bilinear(x: Tensor, height: Any, width: Any, align_corners: bool) -> Tensor:
    """Resize a map; `height` and `width` are ints, or scalar tensors while TensorFlow traces."""
    _, old_height, old_width, channels = ops.shape(x)
    known = all(isinstance(size, int) for size in (height, width))
    if known and not align_corners:
        return ops.image.resize(x, (height, width), interpolation="bilinear", data_format="channels_last")
    # Keras' own resize knows neither align_corners nor unknown sizes. Two matrix products train faster than
    # gathering two neighbours: 24 against 74 ms on TensorFlow, 50 against 87 on PyTorch, 92 against 124 on
    # JAX (8x64x64x64 doubled, forward and backward, 2 cores); at 256x256 still, except on JAX.
    rows = _weights(old_height, height, align_corners, x.dtype)
    columns = _weights(old_width, width, align_corners, x.dtype)
    x = ops.matmul(rows, ops.reshape(x, (-1, old_height, old_width * channels)))
    return ops.matmul(columns, ops.reshape(x, (-1, height, old_width, channels)))


def _weights(old: Any, new: Any, align_corners: bool, dtype: Any) -> Tensor:
    """Return the `(new, old)` matrix that interpolates linearly along one axis.

    Positions are counted in whole numbers of 1 / unit pixels, so they are exact at any size.
    """
    target, source = ops.arange(new, dtype="int32"), ops.arange(old, dtype="int32")
    if align_corners:
        unit = ops.maximum(new - 1, 1)
        position = target * (old - 1)
    else:
        unit = 2 * new
        position = ops.clip((2 * target + 1) * old - new, 0, unit * (old - 1))
    distance = ops.abs(ops.expand_dims(position, 1) - unit * ops.expand_dims(source, 0))
    weights = 1.0 - ops.cast(distance, "float32") / ops.cast(unit, "float32")
    return ops.cast(ops.relu(weights), dtype)


# --- compiling ------------------------------------------------------------------------


@registered
class Materialised(layers.Layer):
    """Pass a map on, computed once.

    On a CPU, XLA repeats a chain of additions in every kernel that reads one of its sums, so code and
    compilation grow with the square of a network's depth. With this layer after every exchange of HRNet-W32
    the first prediction took 5 s of CPU time instead of 19, the next ones 0.18 s instead of 0.26 (jax 0.10,
    256 x 192). Writing a corner back to where it is changes nothing, and XLA does not see through it.

    Shape: any -> the same.
    """

    def call(self, x):
        if keras.config.backend() != "jax":
            return x
        return ops.slice_update(x, (0,) * len(x.shape), x[(slice(1),) * len(x.shape)])

    def compute_output_shape(self, input_shape):
        return input_shape


# --- any size ------------------------------------------------------------------------


@registered
class MirrorPad(layers.Layer):
    """Mirror an image beyond its borders until its sides suit the network.

    The edge itself is not repeated; where the image is smaller than its border the
    reflection goes on bouncing. What makes the sides suit is added at the bottom and right
    only, so that the pooling grid starts at the first pixel. Nothing is done where nothing
    is needed.

    Shape: `(N, H, W, C)` -> `(N, H', W', C)`, H' the least number >= H + 2 * margin with
        H' % multiple == remainder.

    Args:
        multiple: what the sides are counted in.
        margin: pixels added on each of the four sides.
        remainder: of the sides after division by `multiple`.
    """

    def __init__(self, multiple: int, margin: int = 0, remainder: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple, self.margin, self.remainder = multiple, margin, remainder

    def call(self, x):
        return self._padded(self._padded(x, 1), 2)

    def _padded(self, x, axis):
        size = ops.shape(x)[axis]
        length = self._length(size)
        if isinstance(size, int) and length == size:
            return x
        period = ops.maximum(2 * (size - 1), 1)
        # Reflection is even; and tf2onnx turns `%` into C's, which differs below zero.
        index = ops.abs(ops.arange(length, dtype="int32") - self.margin) % period
        return ops.take(x, ops.minimum(index, period - index), axis)

    def _length(self, size):
        least = size + 2 * self.margin
        beyond = (least + self.multiple - self.remainder) % self.multiple
        return least + (self.multiple - beyond) % self.multiple

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return batch, *(side and self._length(side) for side in sides), channels

    def get_config(self):
        own = {"multiple": self.multiple, "margin": self.margin, "remainder": self.remainder}
        return super().get_config() | own


@registered
class CropLike(layers.Layer):
    """Crop the first of two maps to the height and width of the second.

    Shape: `[(N, H, W, C), (N, h, w, any)]` -> `(N, h, w, C)`, H >= offset + h.

    Args:
        offset: rows and columns left out at the top and left.
    """

    def __init__(self, offset: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offset = offset

    def call(self, inputs):
        x, like = inputs
        height, width = ops.shape(like)[1:3]
        if all(isinstance(size, int) for size in (height, width)) and x.shape[1:3] == (height, width):
            return x
        return x[:, self.offset : self.offset + height, self.offset : self.offset + width]

    def compute_output_shape(self, input_shape):
        x, like = input_shape
        return x[0], like[1], like[2], x[3]

    def get_config(self):
        return super().get_config() | {"offset": self.offset}


# --- transposed convolution that interpolates -------------------------------------------


def bilinear_kernel(size: int, channels: int) -> np.ndarray:
    """Return the kernel with which a transposed convolution interpolates, channel by channel.

    Returns:
        float32 `(size, size, channels, channels)`; a stride of size / 2 goes with it.
    """
    factor, centre = (size + 1) // 2, (size - 1) / 2
    ramp = 1 - np.abs(np.arange(size) - centre) / factor
    return np.einsum("h,w,io->hwio", ramp, ramp, np.eye(channels)).astype("float32")


@registered
class Bilinear(keras.initializers.Initializer):
    """Start a transposed convolution as bilinear interpolation (FCN, section 3.3)."""

    def __call__(self, shape, dtype=None):
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
