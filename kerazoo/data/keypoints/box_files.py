"""Reading person boxes from a file, and looking them up by image."""

import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple, Self, TypeVar

import numpy as np
import pydantic
from pydantic import Field

from kerazoo.errors import UserError, error_context
from kerazoo.files.reading import read_json, read_json_lines, read_text

LEAST = 0.3
"""A detector's boxes of a lower score are left out: most of what it lists are guesses."""

PERSON = 1
"""COCO's number of people."""

Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Side = Annotated[float, Field(gt=0, le=1e6)]
Key = tuple[str, ...] | int
"""What an entry calls its image: its folders and its name, or COCO's number."""

T = TypeVar("T", Key, str)


class CocoResult(pydantic.BaseModel):
    """An entry of COCO's results, with the number or name of the image, or both."""

    bbox: tuple[Number, Number, Side, Side]
    score: Number = 1.0
    category_id: int = PERSON
    file_name: str | None = None
    image_id: int | str | None = None

    @pydantic.model_validator(mode="after")
    def _named(self) -> Self:
        if self.file_name is None and self.image_id is None:
            raise ValueError("it names no image: image_id or file_name is missing")
        return self


class PredictedObject(pydantic.BaseModel):
    """A person or an object in a row of kerazoo's predictions."""

    box: tuple[Number, Number, Number, Number]
    score: Number = 1.0
    label: str = Field("person", alias="class")


class PredictionRow(pydantic.BaseModel):
    """A row of kerazoo's predictions."""

    image: str
    frame: int | None = None
    height: Side = 1e6
    width: Side = 1e6
    people: tuple[PredictedObject, ...] = ()
    objects: tuple[PredictedObject, ...] = ()


Entry = Annotated[
    Annotated[PredictionRow, pydantic.Tag("prediction")] | Annotated[CocoResult, pydantic.Tag("result")],
    pydantic.Discriminator(
        lambda entry: "prediction" if isinstance(entry, dict) and "image" in entry else "result"
    ),
]


class ListedBox(NamedTuple):
    """A box of the file: image, frame, (left, top, width, height, score), and whether of a detector."""

    key: Key
    frame: int | None
    row: tuple[float, ...]
    from_detector: bool


class BoxesByImage:
    """Boxes by image, or by frame of a video.

    Attributes:
        notes: lines that a user has to know of.
    """

    def __init__(self, boxes: Iterable[ListedBox], keys: dict[str, Key], notes: Sequence[str]):
        """Group boxes; `keys` has the key of each image by its absolute path."""
        self.notes, self._keys = notes, keys
        self._found: dict[tuple[Key, int | None], list[tuple[float, ...]]] = {}
        for box in boxes:
            self._found.setdefault((box.key, box.frame), []).append(box.row)

    def in_image(
        self, path: Path, size: Sequence[int], frame: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes in an image: float32 `(B, 4)` and their scores, float32 `(B,)`.

        Args:
            path: one of those that the boxes were read for.
            size: its height and width.
            frame: its number, in a video.

        Raises:
            UserError: a box lies outside the image.
        """
        key = self._keys.get(os.path.abspath(path))
        both = np.array(self._found.get((key, frame), []) if key is not None else [], "float32")
        boxes, scores = np.split(both.reshape(-1, 5), [4], axis=1)
        _check_inside(boxes, size)
        return boxes, scores[:, 0]


def read_boxes(path: Path, images: Sequence[Path], least: float | None = None) -> BoxesByImage:
    """Return the boxes of people in a file, for images and videos.

    The file holds COCO's results, of whose categories `PERSON` is taken; or rows of kerazoo's predictions
    with "people", or with "objects", of which those of the class "person" are taken and those of none.
    An entry belongs to the image whose path ends like its name does, in as many folders as there are; or,
    where it has a number only, to the image that COCO names so: 785 is 000000000785.jpg.

    Args:
        path: of the file.
        images: which boxes are asked for.
        least: score that boxes must have; by default `LEAST` of a detector's, and any of kerazoo's own.

    Raises:
        UserError: the file cannot be read, has none for any of the images, or it cannot be told which.
    """
    boxes = list(_person_boxes(_read_entries(path)))
    default = LEAST if least is None else least
    kept = [box for box in boxes if box.row[4] >= default or (least is None and not box.from_detector)]
    if not boxes:
        raise UserError(f"{path} holds no box of a person", f"category_id {PERSON} is one")
    if not kept:
        raise UserError(f"{path} holds no box with a score of at least {default:g}", "lower --min-score")
    if max(max(box.row[:4]) for box in kept) <= 1:
        raise UserError(
            f"{path} tells boxes as shares of the image", "give left, top, width, height in pixels"
        )
    with error_context(path):
        matched = _match_images(dict.fromkeys(box.key for box in kept), images)
    if not matched:
        raise UserError(
            f"{path} has boxes for none of these images, but for {_key_text(kept[0].key)}",
            "name images by file_name, as their paths end; a number goes with names such as 000000000785.jpg",
        )
    notes = _matching_notes(matched, images)
    if len(kept) < len(boxes):
        low = f"{len(boxes) - len(kept)} of {len(boxes)} boxes have a score below {default:g}"
        notes.append(f"{low} and are left out (--min-score)")
    return BoxesByImage(kept, matched, [f"{path}: {note}" for note in notes])


def _read_entries(path: Path) -> list[PredictionRow | CocoResult]:
    if read_text(path).lstrip()[:1] == "[":
        return read_json(path, list[Entry])
    return read_json_lines(path, Entry)


def _person_boxes(entries: Iterable[PredictionRow | CocoResult]) -> Iterable[ListedBox]:
    """Yield the boxes of people."""
    for entry in entries:
        if isinstance(entry, CocoResult):
            if entry.category_id == PERSON:
                yield ListedBox(_entry_key(entry), None, (*entry.bbox, entry.score), True)
            continue
        people = [*entry.people, *(person for person in entry.objects if person.label == "person")]
        for person in people:  # a network may also guess points beyond the image, or a single one
            if (
                min(person.box[2:]) > 0
                and not _outside(np.array([person.box]), (entry.height, entry.width))[0]
            ):
                yield ListedBox(_path_parts(entry.image), entry.frame, (*person.box, person.score), False)


def _entry_key(entry: CocoResult) -> Key:
    if entry.file_name is not None:
        return _path_parts(entry.file_name)
    number = str(entry.image_id)
    return int(number) if re.fullmatch("[0-9]{1,18}", number) else _path_parts(number)


def _path_parts(name: str) -> tuple[str, ...]:
    """Return the parts of a path of any system, in composed Unicode."""
    parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", ".")) or ("",)


def _match_images(keys: Iterable[Key], images: Sequence[Path]) -> dict[str, Key]:
    """Return the key of each image by its absolute path; images without boxes are left out.

    Raises:
        UserError: two keys are as good for an image, or two images for a key.
    """
    by_key: dict[str | int, list[str]] = {}
    for path in dict.fromkeys(os.path.abspath(image) for image in images):
        for end in _image_keys(path):
            by_key.setdefault(end, []).append(path)
    claims: dict[str, dict[Key, int]] = {}
    for key in keys:
        matches = {
            path: _matching_parts(key, path)
            for path in by_key.get(key if isinstance(key, int) else key[-1], [])
        }
        if matches:
            path = _best_match(matches, f"{_key_text(key)} may be")
            claims.setdefault(path, {})[key] = matches[path]
    return {path: _best_match(matches, f"{path} may be") for path, matches in claims.items()}


def _best_match(matches: dict[T, int], subject: str) -> T:
    """Return the best match; `subject` begins the error if there are several."""
    best = [candidate for candidate in matches if matches[candidate] == max(matches.values())]
    if len(best) > 1:
        raise UserError(
            f"{subject} {_key_text(best[0])} or {_key_text(best[1])}", "name images by file_name with folders"
        )
    return best[0]


def _image_keys(path: str) -> list[str | int]:
    """Return the possible keys of an image: its name, the name without suffix, COCO's number."""
    name = _path_parts(path)[-1]
    stem = Path(name).stem
    number = re.fullmatch("(?:.*_(?=[0-9]{12}$))?([0-9]{1,18})", stem)
    return [*dict.fromkeys((name, stem)), *([int(number[1])] if number else [])]


def _matching_parts(key: Key, path: str) -> int:
    """Return how many last parts of a key and a path are equal; 0 for a number."""
    if isinstance(key, int):
        return 0
    folders = zip(reversed(key[:-1]), reversed(_path_parts(path)[:-1]), strict=False)
    return 1 + sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], folders))


def _matching_notes(matched: dict[str, Key], images: Sequence[Path]) -> list[str]:
    """Return notes for the user about boxes that match by name only, and images without boxes."""
    missing = [path for path in images if os.path.abspath(path) not in matched]
    moved = [(path, key) for path, key in matched.items() if isinstance(key, tuple) and len(key) > 1]
    moved = [(path, key) for path, key in moved if _matching_parts(key, path) == 1]
    notes = [f"no boxes for {len(missing)} of {len(images)} images, such as {missing[0]}"] if missing else []
    if moved:
        path, key = moved[0]
        notes.append(
            f"{len(moved)} images are matched by name in another folder, such as {path} by {_key_text(key)}"
        )
    return notes


def _key_text(key: Key | str) -> str:
    return "/".join(key) if isinstance(key, tuple) else f"image_id {key}" if isinstance(key, int) else key


def _check_inside(boxes: np.ndarray, size: Sequence[int]) -> None:
    outside = boxes[_outside(boxes, size)]
    if len(outside):
        box = ", ".join(f"{value:g}" for value in outside[0])
        raise UserError(
            f"the box ({box}) lies outside the image of {size[1]} x {size[0]} pixels",
            "were the boxes found in images of another size?",
        )


def _outside(boxes: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """Return which boxes are outside the image or reach too far beyond it: bool `(B,)`."""
    sides = np.array(size[::-1], "float32")
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    return ((high <= 0) | (low >= sides) | (low < -sides) | (high > 2 * sides)).any(axis=1)
