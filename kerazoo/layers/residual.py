"""The residual unit in the five orderings of He et al. 2016 (arXiv:1603.05027), figure 4."""

from typing import Literal

import keras
from keras import layers

from kerazoo.layers import BATCH_NORM_EPSILON, ZeroChannels, norm_act, pad_conv
from kerazoo.ordering import ORDERINGS, Ordering

EXPANSION = 4
"""A bottleneck puts out this many times its inner width."""


def residual_unit(
    x: keras.KerasTensor,
    filters: int,
    *,
    name: str,
    bottleneck: bool = False,
    stride: int = 1,
    dilation: int = 1,
    first_dilation: int | None = None,
    ordering: Ordering = "original",
    stride_on: Literal["3x3", "1x1"] = "3x3",
    shortcut: Literal["projection", "zeros"] = "projection",
    first: bool = False,
    bias: bool = False,
    epsilon: float = BATCH_NORM_EPSILON,
) -> keras.KerasTensor:
    """Add a branch of convolutions to its input.

    With s the shortcut, and a bottleneck's convolution in the middle left out:

        original                 relu(s(x) + bn2(conv2(relu(bn1(conv1(x))))))
        bn_after_addition        relu(bn2(s(x) + conv2(relu(bn1(conv1(x))))))
        relu_before_addition     s(x) + relu(bn2(conv2(relu(bn1(conv1(x))))))
        relu_only_preactivation  s(x) + bn2(conv2(relu(bn1(conv1(relu(x))))))
        full_preactivation       s(x) + conv2(relu(bn2(conv1(relu(bn1(x))))))

    Where the shape changes, a pre-activation comes before the split: the shortcut reads it too.

    Layers: `{name}_conv1`, `{name}_conv1_bn`, ...; `{name}_shortcut`, `{name}_shortcut_bn`. A
    convolution's batch normalisation stands before it under full pre-activation, else after it.

    Shape: `(N, H, W, C)` -> `(N, ceil(H / stride), ceil(W / stride), filters)`, 4 * filters from a
        bottleneck.

    Args:
        filters: the inner width.
        bottleneck: 1x1, 3x3 and 1x1 convolutions instead of two 3x3.
        stride: of the unit.
        dilation: of the 3x3 convolutions.
        first_dilation: of the 3x3 convolutions as far as the one that may have a stride; None is
            `dilation`. Where a dilation replaces a stride it is the one from before: the unit then gives,
            at every second row and column, what it gave with the stride, as under torchvision's
            `replace_stride_with_dilation`.
        stride_on: which convolution of a bottleneck has it, the 3x3 or the first 1x1.
        shortcut: where the shape changes, a 1x1 convolution, followed by batch normalisation
            where the branch's last convolution is; or every stride-th pixel and zeros for the
            new channels (option A of He et al. 2015).
        first: the first unit of a network: its pre-activation comes before the split in any case.
        bias: of the convolutions.
        epsilon: of the batch normalisations.

    Raises:
        ValueError: an unknown ordering.
    """
    if ordering not in ORDERINGS:
        raise ValueError(f"unknown ordering {ordering!r}, there are {', '.join(ORDERINGS)}")
    full = ordering == "full_preactivation"
    kernels = (1, 3, 1) if bottleneck else (3, 3)
    widths = (filters, filters, EXPANSION * filters) if bottleneck else (filters, filters)
    strided = 2 if bottleneck and stride_on == "3x3" else 1
    before = dilation if first_dilation is None else first_dilation

    y = x
    if full:
        y = norm_act(x, name=f"{name}_conv1", epsilon=epsilon)
    elif ordering == "relu_only_preactivation":
        y = layers.Activation("relu", name=f"{name}_preact")(x)
    changes = stride > 1 or x.shape[-1] != widths[-1]
    skip = y if changes or first else x
    if changes and shortcut == "zeros":
        skip = ZeroChannels(widths[-1], stride, name=f"{name}_shortcut")(skip)
    elif changes:
        skip = pad_conv(skip, widths[-1], 1, name=f"{name}_shortcut", stride=stride, bias=bias)
        if ordering not in ("bn_after_addition", "full_preactivation"):
            skip = norm_act(skip, name=f"{name}_shortcut", activation=None, epsilon=epsilon)

    for step, (kernel, width) in enumerate(zip(kernels, widths, strict=True), 1):
        y = pad_conv(
            y,
            width,
            kernel,
            name=f"{name}_conv{step}",
            stride=stride if step == strided else 1,
            dilation=1 if kernel == 1 else before if step <= strided else dilation,
            bias=bias,
        )
        if step < len(kernels):
            y = norm_act(y, name=f"{name}_conv{step + 1 if full else step}", epsilon=epsilon)
    return _added(y, skip, ordering, name, last=f"{name}_conv{len(kernels)}", epsilon=epsilon)


def _added(
    y: keras.KerasTensor, skip: keras.KerasTensor, ordering: Ordering, name: str, last: str, epsilon: float
) -> keras.KerasTensor:
    """Join branch and shortcut, with what an ordering puts around the addition."""
    add = layers.Add(name=f"{name}_add")
    if ordering == "full_preactivation":
        return add([skip, y])
    if ordering == "bn_after_addition":
        return norm_act(add([skip, y]), name=last, epsilon=epsilon)
    inner = "relu" if ordering == "relu_before_addition" else None
    y = add([skip, norm_act(y, name=last, activation=inner, epsilon=epsilon)])
    return layers.Activation("relu", name=f"{name}_out")(y) if ordering == "original" else y
