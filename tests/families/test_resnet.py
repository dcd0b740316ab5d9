import json
import typing

import keras
import numpy as np
import pytest

from kerazoo.checkpoints.mapping import assign, recognise
from kerazoo.errors import UserError
from kerazoo.families import resnet as family
from kerazoo.families.resnet.importer import LAYOUTS, convert
from kerazoo.families.resnet.model import resnet, resnet_cifar, resnet_features
from kerazoo.layers import residual
from kerazoo.layers.residual import residual_unit
from kerazoo.ordering import ORDERINGS
from tests.inputs import normal

KERAS = {"stride_on": "1x1", "bias": True, "epsilon": 1.001e-5}


def trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


# --- counts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "torchvision", "timm_v2", "keras_applications"),
    [
        (18, 11_689_512, None, None),
        (34, 21_797_672, None, None),
        (50, 25_557_032, 25_549_352, 25_636_712),
        pytest.param(101, 44_549_160, 44_541_480, 44_707_176, marks=pytest.mark.slow),
        pytest.param(152, 60_192_808, 60_185_128, 60_419_944, marks=pytest.mark.slow),
    ],
)
def test_parameters_as_published(depth, torchvision, timm_v2, keras_applications):
    assert trainable(resnet(depth=depth)) == torchvision
    if timm_v2:
        assert trainable(resnet(depth=depth, ordering="full_preactivation")) == timm_v2
        assert resnet(depth=depth, **KERAS).count_params() == keras_applications  # running statistics too


@pytest.mark.parametrize(
    ("depth", "count"),
    [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)],
)
def test_parameters_for_cifar(depth, count):
    assert trainable(resnet_cifar(depth=depth)) == count


def test_164_layers_are_bottlenecks():
    model = resnet_cifar(depth=164, ordering="full_preactivation")
    kernels = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len([layer for layer in kernels if "shortcut" not in layer.name]) == 163  # and one dense layer
    assert model.get_layer("stage3_unit18_conv3").output.shape[-1] == 256
    assert model.get_layer("stage1_unit1_shortcut").kernel.shape == (1, 1, 16, 64)


@pytest.mark.parametrize("build", [resnet_cifar, resnet, resnet_features])
def test_other_depths_are_refused(build):
    with pytest.raises(ValueError, match="depth is 22, not"):
        build(depth=22)


# --- structure ---------------------------------------------------------------------------


def source(tensor):
    """The name of the layer that made a tensor, without the unit's."""
    return tensor._keras_history.operation.name.removeprefix("unit_")


def reads(model, layer):
    inputs = model.get_layer(f"unit_{layer}").input
    return [source(x) for x in (inputs if isinstance(inputs, list) else [inputs])]


def unit(ordering, filters, **settings):
    x = keras.Input((8, 8, 4), name="x")
    return keras.Model(x, residual_unit(x, filters, name="unit", ordering=ordering, **settings))


STRUCTURE = {
    # ordering: what reads x first, what the projection reads, what is added, what comes out
    "original": ("conv1", "x", ["shortcut_bn", "conv2_bn"], "out"),
    "bn_after_addition": ("conv1", "x", ["shortcut", "conv2"], "conv2_act"),
    "relu_before_addition": ("conv1", "x", ["shortcut_bn", "conv2_act"], "add"),
    "relu_only_preactivation": ("preact", "preact", ["shortcut_bn", "conv2_bn"], "add"),
    "full_preactivation": ("conv1_bn", "conv1_act", ["shortcut", "conv2"], "add"),
}


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_structure_of_a_projecting_unit(ordering):
    first, projected, added, out = STRUCTURE[ordering]
    model = unit(ordering, 8)
    assert reads(model, first) == ["x"]
    assert reads(model, "shortcut") == [projected]
    assert reads(model, "add") == added
    assert source(model.output) == out


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_structure_of_an_identity_unit(ordering):
    first, _, added, out = STRUCTURE[ordering]
    model = unit(ordering, 4)
    assert reads(model, first) == ["x"]
    assert reads(model, "add") == ["x", added[1]]
    assert source(model.output) == out
    if "preactivation" in ordering:
        before = STRUCTURE[ordering][1]
        assert reads(unit(ordering, 4, first=True), "add") == [before, added[1]]


@pytest.mark.parametrize(
    ("ordering", "stem", "end"),
    [
        ("original", "stem_act", []),
        ("bn_after_addition", "stem_act", []),
        ("relu_before_addition", "stem_act", []),
        ("relu_only_preactivation", "stem_act", ["end_act"]),
        ("full_preactivation", "stem", ["end_bn", "end_act"]),
    ],
)
@pytest.mark.parametrize("build", [resnet_cifar, resnet])
def test_ends_of_a_network(build, ordering, stem, end):
    model = build(depth={resnet: 18, resnet_cifar: 8}[build], width=2, ordering=ordering)
    names = [layer.name for layer in model.layers]
    assert [name for name in names if name.startswith("stem")][-1] == stem
    assert [name for name in names if name.startswith("end")] == end


def test_the_small_network_splits_after_the_first_preactivation():
    model = resnet_cifar(depth=8, width=2, ordering="full_preactivation")
    assert source(model.get_layer("stage1_unit1_add").input[0]) == "stage1_unit1_conv1_act"


@pytest.mark.parametrize(("stride_on", "strides"), [("3x3", [1, 2, 1]), ("1x1", [2, 1, 1])])
def test_the_stride_of_a_bottleneck(stride_on, strides):
    model = unit("original", 4, bottleneck=True, stride=2, stride_on=stride_on)
    assert [model.get_layer(f"unit_conv{step}").strides[0] for step in (1, 2, 3)] == strides


def test_shortcut_of_zeros():
    x = normal(1, 5, 7, 2)
    y = keras.ops.convert_to_numpy(residual.ZeroChannels(5, 2)(x))
    np.testing.assert_array_equal(y[..., :2], x[:, ::2, ::2])
    assert y.shape == (1, 3, 4, 5)
    assert not y[..., 2:].any()


def test_unknown_orderings_are_refused():
    with pytest.raises(ValueError, match="unknown ordering 'preactivation'"):
        unit("preactivation", 4)


def test_settings_name_the_orderings_of_the_unit():
    assert typing.get_args(family.Ordering) == ORDERINGS


# --- any size ----------------------------------------------------------------------------


@pytest.mark.parametrize("ordering", ["original", "full_preactivation"])
def test_any_size(ordering):
    model = resnet_features(depth=18, width=2, ordering=ordering)
    for height, width in ((64, 96), (75, 61), (33, 1), (1, 1)):
        maps = model.predict_on_batch(normal(1, height, width, 3))
        sizes = {f"c{k}": (1, -(-height // 2**k), -(-width // 2**k)) for k in range(1, 6)}
        assert {name: y.shape[:3] for name, y in maps.items()} == sizes
        assert all(np.isfinite(y).all() for y in maps.values())
    assert [y.shape[-1] for y in maps.values()] == [2, 2, 4, 8, 16]


# --- published weights ---------------------------------------------------------------------


def empty(shared, name):
    """A checkpoint of zeros with a fixture's keys."""
    keys = json.loads((shared / "parity" / f"{name}.json").read_text())["keys"]
    return {key: np.broadcast_to(np.float32(0), entry["shape"]) for key, entry in keys.items()}


@pytest.mark.parametrize(
    ("name", "layout", "found"),
    [
        ("resnet18", "torchvision", {"depth": 18, "ordering": "original", "interpolation": "bilinear"}),
        ("resnet50", "torchvision", {"depth": 50, "stride_on": "3x3", "mean": (123.675, 116.28, 103.53)}),
        ("resnetv2_50", "timm-resnetv2", {"depth": 50, "ordering": "full_preactivation", "mean": (127.5,)}),
    ],
)
def test_layouts_are_recognised(shared, name, layout, found):
    arrays = {f"module.{key}": array for key, array in empty(shared, name).items()}
    recognised, settings = recognise(LAYOUTS, arrays)
    assert recognised == layout
    assert settings.items() >= found.items()
    assert (settings["width"], settings["channels"], settings["classes"]) == (64, 3, 1000)
    adopted = family.ResNet(names=("a", "b")).for_checkpoint(arrays)
    assert adopted.depth == settings["depth"]
    assert adopted.names == ()


def test_a_key_that_lacks_is_named(shared):
    arrays = empty(shared, "resnet18")
    del arrays["layer3.1.bn2.weight"]
    with pytest.raises(UserError, match=r"1 missing \(layer3.1.bn2.weight\)"):
        convert(arrays)


def test_without_a_classifier_there_is_all_but_the_head(shared):
    arrays = {key: array for key, array in empty(shared, "resnet18").items() if not key.startswith("fc")}
    found = convert(arrays)
    assert {v.path for v in resnet_features(depth=18).weights} == set(found)
    with pytest.raises(UserError, match="2 missing \\(head/bias, head/kernel\\)"):
        assign(resnet(depth=18), found)


def test_wide_networks_do_not_fit(shared):
    arrays = empty(shared, "resnet50")
    for key in [key for key in arrays if key.endswith("conv2.weight")]:
        arrays[key] = np.broadcast_to(np.float32(0), (2 * arrays[key].shape[0], *arrays[key].shape[1:]))
    with pytest.raises(UserError, match="16 of another shape"):
        assign(family.ResNet().for_checkpoint(arrays).build(), convert(arrays))


def test_what_is_not_built_is_told(shared):
    groups = {k: v for k, v in empty(shared, "resnetv2_50").items() if "running" not in k}
    with pytest.raises(UserError, match="Big Transfer"):
        convert(groups)
    with pytest.raises(UserError, match="the last unit of a stage has the stride"):
        convert({"conv1_conv/kernel": normal(7, 7, 3, 64), "conv2_block1_preact_bn/gamma": normal(64)})
    with pytest.raises(UserError, match="not in the layout torchvision or timm-resnetv2 or"):
        convert({"conv1.0.weight": normal(32, 3, 3, 3)})


@pytest.mark.slow
def test_keras_applications():
    """The same numbers from the same arrays, running statistics included."""
    theirs = keras.applications.ResNet50(weights=None, classes=7, classifier_activation=None)
    rng = np.random.default_rng(0)
    for variable in theirs.weights:
        kind = variable.path.rpartition("/")[2]
        if kind in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif kind != "kernel":
            variable.assign(0.1 * rng.standard_normal(variable.shape))
    arrays = {variable.path: keras.ops.convert_to_numpy(variable) for variable in theirs.weights}
    adopted = family.ResNet().for_checkpoint(arrays)
    assert (adopted.order, adopted.std, adopted.stride_on) == ("BGR", (1.0,), "1x1")
    ours = adopted.build()
    assign(ours, adopted.convert(arrays))
    x = normal(1, 224, 224, 3)
    reference = theirs.predict_on_batch(x)
    error = np.abs(ours.predict_on_batch(x)["logits"] - reference).max() / np.abs(reference).max()
    assert error < 1e-5, error


@pytest.mark.parametrize(
    ("depth", "output_stride", "settings"),
    [
        (18, 16, {}),
        (18, 8, {}),
        (50, 8, {}),
        (50, 8, {"stride_on": "1x1"}),
        (18, 8, {"ordering": "full_preactivation"}),
    ],
)
def test_dilation_gives_the_strided_maps_at_the_positions_that_strides_leave(depth, output_stride, settings):
    strided = resnet_features(depth=depth, width=4, **settings)
    dilated = resnet_features(depth=depth, width=4, output_stride=output_stride, **settings)
    assert [(v.path, v.shape) for v in dilated.variables] == [(v.path, v.shape) for v in strided.variables]
    dilated.set_weights(strided.get_weights())
    x = np.random.default_rng(0).normal(size=(1, 61, 90, 3)).astype("float32")
    fine = dilated.predict_on_batch(x)
    for k, (name, coarse) in enumerate(strided.predict_on_batch(x).items(), 1):
        stride = min(2**k, output_stride)
        assert fine[name].shape[1:3] == (-(-61 // stride), -(-90 // stride))
        step = 2**k // stride
        largest = np.abs(coarse).max()
        assert largest > 0
        np.testing.assert_allclose(fine[name][:, ::step, ::step], coarse, rtol=1e-4, atol=1e-5 * largest)


def test_a_dilation_that_replaces_a_stride_begins_after_the_convolution_that_had_it():
    def answer(**spacing):
        keras.utils.set_random_seed(0)
        x = np.random.default_rng(0).normal(size=(1, 9, 12, 3)).astype("float32")
        image = keras.Input((None, None, 3))
        return keras.Model(image, residual_unit(image, 4, name="unit", **spacing)).predict_on_batch(x)

    strided = answer(stride=2)
    np.testing.assert_allclose(answer(dilation=2, first_dilation=1)[:, ::2, ::2], strided, atol=1e-5)
    assert np.abs(answer(dilation=2)[:, ::2, ::2] - strided).max() > 0.1


def test_other_output_strides_are_refused():
    with pytest.raises(ValueError, match="output_stride is 4, not 8, 16 or 32"):
        resnet_features(output_stride=4)
