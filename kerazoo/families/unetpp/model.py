"""UNet++ (Zhou et al. 2018, arXiv:1807.10165; 2020, arXiv:1912.05074), figure 1.

Node X(i, j) has depth i and column j. A node of column j sees all the nodes to its left at
its own depth, and the node below and to its left, upsampled.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import keras
from keras import layers

from kerazoo.layers import (
    Conv2D,
    Conv2DTranspose,
    CropLike,
    HeNormal,
    MaxPooling2D,
    MirrorPad,
    Upsample,
    conv_norm_act,
)
from kerazoo.layers import dropout as drop


class Style(NamedTuple):
    """What is the same in every block."""

    norm: bool
    dropout: float
    up: str
    skips_first: bool


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
    levels = range(1, len(filters)) if deep_supervision else range(len(filters) - 1, len(filters))
    style = Style(norm, dropout, up, skips_first)
    if encoder is None:
        logits = _figure_1(image, classes, filters, levels, style)
    else:
        logits = _on_encoder(image, classes, encoder, filters, levels, style)
    return keras.Model(image, logits, name="unetpp")


def _figure_1(
    image: keras.KerasTensor,
    classes: int,
    filters: Sequence[int],
    levels: Iterable[int],
    style: Style,
) -> dict[str, keras.KerasTensor]:
    """The paper's network: logits of the nodes X(0, level), the top row of figure 1.

    node[i, j] is `(N, H / 2^i, W / 2^i, filters[i])`.
    """
    deepest = len(filters) - 1
    x = MirrorPad(2**deepest, name="mirror")(image)
    node = {}

    # Column 0, the contracting path: X(i, 0) = H(D(X(i - 1, 0))).
    for i, width in enumerate(filters):
        if i > 0:
            x = MaxPooling2D(2, name=f"pool_{i}")(x)
        x = node[i, 0] = _pair(x, width, style, bias=True, name=f"x_{i}_0")

    # The other columns: X(i, j) = H([X(i, 0), ..., X(i, j - 1), U(X(i + 1, j - 1))]).
    for j in range(1, deepest + 1):
        for i in range(deepest - j + 1):
            below = _up(node[i + 1, j - 1], filters[i], style, name=f"up_{i}_{j}")
            skips = [node[i, k] for k in range(j)]
            x = _concatenated(skips, below, style, name=f"concat_{i}_{j}")
            node[i, j] = _pair(x, filters[i], style, bias=True, name=f"x_{i}_{j}")

    return {f"head{j}": _head(node[0, j], image, classes, 1, name=f"head{j}") for j in levels}


def _on_encoder(
    image: keras.KerasTensor,
    classes: int,
    encoder: keras.Model,
    filters: Sequence[int],
    levels: Iterable[int],
    style: Style,
) -> dict[str, keras.KerasTensor]:
    """The nodes between an encoder's maps: logits of the nodes X(1, level), brought to full resolution.

    node[i, j] is `(N, H / 2^i, W / 2^i, ...)`, from i = 1 on: an encoder has no map at full resolution.
    """
    deepest = len(filters)
    x = MirrorPad(2**deepest, name="mirror")(image)

    # Column 0, the encoder.
    features = encoder.call(x)  # layer by layer, so that pruning also prunes the encoder
    node = {(i, 0): features[name] for i, name in enumerate(sorted(features), 1)}

    # The other columns; the last node of a row is as wide as `filters` says, others as the encoder's map.
    for j in range(1, deepest):
        for i in range(1, deepest - j + 1):
            width = filters[i] if i + j == deepest else node[i, 0].shape[-1]
            below = _up(node[i + 1, j - 1], width, style, name=f"up_{i}_{j}")
            skips = [node[i, k] for k in reversed(range(j))]
            x = _concatenated(skips, below, style, name=f"concat_{i}_{j}")
            node[i, j] = _pair(x, width, style, bias=False, name=f"x_{i}_{j}")

    # Full resolution: a node without skips, in front of each head.
    logits = {}
    for j in levels:
        x = _up(node[1, j], filters[0], style, name=f"up_0_{j + 1}")
        x = _pair(x, filters[0], style, bias=False, name=f"x_0_{j + 1}")
        logits[f"head{j}"] = _head(x, image, classes, 3, name=f"head{j}")
    return logits


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


def _concatenated(
    skips: list[keras.KerasTensor], below: keras.KerasTensor, style: Style, name: str
) -> keras.KerasTensor:
    return layers.Concatenate(name=name)([*skips, below] if style.skips_first else [below, *skips])


def _pair(x: keras.KerasTensor, filters: int, style: Style, bias: bool, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions, the paper's H."""
    for step in (1, 2):
        x = conv_norm_act(x, filters, norm=style.norm, bias=bias, name=f"{name}_conv{step}")
        if style.dropout:
            x = drop(x, style.dropout, name=f"{name}_dropout{step}")
    return x


def _up(x: keras.KerasTensor, filters: int, style: Style, name: str) -> keras.KerasTensor:
    """Double height and width, the paper's U."""
    if style.up == "transposed":
        return Conv2DTranspose(filters, 2, strides=2, kernel_initializer=HeNormal(), name=name)(x)
    return Upsample(
        2,
        "nearest" if style.up == "nearest" else "bilinear",
        align_corners=style.up == "bilinear_align_corners",
        name=name,
    )(x)


def _head(
    x: keras.KerasTensor, image: keras.KerasTensor, classes: int, kernel: int, name: str
) -> keras.KerasTensor:
    options = {"padding": "same", "kernel_initializer": HeNormal(), "dtype": "float32"}
    logits = Conv2D(classes, kernel, name=name, **options)(x)
    return CropLike(dtype="float32", name=f"{name}_crop")([logits, image])
