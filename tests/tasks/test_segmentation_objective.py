"""The loss terms of segmentation against float64 NumPy, on whichever backend runs."""

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo.objective import cross_entropy, dice, focal, weighted_mean
from kerazoo.structures.mask import VOID, Mask
from kerazoo.tasks.segmentation import Losses
from kerazoo.tasks.segmentation.objective import SegmentationObjective
from tests.tiny import TINY

RNG = np.random.default_rng(0)


def reference(logits, labels, weights):
    """Cross entropy, focal and Dice loss in float64, straight from the formulas."""
    logits = logits.astype("float64")
    if logits.shape[-1] == 1:
        p = 1 / (1 + np.exp(-logits[..., 0]))
        true = np.where(labels == 1, p, 1 - p)
        probability, hot = p[..., None], labels[..., None].astype("float64")
    else:
        probability = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        hot = np.eye(logits.shape[-1])[labels]
        true = (probability * hot).sum(-1)
    valid = (weights > 0)[..., None]
    overlap, size = (probability * hot * valid).sum((0, 1, 2)), ((probability + hot) * valid).sum((0, 1, 2))
    present = (hot * valid).sum((0, 1, 2)) > 0
    return {
        "cross_entropy": (-np.log(true) * weights).sum() / weights.sum(),
        "focal": ((1 - true) ** 2 * -np.log(true) * weights).sum() / weights.sum(),
        "dice": (1 - 2 * overlap / size)[present].mean(),
    }


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_losses_equal_their_formulas(classes):
    logits = RNG.normal(0, 3, (2, 5, 6, classes)).astype("float32")
    labels = RNG.integers(0, max(classes, 2), (2, 5, 6))
    weights = RNG.uniform(0, 2, (2, 5, 6)).astype("float32") * (RNG.random((2, 5, 6)) < 0.8)
    targets = ops.one_hot(labels, classes) if classes > 1 else ops.cast(labels[..., None], "float32")
    logits_in, weights_in = ops.convert_to_tensor(logits), ops.convert_to_tensor(weights)
    found = {
        "cross_entropy": weighted_mean(cross_entropy(targets, logits_in), weights_in),
        "focal": weighted_mean(focal(targets, logits_in), weights_in),
        "dice": dice(targets, logits_in, ops.cast(weights_in > 0, "float32")),
    }
    for name, value in reference(logits, labels, weights).items():
        assert float(found[name]) == pytest.approx(value, rel=1e-5), name


def test_terms_average_the_heads_and_skip_void_pixels():
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Identity()])
    objective = SegmentationObjective(network, Losses(cross_entropy=2.0, dice=1.0, focal=0.5), None)
    heads = {f"head{i}": RNG.normal(0, 2, (2, 4, 5, 3)).astype("float32") for i in (1, 2)}
    labels = RNG.integers(0, 3, (2, 4, 5)).astype("uint8")
    weights = np.ones(labels.shape, "float32")
    labels[0, :2], weights[0, :2] = VOID, 0.0
    found = objective.terms(None, {"labels": labels, "weights": weights}, heads, True)
    expected = [reference(h, np.where(weights > 0, labels, 0), weights) for h in heads.values()]
    for name, factor in {"cross_entropy": 2.0, "dice": 1.0, "focal": 0.5}.items():
        assert float(found[name]) == pytest.approx(factor * np.mean([e[name] for e in expected]), rel=1e-5), (
            name
        )


def test_class_weights_multiply_their_pixels():
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Identity()])
    objective = SegmentationObjective(network, Losses(), (1.0, 5.0, 0.5))
    logits = RNG.normal(0, 2, (1, 4, 5, 3)).astype("float32")
    labels = RNG.integers(0, 3, (1, 4, 5)).astype("uint8")
    y = {"labels": labels, "weights": np.ones(labels.shape, "float32")}
    expected = reference(logits, labels, np.array([1.0, 5.0, 0.5])[labels])
    assert float(objective.terms(None, y, {"logits": logits}, True)["cross_entropy"]) == pytest.approx(
        expected["cross_entropy"], rel=1e-5
    )


def hard_reference(logits, labels, weights, threshold, kept):
    """The mean of the pixels below the threshold that OHEM raises to, in float64."""
    logits, labels, weights = logits.astype("float64")[weights > 0], labels[weights > 0], weights[weights > 0]
    if logits.shape[-1] == 1:
        logits = np.concatenate([0 * logits, logits], -1)
    true = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))[np.arange(len(labels)), labels]
    bound = max(threshold, np.sort(true)[min(int(kept * len(true)), len(true) - 1)])
    chosen = true < bound
    return (-np.log(true) * weights)[chosen].sum() / weights[chosen].sum()


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize(("threshold", "kept"), [(0.9, 0.1), (0.5, 0.0), (1e-3, 0.25), (1e-6, 1.0)])
def test_hard_pixels_are_those_below_the_threshold_or_the_hardest(classes, threshold, kept):
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Identity()])
    losses = Losses(cross_entropy=0.0, ohem=2.0, ohem_threshold=threshold, ohem_kept=kept)
    objective = SegmentationObjective(network, losses, None)
    logits = RNG.normal(0, 2, (2, 9, 11, classes)).astype("float32")
    labels = RNG.integers(0, max(classes, 2), (2, 9, 11)).astype("uint8")
    weights = RNG.uniform(0.5, 2, labels.shape).astype("float32")
    labels[0, :2], weights[0, :2] = VOID, 0.0
    expected = hard_reference(logits, labels, weights, threshold, kept)
    found = objective.terms(None, {"labels": labels, "weights": weights}, {"logits": logits}, True)
    assert list(found) == ["ohem"]
    assert float(found["ohem"]) == pytest.approx(2 * expected, rel=1e-5)


def test_batch_of_void_pixels_gives_a_finite_loss_without_gradient():
    network = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Identity()])
    objective = SegmentationObjective(network, Losses(dice=1.0, ohem=1.0), None)
    y = {"labels": np.full((1, 4, 5), VOID, "uint8"), "weights": np.zeros((1, 4, 5), "float32")}
    found = objective.terms(None, y, {"logits": np.ones((1, 4, 5, 3), "float32")}, True)
    assert {name: float(v) for name, v in found.items()} == {"cross_entropy": 0.0, "dice": 0.0, "ohem": 0.0}


def test_border_weights_reach_the_targets():
    family = TINY["unetpp"]
    weights = RNG.uniform(0.5, 10, (16, 16)).astype("float32")
    labels = RNG.integers(0, 2, (16, 16)).astype("uint8")
    labels[0] = VOID
    _, placement = family.prepare(np.zeros((16, 16, 3), "uint8"))
    y = family.encode(Mask(labels, weights), placement)
    np.testing.assert_array_equal(y["weights"][1:], weights[1:])
    assert not y["weights"][0].any()
