"""The heads of HRNet (Wang et al. 2019, arXiv:1908.07919), figure 4 and appendix A.

Each takes the branches of `kerazoo.families.hrnet.body.body`, highest resolution first.
"""

import keras
from keras import layers

from kerazoo.layers import Conv2D, HeNormal, Normal, ResizeLike, Upsample, conv_norm_act, pad_conv
from kerazoo.layers.residual import residual_unit

Tensors = list[keras.KerasTensor]


def heatmap(branches: Tensors, points: int, std: float | None = None) -> dict[str, keras.KerasTensor]:
    """V1: heatmaps from the highest resolution alone; `{"heatmaps": (N, H/4, W/4, points)}`."""
    return {"heatmaps": _linear(branches[0], points, "heatmaps", std)}


def segmentation(
    branches: Tensors, classes: int, align_corners: bool, bias: bool, std: float | None = None
) -> dict[str, keras.KerasTensor]:
    """V2: all resolutions, enlarged bilinearly and mixed; `{"logits": (N, H/4, W/4, classes)}`."""
    highest, *lower = branches
    enlarged = [
        ResizeLike(align_corners, name=f"head_up{b}")([branch, highest]) for b, branch in enumerate(lower, 1)
    ]
    x = layers.Concatenate(name="head_concat")([highest, *enlarged])  # (N, H/4, W/4, 15 * width)
    x = conv_norm_act(x, x.shape[-1], 1, bias=bias, name="head_conv")
    return {"logits": _linear(x, classes, "logits", std)}


def pyramid(branches: Tensors, channels: int) -> dict[str, keras.KerasTensor]:
    """V2p: a pyramid for detection (HRFPN), averaged down from the highest resolution.

    Shape: `{"level0": (N, H/4, W/4, channels), ..., "level4": (N, H/64, W/64, channels)}`, rounded down.
    """
    enlarged = [Upsample(2**b, name=f"neck_up{b}")(branch) for b, branch in enumerate(branches[1:], 1)]
    x = layers.Concatenate(name="neck_concat")([branches[0], *enlarged])  # (N, H/4, W/4, 15 * width)
    x = pad_conv(x, channels, 1, name="neck_reduction")
    pooled = [x, *(layers.AveragePooling2D(2**i, name=f"neck_pool{i}")(x) for i in range(1, 5))]
    return {f"level{i}": pad_conv(x, channels, name=f"level{i}") for i, x in enumerate(pooled)}


def classification(branches: Tensors, classes: int, width: int, bias: bool) -> dict[str, keras.KerasTensor]:
    """C: every branch widened, then added from the highest resolution down; `{"logits": (N, classes)}`."""
    widened = [
        residual_unit(branch, width * 2**b, bottleneck=True, name=f"widen{b}_unit0")
        for b, branch in enumerate(branches)
    ]
    x = widened[0]  # (N, H/4, W/4, 4 * width), of the head's width
    for b, lower in enumerate(widened[1:]):  # twice the channels at half the resolution
        x = conv_norm_act(x, lower.shape[-1], stride=2, bias=bias, name=f"down{b}")
        x = layers.Add(name=f"down{b}_add")([lower, x])
    x = conv_norm_act(x, 2 * x.shape[-1], 1, bias=bias, name="final")  # (N, H/32, W/32, 64 * width)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return {"logits": layers.Dense(classes, kernel_initializer=HeNormal(), dtype="float32", name="logits")(x)}


def _linear(x: keras.KerasTensor, channels: int, name: str, std: float | None) -> keras.KerasTensor:
    first = HeNormal() if std is None else Normal(std)
    return Conv2D(channels, 1, kernel_initializer=first, dtype="float32", name=name)(x)
