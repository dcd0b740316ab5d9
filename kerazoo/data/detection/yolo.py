"""Reading YOLO's text files."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kerazoo.data.annotations import Remarks, entry_errors
from kerazoo.data.detection.annotated import AnnotatedImage, BoxRows, Reading, make_rows
from kerazoo.data.detection.class_names import find_class_file, listed_images
from kerazoo.data.detection.layout import (
    CLASS_FILES,
    by_split_folder,
    in_labels,
    lonely_errors,
    unlabelled_errors,
)
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.listing import is_image, list_files
from kerazoo.files.reading import is_file, open_file, read_rows
from kerazoo.structures.boxes import from_yolo

COLUMNS = 5
"""Of a row: the class, centre x and y, width and height; a row of more has corners of a segment."""

FARTHEST = 2.0
"""No share of a side is larger: what is are pixels."""


def read_yolo(root: Path, classes: tuple[str, ...] | None, unlabelled: bool, remarks: Remarks) -> Reading:
    """Return the boxes of a folder of text files, or of a `.yaml` file that tells where they are.

    The file of `images/a.jpg` is `labels/a.txt`, or else `a.txt` beside it. The splits are those of
    `data.yaml` if what it names is there, or else folders.

    Args:
        root: the folder or the file.
        classes: names in label order, for data that have none.
        unlabelled: take images without a text file as empty.
        remarks: gets what is wrong.
    """
    folder = root.parent if is_file(root) else root
    class_file = find_class_file(root, files := list_files(folder))
    if class_file and class_file.base != folder:
        folder = class_file.base
        files = list_files(folder)
    names = class_file.names if class_file else classes
    if not names:
        raise UserError(
            f"{root} names no classes",
            "add classes.txt, a name in each line, or --set 'data.classes=[\"cat\"]'",
        )
    images = [file for file in files if is_image(file)]
    splits = class_file and listed_images(class_file, remarks)
    splits = splits or by_split_folder(images, folder, remarks)
    wanted = [image for part in splits.values() for image in part]
    labels = {image: file for image in {*images, *wanted} if (file := _label_file(image))}
    remarks.problems += lonely_errors(_lonely_files(files, set(labels.values()), folder))
    without = [image for image in wanted if image not in labels and not unlabelled]
    remedy = "make an empty text file, or take such images as empty: --set data.unlabelled=empty"
    remarks.problems += unlabelled_errors(without, remedy)
    read: dict[Split, list[AnnotatedImage]] = {}
    keys = itertools.count(1)
    for split, part in splits.items():
        read[split] = []
        for image in part:
            rows = _parse(labels[image], names, remarks) if image in labels else make_rows([], [], [])
            name = image.relative_to(folder) if image.is_relative_to(folder) else image
            read[split].append(
                AnnotatedImage(image, name.as_posix(), labels.get(image), None, rows, next(keys))
            )
    text_files = [labels[image] for image in wanted if image in labels]
    return Reading(read, names, [*text_files, *([class_file.path] if class_file else [])], {})


def _label_file(image: Path) -> Path | None:
    """Return the text file of an image, None if it has none."""
    text, parts = image.with_suffix(".txt"), image.parent.parts
    places = [text]
    for index in range(len(parts) - 1, -1, -1):
        if parts[index].casefold() == "images":
            changed = ("Labels" if parts[index] == "Images" else "labels", *parts[index + 1 :], text.name)
            places.insert(0, Path(*parts[:index], *changed))
            break
    return next(filter(is_file, places), None)


def _lonely_files(files: Sequence[Path], known: set[Path], folder: Path) -> list[Path]:
    """Return the files of boxes in a folder that belong to no image."""
    others = (file for file in files if file.suffix.lower() == ".txt" and file not in known)
    return [
        file
        for file in others
        if file.name not in CLASS_FILES and (in_labels(file, folder) or _begins_with_a_row(file))
    ]


def _begins_with_a_row(file: Path) -> bool:
    with open_file(file) as content:
        fields = content.readline(1000).split()
    try:
        return len(list(map(float, fields))) == COLUMNS
    except ValueError:
        return False


def _parse(file: Path, names: Sequence[str], remarks: Remarks) -> BoxRows:
    """Return the boxes of a file, in shares of the sides."""
    boxes, labels, places = [], [], []
    wrong: list[tuple[object, str]] = []
    try:
        rows = read_rows(file, "")
    except UserError as error:
        remarks.problems.append(error)
        rows = []
    for number, fields in rows:
        values = _numbers(fields)
        if problem := _problem(values, len(fields), len(names)):
            wrong.append((number, problem))
            continue
        labels.append(int(values[0]))
        boxes.append(_edges(values[1:]))
        places.append(f"line {number}")
    remarks.problems += entry_errors(file, "line", wrong)
    return make_rows(boxes, labels, places)


def _numbers(fields: Sequence[str]) -> np.ndarray:
    """Return the numbers of a row, NaN for what is none."""
    try:
        return np.array([float(field) for field in fields])
    except ValueError:
        return np.full(len(fields), np.nan)


def _problem(values: np.ndarray, columns: int, classes: int) -> str:
    """Return what is wrong with a row, or nothing."""
    if columns == COLUMNS + 1:
        return f"has {columns} columns, as predictions with scores have"
    if columns < COLUMNS or columns % 2 == 0:
        return f"has {columns} columns: a box has {COLUMNS}, a segment 7, 9, 11 ..."
    if not np.isfinite(values).all():
        return "holds something else than finite numbers"
    if values[0] % 1 or not 0 <= values[0] < classes:
        return f"is of class {values[0]:g}, and the names are those of 0 to {classes - 1}"
    if np.abs(values[1:]).max() > FARTHEST:
        return "has pixels in place of shares of the image's sides"
    return ""


def _edges(values: np.ndarray) -> np.ndarray:
    """Return the edges of a box, or around the corners of a segment."""
    if len(values) < COLUMNS:
        return from_yolo(values[None], (1, 1))[0]
    corners = values.reshape(-1, 2)
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
