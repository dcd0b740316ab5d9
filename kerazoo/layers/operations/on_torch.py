"""The operations on PyTorch, without the copies that Keras 3.15 makes around each of them.

A map `(N, H, W, C)` that is permuted to `(N, C, H, W)` is what PyTorch calls channels-last; Keras copies it
to the other order, and PyTorch copies it back. After 3.15, Keras drops the first copy of a convolution
(keras #23199).
"""

from typing import Any

import torch
from keras.ops import convert_to_tensor
from torch.nn import functional

from kerazoo.layers.operations import general
from kerazoo.layers.operations.general import Padding, Pair, Tensor


def convolution(
    x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    """See `general.convolution`."""
    x, strides = general.taken(x, kernel, strides)
    kernel = convert_to_tensor(kernel).permute(3, 2, 0, 1)  # (filters, C / groups, h, w)
    return _convolved(x, kernel, bias, strides, padding, dilation)


def depthwise_convolution(
    x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    """See `general.depthwise_convolution`."""
    kernel = convert_to_tensor(kernel).permute(2, 3, 0, 1)  # (C, multiplier, h, w)
    return _convolved(x, kernel.reshape(-1, 1, *kernel.shape[2:]), bias, strides, padding, dilation)


def _convolved(
    x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    x = _channels_first(x)
    groups = x.shape[1] // kernel.shape[1]
    x, margin = _padded(x, kernel.shape[2:], strides, dilation) if padding == "same" else (x, (0, 0))
    y = functional.conv2d(x, kernel, _bias(bias), strides, margin, dilation, groups)
    return _channels_last(y)


def transposed_convolution(x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair) -> Tensor:
    """See `general.transposed_convolution`."""
    kernel = convert_to_tensor(kernel).permute(3, 2, 0, 1)  # (C, filters, h, w)
    return _channels_last(functional.conv_transpose2d(_channels_first(x), kernel, _bias(bias), strides))


def batch_norm(
    x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise `(N, ..., C)` by its own statistics.

    Returns:
        What is normalised, in the dtype of `x`; float32 mean and variance `(C,)`.
    """
    single = _widened(x).contiguous()  # of a map that was cropped the derivative takes ten times as long
    y, mean, variance = _BatchNorm.apply(single.movedim(-1, 1), _bias(gamma), _bias(beta), epsilon)
    return y.movedim(1, -1).to(x.dtype), mean, variance


class _BatchNorm(torch.autograd.Function):
    """PyTorch's batch normalisation with statistics that are exact to float32 rounding.

    On a CPU its own add the values of a channels-last map up one after the other: of 95 images of 28 x 28
    the variance is off by 1.4e-5. Here they are added up column by column.
    """

    @staticmethod
    def forward(ctx, x, gamma, beta, epsilon):
        if x.device.type == "cpu":
            mean, variance = _statistics(x)
            inverse = torch.rsqrt(variance + epsilon)
            y = functional.batch_norm(x, mean, variance, gamma, beta, False, 0.0, epsilon)
        else:
            y, mean, inverse = torch.native_batch_norm(x, gamma, beta, None, None, True, 0.0, epsilon)
            variance = (inverse.pow(-2) - epsilon).clamp(min=0)
        ctx.save_for_backward(x, gamma, mean, inverse)
        ctx.epsilon = epsilon
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx, slope, *_):
        x, gamma, mean, inverse = ctx.saved_tensors
        slopes = torch.ops.aten.native_batch_norm_backward(
            slope, x, gamma, None, None, mean, inverse, True, ctx.epsilon, list(ctx.needs_input_grad[:3])
        )
        return *slopes, None


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance `(C,)` of `(N, C, ...)`: of each column of pixels, then of all columns."""
    pixels = x.movedim(1, -1)  # (N, ..., W, C), as they lie in memory
    columns = pixels.shape[-2] if pixels.ndim > 2 else 1
    rows = pixels.reshape(-1, columns * x.shape[1])  # (N H, W C)
    means, variances = (
        statistic.view(columns, -1) for statistic in torch.batch_norm_update_stats(rows, None, None, 0.0)
    )
    mean = means.mean(0)
    return mean, (variances + (means - mean).square()).mean(0)


def normalised(
    x: Tensor, mean: Tensor, variance: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float
) -> Tensor:
    """Normalise `(N, ..., C)` by given statistics `(C,)`."""
    single = _widened(x)
    mean, variance = convert_to_tensor(mean), convert_to_tensor(variance)
    y = functional.batch_norm(
        single.movedim(-1, 1), mean, variance, _bias(gamma), _bias(beta), False, 0.0, epsilon
    )
    return y.movedim(1, -1).to(x.dtype)


def instance_norm(x: Tensor, gamma: Tensor | None, beta: Tensor | None, epsilon: float) -> Tensor:
    """See `general.instance_norm`."""
    images = [batch_norm(image, gamma, beta, epsilon)[0] for image in x.split(1)]
    return images[0] if len(images) == 1 else torch.cat(images)


def max_pool(x: Tensor, size: Pair, strides: Pair, padding: Padding | int) -> Tensor:
    """See `general.max_pool`."""
    if padding == "same":
        return general.max_pool(x, size, strides, padding)
    margin = padding if isinstance(padding, int) else 0
    return _channels_last(functional.max_pool2d(_channels_first(x), size, strides, margin))


def reflect_pad(x: Tensor, margin: int) -> Tensor:
    """See `general.reflect_pad`."""
    return _channels_last(functional.pad(_channels_first(x), (margin,) * 4, mode="reflect"))


def keep_kernel(variable: Any) -> None:
    """Lay out a kernel `(h, w, I, O)` in memory as `(O, h, w, I)`: channels-last to PyTorch."""
    value = variable.value
    ordered = value.data.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    value.data = ordered.permute(2, 3, 1, 0)


def _widened(x: Tensor) -> Tensor:
    """Return half precision as float32 on a CPU; a GPU's kernels take it beside float32 parameters."""
    return x.float() if x.device.type == "cpu" and x.dtype.itemsize < 4 else x


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _bias(variable: Tensor | None) -> Tensor | None:
    return None if variable is None else convert_to_tensor(variable)


def _padded(x: Tensor, kernel: Pair, strides: Pair, dilation: Pair) -> tuple[Tensor, Pair]:
    """Return a map and the margin with which its convolution keeps ceil(side / stride) pixels.

    PyTorch pads both sides alike; where "same" wants one more at the bottom and right, the map is padded.
    """
    total = []
    for side, size, stride, step in zip(x.shape[2:], kernel, strides, dilation, strict=True):
        reach = step * (size - 1) + 1
        total.append(max(0, (-(-side // stride) - 1) * stride + reach - side))
    if not any(pad % 2 for pad in total):
        return x, (total[0] // 2, total[1] // 2)
    rows, columns = ((pad // 2, pad - pad // 2) for pad in total)
    return functional.pad(x, (*columns, *rows)), (0, 0)
