"""What programs read of objects found."""

import json
import os

import numpy as np
import pytest

from kerazoo.errors import UserError
from kerazoo.structures.boxes import Detections, from_voc, from_yolo
from kerazoo.tasks.detection import coco_classes
from kerazoo.tasks.detection.result_files import (
    coco_results,
    object_rows,
    result_notes,
    write_results,
    write_voc,
    write_yolo,
)
from tests.refusals import refusal

BOXES = np.array([[10.126, 20, 40, 80.5], [0, 0, 1, 1], [5, 6, 7, 8]], "float32")
DETECTIONS = Detections(BOXES, np.array([1, 0, 1], "int32"), np.array([0.87654321, 0.5, 0.1], "float32"))
NOTHING = Detections(BOXES[:0], DETECTIONS.labels[:0], DETECTIONS.scores[:0])


def test_objects_are_described_by_class():
    told = json.loads(json.dumps(object_rows(DETECTIONS, ("cat", "dog"))))["objects"]
    assert told[0] == {"class": "dog", "score": 0.8765, "box": [10.13, 20.0, 29.87, 60.5]}
    assert [row["class"] for row in told] == ["dog", "cat", "dog"]
    assert object_rows(NOTHING, ()) == {"objects": []}


def test_boxes_of_people_are_found_in_the_rows(tmp_path):
    from kerazoo.data.keypoints.box_files import read_boxes

    row = {"image": str(tmp_path / "a.jpg"), "height": 90, "width": 50}
    row |= object_rows(DETECTIONS, ("cat", "person"))
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    boxes = read_boxes(tmp_path / "rows.jsonl", [tmp_path / "a.jpg"])
    found, scores = boxes.in_image(tmp_path / "a.jpg", (90, 50))
    np.testing.assert_allclose(found, [[10.13, 20, 29.87, 60.5], [5, 6, 2, 2]], atol=1e-5)
    np.testing.assert_allclose(scores, [0.8765, 0.1], atol=1e-5)


def test_cocos_results_have_the_datas_own_ids():
    rows = json.loads(json.dumps(coco_results(17, DETECTIONS, (3, 8))))
    assert rows[0]["image_id"] == 17
    assert [row["category_id"] for row in rows] == [8, 3, 8]
    assert rows[0]["bbox"] == [10.126, 20.0, 29.874, 60.5]
    assert rows[0]["score"] == pytest.approx(0.87654321)
    assert [row["category_id"] for row in coco_results(1, DETECTIONS)] == [2, 1, 2]


def test_vocs_files_count_pixels_from_one(tmp_path):
    cat, dog = write_voc(tmp_path, [("a", DETECTIONS), ("b", NOTHING)], ("cat", "../dog"))
    assert cat.name == "comp4_det_test_cat.txt"
    assert cat.read_text() == "a 0.500000 1.000 1.000 1.000 1.000\n"
    assert dog.parent == tmp_path
    rows = [line.split() for line in dog.read_text().splitlines()]
    np.testing.assert_allclose(from_voc(np.array([row[2:] for row in rows], float)), BOXES[[0, 2]], atol=1e-3)


def test_yolos_files_are_shares(tmp_path):
    path = write_yolo(tmp_path / "a.txt", DETECTIONS, (90, 50))
    rows = np.array([line.split() for line in path.read_text().splitlines()], float)
    assert rows[:, 0].tolist() == [1, 0, 1]
    np.testing.assert_allclose(from_yolo(rows[:, 1:5], (90, 50)), BOXES, atol=1e-4)
    np.testing.assert_allclose(rows[:, 5], DETECTIONS.scores, atol=1e-6)
    assert write_yolo(tmp_path / "b.txt", NOTHING, (90, 50)).read_text() == ""


def test_a_file_that_cannot_be_written_is_told_in_a_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        write_yolo(tmp_path / "file" / "a.txt", DETECTIONS, (90, 50))


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("000000000785", 785),
        ("0", 0),
        *[(name, name) for name in ("cat_1", "1" * 30, "0785", "\u0663", "-1")],
    ],
)
def test_rows_are_written_as_coco_does(tmp_path, name, image):
    rows = {name: {"height": 90, "width": 50} | object_rows(DETECTIONS, ("cat", "dog"))}
    found = json.loads(write_results(tmp_path, "coco", rows, ("cat", "dog")).read_text())
    assert [row["category_id"] for row in found] == [2, 1, 2]
    assert {row["image_id"] for row in found} == {image}
    assert found[0]["bbox"] == [10.13, 20, 29.87, 60.5]


def test_rows_of_cocos_classes_have_cocos_numbers(tmp_path):
    rows = {"1": {"height": 90, "width": 50} | object_rows(DETECTIONS, coco_classes.NAMES)}
    rows["1"]["objects"][0]["class"] = "toothbrush"
    found = json.loads(write_results(tmp_path, "coco", rows, coco_classes.NAMES).read_text())
    assert [row["category_id"] for row in found] == [90, 1, 2]


def test_rows_are_written_as_voc_and_yolo_do(tmp_path):
    names = ("cat", "dog")
    rows = {
        "a": {"height": 90, "width": 50} | object_rows(DETECTIONS, names),
        "b": {"height": 9, "width": 5} | object_rows(NOTHING, names),
    }
    folder = write_results(tmp_path, "voc", rows, names)
    assert (folder / "comp4_det_test_cat.txt").read_text() == "a 0.500000 1.000 1.000 1.000 1.000\n"
    labels = write_results(tmp_path, "yolo", rows, names)
    written = np.array([line.split() for line in (labels / "a.txt").read_text().splitlines()], float)
    assert written[:, 0].tolist() == [1, 0, 1]
    np.testing.assert_allclose(from_yolo(written[:, 1:5], (90, 50)), BOXES, atol=0.01)
    assert (labels / "b.txt").read_text() == ""


def described(*names):
    return {name: {"height": 90, "width": 50} | object_rows(DETECTIONS, ("cat", "dog")) for name in names}


def test_names_that_are_one_number_stay_texts(tmp_path):
    path = write_results(tmp_path, "coco", described("000000000012", "12", "7"), ("cat", "dog"))
    assert {row["image_id"] for row in json.loads(path.read_text())} == {"000000000012", "12", "7"}
    path = write_results(tmp_path, "coco", described("012", "12", "7"), ("cat", "dog"))
    assert {row["image_id"] for row in json.loads(path.read_text())} == {"012", 12, 7}


def test_classes_that_give_one_file_name_have_files_of_their_own(tmp_path):
    names = ("sq/uare", "sq_uare", "sq:uare")
    paths = write_voc(tmp_path, [("a", DETECTIONS)], names)
    assert [path.name for path in paths] == [f"comp4_det_test_sq_uare{end}.txt" for end in ("-2", "", "-3")]
    assert [len(path.read_text().splitlines()) for path in paths] == [1, 2, 0]
    first, second = result_notes("voc", ["a"], names)
    assert "the class 'sq/uare' is in comp4_det_test_sq_uare-2.txt" in first
    assert "the class 'sq:uare' is in comp4_det_test_sq_uare-3.txt" in second


def test_vocs_columns_stay_where_names_have_spaces(tmp_path):
    images = ["my photo", "my%20photo", "your\u3000photo", "a"]
    _, dog = write_voc(tmp_path, [(image, DETECTIONS) for image in images], ("cat", "dog"))
    rows = [line.split() for line in dog.read_text().splitlines()]
    assert {len(row) for row in rows} == {6}
    assert [row[0] for row in rows[::2]] == ["my%20photo-2", "my%20photo", "your%E3%80%80photo", "a"]
    (note,) = result_notes("voc", images, ("cat", "dog"))
    assert "cannot name 'my photo'" in note
    assert "'my%20photo-2' there (1 more images are like it)" in note
    assert result_notes("yolo", images, ("a/b",)) == []


@pytest.mark.parametrize("to", ["coco", "voc", "yolo"])
def test_results_of_before_are_replaced_as_a_whole(tmp_path, to):
    names = ("cat", "dog")
    write_results(tmp_path, "voc", described("before"), ("cat", "bird", "dog"))
    write_results(tmp_path, "yolo", described("before"), names)
    write_results(tmp_path, "coco", described("before"), names)
    for _ in range(2):
        path = write_results(tmp_path, to, described("new"), names)
    texts = [path.read_text()] if path.is_file() else [file.read_text() for file in path.iterdir()]
    assert not any("before" in text for text in texts)
    expected = {"voc": {"comp4_det_test_cat.txt", "comp4_det_test_dog.txt"}, "yolo": {"new.txt"}}
    assert to == "coco" or set(os.listdir(path)) == expected[to]
    assert sum(name.startswith(".") for name in os.listdir(tmp_path)) == 1  # the listing


@pytest.mark.parametrize(
    ("to", "place"), [("coco", "coco_results.json"), ("voc", "voc/a.txt"), ("yolo", "labels/a.txt")]
)
def test_what_kerazoo_did_not_write_stays(tmp_path, to, place):
    own = tmp_path / place
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    with refusal(own, "was not written by kerazoo"):
        write_results(tmp_path, to, described("a"), ("cat", "dog"))
    assert own.read_text() == "mine"
    own.unlink()
    write_results(tmp_path, to, described("a"), ("cat", "dog"))
    own.write_text("corrected by hand")
    with refusal(own, "or was changed since"):
        write_results(tmp_path, to, described("a"), ("cat", "dog"))
    assert own.read_text() == "corrected by hand"


@pytest.mark.parametrize("listing", ["{", "[]"])
def test_a_broken_listing_vouches_for_nothing(tmp_path, listing):
    write_results(tmp_path, "yolo", described("a"), ("cat", "dog"))
    (tmp_path / ".kerazoo_results.json").write_text(listing)
    with refusal("labels/a.txt was not written by kerazoo"):
        write_results(tmp_path, "yolo", described("a"), ("cat", "dog"))


def test_a_link_in_the_place_of_results_is_kept(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "labels").symlink_to(tmp_path / "elsewhere")
    with refusal("labels was not written by kerazoo"):
        write_results(tmp_path, "yolo", described("a"), ("cat", "dog"))
