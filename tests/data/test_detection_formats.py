"""Boxes of COCO, Pascal VOC and YOLO: the same boxes from each, however the files lie."""

import json
import shutil

import numpy as np
import pytest

from kerazoo import settings
from kerazoo.data.detection.layout import by_split_folder, path_key
from kerazoo.data.identity import identity
from kerazoo.image import write_image
from tests.detection_files import (
    BOXES,
    NAMES,
    WRITERS,
    annotation,
    coco_content,
    make_images,
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


def splits_of(path, **changes):
    """Return the names of the images of the splits that have any."""
    splits, problems = source(path, **changes).survey()
    assert not problems
    return {split: [sample.name for sample in samples] for split, samples in splits.items() if samples}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_boxes(tmp_path, kind):
    data = source(WRITERS[kind](tmp_path))
    assert data.class_names() == NAMES
    assert data.warnings() == []
    assert data.facts() == {"format": kind}
    found = truths(tmp_path)
    assert {number: rows(truth) for number, truth in found.items()} == {
        number: [tuple(map(float, box)) for box in boxes] for number, boxes in BOXES.items()
    }
    for truth in found.values():
        assert (truth.boxes.dtype, truth.labels.dtype, truth.crowd.dtype) == (np.float32, np.int32, bool)
        assert truth.size == (40, 60)
    assert [truth.image for truth in found.values()] == [1, 2, 3]
    assert found["1"].categories == ((7, 30) if kind == "coco" else ())
    assert settings.from_plain(settings.to_plain(data)) == data


@pytest.mark.parametrize("kind", WRITERS)
def test_all_files_are_known(tmp_path, kind):
    data = source(WRITERS[kind](tmp_path))
    files = {path.relative_to(tmp_path).as_posix() for path in data.files()}
    assert files == {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(identity(data).files) == len(files)


@pytest.mark.parametrize("kind", WRITERS)
def test_classes_may_have_another_order_and_be_more(tmp_path, kind):
    path, names = WRITERS[kind](tmp_path), ("cow", "dog", "cat")
    assert source(path, classes=names).class_names() == names
    found = truths(path, classes=names)
    assert [row[0] for row in rows(found["1"])] == [2, 1]
    if kind == "coco":
        assert found["1"].categories == (-3, 30, 7)
    with refusal("'dog' is none of cat", "data.classes"):
        source(path, classes=("cat",)).samples("train")


@pytest.mark.parametrize("kind", WRITERS)
def test_shares_divide_what_no_file_divides(tmp_path, kind):
    data = source(WRITERS[kind](tmp_path), validation=0.3, test=0.3)
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [1, 1, 1]


@pytest.mark.parametrize("kind", WRITERS)
def test_an_image_of_another_size_is_told(tmp_path, kind):
    path = WRITERS[kind](tmp_path)
    image = next(file for file in path.rglob("1.png"))
    write_image(image, np.zeros((60, 40, 3), "uint8"))
    if kind == "yolo":  # which has shares
        assert truths(path)["1"].boxes[0].tolist() == [pytest.approx(v) for v in (10 / 3, 7.5, 70 / 3, 37.5)]
        return
    with refusal("1.png has 40 x 60 pixels, its boxes are for 60 x 40"):
        list(source(path).samples("train"))


# --- COCO -------------------------------------------------------------------------------------


def test_crowds_areas_and_difficult_objects_of_coco(tmp_path):
    write_coco(
        tmp_path,
        annotation(1, 1, [0, 0, 10, 10], area=60, segmentation=[[0, 0, 10, 0, 10, 10]]),
        annotation(2, 1, [5, 5, 50, 30], iscrowd=1, segmentation={"counts": "a", "size": [40, 60]}),
        annotation(3, 1, [5.5, 5, 20.25, 30], difficult=1),
        annotation("4", "1", [1, 1, 2, 2], category="7", iscrowd=None),
        {"image_id": 1, "category_id": 7, "bbox": [1, 1, 3, 2]},
    )
    truth = truths(tmp_path)["1"]
    np.testing.assert_array_equal(truth.areas, [60, 1500, 607.5, 4, 6])
    np.testing.assert_array_equal(truth.crowd, [False, True, False, False, False])
    np.testing.assert_array_equal(truth.difficult, [False, False, True, False, False])
    np.testing.assert_array_equal(truth.boxes[2], [5.5, 5, 25.75, 35])


def test_classes_are_in_the_order_of_their_ids(tmp_path):
    """Gaps are no classes, and what no annotation is of is one."""
    categories = [{"id": 90, "name": "z"}, {"id": 3, "name": "cat"}, {"id": 12, "name": "b"}]
    write_coco(tmp_path, annotation(1, 1, [1, 1, 9, 9], category=90), categories=categories)
    assert source(tmp_path).class_names() == ("cat", "b", "z")
    assert truths(tmp_path)["1"].labels.tolist() == [2]
    assert "2 class(es) have no boxes at all: cat, b" in source(tmp_path).warnings()


def test_a_supercategory_that_is_listed_as_a_category_is_no_class(tmp_path):
    """As Roboflow writes them."""
    categories = [{"id": 0, "name": "pets", "supercategory": "none"}]
    categories += [
        {"id": 7, "name": "cat", "supercategory": "pets"},
        {"id": 30, "name": "dog", "supercategory": "pets"},
    ]
    write_coco(tmp_path, categories=categories)
    assert source(tmp_path).class_names() == NAMES
    assert any(
        "the category pets is the supercategory of others" in line for line in source(tmp_path).warnings()
    )


def test_splits_of_coco_are_files_and_their_ids_may_differ(tmp_path):
    (tmp_path / "annotations").mkdir()
    for split, ids in (("train2017", (7, 30)), ("val2017", (1, 2))):
        make_images(tmp_path / split)
        content = coco_content(
            annotation(1, 1, [1, 1, 5, 5], category=ids[0]), annotation(2, 3, [1, 1, 5, 5], category=ids[1]),
            categories=[{"id": ids[0], "name": "cat"}, {"id": ids[1], "name": "dog"}],
        )  # fmt: skip
        (tmp_path / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
        (tmp_path / "annotations" / f"person_keypoints_{split}.json").write_text("{}")
        (tmp_path / "annotations" / f"captions_{split}.json").write_text("{}")
    assert {split: len(names) for split, names in splits_of(tmp_path).items()} == {"train": 3, "val": 3}
    for split, categories in (("train", (7, 30)), ("val", (1, 2))):
        found = truths(tmp_path, split)
        assert found["1"].labels.tolist() == [0]
        assert found["3"].labels.tolist() == [1]
        assert found["3"].categories == categories
    only_cats = coco_content(
        annotation(1, 1, [1, 1, 5, 5], category=5), categories=[{"id": 5, "name": "cat"}]
    )
    (tmp_path / "annotations" / "instances_val2017.json").write_text(json.dumps(only_cats))
    assert truths(tmp_path, "val")["1"].categories == (5, -2)


@pytest.mark.parametrize("name", ["result.json", "_annotations.coco.json"])
def test_the_only_json_file_of_a_folder_has_any_name(tmp_path, name):
    path = write_coco(tmp_path)
    (path / "train.json").rename(path / name)
    assert source(path).facts() == {"format": "coco"}
    assert len(truths(path)["1"].boxes) == 2
    (path / "notes.json").write_text("{}")
    with refusal("has no annotations"):
        source(path).samples("train")
    (path / name).unlink()
    with refusal("has no annotations"):
        source(path).samples("train")


def test_numbers_are_names_as_well(tmp_path):
    write_coco(tmp_path, categories=[{"id": 7, "name": 0}, {"id": 30, "name": 1.5}])
    assert source(tmp_path).class_names() == ("0", "1.5")


# --- Pascal VOC -------------------------------------------------------------------------------


def test_flags_and_fractions_of_voc(tmp_path):
    objects = [
        voc_object("dog", ("1", "1", "60", "40"), "<difficult>1</difficult><truncated>1</truncated>"),
        voc_object("cat", ("10.5", " 7 ", "20.25", "9"), "<part><name>head</name></part>"),
    ]
    path = write_voc(tmp_path)
    (path / "Annotations" / "1.xml").write_text(voc_text(1, objects, size=""))
    truth = truths(path)["1"]
    assert rows(truth) == [(1, 0, 0, 60, 40), (0, 9.5, 6, 20.25, 9)]
    np.testing.assert_array_equal(truth.difficult, [True, False])


def test_lists_of_voc_are_the_splits(tmp_path):
    path = write_voc(tmp_path)
    lists = path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("1\n")
    (lists / "val.txt").write_text("3 \n\n")
    (lists / "trainval.txt").write_text("1\n2\n3\n")
    (lists / "cat_train.txt").write_text("1  1\n3 -1\n")
    assert splits_of(path) == {"train": ["JPEGImages/1.png"], "val": ["JPEGImages/3.png"]}
    (warning,) = source(path).warnings()
    assert "1 image(s) are in none of its lists" in warning
    (lists / "train.txt").unlink()
    (lists / "val.txt").unlink()
    (lists / "test.txt").write_text("2.png\n")
    assert {split: len(names) for split, names in splits_of(path).items()} == {"train": 3, "test": 1}
    (lists / "test.txt").write_text("2\n9\n")
    with refusal("test.txt: line 2 names '9', and there is no such image"):
        source(path).samples("train")


def test_names_with_spaces_are_in_lists(tmp_path):
    path = write_voc(tmp_path)
    for file in (path / "JPEGImages" / "1.png", path / "Annotations" / "1.xml"):
        file.rename(file.with_stem("a photo 1"))
    (path / "ImageSets" / "Main").mkdir(parents=True)
    (path / "ImageSets" / "Main" / "train.txt").write_text("a photo 1\n3 1\n")
    assert [name.rpartition("/")[2] for name in splits_of(path)["train"]] == ["a photo 1.png", "3.png"]


@pytest.mark.parametrize(
    ("images", "files"),
    [("", ""), ("train", "train"), ("train/images", "train/annotations"),
     ("images/train", "annotations/train"), ("photos", "boxes")],
)  # fmt: skip
def test_xml_files_may_lie_anywhere(tmp_path, images, files):
    path = write_voc(tmp_path / "voc")
    other = tmp_path / "other"
    shutil.copytree(path / "JPEGImages", other / images)
    shutil.copytree(path / "Annotations", other / files, dirs_exist_ok=True)
    found = truths(other)
    assert {number: len(truth.boxes) for number, truth in found.items()} == {"1": 2, "2": 0, "3": 2}


# --- YOLO -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "names: [cat, dog]\n",
        "nc: 2\nnames:\n  0: cat\n  1: dog  # a comment\n",
        "names:\n- 'cat'\n- \"dog\"\ndownload: |\n  import os\n  os.system('true')\n",
        "train: ../images\nval: images\nnames: ['cat',\n        'dog']\n",
    ],
)
def test_names_in_yaml(tmp_path, text):
    path = write_yolo(tmp_path)
    (path / "classes.txt").unlink()
    (path / "data.yaml").write_text(text)
    assert source(path).class_names() == NAMES
    assert source(path / "data.yaml").class_names() == NAMES
    assert len(truths(path)) == 3


def test_names_in_yaml_are_texts(tmp_path):
    path = write_yolo(tmp_path)
    (path / "data.yaml").write_text("names: [no, 10]\n")
    assert source(path).class_names() == ("no", "10")


def test_segments_become_their_boxes(tmp_path):
    path = write_yolo(tmp_path)
    (path / "labels" / "2.txt").write_text("1 0.1 0.5 0.5 0.25 0.3 0.75\n0 0.5 0.5 0.9 0.5 0.9 0.9 0.5 0.9\n")
    found = rows(truths(path)["2"])
    assert found[0] == (1, *(pytest.approx(value) for value in (6, 10, 30, 30)))
    assert found[1] == (0, *(pytest.approx(value) for value in (30, 20, 54, 36)))


@pytest.mark.parametrize(
    ("images", "labels"),
    [("train/images", "train/labels"), ("images/train", "labels/train"), ("Images/train", "Labels/train")],
)
def test_folders_of_yolo_are_the_splits(tmp_path, images, labels):
    path = write_yolo(tmp_path / "yolo")
    other = tmp_path / "other"
    for split in ("train", "valid"):
        shutil.copytree(path / "images", other / images.replace("train", split))
        shutil.copytree(path / "labels", other / labels.replace("train", split))
    shutil.copy(path / "classes.txt", other)
    assert {split: len(names) for split, names in splits_of(other).items()} == {"train": 3, "val": 3}
    assert rows(truths(other, "val")["1"]) == rows(truths(path)["1"])


def test_darknets_text_files_lie_beside_images(tmp_path):
    path = write_yolo(tmp_path)
    for number in BOXES:
        shutil.move(path / "labels" / f"{number}.txt", path / "images" / f"{number}.txt")
    (path / "README.txt").write_text("Exported today")
    assert len(truths(path)["1"].boxes) == 2


@pytest.mark.parametrize("given", ["folder", "file"])
def test_yaml_tells_the_splits(tmp_path, given):
    """Lists, folders of any name, and paths of another machine, known by their ends."""
    path = write_yolo(tmp_path / "data")
    for number in BOXES:
        (path / f"images/set{number}").mkdir(parents=True)
        (path / f"labels/set{number}").mkdir(parents=True)
        shutil.move(path / f"images/{number}.png", path / f"images/set{number}")
        shutil.move(path / f"labels/{number}.txt", path / f"labels/set{number}")
    (path / "train.txt").write_text("./images/set1/1.png\nC:\\data\\images\\set2\\2.png\n")
    (path / "data.yaml").write_text(
        "path: .\ntrain: train.txt\nval: /else/where/images/set3\nnames: [cat, dog]\n"
    )
    data = path if given == "folder" else path / "data.yaml"
    assert splits_of(data) == {
        "train": ["images/set1/1.png", "images/set2/2.png"],
        "val": ["images/set3/3.png"],
    }
    (path / "train.txt").write_text("images/set1/1.png\nimages/set1/8.png\n")
    with refusal("train.txt: line 2 names 'images/set1/8.png', and there is no such image"):
        source(data).samples("train")
    (path / "data.yaml").write_text("train: images/set1\nval: gone\ntest: gone\nnames: [cat, dog]\n")
    with refusal("val is gone, which is not there"):
        source(data).samples("train")
    assert any("test is gone, which is not there; it is left out" in line for line in source(data).warnings())
    # One part of a path of another machine is too little to know a folder by.
    (path / "data.yaml").write_text("train: /gone/images\nval: gone\nnames: [cat, dog]\n")
    assert len(source(data).samples("train")) == 3


# --- layouts ----------------------------------------------------------------------------------


def test_the_format_is_chosen_where_there_are_several(tmp_path):
    write_voc(tmp_path)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "labels").mkdir()
    for number in BOXES:
        (tmp_path / "labels" / f"{number}.txt").write_text("0 0.5 0.5 1 1\n")
    with refusal("as voc and as yolo write them", "--set data.format=voc"):
        source(tmp_path).samples("train")
    assert truths(tmp_path, format="voc")["3"].labels.tolist() == [1, 0]


def test_keys_leave_out_what_folders_hold(tmp_path):
    for name in ("images/train/a.jpg", "train/Labels/a.txt", "train/a.b.xml"):
        assert path_key(tmp_path / name, tmp_path)[0] == "train"
    assert path_key(tmp_path / "train/a.b.xml", tmp_path) == ("train", "a.b")


def test_what_is_beside_splits_is_left_out_with_a_warning(tmp_path):
    from kerazoo.data.annotations import Remarks

    images = [tmp_path / name for name in ("train/a.png", "val/b.png", "c.png", "bullet-train/d.png")]
    remarks = Remarks()
    found = by_split_folder(images, tmp_path, remarks)
    assert {split: [p.name for p in part] for split, part in found.items()} == {
        "train": ["a.png"],
        "val": ["b.png"],
    }
    (warning,) = remarks.warnings
    assert "only what lies in train and val is read" in warning
    deeper = [tmp_path / "set" / name for name in ("train/a.png", "val/b.png")]
    assert list(by_split_folder(deeper, tmp_path, Remarks())) == ["train", "val"]
