"""Writing boxes as COCO's JSON, Pascal VOC's XML and YOLO's text."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from kerazoo.data.annotations import Key
from kerazoo.data.detection.layout import Format
from kerazoo.data.detection.voc import CORNERS, LISTS
from kerazoo.data.source import Split
from kerazoo.files.writing import natural_key
from kerazoo.structures.boxes import Boxes, box_areas, to_voc, to_xywh, to_yolo

IMAGES: dict[Format, str] = {"coco": "{split}", "voc": "JPEGImages", "yolo": "images/{split}"}
"""The folder of a split's images."""


class NamedTruth(NamedTuple):
    """The boxes of an image, and the name of its file, without folders."""

    name: str
    truth: Boxes


Splits = dict[Split, list[NamedTruth]]


def write_boxes(folder: Path, to: Format, splits: Splits, names: Sequence[str]) -> tuple[int, list[str]]:
    """Write the files of boxes.

    Args:
        folder: to write into, new and not flushed; the images belong into `IMAGES` of it.
        to: the format.
        splits: the images.
        names: of the classes.

    Returns:
        How many boxes were written, and what the format could not hold.
    """
    kept = {
        split: [NamedTruth(name, truth.select(_fits(truth, to))) for name, truth in images]
        for split, images in splits.items()
    }
    {"coco": _write_coco, "voc": _write_voc, "yolo": _write_yolo}[to](folder, kept, names)
    return sum(len(truth.boxes) for truth in _truths(kept)), _losses(_truths(splits), to, names)


def _fits(truth: Boxes, to: Format) -> np.ndarray:
    """Return which boxes a format can hold: bool `(B,)`."""
    if to == "coco":
        return np.ones(len(truth.boxes), bool)
    return ~truth.crowd & (True if to == "yolo" else ~_is_thin(truth))


def _is_thin(truth: Boxes) -> np.ndarray:
    """Return which boxes have one corner twice in VOC, as mistaken ones have: bool `(B,)`."""
    return (truth.boxes[:, 2:] - truth.boxes[:, :2] <= 1).any(axis=1)


def _losses(truths: Sequence[Boxes], to: Format, names: Sequence[str]) -> list[str]:
    """Return what a format cannot hold, a line each."""
    if to == "coco":
        return []
    single = [truth.select(~truth.crowd) for truth in truths]
    crowds = sum(int(truth.crowd.sum()) for truth in truths)
    lines = [
        *_counted(crowds, "boxes of crowds"),
        *_counted(_own_areas(single), "areas of objects that are not those of their boxes"),
        *(["ids of images and categories"] if any(truth.categories for truth in truths) else []),
    ]
    if to == "yolo":
        flags = sum(int(truth.difficult.sum()) for truth in single)
        return [*lines, *_counted(flags, "flags of difficult objects")]
    used = {label for truth in single for label in truth.labels.tolist()}
    unused = [name for label, name in enumerate(names) if label not in used]
    return [
        *lines,
        *_counted(
            sum(int(_is_thin(truth).sum()) for truth in single), "boxes of one pixel's width or height"
        ),
        *_counted(len(unused), f"classes without boxes ({', '.join(unused)[:100]})"),
        *(["the order of the classes"] if list(names) != sorted(names, key=natural_key) else []),
    ]


def _write_coco(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    """Write `annotations/instances_SPLIT.json`, with VOC's `difficult` where it is set."""
    for split, images in splits.items():
        ids = images[0].truth.categories or tuple(range(1, len(names) + 1))
        rows = [row for image in images for row in _coco_annotations(image.truth, ids)]
        content = {
            "images": [
                {"id": truth.image, "file_name": name, "width": truth.size[1], "height": truth.size[0]}
                for name, truth in images
            ],
            "annotations": [{"id": number, **row} for number, row in enumerate(rows, 1)],
            "categories": [
                {"id": key, "name": name, "supercategory": ""} for key, name in zip(ids, names, strict=True)
            ],
        }
        _write_text(folder / "annotations" / f"instances_{split}.json", json.dumps(content))


def _coco_annotations(truth: Boxes, ids: Sequence[Key]) -> list[dict]:
    areas = box_areas(truth.boxes) if truth.areas is None else truth.areas
    return [
        {
            "image_id": truth.image,
            "category_id": ids[label],
            "bbox": [_shortest(value) for value in box],
            "area": _shortest(area),
            "iscrowd": int(crowd),
            "segmentation": [],
        }
        | ({"difficult": 1} if difficult else {})
        for box, label, area, crowd, difficult in zip(
            to_xywh(truth.boxes), truth.labels.tolist(), areas, truth.crowd, truth.difficult, strict=True
        )
    ]


def _write_voc(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    """Write `Annotations/NAME.xml`, and `ImageSets/Main/SPLIT.txt`."""
    for split, images in splits.items():
        for name, truth in images:
            _write_text(folder / "Annotations" / f"{Path(name).stem}.xml", _voc_text(name, truth, names))
        _write_text(folder / LISTS / f"{split}.txt", "".join(f"{Path(name).stem}\n" for name, _ in images))


def _voc_text(name: str, truth: Boxes, names: Sequence[str]) -> str:
    height, width = truth.size
    objects = [
        f"  <object>\n    <name>{escape(names[label])}</name>\n    <difficult>{int(difficult)}</difficult>\n"
        f"    <bndbox>{_corner_tags(corners)}</bndbox>\n  </object>\n"
        for corners, label, difficult in zip(
            to_voc(truth.boxes), truth.labels.tolist(), truth.difficult, strict=True
        )
    ]
    return (
        f"<annotation>\n  <folder>JPEGImages</folder>\n  <filename>{escape(name)}</filename>\n"
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
        f"{''.join(objects)}</annotation>\n"
    )


def _corner_tags(corners: np.ndarray) -> str:
    pairs = zip(CORNERS, corners, strict=True)
    return "".join(f"<{tag}>{_shortest(value)}</{tag}>" for tag, value in pairs)


def _write_yolo(folder: Path, splits: Splits, names: Sequence[str]) -> None:
    """Write `labels/SPLIT/NAME.txt`, and `data.yaml`."""
    for split, images in splits.items():
        for name, truth in images:
            boxes = to_yolo(truth.boxes.astype("float64"), truth.size).tolist()
            rows = zip(truth.labels.tolist(), boxes, strict=True)
            text = "".join(f"{label} {' '.join(f'{value:.9g}' for value in box)}\n" for label, box in rows)
            _write_text(folder / "labels" / split / f"{Path(name).stem}.txt", text)
    folders = "".join(f"{split}: images/{split}\n" for split in splits)
    listed = "".join(f"  {label}: {json.dumps(name)}\n" for label, name in enumerate(names))
    _write_text(folder / "data.yaml", f"{folders}nc: {len(names)}\nnames:\n{listed}")


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _truths(splits: Splits) -> list[Boxes]:
    return [image.truth for images in splits.values() for image in images]


def _own_areas(truths: Iterable[Boxes]) -> int:
    """Return how many objects have an area other than that of their box."""
    told = ((truth.areas, box_areas(truth.boxes)) for truth in truths if truth.areas is not None)
    return sum(int((np.abs(areas - boxes) > 1e-3 * boxes).sum()) for areas, boxes in told)


def _counted(count: int, what: str) -> list[str]:
    return [f"{count} {what}"] if count else []


def _shortest(value: np.floating) -> int | float:
    """Return a float32 as the shortest number that is nearest to it: 12.3, not 12.300000190734863."""
    number = float(str(np.float32(value)))
    return int(number) if number.is_integer() else number
