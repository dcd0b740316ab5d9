"""Convolutions of maps `(N, H, W, C)`: Keras' own layers, computed as `kerazoo.layers.operations` does.

They carry Keras' names, as weights are saved under them.
"""

from typing import Any

from keras import layers

from kerazoo.layers import operations
from kerazoo.layers.registered import registered


@registered
class Conv2D(layers.Conv2D):
    """`keras.layers.Conv2D` of channels-last maps.

    Shape: `(N, H, W, C)` -> `(N, h, w, filters)`.
    """

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        operations.keep_kernel(self.kernel)

    def call(self, inputs):
        bias = self.bias if self.use_bias else None
        y = operations.convolution(inputs, self.kernel, bias, self.strides, self.padding, self.dilation_rate)
        return self.activation(y) if self.activation is not None else y


@registered
class DepthwiseConv2D(layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` of channels-last maps.

    Shape: `(N, H, W, C)` -> `(N, h, w, C * depth_multiplier)`.
    """

    def call(self, inputs):
        bias = self.bias if self.use_bias else None
        y = operations.depthwise_convolution(
            inputs, self.kernel, bias, self.strides, self.padding, self.dilation_rate
        )
        return self.activation(y) if self.activation is not None else y


@registered
class Conv2DTranspose(layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` of channels-last maps, without padding and no smaller than its stride.

    Shape: `(N, H, W, C)` -> `(N, (H - 1) * stride + size, (W - 1) * stride + size, filters)`.

    Raises:
        ValueError: other padding than "valid", or a kernel smaller than its stride.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.padding != "valid" or self.output_padding is not None:
            raise ValueError("a transposed convolution knows no padding but 'valid'; crop what it returns")
        if any(size < stride for size, stride in zip(self.kernel_size, self.strides, strict=True)):
            raise ValueError(f"a kernel of {self.kernel_size} leaves holes at stride {self.strides}")

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        operations.keep_kernel(self.kernel)

    def call(self, inputs):
        bias = self.bias if self.use_bias else None
        y = operations.transposed_convolution(inputs, self.kernel, bias, self.strides)
        return self.activation(y) if self.activation is not None else y
