"""FCN-32s, 16s and 8s (Long, Shelhamer and Darrell 2015, arXiv:1411.4038), figure 3, on VGG16.

As released: 100 zeros around the image let any size through, and fixed offsets cut the maps
back into register.
"""

from typing import Literal

import keras
from keras import layers

from kerazoo.layers import (
    Bilinear,
    BilinearConv2DTranspose,
    Conv2D,
    Conv2DTranspose,
    CropLike,
    HeNormal,
    MaxPooling2D,
)
from kerazoo.layers import dropout as drop

VGG16 = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions per level
SKIPS = ((16, "upscore2", "pool4", 5), (8, "upscore_pool4", "pool3", 9))  # stride, upscore, skip, offset
OFFSET = {32: 19, 16: 27, 8: 31}  # of the image in the last upsampled map


def fcn(
    *,
    channels: int = 3,
    classes: int = 21,
    stride: Literal[8, 16, 32] = 8,
    width: float = 1.0,
    fusion: Literal["add", "concat"] = "add",
    upsampling: Literal["fixed", "learned"] = "fixed",
    dropout: float = 0.5,
) -> keras.Model:
    """Return the fully convolutional network.

    Shape: `(N, H, W, channels)` -> `{"logits": (N, H, W, classes)}`, any height and width.

    Args:
        channels: of the image.
        classes: number of logits.
        stride: of the finest score map: 32, 16 or 8.
        width: factor on every channel count of VGG16.
        fusion: score maps are added (the paper), or (a variant) concatenated and mixed by a
            1x1 convolution.
        upsampling: bilinear and fixed, not stored (as released), or learned from a bilinear start.
        dropout: after fc6 and fc7.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.fcn(classes=3, stride=8, width=0.0625)
        >>> network.compute_output_shape((1, 61, 47, 3))
        {'logits': (1, 61, 47, 3)}
    """
    image = keras.Input((None, None, channels), name="image")
    pools = _vgg16(image, width)
    x = _conv(pools["pool5"], 4096 * width, 7, "fc6", padding="valid")
    x = drop(x, dropout, name="drop6")
    x = _conv(x, 4096 * width, 1, "fc7")
    x = drop(x, dropout, name="drop7")

    score = _score(x, classes, "score_fr")
    for at, upscore, pool, offset in SKIPS:
        if stride <= at:
            score = _upscore(score, classes, 2, upsampling, upscore)
            skip = _score(pools[pool], classes, f"score_{pool}")
            skip = CropLike(offset, dtype="float32", name=f"crop_{pool}")([skip, score])
            score = _fuse(score, skip, classes, fusion, f"fuse_{pool}")
    score = _upscore(score, classes, stride, upsampling, f"upscore{stride}")
    logits = CropLike(OFFSET[stride], dtype="float32", name="logits")([score, image])
    return keras.Model(image, {"logits": logits}, name=f"fcn{stride}s")


def _vgg16(x: keras.KerasTensor, width: float) -> dict[str, keras.KerasTensor]:
    """Return the five pooled maps of VGG16's convolutions."""
    pools = {}
    for level, (filters, convolutions) in enumerate(VGG16, 1):
        for step in range(1, convolutions + 1):
            if level == step == 1:
                x = layers.ZeroPadding2D(100, name="pad100")(x)
            padding = "valid" if level == step == 1 else "same"
            x = _conv(x, filters * width, 3, f"conv{level}_{step}", padding=padding)
        # "same" keeps the last odd row and column: Caffe's rounding up.
        x = pools[f"pool{level}"] = MaxPooling2D(2, padding="same", name=f"pool{level}")(x)
    return pools


def _conv(
    x: keras.KerasTensor, filters: float, kernel: int, name: str, padding: str = "same"
) -> keras.KerasTensor:
    return Conv2D(
        max(1, round(filters)),
        kernel,
        padding=padding,
        activation="relu",
        kernel_initializer=HeNormal(),
        name=name,
    )(x)


def _score(x: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
    """Class scores that start at zero (section 4.2); in float32, since they are summed."""
    return Conv2D(classes, 1, kernel_initializer="zeros", dtype="float32", name=name)(x)


def _upscore(
    x: keras.KerasTensor, classes: int, factor: int, upsampling: str, name: str
) -> keras.KerasTensor:
    if upsampling == "fixed":
        return BilinearConv2DTranspose(factor, dtype="float32", name=name)(x)
    return Conv2DTranspose(
        classes,
        2 * factor,
        strides=factor,
        use_bias=False,
        kernel_initializer=Bilinear(),
        dtype="float32",
        name=name,
    )(x)


def _fuse(
    score: keras.KerasTensor, skip: keras.KerasTensor, classes: int, fusion: str, name: str
) -> keras.KerasTensor:
    if fusion == "add":
        return layers.Add(dtype="float32", name=name)([score, skip])
    both = layers.Concatenate(dtype="float32", name=f"{name}_concat")([score, skip])
    return Conv2D(classes, 1, kernel_initializer=HeNormal(), dtype="float32", name=name)(both)
