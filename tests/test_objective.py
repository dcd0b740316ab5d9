"""What losses are made of, against formulas in plain NumPy."""

import keras
import numpy as np
import pytest

from kerazoo import backend
from kerazoo.objective import (
    _all_or_none,
    cancel_gradient,
    cross_entropy,
    dice,
    embedded,
    focal,
    hard,
    weighted_mean,
)

RNG = np.random.default_rng(0)


def of(function, *arrays, **settings):
    """Return what a function of tensors gives for arrays."""
    tensors = (keras.ops.convert_to_tensor(np.asarray(array, "float32")) for array in arrays)
    return keras.ops.convert_to_numpy(function(*tensors, **settings))


def test_the_weighted_mean_is_one_and_of_nothing_zero():
    values, weights = np.array([1.0, 5.0, 9.0], "float32"), np.array([1.0, 3.0, 0.0], "float32")
    assert of(weighted_mean, values, weights) == pytest.approx(4.0)
    assert of(weighted_mean, values, 0 * weights) == 0.0
    assert of(weighted_mean, values, 1e-6 * weights) == pytest.approx(4.0, rel=1e-4)


def test_a_look_through_another_network_has_the_value_of_the_first():
    np.testing.assert_array_equal(of(cancel_gradient, [3.0], [3.0]), [3.0])
    np.testing.assert_array_equal(of(cancel_gradient, [3.0], [6.0]), [3.0])


def test_of_a_cancelled_gradient_the_first_loses_the_seconds():
    def loss(values):
        (x,) = values
        return keras.ops.sum(cancel_gradient(x * x, 3.0 * x))

    (slope,) = backend.gradients(loss, [keras.ops.convert_to_tensor([2.0])])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(slope), [2 * 2.0 - 3.0])


@pytest.mark.parametrize("broken", [(0, 1), (1, 0)])
def test_one_value_that_is_not_finite_keeps_all_statistics(broken):
    old, new = ([keras.ops.full((2,), value) for _ in range(2)] for value in (1.0, 2.0))
    assert [keras.ops.convert_to_numpy(v).tolist() for v in _all_or_none(old, new)] == [[2.0, 2.0]] * 2
    array, place = broken
    values = np.full(2, 2.0, "float32")
    values[place] = np.nan
    new[array] = keras.ops.convert_to_tensor(values)
    assert [keras.ops.convert_to_numpy(v).tolist() for v in _all_or_none(old, new)] == [[1.0, 1.0]] * 2


def test_stacks_of_images_are_embedded_at_once_and_in_place():
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, {"embedding": keras.layers.GlobalAveragePooling2D()(inputs)})
    x = RNG.random((2, 3, 4, 5, 6, 3)).astype("float32")
    told = of(lambda stacks: embedded(network, stacks, training=False), x)
    np.testing.assert_allclose(told, x.mean(axis=(3, 4)), atol=1e-6)
    told = of(lambda stacks: embedded(network, stacks, training=False), x[0])
    np.testing.assert_allclose(told, x[0].mean(axis=(2, 3)), atol=1e-6)


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_cross_entropy_and_focal_loss(classes):
    logits = RNG.normal(0, 3, (4, 5, classes)).astype("float32")
    if classes == 1:
        targets = RNG.integers(0, 2, (4, 5, 1)).astype("float32")
        chance = np.where(targets == 1, 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits)))[..., 0]
    else:
        labels = RNG.integers(0, classes, (4, 5))
        targets = np.eye(classes, dtype="float32")[labels]
        shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        chance = np.take_along_axis(shares, labels[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(of(cross_entropy, targets, logits), -np.log(chance), rtol=2e-4, atol=1e-6)
    for gamma in (2.0, 0.5):
        expected = (1 - chance) ** gamma * -np.log(chance)
        np.testing.assert_allclose(of(focal, targets, logits, gamma=gamma), expected, rtol=2e-3, atol=1e-6)
    np.testing.assert_array_equal(of(focal, targets, logits), of(focal, targets, logits, gamma=2.0))


def test_hard_pixels_by_hand():
    losses = np.array([0.1, 0.2, 0.3, 0.4, 9.0, 0.6], "float32")
    weights = np.array([1.0, 1.0, 2.0, 1.0, 0.0, 1.0], "float32")
    improbable = float(np.exp(-0.35))

    def chosen(threshold, kept):
        return of(hard, losses, weights, threshold=threshold, kept=kept).tolist()

    assert chosen(improbable, 0.0) == [0, 0, 0, 1, 0, 1]  # below the threshold, and not of weight 0
    assert chosen(improbable, 0.6) == [0, 0, 1, 1, 0, 1]  # 3 of 5 that count
    assert chosen(improbable, 0.2) == [0, 0, 0, 1, 0, 1]
    assert chosen(1e-9, 0.2) == [0, 0, 0, 0, 0, 1]
    assert chosen(1e-9, 0.39) == [0, 0, 0, 0, 0, 1]  # rounded down
    assert chosen(1e-9, 1.0) == [0, 1, 1, 1, 0, 1]  # all but the least, which nothing is below
    assert of(hard, losses, 0 * weights, threshold=0.5, kept=0.5).tolist() == [0] * 6
    assert of(hard, losses, weights, threshold=0.5, kept=0.5).dtype == np.float32


@pytest.mark.parametrize("classes", [1, 3])
def test_dice_by_hand(classes):
    logits = RNG.normal(0, 2, (2, 3, 4, classes)).astype("float32")
    labels = RNG.integers(0, max(classes - 1, 2), (2, 3, 4))  # of three classes the last is absent
    weights = RNG.integers(0, 2, labels.shape).astype("float32")
    if classes == 1:
        targets, shares = labels[..., None].astype("float32"), 1 / (1 + np.exp(-logits))
    else:
        targets = np.eye(classes, dtype="float32")[labels]
        shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    scores = []
    for k in range(classes):
        truth, predicted = targets[..., k] * weights, shares[..., k] * weights
        if truth.sum() > 0:
            scores.append(2 * (truth * predicted).sum() / (truth.sum() + predicted.sum()))
    assert len(scores) == max(classes - 1, 1)
    assert of(dice, targets, logits, weights) == pytest.approx(1 - np.mean(scores), abs=1e-5)
    assert of(dice, targets, logits, 0 * weights) == 0.0
    tiny = np.zeros_like(weights)
    tiny[0, 0, 0] = 1.0
    far = np.where(targets > 0, 20.0, -20.0).astype("float32")
    assert of(dice, targets, far, tiny) == pytest.approx(0.0, abs=1e-5)
