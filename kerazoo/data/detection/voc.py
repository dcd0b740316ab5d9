"""Reading Pascal VOC's XML files."""

import itertools
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerazoo.data.annotations import LARGEST, Remarks, entry_errors, text_number
from kerazoo.data.detection.annotated import AnnotatedImage, Reading, make_rows
from kerazoo.data.detection.image_sets import read_image_sets
from kerazoo.data.detection.layout import by_split_folder, lonely_errors, pair_files, unlabelled_errors
from kerazoo.data.detection.xml_file import Element, read_xml
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.files.listing import is_image, list_files
from kerazoo.files.writing import natural_key
from kerazoo.image import image_size
from kerazoo.media.pixels import ImageReading
from kerazoo.structures.boxes import from_voc

CORNERS = ("xmin", "ymin", "xmax", "ymax")

_REMEDY = "mend or remove it"


class _VocFile(NamedTuple):
    """A file's boxes, edges in pixels, with names in place of labels."""

    size: tuple[int, int] | None
    boxes: list[list[float]]
    names: list[str]
    difficult: list[bool]
    lines: list[int]


def read_voc(root: Path, how: ImageReading, unlabelled: bool, remarks: Remarks) -> Reading:
    """Return the boxes of a folder of XML files.

    An XML file belongs to the image of its name. The splits are the lists in `ImageSets/`, in which case
    other images are left out, or else folders.

    Args:
        root: the folder.
        how: the images are read, for those whose size is not told.
        unlabelled: take images without an XML file as empty.
        remarks: gets what is wrong.
    """
    files = sorted(list_files(root), key=natural_key)
    images = [file for file in files if is_image(file)]
    pairs, lonely = pair_files(
        images, [file for file in files if file.suffix.lower() == ".xml"], root, remarks
    )
    listed, lists = read_image_sets(root, files, images, remarks)
    splits = listed or by_split_folder(images, root, remarks)
    remarks.problems += lonely_errors(lonely)
    wanted = [image for split in splits.values() for image in split]
    without = [] if unlabelled else [image for image in wanted if image not in pairs]
    remedy = "add its XML file, or take such images as empty: --set data.unlabelled=empty"
    remarks.problems += unlabelled_errors(without, remedy)
    parsed = {file: _parse(file, remarks) for image in wanted if (file := pairs.get(image))}
    names = sorted(
        {name for content in parsed.values() if content for name in content.names}, key=natural_key
    )
    labels = {name: label for label, name in enumerate(names)}
    read: dict[Split, list[AnnotatedImage]] = {}
    keys = itertools.count(1)
    for split, part in splits.items():
        annotated = (
            _annotated(image, pairs.get(image), parsed, labels, root, how, remarks) for image in part
        )
        read[split] = [image._replace(key=next(keys)) for image in annotated if image]
    return Reading(read, tuple(names), [*parsed, *lists], {})


def _annotated(
    image: Path,
    file: Path | None,
    parsed: dict[Path, _VocFile | None],
    labels: dict[str, int],
    root: Path,
    how: ImageReading,
    remarks: Remarks,
) -> AnnotatedImage | None:
    """Return an image with its boxes; None if either cannot be read."""
    content = parsed[file] if file else _VocFile(None, [], [], [], [])
    if content is None:
        return None
    try:
        size = content.size or image_size(image, how)
    except UserError as error:
        remarks.problems.append(error)
        return None
    rows = make_rows(
        content.boxes,
        [labels[name] for name in content.names],
        [f"line {line}" for line in content.lines],
        content.difficult,
    )
    return AnnotatedImage(image, image.relative_to(root).as_posix(), file, size, rows, 0)


def _parse(file: Path, remarks: Remarks) -> _VocFile | None:
    """Return the content of a file; None if it is no annotation."""
    try:
        root = read_xml(file)
        if root.tag != "annotation":
            raise UserError(f"{file} begins with <{root.tag}>, not with <annotation>", _REMEDY)
    except UserError as error:
        remarks.problems.append(error)
        return None
    content = _VocFile(_parse_size(root), [], [], [], [])
    wrong = []
    for element in root.children:
        if element.tag == "object" and (problem := _add_object(element, content)):
            wrong.append((element.line, problem))
    remarks.problems += entry_errors(file, "object in line", wrong)
    return content


def _parse_size(root: Element) -> tuple[int, int] | None:
    """Return height and width; None if they are not told, or told as 0."""
    sides = [_number(root.child("size"), side) for side in ("height", "width")]
    if any(math.isnan(side) or not 0 < side <= LARGEST or side % 1 for side in sides):
        return None
    return int(sides[0]), int(sides[1])


def _add_object(element: Element, content: _VocFile) -> str:
    """Add an object to the content of its file; return what is wrong with it, or nothing."""
    name, box, flag = element.child("name"), element.child("bndbox"), element.child("difficult")
    if name is None or not name.text:
        return "has no name"
    if box is None:
        return "has no bndbox"
    corners = [_number(box, corner) for corner in CORNERS]
    if any(math.isnan(corner) for corner in corners):
        texts = (child.text if (child := box.child(corner)) else None for corner in CORNERS)
        return f"has no four numbers as bndbox, but {list(texts)!r:.80}"
    if flag is not None and flag.text not in ("0", "1", ""):
        return f"is difficult {flag.text!r:.20}, which is neither 0 nor 1"
    left, top, right, bottom = from_voc(np.array([corners]))[0].tolist()
    # Corners that are one and the same point are a click and not a pixel that somebody has marked.
    right, bottom = (right if corners[2] > corners[0] else left), (bottom if corners[3] > corners[1] else top)
    content.boxes.append([left, top, right, bottom])
    content.names.append(name.text)
    content.difficult.append(flag is not None and flag.text == "1")
    content.lines.append(element.line)
    return ""


def _number(element: Element | None, tag: str) -> float:
    """Return the number in a child, NaN if there is none."""
    child = element.child(tag) if element else None
    value = text_number(child.text) if child else math.nan
    return value if abs(value) <= LARGEST else math.nan
