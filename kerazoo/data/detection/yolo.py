"""Reading YOLO's text files."""

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from unicodedata import normalize

import numpy as np

from kerazoo.data.annotations import Remarks, entry_errors, text_number
from kerazoo.data.detection.annotated import AnnotatedImage, BoxRows, Reading, make_rows
from kerazoo.data.detection.class_names import YAML, ClassFile, find_class_file
from kerazoo.data.detection.layout import (
    by_split_folder,
    is_class_list,
    is_label_file,
    left_out_warnings,
    lonely_errors,
    shared_file_error,
    unlabelled_errors,
)
from kerazoo.data.detection.split_lists import listed_images, lists_beside
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.listing import is_image, list_files
from kerazoo.files.reading import is_file, list_folder, open_file, read_rows
from kerazoo.structures.boxes import from_yolo

COLUMNS = 5
"""Of a row: the class, centre x and y, width and height; a row of more has corners of a segment."""

FARTHEST = 2.0
"""No share of a side is larger: what is are pixels."""


def read_yolo(root: Path, classes: tuple[str, ...] | None, unlabelled: bool, remarks: Remarks) -> Reading:
    """Return the boxes of a folder of text files, or of a `.yaml` file that tells where they are.

    The file of `images/a.jpg` is `labels/a.txt` or `labels/a.jpg.txt`, or else one beside it. The splits are
    those of `data.yaml` or `obj.data` if what it names is there, or lists beside it, or else folders.

    Args:
        root: the folder or the file.
        classes: names in label order, for data that have none.
        unlabelled: take images without a text file as empty.
        remarks: gets what is wrong.
    """
    folder = root.parent if is_file(root) else root
    files = list_files(folder)
    told = find_class_file(root, files) or ClassFile(folder / "classes.txt", (), {}, folder)
    names = told.names or classes
    if not names:
        raise UserError(
            f"{root} names no classes",
            "add classes.txt, a name in each line, or --set 'data.classes=[\"cat\"]'",
        )
    if told.base != folder:
        if root == folder and not told.base.resolve().is_relative_to(folder.resolve()):
            remarks.warnings.append(f"{told.path}: what its path names is read, {told.base}")
        folder, files = told.base, list_files(told.base)
    images = [file for file in files if is_image(file)]
    splits, lists = _listed(told, images, remarks)
    splits = splits or by_split_folder(images, folder, remarks)
    wanted = [image for part in splits.values() for image in part]
    labels = _label_files({*images, *wanted})
    remarks.problems += _shared_errors(labels, wanted)
    remarks.problems += lonely_errors(_lonely_files(files, {*labels.values(), *lists}, folder))
    without = [image for image in wanted if image not in labels and not unlabelled]
    remedy = "make an empty text file, or take such images as empty: --set data.unlabelled=empty"
    remarks.problems += unlabelled_errors(without, remedy)
    read: dict[Split, list[AnnotatedImage]] = {}
    keys = itertools.count(1)
    for split, part in splits.items():
        read[split] = []
        for image in part:
            file = labels.get(image)
            rows = _parse(file, names, told.key_points, remarks) if file else make_rows([], [], [])
            name = image.relative_to(folder) if image.is_relative_to(folder) else image
            read[split].append(AnnotatedImage(image, name.as_posix(), file, None, rows, next(keys)))
    text_files = [labels[image] for image in wanted if image in labels]
    settings = [told.path, *told.others] if told.names else []
    return Reading(read, names, [*text_files, *settings, *lists], {})


def _listed(
    told: ClassFile, images: Sequence[Path], remarks: Remarks
) -> tuple[dict[Split, list[Path]], list[Path]]:
    """Return the images of the splits that files tell, and the lists that name them; often nothing."""
    if told.path.suffix.lower() in YAML and told.folders:
        return listed_images(told, remarks)
    splits, lists = listed_images(told, remarks) if told.folders else lists_beside(told, remarks)
    if lists:
        named = [image for part in splits.values() for image in part]
        remarks.warnings += left_out_warnings(lists, images, named)
    return splits, lists


def _label_files(images: Iterable[Path]) -> dict[Path, Path]:
    """Return the text file of each image that has one."""
    # Each folder is listed once: it tells suffixes and names of folders in any capitals.
    texts, siblings = functools.cache(_text_files), functools.cache(_label_folders)
    return {image: file for image in images if (file := _label_file(image, texts, siblings))}


def _label_file(
    image: Path, texts: Callable[[Path], dict[str, Path]], siblings: Callable[[Path], list[Path]]
) -> Path | None:
    """Return the text file of an image, None if it has none: `a.jpg.txt` or `a.txt`."""
    parts, places = image.parent.parts, [image.parent]
    for index in range(len(parts) - 1, -1, -1):
        if parts[index].casefold() == "images":
            inside = Path(*parts[index + 1 :])
            places = [*(folder / inside for folder in siblings(Path(*parts[:index]))), *places]
            break
    names = [normalize("NFC", name) for name in (image.name, image.stem)]
    return next((texts(place)[name] for place in places for name in names if name in texts(place)), None)


def _text_files(folder: Path) -> dict[str, Path]:
    """Return the text files in a folder, if there is one, by their names without the suffix."""
    files = list_folder(folder) if folder.is_dir() else []
    return {normalize("NFC", file.stem): file for file in files if file.suffix.lower() == ".txt"}


def _label_folders(folder: Path) -> list[Path]:
    return [path for path in list_folder(folder) if path.name.casefold() == "labels" and path.is_dir()]


def _shared_errors(labels: dict[Path, Path], images: Iterable[Path]) -> list[UserError]:
    """Return an error for each text file that is of several images."""
    owners = defaultdict[Path, list[Path]](list)
    for image in dict.fromkeys(images):
        if image in labels:
            owners[labels[image]].append(image)
    return [shared_file_error(file, shared) for file, shared in owners.items() if len(shared) > 1]


def _lonely_files(files: Sequence[Path], known: set[Path], folder: Path) -> list[Path]:
    """Return the files of boxes in a folder that belong to no image."""
    others = (file for file in files if file.suffix.lower() == ".txt" and file not in known)
    return [
        file
        for file in others
        if is_label_file(file, folder) or (not is_class_list(file) and _begins_with_a_row(file))
    ]


def _begins_with_a_row(file: Path) -> bool:
    with open_file(file) as content:
        fields = content.readline(1000).decode("utf-8", "replace").split()
    return len(fields) == COLUMNS and not np.isnan(_numbers(fields)).any()


def _parse(file: Path, names: Sequence[str], key_points: int, remarks: Remarks) -> BoxRows:
    """Return the boxes of a file, in shares of the sides; so many numbers of key points follow each."""
    boxes, labels, places = [], [], []
    wrong: list[tuple[object, str]] = []
    try:
        rows = read_rows(file, "")
    except UserError as error:
        remarks.problems.append(error)
        rows = []
    for number, fields in rows:
        values = _numbers(fields)
        if problem := _problem(values, len(names), key_points):
            wrong.append((number, problem))
            continue
        labels.append(int(values[0]))
        boxes.append(_edges(_shares(values, key_points)))
        places.append(f"line {number}")
    remarks.problems += entry_errors(file, "line", wrong)
    return make_rows(boxes, labels, places)


def _numbers(fields: Sequence[str]) -> np.ndarray:
    """Return the numbers of a row, NaN for what is none."""
    return np.array([text_number(field) for field in fields])


def _problem(values: np.ndarray, classes: int, key_points: int) -> str:
    """Return what is wrong with a row, or nothing."""
    columns = len(values)
    if key_points:
        if columns != COLUMNS + key_points:
            expected = COLUMNS + key_points
            return f"has {columns} columns: a box and kpt_shape's {key_points} numbers are {expected}"
    elif columns == COLUMNS + 1:
        return f"has {columns} columns, as predictions with scores have"
    elif columns < COLUMNS or columns % 2 == 0:
        return f"has {columns} columns: a box has {COLUMNS}, a segment 7, 9, 11 ..."
    if not np.isfinite(values).all():
        return "holds something else than finite numbers"
    if values[0] % 1 or not 0 <= values[0] < classes:
        return f"is of class {values[0]:g}, and the names are those of 0 to {classes - 1}"
    if np.abs(_shares(values, key_points)).max() > FARTHEST:
        return "has pixels in place of shares of the image's sides"
    return ""


def _shares(values: np.ndarray, key_points: int) -> np.ndarray:
    """Return the numbers of a row that are a box or the corners of a segment."""
    return values[1:COLUMNS] if key_points else values[1:]


def _edges(values: np.ndarray) -> np.ndarray:
    """Return the edges of a box, or around the corners of a segment."""
    if len(values) < COLUMNS:
        return from_yolo(values[None], (1, 1))[0]
    corners = values.reshape(-1, 2)
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])
