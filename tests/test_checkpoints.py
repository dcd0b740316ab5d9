import keras
import numpy as np
import pytest

from kerazoo.checkpoints import mapping
from kerazoo.errors import UserError


def network():
    entry = keras.Input((None, None, 2))
    x = keras.layers.Conv2D(3, 3, name="conv")(entry)
    return keras.Model(entry, keras.layers.BatchNormalization(name="bn")(x))


def published(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"c.weight": (3, 2, 3, 3), "c.bias": (3,), "b.weight": (3,), "b.bias": (3,)}
    shapes |= {"b.running_mean": (3,), "b.running_var": (3,), "b.num_batches_tracked": ()}
    return {key: rng.random(shape).astype("float32") for key, shape in shapes.items()}


TABLE = mapping.conv("c", "conv") | mapping.batch_norm("b", "bn")


def test_translated_and_assigned():
    model, state = network(), published()
    mapping.assign(model, mapping.translate(state, TABLE))
    conv, norm = model.get_layer("conv"), model.get_layer("bn")
    np.testing.assert_array_equal(conv.get_weights()[0][2, 1, 0, 1], state["c.weight"][1, 0, 2, 1])
    np.testing.assert_array_equal(norm.get_weights()[3], state["b.running_var"])


def test_keys_missing_and_unused_are_told_together():
    state = published()
    del state["c.bias"]
    state["extra.weight"] = np.ones(1)
    with pytest.raises(UserError, match=r"1 missing \(c.bias\); 1 unexpected \(extra.weight\)"):
        mapping.translate(state, TABLE)
    assert mapping.translate(published() | {"extra.weight": np.ones(1)}, TABLE, [".weight", "tracked"])


def below(prefix, arrays=None):
    return {f"{prefix}{key}": array for key, array in (arrays or published()).items()}


@pytest.mark.parametrize(
    "prefix", ["", "module.", "module.model.", "netG.model.", "state_dict:_orig_mod.", "ema:module:"]
)
def test_a_network_is_found_below_any_prefix(prefix):
    found = mapping.network_in(below(prefix), "b.running_mean")
    assert found.keys() == published().keys()
    assert np.array_equal(found["c.weight"], published()["c.weight"])


def test_what_lies_beside_a_network_is_refused_by_its_name_or_known_to_be_harmless():
    state = below("state_dict:model.") | {"optimizer:lr": np.ones(1), "epoch": np.ones(1)}
    harmless = ("criterion.weight", "val_acc.tp", "mean", "model.std", "loss_fn.margin", "model.queue_ptr")
    state |= {f"state_dict:{key}": np.ones(3) for key in harmless}
    assert mapping.network_in(state, "c.weight").keys() == published().keys()
    state |= {"state_dict:model2.head.weight": np.ones(3)}
    with pytest.raises(UserError, match=r"1 unexpected \(state_dict:model2.head.weight beside it\)"):
        mapping.translate(mapping.network_in(state, "c.weight"), TABLE)


@pytest.mark.parametrize(
    ("meant", "other"),
    [
        ("model_ema:module.", "model:"),
        ("state_dict_ema:", "state_dict:"),
        ("teacher:backbone.", "student:module.backbone."),
        ("state_dict:module.encoder_q.", "state_dict:module.encoder_k."),
        ("state_dict:ema_model.", "state_dict:model."),
        ("state_dict:module.", "best_state_dict:"),
        ("ema:module:", "module:"),
    ],
)
def test_of_several_networks_the_one_meant_for_others_is_taken(meant, other):
    for both in (below(meant) | below(other, published(1)), below(other, published(1)) | below(meant)):
        found = mapping.network_in(both, "c.weight")
        assert found.keys() == published().keys()
        assert np.array_equal(found["c.weight"], published()["c.weight"])


def test_of_two_equal_networks_a_part_is_to_be_named():
    both = below("netG_A:model.") | below("netG_B:model.", published(1))
    with pytest.raises(
        UserError, match="several networks: netG_A:model, netG_B:model; choose one: .*--part NAME"
    ):
        mapping.network_in(both, "c.weight")
    found = mapping.network_in(mapping.part_of(both, "netG_B"), "c.weight")
    assert np.array_equal(found["c.weight"], published(1)["c.weight"])
    with pytest.raises(UserError, match="no part 'netG'; it has netG_A, netG_B"):
        mapping.part_of(both, "netG")


def test_a_checkpoint_without_the_network():
    with pytest.raises(
        UserError, match="has no d.weight: its keys are c.weight, c.bias, b.weight, b.bias and"
    ):
        mapping.network_in(published(), "d.weight")
    assert not mapping.fits({"other": lambda a: mapping.network_in(a, "d.weight")}, published())


def test_the_body_of_a_network_may_have_any_head():
    head = {"fc.weight": np.ones((2, 3)), "head.mlp.0.bias": np.ones(3), "x.c.bias beside it": np.ones(3)}
    assert mapping.translate(published() | head, TABLE, body=True).keys() == {
        "conv/kernel", "conv/bias", "bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_variance",
    }  # fmt: skip
    with pytest.raises(UserError, match=r"1 unexpected \(c.gate.weight\)"):
        mapping.translate(published() | {"c.gate.weight": np.ones(3)}, TABLE, body=True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value):
    state = published()
    state["b.running_var"][1] = value
    with pytest.raises(UserError, match=r"1 not finite \(b.running_var\)"):
        mapping.translate(state, TABLE)


def test_what_was_left_out_is_told():
    state = below("model.") | {"criterion.weight": np.ones(2), "fc.weight": np.ones(2)}
    made = mapping.translate(mapping.network_in(state, "c.weight"), TABLE, body=True)
    assert mapping.unused_arrays(state, made) == "left out: criterion.weight, fc.weight"
    whole = published()
    assert mapping.unused_arrays(whole, mapping.translate(whole, TABLE)) == ""


LAYOUTS = {
    "square": lambda arrays: {"side": arrays["side"]},
    "circle": lambda arrays: {"radius": arrays["r"].shape[0]} if "r" in arrays else None,
}


@pytest.mark.parametrize(
    ("stored", "mean", "std"),
    [
        ({"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}, (127.5, 102.0, 76.5), (51.0, 51.0, 25.5)),
        ({"m:pixel_mean": [103.5, 116.3, 123.7], "m:pixel_std": [1.0]}, (9.0,), (9.0,)),
        ({"a.pixel_mean": [103.5], "a.pixel_std": [1.0]}, (103.5,), (1.0,)),
        ({"mean": [0.5]}, (9.0,), (9.0,)),
    ],
)
def test_the_normalisation_that_a_checkpoint_keeps_is_taken(stored, mean, std):
    layouts = {"one": lambda arrays: {"mean": (9.0,), "std": (9.0,)}}
    arrays = {key: np.array(value).reshape(1, -1, 1, 1) for key, value in stored.items()}
    assert mapping.recognise(layouts, arrays)[1] == {"mean": mean, "std": std}


@pytest.mark.parametrize("layout", [None, "circle"])
def test_the_layout_is_recognised_from_the_keys(layout):
    assert mapping.recognise(LAYOUTS, {"r": np.ones(3)}, layout) == ("circle", {"radius": 3})


def test_a_named_layout_decides_between_two():
    both = {"side": 1, "r": np.ones(3)}
    with pytest.raises(UserError, match="layouts square, circle; choose one: .* --layout NAME"):
        mapping.recognise(LAYOUTS, both)
    assert mapping.recognise(LAYOUTS, both, "square") == ("square", {"side": 1})


@pytest.mark.parametrize(
    ("arrays", "layout", "told"),
    [
        ({"a": 1, "b": 2}, None, "layout square or circle: its keys are a, b;"),
        ({"r": np.ones(())}, None, "layout square or circle"),  # an axis that is not there
        ({"side": 1}, "circle", "not in the layout circle"),
        ({"side": 1}, "circel", "unknown layout 'circel'; did you mean 'circle'"),
    ],
)
def test_layouts_that_do_not_fit(arrays, layout, told):
    with pytest.raises(UserError, match=told):
        mapping.recognise(LAYOUTS, arrays, layout)


def test_nothing_is_written_when_anything_is_wrong():
    model, arrays = network(), mapping.translate(published(), TABLE)
    before = model.get_weights()
    del arrays["bn/gamma"]
    arrays["bn/beta"] = np.ones(7)
    arrays["other/kernel"] = np.ones(1)
    with pytest.raises(UserError) as caught:
        mapping.assign(model, arrays)
    for part in ("1 missing (bn/gamma)", "1 unexpected (other/kernel)", "(bn/beta (3,) not (7,))"):
        assert part in str(caught.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_swapped_shapes_are_told():
    state = published() | {"c.weight": np.ones((2, 3, 3, 3), "float32")}
    with pytest.raises(UserError, match="1 of another shape"):
        mapping.assign(network(), mapping.translate(state, TABLE))
    with pytest.raises(UserError, match="1 of another shape"):
        mapping.assign(network(), mapping.translate(state | {"c.weight": np.ones(3)}, TABLE))


def test_long_lists_stay_one_short_line():
    with pytest.raises(UserError) as caught:
        mapping.translate({f"key{i}": np.ones(1) for i in range(1000)}, {})
    assert "1000 unexpected (key0, key1, key10, key100 and 996 more)" in str(caught.value)
