"""`kerazoo data convert`: boxes that are read back are the same, and what is lost is told."""

import json
import os

import numpy as np
import pytest

from kerazoo.data.detection.source import AnnotatedBoxes
from kerazoo.engine.convert_data import convert_data
from kerazoo.image import image_size
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
