"""Boxes from a file: matched to photographs, and what is wrong with them told."""

import json
from pathlib import Path

import pytest

from kerazoo.boxes import read_boxes
from kerazoo.errors import UserError

BOX = [10.0, 20.0, 30.0, 40.0]


def read(tmp_path, content):
    lines = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "boxes.json").write_text(lines)
    return read_boxes(tmp_path / "boxes.json")


def test_cocos_results_go_by_the_number_in_the_name(tmp_path):
    boxes = read(
        tmp_path,
        [
            {"image_id": 785, "bbox": BOX, "score": 0.9, "category_id": 1},
            {"image_id": 785, "bbox": [1, 2, 3, 4], "score": 0.4},
            {"image_id": 785, "bbox": BOX, "score": 0.2, "category_id": 1},  # a guess
            {"image_id": 785, "bbox": BOX, "score": 0.9, "category_id": 2},  # a bicycle
            {"image_id": 78, "bbox": BOX, "score": 0.9},
        ],
    )
    found, scores = boxes.of(Path("some/val2017_000000000785.jpg"))
    assert found.tolist() == [BOX, [1, 2, 3, 4]]
    assert scores.tolist() == pytest.approx([0.9, 0.4])
    assert boxes.know(Path("78.png"))
    assert not boxes.know(Path("7.png"))
    nothing, none = boxes.of(Path("7.png"))
    assert nothing.shape == (0, 4)
    assert none.shape == (0,)


def test_results_with_file_names_go_by_them(tmp_path):
    boxes = read(tmp_path, [{"file_name": "there/a.jpg", "bbox": BOX}])
    assert boxes.of(Path("here/a.jpg"))[1].tolist() == [1.0]


def test_rows_of_kerazoo_are_read_with_their_frames(tmp_path):
    person = {"box": BOX, "score": 0.8, "keypoints": {}}
    rows = [
        {
            "image": "x/a.jpg",
            "people": [person, {"box": BOX, "score": 0.1}, {"box": [5, 6, 0, 0], "score": 0.9}],
        },
        {"image": "x/b.jpg", "error": "b.jpg is no image"},
        {"image": "clip.mp4", "frame": 3, "objects": [{**person, "class": "dog"}, person]},
    ]
    boxes = read(tmp_path, "\n".join(map(json.dumps, rows)) + "\n")
    assert len(boxes.of(Path("a.jpg"))[0]) == 1
    assert len(boxes.of(Path("clip.mp4"), 3)[0]) == 1
    assert len(boxes.of(Path("clip.mp4"), 2)[0]) == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("not JSON", "cannot be read"),
        ([{"image_id": 1, "bbox": [1, 2, 3]}], "entry 1 holds no box"),
        ([{"image_id": 1, "bbox": BOX}, {"bbox": BOX}], "entry 2 holds no box"),
        ([{"image_id": 1, "bbox": [1, 2, 0, 4]}], "entry 1 holds no box"),
        ([{"image_id": 1, "bbox": [1, 2, float("nan"), 4]}], "entry 1 holds no box"),
        ([[1, 2, 3, 4]], "entry 1 holds no box"),
        ([{"image_id": 1, "bbox": BOX, "score": 0.1}], "no box of a person"),
        ([], "no box of a person"),
        ('{"images": [],\n "annotations": []}', "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(content, expected, tmp_path):
    with pytest.raises(UserError, match=f"boxes.json.*{expected}"):
        read(tmp_path, content)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="nowhere.json cannot be read"):
        read_boxes(tmp_path / "nowhere.json")
