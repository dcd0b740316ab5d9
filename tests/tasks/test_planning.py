"""Rules by which tasks plan settings, each with data that it is for and with others."""

import dataclasses

import numpy as np
import pytest

from kerazoo.data.augment import Augmentation
from kerazoo.families.centernet import CenterNet
from kerazoo.families.cyclegan import CycleGAN
from kerazoo.families.fcn import FCN
from kerazoo.families.openpose import OpenPose
from kerazoo.families.protonet import ProtoNet
from kerazoo.families.resnet import ResNet
from kerazoo.families.siamese import Siamese
from kerazoo.families.unet import UNet
from kerazoo.families.yolov4 import YOLOv4
from kerazoo.structures.fingerprint import Fingerprint, Grounds
from kerazoo.tasks.planning import tones
from kerazoo.tasks.segmentation import Losses

CELLS = Fingerprint(
    splits={"train": 100, "val": 20},
    looked_at=120,
    sizes={},
    grey=0.0,
    mean=(100.04, 110.0, 120.0),
    std=(50.0, 0.2, 70.0),
    contrast=40.0,
    range=(0, 255),
    uprightness=0.2,
    classes={"background": 0.7, "cell": 0.3},
    counts={},
    void=0.0,
    counted="pixels",
    tally={},
    heights=np.array([480.0, 480, 900]),
    widths=np.array([640.0, 640, 900]),
)


BOXES = dataclasses.replace(
    CELLS,
    measures={"box size (pixels)": np.linspace(50, 400, 40), "box width / height": np.linspace(0.5, 2, 40)},
)


def told(family, data=CELLS, **others):
    return {each.setting: each.value for each in family.planned(Grounds(data, **others))}


def alike(height, width, **others):
    return dataclasses.replace(CELLS, heights=np.array([height]), widths=np.array([width]), **others)


def test_images_are_normalised_by_the_data_and_not_by_a_constant_channel():
    decided = told(UNet(classes=2))
    assert decided["family.mean"] == (100.0, 110.0, 120.0)
    assert decided["family.std"] == (50.0, 1.0, 70.0)
    grey = told(UNet(classes=2, channels=1))
    assert (grey["family.mean"], grey["family.std"]) == ((110.0,), (40.3,))


@pytest.mark.parametrize(("contrast", "brightness"), [(8.0, 0.016), (40.0, 0.078), (60.0, None)])
def test_brightness_leaves_something_of_images_with_little_contrast(contrast, brightness):
    data = dataclasses.replace(CELLS, contrast=contrast)
    decided = {each.setting: each.value for each in tones(Augmentation(brightness=0.1, gamma=0.3), data)}
    assert decided == ({} if brightness is None else {"augmentation.brightness": brightness})


@pytest.mark.parametrize("family", [ResNet(classes=2), CenterNet(classes=2)])
def test_light_differs_and_hue_does_not(family):
    decided = told(family)
    names = ("brightness", "contrast", "saturation")
    assert [decided[f"augmentation.{name}"] for name in names] == [0.1, 0.2, 0.2]
    assert "augmentation.hue" not in decided
    assert "augmentation.saturation" not in told(family, dataclasses.replace(CELLS, grey=1.0))


def test_what_goes_with_the_user_s_size_is_planned_for_it():
    decided = told(CenterNet(classes=2), size=(480, 640))
    assert decided["augmentation.crop"] == (480, 640)
    assert decided["augmentation.scale"] == (0.8, 1.25)
    assert told(ResNet(classes=2), size=(64, 64))["augmentation.crop"] == (64, 64)
    small, large = (
        told(YOLOv4(classes=2), BOXES, size=size)["family.anchors"] for size in ((96, 96), (192, 192))
    )
    assert large[0] == pytest.approx((2 * small[0][0], 2 * small[0][1]), abs=0.2)


def test_published_weights_bring_their_normalisation():
    assert not {"family.mean", "family.std"} & told(UNet(classes=2), pretrained=True).keys()
    assert not {"family.mean", "family.std"} & told(CenterNet(classes=2)).keys()  # its own, always


@pytest.mark.parametrize(
    ("height", "width", "gpu", "window"),
    [
        (480, 640, False, (160, 160)),
        (480, 640, True, (480, 544)),
        (96, 96, False, (96, 96)),
        (30, 4000, False, (32, 1088)),  # as many pixels as 181 x 181
        (20, 20, False, (32, 32)),
    ],
)
def test_windows_are_as_large_as_images_and_memory_allow(height, width, gpu, window):
    decided = told(UNet(classes=2), alike(height, width), gpu=gpu)
    assert decided["augmentation.crop"] == window
    assert decided["batch_size"] == max(min((2**21 if gpu else 2**18) // (window[0] * window[1]), 32), 8)


def test_valid_networks_get_windows_that_they_take():
    family = UNet(classes=2, filters=(4, 8, 12), padding="valid")
    crop = told(family)["augmentation.crop"]
    assert 175 < crop[0] <= 181
    family.prepare(np.zeros((*(side + 2 * family.context() for side in crop), 3), "uint8"), whole=False)


def test_a_step_sees_eight_samples_at_least_and_the_window_of_the_user_counts():
    assert told(CenterNet(classes=2), alike(480, 640))["batch_size"] == 8
    decided = told(UNet(classes=2), crop=(64, 64))
    assert "augmentation.crop" not in decided
    assert decided["batch_size"] == 32
    assert told(UNet(classes=2), crop=(512, 512))["batch_size"] == 8


def test_what_has_an_upper_side_is_not_turned():
    street = dataclasses.replace(CELLS, uprightness=9.0)
    turns = ("augmentation.flip_vertical", "augmentation.quarter_turns")
    for family in (UNet(classes=2), FCN(classes=2), CenterNet(classes=2)):
        assert [told(family, street).get(turn) for turn in turns] == [False, False]
        assert not set(turns) & told(family).keys()


def test_rare_classes_get_dice():
    rare = dataclasses.replace(CELLS, classes={"background": 0.995, "speck": 0.005})
    plain = UNet(classes=2, losses=Losses(cross_entropy=1.0))
    assert told(plain, rare)["family.losses.dice"] == 1.0
    assert "family.losses.dice" not in told(plain)
    assert "family.losses.dice" not in told(UNet(classes=2), rare)  # which has it


def test_detectors_see_whole_images_in_proportion_and_train_at_that_scale():
    decided = told(CenterNet(classes=2))
    assert decided["family.size"] == decided["augmentation.crop"] == (224, 320)
    scale = 224 / 480
    assert decided["augmentation.scale"] == (round(0.8 * scale, 3), round(1.25 * scale, 3))
    small = told(CenterNet(classes=2), alike(100, 100))
    assert small["family.size"] == (128, 128)
    assert small["augmentation.scale"] == (1.024, 1.6)


def test_classifiers_see_squares_and_published_ones_their_size():
    decided = told(ResNet(classes=3, depth=18))
    assert decided["family.size"] == decided["augmentation.crop"] == (160, 160)
    assert told(ResNet(classes=3, depth=18), pretrained=True)["family.size"] == (224, 224)
    assert told(ResNet(classes=3, depth=18), alike(33, 50))["family.size"] == (32, 32)


def test_photographs_are_not_treated_as_drawings():
    photograph = told(Siamese(rotations=True), alike(112, 92))
    assert photograph["family.rotations"] is False
    assert (photograph["augmentation.fill"], photograph["augmentation.shear"]) == (None, 0.0)
    assert photograph["family.size"] == (64, 64)
    assert photograph["family.mean"] == (110.0,)
    drawing = told(Siamese(rotations=True), dataclasses.replace(alike(105, 105), paper=255))
    assert drawing == {"augmentation.fill": 255}
    assert told(ProtoNet(), dataclasses.replace(alike(105, 105), paper=0)) == {"augmentation.fill": 0}
    assert told(ProtoNet(), alike(84, 84))["family.size"] == (40, 40)


def test_episodes_are_those_that_the_classes_allow():
    sizes = {"train": (20, 12, 30), "val": (10,) * 7, "test": (4,) * 9}
    few = dataclasses.replace(CELLS, paper=255, class_sizes=sizes)
    assert told(Siamese(ways=20, loss="triplet", mined_classes=20), few) == {
        "augmentation.fill": 255,
        "family.ways": 7,
        "family.mined_classes": 3,
    }
    decided = told(ProtoNet(ways=5, queries=15, training_ways=5, training_queries=15), few)
    assert (decided["family.training_ways"], decided["family.training_queries"]) == (3, 11)
    assert (decided.get("family.ways"), decided["family.queries"]) == (None, 3)
    many = dataclasses.replace(few, class_sizes=dict.fromkeys(("train", "val", "test"), (20,) * 60))
    assert told(Siamese(), many) == told(ProtoNet(), many) == {"augmentation.fill": 255}


def test_people_fill_as_many_pixels_whatever_the_images_are():
    people = {"size of people (pixels)": np.array([50.0, 60, 70])}
    decided = told(OpenPose(trunk="residual"), alike(96, 96, measures=people))
    assert decided["family.height"] == 160
    assert decided["augmentation.crop"] == (160, 160)
    scale = 160 / 96
    assert decided["augmentation.scale"] == (round(0.8 * scale, 3), round(1.25 * scale, 3))
    assert told(OpenPose(), alike(480, 640, measures=people))["family.height"] == 256
    assert told(OpenPose(), alike(480, 640, measures=people), gpu=True)["family.height"] == 512
    assert told(OpenPose(), alike(480, 640, measures=people), pretrained=True) == {}


def test_translations_are_cut_from_images_an_eighth_larger():
    decided = told(CycleGAN(), alike(256, 256))
    assert (decided["augmentation.crop"], decided["data.size"]) == ((64, 64), (72, 72))
    assert told(CycleGAN(), alike(256, 256), gpu=True)["data.size"] == (288, 288)
    assert told(CycleGAN(), crop=(32, 32)) == {}
