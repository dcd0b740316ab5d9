"""Objectives: named loss terms, summed, and the losses that several families use.

One mechanism serves every task. Keras' own loss containers divide by the number of
pixels, whereas void pixels and pixel weights ask for the sum of the weights, and
they want the target once per head; a term sees all outputs and one target.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
"""A tensor of whichever backend runs."""


class SumOfTerms(keras.Model):
    """A network whose loss is the sum of named terms, each in the log under its name.

    A subclass states `terms`. Forward pass, gradients and update are Keras' own. A step
    with non-finite gradients leaves no trace: the weights are guarded by the optimizer
    (`kerazoo.optimizer`), the running statistics and the log here.

    Args:
        network: functional model, a dict of named outputs.
        names: names of the terms, in the order of the log.
    """

    def __init__(self, network: keras.Model, names: Sequence[str]):
        super().__init__(name="objective")
        self.network = network
        self.memory: list[keras.Variable] = []
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}

    def build(self, shape: tuple[int, ...]) -> None:
        """Make `memory`: what the terms remember from step to step, and a resume point therefore holds.

        Terms that remember keep what is not finite out of it: it may be large, and no step copies it.

        Args:
            shape: of the training batches, `(N, H, W, C)`.
        """
        self.built = True

    def learning_rate_factors(self) -> dict[str, float]:
        """Return factors on the learning rate by variable path, for those that learn at another one."""
        return {}

    def call(self, x: Tensor, training: bool | None = None) -> dict[str, Tensor]:
        return self.network(x, training=training)

    def terms(self, x: Tensor, y: dict, outputs: dict, training: bool) -> dict[str, Tensor]:
        """Return `{name: scalar}` for one batch; float32."""
        raise NotImplementedError

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        terms = self.terms(x, y, y_pred, training)
        loss = sum(terms.values())
        finite = ops.isfinite(loss)
        for name, value in terms.items():
            weight = ops.cast(finite, "float32")
            self.trackers[name].update_state(ops.where(finite, value, 0.0), sample_weight=weight)
        return loss

    def train_step(self, *args: Any) -> Any:
        # One override for three backends: JAX hands in (state, data) and takes the state
        # back, the others keep it in the variables.
        *state, data = args
        guarded = self._statistics()
        if state:
            logs, new = super().train_step(*state, data)
            values = list(new[1])
            kept = _all_or_none([state[0][1][i] for i in guarded], [values[i] for i in guarded])
            for index, value in zip(guarded, kept, strict=True):
                values[index] = value
            return logs, (new[0], values, *new[2:])
        statistics = [self.non_trainable_variables[i] for i in guarded]
        before = [ops.copy(v.value) for v in statistics]
        logs = super().train_step(data)
        kept = _all_or_none(before, [v.value for v in statistics])
        for variable, value in zip(statistics, kept, strict=True):
            variable.assign(value)
        return logs

    def _statistics(self) -> list[int]:
        """Return which of the variables that are not trained a step may not leave non-finite."""
        memory = {id(variable) for variable in self.memory}
        floats = [keras.backend.is_float_dtype(variable.dtype) for variable in self.non_trainable_variables]
        variables = zip(self.non_trainable_variables, floats, strict=True)
        return [i for i, (v, is_float) in enumerate(variables) if is_float and id(v) not in memory]


def _all_or_none(old: Sequence[Tensor], new: Sequence[Tensor]) -> list[Tensor]:
    """Return the new running statistics, or the old ones where any of the new is not finite.

    Not one by one: TensorFlow's ReLU may turn NaN into 0, so that deeper layers look sound.
    """
    if not new:
        return []
    sound = ops.all(ops.stack([ops.all(ops.isfinite(value)) for value in new]))
    return [ops.where(sound, value, before) for before, value in zip(old, new, strict=True)]


def cancel_gradient(value: Tensor, of: Tensor) -> Tensor:
    """Return `value` without the gradient that `of` has: d(result) = d(value) - d(of).

    With `value = discriminator(fake)` and `of = discriminator(stop_gradient(fake))` the gradient reaches the
    generator of `fake` and not the discriminator, which must draw no random numbers. A frozen copy of
    the discriminator would read its weights after the update in TensorFlow's graphs.

    Shape: two tensors of one shape and one value -> the same.
    """
    return value - (of - ops.stop_gradient(of))  # the bracket is 0


def embedded(network: keras.Model, x: Tensor, training: bool) -> Tensor:
    """Return the embeddings of stacks of images, all of which pass the network together and once.

    Shape: `(N, ..., H, W, C)` -> float32 `(N, ..., D)`.

    Args:
        network: outputs `{"embedding": (N, D)}`.
        x: the stacks.
        training: normalise by the statistics of these images.
    """
    shape = ops.shape(x)
    embedding = network(ops.reshape(x, (-1, *shape[-3:])), training=training)["embedding"]
    return ops.reshape(embedding, (*shape[:-3], ops.shape(embedding)[-1]))


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Return `sum(values * weights) / sum(weights)`, 0 where all weights are 0.

    Shape: two tensors of one shape -> scalar.
    """
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1e-12)


def cross_entropy(targets: Tensor, logits: Tensor) -> Tensor:
    """Return the cross entropy of every pixel, softmax or (for one logit) sigmoid.

    Shape: targets `(..., K)`, 0..1; logits `(..., K)` -> `(...)`.
    """
    if logits.shape[-1] == 1:
        return ops.squeeze(ops.softplus(logits) - targets * logits, -1)
    return ops.logsumexp(logits, axis=-1) - ops.sum(targets * logits, axis=-1)


def focal(targets: Tensor, logits: Tensor, gamma: float = 2.0) -> Tensor:
    """Return the focal loss `(1 - p_t)^gamma * -log(p_t)` of every pixel (Lin et al. 2017, eq. 4).

    Shape: as `cross_entropy`.
    """
    loss = cross_entropy(targets, logits)
    return ops.power(-ops.expm1(-loss), gamma) * loss


def hard(losses: Tensor, weights: Tensor, threshold: float, kept: float) -> Tensor:
    """Return which pixels online hard example mining learns from (Shrivastava et al. 2016).

    Those whose true class has a probability below `threshold`; where they are too few, the threshold
    rises until a share of `kept` of the pixels that count is below it.

    Shape: losses, weights `(...)` -> float32 `(...)`, 0 or 1; pixels of weight 0 neither count nor learn.

    Args:
        losses: cross entropy of every pixel.
        weights: of every pixel; only whether they are 0 matters.
        threshold: a probability.
        kept: 0 .. 1.
    """
    counted = weights > 0
    losses = ops.where(counted, ops.stop_gradient(losses), -1.0)  # below every cross entropy
    number = ops.sum(ops.cast(counted, "int32"))
    least = ops.cast(kept * ops.cast(number, "float32"), "int32")
    ordered = ops.flip(ops.sort(ops.reshape(losses, (-1,))))
    bound = ops.take(ordered, ops.clip(least, 0, ops.maximum(number - 1, 0)))
    bound = ops.minimum(bound, -math.log(threshold))
    return ops.cast(ops.logical_and(counted, losses > bound), "float32")


def dice(targets: Tensor, logits: Tensor, weights: Tensor) -> Tensor:
    """Return 1 - Dice, averaged over the classes that occur in the batch.

    Sums run over the whole batch: per image, a class missing from a small crop would
    swing the loss between 0 and 1. Void pixels count through a weight of 0.

    Shape: targets, logits `(N, H, W, K)`; weights `(N, H, W)`, 0 or 1 -> scalar.
    """
    binary = logits.shape[-1] == 1
    probability = ops.sigmoid(logits) if binary else ops.softmax(logits, axis=-1)
    valid = ops.expand_dims(weights, -1)
    hit = ops.sum(targets * probability * valid, axis=(0, 1, 2))
    truth = ops.sum(targets * valid, axis=(0, 1, 2))
    size = truth + ops.sum(probability * valid, axis=(0, 1, 2))
    present = ops.cast(truth > 0, "float32")
    return weighted_mean(1.0 - 2.0 * hit / ops.maximum(size, 1e-6), present)
