"""Deep layer aggregation (Yu et al. 2018, arXiv:1707.06484): DLA-34, enlarged as CenterNet has it."""

import keras
from keras import layers

from kerazoo.layers import (
    DeformableConv2D,
    DepthwiseConv2DTranspose,
    MaxPooling2D,
    conv_norm_act,
    norm_act,
)

DEPTHS = (1, 2, 2, 1)
"""Of the trees of levels 2 to 5."""


def dla(x: keras.KerasTensor, width: int, deformable: bool) -> keras.KerasTensor:
    """Return the map at a quarter of the resolution into which all coarser ones went.

    Layer names are those of the published module: `level3_tree1_tree2_conv1`, `dla_up_ida1_node2`.

    Shape: `(N, H, W, C)` -> `(N, H / 4, W / 4, width)`; 32 divides H and W.

    Args:
        x: the image.
        width: channels of the output; published: 64.
        deformable: deformable convolutions join two maps by their sum (CenterNet, figure 6d); else plain
            ones join them one upon the other (DLA, figure 5).
    """
    maps = _trees(x, width)  # (N, H / 4, W / 4, width), ..., (N, H / 32, W / 32, 8 * width)
    # Each step halves the stride of all maps coarser than its finest, and mixes them into it in turn.
    finest = []  # at 1/16, 1/8 and 1/4
    for step in range(3):
        target = 2 - step
        maps[target + 1 :] = _aggregated(maps[target:], [2] * (step + 1), deformable, f"dla_up_ida{step}")
        finest.append(maps[-1])
    if not deformable:
        return finest[-1]
    return _aggregated(finest[::-1], [2, 4], deformable, "ida_up")[-1]


def _trees(x: keras.KerasTensor, width: int) -> list[keras.KerasTensor]:
    """Return the maps of levels 2 to 5 (DLA, figure 3)."""
    x = conv_norm_act(x, width // 4, 7, name="base_layer")
    x = conv_norm_act(x, width // 4, name="level0")
    x = conv_norm_act(x, width // 2, stride=2, name="level1")
    maps: list[keras.KerasTensor] = []
    for level, depth in enumerate(DEPTHS, 2):
        name = f"level{level}"
        pooled = MaxPooling2D(2, name=f"{name}_pool")(x)
        children = () if level == 2 else (pooled,)
        x = _tree(x, pooled, width * 2 ** (level - 2), depth, name, children)
        maps.append(x)
    return maps


def _tree(
    x: keras.KerasTensor,
    pooled: keras.KerasTensor,
    filters: int,
    depth: int,
    name: str,
    children: tuple[keras.KerasTensor, ...] = (),
) -> keras.KerasTensor:
    """Two halves, and a root that mixes what both put out with the `children` from further up (figure 2f).

    Args:
        x, pooled: the input, and as large as the output; where they are one the tree has no stride.
        filters: channels of the output.
        depth: of the halves; trees of depth 1 are of two residual units.
        name: of the layers.
        children: further maps that the last root reads.
    """
    if depth > 1:
        first = _tree(x, pooled, filters, depth - 1, f"{name}_tree1")
        return _tree(first, first, filters, depth - 1, f"{name}_tree2", (*children, first))
    skip = pooled
    if skip.shape[-1] != filters:
        skip = conv_norm_act(skip, filters, 1, activation=None, name=f"{name}_project")
    first = _unit(x, skip, filters, 1 if x is pooled else 2, f"{name}_tree1")
    second = _unit(first, first, filters, 1, f"{name}_tree2")
    x = layers.Concatenate(name=f"{name}_concat")([second, first, *children])
    return conv_norm_act(x, filters, 1, name=f"{name}_root")


def _unit(
    x: keras.KerasTensor, skip: keras.KerasTensor, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    """A residual unit whose shortcut comes from elsewhere."""
    x = conv_norm_act(x, filters, stride=stride, name=f"{name}_conv1")
    x = conv_norm_act(x, filters, activation=None, name=f"{name}_conv2")
    x = layers.Add(name=f"{name}_add")([skip, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _aggregated(
    maps: list[keras.KerasTensor], factors: list[int], deformable: bool, name: str
) -> list[keras.KerasTensor]:
    """Mix maps into the finest one, in turn; return it after each (iterative deep aggregation).

    Args:
        maps: finest first.
        factors: by how much each but the finest is enlarged.
        deformable: see `dla`.
        name: of the layers.
    """
    x, *coarser = maps
    mixed = []
    for step, (coarse, factor) in enumerate(zip(coarser, factors, strict=True), 1):
        coarse = _conv(coarse, x.shape[-1], 1, deformable, f"{name}_proj{step}")
        coarse = DepthwiseConv2DTranspose(factor, name=f"{name}_up{step}")(coarse)
        join = layers.Add if deformable else layers.Concatenate
        both = join(name=f"{name}_join{step}")([x, coarse])
        x = _conv(both, x.shape[-1], 3, deformable, f"{name}_node{step}")
        mixed.append(x)
    return mixed


def _conv(x: keras.KerasTensor, filters: int, kernel: int, deformable: bool, name: str) -> keras.KerasTensor:
    if not deformable:
        return conv_norm_act(x, filters, kernel, name=name)
    return norm_act(DeformableConv2D(filters, name=name)(x), name=name)
