import argparse
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from kerazoo.checkpoints import read as weights
from kerazoo.checkpoints.read import read
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


def same(found, prefix=""):
    assert found.keys() == {prefix + key for key in ARRAYS}
    return all(np.array_equal(found[prefix + key], ARRAYS[key]) for key in ARRAYS)


def one_line(path, *parts):
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_safetensors(tmp_path):
    save_file(ARRAYS, tmp_path / "a.safetensors")
    assert same(read(tmp_path / "a.safetensors"))


def test_npz(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    assert same(read(tmp_path / "a.npz"))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [
        (lambda s: s, ""),
        (
            lambda s: {"epoch": 3, "state_dict": s, "optimizer": {"state": {0: {"m": s["a.steps"]}}}},
            "state_dict:",
        ),
        (lambda s: {"ema": {"module": s}, "rest": [s["a.steps"]]}, "ema:module:"),
    ],
)
def test_torch(tmp_path, torch, zipped, wrap, prefix):
    state = OrderedDict((key, torch.tensor(array)) for key, array in ARRAYS.items())
    torch.save(wrap(state), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert same(read(tmp_path / "a.pth"), prefix)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_trainings_keep_beside_weights_is_passed_over(tmp_path, torch, zipped):
    state = {key: torch.tensor(array) for key, array in ARRAYS.items()}
    beside = {"best": np.float64(71.2), "step": np.int64(3), "curve": np.arange(3.0), "out": Path("x") / "y"}
    beside |= {"args": argparse.Namespace(rate=0.1, out=Path("x")), "type": np.dtype("float32")}
    torch.save({"state_dict": state, **beside}, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert same(read(tmp_path / "a.pth"), "state_dict:")


def test_mappings_that_hold_one_another_are_read_once(tmp_path, torch):
    inner = {"w": torch.ones(1)}
    for _ in range(40):
        inner = {"a": inner, "b": inner}
    inner["itself"] = inner
    torch.save({"deep": inner, "w": torch.ones(1)}, tmp_path / "a.pth")
    assert list(read(tmp_path / "a.pth")) == ["w"]  # deeper than any training nests


def test_content_decides_not_the_name(tmp_path):
    save_file(ARRAYS, tmp_path / "a.pth")
    assert same(read(tmp_path / "a.pth"))


def test_half_precision_becomes_single(tmp_path, torch):
    from safetensors.torch import save_file as save_torch

    state = {"a": torch.ones(2, dtype=torch.bfloat16), "b": torch.nn.Parameter(torch.ones(2).half())}
    torch.save(state, tmp_path / "a.pth")
    save_torch(state, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        found = read(tmp_path / name)
        assert {key: (str(array.dtype), array.tolist()) for key, array in found.items()} == {
            "a": ("float32", [1, 1]),
            "b": ("float32", [1, 1]),
        }


@pytest.mark.parametrize("zipped", [True, False])
def test_code_is_refused_and_not_executed(tmp_path, torch, zipped):
    state = {"a": torch.ones(2), "evil": Touch(tmp_path / "executed")}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    one_line(tmp_path / "a.pth", "holds Python objects besides weights (", "none was loaded or executed")
    assert not (tmp_path / "executed").exists()


def test_bare_pickle_is_refused_and_not_executed(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps(Touch(tmp_path / "executed"), protocol=2))
    one_line(path)
    assert not (tmp_path / "executed").exists()


def test_whole_module_is_refused(tmp_path, torch):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pth")
    one_line(tmp_path / "a.pth", "Python objects besides weights (torch.nn", "state_dict()")


def test_torchscript_is_told_from_damage(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as members:
        for name in ("a/data.pkl", "a/code/__torch__.py", "a/constants.pkl"):
            members.writestr(name, b"x")
    one_line(tmp_path / "a.pt", "is a TorchScript program", "torch.jit.load('a.pt').state_dict()")


def test_nothing_named_is_refused(tmp_path, torch):
    torch.save([torch.ones(2)], tmp_path / "a.pth")
    one_line(tmp_path / "a.pth", "no weights by name")


def test_objects_in_npz_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}], dtype=object))
    one_line(tmp_path / "a.npz")


def test_shapes_that_were_never_stored_are_refused(tmp_path, torch):
    torch.save({"a.weight": torch.ones(1).expand(100_000, 100_000, 100)}, tmp_path / "a.pth")
    one_line(tmp_path / "a.pth", "a.weight claims more values than are stored")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("conv/kernel:0", (10**6, 10**6), "float32", chunks=(1000, 1000))
    one_line(tmp_path / "a.h5", "its arrays claim 4000000000000 bytes, more than the")


def bomb(kind, path):
    """Write a file of a few kilobytes that unpacks to 8 MB."""
    zeros = np.zeros(1 << 20, "float32")
    if kind == "npz":
        np.savez_compressed(path, a=zeros, b=zeros)
        return
    with h5py.File(path, "w") as file:
        for name in "ab":
            file.create_dataset(f"{name}/kernel:0", data=zeros, compression="gzip")
    if kind == "keras":
        content = path.read_bytes()
        with zipfile.ZipFile(path, "w") as members:
            members.writestr("model.weights.h5", content)
    if kind == "pth":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as members:
            members.writestr("a/data.pkl", zeros.tobytes())
            members.writestr("a/data/0", zeros.tobytes())


@pytest.mark.parametrize("kind", ["npz", "h5", "keras", "pth"])
def test_a_small_file_that_unpacks_to_much_is_refused_before_it_does(tmp_path, monkeypatch, kind):
    path = tmp_path / f"a.{kind}"
    bomb(kind, path)
    monkeypatch.setattr(weights, "LEAST", 1 << 16)
    one_line(path, "more than")


def test_tensors_that_share_their_values_count_each(tmp_path, torch, monkeypatch):
    whole = torch.zeros(1 << 16, dtype=torch.float16)
    torch.save({f"w{index}": whole[:] for index in range(100)}, tmp_path / "a.pth")
    monkeypatch.setattr(weights, "LEAST", 1 << 16)
    one_line(tmp_path / "a.pth", "its tensors claim 13107200 bytes")


def test_groups_are_not_followed_for_ever(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["/".join("g" * 3000)] = np.ones(3)
    one_line(tmp_path / "a.h5", "nested deeper than 32")


@pytest.mark.parametrize("name", ["a" * 300 + ".pth", "a\0b.pth", "pipe", "."])
def test_paths_that_are_none_of_a_file(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="too long|NUL|a pipe or a device|a folder"):
        read(tmp_path / name)


def keras_model():
    entry = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, name="stem_conv")(entry)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    inside = [keras.Input((6, 6, 2)), keras.layers.Conv2D(3, 1, use_bias=False, name="mix")]
    x = keras.Sequential(inside, name="inner")(x)
    return keras.Model(entry, keras.layers.Dense(4, name="scores")(x))


def test_keras_weights(tmp_path):
    model = keras_model()
    model.save_weights(tmp_path / "a.weights.h5")
    expected = {v.path: keras.ops.convert_to_numpy(v) for v in model.weights}
    found = read(tmp_path / "a.weights.h5")
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


def test_keras_archives(tmp_path):
    model = keras_model()
    model.save(tmp_path / "a.keras")
    found = read(tmp_path / "a.keras")
    assert found.keys() == {v.path for v in model.weights}
    assert all(np.array_equal(found[v.path], keras.ops.convert_to_numpy(v)) for v in model.weights)


@pytest.mark.parametrize("top", ["", "model_weights/"])
def test_keras_weights_of_the_years_before(tmp_path, top):
    """keras.applications' files: a group per layer, in it the variables with the layer's name again."""
    names = ("conv1_conv/conv1_conv/kernel:0", "conv1_conv/conv1_conv/bias:0", "probs/probs/kernel:0")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number, name in enumerate(names):
            file[f"{top}{name}"] = np.full((2, 3), number, "float64")
        file["optimizer_weights/iterations:0"] = 7
        file["note"] = "made of numbers"
    found = read(tmp_path / "a.h5")
    assert list(found) == ["conv1_conv/bias", "conv1_conv/kernel", "probs/kernel"]
    assert found["probs/kernel"].tolist() == [[2, 2, 2]] * 2
    assert found["probs/kernel"].dtype == "float32"


def test_links_out_of_an_hdf5_file_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.ones(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = np.ones(2)
        file["b"] = h5py.ExternalLink("other.h5", "secret")
        file["c"] = file["/"]  # and a group that holds itself
    assert read(tmp_path / "a.h5").keys() == {"a"}
    (tmp_path / "raw").write_bytes(bytes(80))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("d", (10,), "float64", external=[(str(tmp_path / "raw"), 0, 80)])
    one_line(tmp_path / "b.h5")


@pytest.mark.parametrize("part", [0, 0.01, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("kind", ["safetensors", "npz", "h5", "pth", "legacy.pth"])
def test_truncated_files(tmp_path, kind, part, request):
    path = tmp_path / f"a.{kind}"
    arrays = {"a": np.ones(5000, "float32")}
    if kind == "safetensors":
        save_file(arrays, path)
    elif kind == "npz":
        np.savez(path, **arrays)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["a/a/kernel:0"] = arrays["a"]
    else:
        torch = request.getfixturevalue("torch")
        torch.save({"a": torch.ones(5000)}, path, _use_new_zipfile_serialization=kind == "pth")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    one_line(path)


def test_missing_file_folder_and_text(tmp_path):
    one_line(tmp_path / "none.pth", "no such file")
    one_line(tmp_path, "is a folder, not a file")
    (tmp_path / "a.pth").write_text("once upon a time")
    one_line(tmp_path / "a.pth", ".safetensors, .pth, .npz, .h5 or .keras")


def test_torch_missing(tmp_path, torch, monkeypatch):
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pth")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    one_line(tmp_path / "a.pth", "pip install", ".safetensors")
