"""Top-down pose and faces: flip test, boxes, loss, checkpoints, served graph."""

import dataclasses
import importlib

import cv2
import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.data.generated.sources import Figures
from kerazoo.data.keypoints.windows import Windows
from kerazoo.engine.export.verify import verified
from kerazoo.engine.training.initialise import initialise
from kerazoo.errors import UserError
from kerazoo.families.hrnet import Body, HRNetFace, HRNetPose, codec
from kerazoo.families.hrnet.pose_objective import JointObjective, serving_model
from kerazoo.layers import KeyPoints
from kerazoo.settings import replace
from kerazoo.structures.placement import Window
from kerazoo.structures.skeleton import COCO17, FACE68, FACE98, MPII
from kerazoo.task import Options
from tests.export.test_export import on_tensorflow
from tests.families.test_hrnet import CLASSIFICATION, POSE, SEGMENTATION, head_is_face, openmmlab, published
from tests.families.test_hrnet import TINY as BODY
from tests.hands import AS_PUBLISHED, HAND, SMALL, WHOLE, people, somewhere

# --- the flip test ----------------------------------------------------------------------------


def painter(family, points):
    """Return a stand-in for a network that sees the points of mirrored and of other inputs without fault.

    Inputs whose first pixel is brighter than their last are not mirrored.
    """
    swapped = family.skeleton.flip_indices()

    def forward(x):
        maps = []
        for each in x:
            mirror = each[0, 0, 0] < each[0, -1, 0]
            width = each.shape[1]
            where = np.stack([width - 1 - points[:, 0], points[:, 1]], axis=-1)[swapped] if mirror else points
            frame = Window(0, 0, width, len(each), width, len(each))
            maps.append(family.encode(people(where[None]), frame)["heatmaps"])
        return {"heatmaps": np.stack(maps)}

    return forward


def ramp(height=128, width=96):
    return np.broadcast_to(np.linspace(250, 0, width)[:, None], (height, width, 3)).astype("uint8")


def flip_test(family, shifted=None):
    """Return the mean error in x, in pixels, with the flip test."""
    if shifted is not None:
        family = replace(family, {"cells": "corner" if shifted else "centre"})
    off = []
    for points in somewhere(100):
        found = next(family.infer(painter(family, points), [ramp()], Options(tta=True)))
        off.append(found.points[0, :, 0] - points[:, 0])
    return np.mean(off), np.abs(off).mean()


def test_mirrored_maps_of_exact_targets_are_the_maps_themselves():
    points = somewhere(1)[0]
    forward, x = painter(SMALL, points), SMALL.normalised(ramp())[None]
    plain, turned = forward(x)["heatmaps"], forward(x[:, :, ::-1])["heatmaps"]
    assert np.abs(turned - plain).max() > 0.5
    from kerazoo.families.hrnet.top_down import mirrored

    np.testing.assert_allclose(mirrored(turned, HAND, shifted=False), plain, atol=1e-6)
    bias, off = flip_test(SMALL)
    assert abs(bias) < 1e-3
    assert off < 1e-2


def test_where_cells_are_counted_from_their_corner_the_published_shift_is_needed(monkeypatch):
    from kerazoo.families.hrnet import top_down

    bias, off = flip_test(AS_PUBLISHED)
    mirrored = top_down.mirrored
    monkeypatch.setattr(top_down, "mirrored", lambda maps, skeleton, shifted: mirrored(maps, skeleton, False))
    unshifted_bias, unshifted = flip_test(AS_PUBLISHED)
    assert abs(bias) < 0.6  # half of the quarter of a cell that a whole shift is too much
    assert unshifted_bias < -1.0
    assert unshifted > 1.1 * off


def test_a_symmetric_scene_is_answered_symmetrically():
    rng = np.random.default_rng(0)
    kernel, offset = rng.normal(size=(3, 5)), rng.normal(size=(32, 24, 5))

    def forward(x):  # knows left from right: no symmetry of its own
        pooled = x.reshape(len(x), 32, 4, 24, 4, 3).mean(axis=(2, 4))
        return {"heatmaps": cv2_blurred(pooled @ kernel + offset).astype("float32")}

    half = rng.integers(0, 256, (128, 48, 3), "uint8")
    image = np.concatenate([half, half[:, ::-1]], axis=1)
    plain, averaged = (
        next(SMALL.infer(forward, [image], Options(tta=tta))).points[0] for tta in (False, True)
    )
    turned = averaged[HAND.flip_indices()] * (-1, 1, 1) + (95, 0, 0)
    pairs = [0, 1, 3, 4]  # two cells of the middle point's map tie
    np.testing.assert_allclose(averaged[pairs], turned[pairs], atol=1e-3)
    assert np.abs(plain[0] - (plain[1] * (-1, 1, 1) + (95, 0, 0))).max() > 1


def cv2_blurred(maps):
    return np.stack([cv2.GaussianBlur(each, (0, 0), 2) for each in maps])


# --- boxes in an image --------------------------------------------------------------------


def brightest(x):
    """Return, for every input, maps of one Gaussian around the middle of what is bright."""
    maps = []
    for each in x:
        bright = np.maximum(each[..., 0] - 1, 0)
        y, x_ = np.indices(bright.shape)
        centre = np.array([[(bright * x_).sum(), (bright * y).sum()]]) / max(bright.sum(), 1e-6)
        maps.append(0.8 * codec.gaussians(np.repeat((centre - 1.5) / 4, 5, axis=0), (32, 24), 2.0, False))
    return {"heatmaps": np.stack(maps)}


def test_people_are_found_in_boxes():
    image = np.full((400, 600, 3), 60, "uint8")
    centres = [(100, 120), (420, 200), (560, 380)]
    for centre in centres:
        cv2.circle(image, centre, 6, (255, 255, 255), -1)
    boxes = np.array([[60, 60, 90, 130], [380, 140, 70, 120], [520, 300, 78, 160]], "float32")
    scores = np.array([0.5, 1.0, 0.25])
    found = SMALL.infer_boxes(brightest, image, boxes, scores)
    np.testing.assert_allclose(found.points[:, 0, :2], [centres[n] for n in (1, 0, 2)], atol=0.5)
    np.testing.assert_allclose(
        found.scores, 0.8 * np.array([1.0, 0.5, 0.25]), rtol=0.05
    )  # tops lie between cells
    assert found.points.shape == (3, 5, 3)
    flipped = SMALL.infer_boxes(brightest, image, boxes, scores, tta=True)
    np.testing.assert_allclose(flipped.points[..., :2], found.points[..., :2], atol=0.05)


def test_people_found_twice_are_one():
    image = np.full((200, 200, 3), 60, "uint8")
    boxes, scores = np.array([[50, 20, 60, 90], [51, 21, 60, 90]], "float32"), np.array([0.4, 0.9])

    def constant(x):
        return {"heatmaps": np.repeat(SMALL.encode(people(somewhere(1)), WHOLE)["heatmaps"][None], len(x), 0)}

    apart = SMALL.infer_boxes(constant, image, boxes + np.array([[0], [80]]) * (1, 0, 0, 0), scores)
    assert len(apart.points) == 2
    (score,) = SMALL.infer_boxes(constant, image, boxes, scores).scores
    assert score == apart.scores[0] == apart.scores.max()


def test_no_boxes_no_people():
    none = SMALL.infer_boxes(brightest, ramp(), np.zeros((0, 4)), np.zeros(0))
    assert (none.points.shape, none.scores.shape) == ((0, 5, 3), (0,))


def test_more_boxes_than_fit_into_a_batch():
    asked = []

    def counted(x):
        asked.append(len(x))
        return brightest(x)

    list(SMALL.infer(counted, [ramp()] * 40))
    assert asked == [32, 8]


# --- the loss ---------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_the_loss_is_what_numpy_computes(precision):
    keras.config.set_dtype_policy(precision)
    network = keras.Model(image := keras.Input((32, 24, 5)), {"heatmaps": image})
    rng = np.random.default_rng(0)
    found, targets = (rng.uniform(0, 1, (3, 32, 24, 5)).astype("float32") for _ in range(2))
    weights = rng.integers(0, 2, (3, 5)).astype("float32")
    terms = JointObjective(network).terms(
        None,
        {"heatmaps": targets, "weights": weights},
        {"heatmaps": keras.ops.convert_to_tensor(found)},
        True,
    )
    per_joint = [
        0.5 * np.mean((weights[:, k, None, None] * (found - targets)[..., k]).astype("float64") ** 2)
        for k in range(5)
    ]
    assert keras.backend.standardize_dtype(terms["heatmaps"].dtype) == "float32"
    assert float(terms["heatmaps"]) == pytest.approx(np.mean(per_joint), rel=1e-6)


def test_the_networks_maps_are_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    for family in (SMALL, HRNetFace(body=BODY)):
        network = family.build()
        assert {y.dtype for y in network.output.values()} == {"float32"}
        assert network.compute_output_shape((1, 64, 64, 3)) == {
            "heatmaps": (1, 16, 16, len(family.skeleton.points))
        }


# --- published weights ------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [dict, openmmlab])
def test_a_published_checkpoint_sets_the_family(stored):
    state = stored(published(**POSE))
    family = SMALL.for_checkpoint(state)
    assert (family.body, family.skeleton, family.fuse, family.size) == (BODY, HAND, "nearest", SMALL.size)
    assert (family.target, family.cells, family.decode_by) == ("rounded", "corner", "quarter")
    network = family.build()
    assert {v.path: tuple(v.shape) for v in network.weights} == {
        path: array.shape for path, array in family.convert(state).items()
    }


def with_points(state, key, count):
    change = {f"{key}.{name}": np.repeat(state[f"{key}.{name}"][:1], count, 0) for name in ("weight", "bias")}
    return state | change


def test_the_skeleton_is_that_of_the_checkpoint():
    for count, skeleton in ((17, COCO17), (16, MPII), (5, HAND)):
        assert SMALL.for_checkpoint(with_points(published(**POSE), "final_layer", count)).skeleton == skeleton
    face = head_is_face(published(**SEGMENTATION))
    for count, skeleton in ((68, FACE68), (98, FACE98)):
        family = HRNetFace(body=BODY).for_checkpoint(with_points(face, "head.3", count))
        assert family.skeleton == skeleton
        assert (family.fuse, family.cells, family.target) == ("bilinear", "centre", "rounded")
    with pytest.raises(UserError, match="has 29 points, the skeleton 17; write a recipe whose family has"):
        HRNetPose().for_checkpoint(with_points(published(**POSE), "final_layer", 29))
    with pytest.raises(UserError, match="not in the layout face"):
        HRNetFace().for_checkpoint(published(**POSE))


@pytest.mark.parametrize("family", [SMALL, HRNetFace(skeleton=HAND, body=BODY)])
def test_a_training_starts_from_a_classifier(family, tmp_path):
    np.savez(tmp_path / "classifier.npz", **published(**CLASSIFICATION))
    network = family.build()
    told = initialise(network, family, str(tmp_path / "classifier.npz"))
    new = {"heatmaps"} if type(family) is HRNetPose else {"head_conv", "head_conv_bn", "logits"}
    assert set(told.partition("new: ")[2].partition("; left out: ")[0].split(", ")) == new
    _, arrays = family.start(published(**CLASSIFICATION))
    assert arrays.keys() <= {variable.path for variable in network.weights}
    for variable in network.weights:
        if variable.path in arrays:
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), arrays[variable.path])
    with pytest.raises(UserError, match="were trained with family.body="):
        initialise(network, replace(family, {"body": Body()}), str(tmp_path / "classifier.npz"))


def test_a_training_of_other_points_starts_from_a_pose_network(tmp_path):
    np.savez(tmp_path / "pose.npz", **with_points(published(**POSE), "final_layer", 16))
    network = SMALL.build()
    assert initialise(network, SMALL, str(tmp_path / "pose.npz")).endswith("new: heatmaps")


# --- the served graph -------------------------------------------------------------------------

FAMILIES = {
    "exact": SMALL,
    "published": AS_PUBLISHED,
    "grey": replace(SMALL, {"channels": 1, "mean": (100.0,), "std": (50.0,)}),
    "bgr": replace(SMALL, {"order": "BGR", "size": (64, 128)}),
    "face": HRNetFace(skeleton=HAND, size=(64, 64)),
}


def patches(family):
    """Return a network with heat maps at stride 4 that is quick to build, run and export."""
    image = keras.Input((None, None, family.channels))
    kernel = keras.initializers.RandomNormal(stddev=0.02, seed=1)
    maps = keras.layers.Conv2D(5, 4, strides=4, kernel_initializer=kernel)(image)
    maps = keras.layers.DepthwiseConv2D(5, padding="same", depthwise_initializer="ones")(maps)
    return keras.Model(image, {"heatmaps": maps})


@pytest.mark.parametrize(("name", "shape"), [*((name, (300, 211)) for name in FAMILIES), ("bgr", (45, 70))])
def test_the_served_model_is_what_prediction_computes(name, shape):
    family = FAMILIES[name]
    network = patches(family)
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3), "uint8")
    expected = next(family.infer(backends.forward(network), [image])).points
    x = image if family.channels == 3 else (image @ np.float32([0.299, 0.587, 0.114]))[..., None]
    served = family.serving(network)({"image": x[None].astype("float32")})
    found = keras.ops.convert_to_numpy(served["keypoints"])
    certain = expected[..., 2] > 0.1  # beyond the image, cells are equally low
    assert certain.any()
    np.testing.assert_allclose(found[certain], expected[certain], rtol=0, atol=2e-3)
    assert served["heatmaps"].shape == (1, family.size[0] // 4, family.size[1] // 4, 5)


@pytest.mark.parametrize("sigma", [None, 2.0])
def test_the_graph_reads_points_as_the_codec_does(sigma):
    rng = np.random.default_rng(0)
    drawn = [codec.gaussians(rng.uniform(-2, 26, (9, 2)), (32, 24), 2.0, False) for _ in range(20)]
    maps = np.stack([*drawn, *rng.normal(size=(20, 32, 24, 9)), np.zeros((32, 24, 9))]).astype("float32")
    layer = KeyPoints(4, 1.5, sigma)
    found = keras.ops.convert_to_numpy(layer([maps, np.zeros((len(maps), 128, 96, 1), "float32")]))
    expected = np.stack([codec.peaks(each, sigma) for each in maps]) * (4, 4, 1) + (1.5, 1.5, 0)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@on_tensorflow
@pytest.mark.parametrize("kind", ["savedmodel", "onnx", "litert", "keras_archive"])
@pytest.mark.parametrize("name", ["exact", "published"])
def test_points_come_out_of_every_format(name, kind, tmp_path):
    family, module = FAMILIES[name], importlib.import_module(f"kerazoo.engine.export.{kind}")
    network = patches(family)
    model = serving_model(family, network)
    path = tmp_path / ("model.keras" if kind == "keras_archive" else "model")
    module.write(model, path, HAND.points)
    cases = verified(family, model, module.forward(path), 1e-5, kind)
    assert len(cases) == 4


def test_an_artefact_that_is_wrong_is_told_from_one_that_rounds():
    rng = np.random.default_rng(0)
    good = {"keypoints": rng.uniform(0, 200, (2, 5, 3)), "heatmaps": rng.normal(size=(2, 8, 8, 5))}

    def changed(name, where, by):
        return good | {name: good[name] + by * where}

    one = np.zeros((2, 5, 3))
    one[0, 0, 0] = 1
    assert SMALL.output_difference(good, changed("keypoints", one, 4.0)) == 0  # a tie
    assert SMALL.output_difference(good, changed("keypoints", np.array([1, 1, 0]), 1.0)) > 1e-3
    assert SMALL.output_difference(good, changed("keypoints", np.array([0, 0, 1]) * one[..., :1], 0.1)) > 0.09
    assert SMALL.output_difference(good, changed("heatmaps", np.ones((8, 8, 5)), 0.1)) > 0.09
    assert not SMALL.output_difference(good, changed("heatmaps", np.ones((8, 8, 5)), np.nan)) < 1


# --- settings ---------------------------------------------------------------------------------


def test_sides_divide_by_the_lowest_resolutions_stride():
    with pytest.raises(UserError, match="size"):
        replace(SMALL, {"size": (250, 192)})


def test_whole_images_are_cut_into_windows_that_suit_the_network():
    family = HRNetPose(size=(64, 64), margin=1.5)
    assert family.configure(Figures(skeleton=MPII)).skeleton == COCO17
    assert family.configure(Figures()).windows == Windows(aspect=1.0, margin=1.5)
    assert family.configure(Figures(windows=Windows(margin=2.0))).windows == Windows(margin=2.0)


def test_a_new_head_may_have_other_points_and_another_size():
    other = dataclasses.replace(SMALL, skeleton=COCO17, size=(64, 64), sigma=3.0, decode_by="quarter")
    assert (
        SMALL.weight_settings()
        == other.weight_settings()
        != replace(SMALL, {"fuse": "bilinear"}).weight_settings()
    )
