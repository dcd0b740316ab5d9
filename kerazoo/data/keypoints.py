"""Photographs of people with key points: what COCO's and MPII's files have in common."""

import functools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerazoo.data.lazy import Lazy
from kerazoo.data.pairs import divide
from kerazoo.data.source import Source, Split
from kerazoo.data.windows import Windows, in_box, one_person
from kerazoo.errors import UserError
from kerazoo.image import read_image
from kerazoo.settings import settings
from kerazoo.skeleton import COCO17, Skeleton
from kerazoo.task import Sample
from kerazoo.tasks.pose import People

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Photograph(NamedTuple):
    """A photograph and what a file says of the people in it.

    Attributes:
        path: of the image.
        number: by which results name it.
        points: float32 `(P, N, 2)`, of the file's own points.
        visible: uint8 `(P, N)`.
        boxes: float32 `(P, 4)`: left, top, width, height.
        areas: float32 `(P,)`.
        crowds: float32 `(C, 4)`.
        silent: COCO segmentations (polygons or RLE) or boxes of whoever is not labelled.
    """

    path: Path
    number: int
    points: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowds: np.ndarray
    silent: Sequence[Any] = ()


class Listed(NamedTuple):
    """What was read of all files: point names, the category's number, photographs by split, problems."""

    names: tuple[str, ...]
    category: int
    splits: dict[Split, list[Photograph]]
    problems: list[UserError]


def reader(path: Path) -> type[Source]:
    """Return the source that reads key points at `path`: COCO's, a folder or a JSON object, or MPII's list.

    Raises:
        UserError: there is nothing, or something else.
    """
    from kerazoo.data.coco import CocoKeypoints
    from kerazoo.data.mpii import MpiiKeypoints

    if path.is_dir():
        return CocoKeypoints
    if not path.exists():
        raise UserError(f"there are no key points at {path}", "check the path")
    try:
        with path.open(encoding="utf-8") as file:
            start = file.read(4096).lstrip()[:1]
    except (OSError, UnicodeDecodeError):
        start = ""
    if start not in ("{", "["):
        raise UserError(f"{path} holds no key points", "give COCO's or MPII's JSON, or a folder with them")
    return CocoKeypoints if start == "{" else MpiiKeypoints


@settings
class Keypoints(Source):
    """Key points in JSON files, with photographs beside them.

    Attributes:
        path: a JSON file, or a folder of them.
        images: folder of the photographs; by default found beside the file.
        validation, test: shares of the photographs held back where there is one file only.
        same: validate on the photographs of the training, to see whether they can be learned at all.
        seed: of the choice of what is held back.
        skeleton: the points that are given, matched to the file's by name.
        windows: give every person a sample of its own, cut out so; None gives whole photographs.
        detections: for windows, COCO's results of a detector, whose boxes are validated instead of the
            annotated ones.
    """

    path: str
    images: str | None = None
    validation: float = 0.2
    test: float = 0.0
    same: bool = False
    seed: int = 0
    skeleton: Skeleton = COCO17
    windows: Windows | None = None
    detections: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.validation + self.test < 1 or min(self.validation, self.test) < 0:
            raise ValueError("validation and test leave nothing to train on")
        if self.detections and self.windows is None:
            raise ValueError("detections are boxes for windows: set windows too")

    def listed(self) -> Listed:
        """Return what the files say, read once."""
        raise NotImplementedError

    @property
    def root(self) -> Path:
        """The file or folder."""
        return Path(self.path).expanduser()

    def class_names(self) -> tuple[str, ...]:
        return self.skeleton.points

    def samples(self, split: Split) -> Sequence[Sample]:
        splits, problems = self.survey()
        if problems:
            raise problems[0]
        if split == "train" and not splits["train"]:
            raise UserError(f"{self.path} has no photographs of people to train on", "check the file")
        return splits[split]

    def survey(self) -> tuple[dict[Split, Sequence[Sample]], list[UserError]]:
        listed = self.listed()
        lacking = [name for name in self.skeleton.annotated() if name not in listed.names]
        if lacking:
            raise UserError(
                f"{self.path} has no point {lacking[0]!r}, its points are {', '.join(listed.names)[:200]}",
                "give their skeleton with --set family.skeleton=FILE.json",
            )
        if self.windows is None:
            return {split: Lazy(found, self.read) for split, found in listed.splits.items()}, listed.problems
        return {
            split: Lazy(self._places(split, found), functools.partial(self._window, split))
            for split, found in listed.splits.items()
        }, listed.problems

    def read(self, photograph: Photograph) -> Sample:
        """Return a photograph with all its people."""
        image = read_image(photograph.path)
        names = self.listed().names
        points, visible = self.skeleton.taken_from(names, photograph.points, photograph.visible)
        people = People(
            points,
            visible,
            photograph.boxes,
            photograph.areas,
            self.skeleton,
            silent=_mask(photograph.silent, image.shape[:2]) if photograph.silent else None,
            crowds=photograph.crowds,
            image=photograph.number,
            category=self.listed().category,
        )
        return Sample(image, people, photograph.path.name)

    def _places(self, split: Split, found: Sequence[Photograph]) -> list[tuple]:
        """Return photograph, number of the person or box, box and score of every window."""
        if split == "train" or not self.detections:
            return [
                (photograph, person, photograph.boxes[person], 1.0)
                for photograph in found
                for person in np.flatnonzero(photograph.visible.any(axis=1)).tolist()
            ]
        from kerazoo.boxes import read_boxes

        boxes = read_boxes(Path(self.detections))
        places: list[tuple] = []
        for photograph in found:
            seen, scores = boxes.of(photograph.path)
            if not len(seen):  # its people are missed, and that counts
                seen, scores = np.array([[0, 0, 1, 1]], "float32"), np.zeros(1, "float32")
            places += [
                (photograph, number, seen[number], float(scores[number])) for number in range(len(seen))
            ]
        return places

    def _window(self, split: Split, place: tuple) -> Sample:
        assert self.windows is not None
        photograph, number, box, score = place
        sample = self.read(photograph)
        if split == "train":
            return one_person(sample, self.windows, number)
        return in_box(sample, self.windows, box, score, number)


def divided(photographs: Sequence[Photograph], source: Keypoints) -> dict[Split, list[Photograph]]:
    """Return the photographs of one file in splits, as the source's shares say."""
    if source.same:
        return {split: list(photographs) for split in SPLITS}
    return divide(list(photographs), source.validation, source.test, "random", source.seed)


def read_annotations(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", "get the file again") from None


def finite(values: Any, count: int) -> bool:
    """Whether `values` is a list of so many finite numbers."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in values)
    )


def _mask(shapes: Sequence[Any], size: tuple[int, int]) -> np.ndarray:
    """Return where COCO segmentations and boxes are: uint8 `(H, W)`, 0 or 1."""
    import cv2

    mask = np.zeros(size, "uint8")
    for shape in shapes:
        if isinstance(shape, dict):
            mask |= _decoded(shape, size)
        elif shape and isinstance(shape[0], list):
            rings = [np.rint(np.reshape(ring, (-1, 2))).astype("int32") for ring in shape]
            cv2.fillPoly(mask, rings, 1)
        else:
            left, top, width, height = shape
            rows, columns = _span(top, height), _span(left, width)
            mask[rows, columns] = 1
    return mask


def _span(start: float, length: float) -> slice:
    return slice(max(math.floor(start), 0), max(math.ceil(start + length), 0))


def _decoded(rle: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Return the mask of a run-length encoding; one of another size than the image is left out."""
    from faster_coco_eval import mask

    if list(rle.get("size", ())) != list(size):
        return np.zeros(size, "uint8")
    plain = rle if isinstance(rle["counts"], (str, bytes)) else mask.frPyObjects(rle, *size)
    return mask.decode(plain).astype("uint8")
