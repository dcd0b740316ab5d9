"""Convolution blocks, and what they are started, padded and dropped by."""

import math
import random
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from kerazoo import backend
from kerazoo.layers.convolutions import Conv2D, DepthwiseConv2D
from kerazoo.layers.norms import BatchNormalization
from kerazoo.layers.registered import registered

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
        gain: factor on the deviation. A classifier's is small, so that a training begins near log(classes).
    """

    def __init__(self, seed: int | None = None, gain: float = 1.0) -> None:
        self.seed = random.randrange(2**31) if seed is None else seed
        self.gain = gain

    def __call__(self, shape, dtype=None):
        return _gaussian(self.gain * math.sqrt(2 / math.prod(shape[:-1])), self.seed, shape, dtype)

    def get_config(self):
        return {"seed": self.seed, "gain": self.gain}


@registered
class Normal(keras.initializers.Initializer):
    """Gaussian of a given deviation, drawn by NumPy as `HeNormal` is.

    Args:
        std: whatever the fan-in.
        seed: None takes one from Python's generator.
    """

    def __init__(self, std: float, seed: int | None = None) -> None:
        self.std = std
        self.seed = random.randrange(2**31) if seed is None else seed

    def __call__(self, shape, dtype=None):
        return _gaussian(self.std, self.seed, shape, dtype)

    def get_config(self):
        return {"std": self.std, "seed": self.seed}


def _gaussian(std: float, seed: int, shape: Sequence[int], dtype: Any) -> Any:
    normal = np.random.default_rng(seed).standard_normal(shape, "float32")
    normal *= std
    return ops.convert_to_tensor(normal, dtype)


def pad_conv(
    x: keras.KerasTensor,
    filters: int,
    kernel: int = 3,
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
    bias: bool = True,
    activation: str | None = None,
) -> keras.KerasTensor:
    """Convolve with `kernel // 2` zeros on all four sides, and `dilation` times as many.

    That is PyTorch's `padding=k//2`. With a stride, Keras' "same" pads even sizes on the bottom
    and right only, which shifts the map by a pixel.

    Shape: `(N, H, W, C)` -> `(N, ceil(H / stride), ceil(W / stride), filters)`, kernel odd, and stride or
        dilation 1.
    """
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return Conv2D(
        filters,
        kernel,
        strides=stride,
        dilation_rate=dilation,
        padding="same" if stride == 1 else "valid",
        use_bias=bias,
        activation=activation,
        kernel_initializer=HeNormal(),
        name=name,
    )(x)


def pad_depthwise(
    x: keras.KerasTensor, kernel: int = 3, *, name: str, stride: int = 1, dilation: int = 1
) -> keras.KerasTensor:
    """Convolve every channel by itself, padded as `pad_conv` does and without a bias.

    Shape: `(N, H, W, C)` -> `(N, ceil(H / stride), ceil(W / stride), C)`.
    """
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return DepthwiseConv2D(
        kernel,
        strides=stride,
        dilation_rate=dilation,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        depthwise_initializer=HeNormal(gain=math.sqrt(x.shape[-1])),  # the fan-in is one channel's
        name=name,
    )(x)


def conv_norm_act(
    x: keras.KerasTensor,
    filters: int,
    kernel: int = 3,
    *,
    name: str,
    stride: int = 1,
    dilation: int = 1,
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
        return pad_conv(
            x, filters, kernel, name=name, stride=stride, dilation=dilation, activation=activation
        )
    x = pad_conv(x, filters, kernel, name=name, stride=stride, dilation=dilation, bias=bias)
    return norm_act(x, name=name, activation=activation, epsilon=epsilon)


def norm_act(
    x: keras.KerasTensor,
    *,
    name: str,
    activation: str | None = "relu",
    epsilon: float = BATCH_NORM_EPSILON,
) -> keras.KerasTensor:
    """Normalise by batch (layer `{name}_bn`) and activate (layer `{name}_act`)."""
    x = BatchNormalization(epsilon=epsilon, momentum=BATCH_NORM_MOMENTUM, name=f"{name}_bn")(x)
    return layers.Activation(activation, name=f"{name}_act")(x) if activation else x


def dropout(x: keras.KerasTensor, rate: float, *, name: str) -> keras.KerasTensor:
    """Drop elements while training, by a random state of its own.

    Without a seed Keras on torch draws from torch's global generator, which no resume point holds.
    """
    return layers.Dropout(rate, seed=random.randrange(2**31), name=name)(x)


@registered
class ZeroChannels(layers.Layer):
    """Take every `stride`-th pixel and fill up with channels of zeros.

    Shape: `(N, H, W, C)` -> `(N, ceil(H / stride), ceil(W / stride), filters)`, filters >= C.

    Args:
        filters: channels of the output.
        stride: pixels between those taken.
    """

    def __init__(self, filters: int, stride: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.stride = filters, stride

    def call(self, x):
        more = self.filters - x.shape[-1]
        return ops.pad(x[:, :: self.stride, :: self.stride], ((0, 0), (0, 0), (0, 0), (0, more)))

    def compute_output_shape(self, input_shape):
        batch, *sides, _ = input_shape
        return batch, *(side and -(-side // self.stride) for side in sides), self.filters

    def get_config(self):
        return super().get_config() | {"filters": self.filters, "stride": self.stride}


@registered
class Materialised(layers.Layer):
    """Pass a map on, computed once (`kerazoo.backend.materialised`).

    Shape: any -> the same.
    """

    def call(self, x):
        return backend.materialised(x)

    def compute_output_shape(self, input_shape):
        return input_shape
