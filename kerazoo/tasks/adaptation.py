"""How weights adapt to the support of an episode, inside Keras: the inner loop of MAML and Reptile.

`weights` are always lists of tensors in the order of `network.trainable_variables`, of which the last two
are the kernel and the bias of the classifier.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from kerazoo import backend
from kerazoo.layers import CurrentNorm
from kerazoo.objective import Tensor, cross_entropy

Weights = list[Tensor]
Loss = Callable[[Weights], Tensor]

BETA_2 = 0.999
EPSILON = 1e-8


def started(network: keras.Model, ways: int) -> Weights:
    """Return the weights that an episode starts from.

    Where it has another number of classes than the network, all start from the mean of the network's,
    so that none is told from another but by its support.
    """
    weights = [variable.value for variable in network.trainable_variables]
    *body, kernel, bias = (ops.convert_to_tensor(weight) for weight in weights)
    if bias.shape[0] == ways:
        return [*body, kernel, bias]
    kernel = ops.repeat(ops.mean(kernel, axis=1, keepdims=True), ways, axis=1)
    return [*body, kernel, ops.repeat(ops.mean(bias, keepdims=True), ways)]


def logits(network: keras.Model, weights: Weights, x: Tensor) -> Tensor:
    """Return a network's logits with other weights: `(N, H, W, C)` -> float32 `(N, classes)`."""
    others = [variable.value for variable in network.non_trainable_variables]
    return network.stateless_call(weights, others, x, training=True)[0]["logits"]


def loss(network: keras.Model, x: Tensor, labels: Tensor, ways: int) -> Loss:
    """Return the cross entropy of pictures as a function of the weights.

    Args:
        network: outputs `{"logits"}`.
        x: `(N, H, W, C)`.
        labels: int `(N,)`.
        ways: number of classes.
    """
    targets = ops.one_hot(labels, ways)
    return lambda weights: ops.mean(cross_entropy(targets, logits(network, weights, x)))


def support_loss(network: keras.Model, support: Tensor) -> Loss:
    """Return the cross entropy of pictures `(ways, shots, H, W, C)`, row w of class w, as `loss` does."""
    ways, shots = support.shape[:2]
    labels = np.repeat(np.arange(ways), shots)
    return loss(network, ops.reshape(support, (-1, *support.shape[2:])), labels, ways)


def answered(network: keras.Model, weights: Weights, queries: Tensor) -> Tensor:
    """Return the logits of pictures `(ways, queries, H, W, C)`: float32 `(ways, queries, ways)`."""
    ways = queries.shape[0]
    found = logits(network, weights, ops.reshape(queries, (-1, *queries.shape[2:])))
    return ops.reshape(found, (ways, -1, ways))


def descended(losses: Sequence[Loss], weights: Weights, rate: float, *, again: bool) -> Weights:
    """Return weights after a step of plain gradient descent on each loss in turn.

    Args:
        losses: of the steps.
        weights: to start from.
        rate: of the steps.
        again: keep how the result depends on `weights`; else it depends on them by the identity alone,
            which is first-order MAML.
    """
    moved = weights
    for each in losses:
        slopes = backend.gradients(each, moved, again=again)
        moved = [weight - rate * slope for weight, slope in zip(moved, slopes, strict=True)]
    return moved if again else _straight(weights, moved)


def adam(losses: Sequence[Loss], steps: int, weights: Weights, rate: float) -> Weights:
    """Return weights after steps of Adam without momentum, on each loss in turn, from a state of zeros.

    The result is a constant for whoever differentiates further (Nichol et al. 2018: beta_1 = 0).
    """
    count, turns = len(weights), -(-steps // len(losses))

    def turn(number: Tensor, state: Weights) -> Weights:
        moved, squares = list(state[:count]), list(state[count:])
        for place, each in enumerate(losses):
            time = ops.cast(number * len(losses) + place + 1, "float32")
            slopes = backend.gradients(each, moved, again=False)
            squares = [
                BETA_2 * s + (1 - BETA_2) * ops.square(g) for s, g in zip(squares, slopes, strict=True)
            ]
            scale = rate * ops.sqrt(1 - ops.power(BETA_2, time))
            moves = [g / (ops.sqrt(s) + EPSILON) for s, g in zip(squares, slopes, strict=True)]
            moved = [weight - scale * move for weight, move in zip(moved, moves, strict=True)]
        return [*moved, *squares]

    state = [*(ops.stop_gradient(w) for w in weights), *(ops.zeros_like(w) for w in weights)]
    return [ops.stop_gradient(value) for value in ops.fori_loop(0, turns, turn, state)[:count]]


def classifier(network: keras.Model, weights: Weights, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return adapted weights, by variable path, with the statistics of the pictures they were adapted to.

    With these as running statistics a network tells a single picture what `network`, which takes those of
    the batch, tells it in the midst of that support.

    Args:
        network: with as many classes as the adapted weights; they are written into it.
        weights: adapted.
        x: the support `(N, H, W, C)`.
    """
    for variable, value in zip(network.trainable_variables, weights, strict=True):
        variable.assign(value)
    found = {variable.path: ops.convert_to_numpy(variable) for variable in network.weights}
    norms = [layer for layer in network.layers if isinstance(layer, CurrentNorm)]
    seen = keras.Model(network.input, [layer.input for layer in norms]).predict_on_batch(x)
    for layer, maps in zip(norms, seen, strict=True):
        found.setdefault(f"{layer.name}/gamma", np.ones(maps.shape[-1], "float32"))
        found[f"{layer.name}/moving_mean"] = maps.mean(axis=(0, 1, 2))
        found[f"{layer.name}/moving_variance"] = maps.var(axis=(0, 1, 2))
    return found


def _straight(start: Weights, end: Weights) -> Weights:
    """Return `end`, which for gradients depends on `start` as itself."""
    return [a + ops.stop_gradient(b - a) for a, b in zip(start, end, strict=True)]
