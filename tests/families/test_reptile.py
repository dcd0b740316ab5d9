"""Reptile: a step of the objective is the paper's."""

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.families.reptile import Reptile
from kerazoo.tasks import adaptation

FAMILY = Reptile(
    filters=2, ways=3, queries=2, training_ways=3, training_shots=4, steps=2, rate=1e-2, features="mean"
)


def adam_by_hand(network, episode):
    """Return the weights after Adam with beta_1 = 0 on each part of an episode; only gradients are Keras'."""
    weights = [keras.ops.convert_to_numpy(v).astype("float64") for v in network.trainable_variables]
    squares = [np.zeros_like(w) for w in weights]
    for time, part in enumerate(np.split(episode, FAMILY.steps, axis=1), 1):
        loss = adaptation.support_loss(network, keras.ops.convert_to_tensor(part))
        values = [keras.ops.convert_to_tensor(w.astype("float32")) for w in weights]
        slopes = [keras.ops.convert_to_numpy(g) for g in backends.gradients(loss, values, again=False)]
        squares = [0.999 * s + 0.001 * g.astype("float64") ** 2 for s, g in zip(squares, slopes, strict=True)]
        scale = FAMILY.rate * np.sqrt(1 - 0.999**time)
        weights = [
            w - scale * g / (np.sqrt(s) + 1e-8) for w, g, s in zip(weights, slopes, squares, strict=True)
        ]
    return weights


def test_a_step_of_sgd_goes_to_the_mean_of_the_adapted_weights():
    network = FAMILY.build()
    x = np.random.default_rng(0).uniform(-1, 0, (2, 3, 4, 28, 28, 1)).astype("float32")
    before = [keras.ops.convert_to_numpy(v).copy() for v in network.trainable_variables]
    aims = [(a + b) / 2 for a, b in zip(*(adam_by_hand(network, episode) for episode in x), strict=True)]
    model = FAMILY.objective(network)
    model.build(x.shape)
    epsilon = 0.5
    model.compile(keras.optimizers.SGD(epsilon), jit_compile=backends.jit_training())
    data = ((x, {"labels": np.zeros((2, 3))}) for _ in range(1))
    model.fit(data, steps_per_epoch=1, verbose=0, shuffle=False)
    for variable, old, aim in zip(network.trainable_variables, before, aims, strict=True):
        found = keras.ops.convert_to_numpy(variable)
        # Adam divides by the gradient's size, so where that is near 0 rounding may turn the sign
        np.testing.assert_allclose(
            found, old + epsilon * (aim - old), atol=2e-3 * FAMILY.rate, err_msg=variable.path
        )


def test_every_step_sees_as_many_pictures():
    with pytest.raises(ValueError, match="training_shots must divide"):
        Reptile(training_shots=10, steps=4)
