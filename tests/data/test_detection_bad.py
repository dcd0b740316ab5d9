"""What is wrong with boxes: refused in one line, or left out with a warning, and never trained on."""

import json

import numpy as np
import pytest

from kerazoo.data.check import check
from kerazoo.data.detection.xml_file import read_xml
from tests.bad_boxes import BAD
from tests.detection_files import (
    WRITERS,
    annotation,
    coco_content,
    rows,
    source,
    truths,
    voc_object,
    voc_text,
    write_coco,
    write_voc,
    write_yolo,
)
from tests.refusals import refusal


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path, case):
    write, told = BAD[case]
    write(tmp_path)
    with refusal(*told):
        source(tmp_path).samples("train")
    problems = check(source(tmp_path)).problems
    assert any(all(words in line for words in told) for line in problems)


EMPTY = {
    "coco": (
        lambda folder: write_coco(folder, annotation(1, 1, [10, 10, 0, 5]), annotation(2, 1, [10, 10, -5, 5]),
                                  annotation(3, 1, [70, 10, 5, 5]), annotation(4, 1, [-5, -5, 15, 15]),
                                  annotation(5, 1, [30, 10, 5, 5])),
        ["train.json, annotation 1: a box of cat", "train.json, annotation 2", "train.json, annotation 3"],
        "train.json, annotation 4",
    ),
    "voc": (
        lambda folder: (write_voc(folder) / "Annotations" / "1.xml").write_text(voc_text(1, [
            voc_object("cat", (10, 10, 10, 10)), voc_object("cat", (10, 10, 5, 15)),
            voc_object("cat", (70, 10, 75, 15)), voc_object("cat", (-4, -4, 10, 10)),
            voc_object("cat", (31, 11, 35, 15))])),
        ["1.xml, line 4: a box of cat", "1.xml, line 9", "1.xml, line 14"],
        "1.xml, line 19",
    ),
    "yolo": (
        lambda folder: (write_yolo(folder) / "labels" / "1.txt").write_text(
            "0 0.5 0.5 0 0.1\n0 0.5 0.5 -0.1 0.1\n0 1.5 0.5 0.1 0.1\n"
            f"0 {2.5 / 60} {2.5 / 40} {15 / 60} {15 / 40}\n"
            f"0 {32.5 / 60} {12.5 / 40} {5 / 60} {5 / 40}\n"),
        ["1.txt, line 1: a box of cat", "1.txt, line 2", "1.txt, line 3"],
        "1.txt, line 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
def test_boxes_without_area_are_named_and_left_out_and_others_clipped(tmp_path, kind):
    write, empty, beyond = EMPTY[kind]
    write(tmp_path)
    found = rows(truths(tmp_path)["1"])
    expected = [(0, 0, 0, 10, 10), (0, 30, 10, 35, 15)]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    report = check(source(tmp_path))
    assert not report.problems
    for place in empty:
        (line,) = [line for line in report.warnings if place in line]
        assert line.endswith("has no area in its image and is left out")
    (line,) = [line for line in report.warnings if "are clipped" in line]
    assert line.startswith("1 box(es) reach beyond their images")
    assert beyond in line


def test_many_boxes_without_area_get_one_line(tmp_path):
    write_coco(
        tmp_path, annotation(1, 1, [1, 1, 9, 9]), *(annotation(n, 1, [9, 9, 0, 0]) for n in range(2, 30))
    )
    (line,) = [line for line in source(tmp_path).warnings() if "no area" in line]
    assert "annotation 2: a box of cat has no area in its image and is left out (27 more are like it" in line


def test_an_image_without_a_file_of_boxes_may_be_empty(tmp_path):
    for kind, name in (("voc", "Annotations/2.xml"), ("yolo", "labels/2.txt")):
        (WRITERS[kind](tmp_path / kind) / name).unlink()
        found = truths(tmp_path / kind, unlabelled="empty")
        assert {number: len(truth.boxes) for number, truth in found.items()} == {"1": 2, "2": 0, "3": 2}
        assert found["2"].boxes.shape == (0, 4)


def test_repeated_boxes_and_classes_of_one_box_are_warned_about(tmp_path):
    boxes = ([1, 1, 9, 9], [1, 1, 9, 9.001], [2, 1, 9, 9], [1, 1, 9, 9])
    content = coco_content(
        *(annotation(n, 1, box) for n, box in enumerate(boxes)), annotation(9, 1, [1, 1, 9, 9], category=8),
        categories=[{"id": 7, "name": "cat"}, {"id": 8, "name": "Cat "}],
    )  # fmt: skip
    write_coco(tmp_path)
    (tmp_path / "train.json").write_text(json.dumps(content))
    warnings = source(tmp_path).warnings()
    assert any(line.startswith("2 box(es) repeat another") and "annotation 1" in line for line in warnings)
    assert "the class 'Cat ' has a single box: is it a mistake?" in warnings
    assert sum("also written otherwise" in line for line in warnings) == 2
    assert len(truths(tmp_path)["1"].boxes) == 5


def test_classes_that_training_never_sees_are_warned_about(tmp_path):
    write_coco(tmp_path, annotation(1, 1, [1, 1, 9, 9]), annotation(2, 2, [1, 1, 9, 9]))
    both = annotation(1, 1, [1, 1, 9, 9], category=30), annotation(2, 1, [3, 1, 9, 9], category=30)
    (tmp_path / "val.json").write_text(json.dumps(coco_content(*both)))
    assert "1 class(es) have boxes, but none in train: dog" in source(tmp_path).warnings()
    stranger = coco_content(annotation(1, 1, [1, 1, 9, 9], category=1), categories=[{"id": 1, "name": "cow"}])
    (tmp_path / "val.json").write_text(json.dumps(stranger))
    with refusal("val.json: annotation 1 is of the category 'cow', which is not among those of train"):
        source(tmp_path).samples("train")


def test_xml_tells_lines_and_texts(tmp_path):
    (tmp_path / "a.xml").write_text("<a>\n <b> one <c/>two </b>\n\n<b>&amp;&#228;</b></a>")
    root = read_xml(tmp_path / "a.xml")
    assert [(child.tag, child.line, child.text) for child in root.children] == [
        ("b", 2, "one two"),
        ("b", 4, "&ä"),
    ]
    assert root.child("b").child("c").text == ""
    assert root.child("x") is None
    with refusal("more than the 20 that are read"):
        read_xml(tmp_path / "a.xml", largest=20)


def test_the_blood_cells_have_two_boxes_of_a_single_point(shared):
    report = check(source(shared / "data" / "bccd"))
    assert report.splits == {"train": 205, "val": 87, "test": 72}
    assert report.tally["boxes"] == 4886
    assert not report.problems
    named = [line for line in report.warnings if "has no area" in line]
    assert len(named) == 2
    for name in ("BloodImage_00338.xml, line 158", "BloodImage_00343.xml, line 50"):
        assert sum(name in line for line in named) == 1
