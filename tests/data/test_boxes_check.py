"""What `data check` tells of boxes, its picture, and images that are nearly the same."""

import json

import cv2
import numpy as np
import pytest

from kerazoo.data.check import check
from kerazoo.data.check.near_duplicates import near_duplicates, thumbnail
from kerazoo.data.check.picture import draw_report
from kerazoo.data.segmentation.folders import Folder
from kerazoo.image import write_image
from tests.detection_files import annotation, coco_content, source, write_coco

RNG = np.random.default_rng(0)


def photograph(seed, size=(240, 320)):
    """An image of soft patches, as photographs have them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), "uint8")
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def test_sizes_shapes_and_counts_are_told(tmp_path):
    write_coco(
        tmp_path,
        annotation(1, 1, [0, 0, 10, 40]),
        annotation(2, 1, [0, 0, 20, 5]),
        annotation(3, 2, [5, 5, 50, 30], category=30, iscrowd=1),
    )
    report = check(source(tmp_path))
    assert report.counts == {"cat": 2, "dog": 0}
    assert report.classes == {"cat": 1.0, "dog": 0.0}
    assert report.tally["images without boxes"] == 1
    assert report.tally["crowd boxes"] == 1
    assert sorted(report.measures["box size (pixels)"].tolist()) == [10, 20, pytest.approx(1500**0.5)]
    assert sorted(report.measures["box width / height"].tolist()) == [0.25, pytest.approx(5 / 3), 4]
    assert report.measures["boxes in an image"].tolist() == [2, 1, 0]
    plain = json.loads(json.dumps(report.plain()))
    assert plain["measures"]["boxes in an image"] == {
        "least": 0, "quarter": 0.5, "median": 1, "three quarters": 1.5, "most": 2,
    }  # fmt: skip
    lines = [" ".join(line.split()) for line in report.lines()]
    assert "0 cat 100.00% of the boxes, 2" in lines
    assert "box size (pixels) 10 to 38.7, half of them 15 to 29.4" in lines


def test_images_that_are_nearly_the_same_are_told_across_splits(tmp_path):
    first = photograph(0)
    smaller = cv2.resize(first, (200, 150), interpolation=cv2.INTER_AREA)
    for name, image in (
        ("a", first),
        ("b", photograph(1)),
        ("c", smaller),
        ("d", photograph(2)),
        ("e", first),
    ):
        write_image(tmp_path / f"{name}.png", image)
    for split, names in (("train", "abe"), ("val", "cd")):
        images = [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate(names)]
        content = coco_content(annotation(1, 0, [1, 1, 9, 9]), images=images)
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
    warnings = [line for line in check(source(tmp_path)).warnings if "nearly" in line]
    told = "a.png (train) and c.png (val) are nearly the same image; 1 more pair(s): e.png (train) and c.png"
    assert warnings == [f"{told} (val); keep such images in one split"]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], 1),
        lambda image: cv2.resize(image, (500, 200)),
        lambda image: np.clip(image * 0.6 + 20, 0, 255).astype("uint8"),
        lambda image: image[4:, 6:],
    ],
)
def test_copies_are_alike_and_other_photographs_are_not(change):
    images = [photograph(seed) for seed in range(20)]
    thumbnails = [thumbnail(image) for image in images] + [thumbnail(change(image)) for image in images]
    found = near_duplicates(thumbnails, ["train"] * 20 + ["val"] * 20)
    assert found == [(number, number + 20) for number in range(20)]
    assert near_duplicates(thumbnails, ["train"] * 40) == []


def test_what_shows_too_little_is_alike_to_nothing():
    assert thumbnail(np.full((200, 200, 3), 7, "uint8")) is None
    assert thumbnail(photograph(0, (99, 200))) is None
    assert thumbnail(np.zeros((2, 3, 200, 200, 3), "uint8")) is None
    assert near_duplicates([None, thumbnail(photograph(0))], ["train", "val"]) == []


def test_the_picture_shows_classes_and_measures(tmp_path):
    write_coco(tmp_path / "boxes", *(annotation(n, 1, [0, 0, 1 + n, 40]) for n in range(30)))
    boxes = draw_report(check(source(tmp_path / "boxes")))
    assert boxes.dtype == np.uint8
    assert boxes.shape[2] == 3
    assert (boxes == (0x44, 0x77, 0xAA)).all(axis=-1).mean() > 0.01
    for name in ("images", "masks"):
        write_image(tmp_path / "masks" / name / "1.png", RNG.integers(0, 2, (9, 9), "uint8"))
    masks = draw_report(check(Folder(path=str(tmp_path / "masks"), validation=0.0)))
    assert masks.shape[0] < boxes.shape[0]
    assert draw_report(check(source(tmp_path / "nothing"))).size
