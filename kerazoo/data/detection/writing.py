"""Writing boxes as COCO's JSON, Pascal VOC's XML and YOLO's text."""

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from kerazoo.data.annotations import Key
from kerazoo.data.detection.layout import Format
from kerazoo.data.detection.voc import CORNERS
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.writing import natural_key
from kerazoo.structures.boxes import Boxes, box_areas, joined, to_voc, to_xywh, to_yolo

IMAGES: dict[Format, str] = {"coco": "{split}", "voc": "JPEGImages", "yolo": "images/{split}"}
"""The folder of a split's images."""

_LISTS = Path("ImageSets", "Main")
"""Where VOC's lists of the splits are."""

_NOT_IN_XML = re.compile("[\0-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot hold, and white space that it changes."""

_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""Characters that YAML holds only as escapes; those below a space are escapes in JSON."""


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

    Raises:
        UserError: a name would not be read back as it is, or an image has other boxes in another split where
            the format has one file for both.
    """
    _check_names(to, splits, names)
    whole = splits if to == "coco" else {split: _by_file(images) for split, images in splits.items()}
    kept = {
        split: [NamedTruth(name, truth.select(_fits(truth, to))) for name, truth in images]
        for split, images in whole.items()
    }
    {"coco": _write_coco, "voc": _write_voc, "yolo": _write_yolo}[to](folder, kept, names)
    shared = len(_truths(splits)) - len(_truths(whole))
    lost = [*_counted(shared, "further ids of images, whose boxes are joined"),
            *_losses(_truths(whole), to, names)]  # fmt: skip
    return sum(len(truth.boxes) for truth in _truths(kept)), lost


def _check_names(to: Format, splits: Splits, names: Sequence[str]) -> None:
    """Raise where a class or an image would not be read back by its name; COCO's JSON holds any."""
    if to == "coco":
        return
    used = {label for truth in _truths(splits) for label in truth.labels.tolist()}
    for label, name in enumerate(names):
        reason = "" if to == "voc" and label not in used else _class_problem(name, to)
        if reason:
            raise UserError(f"{to} cannot hold the class {name!r:.80}: {reason}", "rename it in the data")
    if to == "yolo":
        return
    for name in (image.name for images in splits.values() for image in images):
        stem = Path(name).stem
        if stem != stem.strip() or stem.splitlines() != [stem] or "\\" in stem or _NOT_IN_XML.search(name):
            reason = "has white space at an end, a backslash, a line break or a control character"
            raise UserError(f"{name!r:.300} {reason}, and VOC's lists cannot name it", "rename the image")


def _class_problem(name: str, to: Format) -> str:
    """Return why the reader of a format would take a class for another one, or nothing."""
    if not name.strip():
        return "it is empty"
    if name != name.strip():
        return "white space at its ends is not read"
    return "it has control characters" if to == "voc" and _NOT_IN_XML.search(name) else ""


def _by_file(images: Iterable[NamedTruth]) -> list[NamedTruth]:
    """Return each image once, with the boxes of all its ids: outside of COCO an image is its file."""
    parts: dict[str, list[Boxes]] = {}
    for name, truth in images:
        parts.setdefault(name, []).append(truth)
    return [NamedTruth(name, joined(truths)) for name, truths in parts.items()]


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
        ids = _category_ids(images[0].truth.categories or tuple(range(1, len(names) + 1)))
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


def _category_ids(ids: Sequence[Key]) -> list[Key]:
    """Return the ids of the classes; those that the data's own file lacks get numbers that are free."""
    absent = [isinstance(key, int) and key < 0 for key in ids]  # as the source tells it
    taken = {str(key) for key in ids}
    free = (number for number in itertools.count(1) if str(number) not in taken)
    return [next(free) if is_absent else key for key, is_absent in zip(ids, absent, strict=True)]


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
    written: dict[str, tuple[Split, list[str]]] = {}
    for split, images in splits.items():
        for name, truth in images:
            objects = _voc_objects(truth, names)
            first, others = written.setdefault(name, (split, objects))
            if sorted(objects) != sorted(others):
                message = f"{name} has other boxes in {split} than in {first}, and VOC has one file for both"
                raise UserError(message, "give the image the same boxes, or keep it in one of them")
            _write_text(
                folder / "Annotations" / f"{Path(name).stem}.xml", _voc_text(name, truth.size, objects)
            )
        _write_text(folder / _LISTS / f"{split}.txt", "".join(f"{Path(name).stem}\n" for name, _ in images))


def _voc_objects(truth: Boxes, names: Sequence[str]) -> list[str]:
    return [
        f"  <object>\n    <name>{escape(names[label])}</name>\n    <difficult>{int(difficult)}</difficult>\n"
        f"    <bndbox>{_corner_tags(corners)}</bndbox>\n  </object>\n"
        for corners, label, difficult in zip(
            to_voc(truth.boxes), truth.labels.tolist(), truth.difficult, strict=True
        )
    ]


def _voc_text(name: str, size: tuple[int, int], objects: Sequence[str]) -> str:
    height, width = size
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
    listed = "".join(f"  {label}: {_yaml_text(name)}\n" for label, name in enumerate(names))
    _write_text(folder / "data.yaml", f"{folders}nc: {len(names)}\nnames:\n{listed}")


def _yaml_text(text: str) -> str:
    """Return a text between quotation marks; JSON's own escape of an emoji would be two halves in YAML."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


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
