"""Reptile inside Keras: a loss whose gradient is the way from adapted weights back to the present ones."""

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from kerazoo.objective import SumOfTerms, Tensor
from kerazoo.tasks import adaptation

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
        self.family = family

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        ways, steps = self.family.training_ways, self.family.steps
        present = adaptation.started(self.network, ways)

        def adapted(episode: Tensor) -> list[Tensor]:
            parts = ops.split(episode, steps, axis=1)
            losses = [adaptation.support_loss(self.network, part) for part in parts]
            return adaptation.adam(losses, steps, present, self.family.rate)

        aims = [ops.mean(aim, axis=0) for aim in ops.map(adapted, x)]
        squares = [ops.sum(ops.square(w - ops.stop_gradient(a))) for w, a in zip(present, aims, strict=True)]
        return {"way": sum(squares) / 2}

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        return {"way": ops.cast(outputs["way"], "float32")}


def answers(family: "Reptile", network: keras.Model, x: Tensor) -> Tensor:
    """Return the logits of the queries after steps of Adam on the support.

    Shape: `(N, ways, shots + queries, H, W, C)` -> float32 `(N, ways, queries, ways)`.
    """
    ways, shots = x.shape[1], family.shots

    def answer(episode: Tensor) -> Tensor:
        support, queries = episode[:, :shots], episode[:, shots:]
        losses = [adaptation.support_loss(network, support)]
        weights = adaptation.adam(losses, family.test_steps, adaptation.started(network, ways), family.rate)
        return adaptation.answered(network, weights, queries)

    return ops.map(answer, x)


def learned(
    family: "Reptile", network: keras.Model, x: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the weights of a classifier of new classes; see `FewShot.learned`."""
    ways = int(labels.max()) + 1
    losses = [adaptation.loss(network, x, labels, ways)]
    weights = adaptation.adam(losses, family.test_steps, adaptation.started(network, ways), family.rate)
    return adaptation.classifier(family.network(ways), weights, x)
