"""The operations on JAX, as matrix products where XLA's convolutions are slow on a CPU.

The gradients of strided, transposed, depthwise and 1x1 convolutions are convolutions with holes, or of few
channels, which XLA computes many times slower than the same product.
"""

import jax
from jax import lax
from jax import numpy as jnp
from keras.ops import convert_to_tensor

from kerazoo.layers.operations import general
from kerazoo.layers.operations.general import Padding, Pair, Tensor

SMALL = 2**10
"""Pixels of the largest map on which a 3x3 convolution of stride 2 is differentiated as products: MAML and
Reptile train ten times faster so, and CycleGAN, whose maps are larger, does not."""


def convolution(
    x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    """See `general.convolution`."""
    height, width, inputs, filters = kernel.shape
    if inputs != x.shape[-1]:  # groups
        return general.convolution(x, kernel, bias, strides, padding, dilation)
    if (height, width) == (1, 1):
        x = x[:, :: strides[0], :: strides[1]]
        y = x.reshape(-1, inputs) @ convert_to_tensor(kernel, x.dtype)[0, 0]  # (N H W, filters)
        y = y.reshape(*x.shape[:-1], filters)
    elif (
        (height, width, *strides) == (3, 3, 2, 2) and padding == "valid" and x.shape[1] * x.shape[2] <= SMALL
    ):
        y = _halved(x, convert_to_tensor(kernel, x.dtype))
    else:
        return general.convolution(x, kernel, bias, strides, padding, dilation)
    return y if bias is None else y + convert_to_tensor(bias)


def depthwise_convolution(
    x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair, padding: Padding, dilation: Pair
) -> Tensor:
    """See `general.depthwise_convolution`: the sum over the kernel's places of what each adds."""
    kernel = convert_to_tensor(kernel, x.dtype)
    sides = kernel.shape[:2]
    reach = [step * (side - 1) + 1 for side, step in zip(sides, dilation, strict=True)]
    if padding == "same":
        pads = lax.padtype_to_pads(x.shape[1:3], reach, strides, "SAME")
        x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, columns = (
        slice(None, size - far + 1, step)
        for size, far, step in zip(x.shape[1:3], reach, strides, strict=True)
    )

    def shifted(i: int, j: int) -> Tensor:
        part = x[:, i * dilation[0] :, j * dilation[1] :][:, rows, columns]
        return part[..., None] * kernel[i, j]  # (N, h, w, C, multiplier)

    y = sum(shifted(i, j) for i in range(sides[0]) for j in range(sides[1]))
    y = y.reshape(*y.shape[:3], -1)
    return y if bias is None else y + convert_to_tensor(bias)


@jax.custom_vjp
def _halved(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolve with a 3x3 kernel at stride 2, without padding."""
    return lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _halved_and_saved(x: Tensor, kernel: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    return _halved(x, kernel), (x, kernel)


def _slopes(saved: tuple[Tensor, Tensor], slope: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients by the map, `slope` convolved the other way round, and by the kernel.

    That of its place (i, j) is the product, summed over pixels, x[n, 2 h + i, 2 w + j, :] slope[n, h, w, :].
    """
    x, kernel = saved
    rows, columns, filters = slope.shape[1:]
    spread = _woven(_taps(slope, kernel))  # (N, 2 h + 1, 2 w + 1, C), less than x where its side is even
    lacking = [(0, side - got) for side, got in zip(x.shape, spread.shape, strict=True)]
    parts = [x[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2] for i in range(3) for j in range(3)]
    products = [part.reshape(-1, x.shape[-1]).T @ slope.reshape(-1, filters) for part in parts]
    return jnp.pad(spread, lacking), jnp.stack(products).reshape(kernel.shape)


_halved.defvjp(_halved_and_saved, _slopes)


def max_pool(x: Tensor, size: Pair, strides: Pair, padding: Padding | int) -> Tensor:
    """See `general.max_pool`. XLA's gradient looks for each maximum again, one window after the other."""
    if (*size, *strides, padding) != (2, 2, 2, 2, "valid"):
        return general.max_pool(x, size, strides, padding)
    rows, columns = (side // 2 * 2 for side in x.shape[1:3])
    whole = x[:, :rows, :columns]
    upper, lower = (_larger(whole[:, i::2, ::2], whole[:, i::2, 1::2]) for i in range(2))
    return _larger(upper, lower)


def _larger(x: Tensor, y: Tensor) -> Tensor:
    """Return the maximum, whose gradient is that of the first where both are equal."""
    return jnp.where((y > x) | jnp.isnan(y), y, x)


def transposed_convolution(x: Tensor, kernel: Tensor, bias: Tensor | None, strides: Pair) -> Tensor:
    """See `general.transposed_convolution`."""
    sides = tuple(kernel.shape[:2])
    if sides == tuple(strides):
        y = _tiled(_taps(x, kernel))
    elif sides in ((3, 3), (4, 4)) and tuple(strides) == (2, 2):
        y = _woven(_taps(x, kernel))
    else:
        return general.transposed_convolution(x, kernel, bias, strides)
    return y if bias is None else y + convert_to_tensor(bias)


def _taps(x: Tensor, kernel: Tensor) -> Tensor:
    """Return what every pixel adds at every place of the kernel: `(N, H, W, h, w, filters)`."""
    height, width, filters, inputs = kernel.shape
    y = x.reshape(-1, inputs) @ convert_to_tensor(kernel, x.dtype).reshape(-1, inputs).T
    return y.reshape(*x.shape[:-1], height, width, filters)


def _tiled(taps: Tensor) -> Tensor:
    """Lay the places of a kernel beside each other, as wide as its stride: `(N, H h, W w, filters)`."""
    n, rows, columns, height, width, filters = taps.shape
    return taps.transpose(0, 1, 3, 2, 4, 5).reshape(n, rows * height, columns * width, filters)


def _woven(taps: Tensor) -> Tensor:
    """Add up the places of a 3x3 or 4x4 kernel of stride 2: `(N, 2 H + h - 2, 2 W + w - 2, filters)`."""
    rows, columns, height, width = taps.shape[1:5]
    down = [_woven_along([taps[:, :, :, i, j] for i in range(height)], axis=1) for j in range(width)]
    return _woven_along(down, axis=2)[:, : 2 * rows + height - 2, : 2 * columns + width - 2]


def _woven_along(parts: list[Tensor], *, axis: int) -> Tensor:
    """Return a map twice as long along an axis, and two longer.

    Pixel 2 i is parts[0][i] + parts[2][i - 1], and pixel 2 i + 1 the same of parts 1 and, if there is one, 3.
    """

    def beyond(x, before, after):
        return jnp.pad(x, [(before, after) if i == axis else (0, 0) for i in range(x.ndim)])

    even, odd = (sum(beyond(x, i, 1 - i) for i, x in enumerate(parts[start::2])) for start in (0, 1))
    both = jnp.stack([even, odd], axis + 1)
    shape = list(even.shape)
    shape[axis] *= 2
    return both.reshape(shape)
