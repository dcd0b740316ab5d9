"""Prototypical networks against a computation in NumPy."""

import keras
import numpy as np
import pytest

from kerazoo.families.conv4 import Conv4
from kerazoo.families.protonet import ProtoNet

FAMILY = ProtoNet(filters=4, ways=3, shots=2, queries=2, training_ways=3, training_shots=2)


@pytest.fixture
def network():
    network = FAMILY.build()
    rng = np.random.default_rng(1)
    for variable in network.variables:
        if "bn" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    return network


def embedded(network, x, training=False):
    flat = x.reshape(-1, *x.shape[-3:])
    found = keras.ops.convert_to_numpy(network(flat, training=training)["embedding"]).astype("float64")
    return found.reshape(*x.shape[:-3], -1)


@pytest.mark.parametrize("training", [False, True])
def test_logits_are_minus_squared_distances_to_the_mean_of_the_support(network, training):
    x = np.random.default_rng(0).uniform(-1, 0, (2, 3, 4, 28, 28, 1)).astype("float32")
    features = embedded(network, x, training)
    prototypes = features[:, :, :2].mean(axis=2)
    apart = features[:, :, 2:, None] - prototypes[:, None, None]
    expected = -np.square(apart).sum(axis=-1)
    found = keras.ops.convert_to_numpy(FAMILY.answers(network, x, training))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_the_adapted_dense_layer_tells_what_prototypes_tell(network):
    x = np.random.default_rng(0).uniform(-1, 0, (3, 4, 28, 28, 1)).astype("float32")
    support, queries = x[:, :2], x[:, 2:]
    labels = np.repeat(np.arange(3), 2)
    weights = FAMILY.classifier_weights(network, support.reshape(-1, 28, 28, 1), labels)
    classifier = Conv4(classes=3, **FAMILY.body()).build()
    for variable in classifier.weights:
        variable.assign(weights.pop(variable.path))
    assert weights == {}
    logits = classifier.predict_on_batch(queries.reshape(-1, 28, 28, 1))["logits"]
    expected = keras.ops.convert_to_numpy(FAMILY.answers(network, x[None], False))[0].reshape(-1, 3)
    shifted = logits - logits.max(axis=1, keepdims=True)
    np.testing.assert_allclose(shifted, expected - expected.max(axis=1, keepdims=True), atol=1e-3)


def test_an_episode_is_answered_whatever_else_is_asked(network):
    """Running statistics: not transductive."""
    x = np.random.default_rng(0).uniform(-1, 0, (1, 3, 4, 28, 28, 1)).astype("float32")
    whole = keras.ops.convert_to_numpy(FAMILY.answers(network, x, False))
    alone = keras.ops.convert_to_numpy(FAMILY.answers(network, x[:, :, :3], False))
    np.testing.assert_allclose(whole[:, :, :1], alone, rtol=1e-4, atol=1e-4)
