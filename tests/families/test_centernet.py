"""CenterNet as a family: framing, the exported graph, test-time averaging."""

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.errors import UserError
from kerazoo.families.centernet import CenterNet
from kerazoo.families.centernet.serving import Centers
from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.task import Options
from kerazoo.tasks.detection.exported import objects_apart
from tests.tiny import TINY

SMALL = TINY["centernet"]
SIZES = [(64, 64), (100, 150), (333, 40), (20, 31)]


def image_of(size):
    return np.random.default_rng(0).integers(0, 256, (*size, 3)).astype("uint8")


def shaken(family):
    """A network whose maps differ from cell to cell, and whose sizes are some cells."""
    network = family.build()
    rng = np.random.default_rng(1)
    for variable in network.trainable_variables:
        layer, _, name = variable.path.partition("/")
        if layer.startswith("up") and name == "kernel":  # begins near 0
            variable.assign(rng.normal(0, 0.3, variable.shape))
        elif layer in ("heatmap", "size", "offset"):
            middle = 4 if variable.path == "size/bias" else 0
            spread = 0.0 if layer == "offset" else 0.02
            variable.assign(rng.normal(middle, spread, variable.shape))
    return network


@pytest.mark.parametrize("size", SIZES)
def test_the_exported_graph_finds_what_predict_finds(size):
    network, image = shaken(SMALL), image_of(size)
    expected = next(SMALL.infer(backends.forward(network), [image]))
    served = SMALL.serving(network)({"image": image[None].astype("float32")})
    found = {name: keras.ops.convert_to_numpy(value)[0] for name, value in served.items()}
    count = found["count"]
    assert count == len(expected.scores) > 15
    np.testing.assert_allclose(found["scores"][:count], expected.scores, atol=1e-5)
    sure = np.s_[:15]  # rounding changes the order of the last ones
    np.testing.assert_allclose(found["boxes"][sure], expected.boxes[sure], atol=0.01)
    assert (found["classes"][sure] == expected.labels[sure]).all()
    assert not any(found[name][count:].any() for name in ("boxes", "scores", "classes"))


def test_boxes_end_at_the_image_and_those_without_area_are_none():
    maps = {
        name: np.zeros((1, 16, 16, channels), "float32")
        for name, channels in (("heatmap", 3), ("size", 2), ("offset", 2))
    }
    maps["heatmap"][...] = -200
    maps["heatmap"][0, 0, 0, 1], maps["heatmap"][0, 8, 8, 2] = 5, 4
    maps["size"][0, 0, 0] = 6
    image = np.zeros((1, 64, 64, 3), "float32")
    found = Centers(100)([*maps.values(), image])
    found = {name: keras.ops.convert_to_numpy(value)[0] for name, value in found.items()}
    assert found["count"] == 1
    assert found["classes"][0] == 1
    np.testing.assert_allclose(found["boxes"][0], [0, 0, 12, 12])


def test_a_whole_image_lies_in_the_middle_of_the_input():
    wide = np.full((30, 60, 3), 200, "uint8")
    x, placement = SMALL.prepare(wide)
    assert x.shape == (64, 64, 3)
    assert placement.size == (30, 60)
    beyond = SMALL.normalised(np.full((1, 1, 3), 127, "uint8"))[0, 0]
    np.testing.assert_allclose(x[0, 0], beyond, atol=1e-5)
    truth = Boxes(
        np.array([[0, 0, 60, 30]], "float32"),
        np.zeros(1, "int32"),
        np.zeros(1, bool),
        np.zeros(1, bool),
        (30, 60),
    )
    targets = SMALL.encode(truth, placement)
    assert targets["cells"][0] == 8 * 16 + 8
    np.testing.assert_allclose(targets["size"][0], [16, 8])


def test_the_mirror_image_counts_half():
    network = shaken(SMALL)
    forward = backends.forward(network)
    image = image_of((64, 64))
    (averaged,) = SMALL.views(forward, image)
    (mirrored,) = SMALL.views(forward, image[:, ::-1])
    left, top, right, bottom = mirrored.boxes.T
    turned = np.stack([64 - right, top, 64 - left, bottom], axis=-1)
    # Offsets are those of the image itself, so boxes agree to a cell; at the border, one may be outside.
    np.testing.assert_allclose(averaged.scores[:5], mirrored.scores[:5], atol=1e-5)
    assert np.median(np.abs(averaged.boxes[:5] - turned[:5])) < 4


@pytest.mark.parametrize("settings", [{"size": (100, 128)}, {"backbone": "hourglass104", "size": (96, 128)}])
def test_sizes_that_a_backbone_does_not_take_are_refused(settings):
    with pytest.raises(ValueError, match="size needs multiples of"):
        CenterNet(**settings)


def test_windows_that_do_not_divide_are_refused():
    with pytest.raises(UserError, match="do not divide by 32; set augmentation.crop"):
        SMALL.prepare(image_of((70, 64)), whole=False)


def test_another_scale_is_another_size_of_the_input():
    assert CenterNet(size=(512, 384)).at_scale(0.5).size == (256, 192)
    assert CenterNet(size=(64, 64)).at_scale(0.1).size == (32, 32)


def test_the_hourglass_predicts_by_its_last_stack():
    image = keras.Input((None, None, 3))
    names = ("stack1_heatmap", "heatmap", "size", "offset")
    network = keras.Model(image, {name: keras.layers.Conv2D(2, 1)(image) for name in names})
    assert set(SMALL.deploy(network).output) == {"heatmap", "size", "offset"}
    assert SMALL.deploy(SMALL.deploy(network)) is not network


def test_exported_objects_are_compared_by_class_whatever_their_order():
    def outputs(boxes, scores, classes):
        return {
            "boxes": np.array([boxes], "float32"), "scores": np.array([scores], "float32"),
            "classes": np.array([classes], "int32"), "count": np.array([len(scores)]),
        }  # fmt: skip

    one, two, last = [0, 0, 10, 10], [50, 50, 100, 100], [1, 1, 2, 2]
    expected = outputs([one, two, last], [0.9, 0.9, 0.1], [0, 1, 0])
    assert objects_apart(expected, outputs([two, one, one], [0.9, 0.9, 0.1], [1, 0, 2])) == 0
    moved = outputs([one, [50, 50, 100, 101], last], [0.9, 0.9, 0.1], [0, 1, 0])
    assert objects_apart(expected, moved) == pytest.approx(0.01)
    assert objects_apart(expected, outputs([one, two, last], [0.9, 0.9, 0.1], [0, 0, 0])) > 0.4
    assert objects_apart(expected, outputs([one, two, last], [0.9, 0.8, 0.1], [0, 1, 0])) == pytest.approx(
        0.1
    )


def test_what_is_shown_has_a_score():
    found = Detections(np.zeros((2, 4), "float32"), np.zeros(2, "int32"), np.array([0.5, 0.2], "float32"))
    assert len(SMALL.shown(found).scores) == 1


def test_whole_images_share_batches_and_tiles_do_not():
    network, sizes = shaken(SMALL), []
    forward = backends.forward(network)

    def counted(x):
        sizes.append(len(x))
        return forward(x)

    images = [image_of(size) for size in SIZES]
    together = list(SMALL.infer(counted, images, Options(tile=200)))
    assert sizes[:2] == [2, 1]  # the third is in tiles
    assert sum(sizes[2:]) > 1
    alone = [next(SMALL.infer(forward, [image], Options(tile=200))) for image in images]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.scores[:5], other.scores[:5], atol=1e-5)
        np.testing.assert_allclose(one.boxes[:5], other.boxes[:5], atol=1e-2)
