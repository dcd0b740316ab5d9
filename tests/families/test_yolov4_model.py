"""The networks of YOLOv4: sizes, shapes, and what they begin with."""

import itertools

import keras
import numpy as np
import pytest

from kerazoo import models
from kerazoo.families.yolov4.configuration import units
from kerazoo.families.yolov4.dropblock import DropBlock

BUILDERS = {"yolov4": {"width": 2, "depth": 0.1}, "yolov4_tiny": {"width": 4}}


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("size", [(64, 96), (61, 33), (1, 1)])
def test_any_size_is_answered_and_mirrored_to_multiples_of_32(name, size):
    network = getattr(models, name)(classes=3, **BUILDERS[name])
    x = np.random.default_rng(0).uniform(0, 1, (1, *size, 3)).astype("float32")
    padded = [-(-side // 32) * 32 for side in size]
    for head, maps in network(x, training=False).items():
        stride = int(head.removeprefix("stride"))
        assert tuple(maps.shape) == (1, *(side // stride for side in padded), 24)


def test_the_pyramid_joins_larger_windows_first_and_the_map_last():
    # The fixture cannot tell: on its map of 2 x 3 cells all windows see the whole.
    network = models.yolov4(classes=1, **BUILDERS["yolov4"])
    join = keras.Model(network.input, network.get_layer("spp_join").output)
    x = np.random.default_rng(0).uniform(0, 1, (1, 512, 512, 3)).astype("float32")
    parts = np.split(keras.ops.convert_to_numpy(join(x, training=False)), 4, axis=-1)  # (1, 16, 16, C) each
    for larger, smaller in itertools.pairwise(parts):
        assert (larger >= smaller).all()
        assert (larger > smaller).any()


def test_depth_and_width_are_in_proportion():
    assert units(1.0) == (1, 2, 8, 8, 4)
    assert units(0.34) == (1, 1, 3, 3, 1)
    narrow, wide = (models.csp_darknet_features(width=w, depth=0.1).output for w in (4, 8))
    assert [m.shape[-1] for m in wide.values()] == [2 * m.shape[-1] for m in narrow.values()]


def test_the_trunk_is_that_of_the_network():
    network, trunk = models.yolov4(width=2, depth=0.2), models.csp_darknet_features(width=2, depth=0.2)
    shapes = {v.path: v.shape for v in network.weights}
    assert {v.path: v.shape for v in trunk.weights}.items() <= shapes.items()
    assert [m.shape[-1] for m in trunk.output.values()] == [4, 8, 16, 32, 64]


@pytest.mark.parametrize("name", BUILDERS)
def test_a_new_network_expects_nothing(name):
    network = getattr(models, name)(classes=3, **BUILDERS[name])
    maps = network(np.zeros((1, 64, 64, 3), "float32"), training=False)
    for head in map(keras.ops.convert_to_numpy, maps.values()):
        each = head.reshape(-1, 8)
        np.testing.assert_allclose(each[:, 4], -4.6, atol=0.5)
        np.testing.assert_allclose(np.delete(each, 4, axis=1), 0, atol=0.5)


def test_dropblock_drops_squares_while_training_only():
    layer, x = DropBlock(0.2, block=3, seed=0), np.ones((4, 40, 40, 8), "float32")
    assert (keras.ops.convert_to_numpy(layer(x, training=False)) == x).all()
    y = keras.ops.convert_to_numpy(layer(x, training=True))
    assert y.mean() == pytest.approx(1, abs=1e-3)
    dropped = y == 0
    assert dropped.mean() == pytest.approx(0.2, abs=0.03)
    # Whoever is dropped lies in a square of 3 x 3: it has a dropped neighbour.
    beside = np.zeros_like(dropped)
    for axis, step in ((1, 1), (1, -1), (2, 1), (2, -1)):
        beside |= np.roll(dropped, step, axis)
    inner = np.s_[:, 1:-1, 1:-1]
    assert beside[inner][dropped[inner]].all()
    assert (keras.ops.convert_to_numpy(layer(x, training=True)) != y).any()  # others each time


def test_dropblock_is_no_part_of_the_weights():
    plain, dropping = (models.yolov4_tiny(classes=3, width=4, dropblock=rate) for rate in (0.0, 0.1))
    assert [v.path for v in plain.weights] == [v.path for v in dropping.weights]
    x = np.ones((1, 64, 64, 3), "float32")
    for network, same in ((plain, True), (dropping, False)):
        one, two = (keras.ops.convert_to_numpy(network(x, training=True)["stride16"]) for _ in range(2))
        assert (one == two).all() == same
