"""Images in, people out: the frame, the loss, and what is averaged."""

import keras
import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.families.openpose import OpenPose
from kerazoo.families.openpose.averaging import averaged, mirror
from kerazoo.families.openpose.objective import PoseObjective
from kerazoo.settings import replace
from kerazoo.structures.keypoints import People
from kerazoo.structures.skeleton import COCO17, COCO18, FACE68, Skeleton
from kerazoo.structures.warp import Warp, linear, shifted

FAMILY = OpenPose(trunk="mobilenet", stages=2, width=0.125, height=96)


def person(x=60.0, y=40.0, skeleton=COCO18, seed=0):
    points = np.random.default_rng(seed).uniform(-30, 30, (1, len(skeleton.points), 2)) + np.array((x, y))
    box = np.array([[x - 30, y - 30, 60, 60]], "float32")
    visible = np.full(points.shape[:2], 2, "uint8")
    return People(points.astype("float32"), visible, box, np.array([3000.0], "float32"), skeleton)


@pytest.mark.parametrize("size", [(48, 80), (97, 131), (192, 120), (300, 40)])
def test_a_image_is_scaled_to_the_height_and_points_come_back(size):
    x, frame = FAMILY.prepare(np.zeros((*size, 3), "uint8"))
    assert x.shape[0] == 96
    assert x.shape[1] % 8 == 0
    points = np.array([[0.0, 0.0], [size[1] - 1, size[0] - 1], [13.5, 7.25]])
    np.testing.assert_allclose(frame.to_image(frame.to_input(points)), points, atol=1e-9)
    edge = frame.to_input(np.array([[size[1] - 0.5, size[0] - 0.5]]))[0]
    assert edge[1] == pytest.approx(95.5)
    assert edge[0] <= x.shape[1] - 0.5


def test_the_scaled_image_is_where_the_frame_says():
    image = np.zeros((200, 320, 3), "uint8")
    image[120:124, 240:244] = 255
    x, frame = FAMILY.prepare(image)
    bright = np.maximum(x[..., 0] - x[0, 0, 0], 0)
    rows, columns = np.indices(bright.shape)
    centre = [np.average(axis, weights=bright) for axis in (columns, rows)]
    np.testing.assert_allclose(frame.to_image(np.array(centre)), (241.5, 121.5), atol=0.6)


def test_training_windows_divide_by_the_stride():
    with pytest.raises(UserError, match="multiples of 8"):
        FAMILY.prepare(np.zeros((100, 96, 3), "uint8"), whole=False)


def test_limbs_are_needed():
    with pytest.raises(ValueError, match="no limbs"):
        OpenPose(skeleton=Skeleton(points=("one", "two")))


def maps(rng, cells=(6, 7), batch=2):
    points, limbs = len(COCO18.points), len(COCO18.limbs)
    outputs = {
        f"stage{stage}_{name}": rng.normal(size=(batch, *cells, channels)).astype("float32")
        for stage in (1, 2)
        for name, channels in (("heatmaps", points + 1), ("fields", 2 * limbs))
    }
    y = {name: outputs[f"stage1_{name}"] + rng.normal(size=outputs[f"stage1_{name}"].shape).astype("float32")
         for name in ("heatmaps", "fields")}  # fmt: skip
    return outputs, y | {"weights": rng.uniform(0, 1, (batch, *cells)).astype("float32")}


def objective(heatmaps=1.0):
    image = keras.Input((None, None, 3))
    points, limbs = len(COCO18.points), len(COCO18.limbs)
    outputs = {
        f"stage{stage}_{name}": keras.layers.Conv2D(channels, 1, name=f"stage{stage}_{name}")(image)
        for stage in (1, 2)
        for name, channels in (("heatmaps", points + 1), ("fields", 2 * limbs))
    }
    return PoseObjective(keras.Model(image, outputs), replace(FAMILY, {"heatmaps_weight": heatmaps}))


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_the_loss_is_half_the_weighted_sum_of_squares_of_every_stage_and_branch(weight):
    outputs, y = maps(np.random.default_rng(0))
    terms = objective(heatmaps=weight).terms(None, y, outputs, True)
    assert list(terms) == ["stage1_heatmaps", "stage1_fields", "stage2_heatmaps", "stage2_fields"]
    for name, value in terms.items():
        error = outputs[name].astype("float64") - y[name.partition("_")[2]].astype("float64")
        expected = (y["weights"].astype("float64")[..., None] * error**2).sum() / 2 / len(error)
        expected *= weight if name.endswith("heatmaps") else 1
        assert float(value) == pytest.approx(expected, rel=1e-6)


def test_what_is_silent_teaches_nothing():
    outputs, y = maps(np.random.default_rng(1))
    ignore = y["weights"] < 0.5
    y["weights"] = np.where(ignore, 0, y["weights"])
    before = objective().terms(None, y, outputs, True)
    outputs["stage2_heatmaps"] = np.where(ignore[..., None], 1e3, outputs["stage2_heatmaps"])
    after = objective().terms(None, y, outputs, True)
    assert float(after["stage2_heatmaps"]) == pytest.approx(float(before["stage2_heatmaps"]), rel=1e-6)


@pytest.mark.parametrize("skeleton", [COCO17, COCO18])
def test_a_mirrored_truth_has_the_mirrored_maps(skeleton):
    family = replace(FAMILY, {"skeleton": skeleton})
    truth, width = person(skeleton=skeleton), 120
    flipped = truth.moved(Warp(shifted(width - 1, 0) @ linear(-1, 0, 0, 1), (96, width)))
    straight, turned = (family.encode(t, family.prepare(np.zeros((96, width, 3), "uint8"), whole=False)[1])
                        for t in (truth, flipped))  # fmt: skip
    heatmaps, fields = mirror(turned["heatmaps"], turned["fields"], skeleton)
    np.testing.assert_allclose(heatmaps, straight["heatmaps"], atol=1e-5)
    np.testing.assert_allclose(fields, straight["fields"], atol=1e-5)


def test_skeletons_that_are_not_symmetric_have_no_mirror_image():
    lopsided = Skeleton(points=("left", "right", "top"), limbs=((0, 2),), flips=((0, 1),))
    with pytest.raises(UserError, match="no mirror image"):
        mirror(np.zeros((2, 2, 4)), np.zeros((2, 2, 2)), lopsided)


def test_faces_have_mirror_images():
    assert len(mirror(np.zeros((2, 2, 69)), np.zeros((2, 2, 2 * len(FACE68.limbs))), FACE68)) == 2


def test_other_sizes_and_the_mirror_image_see_the_same():
    """A network that answers with the truth of what it sees gives the same maps averaged as at one size."""
    image, truth = np.zeros((96, 160, 3), "uint8"), person(80, 48)

    def seen(x):
        height, width = x.shape[1:3]
        scale = height / 96
        scaled = People(
            (truth.points + 0.5) * scale - 0.5, truth.visible, truth.boxes * scale, truth.areas, COCO18
        )
        family = replace(FAMILY, {"sigma": FAMILY.sigma * scale, "half_width": FAMILY.half_width * scale})
        y = family.encode(scaled, family.prepare(np.zeros((height, width, 3), "uint8"), whole=False)[1])
        return {f"stage2_{name}": y[name][None] for name in ("heatmaps", "fields")}

    alone, _, frame = averaged(FAMILY, seen, image, mirrored=False)
    several = replace(FAMILY, {"scales": (1.0, 2.0, 0.5)})
    together, _, same = averaged(several, seen, image, mirrored=False)
    assert frame == same
    assert np.abs(together - alone).mean() < 0.01
    assert np.abs(together - alone).max() < 0.25


def test_refinement_and_biases_may_learn_faster():
    family = replace(FAMILY, {"refinement_lr_factor": 4.0, "bias_lr_factor": 2.0})
    factors = family.objective(family.build()).learning_rate_factors()
    told = {path: factor for path, factor in factors.items() if factor != 1}
    assert {4.0, 2.0, 8.0} == set(told.values())
    assert all(("stage2_" in path) == (factor >= 4) for path, factor in told.items())
    assert FAMILY.objective(FAMILY.build()).learning_rate_factors() == {}
