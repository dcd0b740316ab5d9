"""UNet++ (Zhou et al. 2018, arXiv:1807.10165; 2020, arXiv:1912.05074), figure 1.

Node X(i, j) has depth i and column j. A node of column j sees all the nodes to its left at
its own depth, and the node below and to its left, upsampled.
"""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from kerazoo.layers import CropLike, HeNormal, MirrorPad, Upsample, conv_norm_act
from kerazoo.layers import dropout as drop


def unetpp(
    *,
    channels: int = 3,
    classes: int = 1,
    filters: Sequence[int] = (32, 64, 128, 256, 512),
    deep_supervision: bool = True,
    norm: bool = False,
    up: Literal["transposed", "bilinear", "bilinear_align_corners"] = "transposed",
    skips_first: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return the UNet++.

    Shape: `(N, H, W, channels)` -> `{"head1": (N, H, W, classes), ..., "head4": ...}` with five
        levels, or the last head alone. Any height and width.

    Args:
        channels: of the image.
        classes: number of logits.
        filters: channels per level, from full resolution down.
        deep_supervision: a head on every node of the top row, head j on X(0, j).
        norm: batch normalisation. The convolutions keep their bias, which it makes redundant,
            as in the published PyTorch weights.
        up: 2x2 transposed convolution without activation (the paper), or bilinear resizing.
        skips_first: concatenate [skips, upsampled] and not [upsampled, skips].
        dropout: after every convolution.
    """
    depth = len(filters)
    image = keras.Input((None, None, channels), name="image")
    node = {(0, 0): MirrorPad(2 ** (depth - 1), name="mirror")(image)}
    for j in range(depth):
        for i in range(depth - j):
            if j > 0:
                below = _up(node[i + 1, j - 1], filters[i], up, name=f"up_{i}_{j}")
                skips = [node[i, k] for k in range(j)]
                x = [*skips, below] if skips_first else [below, *skips]
                x = layers.Concatenate(name=f"concat_{i}_{j}")(x)
            elif i > 0:
                x = layers.MaxPooling2D(2, name=f"pool_{i}")(node[i - 1, 0])
            else:
                x = node[0, 0]
            node[i, j] = _pair(x, filters[i], norm, dropout, name=f"x_{i}_{j}")

    heads = range(1, depth) if deep_supervision else [depth - 1]
    logits = {f"head{j}": _head(node[0, j], image, classes, name=f"head{j}") for j in heads}
    return keras.Model(image, logits, name="unetpp")


def prune(model: keras.Model, level: int) -> keras.Model:
    """Return the sub-network L_level: the nodes with i + j <= level and head `level` (section 3.3).

    It shares its weights with `model`, so what one learns the other knows.

    Args:
        model: from `unetpp`.
        level: 1 .. number of levels - 1.

    Raises:
        ValueError: `model` has no such head.
    """
    head = f"head{level}"
    if head not in model.output:
        raise ValueError(f"the network has no {head}, only {', '.join(model.output)}")
    return keras.Model(model.input, {head: model.output[head]}, name=f"{model.name}_l{level}")


def _pair(x: keras.KerasTensor, filters: int, norm: bool, dropout: float, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions."""
    for step in (1, 2):
        x = conv_norm_act(x, filters, norm=norm, bias=True, name=f"{name}_conv{step}")
        if dropout:
            x = drop(x, dropout, name=f"{name}_dropout{step}")
    return x


def _up(x: keras.KerasTensor, filters: int, up: str, name: str) -> keras.KerasTensor:
    """Double height and width."""
    if up == "transposed":
        return layers.Conv2DTranspose(filters, 2, strides=2, kernel_initializer=HeNormal(), name=name)(x)
    return Upsample(2, align_corners=up == "bilinear_align_corners", name=name)(x)


def _head(x: keras.KerasTensor, image: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
    logits = layers.Conv2D(classes, 1, kernel_initializer=HeNormal(), dtype="float32", name=name)(x)
    return CropLike(dtype="float32", name=f"{name}_crop")([logits, image])
