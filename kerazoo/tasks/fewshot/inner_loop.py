"""How weights adapt to the support of an episode, inside Keras: the inner loop of MAML and Reptile.

`weights` are always lists of tensors in the order of `network.trainable_variables`, of which the last two
are the kernel and the bias of the classifier.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from kerazoo import backend
from kerazoo.layers import CurrentNorm
from kerazoo.objective import Tensor, cross_entropy
from kerazoo.tasks.fewshot.stateless import stateless_call

if TYPE_CHECKING:
    from kerazoo.tasks.fewshot.adapting import Adapting

Weights = list[Tensor]
Loss = Callable[[Weights], Tensor]


def with_ways(network: keras.Model, other: keras.Model) -> keras.Model:
    """Return `other`, which differs in the number of classes, with the weights of a trained network.

    All its classes start from the mean of the network's, so that none is told from another but by its
    support; `network` itself where both have as many.
    """
    weights = [ops.convert_to_numpy(variable) for variable in network.trainable_variables]
    *body, kernel, bias = weights
    ways = other.trainable_variables[-1].shape[0]
    if len(bias) == ways:
        return network
    head = [kernel.mean(axis=1, keepdims=True).repeat(ways, axis=1), bias.mean(keepdims=True).repeat(ways)]
    for variable, value in zip(other.trainable_variables, [*body, *head], strict=True):
        variable.assign(value)
    return other


def current_weights(network: keras.Model) -> Weights:
    """Return the weights that an episode starts from."""
    return [ops.convert_to_tensor(variable.value) for variable in network.trainable_variables]


def logits(network: keras.Model, weights: Weights, x: Tensor) -> Tensor:
    """Return a network's logits with other weights: `(N, H, W, C)` -> float32 `(N, classes)`."""
    return stateless_call(network, weights, x)["logits"]


def loss(network: keras.Model, x: Tensor, labels: Tensor, ways: int) -> Loss:
    """Return the cross entropy of images as a function of the weights.

    Args:
        network: outputs `{"logits"}`.
        x: `(N, H, W, C)`.
        labels: int `(N,)`.
        ways: number of classes.
    """
    targets = ops.one_hot(labels, ways)
    return lambda weights: ops.mean(cross_entropy(targets, logits(network, weights, x)))


def support_loss(network: keras.Model, support: Tensor) -> Loss:
    """Return the cross entropy of images `(ways, shots, H, W, C)`, row w of class w, as `loss` does."""
    ways, shots = support.shape[:2]
    labels = np.repeat(np.arange(ways), shots)
    return loss(network, ops.reshape(support, (-1, *support.shape[2:])), labels, ways)


def query_logits(network: keras.Model, weights: Weights, queries: Tensor) -> Tensor:
    """Return the logits of images `(ways, queries, H, W, C)`: float32 `(ways, queries, ways)`."""
    ways = queries.shape[0]
    flat = logits(network, weights, ops.reshape(queries, (-1, *queries.shape[2:])))
    return ops.reshape(flat, (ways, -1, ways))


def gradient_descent(
    losses: Sequence[Loss], steps: int, weights: Weights, rate: float, *, again: bool
) -> Weights:
    """Return weights after steps of plain gradient descent.

    Args:
        losses: of the weights, taken in turn.
        steps: of the descent.
        weights: to start from.
        rate: of the steps.
        again: keep how the result depends on `weights`; else it depends on them by the identity alone,
            which is first-order MAML.
    """
    moved = weights
    for step in range(steps):
        slopes = backend.gradients(losses[step % len(losses)], moved, again=again)
        moved = [weight - rate * slope for weight, slope in zip(moved, slopes, strict=True)]
    return moved if again else _straight(weights, moved)


def answers(family: "Adapting", network: keras.Model, x: Tensor, training: bool) -> Tensor:
    """Return the logits of the queries; every episode adapts the weights for itself (MAML, algorithm 2).

    Shape: `(N, ways, shots + queries, H, W, C)` -> float32 `(N, ways, queries, ways)`.

    Args:
        family: says how the weights move.
        network: of `family.network`, with as many classes as an episode has ways.
        x: the images of episodes.
        training: the result will be differentiated.
    """
    shots = family.training_shots if training else family.shots
    steps = family.steps if training else family.test_steps

    def answer(episode: Tensor) -> Tensor:
        inner = support_loss(network, episode[:, :shots])
        weights = family.moved(inner, steps, current_weights(network), training)
        return query_logits(network, weights, episode[:, shots:])

    return ops.map(answer, x)


def classifier_weights(
    family: "Adapting", network: keras.Model, x: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the weights of a classifier of new classes; see `FewShot.classifier_weights`."""
    ways = int(labels.max()) + 1
    fresh = family.network(ways)
    network = with_ways(network, fresh)
    weights = family.moved(loss(network, x, labels, ways), family.test_steps, current_weights(network), False)
    return classifier(fresh, weights, x)


def classifier(network: keras.Model, weights: Weights, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return adapted weights, by variable path, with the statistics of the images they were adapted to.

    With these as running statistics a network tells a single image what `network`, which takes those of
    the batch, tells it in the midst of that support.

    Args:
        network: with as many classes as the adapted weights; they are written into it.
        weights: adapted.
        x: the support `(N, H, W, C)`.
    """
    for variable, value in zip(network.trainable_variables, weights, strict=True):
        variable.assign(value)
    weights_by_path = {variable.path: ops.convert_to_numpy(variable) for variable in network.weights}
    norms = [layer for layer in network.layers if isinstance(layer, CurrentNorm)]
    seen = keras.Model(network.input, [layer.input for layer in norms]).predict_on_batch(x)
    for layer, maps in zip(norms, seen, strict=True):
        weights_by_path.setdefault(f"{layer.name}/gamma", np.ones(maps.shape[-1], "float32"))
        weights_by_path[f"{layer.name}/moving_mean"] = maps.mean(axis=(0, 1, 2))
        weights_by_path[f"{layer.name}/moving_variance"] = maps.var(axis=(0, 1, 2))
    return weights_by_path


def _straight(start: Weights, end: Weights) -> Weights:
    """Return `end`, which for gradients depends on `start` as itself."""
    return [a + ops.stop_gradient(b - a) for a, b in zip(start, end, strict=True)]
