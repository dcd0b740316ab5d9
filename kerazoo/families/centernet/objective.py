"""The loss of CenterNet: of heat maps a focal loss, of sizes and offsets the distance at the centres."""

from typing import Literal

import keras
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor

HEADS = ("heatmap", "size", "offset")

CLAMP = 1e-4
"""Probabilities are kept this far from 0 and 1, as published."""

Divisor = Literal["published", "paper"]


class CenterNetObjective(SumOfTerms):
    """The terms of Zhou et al. 2019, eq. 1 to 4: "heatmap", "size" and "offset", each the mean of all stacks.

    In float32 whatever the precision of the network.

    Args:
        network: outputs "heatmap" `(N, h, w, C)` logits, "size" and "offset" `(N, h, w, 2)`, in cells; where
            several stacks answer, those of earlier ones have a prefix, such as "stack1_heatmap".
        size_weight, offset_weight: factors on these terms; the heat maps' is 1.
        divisor: of sizes and offsets (`distance`).
    """

    def __init__(
        self,
        network: keras.Model,
        size_weight: float = 0.1,
        offset_weight: float = 1.0,
        divisor: Divisor = "published",
    ):
        super().__init__(network, HEADS)
        self.weights_of = {"size": size_weight, "offset": offset_weight}
        self.divisor = divisor

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        stacks = {head: [maps for name, maps in outputs.items() if name.endswith(head)] for head in HEADS}
        heat = [penalty_reduced_focal(y["heatmap"], ops.cast(maps, "float32")) for maps in stacks["heatmap"]]
        terms = {"heatmap": sum(heat) / len(heat)}
        for head, weight in self.weights_of.items():
            apart = [
                distance(ops.cast(maps, "float32"), y[head], y["cells"], y["weights"], self.divisor)
                for maps in stacks[head]
            ]
            terms[head] = weight * sum(apart) / len(apart)
        return terms


def penalty_reduced_focal(targets: Tensor, logits: Tensor) -> Tensor:
    """Return the focal loss of centres that asks for less near them (eq. 1 with alpha 2, beta 4).

    `-1/N sum of (1 - p)^2 log(p)` at centres and `(1 - Y)^4 p^2 log(1 - p)` elsewhere.

    Shape: targets `(N, h, w, C)`, 1 at centres; logits of the same shape -> scalar.
    """
    p = ops.clip(ops.sigmoid(logits), CLAMP, 1 - CLAMP)
    centre = ops.cast(targets >= 1, "float32")
    at_centres = centre * ops.square(1 - p) * ops.log(p)
    elsewhere = (1 - centre) * ops.power(1 - targets, 4) * ops.square(p) * ops.log(1 - p)
    return -ops.sum(at_centres + elsewhere) / ops.maximum(ops.sum(centre), 1)


def distance(maps: Tensor, targets: Tensor, cells: Tensor, weights: Tensor, divisor: Divisor) -> Tensor:
    """Return the mean absolute difference of maps and targets at the cells of objects (eq. 2 and 3).

    Shape: maps `(N, h, w, 2)`; targets `(N, M, 2)`; cells int `(N, M)`, row by row; weights `(N, M)`, 1 for
        an object and 0 for none -> scalar.

    Args:
        maps, targets, cells, weights: as above.
        divisor: of the sum: "paper" the number of objects; "published" twice as many, as the published code
            counts x and y.
    """
    flat = ops.reshape(maps, (ops.shape(maps)[0], -1, 2))  # (N, h w, 2)
    index = ops.repeat(ops.expand_dims(cells, -1), 2, axis=-1)  # (N, M, 2)
    apart = ops.abs(ops.take_along_axis(flat, index, axis=1) - targets)
    total = ops.sum(apart * ops.expand_dims(weights, -1))
    count = ops.sum(weights)
    return total / (2 * count + 1e-4) if divisor == "published" else total / ops.maximum(count, 1)
