"""The operations in Keras' own terms: right on every backend, and what the faster forms are tested by."""

from typing import Any, Literal

from keras import ops

Tensor = Any
"""Of the running backend; kernels and biases may be variables, too."""
Pair = tuple[int, int]
Padding = Literal["valid", "same"]
NARROW = 16
"""Channels below which oneDNN's gradient of a strided 1x1 convolution is not to be trusted (`taken`)."""


def convolution(
    x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    """Convolve maps; `kernel` is `(h, w, C / groups, filters)`."""
    x, strides = taken(x, kernel, strides)
    y = ops.conv(x, kernel, list(strides), padding, "channels_last", dilation)
    return y if bias is None else y + ops.convert_to_tensor(bias)


def taken(x: Tensor, kernel: Tensor, strides: Pair) -> tuple[Tensor, Pair]:
    """Return the pixels that a strided 1x1 convolution of few channels reads, and a stride of one.

    In the gradient of such a convolution oneDNN writes beyond its memory where maps have less than 16
    channels and 64 columns or more, and the process dies: "double free or corruption" (PyTorch 2.13 and
    TensorFlow 2.21 on an Intel Xeon). Where there are more channels the gradient would take twice as long so.
    """
    if tuple(kernel.shape[:2]) != (1, 1) or x.shape[-1] >= NARROW:
        return x, strides
    return x[:, :: strides[0], :: strides[1]], (1, 1)


def depthwise_convolution(
    x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    """Convolve every channel by itself; `kernel` is `(h, w, C, multiplier)`."""
    y = ops.depthwise_conv(x, kernel, strides, padding, "channels_last", dilation)
    return y if bias is None else y + ops.convert_to_tensor(bias)


def transposed_convolution(x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair) -> Tensor:
    """Convolve the other way round, without padding; `kernel` is `(h, w, filters, C)`.

    Shape: `(N, H, W, C)` -> `(N, (H - 1) * stride + h, (W - 1) * stride + w, filters)`, h and w >= stride.
    """
    y = ops.conv_transpose(x, kernel, list(strides), "valid", None, "channels_last")
    return y if bias is None else y + ops.convert_to_tensor(bias)


def instance_norm(x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float) -> Tensor:
    """Return gamma (x - mean) / sqrt(variance + epsilon) + beta, all float32, by image and channel."""
    centred = x - ops.mean(x, (1, 2), keepdims=True)
    variance = ops.mean(ops.square(centred), (1, 2), keepdims=True)  # (N, 1, 1, C)
    scale = ops.rsqrt(variance + epsilon)
    if gamma is None:
        return centred * scale
    return centred * (gamma * scale) + beta


def max_pool(x: Tensor, size: Pair, strides: Pair, padding: Padding | int) -> Tensor:
    """Return the maximum of windows; an int pads all four sides with what never wins."""
    if isinstance(padding, int):
        border = (padding, padding)
        x = ops.pad(x, ((0, 0), border, border, (0, 0)), constant_values=float("-inf"))
        padding = "valid"
    return ops.max_pool(x, size, strides, padding, "channels_last")


def reflect_pad(x: Tensor, margin: int) -> Tensor:
    """Mirror maps beyond their borders, the edge itself not repeated."""
    border = (margin, margin)
    return ops.pad(x, ((0, 0), border, border, (0, 0)), mode="reflect")


def keep_kernel(variable: Any) -> None:
    """Lay out a kernel in memory as the backend reads it; its shape and values stay."""
