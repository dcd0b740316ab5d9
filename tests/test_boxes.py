"""Boxes from a file: matched to images, and what is wrong with them told."""

import json
from pathlib import Path

import pytest

from kerazoo.data.keypoints.box_files import read_boxes
from kerazoo.errors import UserError

BOX = [10.0, 20.0, 30.0, 40.0]
OTHER = [60.0, 50.0, 50.0, 45.0]
SIZE = 100, 120


def read(tmp_path, content, *images, least=None):
    lines = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "boxes.json").write_text(lines)
    return read_boxes(tmp_path / "boxes.json", [Path(image) for image in images], least)


def found(boxes, image, frame=None):
    return boxes.in_image(Path(image), SIZE, frame)[0].tolist()


def test_cocos_results_go_by_cocos_numbers(tmp_path):
    content = [
        {"image_id": 785, "bbox": BOX, "score": 0.9, "category_id": 1},
        {"image_id": "785", "bbox": [1, 2, 3, 4], "score": 0.4},
        {"image_id": 785, "bbox": BOX, "score": 0.2, "category_id": 1},  # a guess
        {"image_id": 785, "bbox": BOX, "score": 0.9, "category_id": 2},  # a bicycle
        {"image_id": 78, "bbox": BOX, "score": 0.9},
    ]
    boxes = read(tmp_path, content, "some/COCO_val2014_000000000785.jpg", "78.png", "7.png")
    sides, scores = boxes.in_image(Path("some/COCO_val2014_000000000785.jpg"), SIZE)
    assert sides.tolist() == [BOX, [1, 2, 3, 4]]
    assert scores.tolist() == pytest.approx([0.9, 0.4])
    assert found(boxes, "78.png") == [BOX]
    assert boxes.in_image(Path("7.png"), SIZE)[0].shape == (0, 4)
    assert [note.partition("boxes.json: ")[2] for note in boxes.notes] == [
        "no boxes for 1 of 3 images, such as 7.png",
        "1 of 4 boxes have a score below 0.3 and are left out (--min-score)",
    ]


@pytest.mark.parametrize("name", ["frame1_cam2.png", "photo_1.png", "img-1.png", "a1.png", "1b.png"])
def test_a_number_is_not_looked_for_in_other_names(tmp_path, name):
    with pytest.raises(UserError, match="boxes for none of these images, but for image_id 1"):
        read(tmp_path, [{"image_id": 1, "bbox": BOX}], name)


def test_images_of_one_name_go_by_their_folders(tmp_path):
    rows = [{"file_name": "cam1/0001.png", "bbox": BOX}, {"file_name": "cam2\\0001.png", "bbox": OTHER}]
    images = ["data/cam1/0001.png", "data/cam2/0001.png", "data/cam3/0001.png", "data/cam1/0002.png"]
    boxes = read(tmp_path, rows, *images)
    assert [found(boxes, image) for image in images] == [[BOX], [OTHER], [], []]


@pytest.mark.parametrize("row", [{"file_name": "0001.png"}, {"image_id": 1}, {"image_id": "0001"}])
def test_an_entry_that_may_be_of_two_images_is_an_error(tmp_path, row):
    with pytest.raises(
        UserError, match="may be .*cam1/0001.png or .*cam2/0001.png; name images by file_name"
    ):
        read(tmp_path, [row | {"bbox": BOX}], "cam1/0001.png", "cam2/0001.png")


def test_an_image_that_may_be_of_two_entries_is_an_error(tmp_path):
    rows = [{"file_name": f"{folder}/a.png", "bbox": BOX} for folder in ("x", "y")]
    with pytest.raises(UserError, match="z/a.png may be [xy]/a.png or [xy]/a.png"):
        read(tmp_path, rows, "z/a.png")


def test_a_folder_that_was_moved_is_told(tmp_path):
    boxes = read(tmp_path, [{"file_name": "there/u\u0308.jpg", "bbox": BOX}], "here/ü.jpg")
    assert found(boxes, "here/ü.jpg") == [BOX]
    (note,) = boxes.notes
    assert "1 images are matched by name in another folder" in note


def test_a_name_without_its_suffix_is_an_image_id_too(tmp_path):
    boxes = read(tmp_path, [{"image_id": "frame_7", "bbox": BOX}], "x/frame_7.jpg", "x/frame_77.jpg")
    assert found(boxes, "x/frame_7.jpg") == [BOX]
    assert found(boxes, "x/frame_77.jpg") == []


def test_rows_of_kerazoo_are_taken_whatever_their_scores(tmp_path):
    person = {"box": BOX, "score": 0.8, "keypoints": {}}
    beyond = {"box": [130, 20, 5, 5]}
    rows = [
        {
            "image": "x/a.jpg",
            "people": [person, {"box": OTHER, "score": 0.1}, {"box": [5, 6, 0, 0]}, beyond],
            "height": 100,
            "width": 120,
        },
        {"image": "x/b.jpg", "error": "b.jpg is no image"},
        {"image": "clip.mp4", "frame": 3, "objects": [{**person, "class": "dog"}, person]},
    ]
    lines = "\n".join(map(json.dumps, rows)) + "\n"
    boxes = read(tmp_path, lines, "x/a.jpg", "clip.mp4")
    assert found(boxes, "x/a.jpg") == [BOX, OTHER]
    assert found(boxes, "clip.mp4", 3) == [BOX]
    assert found(boxes, "clip.mp4", 2) == []
    assert boxes.notes == []
    assert found(read(tmp_path, lines, "x/a.jpg", least=0.5), "x/a.jpg") == [BOX]


@pytest.mark.parametrize("box", [[200, 0, 10, 10], [0, -60, 10, 50], [0, 0, 300, 40], [-130, 0, 140, 40]])
def test_boxes_of_another_size_of_image_are_an_error(tmp_path, box):
    boxes = read(tmp_path, [{"image_id": 1, "bbox": box}], "1.png")
    with pytest.raises(
        UserError, match="lies outside the image of 120 x 100 pixels; were the boxes found in"
    ):
        boxes.in_image(Path("1.png"), SIZE)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("not JSON", "line 1 is no JSON"),
        ([{"image_id": 1, "bbox": [1, 2, 3]}], "0.result.bbox.3: field required"),
        ([{"image_id": 1, "bbox": BOX}, {"bbox": BOX}], "1.result: it names no image"),
        ([{"image_id": 1, "bbox": [1, 2, 0, 4]}], "0.result.bbox.2: input should be greater than 0"),
        ([{"image_id": 1, "bbox": [1, 2, float("nan"), 4]}], "0.result.bbox.2: input should be"),
        ([{"image_id": 1, "bbox": [1, 2, 1e300, 4]}], "0.result.bbox.2: input should be less"),
        ([{"image": "1.png", "people": 3}], "0.prediction.people"),
        ([[1, 2, 3, 4]], "0.result: input should be a valid object"),
        (
            [{"image_id": 1, "bbox": BOX, "score": 0.1}],
            "no box with a score of at least 0.3; lower --min-score",
        ),
        ([{"image_id": 1, "bbox": [0.1, 0.2, 0.5, 0.7]}], "tells boxes as shares of the image"),
        ([{"file_name": "/", "bbox": BOX}], "boxes for none of these images"),
        ([], "no box of a person"),
        ('{"images": [],\n "annotations": []}', "line 1 is no JSON"),
    ],
)
def test_what_is_wrong_is_told(content, expected, tmp_path):
    with pytest.raises(UserError, match=f"boxes.json.*{expected}"):
        read(tmp_path, content, "1.png")


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot open .*nowhere.json: no such file"):
        read_boxes(tmp_path / "nowhere.json", [Path("1.png")])
