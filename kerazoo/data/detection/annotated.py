"""What every format of boxes is read into, and what is wrong with boxes whatever their format."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerazoo.data.annotations import MANY, NAMED, Key, Remarks
from kerazoo.data.source import Split
from kerazoo.errors import UserError
from kerazoo.structures.boxes import sanitised

FEW = 3
"""So many boxes tell whether they are pixels or shares of the sides."""


class BoxRows(NamedTuple):
    """The boxes of an image, as its file has them.

    Attributes:
        boxes: float64 `(B, 4)`, left, top, right, bottom in pixels; shares of the sides where the image's
            size is not told.
        labels: int32 `(B,)`, in the order of the reading's names.
        crowd, difficult: bool `(B,)`.
        areas: float64 `(B,)`, square pixels; NaN where none is told.
        places: where each is in its file, such as "line 12".
    """

    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    difficult: np.ndarray
    areas: np.ndarray
    places: tuple[str, ...]

    def take(self, indices: Sequence[int]) -> "BoxRows":
        """Return some of the rows."""
        rows = np.array(indices, int)
        return BoxRows(
            self.boxes[rows],
            self.labels[rows],
            self.crowd[rows],
            self.difficult[rows],
            self.areas[rows],
            tuple(self.places[index] for index in indices),
        )


class AnnotatedImage(NamedTuple):
    """An image and its boxes.

    Attributes:
        path: of the image.
        name: that messages and results call it by.
        file: that the boxes were read from; None for an image that has none.
        size: height and width that the boxes are for; None where they are shares, as YOLO's.
        rows: the boxes.
        key: id of the image in its file, or its number.
    """

    path: Path
    name: str
    file: Path | None
    size: tuple[int, int] | None
    rows: BoxRows
    key: Key


class Reading(NamedTuple):
    """All boxes of a data set.

    Attributes:
        splits: the images of the splits that its files tell apart.
        names: of the classes.
        files: of boxes and of class names; images are not among them.
        categories: of each split the ids of the classes in its file, in the order of `names`; or nothing.
    """

    splits: dict[Split, list[AnnotatedImage]]
    names: tuple[str, ...]
    files: list[Path]
    categories: dict[Split, tuple[Key, ...]]


def make_rows(
    boxes: Sequence[Sequence[float] | np.ndarray],
    labels: Sequence[int],
    places: Iterable[str],
    difficult: Sequence[bool] = (),
) -> BoxRows:
    """Return rows without crowds and areas.

    Args:
        boxes: left, top, right, bottom of each.
        labels, places: as in `BoxRows`.
        difficult: a flag each, or none at all.
    """
    count = len(boxes)
    return BoxRows(
        np.array(boxes, "float64").reshape(-1, 4),
        np.array(labels, "int32"),
        np.zeros(count, bool),
        np.array(difficult, bool) if len(difficult) else np.zeros(count, bool),
        np.full(count, np.nan),
        tuple(places),
    )


def sanitise(
    splits: dict[Split, list[AnnotatedImage]], names: Sequence[str], remarks: Remarks
) -> dict[Split, list[AnnotatedImage]]:
    """Return the images with clipped boxes and without those that have no area; both become warnings."""
    empty, beyond = list[str](), list[str]()
    clean: dict[Split, list[AnnotatedImage]] = {}
    for split, images in splits.items():
        clean[split] = []
        for image in images:
            found = sanitised(image.rows.boxes, image.size or (1, 1))
            empty += [_place(image, index, names) for index in np.flatnonzero(found.empty).tolist()]
            beyond += [_place(image, index, names) for index in np.flatnonzero(found.beyond).tolist()]
            rows = image.rows._replace(boxes=found.boxes).take(np.flatnonzero(~found.empty).tolist())
            clean[split].append(image._replace(rows=rows))
    remarks.warnings += _summary(empty, "has no area in its image and is left out")
    remarks.warnings += _counted(beyond, "reach beyond their images and are clipped")
    return clean


def share_errors(splits: dict[Split, list[AnnotatedImage]]) -> list[UserError]:
    """Return an error for each split whose boxes should be pixels, and all lie within the first pixel.

    A few boxes at least say so; those without an area say nothing.
    """
    errors = []
    for split, images in splits.items():
        in_pixels = [image for image in images if image.size is not None]
        boxes = np.concatenate([np.zeros((0, 4)), *(image.rows.boxes for image in in_pixels)])
        boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
        if len(boxes) >= FEW and boxes[:, 2:].max() <= 1:
            file = next(image.file for image in in_pixels if len(image.rows.boxes))
            message = f"{file}: all {len(boxes)} boxes of {split} lie within 0 to 1"
            remedy = "write pixels and no shares: x and width times the image's width, y and height likewise"
            errors.append(UserError(message, remedy))
    return errors


def box_warnings(splits: dict[Split, list[AnnotatedImage]], names: Sequence[str]) -> list[str]:
    """Return warnings about boxes that are there twice and about classes that may be mistakes."""
    places = [
        _place(image, index, names)
        for images in splits.values()
        for image in images
        for index in _repeated(image)
    ]
    return [*_counted(places, "repeat another of the same image and class"), *_class_warnings(splits, names)]


def _repeated(image: AnnotatedImage) -> list[int]:
    """Return the indices of boxes that are an earlier one again."""
    digits = 5 if image.size is None else 2
    keys = [
        (label, *box)
        for label, box in zip(
            image.rows.labels.tolist(), image.rows.boxes.round(digits).tolist(), strict=True
        )
    ]
    first = {key: index for index, key in reversed(list(enumerate(keys)))}
    return [index for index, key in enumerate(keys) if first[key] != index]


def _class_warnings(splits: dict[Split, list[AnnotatedImage]], names: Sequence[str]) -> list[str]:
    by_split = {
        split: Counter(label for image in images for label in image.rows.labels.tolist())
        for split, images in splits.items()
    }
    total = sum(by_split.values(), Counter[int]())
    twins = Counter(name.casefold().strip() for name in names)
    lines = [
        f"the class {names[label]!r} has a single box: is it a mistake?"
        for label in total
        if total[label] == 1
    ]
    lines += [
        f"the class {name!r} is also written otherwise: is it one class?"
        for name in names
        if twins[name.casefold().strip()] > 1
    ]
    unseen = [names[label] for label in sorted(total) if not by_split["train"][label]]
    none = [name for label, name in enumerate(names) if not total[label]]
    return [
        *lines,
        *_listed(unseen, "have boxes, but none in train"),
        *_listed(none, "have no boxes at all"),
    ]


def _listed(names: Sequence[str], problem: str) -> list[str]:
    shown = ", ".join(names[:MANY]) + ", ..." * (len(names) > MANY)
    return [f"{len(names)} class(es) {problem}: {shown}"] if names else []


def _place(image: AnnotatedImage, index: int, names: Sequence[str]) -> str:
    return f"{image.file}, {image.rows.places[index]}: a box of {names[image.rows.labels[index]]}"


def _summary(places: Sequence[str], problem: str) -> list[str]:
    """Return a line for each place, or one for more than `MANY`."""
    if len(places) <= MANY:
        return [f"{place} {problem}" for place in places]
    more = "; ".join(places[1 : 1 + NAMED])
    return [f"{places[0]} {problem} ({len(places) - 1} more are like it: {more}; ...)"]


def _counted(places: Sequence[str], problem: str) -> list[str]:
    return [f"{len(places)} box(es) {problem}, the first is {places[0]}"] if places else []
