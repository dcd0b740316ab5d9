import keras
import numpy as np
import pytest

from kerazoo import checkpoints
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


TABLE = checkpoints.conv("c", "conv") | checkpoints.batch_norm("b", "bn")


def test_translated_and_assigned():
    model, state = network(), published()
    checkpoints.assign(model, checkpoints.translate(state, TABLE))
    conv, norm = model.get_layer("conv"), model.get_layer("bn")
    np.testing.assert_array_equal(conv.get_weights()[0][2, 1, 0, 1], state["c.weight"][1, 0, 2, 1])
    np.testing.assert_array_equal(norm.get_weights()[3], state["b.running_var"])


def test_keys_missing_and_unused_are_told_together():
    state = published()
    del state["c.bias"]
    state["extra.weight"] = np.ones(1)
    with pytest.raises(UserError, match=r"1 missing \(c.bias\); 1 unexpected \(extra.weight\)"):
        checkpoints.translate(state, TABLE)
    assert checkpoints.translate(published() | {"extra.weight": np.ones(1)}, TABLE, [".weight", "tracked"])


def test_prefixes_every_key_has_are_dropped():
    state = {f"module.model.{key}": array for key, array in published().items()}
    assert checkpoints.without_prefix(state).keys() == published().keys()
    mixed = {"model.a": 1, "b": 2}
    assert checkpoints.without_prefix(mixed) == mixed


LAYOUTS = {
    "square": lambda arrays: {"side": arrays["side"]},
    "circle": lambda arrays: {"radius": arrays["r"].shape[0]} if "r" in arrays else None,
}


@pytest.mark.parametrize("layout", [None, "circle"])
def test_the_layout_is_recognised_from_the_keys(layout):
    assert checkpoints.recognise(LAYOUTS, {"r": np.ones(3)}, layout) == ("circle", {"radius": 3})


def test_a_named_layout_decides_between_two():
    both = {"side": 1, "r": np.ones(3)}
    with pytest.raises(UserError, match="layouts square, circle; choose one: .* --layout NAME"):
        checkpoints.recognise(LAYOUTS, both)
    assert checkpoints.recognise(LAYOUTS, both, "square") == ("square", {"side": 1})


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
        checkpoints.recognise(LAYOUTS, arrays, layout)


def test_nothing_is_written_when_anything_is_wrong():
    model, arrays = network(), checkpoints.translate(published(), TABLE)
    before = model.get_weights()
    del arrays["bn/gamma"]
    arrays["bn/beta"] = np.ones(7)
    arrays["other/kernel"] = np.ones(1)
    with pytest.raises(UserError) as caught:
        checkpoints.assign(model, arrays)
    for part in ("1 missing (bn/gamma)", "1 unexpected (other/kernel)", "(bn/beta (3,) not (7,))"):
        assert part in str(caught.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_swapped_shapes_are_told():
    state = published() | {"c.weight": np.ones((2, 3, 3, 3), "float32")}
    with pytest.raises(UserError, match="1 of another shape"):
        checkpoints.assign(network(), checkpoints.translate(state, TABLE))
    with pytest.raises(UserError, match="1 of another shape"):
        checkpoints.assign(network(), checkpoints.translate(state | {"c.weight": np.ones(3)}, TABLE))


def test_long_lists_stay_one_short_line():
    with pytest.raises(UserError) as caught:
        checkpoints.translate({f"key{i}": np.ones(1) for i in range(1000)}, {})
    assert "1000 unexpected (key0, key1, key10, key100 and 996 more)" in str(caught.value)
