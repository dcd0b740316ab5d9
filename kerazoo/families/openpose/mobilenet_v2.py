"""Part affinity fields on MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), as in tf-pose-estimation."""

import math

import keras
from keras import layers

from kerazoo.families.openpose.heads import channels_of, scaled
from kerazoo.layers import (
    BATCH_NORM_MOMENTUM,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    HeNormal,
    InstanceNormalization,
    Normal,
    ResizeLike,
)

EPSILON = 1e-3
STEM = 32
BLOCKS = (
    (1, 16, 1), (6, 24, 2), (6, 24, 1), (6, 32, 2), (6, 32, 1), (6, 32, 1), (6, 64, 2), (6, 64, 1),
    (6, 64, 1), (6, 64, 1), (6, 96, 1), (6, 96, 1), (6, 96, 1),
)  # fmt: skip
"""Inverted residuals (table 2): factor on the input's channels inside, channels, stride."""

TAPS = (5, 12)
"""The blocks, counted from 0, whose outputs the stages see: at strides 8 and 16."""

START = 1e-3
"""Deviation of the kernels that put out maps. A normalisation without scale follows, whose epsilon takes over
where variances are below it: there maps can be as small as they should (published variances: 1e-6)."""

KERNELS = (3, 3, 3, 1, 1)
"""Of a branch's depthwise convolutions."""


def mobilenet_v2_openpose(
    *, points: int = 18, limbs: int = 19, stages: int = 6, width: float = 0.5, channels: int = 3
) -> keras.Model:
    """Return the network of tf-pose-estimation: two branches of separable convolutions per stage.

    The published "v2 small" has the defaults and 481,068 parameters. Its trunk normalises by the
    statistics of what it sees, here of each image by itself (`layers.InstanceNormalization`); the published
    graph averages over its batch, which is the same for one image. Its input is BGR, 0..255.

    Starts from Gaussians by the fan-in (`HeNormal`).

    Shape: `(N, H, W, channels)`, any H and W -> `{"stage1_heatmaps": (N, h, w, points + 1),
        "stage1_fields": (N, h, w, 2 * limbs), "stage2_heatmaps": ...}`, float32, h = ceil(H / 8) and
        w = ceil(W / 8). The last heat map is the background's; channels 2c and 2c + 1 of the fields are
        x and y of limb c.

    Args:
        points: key points, without the background.
        limbs: pairs of points that have a field.
        stages: predictions one after the other.
        width: factor on the channels of every layer.
        channels: of the image.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.mobilenet_v2_openpose(stages=2, width=0.25)
        >>> maps = network.compute_output_shape((1, 61, 47, 3))
        >>> maps["stage2_heatmaps"], maps["stage2_fields"]
        ((1, 8, 6, 19), (1, 8, 6, 38))
    """
    image = keras.Input((None, None, channels), name="image")
    features = _trunk(image, width)
    x = features
    outputs: dict[str, keras.KerasTensor] = {}
    for stage in range(1, stages + 1):
        hidden = [scaled(128, width)] * 3 + [scaled(512 if stage == 1 else 128, width)]
        last = {
            f"stage{stage}_{branch}": _branch(x, [*hidden, maps], name=f"stage{stage}_{branch}")
            for branch, maps in channels_of(points, limbs).items()
        }
        outputs |= last
        if stage < stages:
            heatmaps, fields = last.values()
            x = layers.Concatenate(name=f"stage{stage + 1}_concat")([fields, heatmaps, features])
    return keras.Model(image, outputs, name="mobilenet_v2_openpose")


def divisible(channels: float) -> int:
    """Return the multiple of 8 next to a number of channels, never less than 8 or 90 % of it."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


def _trunk(x: keras.KerasTensor, width: float) -> keras.KerasTensor:
    x = _image_normed(_conv(x, divisible(STEM * width), 3, 2, "conv"), "relu6", name="conv")
    taps = []
    for block, (factor, filters, stride) in enumerate(BLOCKS):
        x = _inverted(x, factor, divisible(filters * width), stride, name=f"block{block}")
        if block in TAPS:
            taps.append(x)
    fine, coarse = taps
    enlarged = ResizeLike(half_pixel=False, name="features_up")([coarse, fine])
    return layers.Concatenate(name="features")([fine, enlarged])


def _inverted(x: keras.KerasTensor, factor: int, filters: int, stride: int, name: str) -> keras.KerasTensor:
    """Widen, convolve every channel, narrow without activation; added to the input where shapes agree."""
    y = x
    if factor > 1:
        y = _image_normed(_conv(y, factor * x.shape[-1], 1, 1, f"{name}_expand"), "relu6", f"{name}_expand")
    y = _image_normed(_depthwise(y, 3, stride, f"{name}_depthwise"), "relu6", f"{name}_depthwise")
    y = _image_normed(_conv(y, filters, 1, 1, f"{name}_project"), None, f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, y]) if stride == 1 and filters == x.shape[-1] else y


def _branch(x: keras.KerasTensor, channels: list[int], name: str) -> keras.KerasTensor:
    """Separable convolutions, each normalised; the last is linear and in float32."""
    *hidden, maps = zip(KERNELS, channels, strict=True)
    for step, (kernel, filters) in enumerate(hidden, 1):
        x = _depthwise(x, kernel, 1, f"{name}_conv{step}_depthwise")
        x = _conv(x, filters, 1, 1, f"{name}_conv{step}")
        x = _normed(x, f"{name}_conv{step}")
        x = layers.Activation("relu", name=f"{name}_conv{step}_act")(x)
    x = _depthwise(x, maps[0], 1, f"{name}_depthwise")
    x = Conv2D(maps[1], 1, use_bias=False, kernel_initializer=Normal(START), dtype="float32", name=name)(x)
    return _normed(x, name, dtype="float32")


def _normed(x: keras.KerasTensor, name: str, dtype: str | None = None) -> keras.KerasTensor:
    return BatchNormalization(
        scale=False, epsilon=EPSILON, momentum=BATCH_NORM_MOMENTUM, dtype=dtype, name=f"{name}_bn"
    )(x)


# TensorFlow's "same": with a stride of 2, even sizes are padded at the bottom and right only.


def _conv(x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    return Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer=HeNormal(), name=name)(
        x
    )


def _depthwise(x: keras.KerasTensor, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    start = HeNormal(gain=math.sqrt(x.shape[-1] / 2))  # the fan-in is one channel's, and no ReLU follows
    return DepthwiseConv2D(kernel, stride, "same", use_bias=False, depthwise_initializer=start, name=name)(x)


def _image_normed(x: keras.KerasTensor, activation: str | None, name: str) -> keras.KerasTensor:
    x = InstanceNormalization(EPSILON, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_act")(x) if activation else x
