"""Reptile inside Keras: a loss whose gradient is the way from adapted weights back to the present ones."""

from typing import TYPE_CHECKING

import keras
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor
from kerazoo.tasks.fewshot import inner_loop

if TYPE_CHECKING:
    from kerazoo.families.reptile import Reptile


class ReptileObjective(SumOfTerms):
    """Half the squared distance of the weights to the mean of what the episodes of a batch lead them to.

    Those being constants, its gradient is the difference, so that a step of plain SGD at a rate of epsilon
    is the paper's (Nichol et al. 2018, algorithm 2).

    Shape: x float32 `(N, ways, shots, H, W, C)`.
    """

    def __init__(self, family: "Reptile", network: keras.Model) -> None:
        super().__init__(network, ["way"])
        self.dtype_policy = keras.DTypePolicy("float32")  # weights that adapt; the network has its own
        self.family = family

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        steps = self.family.steps
        current_weights = inner_loop.current_weights(self.network)

        def adapted(episode: Tensor) -> list[Tensor]:
            parts = ops.split(episode, steps, axis=1)
            losses = [inner_loop.support_loss(self.network, part) for part in parts]
            return inner_loop.gradient_descent(
                losses, steps, current_weights, self.family.inner_learning_rate, again=False
            )

        aims = [ops.mean(aim, axis=0) for aim in ops.map(adapted, x)]
        squares = [
            ops.sum(ops.square(w - ops.stop_gradient(a))) for w, a in zip(current_weights, aims, strict=True)
        ]
        return {"way": sum(squares) / 2}

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        return {"way": ops.cast(outputs["way"], "float32")}
