"""`kerazoo data convert`: boxes that are read back are the same, and what is lost is told."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from kerazoo.data.detection.source import AnnotatedBoxes
from kerazoo.data.detection.writing import NamedTruth, write_boxes
from kerazoo.engine.convert_data import convert_data
from kerazoo.image import image_size, write_image
from kerazoo.structures.boxes import Boxes
from tests.bad_boxes import BAD
from tests.cli.runner import kerazoo, result_of
from tests.detection_files import (
    WRITERS,
    annotation,
    coco_content,
    make_images,
    rows,
    truths,
    voc_object,
    voc_text,
    write_coco,
    write_voc,
)
from tests.refusals import refusal

FORMATS = ("coco", "voc", "yolo")


def all_truths(path):
    """Return names of classes and boxes by split and name of the image; no image is decoded."""
    source = AnnotatedBoxes(path=str(path), validation=0.0)
    names, found = source.class_names(), {}
    assert not source.survey()[1]
    for split, images in source.reading.splits.items():
        for image in images:
            truth = source.truth(split, image, image_size(image.path))
            boxes = [(names[label], *box) for label, *box in rows(truth)]
            found[split, image.path.stem] = sorted(boxes)
    return found


def assert_same(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for place, boxes in expected.items():
        assert [box[0] for box in found[place]] == [box[0] for box in boxes]
        if boxes:
            difference = np.abs(np.array([box[1:] for box in found[place]]) - [box[1:] for box in boxes])
            assert difference.max() <= tolerance


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_becomes_every_other(tmp_path, kind, to):
    WRITERS[kind](tmp_path / "in")
    printed = kerazoo("data", "convert", tmp_path / "in", tmp_path / "out", "--to", to)
    assert printed.splitlines()[:2] == ["images   3 train", "boxes    4"]
    assert f"({kind} to {to})" in printed
    assert_same(all_truths(tmp_path / "out"), all_truths(tmp_path / "in"), 1e-5)
    (image,) = (tmp_path / "out").rglob("1.png")
    (original,) = (tmp_path / "in").rglob("1.png")
    assert image.read_bytes() == original.read_bytes()


def test_the_blood_cells_survive_all_formats(tmp_path, shared):
    """VOC -> COCO -> YOLO -> VOC gives every box back, in its split."""
    data = shared / "data" / "bccd"
    expected = all_truths(data)
    assert sum(map(len, expected.values())) == 4886
    for source, to in ((data, "coco"), (tmp_path / "coco", "yolo"), (tmp_path / "yolo", "voc")):
        done = convert_data(str(source), tmp_path / to, to)
        assert (done.boxes, done.images) == (4886, {"train": 205, "val": 87, "test": 72})
        assert_same(all_truths(tmp_path / to), expected, 1e-4)
    assert len(done.warnings) == 0


def test_what_cannot_be_held_is_told_and_counted(tmp_path):
    write_coco(
        tmp_path / "in",
        annotation(1, 1, [1, 1, 20, 20], area=100, difficult=1),
        annotation(2, 1, [5, 5, 20, 20], iscrowd=1),
        annotation(3, 2, [5, 5, 1, 20]),
        annotation(4, 2, [5, 5, -1, 20]),
        categories=[{"id": 7, "name": "zebra"}, {"id": 30, "name": "cat"}],
    )
    told = {}
    for to in FORMATS:
        result = result_of("data", "convert", tmp_path / "in", tmp_path / to, "--to", to, "--json", code=0)
        assert "annotation 4: a box of zebra has no area in its image and is left out" in result.stderr
        told[to] = json.loads(result.stdout)
    assert [told[to]["boxes"] for to in FORMATS] == [3, 1, 2]
    assert (told["voc"]["read_as"], told["voc"]["written_as"], told["voc"]["images"]) == (
        "coco",
        "voc",
        {"train": 3},
    )
    common = [
        "1 boxes of crowds",
        "1 areas of objects that are not those of their boxes",
        "ids of images and categories",
    ]
    not_read = ["segmentations, key points and whatever else COCO's annotations have"]
    thin = [
        "1 boxes of one pixel's width or height",
        "1 classes without boxes (cat)",
        "the order of the classes",
    ]
    assert told["coco"]["lost"] == not_read
    assert told["yolo"]["lost"] == [*common, "1 flags of difficult objects", *not_read]
    assert told["voc"]["lost"] == [*common, *thin, *not_read]
    back = truths(tmp_path / "coco")["1"]
    assert back.difficult.tolist() == [True, False]
    assert back.crowd.tolist() == [False, True]
    assert back.areas.tolist() == [100, 400]
    assert back.categories == (7, 30)
    assert truths(tmp_path / "voc")["1"].difficult.tolist() == [True]


def test_the_written_json_is_cocos(tmp_path):
    from faster_coco_eval import COCO

    WRITERS["voc"](tmp_path / "in")
    convert_data(str(tmp_path / "in"), tmp_path / "out", "coco")
    file = tmp_path / "out" / "annotations" / "instances_train.json"
    read = COCO(str(file))
    assert [category["name"] for category in read.loadCats(read.getCatIds())] == ["cat", "dog"]
    (first, *_) = read.loadAnns(read.getAnnIds(imgIds=[1]))
    assert (first["bbox"], first["area"], first["iscrowd"]) == ([5, 5, 30, 20], 600, 0)
    assert json.loads(file.read_text())["images"][0] == {
        "id": 1,
        "file_name": "1.png",
        "width": 60,
        "height": 40,
    }


def test_images_of_one_name_get_names_of_their_own(tmp_path):
    for split in ("train", "val"):
        make_images(tmp_path / "in" / split)
        content = coco_content(annotation(1, 1, [1, 1, 9, 9]))
        (tmp_path / "in" / f"{split}.json").write_text(json.dumps(content))
    data = json.loads((tmp_path / "in" / "val.json").read_text())
    for image in data["images"]:
        image["file_name"] = f"val/{image['file_name']}"
    (tmp_path / "in" / "val.json").write_text(json.dumps(data))
    convert_data(str(tmp_path / "in"), tmp_path / "out", "voc")
    names = sorted(path.name for path in (tmp_path / "out" / "JPEGImages").iterdir())
    assert names == ["1.png", "2.png", "3.png", "val_1.png", "val_2.png", "val_3.png"]
    assert {split: len(truths(tmp_path / "out", split)) for split in ("train", "val")} == {
        "train": 3,
        "val": 3,
    }


def test_names_that_need_escapes_come_back(tmp_path):
    write_voc(tmp_path / "in")
    text = voc_text(
        1, [voc_object("&lt;a&gt; &amp; \"b\": 'ü' #", (3, 3, 9, 9)), voc_object("no", (3, 3, 9, 9))]
    )
    (tmp_path / "in" / "Annotations" / "1.xml").write_text(text)
    expected = all_truths(tmp_path / "in")
    for to in FORMATS:
        convert_data(str(tmp_path / "in"), tmp_path / to, to)
        assert_same(all_truths(tmp_path / to), expected, 1e-5)


def test_fractions_come_back(tmp_path):
    rng = np.random.default_rng(0)
    low = rng.uniform(0, (40, 25), (30, 2))
    boxes = np.concatenate([low, rng.uniform(2, 15, (30, 2))], axis=1).tolist()
    write_coco(tmp_path / "in", *(annotation(n, 1, box) for n, box in enumerate(boxes)))
    for to in FORMATS:
        convert_data(str(tmp_path / "in"), tmp_path / to, to)
        np.testing.assert_allclose(
            rows(truths(tmp_path / to)["1"]), rows(truths(tmp_path / "in")["1"]), atol=1e-5
        )


def test_bad_data_are_refused_in_one_line_and_nothing_is_written(tmp_path):
    for number, (write, told) in enumerate(BAD.values()):
        folder = tmp_path / str(number)
        (folder / "in").mkdir(parents=True)
        write(folder / "in")
        line = kerazoo("data", "convert", folder / "in", folder / "out", "--to", "coco", code=2)
        assert all(words in line for words in told), line
        assert os.listdir(folder) == ["in"]


def test_an_existing_folder_and_broken_images_are_refused(tmp_path):
    write_coco(tmp_path / "in")
    (tmp_path / "out").mkdir()
    line = kerazoo("data", "convert", tmp_path / "in", tmp_path / "out", "--to", "voc", code=2)
    assert line.endswith("out exists already; choose another folder or remove it")
    line = kerazoo(
        "data", "convert", tmp_path / "in", tmp_path / "b", "--to", "voc", "--set", "batch_size=3", code=2
    )
    assert "only settings of the data, data.KEY=VALUE, are taken" in line
    (tmp_path / "in" / "2.png").write_bytes((tmp_path / "in" / "2.png").read_bytes()[:20])
    with refusal("2.png"):
        convert_data(str(tmp_path / "in"), tmp_path / "other", "voc")
    assert sorted(os.listdir(tmp_path)) == ["in", "out"]


def test_settings_of_the_data_are_taken(tmp_path):
    write_coco(tmp_path / "in")
    given = ["--set", 'data.classes=["dog","cat"]']
    kerazoo("data", "convert", tmp_path / "in", tmp_path / "out", "--to", "yolo", *given)
    assert AnnotatedBoxes(path=str(tmp_path / "out")).class_names() == ("dog", "cat")


@pytest.mark.parametrize("to", FORMATS)
def test_boxes_of_two_ids_of_one_image_are_joined(tmp_path, to):
    images = [{"id": n, "file_name": name} for n, name in ((1, "1.png"), (2, "./1.png"), (3, "3.png"))]
    boxes = [(1, 1, [1, 1, 20, 20]), (2, 2, [5, 5, 9, 9]), (3, 3, [5, 5, 9, 9])]
    write_coco(tmp_path / "in", *(annotation(*box) for box in boxes), images=images)
    (tmp_path / "in" / "2.png").unlink()
    done = convert_data(str(tmp_path / "in"), tmp_path / "out", to)
    assert (done.images, done.boxes) == ({"train": 2}, 3)
    assert ("1 further ids of images, whose boxes are joined" in done.lost) == (to != "coco")
    samples = AnnotatedBoxes(path=str(tmp_path / "out"), validation=0.0).samples("train")
    assert sorted(len(sample.truth.boxes) for sample in samples) == ([1, 1, 1] if to == "coco" else [1, 2])


def test_other_boxes_of_one_image_in_two_splits_are_refused_where_one_file_has_both(tmp_path):
    boxes = [annotation(n, n, [1, 1, 9 + n, 9]) for n in (1, 2)]
    write_coco(tmp_path / "in", *boxes)
    for given, code in ((boxes[::-1], 0), ([*boxes, annotation(3, 2, [1, 1, 5, 5])], 2)):
        (tmp_path / "in" / "val.json").write_text(json.dumps(coco_content(*given)))
        for to in FORMATS:
            out = tmp_path / f"{to}{code}"
            told = kerazoo("data", "convert", tmp_path / "in", out, "--to", to, code=code * (to == "voc"))
            if code and to == "voc":
                assert "2.png has other boxes in val than in train, and VOC has one file for both" in told
                assert not out.exists()
            else:
                assert all_truths(out) == all_truths(tmp_path / "in")


def named_boxes(name="1.png"):
    labels = np.arange(2, dtype="int32")
    boxes = np.array([[1, 1, 9, 9]] * 2, "float32")
    return [NamedTruth(name, Boxes(boxes, labels, labels > 1, labels > 1, (40, 60), 1))]


ODD = [
    "🐱 cat",
    "\x85 mid \x7f",
    "a\u2028b",
    "\ud83d",
    "a\ufeffb\ufffe",
    'q"\\u0041',
    "no",
    "é # : -",
    "tab\tbed",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_classes_come_back_from_yolo(tmp_path, name):
    make_images(tmp_path / "images" / "train", ("1",))
    name = name.strip()
    write_boxes(tmp_path, "yolo", {"train": named_boxes()}, (name, "dog"))
    assert AnnotatedBoxes(path=str(tmp_path), validation=0.0).class_names() == (name, "dog")


@pytest.mark.parametrize("to", ["voc", "yolo"])
@pytest.mark.parametrize(
    ("name", "told"),
    [("cat ", "white space at its ends is not read"), ("", "it is empty"), (" ", "it is empty")],
)
def test_classes_that_would_be_read_as_others_are_refused(tmp_path, to, name, told):
    with refusal(f"{to} cannot hold the class {name!r}: {told}; rename it"):
        write_boxes(tmp_path, to, {"train": named_boxes()}, (name, "cat"))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a\x01b", "a\nb", "\ud83d", "a\uffff"])
def test_classes_that_xml_cannot_hold_are_refused(tmp_path, name):
    with refusal("voc cannot hold the class", "it has control characters"):
        write_boxes(tmp_path, "voc", {"train": named_boxes()}, ("cat", name))
    write_boxes(tmp_path, "voc", {"train": named_boxes()}, ("cat", "dog", name))  # it has no boxes


@pytest.mark.parametrize("name", ["a .png", " a.png", "a\nb.png", "a\u2028b.png", "a\x1fb.png", "a\\b.png"])
def test_images_that_no_list_names_are_refused_in_voc_alone(tmp_path, name):
    write_image(tmp_path / "in" / name, np.zeros((40, 60, 3), "uint8"))
    content = coco_content(annotation(1, 1, [1, 1, 9, 9]), images=[{"id": 1, "file_name": name}])
    (tmp_path / "in" / "train.json").write_text(json.dumps(content))
    for to in FORMATS:
        line = kerazoo("data", "convert", tmp_path / "in", tmp_path / to, "--to", to, code=2 * (to == "voc"))
        if to == "voc":
            assert "VOC's lists cannot name it; rename the image" in line
            assert not (tmp_path / to).exists()
        else:
            assert len(truths(tmp_path / to)) == 1


def test_the_devils_own_names_get_files_of_their_own(tmp_path):
    """One name with and without its suffix, in two Unicode forms, and in folders with long names."""
    names = [
        "a.png",
        "a.png.png",
        "\u00e9.png",
        "e\u0301.png",
        *(f"{part * 200}/{'n' * 100}.png" for part in "xyz"),
    ]
    for name in names:
        write_image(tmp_path / "in" / name, np.zeros((40, 60, 3), "uint8"))
    boxes = [annotation(n, n, [n, 1, 9, 9]) for n in range(len(names))]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    (tmp_path / "in" / "train.json").write_text(json.dumps(coco_content(*boxes, images=images)))
    expected = list(range(len(names)))
    for to in FORMATS:
        convert_data(str(tmp_path / "in"), tmp_path / to, to)
        samples = AnnotatedBoxes(path=str(tmp_path / to), validation=0.0).samples("train")
        assert sorted(round(float(sample.truth.boxes[0, 0])) for sample in samples) == expected


def test_a_truncated_image_is_not_copied(tmp_path):
    write_coco(tmp_path / "in")
    path = tmp_path / "in" / "2.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), "uint8")).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:-200])
    line = kerazoo("data", "convert", tmp_path / "in", tmp_path / "out", "--to", "yolo", code=2)
    assert "2.png cannot be read: image file is truncated" in line
    assert os.listdir(tmp_path) == ["in"]


def test_classes_that_a_file_of_coco_lacks_get_free_ids(tmp_path):
    write_coco(tmp_path / "in")
    content = coco_content(
        annotation(1, 1, [1, 1, 9, 9], category=2),
        categories=[{"id": 2, "name": "dog"}, {"id": 1, "name": "x"}],
    )
    (tmp_path / "in" / "val.json").write_text(json.dumps(content))
    given = ["--set", 'data.classes=["new","cat","dog"]']
    kerazoo("data", "convert", tmp_path / "in", tmp_path / "out", "--to", "coco", *given)
    for split, ids in (("train", [1, 7, 30]), ("val", [1, 3, 2])):
        written = json.loads((tmp_path / "out" / "annotations" / f"instances_{split}.json").read_text())
        assert [(each["id"], each["name"]) for each in written["categories"]] == list(
            zip(ids, ("new", "cat", "dog"), strict=True)
        )
    assert truths(tmp_path / "out", "val")["1"].labels.tolist() == [
        AnnotatedBoxes(path=str(tmp_path / "out")).class_names().index("dog")
    ]
