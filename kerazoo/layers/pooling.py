"""Pooling of maps `(N, H, W, C)`, computed as `kerazoo.layers.operations` does."""

from typing import Any

from keras import layers

from kerazoo.layers import operations
from kerazoo.layers.registered import registered


@registered
class MaxPooling2D(layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` of channels-last maps.

    Shape: `(N, H, W, C)` -> `(N, h, w, C)`.
    """

    def call(self, inputs):
        return operations.max_pool(inputs, self.pool_size, self.strides, self.padding)


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
        size, stride = (self.size, self.size), (self.stride, self.stride)
        return operations.max_pool(x, size, stride, self.size // 2)

    def compute_output_shape(self, input_shape):
        batch, *sides, channels = input_shape
        return batch, *(side and -(-side // self.stride) for side in sides), channels

    def get_config(self):
        return super().get_config() | {"size": self.size, "stride": self.stride}
