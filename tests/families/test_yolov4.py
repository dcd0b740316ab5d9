"""YOLOv4 as a family: framing, the exported graph, weights, planned anchors."""

import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.checkpoints.darknet import write_values
from kerazoo.checkpoints.read import read
from kerazoo.errors import UserError
from kerazoo.families.yolov4 import YOLOv4
from kerazoo.families.yolov4.anchors import box_sizes
from kerazoo.families.yolov4.importer import write_darknet
from kerazoo.structures.boxes import Boxes
from kerazoo.structures.fingerprint import Grounds
from kerazoo.task import Options
from kerazoo.tasks.framing import letterbox, seen
from tests.tasks.test_planning import alike
from tests.tiny import TINY

SIZES = [(64, 64), (100, 150), (333, 40), (20, 31)]


def image_of(size):
    return np.random.default_rng(0).integers(0, 256, (*size, 3)).astype("uint8")


def shaken(family):
    """A network whose heads differ from cell to cell."""
    network, rng = family.build(), np.random.default_rng(1)
    for variable in network.trainable_variables:
        if variable.path in {f"{name}/kernel" for name in family.heads().names()}:
            variable.assign(rng.normal(0, 0.4, variable.shape))
        elif variable.path.startswith("stride") and variable.path.endswith("/bias"):
            variable.assign(rng.normal(-0.5, 0.5, variable.shape))
    return network


@pytest.mark.parametrize(("name", "size"), [("yolov4", SIZES[1]), *(("yolov4-tiny", size) for size in SIZES)])
def test_the_exported_graph_finds_what_predict_finds(size, name):
    family = TINY[name]
    network, image = shaken(family), image_of(size)
    expected = next(family.infer(backends.forward(network), [image]))
    served = family.serving(network)({"image": image[None].astype("float32")})
    found = {key: keras.ops.convert_to_numpy(value)[0] for key, value in served.items()}
    count = found["count"]
    assert count == len(expected.scores) > 15
    np.testing.assert_allclose(found["scores"][:count], expected.scores, atol=1e-5)
    sure = np.s_[:10]  # rounding changes the order of the last ones
    np.testing.assert_allclose(found["boxes"][sure], expected.boxes[sure], atol=0.01)
    assert (found["classes"][sure] == expected.labels[sure]).all()
    assert not any(found[key][count:].any() for key in ("boxes", "scores", "classes"))


def test_a_whole_image_is_stretched_not_letterboxed():
    family = TINY["yolov4"]
    wide = image_of((30, 60))
    x, placement = family.prepare(wide)
    assert x.shape == (64, 64, 3)
    assert 0 <= x.min() < x.max() <= 1
    boxed = seen(wide, letterbox(30, 60, (64, 64))) / 255
    assert np.abs(x - boxed).max() > 0.3
    box = np.array([[0, 0, 60, 15]], "float32")
    truth = Boxes(box, np.zeros(1, "int32"), np.zeros(1, bool), np.zeros(1, bool), (30, 60))
    np.testing.assert_allclose(family.encode(truth, placement)["boxes"][0], [0.5, 0.25, 1, 0.5])


def test_windows_that_do_not_divide_are_refused():
    with pytest.raises(UserError, match="do not divide by 32; set augmentation.crop"):
        TINY["yolov4"].prepare(image_of((70, 64)), whole=False)


def test_another_scale_is_another_size_of_the_input():
    assert YOLOv4(size=(512, 384)).at_scale(0.5).size == (256, 192)
    assert YOLOv4(size=(64, 64)).at_scale(0.1).size == (32, 32)


def test_the_mirror_image_is_looked_at_too():
    family = TINY["yolov4-tiny"]
    forward, image = backends.forward(shaken(family)), image_of((64, 64))
    straight, mirrored = family.views(forward, image)
    (alone,) = family.infer(forward, [image])
    np.testing.assert_array_equal(straight.boxes, alone.boxes)
    (turned,) = family.infer(forward, [np.ascontiguousarray(image[:, ::-1])])
    np.testing.assert_allclose(mirrored.boxes[:, 0], 64 - turned.boxes[:, 2])
    (both,) = family.infer(forward, [image], Options(tta=True))
    assert 0 < len(both.scores) <= 100


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"size": (100, 128)}, "multiple of 32"),
        ({"counters_per_class": (1, 2)}, "counters_per_class needs 80 numbers"),
        ({"masks": ((0, 1, 2),)}, "masks needs 3 anchors for each of 3 heads"),
        ({"anchors": ((1.0, 1.0), (2.0, 2.0))}, "masks name more than the 2 anchors"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        YOLOv4(**settings)


# --- weights -------------------------------------------------------------------------------------------


def test_darknets_files_of_its_own_shape_and_of_the_first_layers(tmp_path):
    family = TINY["yolov4-tiny"]
    network, path = shaken(family), tmp_path / "own.weights"
    write_darknet(network, path, family.convolutions())
    arrays = read(path)
    other = YOLOv4(classes=7, network="yolov4-tiny", width=4, size=(64, 64))
    assert other.for_checkpoint(arrays).classes == 3
    started, variables = other.start(arrays)
    assert started.classes == 3
    assert variables.keys() == {variable.path for variable in network.weights}

    first = sum(c.values() for c in family.convolutions()[:6])
    write_values(tmp_path / "part.weights", [arrays["darknet"][:first]])
    started, variables = other.start(read(tmp_path / "part.weights"))
    assert started == other
    assert len(variables) == 6 * 5
    with pytest.raises(UserError, match="is not in the layout darknet or port"):
        other.for_checkpoint(read(tmp_path / "part.weights"))


# --- the plan -------------------------------------------------------------------------------------------


def test_anchors_are_planned_from_boxes():
    rng = np.random.default_rng(0)
    measures = {
        "box size (pixels)": np.exp(rng.uniform(np.log(8), np.log(90), 300)).astype("float32"),
        "box width / height": np.exp(rng.normal(0, 0.3, 300)).astype("float32"),
    }
    data = alike(200, 100, measures=measures)
    for name, count in (("yolov4", 9), ("yolov4-tiny", 6)):
        family = YOLOv4(classes=2, network=name)
        told = {each.setting: each.value for each in family.planned(Grounds(data))}
        assert len(told["family.anchors"]) == count
        areas = np.prod(told["family.anchors"], axis=1)
        assert (np.diff(areas) > 0).all()
        assert told["family.masks"][-1] == (count - 3, count - 2, count - 1)
        assert "family.anchors" not in {e.setting for e in family.planned(Grounds(data, pretrained=True))}
    width, height = box_sizes(data, (100, 200)).T  # half as high, twice as wide
    np.testing.assert_allclose(np.sqrt(width * height), measures["box size (pixels)"], rtol=1e-5)
    np.testing.assert_allclose(width / height, 4 * measures["box width / height"], rtol=1e-5)
