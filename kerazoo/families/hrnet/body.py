"""The body of HRNet (Wang et al. 2019, arXiv:1908.07919), section 3: four resolutions that exchange.

Layer names count from 0, as the published checkpoints do.
"""

from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from kerazoo.layers import Materialised, ResizeLike, Upsample, conv_norm_act
from kerazoo.layers.residual import residual_unit

Fuse = Literal["nearest", "bilinear"]
"""How a low resolution is brought to a higher one when branches exchange."""


def stem(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Return the maps after the first and the second convolution, at strides 2 and 4, of 64 channels."""
    first = conv_norm_act(x, 64, stride=2, name="stem_conv1")
    return [first, conv_norm_act(first, 64, stride=2, name="stem_conv2")]


def body(
    x: keras.KerasTensor,
    *,
    width: int,
    blocks: int,
    modules: Sequence[int],
    bottlenecks: int,
    bottleneck_width: int,
    fuse: Fuse,
    align_corners: bool,
    targets: int = 4,
) -> list[keras.KerasTensor]:
    """Return the branches that leave stage 4, at strides 4, 8, 16 and 32.

    As published: a new branch comes from the lowest resolution only, not, as in the paper's figure,
    from all of them.

    Shape: `(N, h, w, 64)` -> `targets` maps, branch b `(N, ceil(h / 2^b), ceil(w / 2^b), width * 2^b)`.

    Args:
        x: from the stem, at stride 4.
        width: channels of the highest resolution; doubled from branch to branch.
        blocks: residual units per branch of a module.
        modules: of stages 2, 3 and 4.
        bottlenecks, bottleneck_width: number and inner width of stage 1's units.
        fuse, align_corners: see `exchange`.
        targets: branches that the last module fuses to.

    Raises:
        ValueError: an unknown `fuse`, or `modules` that are not three.
    """
    if fuse not in ("nearest", "bilinear"):
        raise ValueError(f"unknown fuse {fuse!r}, there are nearest, bilinear")
    if len(modules) != 3:
        raise ValueError(f"modules are those of stages 2, 3 and 4, not {tuple(modules)}")
    for unit in range(bottlenecks):
        x = residual_unit(x, bottleneck_width, bottleneck=True, name=f"stage1_unit{unit}")

    # Branch b is (N, h / 2^b, w / 2^b, width * 2^b); stage s has the branches 0 .. s - 1.
    branches = [conv_norm_act(x, width, name="transition1_branch0")]
    for stage, count in enumerate(modules, 2):
        lowest = x if stage == 2 else branches[-1]  # where the new branch comes from
        branches.append(
            conv_norm_act(
                lowest, width * 2 ** (stage - 1), stride=2, name=f"transition{stage - 1}_branch{stage - 1}"
            )
        )
        for module in range(count):
            name = f"stage{stage}_module{module}"
            last = stage == 4 and module == count - 1
            for b, branch in enumerate(branches):  # units in parallel, then the branches exchange
                for unit in range(blocks):
                    branch = residual_unit(branch, width * 2**b, name=f"{name}_branch{b}_unit{unit}")
                branches[b] = branch
            branches = exchange(branches, targets if last else stage, fuse, align_corners, name=name)
    return branches


def exchange(
    branches: list[keras.KerasTensor], targets: int, fuse: Fuse, align_corners: bool, *, name: str
) -> list[keras.KerasTensor]:
    """Return, for each of the first `targets` branches, the sum of all branches brought to its shape.

    Downwards by strided 3x3 convolutions, upwards by a 1x1 convolution and resizing: nearest neighbour by
    a whole factor, or bilinearly to the size of the target, by either convention (`kerazoo.layers.Upsample`).
    """
    fused = []
    for i, target in enumerate(branches[:targets]):
        terms = []
        for j, x in enumerate(branches):
            step = f"{name}_fuse{i}_from{j}"
            if j < i:  # a higher resolution: 2^(i - j) times smaller
                x = _down(x, target, i - j, name=step)
            elif j > i:  # a lower resolution: 2^(j - i) times larger
                x = conv_norm_act(x, target.shape[-1], 1, activation=None, name=step)
                x = _up(x, target, 2 ** (j - i), fuse, align_corners, name=f"{step}_up")
            terms.append(x)  # (N, h / 2^i, w / 2^i, width * 2^i)
        x = layers.Add(name=f"{name}_fuse{i}_add")(terms)
        x = layers.Activation("relu", name=f"{name}_fuse{i}_act")(x)
        fused.append(Materialised(name=f"{name}_fuse{i}_out")(x))
    return fused


def _down(x: keras.KerasTensor, target: keras.KerasTensor, steps: int, name: str) -> keras.KerasTensor:
    """Halve `steps` times; the last step has the target's channels and no activation."""
    for step in range(steps - 1):
        x = conv_norm_act(x, x.shape[-1], stride=2, name=f"{name}_conv{step}")
    return conv_norm_act(x, target.shape[-1], stride=2, activation=None, name=f"{name}_conv{steps - 1}")


def _up(
    x: keras.KerasTensor,
    target: keras.KerasTensor,
    factor: int,
    fuse: Fuse,
    align_corners: bool,
    name: str,
) -> keras.KerasTensor:
    if fuse == "nearest":
        return Upsample(factor, "nearest", name=name)(x)
    return ResizeLike(align_corners, name=name)([x, target])
