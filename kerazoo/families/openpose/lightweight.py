"""Lightweight OpenPose (Osokin 2018, arXiv:1811.12004) on MobileNet (Howard et al. 2017)."""

import keras
from keras import layers

from kerazoo.families.openpose.heads import heads, scaled
from kerazoo.layers import conv_norm_act, norm_act, pad_conv, pad_depthwise

MOBILENET = (
    ("conv2_1", 64, 1, 1),
    ("conv2_2", 128, 2, 1),
    ("conv3_1", 128, 1, 1),
    ("conv3_2", 256, 2, 1),
    ("conv4_1", 256, 1, 1),
    ("conv4_2", 512, 1, 1),
    ("conv5_1", 512, 1, 2),
    *((f"conv5_{step}", 512, 1, 1) for step in (2, 3, 4, 5)),
)
"""Separable convolutions after the first: name, channels, stride, dilation. conv4_2 keeps stride 8."""

MIXES = 3
"""Separable convolutions that the features are mixed by."""

BLOCKS = 5
"""Residual blocks of a refinement."""


def lightweight_openpose(
    *, points: int = 18, limbs: int = 19, stages: int = 2, width: float = 1.0, channels: int = 3
) -> keras.Model:
    """Return the network of Osokin 2018: heat maps and fields at stride 8, one trunk per stage for both.

    4,091,698 parameters for COCO-18 with one refinement (`stages=2`), 7,308,964 with three.

    Starts from Gaussians by the fan-in (`HeNormal`), since nothing was published but an ImageNet
    classifier's weights for the first layers, and near zero at the outputs.

    Shape: `(N, H, W, channels)`, any H and W -> `{"stage1_heatmaps": (N, h, w, points + 1),
        "stage1_fields": (N, h, w, 2 * limbs), "stage2_heatmaps": ...}`, float32, h = ceil(H / 8) and
        w = ceil(W / 8). The last heat map is the background's; channels 2c and 2c + 1 of the fields are
        x and y of limb c.

    Args:
        points: key points, without the background.
        limbs: pairs of points that have a field.
        stages: predictions one after the other: the first and its refinements.
        width: factor on the channels of every layer.
        channels: of the image. The published network takes BGR, (x - 128) / 256.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.lightweight_openpose(stages=2, width=0.0625)
        >>> maps = network.compute_output_shape((1, 61, 47, 3))
        >>> maps["stage2_heatmaps"], maps["stage2_fields"]
        ((1, 8, 6, 19), (1, 8, 6, 38))
    """
    image = keras.Input((None, None, channels), name="image")
    features = _features(_mobilenet(image, width), scaled(128, width))
    x = features
    for step in (1, 2, 3):
        x = pad_conv(x, features.shape[-1], activation="relu", name=f"stage1_conv{step}")
    outputs = last = heads(x, scaled(512, width), points, limbs, "stage1")
    for stage in range(2, stages + 1):
        x = layers.Concatenate(name=f"stage{stage}_concat")([features, *last.values()])
        for block in range(1, BLOCKS + 1):
            x = _refined(x, features.shape[-1], name=f"stage{stage}_block{block}")
        last = heads(x, scaled(128, width), points, limbs, f"stage{stage}")
        outputs = outputs | last
    return keras.Model(image, outputs, name="lightweight_openpose")


def _mobilenet(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    """MobileNet to conv5_5, whose last two strides are left out and one is made good by dilation."""
    x = conv_norm_act(x, scaled(32, width), stride=2, name="conv1")
    for name, filters, stride, dilation in MOBILENET:
        x = pad_depthwise(x, stride=stride, dilation=dilation, name=f"{name}_depthwise")
        x = norm_act(x, name=f"{name}_depthwise")
        x = conv_norm_act(x, scaled(filters, width), 1, name=name)
    return x


def _features(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """What every stage sees: the trunk's maps, narrowed and mixed over a wider field of view."""
    x = narrow = pad_conv(x, filters, 1, activation="relu", name="features_align")
    for step in range(1, MIXES + 1):
        name = f"features_mix{step}"
        x = pad_depthwise(x, name=f"{name}_depthwise")
        x = layers.Activation("elu", name=f"{name}_depthwise_act")(x)
        x = pad_conv(x, filters, 1, bias=False, activation="elu", name=name)
    x = layers.Add(name="features_add")([narrow, x])
    return pad_conv(x, filters, activation="relu", name="features")


def _refined(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = narrow = pad_conv(x, filters, 1, activation="relu", name=f"{name}_conv1")
    for step, dilation in ((2, 1), (3, 2)):
        x = pad_conv(x, filters, dilation=dilation, name=f"{name}_conv{step}")
        x = norm_act(x, name=f"{name}_conv{step}")
    return layers.Add(name=f"{name}_add")([narrow, x])
