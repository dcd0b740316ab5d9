"""Residual networks (He et al. 2015, arXiv:1512.03385; 2016, arXiv:1603.05027).

What "ResNet-50" means differs from publisher to publisher:

| weights of | arguments |
|---|---|
| torchvision, timm resnet | the defaults ("v1.5") |
| the paper, Caffe, detectron2's R-50 | `stride_on="1x1"` |
| keras.applications ResNet50/101/152 | `stride_on="1x1", bias=True, epsilon=1.001e-5` |
| timm resnetv2 | `ordering="full_preactivation"` |

keras.applications ResNet50V2/101V2/152V2 are another network and not built here: the last unit of
a stage has the stride, its shortcut subsamples, some convolutions have a bias and others not,
and the first pooling sees zeros beyond the border of signed values.
"""

from typing import Literal

import keras
from keras import layers

from kerazoo.layers import BATCH_NORM_EPSILON, HeNormal, PadMaxPool, conv_norm_act, norm_act, pad_conv
from kerazoo.layers.residual import residual_unit
from kerazoo.ordering import Ordering

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Units per stage (He et al. 2015, table 1)."""


def resnet(
    *,
    depth: int = 50,
    channels: int = 3,
    classes: int = 1000,
    width: int = 64,
    ordering: Ordering = "original",
    stride_on: Literal["3x3", "1x1"] = "3x3",
    bias: bool = False,
    epsilon: float = BATCH_NORM_EPSILON,
) -> keras.Model:
    """Return the ResNet with a classifier.

    Shape: `(N, H, W, channels)` -> `{"logits": (N, classes)}`. Any height and width.

    Args:
        classes: number of logits.
        depth, channels, width, ordering, stride_on, bias, epsilon: see `resnet_features`.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.resnet(depth=18, classes=10, width=4)
        >>> network.compute_output_shape((1, 61, 47, 3))
        {'logits': (1, 10)}
    """
    features = resnet_features(
        depth=depth,
        channels=channels,
        width=width,
        ordering=ordering,
        stride_on=stride_on,
        bias=bias,
        epsilon=epsilon,
    )
    logits = _classifier(features.output["c5"], classes, gain=0.1)
    return keras.Model(features.input, {"logits": logits}, name=f"resnet{depth}")


def resnet_features(
    *,
    depth: int = 50,
    channels: int = 3,
    width: int = 64,
    ordering: Ordering = "original",
    stride_on: Literal["3x3", "1x1"] = "3x3",
    bias: bool = False,
    epsilon: float = BATCH_NORM_EPSILON,
    output_stride: Literal[8, 16, 32] = 32,
) -> keras.Model:
    """Return the ResNet without a classifier: its maps at five resolutions.

    c1 is the stem before pooling, c2 to c5 the outputs of the stages. Under full pre-activation
    c1 to c4 are sums that no batch normalisation and no ReLU has seen; c5 has seen the last ones.

    With an output stride of 16 or 8 the last one or two stages keep the resolution, and their convolutions
    are dilated instead, up to 2 or 4 times (Chen et al. 2017, arXiv:1706.05587, section 3.1). The weights are
    the same, and so are the maps at the rows and columns that the strides would have left.

    Shape: `(N, H, W, channels)` -> `{"c1": (N, ceil(H / 2), ceil(W / 2), width), "c2": ...}` down
        to c5 at 1 / output_stride; c2 to c5 have width, 2, 4 and 8 * width channels, from 50 layers on four
        times that. Any height and width.

    Args:
        depth: number of weighted layers, one of `BLOCKS`; from 50 on of bottlenecks.
        channels: of the image.
        width: channels of the stem.
        ordering: of the residual units (`kerazoo.layers.residual`).
        stride_on: the convolution of a bottleneck that has the stride.
        bias: of the convolutions.
        epsilon: of the batch normalisations.
        output_stride: pixels of the image per pixel of c5.

    Raises:
        ValueError: no such depth or output stride.

    Example:
        >>> import kerazoo
        >>> encoder = kerazoo.models.resnet_features(depth=18, width=4)
        >>> maps = encoder.compute_output_shape((1, 64, 96, 3))
        >>> maps["c1"], maps["c5"]
        ((1, 32, 48, 4), (1, 2, 3, 32))
    """
    if output_stride not in (8, 16, 32):
        raise ValueError(f"output_stride is {output_stride}, not 8, 16 or 32")
    if depth not in BLOCKS:
        raise ValueError(f"depth is {depth}, not one of {', '.join(map(str, BLOCKS))}")
    image = keras.Input((None, None, channels), name="image")
    maps = {"c1": _stem(image, width, 7, 2, ordering, bias, epsilon)}
    x = PadMaxPool(3, 2, name="pool")(maps["c1"])  # (N, H / 4, W / 4, width)
    for stage, units in enumerate(BLOCKS[depth], 1):
        # With all strides a stage ends at 1 / 2^(stage + 1); what exceeds the output stride becomes dilation.
        before, dilation = (max(2**k // output_stride, 1) for k in (stage, stage + 1))
        for unit in range(1, units + 1):
            x = residual_unit(
                x,
                width * 2 ** (stage - 1),
                name=f"stage{stage}_unit{unit}",
                bottleneck=depth >= 50,
                stride=2 if unit == 1 and stage > 1 and dilation == 1 else 1,
                dilation=dilation,
                first_dilation=before if unit == 1 else dilation,
                ordering=ordering,
                stride_on=stride_on,
                bias=bias,
                epsilon=epsilon,
            )
        maps[f"c{stage + 1}"] = x
    maps["c5"] = _end(x, ordering, epsilon)
    return keras.Model(image, maps, name=f"resnet{depth}_features")


CIFAR_BOTTLENECKS = (164, 1001)
"""Depths 9 n + 2 of bottlenecks; the others, 6 n + 2, are of pairs of 3x3 convolutions."""


def resnet_cifar(
    *,
    depth: int = 20,
    channels: int = 3,
    classes: int = 10,
    width: int = 16,
    ordering: Ordering = "original",
) -> keras.Model:
    """Return the ResNet for small images (He et al. 2015, section 4.2; 2016, section 5).

    Pairs of 3x3 convolutions have shortcuts without parameters (option A), bottlenecks
    projections.

    Shape: `(N, H, W, channels)` -> `{"logits": (N, classes)}`. Any height and width; 32 x 32 in
        the papers.

    Args:
        depth: 20, 32, 44, 56 or 110 and any other 6 n + 2; or 164 or 1001, of bottlenecks.
        channels: of the image.
        classes: number of logits.
        width: inner channels of the first of three stages.
        ordering: of the residual units (`kerazoo.layers.residual`).

    Raises:
        ValueError: no such depth.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.resnet_cifar(depth=8, classes=10, width=4)
        >>> network.compute_output_shape((1, 32, 32, 3))
        {'logits': (1, 10)}
    """
    bottleneck = depth in CIFAR_BOTTLENECKS
    units, rest = divmod(depth - 2, 9 if bottleneck else 6)
    if rest or units < 1:
        raise ValueError(f"depth is {depth}, not 6 n + 2, {' or '.join(map(str, CIFAR_BOTTLENECKS))}")
    image = keras.Input((None, None, channels), name="image")
    x = _stem(image, width, 3, 1, ordering, False, BATCH_NORM_EPSILON)
    for stage in (1, 2, 3):
        for unit in range(1, units + 1):
            x = residual_unit(
                x,
                width * 2 ** (stage - 1),
                name=f"stage{stage}_unit{unit}",
                bottleneck=bottleneck,
                stride=2 if unit == 1 and stage > 1 else 1,
                ordering=ordering,
                shortcut="projection" if bottleneck else "zeros",
                first=stage == unit == 1,
            )
    x = _end(x, ordering, BATCH_NORM_EPSILON)
    return keras.Model(image, {"logits": _classifier(x, classes, gain=1.0)}, name=f"resnet{depth}_cifar")


def _stem(
    image: keras.KerasTensor, width: int, kernel: int, stride: int, ordering: str, bias: bool, epsilon: float
) -> keras.KerasTensor:
    """The first convolution; under full pre-activation the first unit begins with its BN and ReLU."""
    if ordering == "full_preactivation":
        return pad_conv(image, width, kernel, name="stem", stride=stride, bias=bias)
    return conv_norm_act(image, width, kernel, name="stem", stride=stride, bias=bias, epsilon=epsilon)


def _end(x: keras.KerasTensor, ordering: str, epsilon: float) -> keras.KerasTensor:
    """What the last unit of a pre-activated network lacks (He et al. 2016, appendix)."""
    if ordering == "full_preactivation":
        return norm_act(x, name="end", epsilon=epsilon)
    return layers.Activation("relu", name="end_act")(x) if ordering == "relu_only_preactivation" else x


def _classifier(x: keras.KerasTensor, classes: int, gain: float) -> keras.KerasTensor:
    """Average and classify.

    In its first epoch on ten classes ResNet-50 had a loss of 3.4 with gain 1 and of 2.5 with 0.1, while
    ResNet-20 learned at half the speed with 0.1.
    """
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return layers.Dense(classes, kernel_initializer=HeNormal(gain=gain), dtype="float32", name="head")(x)
