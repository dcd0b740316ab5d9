"""Part affinity fields on a residual trunk (He et al. 2015) of plain convolutions, all of them normalised.

Not a published network. It is made to learn from nothing, also on a CPU, where depthwise convolutions are
slow and where those that are not normalised hardly begin to move from the answer "nobody".
"""

import keras
from keras import layers

from kerazoo.families.openpose.heads import heads, scaled
from kerazoo.layers import CropLike, Upsample, conv_norm_act
from kerazoo.layers.residual import residual_unit

STEM = (32, 64)
"""Channels at strides 2 and 4."""

LEVELS = (128, 256, 256)
"""Channels at strides 8, 16 and 32: those of ResNet-18, but no more at the last, where few cells are left."""

UNITS = 2
"""Residual units of a level, and of a stage."""


def residual_openpose(
    *, points: int = 18, limbs: int = 19, stages: int = 1, width: float = 1.0, channels: int = 3
) -> keras.Model:
    """Return a network whose features at stride 8 are the sum of those at 8, 16 and 32, and its stages.

    5,810,265 parameters for COCO-18. All convolutions but the last are normalised by batch.

    Shape: `(N, H, W, channels)`, any H and W -> `{"stage1_heatmaps": (N, h, w, points + 1),
        "stage1_fields": (N, h, w, 2 * limbs), "stage2_heatmaps": ...}`, float32, h = ceil(H / 8) and
        w = ceil(W / 8). The last heat map is the background's; channels 2c and 2c + 1 of the fields are
        x and y of limb c.

    Args:
        points: key points, without the background.
        limbs: pairs of points that have a field.
        stages: predictions one after the other. The trunk sees far by itself, so one is often enough.
        width: factor on the channels of every layer.
        channels: of the image.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.residual_openpose(width=0.0625)
        >>> maps = network.compute_output_shape((1, 61, 47, 3))
        >>> maps["stage1_heatmaps"], maps["stage1_fields"]
        ((1, 8, 6, 19), (1, 8, 6, 38))
    """
    image = keras.Input((None, None, channels), name="image")
    features = _trunk(image, width)
    filters = features.shape[-1]
    outputs: dict[str, keras.KerasTensor] = {}
    last: dict[str, keras.KerasTensor] = {}
    for stage in range(1, stages + 1):
        x = features
        if last:
            x = layers.Concatenate(name=f"stage{stage}_concat")([features, *last.values()])
            x = conv_norm_act(x, filters, 1, name=f"stage{stage}_align")
        for unit in range(1, UNITS + 1):
            x = residual_unit(x, filters, name=f"stage{stage}_unit{unit}")
        last = heads(x, 2 * filters, points, limbs, f"stage{stage}", norm=True)
        outputs |= last
    return keras.Model(image, outputs, name="residual_openpose")


def _trunk(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    """Features at stride 8, `(N, ceil(H / 8), ceil(W / 8), C)`, that see the whole person."""
    for step, filters in enumerate(STEM, 1):
        x = conv_norm_act(x, scaled(filters, width), stride=2, name=f"stem_conv{step}")
    levels = []
    for level, filters in enumerate(LEVELS, 3):
        for unit in range(1, UNITS + 1):
            stride = 2 if unit == 1 else 1
            x = residual_unit(x, scaled(filters, width), stride=stride, name=f"level{level}_unit{unit}")
        levels.append(x)
    finest, *coarser = levels
    terms = [finest]
    for level, x in enumerate(coarser, 4):
        x = conv_norm_act(x, finest.shape[-1], 1, activation=None, name=f"level{level}_narrow")
        # by a whole factor: to the finest map's own size, cells would slip where that was rounded up
        x = Upsample(2 ** (level - 3), name=f"level{level}_up")(x)
        terms.append(CropLike(name=f"level{level}_crop")([x, finest]))
    x = layers.Add(name="features_add")(terms)
    return layers.Activation("relu", name="features")(x)
