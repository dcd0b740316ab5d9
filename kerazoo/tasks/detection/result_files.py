"""Objects found, for programs: kerazoo's own rows, and results as COCO, Pascal VOC and YOLO write them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.files.text import printable
from kerazoo.files.writing import atomic_text
from kerazoo.structures.boxes import Detections, to_voc, to_xywh, to_yolo


class Found(NamedTuple):
    """What was found in one image.

    Attributes:
        image: id of the image in the data's own files, or its name.
        size: its height and width.
        detections: in its pixels.
    """

    image: int | str
    size: tuple[int, int]
    detections: Detections


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


def coco_results(found: Iterable[Found], categories: Sequence[int | str] = ()) -> list[dict[str, Any]]:
    """Return results as COCO's tools read them (https://cocodataset.org/#format-results), JSON-ready.

    "bbox" is left, top, width and height in pixels with three decimals.

    Args:
        found: images, in any order.
        categories: ids of the classes in the data's own files, in label order; by default from 1 on.
    """
    return [
        {
            "image_id": image,
            "category_id": categories[label] if categories else label + 1,
            "bbox": box,
            "score": score,
        }
        for image, _, each in found
        for label, box, score in zip(
            each.labels.tolist(),
            np.round(to_xywh(each.boxes.astype("float64")), 3).tolist(),
            each.scores.tolist(),
            strict=True,
        )
    ]


def write_voc(folder: Path, found: Sequence[Found], names: Sequence[str]) -> list[Path]:
    """Write results as Pascal VOC's devkit reads them, `comp4_det_test_CLASS.txt`, and return the paths.

    A line is the image, the score, and xmin, ymin, xmax and ymax as VOC counts pixels, from 1 on.

    Args:
        folder: where to write.
        found: images, in the order of the lines.
        names: class names in label order; each gets a file.

    Raises:
        UserError: they cannot be written.
    """
    paths = []
    for label, name in enumerate(names):
        lines = [
            f"{printable(str(image))} {score:.6f} {' '.join(f'{side:.3f}' for side in box)}\n"
            for image, _, each in found
            for box, score in zip(
                to_voc(each.boxes)[each.labels == label], each.scores[each.labels == label], strict=True
            )
        ]
        paths.append(folder / f"comp4_det_test_{_as_file_name(name)}.txt")
        atomic_text(paths[-1], "".join(lines))
    return paths


def write_yolo(path: Path, found: Found) -> Path:
    """Write an image's results as YOLO's programs do, and return `path`.

    A line is the class's index, centre x and y, width and height as shares of the image, and the score.

    Args:
        path: a text file named as the image is.
        found: in one image.

    Raises:
        UserError: it cannot be written.
    """
    _, size, detections = found
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
