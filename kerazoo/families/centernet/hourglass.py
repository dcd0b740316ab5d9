"""Two hourglasses, one after the other (Newell et al. 2016, arXiv:1603.06937), as CornerNet has them.

Law and Deng 2018, arXiv:1808.01244, section 3.5: 104 layers, without pooling.
"""

from collections.abc import Sequence

import keras
from keras import layers

from kerazoo.layers import Upsample, conv_norm_act
from kerazoo.layers.residual import residual_unit

WIDTHS = (4, 4, 6, 6, 6, 8)
"""Channels at strides 4 to 128, in `width`."""
UNITS = 2
"""Residual units on each way, at each stride."""
LOWEST = 4
"""At the last stride."""
STACKS = 2


def hourglass(x: keras.KerasTensor, width: int) -> list[keras.KerasTensor]:
    """Return the map of each stack.

    Shape: `(N, H, W, C)` -> two maps `(N, H / 4, W / 4, 4 * width)`; 128 divides H and W.

    Args:
        x: the image.
        width: a quarter of the output's channels; published: 64.
    """
    filters = [factor * width for factor in WIDTHS]
    x = conv_norm_act(x, filters[0] // 2, 7, stride=2, name="stem_conv")
    x = residual_unit(x, filters[0], stride=2, name="stem_unit")
    maps: list[keras.KerasTensor] = []
    for stack in range(1, STACKS + 1):
        name = f"stack{stack}"
        y = _hourglass(x, filters, name)
        maps.append(conv_norm_act(y, filters[0], name=f"{name}_out"))
        if stack < STACKS:
            inputs = [
                conv_norm_act(y, filters[0], 1, activation=None, name=f"{name}_{part}")
                for part, y in (("before", x), ("after", maps[-1]))
            ]
            x = layers.Add(name=f"{name}_add")(inputs)
            x = layers.Activation("relu", name=f"{name}_act")(x)
            x = residual_unit(x, filters[0], name=f"{name}_unit")
    return maps


def _hourglass(x: keras.KerasTensor, filters: Sequence[int], name: str) -> keras.KerasTensor:
    """Half the resolution and back, added to what stayed (CornerNet, section 3.5); and so on within."""
    here, below, *_ = filters
    stays = _units(x, [here] * UNITS, f"{name}_up1")
    x = _units(x, [below] * UNITS, f"{name}_low1", stride=2)
    if len(filters) > 2:
        x = _hourglass(x, filters[1:], f"{name}_low2")
    else:
        x = _units(x, [below] * LOWEST, f"{name}_low2")
    x = _units(x, [below] * (UNITS - 1) + [here], f"{name}_low3")
    x = Upsample(2, "nearest", name=f"{name}_up2")(x)
    return layers.Add(name=f"{name}_merge")([stays, x])


def _units(x: keras.KerasTensor, filters: Sequence[int], name: str, stride: int = 1) -> keras.KerasTensor:
    for unit, channels in enumerate(filters):
        x = residual_unit(x, channels, stride=1 if unit else stride, name=f"{name}_unit{unit}")
    return x
