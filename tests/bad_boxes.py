"""Files of boxes that have to be refused, by what is wrong with them: how to write them, and what is said."""

import json

import numpy as np

from kerazoo.image import write_image
from tests.detection_files import (
    annotation,
    coco_content,
    make_images,
    voc_object,
    voc_text,
    write_coco,
    write_voc,
    write_yolo,
)

BOX = [1, 1, 5, 5]
NO_FILE = ["2.png has no file of boxes", "unlabelled=empty"]
BOMB = '<!DOCTYPE a [<!ENTITY b "1"><!ENTITY c "&b;&b;&b;&b;">]>\n'
YAML_BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
OUTSIDE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>\n'


def _coco(*annotations, **changes):
    return lambda folder: write_coco(folder, *annotations, **changes)


def _without(part):
    def write(folder):
        content = coco_content()
        del content[part]
        (make_images(folder) / "train.json").write_text(json.dumps(content))

    return write


def _voc(text):
    def write(folder):
        write_voc(folder)
        data = text if isinstance(text, bytes) else text.encode()
        (folder / "Annotations" / "1.xml").write_bytes(data)

    return write


def _object(corners, **more):
    return _voc(voc_text(1, [voc_object("cat", corners, **more)]))


def _yolo(text, name="labels/1.txt"):
    return lambda folder: (write_yolo(folder) / name).write_text(text)


def _removed(write, name):
    return lambda folder: (write(folder), (folder / name).unlink())


def _another_image(write, name):
    return lambda folder: (write(folder), write_image(folder / name, np.zeros((9, 9, 3), "uint8")))


def _other_text(write, name, text):
    def change(folder):
        write(folder)
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)

    return change


def _emptied(write, text):
    def change(folder):
        write(folder)
        for file in (*folder.glob("labels/*.txt"), *folder.glob("Annotations/*.xml")):
            file.write_text(text)

    return change


BAD = {
    "no images": (_without("images"), ["train.json has no list images"]),
    "no categories": (_without("categories"), ["train.json has no list categories"]),
    "no annotations": (_without("annotations"), ["train.json has no list annotations"]),
    "empty categories": (_coco(categories=[]), ["train.json has no categories"]),
    "no JSON": (_other_text(write_coco, "train.json", "{"), ["train.json is no JSON"]),
    "an image of no id": (_coco(annotation(1, 9, BOX)), ["annotation 1 is of the unknown image 9"]),
    "ids that match nothing": (_coco(*(annotation(n, n + 10, BOX) for n in range(9))),
                               ["annotation 0 is of the unknown image 10"]),
    "a category of no id": (_coco(annotation(1, 1, BOX, category=8)), ["is of the unknown category 8"]),
    "two images of one id": (_coco(numbers=(1, 1, 2, 3)), ["train.json: image 1 is there twice"]),
    "two annotations of one id": (_coco(*[annotation(4, 1, BOX)] * 2), ["annotation 4 is there twice"]),
    "two categories of one id": (_coco(categories=[{"id": 7, "name": n} for n in "ab"]),
                                 ["category id 7 is there twice"]),
    **{f"a category called {name!r}": (
        _coco(categories=[{"id": 7, "name": name}, {"id": 30, "name": "dog"}]),
        ["category of id 7 has no text"],
    ) for name in (None, "", " ", ["cat"], True)},
    "a category of a supercategory alone": (_coco(categories=[{"id": 30, "supercategory": "dog"}]),
                                            ["train.json: the category of id 30 has no text as its name"]),
    "shares in COCO": (_coco(*(annotation(n, 1, [0.1, 0.2, 0.25 * n, 0.5]) for n in (1, 2, 3))),
                       ["train.json: all 3 boxes of train lie within 0 to 1", "write pixels"]),
    "shares in VOC": (_emptied(write_voc, voc_text(1, [voc_object("cat", (0.1, 0.2, 0.5, 0.9))])),
                      ["1.xml: all 3 boxes of train lie within 0 to 1"]),
    "four texts": (_coco(annotation(1, 1, ["1", "1", "5", "5"])),
                   ["annotation 1 has no bbox of four finite numbers"]),
    "three numbers": (_coco(annotation(1, 1, [1, 1, 5])), ["annotation 1 has no bbox of four"]),
    "NaN": (_coco(annotation(1, 1, [1, float("nan"), 5, 5])), ["has no bbox of four finite numbers"]),
    "an odd crowd": (_coco(annotation(1, 1, BOX, iscrowd="yes")), ["iscrowd other than 0 and 1"]),
    "a missing image": (_removed(write_coco, "2.png"), ["there is no", "2.png"]),
    "a bomb": (_voc(BOMB + voc_text(1, [])), ["1.xml has a document type"]),
    "another file": (_voc(OUTSIDE + voc_text(1, []).replace("1.png", "&b;")), ["1.xml has a document type"]),
    "a bomb in UTF-16": (_voc((BOMB + voc_text(1, [])).encode("utf-16")), ["1.xml has a document type"]),
    "half of a file": (_voc(voc_text(1, [])[:-20]), ["1.xml is no XML"]),
    "an unknown encoding": (_voc("<?xml version='1.0' encoding='none'?><annotation/>"), ["1.xml is no XML"]),
    "an empty file": (_voc(""), ["1.xml is no XML"]),
    "other XML": (_voc("<html/>"), ["1.xml begins with <html>"]),
    "a text for a corner": (_object(("1", "x", "5", "5")), ["object in line 4", "no four numbers as bndbox"]),
    "a corner of Python": (_object(("1", "1_0", "5", "5")), ["has no four numbers as bndbox"]),
    "NaN for a corner": (_object(("1", "nan", "5", "5")), ["object in line 4 has no four numbers as bndbox"]),
    "three corners": (_object(("1", "1", "5")), ["object in line 4 has no four numbers as bndbox"]),
    "an odd flag": (_object((1, 1, 5, 5), extra="<difficult>maybe</difficult>"), ["difficult 'maybe'"]),
    "no bndbox": (_voc(voc_text(1, ["<object><name>cat</name></object>"])), ["in line 4 has no bndbox"]),
    "no name": (_voc(voc_text(1, [voc_object("", (1, 1, 5, 5))])), ["object in line 4 has no name"]),
    "XML without image": (_removed(write_voc, "JPEGImages/2.png"), ["2.xml has no image"]),
    "image without XML": (_removed(write_voc, "Annotations/2.xml"), NO_FILE),
    "columns missing": (_yolo("0 0.5\n\n0 0.5 0.5 0.1\n"), ["1.txt: line 1 has 2 columns"]),
    "a score": (_yolo("0 0.5 0.5 0.1 0.1 0.9\n"), ["line 1 has 6 columns, as predictions with scores have"]),
    "an odd segment": (_yolo("0 0.5 0.5 0.1 0.1 0.9 0.1 0.3\n"), ["line 1 has 8 columns"]),
    "words": (_yolo("cat 0.5 0.5 0.1 0.1\n"), ["line 1 holds something else than finite numbers"]),
    "NaN in a row": (_yolo("0 0.5 nan 0.1 0.1\n"), ["line 1 holds something else than finite numbers"]),
    "a class beyond the names": (_yolo("2 0.5 0.5 0.1 0.1\n"), ["line 1 is of class 2", "those of 0 to 1"]),
    "a number of Python": (_yolo("0 0.5_0 0.5 0.1 0.1\n"), ["something else than finite numbers"]),
    "no shape of key points": (_yolo("kpt_shape: [17]\nnames: [cat, dog]\n", "data.yaml"), ["kpt_shape is"]),
    "settings without names": (_yolo("train: images\n", "data.yaml"), ["data.yaml has no names"]),
    "one text for two images": (_another_image(write_yolo, "images/1.jpg"), ["1.txt may be of", "1.jpg and"]),
    "half a class": (_yolo("0.5 0.5 0.5 0.1 0.1\n"), ["line 1 is of class 0.5"]),
    "pixels": (_yolo("0 30 20 10 10\n"), ["line 1 has pixels in place of shares"]),
    "no UTF-8": (lambda folder: (write_yolo(folder) / "labels/1.txt").write_bytes(b"\xff\xfe0"),
                 ["no text in UTF-8"]),
    "text without image": (_removed(write_yolo, "images/2.png"), ["2.txt has no image"]),
    "image without text": (_removed(write_yolo, "labels/2.txt"), NO_FILE),
    "no names": (_removed(write_yolo, "classes.txt"), ["names no classes"]),
    "a name twice": (_yolo("cat\ncat\n", "classes.txt"), ["classes.txt: the class 'cat' is there twice"]),
    "names without order": (_yolo("names: {1: cat, 2: dog}\n", "data.yaml"), ["not numbered 0 to 1"]),
    "another count": (_yolo("nc: 3\nnames: [cat, dog]\n", "data.yaml"), ["nc is '3', and there are 2 names"]),
    "a bomb of YAML": (_yolo(YAML_BOMB + "nc: *a39\nnames: [cat, dog]\n", "data.yaml"), ["nc is no number"]),
    "two lists of names": (_yolo("dog\ncat\n", "labels/classes.txt"), ["name different classes"]),
    "a split that is no path": (_yolo("train: {a: b}\nnames: [cat, dog]\n", "data.yaml"),
                                ["train is no path and no list of paths"]),
    "a split of a split": (_yolo("train: [[a]]\nnames: [cat, dog]\n", "data.yaml"), ["train is no path"]),
    "no YAML": (_yolo("names: [cat\n", "data.yaml"), ["data.yaml is no YAML"]),
    "deep YAML": (_yolo("names: " + "[" * 9999, "data.yaml"), ["data.yaml"]),
    "names of names": (_yolo("names: [[cat], dog]\n", "data.yaml"), ["names is no list of texts"]),
    "no boxes in COCO": (_coco(annotation(1, 1, [1, 1, 0, 0])), ["has no boxes at all"]),
    "no boxes in YOLO": (_emptied(write_yolo, ""), ["has no boxes at all"]),
    "no boxes in VOC": (_emptied(write_voc, voc_text(1, [])), ["has no boxes at all"]),
    "two images of a name": (_another_image(write_voc, "JPEGImages/1.jpg"), ["1.xml may be of"]),
    "nothing": (lambda folder: None, ["holds no boxes", "COCO"]),
    "images alone": (make_images, ["holds no boxes"]),
}  # fmt: skip
