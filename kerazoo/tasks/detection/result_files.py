"""Objects found, for programs: kerazoo's own rows, and results as COCO, Pascal VOC and YOLO write them."""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np

from kerazoo.files.owned import replaced
from kerazoo.files.text import printable
from kerazoo.files.writing import atomic_text, make_folder
from kerazoo.structures.boxes import Detections, from_xywh, to_voc, to_xywh, to_yolo
from kerazoo.tasks.detection import coco_classes

ResultFormat = Literal["coco", "voc", "yolo"]

_PLACES: dict[ResultFormat, str] = {"coco": "coco_results.json", "voc": "voc", "yolo": "labels"}

_NUMBER = re.compile("0|[1-9][0-9]{0,17}|[0-9]{12}")
"""Names of images that are numbers: as numbers are written, or with COCO's own twelve digits."""


def object_rows(detections: Detections, names: Sequence[str]) -> dict[str, Any]:
    """Return the objects, best first: `{"objects": [{"class", "score", "box"}]}`, JSON-ready.

    A box is left, top, width and height in pixels with two decimals; scores have four.

    Args:
        detections: of one image.
        names: class names in label order.
    """
    boxes = np.round(to_xywh(detections.boxes.astype("float64")), 2).tolist()
    rows = zip(detections.labels.tolist(), detections.scores.tolist(), boxes, strict=True)
    return {
        "objects": [
            {"class": names[label], "score": round(score, 4), "box": box} for label, score, box in rows
        ]
    }


def result_path(folder: Path, to: ResultFormat) -> Path:
    """Return the file, or the folder of the files, that `write_results` writes into a folder."""
    return folder / _PLACES[to]


def result_notes(to: ResultFormat, images: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return a line each about names that a format cannot hold as they are.

    Args:
        to: the format.
        images: their names.
        names: of the classes.
    """
    if to != "voc":
        return []
    changed = {name: each for name, each in _distinct(images, _as_voc_image).items() if each != name}
    lines = [
        f"warning: {to}: a line cannot name {name!r:.80}, which has white space or control characters: it is"
        f" {each!r:.80} there" + f" ({len(changed) - 1} more images are like it)" * (len(changed) > 1)
        for name, each in list(changed.items())[:1]
    ]
    files = _distinct(names, _as_file_name)
    return lines + [
        f"warning: {to}: the class {name!r:.80} is in {_voc_file(each)}"
        for name, each in files.items()
        if each != name
    ]


def write_results(
    folder: Path, to: ResultFormat, rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> Path:
    """Write what rows say as other programs write their results; those of an earlier prediction are gone.

    - "coco": `coco_results.json`. An image is its name, or its number where the name is one: 12, or
      000000000012 as COCO's own are called. If two names are one number, all are texts.
    - "voc": `voc/comp4_det_test_CLASS.txt` (`write_voc`).
    - "yolo": `labels/NAME.txt`, with scores.

    Args:
        folder: where to write.
        to: the format.
        rows: "height", "width" and "objects" (`object_rows`) of every image, by its name.
        names: class names in label order.

    Returns:
        The file, or the folder of the files (`result_path`).

    Raises:
        UserError: they cannot be written, or others are there that kerazoo did not write.
    """
    found = {name: _detections(row["objects"], names) for name, row in rows.items()}
    path = result_path(folder, to)
    with replaced(path) as new:
        if to == "coco":
            ids = coco_classes.IDS if tuple(names) == coco_classes.NAMES else ()
            images = _coco_images(found)
            results = [row for name, each in found.items() for row in coco_results(images[name], each, ids)]
            atomic_text(new, json.dumps(results))
            return path
        make_folder(new)
        if to == "voc":
            write_voc(new, list(found.items()), names)
        else:
            for name, each in found.items():
                write_yolo(new / f"{name}.txt", each, (rows[name]["height"], rows[name]["width"]))
    return path


def _detections(objects: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Detections:
    """Return what `object_rows` made the rows of."""
    boxes = np.array([each["box"] for each in objects], "float64").reshape(-1, 4)
    return Detections(
        from_xywh(boxes),
        np.array([names.index(each["class"]) for each in objects], "int32"),
        np.array([each["score"] for each in objects], "float64"),
    )


def _coco_images(names: Iterable[str]) -> dict[str, int | str]:
    """Return the id of each image."""
    named: dict[str, int | str] = {name: name for name in names}
    numbers = {name: int(name) for name in named if _NUMBER.fullmatch(name)}
    return named | (numbers if len(set(numbers.values())) == len(numbers) else {})


def coco_results(
    image: int | str, detections: Detections, categories: Sequence[int | str] = ()
) -> list[dict[str, Any]]:
    """Return an image's results as COCO's tools read them, JSON-ready.

    "bbox" is left, top, width and height in pixels with three decimals
    (https://cocodataset.org/#format-results).

    Args:
        image: its id in the data's own files.
        detections: in its pixels.
        categories: ids of the classes in the data's own files, in label order; by default from 1 on.
    """
    boxes = np.round(to_xywh(detections.boxes.astype("float64")), 3).tolist()
    rows = zip(detections.labels.tolist(), boxes, detections.scores.tolist(), strict=True)
    return [
        {
            "image_id": image,
            "category_id": categories[label] if categories else label + 1,
            "bbox": box,
            "score": score,
        }
        for label, box, score in rows
    ]


def write_voc(
    folder: Path, found: Sequence[tuple[int | str, Detections]], names: Sequence[str]
) -> list[Path]:
    """Write results as Pascal VOC's devkit reads them, `comp4_det_test_CLASS.txt`, and return the paths.

    A line is the image, the score, and xmin, ymin, xmax and ymax as VOC counts pixels, from 1 on. The devkit
    splits lines at white space, and could read no name that has some: a space of an image's name is %20.
    In the names of files, what is no letter, digit, space or one of `-_.` is `_`. Names that would become
    equal by this get a number.

    Args:
        folder: where to write.
        found: images and what was found in them, in the order of the lines.
        names: class names in label order; each gets a file.

    Raises:
        UserError: they cannot be written.
    """
    paths = []
    images = _distinct((str(image) for image, _ in found), _as_voc_image)
    files = _distinct(names, _as_file_name)
    for label, name in enumerate(names):
        lines = [
            f"{images[str(image)]} {score:.6f} {' '.join(f'{side:.3f}' for side in box)}\n"
            for image, each in found
            for box, score in zip(
                to_voc(each.boxes)[each.labels == label], each.scores[each.labels == label], strict=True
            )
        ]
        paths.append(folder / _voc_file(files[name]))
        atomic_text(paths[-1], "".join(lines))
    return paths


def write_yolo(path: Path, detections: Detections, size: tuple[int, int]) -> Path:
    """Write an image's results as YOLO's programs do, and return `path`.

    A line is the class's index, centre x and y, width and height as shares of the image, and the score.

    Args:
        path: a text file named as the image is.
        detections: in its pixels.
        size: its height and width.

    Raises:
        UserError: it cannot be written.
    """
    shares = to_yolo(detections.boxes.astype("float64"), size)  # (D, 4)
    rows = zip(detections.labels, shares, detections.scores, strict=True)
    lines = [
        f"{label} {' '.join(f'{value:.6f}' for value in box)} {score:.6f}\n" for label, box, score in rows
    ]
    atomic_text(path, "".join(lines))
    return path


def _voc_file(name: str) -> str:
    return f"comp4_det_test_{name}.txt"


def _as_file_name(name: str) -> str:
    """Return a class name that stays in its folder whatever it holds."""
    return "".join(char if char.isalnum() or char in "-_. " else "_" for char in name)


def _as_voc_image(name: str) -> str:
    """Return an image's name without white space."""
    return "".join(quote(char) if char.isspace() else char for char in printable(name))


def _distinct(names: Iterable[str], change: Callable[[str], str]) -> dict[str, str]:
    """Return what each name becomes: a changed one gets a number where another has it already."""
    asked = dict.fromkeys(names)
    became = {name: name for name in asked if change(name) == name}
    taken = set(became)
    for name in (name for name in asked if name not in became):
        numbered = (f"{change(name)}-{number}" for number in itertools.count(2))
        became[name] = next(each for each in itertools.chain([change(name)], numbered) if each not in taken)
        taken.add(became[name])
    return became
