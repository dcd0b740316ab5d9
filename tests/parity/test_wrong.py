"""Networks that are wrong in the usual ways do not pass for right."""

import json

import keras
import pytest
from keras import layers

import kerazoo.layers.blocks
from kerazoo import models
from kerazoo.families.centernet import dla, hourglass
from kerazoo.families.centernet import model as centernet
from kerazoo.families.openpose import lightweight
from kerazoo.families.resnet import model as resnet
from kerazoo.families.yolov4 import model as yolov4
from kerazoo.layers import residual
from tests.parity import cases, weights


def epsilon(monkeypatch, name):
    model = cases.CASES[name].build()
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            layer.epsilon = 1e-3
    return model


def same_padding(monkeypatch, name):
    def conv(x, filters, kernel=3, *, name, stride=1, bias=True, activation=None, dilation=1):
        settings = {
            "strides": stride,
            "dilation_rate": dilation,
            "padding": "same",
            "use_bias": bias,
            "activation": activation,
        }
        return layers.Conv2D(filters, kernel, **settings, name=name)(x)

    monkeypatch.setattr(kerazoo.layers.blocks, "pad_conv", conv)
    monkeypatch.setattr(residual, "pad_conv", conv)
    return cases.CASES[name].build()


def same_pooling(monkeypatch, name):
    def pool(size, stride, name):
        return layers.MaxPooling2D(size, stride, padding="same", name=name)

    monkeypatch.setattr(resnet, "PadMaxPool", pool)
    return cases.CASES[name].build()


def zeros_in_the_pooling(monkeypatch, name):
    def pool(size, stride, name):
        return lambda x: layers.MaxPooling2D(size, stride, name=name)(layers.ZeroPadding2D(size // 2)(x))

    monkeypatch.setattr(resnet, "PadMaxPool", pool)
    return cases.CASES[name].build()


def no_dilation(monkeypatch, name):
    def depthwise(x, *, name, stride=1, dilation=1):
        return kerazoo.layers.pad_depthwise(x, name=name, stride=stride)

    monkeypatch.setattr(lightweight, "pad_depthwise", depthwise)
    return cases.CASES[name].build()


def fields_before_heatmaps(monkeypatch, name):
    """The paper's order, in which the lightweight network does not join them."""

    class Swapped(layers.Concatenate):
        def call(self, maps):
            features, heatmaps, fields = maps
            return super().call([features, fields, heatmaps])

    monkeypatch.setattr(lightweight.layers, "Concatenate", Swapped)
    return cases.CASES[name].build()


def other_colours_first(monkeypatch, name):
    """RGB for BGR."""
    network, image = cases.CASES[name].build(), keras.Input((None, None, 3))
    return keras.Model(image, network.call(keras.ops.flip(image, -1)))


def cropped_at_the_end(monkeypatch, name):
    """A transposed convolution whose two rows too many are all at the bottom and right."""

    class Cropping(layers.Cropping2D):
        def __init__(self, margin, name):
            super().__init__(((0, 2 * margin), (0, 2 * margin)), name=name)

    monkeypatch.setattr(centernet.layers, "Cropping2D", Cropping)
    return cases.CASES[name].build()


def coarse_before_fine(monkeypatch, name):
    class Swapped(layers.Concatenate):
        def call(self, maps):
            return super().call(maps[::-1] if "join" in self.name else maps)

    monkeypatch.setattr(dla.layers, "Concatenate", Swapped)
    return cases.CASES[name].build()


def smooth_upsampling(monkeypatch, name):
    def upsample(factor, kind, name):
        return kerazoo.layers.Upsample(factor, "bilinear", name=name)

    monkeypatch.setattr(hourglass, "Upsample", upsample)
    return cases.CASES[name].build()


def mish_in_the_neck(monkeypatch, name):
    monkeypatch.setattr(yolov4.layers, "LeakyReLU", lambda _, name: layers.Activation("mish", name=name))
    return cases.CASES[name].build()


def a_third_below_zero(monkeypatch, name):
    """The slope of Keras' LeakyReLU."""
    monkeypatch.setattr(yolov4, "SLOPE", 0.3)
    return cases.CASES[name].build()


def first_half(monkeypatch, name):
    split = keras.ops.split
    monkeypatch.setattr(keras.ops, "split", lambda x, parts, axis: split(x, parts, axis)[::-1])
    return cases.CASES[name].build()


def built_with(builder, **settings):
    """Return what builds a case with some arguments changed."""

    def wrong(monkeypatch, name):
        build = getattr(models, builder)

        def changed(**given):
            return build(**given | settings)

        monkeypatch.setattr(models, builder, changed, raising=False)
        return cases.CASES[name].build()

    return wrong


stride_on_the_first = built_with("resnet", stride_on="1x1")
nearest = built_with("hrnet", fuse="nearest")
bilinear = built_with("hrnet", fuse="bilinear")
align_corners = built_with("hrnet", align_corners=True)
half_pixel = built_with("hrnet", align_corners=False)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("resnet18", epsilon),
        ("resnet18", same_padding),
        ("resnet18", same_pooling),
        pytest.param("resnet50", stride_on_the_first, marks=pytest.mark.slow),
        pytest.param("resnetv2_50", zeros_in_the_pooling, marks=pytest.mark.slow),
        ("centernet_res18", other_colours_first),
        ("centernet_res18", cropped_at_the_end),
        ("centernet_dlav0_34", coarse_before_fine),
        pytest.param("centernet_hourglass", smooth_upsampling, marks=pytest.mark.slow),
        ("lightweight_openpose", no_dilation),
        ("lightweight_openpose", fields_before_heatmaps),
        ("yolov4_tiny", a_third_below_zero),
        ("yolov4_tiny", epsilon),
        ("yolov4_tiny", first_half),
        ("yolov4_tiny", same_padding),
        pytest.param("yolov4", mish_in_the_neck, marks=pytest.mark.slow),
        ("hrnet_seg_w18_small_v2", align_corners),
        pytest.param("hrnet_seg_w18_small_v2", nearest, marks=pytest.mark.slow),
        pytest.param("hrnet_seg_w18_small_v2", same_padding, marks=pytest.mark.slow),
        pytest.param("hrnet_seg_w18_small_v2", epsilon, marks=pytest.mark.slow),
        pytest.param("hrnet_seg_w18_align_corners_true", half_pixel, marks=pytest.mark.slow),
        pytest.param("hrnet_cls_w18", bilinear, marks=pytest.mark.slow),
    ],
)
def test_wrong_variants_are_far_off(shared, name, wrong, monkeypatch):
    folder, case = shared / "parity", cases.CASES[name]
    manifest = json.loads((folder / f"{name}.json").read_text()) | {"extra_cases": {}}
    model = wrong(monkeypatch, name)
    case.load(model, weights.state(manifest))
    deviations = cases.errors(model, case, manifest, folder / f"{name}.npz")
    last = {"lightweight": "main.stage1_paf", "centernet": "main.hm", "yolov4": "main.head_s16"}
    assert deviations[last.get(name.partition("_")[0], "main.logits")] > 5 * cases.TOLERANCE, deviations
