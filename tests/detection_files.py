"""The same boxes in two small images as COCO, Pascal VOC and YOLO write them."""

import json

import numpy as np

from kerazoo.data.detection.source import AnnotatedBoxes
from kerazoo.data.detection.voc import CORNERS
from kerazoo.image import write_image

NAMES = ("cat", "dog")

BOXES = {"1": [(0, 5, 5, 35, 25), (1, 10, 10, 20, 30)], "2": [], "3": [(1, 0, 0, 60, 40), (0, 20, 2, 30, 12)]}
"""Of each image: label, left, top, right, bottom."""


def make_images(folder, numbers=("1", "2", "3")):
    """Return the folder, with images of 40 x 60 in it."""
    for number in numbers:
        image = np.random.default_rng(int(number)).integers(0, 256, (40, 60, 3), "uint8")
        write_image(folder / f"{number}.png", image)
    return folder


def annotation(number, image, box, category=7, **changes):
    return {"id": number, "image_id": image, "category_id": category, "bbox": box, "iscrowd": 0} | changes


def coco_content(*annotations, numbers=(1, 2, 3), **changes):
    own = [
        annotation(10 * int(number) + index, int(number), [x0, y0, x1 - x0, y1 - y0], (7, 30)[label])
        for number, boxes in BOXES.items()
        for index, (label, x0, y0, x1, y1) in enumerate(boxes)
    ]
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 60, "height": 40} for n in numbers],
        "annotations": list(annotations) or own,
        "categories": [{"id": 30, "name": "dog"}, {"id": 7, "name": "cat"}],
    } | changes


def write_coco(folder, *annotations, **changes):
    path = make_images(folder) / "train.json"
    path.write_text(json.dumps(coco_content(*annotations, **changes)))
    return folder


def voc_object(name, corners, extra="<difficult>0</difficult>"):
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(CORNERS, corners, strict=False))
    return f"<object>\n<name>{name}</name>\n{extra}\n<bndbox>{box}</bndbox>\n</object>\n"


def voc_text(number, objects, size="<size><width>60</width><height>40</height><depth>3</depth></size>"):
    return f"<annotation>\n<filename>{number}.png</filename>\n{size}\n{''.join(objects)}</annotation>\n"


def write_voc(folder):
    make_images(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for number, boxes in BOXES.items():
        objects = [voc_object(NAMES[label], (x0 + 1, y0 + 1, x1, y1)) for label, x0, y0, x1, y1 in boxes]
        (folder / "Annotations" / f"{number}.xml").write_text(voc_text(number, objects))
    return folder


def write_yolo(folder):
    make_images(folder / "images")
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("cat\ndog\n")
    for number, boxes in BOXES.items():
        rows = [
            f"{label} {(x0 + x1) / 120} {(y0 + y1) / 80} {(x1 - x0) / 60} {(y1 - y0) / 40}\n"
            for label, x0, y0, x1, y1 in boxes
        ]
        (folder / "labels" / f"{number}.txt").write_text("".join(rows))
    return folder


WRITERS = {"coco": write_coco, "voc": write_voc, "yolo": write_yolo}


def source(path, **settings):
    return AnnotatedBoxes(path=str(path), **{"validation": 0.0} | settings)


def truths(path, split="train", **settings):
    """Return the truths of a split by the stem of the image's name."""
    samples = source(path, **settings).samples(split)
    return {sample.name.rpartition("/")[2].partition(".")[0]: sample.truth for sample in samples}


def rows(truth):
    """Return label, left, top, right, bottom of each box."""
    return [(label, *box) for label, box in zip(truth.labels.tolist(), truth.boxes.tolist(), strict=True)]
