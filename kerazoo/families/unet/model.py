"""U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597), figure 1."""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from kerazoo.families.unet.geometry import valid_margin
from kerazoo.layers import CropLike, HeNormal, MirrorPad, Upsample, norm_act
from kerazoo.layers import dropout as drop


def unet(
    *,
    channels: int = 3,
    classes: int = 1,
    filters: Sequence[int] = (64, 128, 256, 512, 1024),
    padding: Literal["same", "valid"] = "same",
    norm: bool = False,
    up: Literal["transposed", "bilinear"] = "transposed",
    dropout: float = 0.5,
) -> keras.Model:
    """Return the U-Net.

    Like the published Caffe network: a ReLU after every up-convolution, and the upsampled map
    before the skip when they are concatenated. Unlike it the last up-convolution has as many
    channels as its skip, as in the paper's figure.

    Shape: `(N, H, W, channels)` -> `{"logits": (N, H, W, classes)}`. With valid padding `(N,
        H - 2 m, W - 2 m, classes)`, m = `geometry.valid_margin`; H and W are what
        `geometry.valid_size` returns (572 -> 388).

    Args:
        channels: of the image.
        classes: number of logits.
        filters: channels per level, from full resolution down.
        padding: "valid" as in the paper, or "same": any size, mirrored to what pools evenly.
        norm: batch normalisation; the convolutions then have no bias.
        up: 2x2 transposed convolution, or bilinear resizing and a 1x1 convolution. Next to valid
            padding the latter knows nothing beyond its map, so tiles differ at their borders.
        dropout: at the end of the contracting path (section 3.1): after the two deepest levels.
    """
    deepest = len(filters) - 1
    image = keras.Input((None, None, channels), name="image")
    x = image if padding == "valid" else MirrorPad(2**deepest, name="mirror")(image)

    skips = []
    for level, width in enumerate(filters):
        if level > 0:
            x = layers.MaxPooling2D(2, name=f"pool{level}")(x)
        x = _pair(x, width, padding, norm, name=f"down{level + 1}")
        if level >= deepest - 1 and dropout:
            x = drop(x, dropout, name=f"dropout{level + 1}")
        skips.append(x)

    for level in reversed(range(deepest)):
        skip = skips[level]
        if padding == "valid":
            lost = valid_margin(len(filters) - level) - 4
            skip = layers.Cropping2D(lost, name=f"crop{level + 1}")(skip)
        x = _up(x, filters[level], up, name=f"up{level + 1}")
        x = layers.Concatenate(name=f"concat{level + 1}")([x, skip])
        x = _pair(x, filters[level], padding, norm, name=f"merge{level + 1}")

    logits = layers.Conv2D(classes, 1, kernel_initializer=HeNormal(), dtype="float32", name="head")(x)
    if padding == "same":
        logits = CropLike(dtype="float32", name="logits")([logits, image])
    return keras.Model(image, {"logits": logits}, name="unet")


def _pair(x: keras.KerasTensor, filters: int, padding: str, norm: bool, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions."""
    for step in (1, 2):
        x = layers.Conv2D(
            filters,
            3,
            padding=padding,
            use_bias=not norm,
            activation=None if norm else "relu",
            kernel_initializer=HeNormal(),
            name=f"{name}_conv{step}",
        )(x)
        if norm:
            x = norm_act(x, name=f"{name}_conv{step}")
    return x


def _up(x: keras.KerasTensor, filters: int, up: str, name: str) -> keras.KerasTensor:
    """Double height and width, and bring the channels to `filters`."""
    options = {"activation": "relu", "kernel_initializer": HeNormal(), "name": f"{name}_conv"}
    if up == "transposed":
        return layers.Conv2DTranspose(filters, 2, strides=2, **options)(x)
    return layers.Conv2D(filters, 1, **options)(Upsample(2, name=name)(x))
