"""U-Net (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597), figure 1."""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from kerazoo.families.unet.geometry import valid_margin
from kerazoo.layers import (
    Conv2D,
    Conv2DTranspose,
    CropLike,
    HeNormal,
    MaxPooling2D,
    MirrorPad,
    Upsample,
    norm_act,
)
from kerazoo.layers import dropout as drop


def unet(
    *,
    channels: int = 3,
    classes: int = 1,
    filters: Sequence[int] = (64, 128, 256, 512, 1024),
    padding: Literal["same", "valid"] = "same",
    norm: bool = False,
    up: Literal["transposed", "bilinear", "nearest"] = "transposed",
    dropout: float = 0.5,
    encoder: keras.Model | None = None,
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
        up: 2x2 transposed convolution, bilinear resizing and a 1x1 convolution, or nearest-neighbour
            resizing alone. Next to valid padding bilinear resizing knows nothing beyond its map, so
            tiles differ at their borders.
        dropout: at the end of the contracting path (section 3.1): after the two deepest levels, or
            after the deepest of an encoder.
        encoder: takes the place of the contracting path: the image -> `{"c1": the map at half the
            resolution, ..., "c5"}`. Then `filters` are the expanding path's alone, a level more than
            skips since the full resolution has none, and the head is 3x3, as
            segmentation_models_pytorch has it with norm=True and up="nearest".

    Raises:
        ValueError: an encoder and valid padding, or not as many filters as the encoder has levels.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.unet(classes=2, filters=(4, 8, 16))
        >>> network.compute_output_shape((1, 61, 47, 3))
        {'logits': (1, 61, 47, 2)}
    """
    if encoder is not None and (padding == "valid" or len(filters) != len(encoder.output)):
        raise ValueError(f"an encoder needs same padding and {len(encoder.output)} filters")
    image = keras.Input((None, None, channels), name="image")
    if encoder is None:
        x = _figure_1(image, filters, padding, norm, up, dropout)
    else:
        x = _on_encoder(image, encoder, filters, norm, up, dropout)
    kernel = 1 if encoder is None else 3
    head = Conv2D(
        classes, kernel, padding="same", kernel_initializer=HeNormal(), dtype="float32", name="head"
    )
    logits = head(x)
    if padding == "same":
        logits = CropLike(dtype="float32", name="logits")([logits, image])
    return keras.Model(image, {"logits": logits}, name="unet")


def _figure_1(
    image: keras.KerasTensor, filters: Sequence[int], padding: str, norm: bool, up: str, dropout: float
) -> keras.KerasTensor:
    """The paper's network: down the contracting path on the left of figure 1, up the expanding path."""
    deepest = len(filters) - 1
    x = image if padding == "valid" else MirrorPad(2**deepest, name="mirror")(image)

    # Contracting path: skips[level] is (N, H / 2^level, W / 2^level, filters[level]).
    skips = []
    for level, width in enumerate(filters):
        if level > 0:
            x = MaxPooling2D(2, name=f"pool{level}")(x)
        x = _pair(x, width, padding, norm, name=f"down{level + 1}")
        if level >= deepest - 1 and dropout:
            x = drop(x, dropout, name=f"dropout{level + 1}")
        skips.append(x)

    # Expanding path. Without padding a skip is larger than what comes from below, and is cropped.
    for level in reversed(range(deepest)):
        skip = skips[level]
        if padding == "valid":
            lost = valid_margin(len(filters) - level) - 4  # 4: what the two convolutions here lose
            skip = layers.Cropping2D(lost, name=f"crop{level + 1}")(skip)
        x = _up(x, filters[level], up, name=f"up{level + 1}")
        x = layers.Concatenate(name=f"concat{level + 1}")([x, skip])
        x = _pair(x, filters[level], padding, norm, name=f"merge{level + 1}")
    return x


def _on_encoder(
    image: keras.KerasTensor,
    encoder: keras.Model,
    filters: Sequence[int],
    norm: bool,
    up: str,
    dropout: float,
) -> keras.KerasTensor:
    """An encoder, and the expanding path up to the full resolution, which has no skip."""
    deepest = len(filters)
    x = MirrorPad(2**deepest, name="mirror")(image)

    # skips[level - 1] is the encoder's map c{level}: (N, H / 2^level, W / 2^level, ...).
    features = encoder.call(x)  # layer by layer, so that every one has its path in the network
    skips = [features[name] for name in sorted(features)]
    x = drop(skips[-1], dropout, name="dropout") if dropout else skips[-1]

    for level in reversed(range(deepest)):
        x = _up(x, filters[level], up, name=f"up{level + 1}")
        if level > 0:
            x = layers.Concatenate(name=f"concat{level + 1}")([x, skips[level - 1]])
        x = _pair(x, filters[level], "same", norm, name=f"merge{level + 1}")
    return x


def _pair(x: keras.KerasTensor, filters: int, padding: str, norm: bool, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions."""
    for step in (1, 2):
        x = Conv2D(
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
        return Conv2DTranspose(filters, 2, strides=2, **options)(x)
    x = Upsample(2, "nearest" if up == "nearest" else "bilinear", name=name)(x)
    return x if up == "nearest" else Conv2D(filters, 1, **options)(x)
