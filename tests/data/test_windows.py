"""Windows around people, for networks that look at one at a time: from annotations and from detections."""

import json

import numpy as np
import pytest

from kerazoo.data.keypoints import source as keypoints
from kerazoo.data.keypoints.windows import Windows
from kerazoo.errors import UserError
from kerazoo.image import read_image
from tests.keypoint_files import nobody, person, source, written


def test_windows_for_training_hold_one_person_and_room(folder):
    path = written(folder, person(), person(2, bbox=[30, 10, 20, 20]))
    samples = source(path, windows=Windows(aspect=1.0, margin=1.25)).samples("train")
    assert len(samples) == 2
    image, truth, name = samples[0]
    assert image.shape == (75, 75, 3)  # 30 wide, times 1.25, times 2
    assert len(truth.points) == 1
    assert name == "1.png#0"
    x, y = truth.points[0, 0].astype(int)
    assert image[y, x].tolist() == [250, 250, 250]
    np.testing.assert_array_equal(truth.points + np.array(truth.origin), [[[10, 20], [30, 20], [20, 10]]])


def test_windows_for_scores_hold_everybody(folder):
    path = written(folder, person(), person(2, bbox=[30, 10, 20, 20]))
    image, truth, _ = source(path, windows=Windows(aspect=1.0)).samples("val")[1]
    assert image.shape == (25, 25, 3)
    assert len(truth.points) == 2
    assert truth.score == 1


def test_windows_reach_beyond_the_image_as_grey(folder):
    (image, truth, _) = source(
        written(folder, person(bbox=[0, 0, 30, 30])), windows=Windows(aspect=1.0, margin=2.0)
    ).samples("val")[0]
    assert image.shape == (60, 60, 3)
    assert truth.origin == (-15, -15)
    assert (image[:15] == 127).all()
    assert (image[:, :15] == 127).all()
    assert (image[15:55, 15:] != 127).all()
    np.testing.assert_array_equal(truth.points[0] - 15, [[10, 20], [30, 20], [20, 10]])


def test_a_window_that_fills_the_memory_is_refused(folder):
    boxes = detected(folder, BOX | {"bbox": [4, 4, 1e6, 1e6]})
    found = source(written(folder, person()), windows=Windows(), detections=boxes)
    with pytest.raises(UserError, match=r"1\.png#0: the window around a box has 1250000 x 1666667 pixels"):
        found.samples("val")[0]


def test_nobody_who_is_not_labelled_gets_a_window(folder):
    people = person(), nobody(2), person(3, iscrowd=1)
    found = source(written(folder, *people), windows=Windows())
    assert [len(found.samples(split)) for split in ("train", "val")] == [1, 1]
    truth = found.samples("val")[0].truth
    assert (len(truth.points), len(truth.crowds)) == (2, 1)


def test_a_image_is_read_once_for_all_its_windows(folder, monkeypatch):
    read = []
    monkeypatch.setattr(
        keypoints, "read_image", lambda path, **how: read.append(path) or read_image(path, **how)
    )
    people = [person(number, image) for number, image in enumerate((1, 1, 1, 2, 2), 1)]
    samples = source(written(folder, *people), windows=Windows()).samples("val")
    assert len([sample.image for sample in samples]) == 5
    assert [path.name for path in read] == ["1.png", "2.png"]


def detected(folder, *boxes):
    path = folder / "boxes.json"
    path.write_text(json.dumps(boxes))
    return str(path)


BOX = {"image_id": 1, "category_id": 1, "bbox": [4, 4, 30, 22], "score": 0.7}


def test_windows_of_detections(folder):
    boxes = detected(folder, BOX, BOX | {"score": 0.01}, BOX | {"category_id": 2}, BOX | {"image_id": 99})
    path = written(folder, person(), person(2, 2))
    found = source(path, windows=Windows(), detections=boxes)
    samples = found.samples("val")
    assert [sample.truth.score for sample in samples] == [pytest.approx(0.7), pytest.approx(0.01), 0]
    assert [sample.truth.image for sample in samples] == [1, 1, 2]  # whom it missed counts too
    assert samples[2].image.shape == (round(1.25 * 80), round(1.25 * 60), 3)  # looked at whole
    assert len(found.samples("train")) == 2
    with pytest.raises(UserError, match="boxes for windows; set data.windows"):
        source(path, detections=boxes).samples("val")


@pytest.mark.parametrize(
    ("boxes", "told"),
    [
        ([BOX, BOX | {"bbox": [1, 2, 3]}], "entry 2 is no box"),
        ([BOX | {"bbox": [1, 2, 0, 3]}], "entry 1 is no box"),
        ([BOX | {"score": None}], "entry 1 is no box"),
        ([BOX | {"image_id": None}], "entry 1 is no box"),
        ([BOX | {"bbox": [10**400, 1, 2, 3]}], "entry 1 is no box"),
        ([BOX | {"image_id": 99}], "no box of these images"),
        ([BOX | {"bbox": [0.1, 0.1, 0.5, 0.6]}], "shares of the images' sides"),
        ([BOX | {"bbox": [30, 20, 55, 38]}], "left, top, right and bottom"),
        ([BOX | {"category_id": 2}], "no box of category 1"),
        ([3], "no list of boxes"),
    ],
)
def test_detections_that_are_none(folder, boxes, told):
    found = source(written(folder, person()), windows=Windows(), detections=detected(folder, *boxes))
    with pytest.raises(UserError, match=rf"boxes\.json.*{told}"):
        found.samples("val")
