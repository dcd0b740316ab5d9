import keras
import numpy as np
import pytest

from kerazoo.checkpoints.mapping import assign
from kerazoo.errors import UserError
from kerazoo.families.unetpp.importer import convert, nested
from kerazoo.families.unetpp.model import prune, unetpp
from tests.inputs import normal

SMALL = {"filters": (2, 3, 4), "channels": 1}
FIVE = {"filters": (2, 3, 4, 5, 6), "channels": 1}


def published(settings):
    """The state dict of 4uiiurz1's NestedUNet, undone from our own variables."""
    state = {}
    for variable in unetpp(**settings).weights:
        layer, name = variable.path.split("/")
        layer = layer.replace("x_", "conv").replace("_conv", ".conv")
        if layer.endswith("_bn"):
            layer = layer.removesuffix("_bn").replace(".conv", ".bn")
        layer = (
            layer.replace("head", "final")
            if settings["deep_supervision"]
            else layer.replace("head2", "final")
        )
        theirs = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}
        array = keras.ops.convert_to_numpy(variable)
        array = array.transpose(3, 2, 0, 1) if name == "kernel" else array
        state[f"{layer}.{(theirs | {'moving_variance': 'running_var'}).get(name, name)}"] = array
    return state


@pytest.mark.parametrize(
    ("channels", "counts"),
    [(1, (100_961, 511_105, 2_204_961, 9_041_601)), (3, (101_537, 511_681, 2_205_537, 9_042_177))],
)
def test_parameters_of_the_pruned_networks(channels, counts):
    model = unetpp(channels=channels)
    assert tuple(prune(model, level).count_params() for level in (1, 2, 3, 4)) == counts
    assert unetpp(channels=channels, deep_supervision=False).count_params() == counts[-1]
    assert model.count_params() == counts[-1] + 3 * 33


@pytest.mark.parametrize("up", ["transposed", "bilinear", "bilinear_align_corners"])
def test_any_size(up):
    model = unetpp(**SMALL, classes=2, up=up)
    for size in ((97, 131), (5, 7), (32, 48), (1, 1)):
        outputs = model.predict_on_batch(normal(1, *size, 1))
        assert {name: y.shape for name, y in outputs.items()} == {f"head{j}": (1, *size, 2) for j in (1, 2)}


def test_padding_is_mirrored_and_cropped():
    """A 5x7 image gives what its mirrored 8x8 continuation gives there."""
    model, x = unetpp(**SMALL), normal(1, 5, 7, 1)
    mirrored = np.pad(x, ((0, 0), (0, 3), (0, 1), (0, 0)), mode="reflect")
    for name, y in model.predict_on_batch(x).items():
        np.testing.assert_allclose(y, model.predict_on_batch(mirrored)[name][:, :5, :7], atol=1e-6)


def test_pruned_networks_are_the_heads():
    model, x = unetpp(**FIVE, norm=True, up="bilinear"), normal(2, 20, 36, 1)
    whole = model.predict_on_batch(x)
    for level in (1, 2, 3, 4):
        pruned = prune(model, level).predict_on_batch(x)
        assert list(pruned) == [f"head{level}"]
        np.testing.assert_allclose(pruned[f"head{level}"], whole[f"head{level}"], rtol=0, atol=1e-6)


def test_pruning_keeps_only_its_nodes_and_shares_them():
    model = unetpp(**FIVE)
    pruned = prune(model, 2)
    nodes = {v.path.split("_conv")[0] for v in pruned.weights if v.path.startswith("x_")}
    assert nodes == {f"x_{i}_{j}" for i in range(3) for j in range(3 - i)}
    ours = {id(variable) for variable in model.weights}
    assert all(id(variable) in ours for variable in pruned.weights)


def test_no_head_to_prune_to():
    with pytest.raises(ValueError, match="no head1, only head2"):
        prune(unetpp(**SMALL, deep_supervision=False), 1)


@pytest.mark.parametrize("skips_first", [False, True])
def test_order_of_concatenation(skips_first):
    model = unetpp(**SMALL, skips_first=skips_first)
    widths = [tensor.shape[-1] for tensor in model.get_layer("concat_0_2").input]
    names = [tensor._keras_history.operation.name for tensor in model.get_layer("concat_0_2").input]
    assert widths == [2, 2, 2]
    assert names.index("up_0_2") == (2 if skips_first else 0)


def test_logits_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    outputs = unetpp(**SMALL, dropout=0.1).predict_on_batch(normal(1, 9, 9, 1))
    assert {y.dtype.name for y in outputs.values()} == {"float32"}


@pytest.mark.parametrize("deep_supervision", [True, False])
def test_settings_of_a_checkpoint(deep_supervision):
    settings = SMALL | {"deep_supervision": deep_supervision, "classes": 3, "norm": True}
    settings |= {"up": "bilinear_align_corners", "skips_first": True, "encoder": None}
    state = published(settings)
    assert nested(state) == settings
    model = unetpp(**settings)
    assign(model, convert({f"module.{key}": array for key, array in state.items()}))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model.get_layer("x_0_2_conv2_bn").moving_variance),
        state["conv0_2.bn2.running_var"],
    )


def test_a_foreign_layout_is_refused():
    with pytest.raises(UserError, match="not in the layout pytorch-nested-unet or smp: its keys are inc"):
        convert({"inc.weight": np.ones(1), "outc.weight": np.ones(1)})
    settings = {"deep_supervision": True, "norm": True, "up": "bilinear_align_corners", "skips_first": True}
    state = published(SMALL | settings)
    del state["conv0_1.conv2.weight"]
    with pytest.raises(UserError, match=r"1 missing \(conv0_1.conv2.weight\)"):
        convert(state)
