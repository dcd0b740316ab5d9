"""MAML inside Keras: every episode adapts the weights by itself and answers its queries with them."""

from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from kerazoo.objective import Tensor
from kerazoo.tasks import adaptation

if TYPE_CHECKING:
    from kerazoo.families.maml import MAML


def answers(family: "MAML", network: keras.Model, x: Tensor, training: bool) -> Tensor:
    """Return the logits of the queries after the steps on the support (Finn et al. 2017, algorithm 2).

    Shape: `(N, ways, shots + queries, H, W, C)` -> float32 `(N, ways, queries, ways)`.

    Args:
        family: says how many steps, and of which order.
        network: of `family.network`.
        x: the pictures of episodes.
        training: the result will be differentiated.
    """
    ways, shots = x.shape[1], family.training_shots if training else family.shots
    steps = family.steps if training else family.test_steps
    again = training and family.second_order

    def answer(episode: Tensor) -> Tensor:
        support, queries = episode[:, :shots], episode[:, shots:]
        losses = [adaptation.support_loss(network, support)] * steps
        weights = adaptation.descended(losses, adaptation.started(network, ways), family.rate, again=again)
        return adaptation.answered(network, weights, queries)

    return ops.map(answer, x)


def learned(family: "MAML", network: keras.Model, x: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the weights of a classifier of new classes; see `FewShot.learned`."""
    ways = int(labels.max()) + 1
    losses = [adaptation.loss(network, x, labels, ways)] * family.test_steps
    weights = adaptation.descended(losses, adaptation.started(network, ways), family.rate, again=False)
    return adaptation.classifier(family.network(ways), weights, x)
