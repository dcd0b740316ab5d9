import keras
import numpy as np
import pytest

from kerazoo.checkpoints.mapping import assign
from kerazoo.errors import UserError
from kerazoo.families.fcn.importer import CAFFE, convert, settings_for
from kerazoo.families.fcn.model import fcn
from kerazoo.layers import bilinear_kernel
from tests.inputs import normal

SMALL = {"width": 1 / 32, "classes": 3}


def shaken(model):
    """Give every variable random values; the scores start at zero."""
    rng = np.random.default_rng(0)
    model.set_weights([0.3 * rng.normal(size=array.shape) for array in model.get_weights()])
    return model


def published(model):
    """The state dict of torchfcn, undone from our own variables."""
    state = {}
    for variable in model.weights:
        layer, name = variable.path.replace("upscore32", "upscore").split("/")
        array = keras.ops.convert_to_numpy(variable)
        state[f"{layer}.{'weight' if name == 'kernel' else name}"] = (
            array.transpose(3, 2, 0, 1) if name == "kernel" else array
        )
    return state


@pytest.mark.slow  # six VGG16s to initialise
@pytest.mark.parametrize(
    ("upsampling", "stride", "count"),
    [
        ("fixed", 32, 134_346_581),
        ("fixed", 16, 134_357_354),
        ("fixed", 8, 134_362_751),
        ("learned", 32, 136_152_917),
        ("learned", 16, 134_815_994),
        ("learned", 8, 134_489_759),
    ],
)
def test_parameters(upsampling, stride, count):
    assert fcn(upsampling=upsampling, stride=stride).count_params() == count


@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize(("fusion", "upsampling"), [("add", "fixed"), ("concat", "learned")])
def test_any_size(stride, fusion, upsampling):
    model = fcn(**SMALL, stride=stride, fusion=fusion, upsampling=upsampling)
    for size in ((33, 47), (1, 1)):
        assert model.predict_on_batch(normal(1, *size, 3))["logits"].shape == (1, *size, 3)


def test_scores_start_at_zero():
    logits = fcn(**SMALL).predict_on_batch(normal(1, 20, 30, 3))["logits"]
    assert not logits.any()


def test_width_scales_every_layer_of_vgg():
    layers = {layer.name: layer for layer in fcn(width=1 / 32).layers}
    assert [layers[name].filters for name in ("conv1_1", "conv5_3", "fc6", "fc7")] == [2, 16, 128, 128]


def test_learned_upsampling_starts_as_the_fixed_one():
    fixed, learned = fcn(**SMALL), fcn(**SMALL, upsampling="learned")
    stored = dict(published(shaken(fixed)))
    for stride, name in ((2, "upscore2"), (2, "upscore_pool4"), (8, "upscore8")):
        stored[f"{name}.weight"] = bilinear_kernel(2 * stride, 3).transpose(3, 2, 0, 1)
    assert settings_for(stored) == CAFFE | {
        "channels": 3,
        "classes": 3,
        "at_stride": 8,
        "fusion": "add",
        "width": 1 / 32,
        "upsampling": "fixed",
    }
    untouched = {v.path: keras.ops.convert_to_numpy(v) for v in learned.weights if "upscore" in v.path}
    assign(learned, convert(stored, "learned"))
    for variable in learned.weights:
        if variable.path in untouched:
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), untouched[variable.path])
    x = normal(1, 33, 47, 3)
    expected = fixed.predict_on_batch(x)["logits"]
    np.testing.assert_allclose(
        learned.predict_on_batch(x)["logits"], expected, atol=1e-5 * abs(expected).max()
    )


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_learned_kernels_do_not_fit_fixed_upsampling(stride):
    state = published(shaken(fcn(**SMALL, stride=stride, upsampling="learned")))
    assert settings_for(state)["upsampling"] == "learned"
    with pytest.raises(UserError, match="set upsampling to learned"):
        convert(state, "fixed")
    model = fcn(**SMALL, stride=stride, upsampling="learned")
    assign(model, convert({f"model.{key}": array for key, array in state.items()}, "learned"))


def test_wrong_keys_are_told():
    state = published(fcn(**SMALL, stride=32)) | {"extra.weight": np.ones(1)}
    del state["fc7.bias"]
    with pytest.raises(UserError, match=r"1 missing \(fc7.bias\); 1 unexpected \(extra.weight\)"):
        convert(state)


def test_logits_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    logits = fcn(**SMALL, fusion="concat").predict_on_batch(normal(1, 9, 9, 3))["logits"]
    assert logits.dtype == "float32"
