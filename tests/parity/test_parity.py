"""Our networks compute what the published code computes, for any weights."""

import importlib.util
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from kerazoo.checkpoints.read import read
from kerazoo.families.unetpp import model as unetpp
from kerazoo.layers import Upsample
from tests.parity import cases, weights

BIG = {"fcn8s", "fcn16s", "fcn32s", "fcn8s_bilinear", "openpose_coco", "centernet_hourglass", "yolov4"}
"""Of 134, 52, 191 and 64 million values."""
DEEP = {name for name in cases.CASES if name.startswith("hrnet")} - {"hrnet_seg_w18_small_v2"}


@pytest.fixture
def fixture(shared):
    def paths(name):
        return shared / "parity" / f"{name}.json", shared / "parity" / f"{name}.npz"

    return paths


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in BIG | DEEP else ()) for name in cases.CASES]
)
def test_parity(fixture, name, record_property):
    record_property("errors", cases.check(*fixture(name)))


def test_weights_are_those_of_the_fixtures(shared):
    spec = importlib.util.spec_from_file_location("shared_weights", shared / "parity" / "weights.py")
    theirs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(theirs)
    for kind in theirs.KINDS:
        shape = (3, 3, 4, 4)
        ours = weights.draw("some.key", shape, kind, seed=5, gain=0.7)
        np.testing.assert_array_equal(ours, theirs.array("some.key", shape, kind, 5, 0.7))
        assert ours.dtype == theirs.array("some.key", shape, kind, 5).dtype
    np.testing.assert_array_equal(weights.image((1, 3, 4, 5), 2), theirs.image((1, 3, 4, 5), 2))


def test_another_seed_does_not_fit(fixture, tmp_path):
    """A fixture of another seed is drawn anew: its outputs differ from the stored ones."""
    manifest, arrays = fixture("unetpp_nested_single")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(json.loads(manifest.read_text()) | {"seed": 1}))
    with pytest.raises(AssertionError):
        cases.check(other, arrays)


def wrong_epsilon(monkeypatch):
    model = cases.nested()
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            layer.epsilon = 1e-3
    return model


def nearest(monkeypatch):
    monkeypatch.setattr(
        unetpp, "Upsample", lambda factor, kind, align_corners, name: Upsample(factor, "nearest", name=name)
    )
    return cases.nested()


def half_pixel(monkeypatch):
    monkeypatch.setattr(
        unetpp, "Upsample", lambda factor, kind, align_corners, name: Upsample(factor, name=name)
    )
    return cases.nested()


def flipped_order(monkeypatch):
    return unetpp.unetpp(norm=True, up="bilinear_align_corners", skips_first=False)


@pytest.mark.parametrize("wrong", [wrong_epsilon, nearest, half_pixel, flipped_order])
def test_wrong_variants_are_far_off(fixture, wrong, monkeypatch):
    path, arrays = fixture("unetpp_nested")
    manifest, case = json.loads(path.read_text()), cases.CASES["unetpp_nested"]
    model = wrong(monkeypatch)
    case.load(model, weights.state(manifest))
    deviations = cases.errors(model, case, manifest, arrays)
    assert min(deviations.values()) > 5 * cases.TOLERANCE, deviations


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_through_a_real_file(fixture, tmp_path, suffix):
    path, arrays = fixture("unetpp_nested_single")
    manifest, case = json.loads(path.read_text()), cases.CASES["unetpp_nested_single"]
    state, file = weights.state(manifest), tmp_path / f"nested{suffix}"
    if suffix == ".pth":
        torch = pytest.importorskip("torch")
        torch.save({"state_dict": {f"module.{k}": torch.tensor(v) for k, v in state.items()}}, file)
    else:
        save_file(state, file)
    model = case.build()
    case.load(model, read(file))
    assert max(cases.errors(model, case, manifest, arrays).values()) <= cases.TOLERANCE
