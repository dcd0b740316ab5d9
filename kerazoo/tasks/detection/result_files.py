"""Objects found, for programs: kerazoo's own rows, and results as COCO, Pascal VOC and YOLO write them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kerazoo.files.text import printable
from kerazoo.files.writing import atomic_text, make_folder
from kerazoo.structures.boxes import Detections, from_xywh, to_voc, to_xywh, to_yolo
from kerazoo.tasks.detection import coco_classes

ResultFormat = Literal["coco", "voc", "yolo"]


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


def write_results(
    folder: Path, to: ResultFormat, rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> Path:
    """Write what rows say as other programs write their results.

    - "coco": `coco_results.json`. An image is its name, or its number where the name is one.
    - "voc": `voc/comp4_det_test_CLASS.txt`.
    - "yolo": `labels/NAME.txt`, with scores.

    Args:
        folder: where to write.
        to: the format.
        rows: "height", "width" and "objects" (`object_rows`) of every image, by its name.
        names: class names in label order.

    Returns:
        The file, or the folder of the files.

    Raises:
        UserError: they cannot be written.
    """
    found = {name: _detections(row["objects"], names) for name, row in rows.items()}
    if to == "coco":
        ids = coco_classes.IDS if tuple(names) == coco_classes.NAMES else ()
        results = [row for name, each in found.items() for row in coco_results(_coco_image(name), each, ids)]
        path = folder / "coco_results.json"
        atomic_text(path, json.dumps(results))
        return path
    path = folder / {"voc": "voc", "yolo": "labels"}[to]
    make_folder(path)
    if to == "voc":
        write_voc(path, list(found.items()), names)
    else:
        for name, each in found.items():
            write_yolo(path / f"{name}.txt", each, (rows[name]["height"], rows[name]["width"]))
    return path


def _detections(objects: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Detections:
    """Return what `object_rows` made the rows of."""
    boxes = np.array([each["box"] for each in objects], "float64").reshape(-1, 4)
    return Detections(
        from_xywh(boxes),
        np.array([names.index(each["class"]) for each in objects], "int32"),
        np.array([each["score"] for each in objects], "float64"),
    )


def _coco_image(name: str) -> int | str:
    return int(name) if name.isdecimal() and len(name) <= 18 else name


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

    A line is the image, the score, and xmin, ymin, xmax and ymax as VOC counts pixels, from 1 on.

    Args:
        folder: where to write.
        found: images and what was found in them, in the order of the lines.
        names: class names in label order; each gets a file.

    Raises:
        UserError: they cannot be written.
    """
    paths = []
    for label, name in enumerate(names):
        lines = [
            f"{printable(str(image))} {score:.6f} {' '.join(f'{side:.3f}' for side in box)}\n"
            for image, each in found
            for box, score in zip(
                to_voc(each.boxes)[each.labels == label], each.scores[each.labels == label], strict=True
            )
        ]
        paths.append(folder / f"comp4_det_test_{_as_file_name(name)}.txt")
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


def _as_file_name(name: str) -> str:
    """Return a class name that stays in its folder whatever it holds."""
    return "".join(char if char.isalnum() or char in "-_. " else "_" for char in name)
