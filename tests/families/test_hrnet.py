import functools
import re

import keras
import numpy as np
import pytest

from kerazoo.checkpoints.mapping import assign, recognise
from kerazoo.errors import UserError
from kerazoo.families.hrnet import SMALL_V1, SMALL_V2, Body, HRNetClassifier, HRNetSegmentation
from kerazoo.families.hrnet.importer import LAYOUTS, convert, convert_body
from kerazoo.families.hrnet.model import hrnet, hrnet_features
from kerazoo.layers import Upsample
from kerazoo.settings import fields
from tests.inputs import uniform

TINY = Body(width=3, blocks=1, modules=(1, 1, 2), bottlenecks=2, bottleneck_width=2)
CLASSIFICATION = {"head": "classification", "fuse": "nearest", "head_width": 1, "head_bias": True}
POSE = {"head": "heatmap", "fuse": "nearest"}
SEGMENTATION = {"head": "segmentation", "fuse": "bilinear", "align_corners": False, "head_bias": True}
PYRAMID = {"head": "pyramid", "fuse": "nearest"}


def tiny(**head):
    return hrnet(**head, **fields(TINY), classes=5)


def shaken(model):
    """Give every variable random values; normalisations stay near one."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        near = 1.0 if variable.path.endswith(("gamma", "moving_variance")) else 0.0
        variable.assign(near + rng.uniform(-0.5, 0.5, variable.shape))
    return model


def close(y, reference):
    assert np.abs(y - reference).max() <= 1e-5 * np.abs(reference).max()


def trainable(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


# --- parameters, as published ---------------------------------------------------------------


COUNTS = [
    ({"head": "classification", "fuse": "nearest", "classes": 1000}, counts)
    for counts in (
        (18, 21_299_004),
        (48, 77_469_864),
        (SMALL_V1, 13_187_464),
        (SMALL_V2, 15_597_464),
    )
]
COUNTS += [
    ({"head": "classification", "fuse": "nearest", "classes": 1000, "head_bias": False}, counts)
    for counts in ((18, 21_295_164),)
]
COUNTS += [
    ({"head": "segmentation", "fuse": "bilinear", "classes": 19}, counts)
    for counts in (
        (18, 9_641_119),
        (48, 65_859_379),
        (SMALL_V1, 1_540_819),
        (SMALL_V2, 3_939_579),
    )
]
COUNTS += [
    ({"head": "segmentation", "fuse": "bilinear", "classes": points}, (18, count))
    for points, count in ((68, 9_654_398),)
]
COUNTS += [
    ({"head": "heatmap", "fuse": "nearest", "classes": points}, (width, count))
    for points, width, count in ((16, 32, 28_536_080), (17, 48, 63_595_745))
]


@pytest.mark.parametrize(
    ("settings", "body", "count"),
    [
        pytest.param(settings, body, count, marks=() if body is SMALL_V1 else pytest.mark.slow)
        for settings, (body, count) in COUNTS
    ],
)
def test_parameters(settings, body, count):
    body = body if isinstance(body, Body) else Body(width=body)
    assert trainable(hrnet(**settings, **fields(body)).trainable_variables) == count


@pytest.mark.slow
@pytest.mark.parametrize(("width", "count"), [(18, 3_019_776), (48, 3_134_976)])
def test_parameters_of_the_neck(width, count):
    variables = hrnet(**PYRAMID, classes=256, width=width).trainable_variables
    assert trainable(v for v in variables if v.path.startswith(("neck_", "level"))) == count


# --- shapes ----------------------------------------------------------------------------------


def test_heads_at_64_by_96():
    shapes = {
        "classification": {"logits": (2, 5)},
        "heatmap": {"heatmaps": (2, 16, 24, 5)},
        "segmentation": {"logits": (2, 16, 24, 5)},
        "pyramid": {f"level{i}": (2, 16 >> i, 24 >> i, 5) for i in range(5)},
    }
    for head in (CLASSIFICATION, POSE, SEGMENTATION, PYRAMID):
        assert tiny(**head).compute_output_shape((2, 64, 96, 3)) == shapes[head["head"]]


def test_nearest_fusing_mirrors_the_image():
    model, x = shaken(tiny(**POSE)), uniform(1, 37, 50, 3)
    mirrored = np.pad(x, ((0, 0), (0, 27), (0, 14), (0, 0)), mode="reflect")
    close(model.predict_on_batch(x)["heatmaps"], model.predict_on_batch(mirrored)["heatmaps"])


def test_logits_of_the_images_own_size_are_those_at_stride_4_enlarged():
    head = SEGMENTATION | {"align_corners": True}
    coarse, fine = shaken(tiny(**head)), tiny(**head, full_size=True)
    fine.set_weights(coarse.get_weights())
    x = uniform(1, 64, 96, 3)
    expected = Upsample(4, align_corners=True)(coarse.predict_on_batch(x)["logits"])
    whole = fine.predict_on_batch(x)["logits"]
    close(whole, keras.ops.convert_to_numpy(expected))
    assert fine.predict_on_batch(x[:, :37, :70])["logits"].shape == (1, 37, 70, 5)


def test_features_are_the_branches():
    model = hrnet_features(fuse="nearest", **fields(TINY))
    shapes = model.compute_output_shape((1, 64, 96, 3))
    maps = {f"c{i}": (1, 64 >> i, 96 >> i, 3 * 2 ** (i - 2)) for i in range(2, 6)}
    assert shapes == {"c1": (1, 32, 48, 64)} | maps


def test_a_new_branch_comes_from_the_lowest_resolution_alone():
    model = tiny(**POSE)
    for stage in (3, 4):
        padding = model.get_layer(f"transition{stage - 1}_branch{stage - 1}_pad")
        source = padding.input._keras_history.operation.name
        assert re.fullmatch(rf"stage{stage - 1}_module\d_fuse{stage - 2}_out", source)


def test_every_branch_exchanges_with_every_branch_but_at_the_end_of_the_pose_network():
    for head, targets in ((POSE, 1), (SEGMENTATION, 4)):
        fused = {
            v.path.split("/")[0].removesuffix("_bn")
            for v in tiny(**head).weights
            if "stage4_module1_fuse" in v.path
        }
        pairs = {tuple(map(int, re.search(r"fuse(\d)_from(\d)", name).groups())) for name in fused}
        assert pairs == {(i, j) for i in range(targets) for j in range(4) if i != j}


@pytest.mark.parametrize(
    "wrong", [{"head": "pose"}, {"fuse": "bicubic"}, {"modules": (1, 4)}, {"full_size": True}]
)
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="unknown|stages 2, 3 and 4|full_size"):
        hrnet(**(POSE | fields(TINY) | {"classes": 1} | wrong))


def test_logits_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    for head in (SEGMENTATION | {"full_size": True}, CLASSIFICATION, POSE):
        assert {y.dtype for y in tiny(**head).output.values()} == {"float32"}


# --- published weights ------------------------------------------------------------------------


NAMES = {
    r"stem_conv(\d)": (r"conv\1", r"bn\1"),
    r"stage1_unit(\d)_conv(\d)": (r"layer1.\1.conv\2", r"layer1.\1.bn\2"),
    r"stage1_unit(\d)_shortcut": (r"layer1.\1.downsample.0", r"layer1.\1.downsample.1"),
    r"transition1_branch0": ("transition1.0.0", "transition1.0.1"),
    r"transition(\d)_branch(\d)": (r"transition\1.\2.0.0", r"transition\1.\2.0.1"),
    r"stage(\d)_module(\d)_branch(\d)_unit(\d)_conv(\d)": (
        r"stage\1.\2.branches.\3.\4.conv\5",
        r"stage\1.\2.branches.\3.\4.bn\5",
    ),
    r"stage(\d)_module(\d)_fuse(\d)_from(\d)": (
        r"stage\1.\2.fuse_layers.\3.\4.0",
        r"stage\1.\2.fuse_layers.\3.\4.1",
    ),
    r"stage(\d)_module(\d)_fuse(\d)_from(\d)_conv(\d)": (
        r"stage\1.\2.fuse_layers.\3.\4.\5.0",
        r"stage\1.\2.fuse_layers.\3.\4.\5.1",
    ),
    r"widen(\d)_unit0_conv(\d)": (r"incre_modules.\1.0.conv\2", r"incre_modules.\1.0.bn\2"),
    r"widen(\d)_unit0_shortcut": (r"incre_modules.\1.0.downsample.0", r"incre_modules.\1.0.downsample.1"),
    r"down(\d)": (r"downsamp_modules.\1.0", r"downsamp_modules.\1.1"),
    r"final": ("final_layer.0", "final_layer.1"),
    r"heatmaps": ("final_layer",),
    r"head_conv": ("last_layer.0", "last_layer.1"),
    r"neck_reduction": ("neck.reduction_conv.0",),
    r"level(\d)": (r"neck.fpn_conv.\1",),
}
THEIRS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@functools.cache
def network(**head):
    """Return `{variable path: array}` of a network with random weights."""
    return {v.path: keras.ops.convert_to_numpy(v) for v in shaken(tiny(**head)).weights}


def published(**head):
    """The official state dict, undone from our own variables."""
    last = "classifier" if head["head"] == "classification" else "last_layer.3"
    state = {}
    for path, array in network(**head).items():
        layer, name = path.split("/")
        ours = layer.removesuffix("_bn")
        pattern = next((pattern for pattern in NAMES if re.fullmatch(pattern, ours)), None)
        theirs = re.sub(pattern, NAMES[pattern][layer.endswith("_bn")], ours) if pattern else last
        array = array.T if array.ndim == 2 else array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        state[f"{theirs}.{THEIRS.get(name, name)}"] = array
        if name == "gamma":
            state[f"{theirs}.num_batches_tracked"] = np.zeros((), "int64")
    return state


def openmmlab(state):
    """The same weights as MMPose, MMSegmentation and MMDetection call them."""
    heads = {
        "final_layer.": "head.final_layer.",
        "last_layer.0.": "decode_head.convs.0.conv.",
        "last_layer.1.": "decode_head.convs.0.bn.",
        "last_layer.3.": "decode_head.conv_seg.",
    }
    renamed = {}
    for key, array in state.items():
        start = next((start for start in heads if key.startswith(start)), None)
        key = heads[start] + key.removeprefix(start) if start else key
        key = key.replace("reduction_conv.0", "reduction_conv.conv")
        key = re.sub(r"fpn_conv\.(\d)", r"fpn_convs.\1.conv", key)
        body = not key.startswith(("head.", "decode_head.", "neck."))
        renamed[f"backbone.{key}" if body else key] = array
    return renamed


def head_is_face(state):
    return {key.replace("last_layer.", "head."): array for key, array in state.items()}


def wrapped(state):
    return {f"module.model.{key}": array for key, array in state.items()}


def detector(state):
    return openmmlab(state) | {
        "roi_head.bbox_head.fc_cls.weight": np.ones((2, 2)),
        "rpn_head.rpn_cls.bias": np.ones(1),
    }


CHECKPOINTS = [
    ("classification", CLASSIFICATION, wrapped),
    ("classification", CLASSIFICATION | {"head_bias": False}, dict),
    ("pose", POSE, dict),
    ("pose", POSE, openmmlab),
    ("segmentation-align-corners-true", SEGMENTATION | {"align_corners": True}, wrapped),
    ("mmsegmentation", SEGMENTATION | {"head_bias": False}, openmmlab),
    ("face", SEGMENTATION, head_is_face),
    ("detection", PYRAMID, lambda state: wrapped(openmmlab(state))),
    ("detection", PYRAMID, detector),
]


@pytest.mark.parametrize(("layout", "head", "stored"), CHECKPOINTS)
def test_checkpoints_of_every_layout(layout, head, stored):
    state = stored(published(**head))
    named = layout if layout.startswith("segmentation") else None
    assert recognise(LAYOUTS, state, named) == (layout, {**head, **fields(TINY), "channels": 3, "classes": 5})
    found = convert(state)
    assert found.keys() == network(**head).keys()
    for path, array in network(**head).items():
        np.testing.assert_array_equal(found[path], array)


def test_the_arithmetic_of_a_segmentation_checkpoint_has_to_be_named():
    state = published(**SEGMENTATION)
    with pytest.raises(UserError, match="segmentation-align-corners-false, segmentation-align-corners-true"):
        HRNetSegmentation().for_checkpoint(state)
    family = HRNetSegmentation(names=("a", "b"), classes=2).for_checkpoint(
        state, "segmentation-align-corners-true"
    )
    assert (family.body, family.classes, family.names) == (TINY, 5, ())
    assert (family.fuse, family.align_corners) == ("bilinear", True)
    assert family.mean == (123.675, 116.28, 103.53)
    assign(family.build(), family.convert(state))


def test_a_classifiers_checkpoint_sets_its_family():
    state = published(**CLASSIFICATION)
    family = HRNetClassifier(size=(32, 32)).for_checkpoint(state)
    assert (family.body, family.classes, family.head_width, family.size) == (TINY, 5, 1, (224, 224))
    assert family.mean == (123.675, 116.28, 103.53)
    normalising = state | {"mean": np.full(3, 0.5), "std": np.full(3, 0.25)}
    assert HRNetClassifier().for_checkpoint(normalising).mean == (127.5,) * 3
    assign(family.build(), family.convert(state))
    with pytest.raises(UserError, match="not in the layout segmentation-align-corners-false or"):
        HRNetSegmentation().for_checkpoint(state)


def test_the_body_of_a_classifier_is_an_encoder():
    state = published(**CLASSIFICATION)
    assign(hrnet_features(fuse="nearest", **fields(TINY)), convert_body(state))


def test_keys_that_are_missing_or_too_many_are_told():
    state = published(**POSE) | {"extra.weight": np.ones(1)}
    del state["stage2.0.fuse_layers.1.0.0.0.weight"]
    with pytest.raises(UserError, match=r"1 missing \(stage2.0.fuse_layers.1.0.0.0.weight\); 1 unexpected"):
        convert(state)
