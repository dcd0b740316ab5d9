"""Suppression inside a network, against golden files and against NumPy's."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from kerazoo.layers.suppression import Suppression
from kerazoo.tasks.detection.overlaps import diou, iou
from kerazoo.tasks.detection.suppression import unsuppressed

EXPONENTS = {"iou": None, "diou": 1.0, "diou06": 0.6}
HOW = {"threshold": 0.4, "top": 30, "least": 0.1}


def answer(layer, boxes, scores):
    found = layer(ops.convert_to_tensor(boxes), ops.convert_to_tensor(scores))
    return {name: ops.convert_to_numpy(value) for name, value in found.items()}


def scenes(count, boxes=40, classes=3):
    """Return crowded boxes `(count, boxes, 4)` and scores `(count, boxes, classes)`."""
    rng = np.random.default_rng(0)
    corners, sides = rng.uniform(0, 100, (count, boxes, 2)), rng.uniform(5, 60, (count, boxes, 2))
    scores = np.square(rng.random((count, boxes, classes))).astype("float32")
    return np.concatenate([corners, corners + sides], axis=-1).astype("float32"), scores


def in_numpy(boxes, scores, threshold, top, least, overlap):
    """Return boxes, labels and scores that stay, for one image."""
    box, label = np.nonzero(scores > least)
    kept = unsuppressed(boxes[box], label, scores[box, label], threshold, overlap)[:top]
    return boxes[box[kept]], label[kept], scores[box[kept], label[kept]]


def check_against_numpy(found, boxes, scores, **how):
    for image in range(len(boxes)):
        expected = in_numpy(boxes[image], scores[image], **how)
        count = found["count"][image]
        assert count == len(expected[0])
        for name, value in zip(("boxes", "classes", "scores"), expected, strict=True):
            np.testing.assert_array_equal(found[name][image, :count], value)
            assert not found[name][image, count:].any()


@pytest.mark.parametrize("kind", EXPONENTS)
def test_what_stays_equals_the_golden_file(shared, kind):
    path = shared / "parity/golden/diou_nms.npz"
    if not path.is_file():
        pytest.skip(f"no golden file at {path}")
    told = dict(np.load(path))
    expected = told[f"keep_{kind}_0.45"]
    layer = Suppression(0.45, top=480, candidates=480, exponent=EXPONENTS[kind])
    found = answer(layer, told["boxes"][None], told["scores"][None])
    assert found["count"].tolist() == [expected.sum()]
    scores = np.sort(told["scores"][expected])[::-1]
    np.testing.assert_array_equal(found["scores"][0, : expected.sum()], scores)


def test_the_selection_of_a_two_stage_detector_equals_the_golden_file(shared):
    path = shared / "parity/golden/classwise_nms.npz"
    if not path.is_file():
        pytest.skip(f"no golden file at {path}")
    told = dict(np.load(path))
    layer = Suppression(0.5, top=100, least=0.05)
    found = answer(layer, told["boxes"][None], told["probabilities"][None, :, :4])
    assert found["count"].tolist() == [100]
    np.testing.assert_array_equal(found["classes"][0], told["class"])
    np.testing.assert_array_equal(found["scores"][0], told["score"])
    np.testing.assert_array_equal(found["boxes"][0], told["boxes"][told["box_index"]])


@pytest.mark.parametrize("kind", EXPONENTS)
def test_random_scenes_equal_numpy(kind):
    boxes, scores = scenes(12)
    exponent = EXPONENTS[kind]
    found = answer(Suppression(**HOW, candidates=200, exponent=exponent), boxes, scores)
    overlap = iou if exponent is None else functools.partial(diou, exponent=exponent)
    check_against_numpy(found, boxes, scores, **HOW, overlap=overlap)
    assert {name: value.dtype.name for name, value in found.items()} == {
        "boxes": "float32", "scores": "float32", "classes": "int32", "count": "int32",
    }  # fmt: skip


def test_images_of_nothing_and_of_equal_boxes():
    boxes = np.tile(np.array([5, 5, 20, 30], "float32"), (2, 4, 1))
    scores = np.array([[[0.0, 0.0]] * 4, [[0.9, 0.2], [0.8, 0.6], [0.7, 0.1], [0.1, 0.1]]], "float32")
    found = answer(Suppression(0.5, top=3), boxes, scores)
    assert found["count"].tolist() == [0, 2]
    np.testing.assert_allclose(found["scores"], [[0, 0, 0], [0.9, 0.6, 0]])
    assert found["classes"].tolist() == [[0, 0, 0], [0, 1, 0]]


def test_fewer_candidates_are_the_best_ones():
    boxes, scores = scenes(1)
    few = answer(Suppression(1.0, top=9, candidates=5), boxes, scores)
    assert few["count"].tolist() == [5]
    np.testing.assert_array_equal(few["scores"][0, :5], np.sort(scores.ravel())[::-1][:5])


def network(**changes):
    """Return a network whose image, `(N, B, 1, 7)`, is boxes with their scores."""
    image = keras.Input((None, 1, 7), name="image")
    layer = Suppression(**HOW, candidates=200, **changes)
    return keras.Model({"image": image}, layer(image[:, :, 0, :4], image[:, :, 0, 4:]))


def as_image(boxes, scores):
    return np.concatenate([boxes, scores], axis=-1)[:, :, None]


def test_a_network_of_unknown_batch_and_number_of_boxes():
    model = network()
    assert {name: tensor.shape for name, tensor in model.output.items()} == {
        "boxes": (None, 30, 4), "scores": (None, 30), "classes": (None, 30), "count": (None,),
    }  # fmt: skip
    for count, number in ((1, 40), (3, 7)):
        boxes, scores = scenes(count, number)
        found = model.predict_on_batch({"image": as_image(boxes, scores)})
        check_against_numpy(found, boxes, scores, **HOW, overlap=iou)
    layer = model.get_layer("suppression")
    assert Suppression.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("exponent", [None, 0.6])
def test_savedmodel_and_onnx_answer_the_same(tmp_path, backend, exponent):
    if backend != "tensorflow":
        pytest.skip("exports are made on TensorFlow")
    pytest.importorskip("tf2onnx")
    from kerazoo.engine.export import onnx, savedmodel

    model = network(exponent=exponent)
    overlap = iou if exponent is None else functools.partial(diou, exponent=exponent)
    savedmodel.write(model, tmp_path / "saved")
    onnx.write(model, tmp_path / "model.onnx", ("a", "b", "c"))
    for forward in (savedmodel.forward(tmp_path / "saved"), onnx.forward(tmp_path / "model.onnx")):
        for count, number in ((1, 40), (3, 7)):
            boxes, scores = scenes(count, number)
            check_against_numpy(forward(as_image(boxes, scores)), boxes, scores, **HOW, overlap=overlap)
