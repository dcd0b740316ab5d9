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
    up: Literal["transposed", "bilinear", "bilinear_align_corners", "nearest"] = "transposed",
    skips_first: bool = False,
    dropout: float = 0.0,
    encoder: keras.Model | None = None,
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
        up: 2x2 transposed convolution without activation (the paper), or resizing.
        skips_first: concatenate [skips, upsampled] and not [upsampled, skips].
        dropout: after every convolution.
        encoder: takes the place of column 0: the image -> `{"c1": the map at half the resolution,
            ..., "c5"}`. As in segmentation_models_pytorch, which has norm=True, up="nearest" and one
            head, the nodes then lie between those maps, nearest skip first, inner ones as wide as the
            encoder's map of their depth and those before the head as `filters` says; a block at
            full resolution and a 3x3 head come after. The convolutions have no bias.

    Raises:
        ValueError: not as many filters as the encoder has levels.

    Example:
        >>> import kerazoo
        >>> network = kerazoo.models.unetpp(classes=4, filters=(4, 8, 16))
        >>> network.compute_output_shape((1, 61, 47, 3))
        {'head1': (1, 61, 47, 4), 'head2': (1, 61, 47, 4)}
    """
    if encoder is not None and len(filters) != len(encoder.output):
        raise ValueError(f"an encoder needs {len(encoder.output)} filters")
    image = keras.Input((None, None, channels), name="image")
    deepest = len(filters) - (encoder is None)
    x = MirrorPad(2**deepest, name="mirror")(image)
    if encoder is None:
        node = _contracting(x, filters, norm, dropout)
    else:
        features = encoder.call(x)  # layer by layer, so that pruning also prunes the encoder
        node = {(i, 0): features[name] for i, name in enumerate(sorted(features), 1)}

    top = min(i for i, _ in node)
    for j in range(1, deepest - top + 1):
        for i in range(top, deepest - j + 1):
            inner = encoder is not None and i + j < deepest
            width = node[i, 0].shape[-1] if inner else filters[i]
            below = _up(node[i + 1, j - 1], width, up, name=f"up_{i}_{j}")
            skips = [node[i, k] for k in (range(j) if encoder is None else reversed(range(j)))]
            x = [*skips, below] if skips_first else [below, *skips]
            x = layers.Concatenate(name=f"concat_{i}_{j}")(x)
            node[i, j] = _pair(x, width, norm, dropout, bias=encoder is None, name=f"x_{i}_{j}")

    levels = range(1, deepest - top + 1)
    logits = {}
    for level in levels if deep_supervision else levels[-1:]:
        x, kernel = node[top, level], 1
        if encoder is not None:
            x = _up(x, filters[0], up, name=f"up_0_{level + 1}")
            x, kernel = _pair(x, filters[0], norm, dropout, bias=False, name=f"x_0_{level + 1}"), 3
        logits[f"head{level}"] = _head(x, image, classes, kernel, name=f"head{level}")
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


def _contracting(
    x: keras.KerasTensor, filters: Sequence[int], norm: bool, dropout: float
) -> dict[tuple[int, int], keras.KerasTensor]:
    """Return the nodes of column 0."""
    node = {}
    for i, width in enumerate(filters):
        if i > 0:
            x = layers.MaxPooling2D(2, name=f"pool_{i}")(x)
        x = node[i, 0] = _pair(x, width, norm, dropout, bias=True, name=f"x_{i}_0")
    return node


def _pair(
    x: keras.KerasTensor, filters: int, norm: bool, dropout: float, bias: bool, name: str
) -> keras.KerasTensor:
    """Two 3x3 convolutions."""
    for step in (1, 2):
        x = conv_norm_act(x, filters, norm=norm, bias=bias, name=f"{name}_conv{step}")
        if dropout:
            x = drop(x, dropout, name=f"{name}_dropout{step}")
    return x


def _up(x: keras.KerasTensor, filters: int, up: str, name: str) -> keras.KerasTensor:
    """Double height and width."""
    if up == "transposed":
        return layers.Conv2DTranspose(filters, 2, strides=2, kernel_initializer=HeNormal(), name=name)(x)
    return Upsample(
        2,
        "nearest" if up == "nearest" else "bilinear",
        align_corners=up == "bilinear_align_corners",
        name=name,
    )(x)


def _head(
    x: keras.KerasTensor, image: keras.KerasTensor, classes: int, kernel: int, name: str
) -> keras.KerasTensor:
    options = {"padding": "same", "kernel_initializer": HeNormal(), "dtype": "float32"}
    logits = layers.Conv2D(classes, kernel, name=name, **options)(x)
    return CropLike(dtype="float32", name=f"{name}_crop")([logits, image])
