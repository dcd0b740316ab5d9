"""Top-down pose and faces: targets and back, framing, flip test, boxes, loss, checkpoints, served graph."""

import dataclasses
import importlib

import cv2
import keras
import numpy as np
import pytest

from kerazoo import backend as backends
from kerazoo.data.generated import Figures
from kerazoo.data.windows import Windows
from kerazoo.errors import UserError
from kerazoo.export.verify import verified
from kerazoo.families.hrnet import Body, HRNetFace, HRNetPose, codec
from kerazoo.families.hrnet.framing import around_box, around_image, seen
from kerazoo.families.hrnet.pose_objective import JointObjective, serving_model
from kerazoo.initialise import initialise
from kerazoo.layers import Framing, KeyPoints
from kerazoo.placement import Frame
from kerazoo.settings import replace
from kerazoo.skeleton import COCO17, FACE68, FACE98, MPII, Skeleton
from kerazoo.tasks.pose import People
from tests.families.test_hrnet import CLASSIFICATION, POSE, SEGMENTATION, head_is_face, openmmlab, published
from tests.families.test_hrnet import TINY as BODY
from tests.test_export import on_tensorflow

HAND = Skeleton(
    points=("left", "right", "middle", "left tip", "right tip"), flips=((0, 1), (3, 4)), sigmas=(0.05,)
)
SMALL = HRNetPose(skeleton=HAND, size=(128, 96), body=BODY)
AS_PUBLISHED = replace(SMALL, HRNetPose.published)
WHOLE = Frame(0, 0, 96, 128, 96, 128)


def people(points, visible=None, skeleton=HAND):
    """Return people with the boxes around their points."""
    points = np.array(points, "float32")
    low, high = points.min(axis=1), points.max(axis=1)
    visible = np.full(points.shape[:2], 2, "uint8") if visible is None else np.array(visible, "uint8")
    boxes = np.concatenate([low, high - low], axis=1)
    return People(points, visible, boxes, boxes[:, 2] * boxes[:, 3], skeleton)


def somewhere(count, low=20, size=(96, 128), seed=0):
    return np.random.default_rng(seed).uniform(low, np.array(size) - low, (count, 5, 2)).astype("float32")


# --- targets ----------------------------------------------------------------------------------


def test_published_targets():
    """A patch of 6 sigma + 1 cells around cell int(x / 4 + 0.5), as the training code draws it."""
    points = np.array([[[50.3, 40.2], [0.9, 1.1], [94.2, 127.4], [13.9, 14.1], [60.0, 62.0]]], "float32")
    found = AS_PUBLISHED.encode(people(points), WHOLE)["heatmaps"]
    x = np.arange(13)
    patch = np.exp(-((x - 6) ** 2 + (x[:, None] - 6) ** 2) / (2 * 2.0**2))
    for point, (left, top) in enumerate(points[0]):
        column, row = int(left / 4 + 0.5), int(top / 4 + 0.5)
        whole = np.zeros((32 + 20, 24 + 20))
        whole[10 + row - 6 : 10 + row + 7, 10 + column - 6 : 10 + column + 7] = patch
        np.testing.assert_allclose(found[..., point], whole[10:-10, 10:-10], atol=1e-7)


def test_exact_targets_are_gaussians_around_the_point_itself():
    points = np.array([[[50.3, 40.2], [0.0, 0.0], [95.0, 127.0], [1.5, 5.5], [60.0, 62.0]]], "float32")
    targets = SMALL.encode(people(points), WHOLE)
    x, y = 4 * np.arange(24) + 1.5, 4 * np.arange(32) + 1.5
    for point, (left, top) in enumerate(points[0]):
        squared = ((x - left) ** 2 + (y[:, None] - top) ** 2) / 16
        np.testing.assert_allclose(targets["heatmaps"][..., point], np.exp(-squared / 8), atol=1e-6)
    assert targets["heatmaps"][1, 0, 3] == 1
    assert targets["heatmaps"].dtype == targets["weights"].dtype == "float32"


def test_what_is_not_labelled_or_not_in_the_frame_is_not_learned():
    points = [[[50, 40], [-0.6, 10], [10, 127.6], [95.4, 127.4], [60, 62]]]
    targets = SMALL.encode(people(points, [[0, 2, 2, 1, 2]]), WHOLE)
    np.testing.assert_array_equal(targets["weights"], [0, 0, 0, 1, 1])
    assert not targets["heatmaps"][..., :3].any()
    nobody = SMALL.encode(people(np.zeros((0, 5, 2))), WHOLE)
    assert {name: value.shape for name, value in nobody.items()} == {"heatmaps": (32, 24, 5), "weights": (5,)}
    assert not any(value.any() for value in nobody.values())


def test_of_several_people_the_one_in_the_middle_is_meant():
    each = [somewhere(1) / 3 + shift for shift in ((0, 0), (30, 40), (64, 85))]
    expected = SMALL.encode(people(each[1]), WHOLE)
    found = SMALL.encode(people(np.concatenate(each)), WHOLE)
    np.testing.assert_array_equal(found["heatmaps"], expected["heatmaps"])


# --- and back ---------------------------------------------------------------------------------


def far(family, frame=WHOLE, noise=0.0):
    """Return how many pixels of the photograph decoded points are off, for 200 people."""
    off, rng = [], np.random.default_rng(1)
    truth = frame.outside(somewhere(200))
    for points in truth:
        maps = family.encode(people(points[None]), frame)["heatmaps"]
        maps = maps + noise * rng.normal(size=maps.shape).astype("float32")
        found = family.decode({"heatmaps": maps}, frame)
        off.append(found.points[0, :, :2] - points)
    return np.linalg.norm(off, axis=-1), np.mean(off, axis=(0, 1))


def test_the_top_of_a_gaussian_is_found_exactly():
    off, _ = far(SMALL)
    assert off.max() < 0.01
    off, _ = far(SMALL, noise=0.02)
    assert off.mean() < 0.15


def test_a_quarter_of_a_cell_halves_the_error_of_whole_cells():
    off, bias = far(replace(SMALL, {"decode_by": "quarter"}))
    assert 0.7 < off.mean() < 0.8  # mean distance in a square of side 2; without the shift 1.53
    assert off.max() < 2**0.5
    assert abs(bias).max() < 0.1


def test_rounded_targets_are_as_coarse_as_their_cells_but_not_biased():
    for family in (AS_PUBLISHED, replace(AS_PUBLISHED, {"cells": "centre"})):
        off, bias = far(family)
        assert off.max() < 2 * 2**0.5
        assert abs(bias).max() < 0.2
    misread = replace(AS_PUBLISHED, {"cells": "centre"}), replace(AS_PUBLISHED, {"cells": "corner"})
    maps = misread[1].encode(people(somewhere(1)), WHOLE)
    shift = misread[0].decode(maps, WHOLE).points - misread[1].decode(maps, WHOLE).points
    np.testing.assert_allclose(shift[0, :, :2], 1.5)


def test_points_come_back_into_the_photographs_pixels():
    frame = Frame(37, -20, 300, 400, 96, 128)
    off, _ = far(SMALL, frame)
    assert off.max() < 0.03


def test_the_quarter_goes_to_the_higher_neighbour_but_not_at_the_border():
    maps = np.zeros((8, 8, 3), "float32")
    for point, (x, y) in enumerate(((4, 4), (1, 4), (7, 7))):
        maps[y, x, point] = 1.0
        maps[y, x - 1, point] = 0.5
        maps[y - 1, x, point] = 0.5
    found = codec.peaks(maps, None)
    np.testing.assert_array_equal(found, [[3.75, 3.75, 1], [1, 4, 1], [7, 7, 1]])


def test_where_there_is_no_top_the_quarter_serves():
    for maps in (np.ones((16, 16, 1)), np.random.default_rng(0).normal(size=(16, 16, 40))):
        maps = maps.astype("float32")
        shift = codec.peaks(maps, 2.0)[:, :2] - codec.peaks(maps, None)[:, :2]
        assert np.abs(shift).max() <= 1.25


def test_what_is_nowhere_above_zero_is_not_found():
    maps = np.full((8, 8, 5), -1.0, "float32")
    maps[..., 1] = 0
    maps[3, 3, 2:] = 0.1, 0.5, 0.7
    found = SMALL.decode({"heatmaps": maps}, Frame(0, 0, 32, 32, 32, 32))
    np.testing.assert_allclose(found.points[0, :, 2], [0, 0, 0.1, 0.5, 0.7])
    assert found.scores == pytest.approx([0.6])  # the mean of those above 0.2
    assert SMALL.decode({"heatmaps": 0 * maps}, Frame(0, 0, 32, 32, 32, 32)).scores == [0]


# --- framing ----------------------------------------------------------------------------------

SIZES = [(128, 96), (256, 192), (300, 211), (60, 97), (130, 90), (20, 700), (700, 20), (1, 1)]


@pytest.mark.parametrize("shape", SIZES)
def test_a_photograph_is_framed_whole_and_in_proportion(shape):
    frame = around_image(*shape, (128, 96))
    assert frame.left <= 0 <= frame.left + frame.width - shape[1]
    assert frame.top <= 0 <= frame.top + frame.height - shape[0]
    assert abs(frame.width - frame.height * 96 / 128) <= 1
    assert frame.width == shape[1] or frame.height == shape[0]
    assert abs((frame.width - shape[1]) + 2 * frame.left) <= 1  # in the middle
    window = seen(np.full((*shape, 3), 255, "uint8"), frame)
    assert window.shape == (128, 96, 3)
    assert 126.99 < window.min()
    covered = shape[0] * shape[1] / (frame.width * frame.height)
    assert window.mean() == pytest.approx(127 + 128 * covered, abs=3)


def test_what_shrinks_is_averaged():
    stripes = np.zeros((256, 192, 3), "uint8")
    stripes[:, ::2] = 200
    np.testing.assert_array_equal(SMALL.prepare(stripes)[0], SMALL.normalised(np.full((128, 96, 3), 100)))


def test_points_are_where_their_pixels_went():
    image = np.full((301, 222, 3), 127, "uint8")
    cv2.circle(image, (150, 77), 9, (255, 255, 255), -1)
    for frame in (around_image(301, 222, SMALL.size), around_box((100, 50, 70, 60), SMALL.size, 1.25)):
        weight = np.maximum(seen(image, frame)[..., 0] - 127.5, 0)
        y, x = np.indices(weight.shape)
        centre = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        np.testing.assert_allclose(frame.inside(np.array([150, 77])), centre, atol=0.05)


def test_a_box_is_framed_with_its_margin():
    frame = around_box((100, 50, 80, 20), (128, 96), 1.25)
    assert (frame.width, frame.height) == (100, 133)
    assert (frame.left + frame.width / 2, frame.top + frame.height / 2) == (140, pytest.approx(60, abs=0.5))
    beside = seen(np.zeros((60, 60, 3), "uint8"), around_box((500, -400, 40, 40), (128, 96), 1.25))
    assert (beside == 127).all()


def test_a_training_window_is_taken_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), "uint8")
    x, frame = SMALL.prepare(image, whole=False)
    np.testing.assert_array_equal(x, SMALL.normalised(image))
    assert frame == (0, 0, 96, 64, 96, 64)
    with pytest.raises(UserError, match="60 x 96 pixels do not divide by 32; set augmentation.crop"):
        SMALL.prepare(image[:60], whole=False)


@pytest.mark.parametrize("shape", [(300, 211), (130, 90), (20, 700), (1, 1)])
def test_the_graph_frames_alike(shape):
    image = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), "uint8")
    found = keras.ops.convert_to_numpy(Framing((128, 96), [127.0] * 3)(image.astype("float32")))
    expected = [seen(each, around_image(*shape, (128, 96))) for each in image]
    np.testing.assert_allclose(found, expected, atol=0.02)


# --- the flip test ----------------------------------------------------------------------------


def painter(family, points):
    """Return a stand-in for a network that sees the points of mirrored and of other inputs without fault.

    Inputs whose first pixel is brighter than their last are not mirrored.
    """
    swapped = family.skeleton.swapped()

    def forward(x):
        maps = []
        for each in x:
            mirror = each[0, 0, 0] < each[0, -1, 0]
            width = each.shape[1]
            where = np.stack([width - 1 - points[:, 0], points[:, 1]], axis=-1)[swapped] if mirror else points
            frame = Frame(0, 0, width, len(each), width, len(each))
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
        found = family.infer(painter(family, points), ramp(), tta=True)
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
    plain, averaged = (SMALL.infer(forward, image, tta=tta).points[0] for tta in (False, True))
    turned = averaged[HAND.swapped()] * (-1, 1, 1) + (95, 0, 0)
    pairs = [0, 1, 3, 4]  # two cells of the middle point's map tie
    np.testing.assert_allclose(averaged[pairs], turned[pairs], atol=1e-3)
    assert np.abs(plain[0] - (plain[1] * (-1, 1, 1) + (95, 0, 0))).max() > 1


def cv2_blurred(maps):
    return np.stack([cv2.GaussianBlur(each, (0, 0), 2) for each in maps])


def test_there_are_no_tiles():
    with pytest.raises(UserError, match="key points know no tiles"):
        SMALL.infer(None, ramp(), tile=64)


# --- boxes in a photograph --------------------------------------------------------------------


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

    list(SMALL.infer_all(counted, [ramp()] * 40))
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
    assert set(told.rpartition("new: ")[2].split(", ")) == new
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
    "grey": replace(SMALL, {"channels": 1, "mean": (100.0,), "deviation": (50.0,)}),
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
    expected = family.infer(backends.forward(network), image).points
    x = image if family.channels == 3 else (image @ np.float32([0.299, 0.587, 0.114]))[..., None]
    served = family.serving(network)({"image": x[None].astype("float32")})
    found = keras.ops.convert_to_numpy(served["keypoints"])
    certain = expected[..., 2] > 0.1  # beyond the photograph, cells are equally low
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
    family, module = FAMILIES[name], importlib.import_module(f"kerazoo.export.{kind}")
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
    assert SMALL.difference(good, changed("keypoints", one, 4.0)) == 0  # a tie
    assert SMALL.difference(good, changed("keypoints", np.array([1, 1, 0]), 1.0)) > 1e-3
    assert SMALL.difference(good, changed("keypoints", np.array([0, 0, 1]) * one[..., :1], 0.1)) > 0.09
    assert SMALL.difference(good, changed("heatmaps", np.ones((8, 8, 5)), 0.1)) > 0.09
    assert not SMALL.difference(good, changed("heatmaps", np.ones((8, 8, 5)), np.nan)) < 1


# --- settings ---------------------------------------------------------------------------------


def test_sides_divide_by_the_lowest_resolutions_stride():
    with pytest.raises(UserError, match="size"):
        replace(SMALL, {"size": (250, 192)})


def test_whole_photographs_are_cut_into_windows_that_suit_the_network():
    family = HRNetPose(size=(64, 64), margin=1.5)
    assert family.ordered(Figures(skeleton=MPII)).skeleton == COCO17
    assert family.ordered(Figures()).windows == Windows(aspect=1.0, margin=1.5)
    assert family.ordered(Figures(windows=Windows(margin=2.0))).windows == Windows(margin=2.0)


def test_a_new_head_may_have_other_points_and_another_size():
    other = dataclasses.replace(SMALL, skeleton=COCO17, size=(64, 64), sigma=3.0, decode_by="quarter")
    assert SMALL.meaning() == other.meaning() != replace(SMALL, {"fuse": "bilinear"}).meaning()
