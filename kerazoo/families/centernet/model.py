"""The networks of CenterNet (Zhou, Wang and Kraehenbuehl 2019, arXiv:1904.07850): objects as points."""

from typing import get_args

import keras
from keras import initializers, layers

from kerazoo.families.centernet.backbone import Backbone, stride
from kerazoo.families.centernet.dla import dla
from kerazoo.families.centernet.hourglass import hourglass
from kerazoo.families.resnet.model import resnet_features
from kerazoo.layers import (
    Bilinear,
    Conv2D,
    Conv2DTranspose,
    DeformableConv2D,
    HeNormal,
    MirrorPad,
    Normal,
    norm_act,
    pad_conv,
)

PRIOR_LOGIT = -2.19
"""First logit of the heat map: a probability of 0.1, as RetinaNet begins (arXiv:1708.02002, section 4.1)."""


def centernet(
    *,
    classes: int = 80,
    backbone: Backbone = "resnet18",
    width: int = 64,
    head_filters: int | None = None,
    channels: int = 3,
) -> keras.Model:
    """Return a CenterNet: where objects are at a quarter of the resolution, how large, and where in the cell.

    | backbone | parameters, 80 classes | published as |
    |---|---|---|
    | resnet18, resnet50, resnet101 | 15,820,372, 34,443,348, 53,435,476 | res_18, res_50, res_101 |
    | resnet18_dcn, resnet101_dcn | 14,437,349, 49,673,189 | resdcn_18, resdcn_101 |
    | dla34 | 17,919,748 | dlav0_34 |
    | dla34_dcn | 19,634,164 | dla_34 |
    | hourglass104 | 191,284,008 | hourglass |

    `_dcn` is with deformable convolutions, as most published weights are. Of dla34's published 18,474,476
    parameters, 554,728 are ImageNet's classifier and two convolutions whose outputs nothing reads.

    Shape: float32 `(N, H, W, channels)` -> `{"heatmap": (N, h, w, classes), "size": (N, h, w, 2), "offset":
        (N, h, w, 2)}`, float32. The heat map is of logits. `size` is width and height of the object whose
        middle is in the cell, `offset` x and y of the middle less those of the cell, both in cells.
        The hourglass's first stack is an output, too: `"stack1_heatmap"`, `"stack1_size"`,
        `"stack1_offset"`, of the same shapes; the loss reads it, prediction does not.
        Any H and W: the image is mirrored at the right and bottom to what 32, of the hourglass 128,
        divides, and the output is that of the mirrored image: h = H' / 4, w = W' / 4.

    Args:
        classes: maps of the heat map.
        backbone: what computes the features; of ResNets with three transposed convolutions on it.
        width: channels of the ResNet's stem or of DLA's map at a quarter of the resolution; those of all
            layers are in proportion. 64 is the published one; 16 makes a resnet18 of 1.0 million
            parameters. 4 divides it.
        head_filters: inner channels of the heads; None is as published, `width` for ResNets, else 4 * width.
        channels: of the image. The published networks take BGR.

    Raises:
        ValueError: an unknown backbone, or a width that 4 does not divide.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.centernet(classes=3, backbone="resnet18", width=4)
        >>> maps = network.compute_output_shape((1, 64, 96, 3))
        >>> maps["heatmap"], maps["size"], maps["offset"]
        ((1, 16, 24, 3), (1, 16, 24, 2), (1, 16, 24, 2))
    """
    if backbone not in get_args(Backbone):
        raise ValueError(f"unknown backbone {backbone!r}, there are {', '.join(get_args(Backbone))}")
    if width % 4:
        raise ValueError(f"width is {width}, which 4 does not divide")
    image = keras.Input((None, None, channels), name="image")
    x = MirrorPad(stride(backbone), name="mirror")(image)
    deformable = backbone.endswith("_dcn")
    if backbone == "hourglass104":
        features = hourglass(x, width)
    elif backbone.startswith("dla34"):
        features = [dla(x, width, deformable)]
    else:
        depth = int(backbone.removeprefix("resnet").removesuffix("_dcn"))
        maps = resnet_features(depth=depth, channels=channels, width=width).call(x)
        features = [_enlarged(maps["c5"], width, deformable)]
    filters = head_filters or (width if backbone.startswith("resnet") else 4 * width)
    outputs: dict[str, keras.KerasTensor] = {}
    for stack, x in enumerate(features, 1):
        outputs |= _heads(x, classes, filters, f"stack{stack}_" if stack < len(features) else "")
    return keras.Model(image, outputs, name="centernet")


def _enlarged(x: keras.KerasTensor, width: int, deformable: bool) -> keras.KerasTensor:
    """Bring a map from 1/32 to 1/4 of the resolution (section 5, and Xiao et al. 2018, arXiv:1804.06208)."""
    for step in (1, 2, 3):
        filters = 4 * width
        if deformable:
            filters = 8 * width // 2**step
            x = DeformableConv2D(filters, name=f"up{step}_conv")(x)
            x = norm_act(x, name=f"up{step}_conv")
        # PyTorch's ConvTranspose2d(4, stride=2, padding=1): twice the size.
        x = Conv2DTranspose(
            filters,
            4,
            strides=2,
            use_bias=False,
            kernel_initializer=Bilinear() if deformable else Normal(0.001),
            name=f"up{step}",
        )(x)
        x = layers.Cropping2D(1, name=f"up{step}_crop")(x)
        x = norm_act(x, name=f"up{step}")
    return x


def _heads(x: keras.KerasTensor, classes: int, filters: int, prefix: str) -> dict[str, keras.KerasTensor]:
    """Return `{"PREFIXheatmap": ..., "PREFIXsize": ..., "PREFIXoffset": ...}`."""
    maps = {}
    for head, channels in {"heatmap": classes, "size": 2, "offset": 2}.items():
        name = f"{prefix}{head}"
        y = pad_conv(x, filters, activation="relu", name=f"{name}_conv")
        first = initializers.Constant(PRIOR_LOGIT if head == "heatmap" else 0.0)
        # What PyTorch begins with has a deviation of sqrt(1 / (3 fan-in)); sizes and offsets begin near 0.
        start = HeNormal(gain=6**-0.5) if head == "heatmap" else Normal(0.001)
        last = Conv2D(
            channels, 1, kernel_initializer=start, bias_initializer=first, dtype="float32", name=name
        )
        maps[name] = last(y)
    return maps
