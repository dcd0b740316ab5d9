"""Reptile: a step of the objective is the paper's."""

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.families.reptile import Reptile
from kerazoo.tasks.fewshot import inner_loop

FAMILY = Reptile(
    filters=2,
    ways=3,
    queries=2,
    training_ways=3,
    training_shots=4,
    steps=2,
    inner_learning_rate=0.5,
    features="mean",
)

ROUNDED = 2e-6
"""Of weights up to 1, in float32, twice."""


def descended_by_hand(network, episode):
    """Return the weights after a step on each part of an episode; only gradients are Keras'."""
    weights = [keras.ops.convert_to_numpy(v).astype("float64") for v in network.trainable_variables]
    for part in np.split(episode, FAMILY.steps, axis=1):
        loss = inner_loop.support_loss(network, keras.ops.convert_to_tensor(part))
        values = [keras.ops.convert_to_tensor(w.astype("float32")) for w in weights]
        slopes = [keras.ops.convert_to_numpy(g) for g in backends.gradients(loss, values, again=False)]
        weights = [w - FAMILY.inner_learning_rate * g for w, g in zip(weights, slopes, strict=True)]
    return weights


def test_a_step_of_sgd_goes_to_the_mean_of_the_adapted_weights():
    network = FAMILY.build()
    x = np.random.default_rng(0).uniform(-1, 0, (2, 3, 4, 28, 28, 1)).astype("float32")
    before = [keras.ops.convert_to_numpy(v).copy() for v in network.trainable_variables]
    aims = [(a + b) / 2 for a, b in zip(*(descended_by_hand(network, episode) for episode in x), strict=True)]
    model = FAMILY.objective(network)
    model.build(x.shape)
    epsilon = 0.5
    model.compile(keras.optimizers.SGD(epsilon), jit_compile=backends.jit_training())
    data = backends.fit_input((x, {"labels": np.zeros((2, 3))}) for _ in range(1))
    model.fit(data, steps_per_epoch=1, verbose=0, shuffle=False)
    for variable, old, aim in zip(network.trainable_variables, before, aims, strict=True):
        found = keras.ops.convert_to_numpy(variable)
        way = epsilon * (aim - old)
        np.testing.assert_allclose(found - old, way, atol=ROUNDED, err_msg=variable.path)


def test_a_training_lowers_what_episodes_cost_after_their_steps():
    keras.utils.set_random_seed(0)
    network = FAMILY.build()
    x = np.random.default_rng(0).uniform(-1, 0, (2, 3, 4, 28, 28, 1)).astype("float32")

    def cost():
        losses = [inner_loop.support_loss(network, keras.ops.convert_to_tensor(episode)) for episode in x]
        start = inner_loop.current_weights(network)
        ends = [
            inner_loop.gradient_descent([loss], 2, start, FAMILY.inner_learning_rate, again=False)
            for loss in losses
        ]
        return np.mean(
            [keras.ops.convert_to_numpy(loss(end)) for loss, end in zip(losses, ends, strict=True)]
        )

    model = FAMILY.objective(network)
    model.build(x.shape)
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=backends.jit_training())
    before = cost()
    data = backends.fit_input((x, {"labels": np.zeros((2, 3))}) for _ in range(20))
    model.fit(data, steps_per_epoch=20, verbose=0, shuffle=False)
    assert cost() < 0.9 * before


def test_every_step_sees_as_many_images():
    with pytest.raises(ValueError, match="training_shots must divide"):
        Reptile(training_shots=10, steps=4)
