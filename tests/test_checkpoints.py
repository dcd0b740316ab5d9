import os
import pickle
from collections import OrderedDict

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from kerazoo import checkpoints
from kerazoo.errors import UserError

ARRAYS = {"a.weight": np.arange(6, dtype="float32").reshape(2, 3), "a.steps": np.array(3)}


class Touch:
    """A pickle that writes a file when loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch files need PyTorch")


def same(found):
    assert found.keys() == ARRAYS.keys()
    return all(np.array_equal(found[key], ARRAYS[key]) for key in ARRAYS)


def one_line(path, *parts):
    with pytest.raises(UserError) as caught:
        checkpoints.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


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


# --- files ---------------------------------------------------------------------------


def test_safetensors(tmp_path):
    save_file(ARRAYS, tmp_path / "a.safetensors")
    assert same(checkpoints.read(tmp_path / "a.safetensors"))


def test_npz(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    assert same(checkpoints.read(tmp_path / "a.npz"))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"epoch": 3, "state_dict": s}, lambda s: {"model": {"net": s}}]
)
def test_torch(tmp_path, torch, zipped, wrap):
    state = OrderedDict((key, torch.tensor(array)) for key, array in ARRAYS.items())
    torch.save(wrap(state), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert same(checkpoints.read(tmp_path / "a.pth"))


def test_content_decides_not_the_name(tmp_path):
    save_file(ARRAYS, tmp_path / "a.pth")
    assert same(checkpoints.read(tmp_path / "a.pth"))


def test_half_precision_becomes_single(tmp_path, torch):
    from safetensors.torch import save_file as save_torch

    state = {"a": torch.ones(2, dtype=torch.bfloat16), "b": torch.nn.Parameter(torch.ones(2).half())}
    torch.save(state, tmp_path / "a.pth")
    save_torch(state, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        found = checkpoints.read(tmp_path / name)
        assert {key: (str(array.dtype), array.tolist()) for key, array in found.items()} == {
            "a": ("float32", [1, 1]),
            "b": ("float32", [1, 1]),
        }


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_executed(tmp_path, torch, zipped):
    state = {"a": torch.ones(2), "evil": Touch(tmp_path / "executed")}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    one_line(tmp_path / "a.pth", "Python objects", "executed")
    assert not (tmp_path / "executed").exists()


def test_bare_pickle_is_refused_and_not_executed(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps(Touch(tmp_path / "executed"), protocol=2))
    one_line(path)
    assert not (tmp_path / "executed").exists()


def test_whole_module_is_refused(tmp_path, torch):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pth")
    one_line(tmp_path / "a.pth", "state_dict()")


def test_nothing_named_is_refused(tmp_path, torch):
    torch.save([torch.ones(2)], tmp_path / "a.pth")
    one_line(tmp_path / "a.pth", "no weights by name")


def test_objects_in_npz_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}], dtype=object))
    one_line(tmp_path / "a.npz")


@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("kind", ["safetensors", "npz", "pth", "legacy.pth"])
def test_truncated_files(tmp_path, kind, part, request):
    path = tmp_path / f"a.{kind}"
    arrays = {"a": np.ones(5000, "float32")}
    if kind == "safetensors":
        save_file(arrays, path)
    elif kind == "npz":
        np.savez(path, **arrays)
    else:
        torch = request.getfixturevalue("torch")
        torch.save({"a": torch.ones(5000)}, path, _use_new_zipfile_serialization=kind == "pth")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    one_line(path)


def test_missing_file_folder_and_text(tmp_path):
    one_line(tmp_path / "none.pth", "there is no checkpoint")
    one_line(tmp_path)
    (tmp_path / "a.pth").write_text("once upon a time")
    one_line(tmp_path / "a.pth", ".safetensors, .pth or .npz")


def test_torch_missing(tmp_path, torch, monkeypatch):
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pth")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    one_line(tmp_path / "a.pth", "pip install", ".safetensors")


# --- into a network --------------------------------------------------------------------


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
    with pytest.raises(UserError, match="layouts square, circle; choose one: --layout NAME"):
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
