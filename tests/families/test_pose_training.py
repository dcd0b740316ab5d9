"""Training steps of pose: what is ignored teaches nothing, small batches add up, halves do."""

import dataclasses

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.data.augment import Augmentation
from kerazoo.data.loader import stream
from kerazoo.families.openpose import OpenPose
from kerazoo.families.openpose.codec import STRIDE
from kerazoo.families.openpose.heads import channels_of
from kerazoo.optimizer import Optimizer, Schedule, learning_rate_schedule
from kerazoo.structures.keypoints import People
from kerazoo.structures.placement import Window
from kerazoo.structures.skeleton import COCO18
from tests.cases import case_of
from tests.tiny import TINY

FAMILY = OpenPose(stages=1, height=64)
ROWS, COLUMNS = 64, 128
LEFT, RIGHT = slice(0, 8), slice(8, 16)
"""Columns of the maps in which either of two people stands."""


class Free(keras.layers.Layer):
    """A value of its own for every cell, whatever the image: what moves it is its gradient."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, _):
        cells = (1, ROWS // STRIDE, COLUMNS // STRIDE, self.channels)
        self.cells = self.add_weight(shape=cells, initializer="random_normal", name="cells")

    def call(self, image):
        return 0 * keras.ops.mean(image, axis=(1, 2, 3), keepdims=True) + self.cells


def twins():
    """Return an image of two people who look alike, and the truth that only the left one is labelled.

    Each is the same noise; the right one stands in a crowd.
    """
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (ROWS, COLUMNS // 2, 3), "uint8")
    points = rng.uniform(8, 56, (1, len(COCO18.points), 2)).astype("float32")
    ignore = np.zeros((ROWS, COLUMNS), "uint8")
    ignore[:, COLUMNS // 2 :] = 1
    whole = np.array([[0, 0, COLUMNS // 2, ROWS]], "float32")
    truth = People(
        points, np.full(points.shape[:2], 2, "uint8"), whole, np.array([900.0], "float32"), COCO18, ignore
    )
    return np.concatenate([one, one], axis=1), truth


def trained(layer, truth, image, steps, **optimizer):
    """Return the heat maps and fields `(h, w, C)` of one layer per branch, before and after some steps."""
    inputs = keras.Input((ROWS, COLUMNS, 3))
    channels = channels_of(len(COCO18.points), len(COCO18.limbs))
    network = keras.Model(
        inputs,
        {
            f"stage1_{branch}": layer(count, name=f"stage1_{branch}")(inputs)
            for branch, count in channels.items()
        },
    )
    model = FAMILY.objective(network)
    model.compile(optimizer=made(**optimizer), jit_compile=backends.jit_training())
    x = FAMILY.normalised(image)[None]
    y = FAMILY.encode(truth, Window(0, 0, COLUMNS, ROWS, COLUMNS, ROWS))
    y = {name: value[None] for name, value in y.items()}
    before = network.predict_on_batch(x)
    model.fit(
        backends.fit_input((x, y) for _ in range(steps)), steps_per_epoch=steps, shuffle=False, verbose=0
    )
    after = network.predict_on_batch(x)
    return [(before[name][0], after[name][0]) for name in network.output]


def made(rate=0.1, mixed=False, **settings):
    constant = learning_rate_schedule(rate, Schedule(kind="constant"), updates=100, warmup=0)
    return Optimizer(**settings).build(constant, mixed=mixed)


def patch(channels, name):
    return keras.layers.Conv2D(channels, STRIDE, STRIDE, kernel_initializer="zeros", name=name)


def test_no_gradient_comes_from_where_it_is_silent():
    image, truth = twins()
    told = dataclasses.replace(truth, ignore=None)
    for before, after in trained(Free, truth, image, 1, name="sgd", momentum=0.0):
        np.testing.assert_array_equal(after[:, RIGHT], before[:, RIGHT])
        assert (after[:, LEFT] != before[:, LEFT]).all()
    for before, after in trained(Free, told, image, 1, name="sgd", momentum=0.0):
        assert (after[:, RIGHT] != before[:, RIGHT]).all()


def test_who_is_in_a_crowd_is_not_learned_to_be_nobody():
    """A network that sees the labelled one must see the other, who looks the same, unless it is punished."""
    image, truth = twins()
    nobody = dataclasses.replace(truth, ignore=None)
    target = FAMILY.encode(truth, Window(0, 0, COLUMNS, ROWS, COLUMNS, ROWS))["heatmaps"][:, LEFT, :-1]
    top = target > 0.7
    heights = {}
    for name, people in (("ignored", truth), ("punished", nobody)):
        (_, after), _ = trained(patch, people, image, 400, rate=0.02)
        heights[name] = [float(after[:, side, :-1][top].mean()) for side in (LEFT, RIGHT)]
    expected = float(target[top].mean())
    assert heights["ignored"] == pytest.approx([expected, expected], abs=0.05)
    assert heights["punished"] == pytest.approx([expected / 2, expected / 2], abs=0.05)


def steps(name, optimizer, batch, count):
    """Return a family's weights before and after some batches of eight samples, and the log.

    Batch normalisation stands still.
    """
    keras.utils.set_random_seed(0)
    family = TINY[name]
    network = family.build()
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    model = family.objective(network)
    model.compile(optimizer=optimizer, jit_compile=backends.jit_training())
    model.optimizer.build(model.trainable_variables)
    case = case_of(family)
    eight = stream(case.samples(8), family, Augmentation(crop=case.window()), batch=8, seed=0)[0]
    parts = [keras.tree.map_structure(lambda a, i=i: a[i : i + batch], eight) for i in range(0, 8, batch)]
    before = [keras.ops.convert_to_numpy(v).copy() for v in network.trainable_variables]
    feed = backends.fit_input(parts[step % len(parts)] for step in range(count))
    logs = model.fit(feed, steps_per_epoch=count, shuffle=False, verbose=0).history
    after = [keras.ops.convert_to_numpy(v) for v in network.trainable_variables]
    return before, after, logs


def test_two_accumulated_batches_are_one_of_twice_the_size():
    sgd = {"name": "sgd", "momentum": 0.0, "learning_rate": 1e-4}
    before, whole, _ = steps("openpose", made(**sgd), 8, 1)
    _, halves, _ = steps("openpose", made(**sgd, accumulate=2), 4, 2)
    _, waiting, _ = steps("openpose", made(**sgd, accumulate=2), 4, 1)
    for old, one, two, none in zip(before, whole, halves, waiting, strict=True):
        largest = np.abs(one - old).max()
        assert largest > 0
        np.testing.assert_allclose(two, one, rtol=1e-6, atol=1e-4 * largest)
        np.testing.assert_array_equal(none, old)


@pytest.mark.parametrize("name", ["openpose", pytest.param("hrnet-pose", marks=pytest.mark.slow)])
def test_halves_train_with_a_scaled_loss(name):
    """A sum over all cells is large: the scale that the loss begins with must come down to it first."""
    keras.config.set_dtype_policy("mixed_float16")
    optimizer = made(rate=1e-3, mixed=True)
    before, after, logs = steps(name, optimizer, 4, 12)
    assert int(optimizer.inner_optimizer.iterations) >= 4
    assert all(value.dtype == "float32" and np.isfinite(value).all() for value in after)
    assert all((value != old).any() for old, value in zip(before, after, strict=True))
    assert np.isfinite(logs["loss"][0])
