"""Part affinity fields (Cao et al. 2017, arXiv:1611.08050): all people's points and limbs, stage by stage.

Four networks that differ in trunk and stages and answer alike: the paper's on VGG19, two light ones, and one
to be trained from nothing.
"""

from typing import TYPE_CHECKING

import keras
from keras import layers

from kerazoo.families.openpose.heads import DEVIATION, channels_of, linear, scaled
from kerazoo.families.openpose.lightweight import lightweight_openpose
from kerazoo.families.openpose.mobilenet_v2 import mobilenet_v2_openpose
from kerazoo.families.openpose.residual import residual_openpose
from kerazoo.layers import Conv2D, MaxPooling2D, Normal, pad_conv

if TYPE_CHECKING:
    from kerazoo.families.openpose import OpenPose

__all__ = ["built", "lightweight_openpose", "mobilenet_v2_openpose", "openpose", "residual_openpose"]

VGG19 = ((64, 2), (128, 2), (256, 4), (512, 2))
"""Channels and convolutions per level, of the ten first; a pooling between levels."""


def built(family: "OpenPose") -> keras.Model:
    """Return the network that a family's settings describe."""
    builders = {
        "vgg19": openpose,
        "mobilenet": lightweight_openpose,
        "mobilenet_v2": mobilenet_v2_openpose,
        "residual": residual_openpose,
    }
    return builders[family.trunk](
        points=len(family.skeleton.points),
        limbs=len(family.skeleton.limbs),
        stages=family.stages,
        width=family.width,
        channels=family.channels,
    )


def openpose(
    *, points: int = 18, limbs: int = 19, stages: int = 6, width: float = 1.0, channels: int = 3
) -> keras.Model:
    """Return the network of the paper's figure 3: two branches per stage on ten convolutions of VGG19.

    52,311,446 parameters for COCO-18.

    The trunk starts from Gaussians by the fan-in (`HeNormal`), in place of the ImageNet classifier's
    weights that it was published with; all that follows as published, with deviation 0.01 and biases 0.
    Nothing is normalised, so narrow networks start from as much more as keeps the signal's size.

    Shape: `(N, H, W, channels)`, any H and W -> `{"stage1_heatmaps": (N, h, w, points + 1),
        "stage1_fields": (N, h, w, 2 * limbs), "stage2_heatmaps": ...}`, float32, h = ceil(H / 8) and
        w = ceil(W / 8). The last heat map is the background's; channels 2c and 2c + 1 of the fields are
        x and y of limb c.

    Args:
        points: key points, without the background.
        limbs: pairs of points that have a field.
        stages: predictions one after the other.
        width: factor on the channels of every layer.
        channels: of the image. The published network takes BGR, (x - 128) / 256.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.openpose(points=18, limbs=19, stages=2, width=0.0625)
        >>> maps = network.compute_output_shape((1, 61, 47, 3))
        >>> maps["stage2_heatmaps"], maps["stage2_fields"]
        ((1, 8, 6, 19), (1, 8, 6, 38))
    """
    image = keras.Input((None, None, channels), name="image")
    features = _conv(_vgg19(image, width), 256, 3, width, "conv4_3")
    features = _conv(features, 128, 3, width, "conv4_4")  # F of the paper: (N, h, w, 128)
    x = features
    outputs: dict[str, keras.KerasTensor] = {}
    for stage in range(1, stages + 1):
        # S^1, L^1 = rho^1(F), phi^1(F); then S^t, L^t = rho^t, phi^t of (F, S^(t-1), L^(t-1)) (eq. 1 and 2).
        hidden = [(3, 128)] * 3 + [(1, 512)] if stage == 1 else [(7, 128)] * 5 + [(1, 128)]
        last = {
            f"stage{stage}_{branch}": _branch(x, hidden, maps, width, f"stage{stage}_{branch}")
            for branch, maps in channels_of(points, limbs).items()
        }
        outputs |= last
        if stage < stages:
            heatmaps, fields = last.values()
            x = layers.Concatenate(name=f"stage{stage + 1}_concat")([fields, heatmaps, features])
    return keras.Model(image, outputs, name="openpose")


def _vgg19(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    for level, (filters, convolutions) in enumerate(VGG19, 1):
        for step in range(1, convolutions + 1):
            x = pad_conv(x, scaled(filters, width), activation="relu", name=f"conv{level}_{step}")
        if level < len(VGG19):  # "same" keeps the last odd row and column: Caffe's rounding up
            x = MaxPooling2D(2, padding="same", name=f"pool{level}")(x)
    return x


def _branch(
    x: keras.KerasTensor, hidden: list[tuple[int, int]], maps: int, width: float, name: str
) -> keras.KerasTensor:
    """Convolutions of (kernel, channels) each, then the output."""
    for step, (kernel, filters) in enumerate(hidden, 1):
        x = _conv(x, filters, kernel, width, f"{name}_conv{step}")
    return linear(x, maps, name=name)


def _conv(x: keras.KerasTensor, filters: int, kernel: int, width: float, name: str) -> keras.KerasTensor:
    return Conv2D(
        scaled(filters, width),
        kernel,
        padding="same",
        activation="relu",
        kernel_initializer=Normal(DEVIATION / width**0.5),
        name=name,
    )(x)
