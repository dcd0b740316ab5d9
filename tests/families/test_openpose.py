import functools
import re

import keras
import numpy as np
import pytest

from kerazoo.checkpoints.mapping import assign, recognise
from kerazoo.checkpoints.read import read
from kerazoo.errors import UserError
from kerazoo.families.openpose import OpenPose, mobilenet_v2
from kerazoo.families.openpose.importer import LAYOUTS, convert
from kerazoo.families.openpose.model import (
    lightweight_openpose,
    mobilenet_v2_openpose,
    openpose,
    residual_openpose,
)
from kerazoo.layers import ResizeLike
from kerazoo.structures.skeleton import COCO18, Skeleton
from tests.inputs import uniform

TINY = {
    "openpose": functools.partial(openpose, stages=3, width=1 / 32),
    "lightweight-openpose": functools.partial(lightweight_openpose, stages=3, width=1 / 32),
    "tf-pose": functools.partial(mobilenet_v2_openpose, stages=3, width=0.35),
}
NETWORKS = TINY | {"residual": functools.partial(residual_openpose, stages=3, width=1 / 32)}
"""Those of published layouts, and ours."""
TRUNKS = {"openpose": "vgg19", "lightweight-openpose": "mobilenet", "tf-pose": "mobilenet_v2"}
WIDTHS = {"openpose": 1 / 32, "lightweight-openpose": 1 / 32, "tf-pose": 0.35}


@pytest.fixture(params=list(TINY))
def layout(request):
    return request.param


@pytest.fixture(params=list(NETWORKS))
def kind(request):
    return request.param


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def shaken(model):
    """Give every variable random values; normalisations stay near one."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        near = 1.0 if variable.path.endswith(("gamma", "moving_variance")) else 0.0
        variable.assign(near + rng.uniform(-0.5, 0.5, variable.shape))
    return model


# --- the networks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "settings", "parameters"),
    [
        pytest.param(openpose, {}, 52_311_446, marks=pytest.mark.slow),
        pytest.param(openpose, {"points": 15, "limbs": 14}, 51_481_032, marks=pytest.mark.slow),
        pytest.param(openpose, {"points": 15, "limbs": 14, "stages": 4}, 34_240_880, marks=pytest.mark.slow),
        (lightweight_openpose, {}, 4_091_698),
        (lightweight_openpose, {"stages": 4}, 7_308_964),
        (mobilenet_v2_openpose, {}, 473_472),
        (residual_openpose, {}, 5_810_265),
    ],
)
def test_parameters(build, settings, parameters):
    assert count(build(**settings).trainable_variables) == parameters


def test_the_graph_of_tf_pose_stores_running_statistics_of_its_stages_alone():
    model = mobilenet_v2_openpose()
    assert model.count_params() == 481_068
    assert {v.path.split("_")[0] for v in model.non_trainable_variables} == {f"stage{n}" for n in range(1, 7)}


def test_every_stage_answers_at_stride_8_whatever_the_size(kind):
    model = NETWORKS[kind](points=3, limbs=2, channels=1)
    for size in ((33, 47), (1, 1)):
        shape = (2, *(-(-side // 8) for side in size), 4)
        expected = {f"stage{n}_{branch}": shape for n in (1, 2, 3) for branch in ("heatmaps", "fields")}
        found = model.predict_on_batch(uniform(2, *size, 1))
        assert {name: maps.shape for name, maps in found.items()} == expected
        assert model.compute_output_shape((2, *size, 1)) == expected


@pytest.mark.parametrize("stages", [1, 2])
def test_a_stage_sees_the_features_and_the_stage_before(kind, stages):
    model = NETWORKS[kind](stages=stages)
    assert list(model.output) == [
        f"stage{n}_{branch}" for n in range(1, stages + 1) for branch in ("heatmaps", "fields")
    ]
    seen = [layer.name for layer in model.layers if re.fullmatch(r"stage\d_concat", layer.name)]
    assert seen == [f"stage{n}_concat" for n in range(2, stages + 1)]


def test_channels_follow_the_width():
    model = openpose(width=0.25, stages=2)
    names = ("conv1_1", "conv4_2", "conv4_4", "stage1_fields_conv4", "stage2_fields")
    assert [model.get_layer(name).filters for name in names] == [16, 128, 32, 128, 38]
    model = lightweight_openpose(width=0.25)
    names = ("conv1", "conv5_5", "features", "stage1_fields_conv1", "stage2_block5_conv3")
    assert [model.get_layer(name).filters for name in names] == [8, 128, 32, 128, 32]
    model = mobilenet_v2_openpose(width=1.4, stages=1)
    names = ("conv", "block0_project", "block2_project", "block12_project", "stage1_fields_conv4")
    assert [model.get_layer(name).filters for name in names] == [48, 24, 32, 136, 717]


def test_maps_stay_float32_and_weights_too_in_mixed_precision(kind):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = NETWORKS[kind]()
    assert {maps.dtype for maps in model.output.values()} == {"float32"}
    assert {str(v.dtype) for v in model.weights} == {"float32"}


def test_new_layers_start_as_published():
    variables = {v.path: v for v in openpose(stages=2, width=0.25).weights}

    def std(layer):
        return keras.ops.convert_to_numpy(variables[f"{layer}/kernel"]).std()

    assert std("conv4_2") == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.05)
    assert std("stage2_fields_conv3") == pytest.approx(0.01 / 0.25**0.5, rel=0.05)
    assert std("stage2_fields") == pytest.approx(0.01, rel=0.1)


def test_every_convolution_of_the_residual_network_is_normalised_but_the_outputs():
    """Its biases say which are not."""
    model = residual_openpose(stages=2, width=0.25)
    convolutions = {layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    normalised = {layer.name.removesuffix("_bn") for layer in model.layers if layer.name.endswith("_bn")}
    assert convolutions - normalised == set(model.output)
    biased = {v.path.removesuffix("/bias") for v in model.weights if v.path.endswith("/bias")}
    assert biased == set(model.output)


def test_the_residual_network_sees_far_beyond_a_cell():
    """What is 12 cells away moves a map: a whole person is seen at once."""
    model, x = shaken(residual_openpose(width=1 / 32)), uniform(1, 256, 32, 3)
    other = x.copy()
    other[:, :64] += 1
    before, after = (model.predict_on_batch(each)["stage1_heatmaps"] for each in (x, other))
    assert np.abs(after - before)[:, 20:].max() > 1e-4


def test_levels_of_the_residual_network_lie_upon_each_other_at_any_size():
    """A larger image, of the same content where both are, has the same maps away from its end."""
    model, x = shaken(residual_openpose(width=1 / 32)), uniform(1, 1600, 32, 3)
    whole, part = (model.predict_on_batch(x[:, :rows])["stage1_heatmaps"] for rows in (1600, 8 * 61))
    np.testing.assert_allclose(part[:, :20], whole[:, :20], atol=1e-4 * np.abs(whole).max())


def test_images_of_a_batch_do_not_see_each_other():
    """Though the trunk normalises by what it sees. It also amplifies rounding: see `CLOSE`."""
    model, x = shaken(mobilenet_v2_openpose(stages=1)), uniform(2, 24, 32, 3)
    x[0] *= 100
    together, alone = model.predict_on_batch(x), model.predict_on_batch(x[1:])
    for name, maps in together.items():
        np.testing.assert_allclose(maps[1:], alone[name], atol=CLOSE * abs(alone[name]).max())


# --- published weights ------------------------------------------------------------------------


NAMES = {
    "openpose": {
        r"(conv[1-3]_\d|conv4_[12])": r"\1",
        r"(conv4_[34])": r"\1_CPM",
        r"stage1_(L\d)_conv(\d)": r"conv5_\2_CPM_\1",
        r"stage1_(L\d)": r"conv5_5_CPM_\1",
        r"stage(\d)_(L\d)_conv(\d)": r"Mconv\3_stage\1_\2",
        r"stage(\d)_(L\d)": r"Mconv7_stage\1_\2",
    },
    "lightweight-openpose": {
        r"conv1": "model.0.0",
        r"features_align": "cpm.align.0",
        r"features": "cpm.conv.0",
        r"features_mix(\d)_depthwise": r"cpm.trunk.#\1.0",
        r"features_mix(\d)": r"cpm.trunk.#\1.2",
        r"stage1_conv(\d)": r"initial_stage.trunk.#\1.0",
        r"stage1_(heatmaps|pafs)_conv1": r"initial_stage.\1.0.0",
        r"stage1_(heatmaps|pafs)": r"initial_stage.\1.1.0",
        r"stage(\d)_block(\d)_conv1": r"refinement_stages.##\1.trunk.#\2.initial.0",
        r"stage(\d)_block(\d)_conv(\d)": r"refinement_stages.##\1.trunk.#\2.trunk.##\3.0",
        r"stage(\d)_(heatmaps|pafs)_conv1": r"refinement_stages.##\1.\2.0.0",
        r"stage(\d)_(heatmaps|pafs)": r"refinement_stages.##\1.\2.1.0",
    },
    "tf-pose": {
        r"conv": "MobilenetV2/Conv",
        r"block0_(\w+)": r"MobilenetV2/expanded_conv/\1",
        r"block(\d+)_(\w+)": r"MobilenetV2/expanded_conv_\1/\2",
        r"stage(\d)_(L\d)_conv(\d)_depthwise": r"Openpose/MConv_Stage\1_\2_\3_depthwise",
        r"stage(\d)_(L\d)_depthwise": r"Openpose/MConv_Stage\1_\2_5_depthwise",
        r"stage(\d)_(L\d)_conv(\d)": r"Openpose/MConv_Stage\1_\2_\3_pointwise",
        r"stage(\d)_(L\d)": r"Openpose/MConv_Stage\1_\2_5_pointwise",
    },
}
"""Our layers and theirs; #n counts from 0 and ##n from -1, where ours counts from 1."""

BLOCKS = [None, "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2"]
BLOCKS += [f"conv5_{n}" for n in range(1, 6)]
TORCH = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def their_layer(layout, ours):
    if layout == "lightweight-openpose" and ours.removesuffix("_depthwise") in BLOCKS:
        return (
            f"model.{BLOCKS.index(ours.removesuffix('_depthwise'))}.{0 if ours.endswith('_depthwise') else 3}"
        )
    branches = ("pafs", "heatmaps") if layout == "lightweight-openpose" else ("L1", "L2")
    ours = ours.replace("fields", branches[0]).replace("heatmaps", branches[1])
    pattern = next(pattern for pattern in NAMES[layout] if re.fullmatch(pattern, ours))
    theirs = re.sub(pattern, NAMES[layout][pattern], ours)
    return re.sub(r"(#+)(\d)", lambda found: str(int(found[2]) - len(found[1])), theirs)


def their_key(layout, path):
    layer, name = path.split("/")
    ours, normalised = re.subn(r"_(bn|norm)$", "", layer)
    theirs = their_layer(layout, ours)
    if layout == "tf-pose":
        kernel = "depthwise_weights" if layer.endswith("depthwise") else "weights"
        return f"{theirs}/BatchNorm/{name}" if normalised else f"{theirs}/{kernel}"
    if normalised:
        head, _, number = theirs.rpartition(".")
        theirs = f"{head}.{int(number) + 1}"
    return f"{theirs}.{TORCH.get(name, name)}"


def their_array(layout, path, array):
    if layout == "tf-pose" or array.ndim < 4:
        return array
    return array.transpose(2, 3, 0, 1) if "depthwise" in path else array.transpose(3, 2, 0, 1)


@functools.cache
def network(layout, points=18, limbs=19):
    """Return `{variable path: array}` of a network with random weights."""
    model = shaken(TINY[layout](points=points, limbs=limbs))
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.weights}


def published(layout, **counts):
    """The published file, undone from our own variables."""
    arrays = network(layout, **counts)
    state = {their_key(layout, path): their_array(layout, path, array) for path, array in arrays.items()}
    assert len(state) == len(arrays)
    for path, array in arrays.items():
        if path.endswith("moving_mean") and layout == "tf-pose":
            state[their_key(layout, path).replace("moving_mean", "Const")] = np.ones_like(array)
        elif path.endswith("moving_mean"):
            state[their_key(layout, path).replace("running_mean", "num_batches_tracked")] = np.zeros((), int)
        elif path.endswith("_norm/gamma"):
            state[their_key(layout, path).replace("gamma", "Const")] = np.zeros(0)
    return state


def in_modules(state):
    """The port's own names: every part of the network is a module, and model0 the trunk."""

    def module(key):
        found = re.search(r"(?:stage(\d)|CPM)_L(\d)", key)
        return f"model{found[1] or 1}_{found[2]}" if found else "model0"

    return {f"{module(key)}.{key}": array for key, array in state.items()}


CHECKPOINTS = [
    ("openpose", dict),
    ("openpose", in_modules),
    ("openpose", lambda state: {f"module.{key}": array for key, array in in_modules(state).items()}),
    ("lightweight-openpose", dict),
    ("lightweight-openpose", lambda state: {f"module.{key}": array for key, array in state.items()}),
    ("tf-pose", dict),
]


@pytest.mark.parametrize(("name", "stored"), CHECKPOINTS)
def test_checkpoints_of_every_layout(name, stored):
    state = stored(published(name))
    found, settings = recognise(LAYOUTS, state)
    assert (found, settings["stages"], settings["width"]) == (name, 3, WIDTHS[name])
    converted = convert(state)
    assert converted.keys() == network(name).keys()
    for path, array in network(name).items():
        np.testing.assert_array_equal(converted[path], array)


def test_a_checkpoint_sets_its_family(layout):
    state = published(layout)
    family = OpenPose(mean=(1.0,), heatmaps_weight=3.0).for_checkpoint(state)
    assert family.heatmaps_weight == 1
    assert (family.trunk, family.stages, family.width) == (TRUNKS[layout], 3, WIDTHS[layout])
    assert (family.skeleton, family.order) == (COCO18, "BGR")
    assert (family.mean, family.std) == (((0.0,), (1.0,)) if layout == "tf-pose" else ((128.0,), (256.0,)))
    assign(family.build(), family.convert(state))


def test_other_points_than_cocos_are_the_users_own(layout):
    own = OpenPose(skeleton=Skeleton(points=("a", "b"), limbs=((0, 1),)))
    assert own.for_checkpoint(published(layout, points=15, limbs=14)).skeleton == own.skeleton
    assert own.for_checkpoint(published(layout)).skeleton == COCO18


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("openpose", "Mconv3_stage2_L1.weight"),
        ("lightweight-openpose", "refinement_stages.1.trunk.4.trunk.1.1.running_var"),
        ("tf-pose", "MobilenetV2/expanded_conv_7/expand/BatchNorm/gamma"),
    ],
)
def test_keys_that_are_missing_or_too_many_are_told(name, missing):
    state = published(name) | {"extra.weight": np.ones(1)}
    del state[missing]
    with pytest.raises(UserError, match=rf"1 missing \({missing}\); 1 unexpected \(extra.weight\)"):
        convert(state)


def test_a_graph_that_scales_is_refused():
    state = published("tf-pose")
    name = "Openpose/MConv_Stage2_L1_3_pointwise/BatchNorm/Const"
    state[name] = 2 * state[name]
    with pytest.raises(UserError, match=f"scales after a normalisation .{name}"):
        convert(state)


def test_other_networks_are_not_taken_for_these():
    with pytest.raises(UserError, match="not in the layout openpose or lightweight-openpose or tf-pose"):
        OpenPose().for_checkpoint({"conv1.weight": np.ones((64, 3, 7, 7))})


# --- a trained network ------------------------------------------------------------------------


IMAGES = ("p1", "p2", "p3", "ski")
CLOSE = 2e-3  # as the fixture says: two TensorFlow kernel sets already differ by 3e-4


def deviations(shared):
    """Return the largest deviation from each image's maps, as TensorFlow computed them."""
    arrays = read(shared / "data" / "tf_pose" / "mobilenet_v2_small_graph_opt.pb")
    model = mobilenet_v2_openpose()
    assign(model, convert(arrays))
    for name in IMAGES:
        with np.load(shared / "parity" / "golden" / f"tf_pose_v2small.{name}.npz") as stored:
            maps = model.predict_on_batch(stored["image"][None].astype("float32"))
            heat = abs(maps["stage6_heatmaps"][0] - stored["heat"]).max()
            yield max(heat, abs(maps["stage6_fields"][0] - stored["paf"]).max())


def test_maps_of_images(shared, record_property):
    found = [float(std) for std in deviations(shared)]
    record_property("deviations", found)
    assert max(found) <= CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["grid", "epsilon"])
def test_wrong_arithmetic_is_far_off(shared, monkeypatch, wrong):
    if wrong == "grid":
        monkeypatch.setattr(mobilenet_v2, "ResizeLike", lambda half_pixel, name: ResizeLike(name=name))
    else:
        monkeypatch.setattr(mobilenet_v2, "EPSILON", 1e-5)
    assert next(deviations(shared)) > 10 * CLOSE


def test_the_settings_of_the_trained_network(shared):
    arrays = read(shared / "data" / "tf_pose" / "mobilenet_v2_small_graph_opt.pb")
    family = OpenPose().for_checkpoint(arrays)
    assert (family.trunk, family.stages, family.width, family.channels) == ("mobilenet_v2", 6, 0.5, 3)
    assert family.skeleton == COCO18
