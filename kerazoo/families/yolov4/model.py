"""The networks of YOLOv4 (Bochkovskiy, Wang and Liao 2020, arXiv:2004.10934), as their cfg files state them.

Layers are made in the order of the cfg files, which is that of the arrays in darknet's weights.
"""

from typing import Literal

import keras
import numpy as np
from keras import layers

from kerazoo.families.yolov4.configuration import PER_HEAD, STRIDE, units
from kerazoo.families.yolov4.dropblock import DropBlock
from kerazoo.layers import (
    Conv2D,
    MaxPooling2D,
    MirrorPad,
    Normal,
    PadMaxPool,
    Upsample,
    conv_norm_act,
)
from kerazoo.layers.registered import registered

SLOPE = 0.1
"""Of LeakyReLU below 0."""

POOLS = (13, 9, 5)
"""Windows of spatial pyramid pooling, in the order in which their maps are joined."""

PRIOR_LOGIT = -4.6
"""First logit of objectness: a probability of 0.01, as RetinaNet begins (arXiv:1708.02002, section 4.1).

Nearly all of the cells are empty. With the logit 0, at which darknet begins, the loss is about them for long.
"""


@registered
class Prior(keras.initializers.Initializer):
    """Start the biases of a head: `PRIOR_LOGIT` for objectness, 0 for the rest."""

    def __call__(self, shape, dtype=None):
        first = np.zeros((PER_HEAD, shape[0] // PER_HEAD), "float32")
        first[:, 4] = PRIOR_LOGIT
        return keras.ops.convert_to_tensor(first.ravel(), dtype)


def yolov4(
    *, classes: int = 80, width: int = 32, depth: float = 1.0, channels: int = 3, dropblock: float = 0.0
) -> keras.Model:
    """Return YOLOv4: CSPDarknet53, spatial pyramid pooling, a path aggregation network, three heads.

    64,363,101 parameters for 80 classes. Mish in the trunk, LeakyReLU of slope 0.1 beyond it.

    Shape: float32 `(N, H, W, channels)` -> `{"stride8": (N, H' / 8, W' / 8, 3 (5 + classes)),
        "stride16": ..., "stride32": ...}`, float32: for each anchor of the head x, y, width, height,
        objectness and the classes, all as logits. Any H and W: the image is mirrored at the right and
        bottom to multiples of 32, H' and W'.

    Args:
        classes: number of classes.
        width: channels of the stem; those of all layers are in proportion. 32 is the published one.
        depth: factor on the residual units of the stages, one of which stays at least.
        channels: of the image.
        dropblock: share of the maps before the heads that is dropped while training; the released cfg has 0.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.yolov4(classes=3, width=4, depth=0.1)
        >>> network.compute_output_shape((1, 64, 96, 3))["stride8"]
        (1, 8, 12, 24)
    """
    image = keras.Input((None, None, channels), name="image")
    *_, c3, c4, c5 = _csp_darknet(MirrorPad(STRIDE, name="mirror")(image), width, depth)
    wide = _pyramid_pooling(c5, 16 * width)
    # From coarse to fine, then back (Liu et al. 2018, arXiv:1803.01534).
    middle = _joined_up(wide, c4, 8 * width, name="up16")
    fine = _joined_up(middle, c3, 4 * width, name="up8")
    outputs = {"stride8": _head(fine, 8 * width, classes, dropblock, name="stride8")}
    middle = _joined_down(fine, middle, 8 * width, name="down16")
    outputs["stride16"] = _head(middle, 16 * width, classes, dropblock, name="stride16")
    wide = _joined_down(middle, wide, 16 * width, name="down32")
    outputs["stride32"] = _head(wide, 32 * width, classes, dropblock, name="stride32")
    return keras.Model(image, outputs, name="yolov4")


def yolov4_tiny(
    *, classes: int = 80, width: int = 32, channels: int = 3, dropblock: float = 0.0
) -> keras.Model:
    """Return YOLOv4-tiny: three blocks that pass half of their channels by, and two heads.

    6,056,606 parameters for 80 classes. LeakyReLU of slope 0.1.

    Shape: float32 `(N, H, W, channels)` -> `{"stride16": (N, H' / 16, W' / 16, 3 (5 + classes)),
        "stride32": ...}`, as those of `yolov4`.

    Args:
        classes: number of classes.
        width: channels of the stem; those of all layers are in proportion. 32 is the published one.
        channels: of the image.
        dropblock: see `yolov4`.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.yolov4_tiny(classes=3, width=4)
        >>> network.compute_output_shape((1, 64, 96, 3))["stride32"]
        (1, 2, 3, 24)
    """
    image = keras.Input((None, None, channels), name="image")
    x = MirrorPad(STRIDE, name="mirror")(image)
    x = _conv(x, width, 3, name="stem", stride=2)
    x = _conv(x, 2 * width, 3, name="down", stride=2)
    for block in (1, 2, 3):
        x, half = _half_passed_by(x, 2**block * width, name=f"block{block}")
        x = MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = _conv(x, 16 * width, 3, name="neck_conv1")  # (N, H / 32, W / 32, 512)
    wide = _conv(x, 8 * width, 1, name="neck_conv2")
    outputs = {"stride32": _head(wide, 16 * width, classes, dropblock, name="stride32")}
    up = _enlarged(wide, 4 * width, name="up16")
    x = layers.Concatenate(name="up16_join")([up, half])
    outputs["stride16"] = _head(x, 8 * width, classes, dropblock, name="stride16")
    return keras.Model(image, {name: outputs[name] for name in sorted(outputs)}, name="yolov4_tiny")


def csp_darknet_features(*, width: int = 32, depth: float = 1.0, channels: int = 3) -> keras.Model:
    """Return CSPDarknet53 without a head: its maps at five resolutions, by the names of `yolov4`'s layers.

    Darknet53 (Redmon and Farhadi 2018) whose stages pass half of the channels by (Wang et al. 2019,
    arXiv:1911.11929).

    Shape: `(N, H, W, channels)` -> `{"c1": (N, ceil(H / 2), ceil(W / 2), 2 width), "c2": ...}` down to c5 at
        1 / 32 with 32 width channels. Any height and width.

    Args:
        width, depth, channels: see `yolov4`.

    Example:
        >>> import kerazoo
        >>> trunk = kerazoo.models.csp_darknet_features(width=4, depth=0.1)
        >>> trunk.compute_output_shape((1, 64, 96, 3))["c5"]
        (1, 2, 3, 128)
    """
    image = keras.Input((None, None, channels), name="image")
    maps = {f"c{stage}": x for stage, x in enumerate(_csp_darknet(image, width, depth), 1)}
    return keras.Model(image, maps, name="csp_darknet_features")


def _conv(
    x: keras.KerasTensor,
    filters: int,
    kernel: int,
    *,
    name: str,
    stride: int = 1,
    activation: Literal["leaky", "mish"] = "leaky",
) -> keras.KerasTensor:
    """Convolve, normalise and activate: layers `{name}`, `{name}_bn` and `{name}_act`."""
    x = conv_norm_act(x, filters, kernel, name=name, stride=stride, activation=None)
    if activation == "mish":
        return layers.Activation("mish", name=f"{name}_act")(x)
    return layers.LeakyReLU(SLOPE, name=f"{name}_act")(x)


def _csp_darknet(x: keras.KerasTensor, width: int, depth: float) -> list[keras.KerasTensor]:
    """Return the maps of the five stages, from `(N, H / 2, W / 2, 2 width)` on."""

    def conv(x: keras.KerasTensor, filters: int, kernel: int, name: str) -> keras.KerasTensor:
        stride = 2 if name.endswith("_down") else 1
        return _conv(x, filters, kernel, name=name, stride=stride, activation="mish")

    x, maps = conv(x, width, 3, "stem"), []
    for stage, count in enumerate(units(depth), 1):
        name, filters = f"stage{stage}", width * 2**stage
        # The first stage does not halve its channels.
        half, inner = (filters, filters // 2) if stage == 1 else (filters // 2, filters // 2)
        x = conv(x, filters, 3, f"{name}_down")
        bypass = conv(x, half, 1, f"{name}_bypass")
        x = conv(x, half, 1, f"{name}_main")
        for unit in range(1, count + 1):
            y = conv(x, inner, 1, f"{name}_unit{unit}_conv1")
            y = conv(y, half, 3, f"{name}_unit{unit}_conv2")
            x = layers.Add(name=f"{name}_unit{unit}_out")([x, y])
        x = conv(x, half, 1, f"{name}_post")
        x = conv(layers.Concatenate(name=f"{name}_join")([x, bypass]), filters, 1, f"{name}_out")
        maps.append(x)
    return maps


def _pyramid_pooling(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """Join a map with its maxima over larger and larger windows (He et al. 2014, arXiv:1406.4729)."""
    for step, kernel in enumerate((1, 3, 1), 1):
        x = _conv(x, filters * (2 if kernel == 3 else 1), kernel, name=f"spp_conv{step}")
    pooled = [PadMaxPool(size, 1, name=f"spp_pool{size}")(x) for size in POOLS]
    x = layers.Concatenate(name="spp_join")([*pooled, x])  # (N, h, w, 4 filters)
    for step, kernel in enumerate((1, 3, 1), 4):
        x = _conv(x, filters * (2 if kernel == 3 else 1), kernel, name=f"spp_conv{step}")
    return x


def _enlarged(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    return Upsample(2, "nearest", name=f"{name}_enlarged")(_conv(x, filters, 1, name=f"{name}_reduce"))


def _joined_up(x: keras.KerasTensor, finer: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    up = _enlarged(x, filters, name)
    lateral = _conv(finer, filters, 1, name=f"{name}_lateral")
    return _five(layers.Concatenate(name=f"{name}_join")([lateral, up]), filters, name)


def _joined_down(
    x: keras.KerasTensor, coarser: keras.KerasTensor, filters: int, name: str
) -> keras.KerasTensor:
    down = _conv(x, filters, 3, name=f"{name}_reduce", stride=2)
    return _five(layers.Concatenate(name=f"{name}_join")([down, coarser]), filters, name)


def _five(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    for step, kernel in enumerate((1, 3, 1, 3, 1), 1):
        x = _conv(x, filters * (2 if kernel == 3 else 1), kernel, name=f"{name}_conv{step}")
    return x


def _half_passed_by(
    x: keras.KerasTensor, filters: int, name: str
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return a block's map of twice `filters`, and that of its last convolution."""
    x = _conv(x, filters, 3, name=f"{name}_conv1")
    # groups=2, group_id=1: the second half of the channels.
    y = _conv(keras.ops.split(x, 2, axis=-1)[1], filters // 2, 3, name=f"{name}_conv2")
    z = _conv(y, filters // 2, 3, name=f"{name}_conv3")
    z = _conv(layers.Concatenate(name=f"{name}_inner")([z, y]), filters, 1, name=f"{name}_out")
    return layers.Concatenate(name=f"{name}_join")([x, z]), z


def _head(x: keras.KerasTensor, filters: int, classes: int, dropblock: float, name: str) -> keras.KerasTensor:
    """Return raw predictions, `(N, h, w, 3 (5 + classes))`, float32 whatever the precision of the network."""
    if dropblock:
        x = DropBlock(dropblock, name=f"{name}_dropblock")(x)
    x = _conv(x, filters, 3, name=f"{name}_conv")
    return Conv2D(
        PER_HEAD * (5 + classes),
        1,
        kernel_initializer=Normal(0.01),
        bias_initializer=Prior(),
        dtype="float32",
        name=name,
    )(x)
