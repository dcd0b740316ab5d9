"""Boxes in which something else has found people, read from a file and asked for by photograph."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kerazoo.errors import UserError

LEAST = 0.3
"""Boxes of a lower score are left out: most of what a detector lists are guesses."""

PERSON = 1
"""COCO's number of people."""

Place = tuple[str | int, int | None]
"""A file's name, or COCO's number of the photograph; and the frame, where it is a film."""


class Boxes:
    """Boxes by photograph, or by frame of a film.

    Photographs are known by their file's name without folders or, in COCO's results, by the last number
    in it: image_id 785 is 000000000785.jpg.
    """

    def __init__(self, found: Iterable[tuple[Place, list[float]]]):
        """Sort boxes: of each its place, and left, top, width, height in pixels and its score."""
        self._found: dict[Place, list[list[float]]] = {}
        for place, box in found:
            self._found.setdefault(place, []).append(box)
        self._known = {name for name, _ in self._found}

    def know(self, path: Path) -> bool:
        """Whether there is any box for a photograph or film."""
        return not self._known.isdisjoint(_names(path))

    def of(self, path: Path, frame: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes in a photograph: float32 `(B, 4)` and their scores, float32 `(B,)`."""
        found = [box for name in _names(path) for box in self._found.get((name, frame), [])]
        both = np.array(found, "float32").reshape(-1, 5)
        return both[:, :4], both[:, 4]


def read_boxes(path: Path) -> Boxes:
    """Return the boxes of people in a file, those with a score of at least `LEAST`.

    The file holds COCO's results, of whose categories `PERSON` is taken; or rows of kerazoo's predictions
    with "people", or with "objects", of which those of the class "person" are taken and those of none.

    Raises:
        UserError: the file cannot be read, a box in it is none, or none is left.
    """
    remedy = 'give a list of {"image_id" or "file_name", "bbox", "score"}, or a predictions.jsonl'
    try:
        text = path.read_text(encoding="utf-8")
        rows = json.loads(text) if text.lstrip()[:1] == "[" else [json.loads(t) for t in text.splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}", remedy) from None
    found = []
    for number, row in enumerate(rows, 1):
        try:
            found += [(place, box) for place, box in _of_row(row) if box[4] >= LEAST]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: entry {number} holds no box ({error!r})", remedy) from None
    if not found:
        raise UserError(f"{path} holds no box of a person with a score of at least {LEAST}", remedy)
    return Boxes(found)


def _of_row(row: dict[str, Any]) -> list[tuple[Place, list[float]]]:
    if "image" not in row:
        wanted = row.get("category_id", PERSON) == PERSON
        name = Path(row["file_name"]).name if "file_name" in row else int(row["image_id"])
        return [((name, None), _box(row["bbox"], row))] if wanted else []
    place = Path(row["image"]).name, row.get("frame")
    people = row.get("people", []) + [each for each in row.get("objects", []) if _is_person(each)]
    return [(place, _box(each["box"], each)) for each in people if min(each["box"][2:]) > 0]


def _is_person(thing: dict[str, Any]) -> bool:
    return thing.get("class", "person") == "person"


def _box(sides: list[float], told: dict[str, Any]) -> list[float]:
    left, top, width, height = map(float, sides)
    box = [left, top, width, height, float(told.get("score", 1.0))]
    if not np.isfinite(box).all() or min(width, height) <= 0:
        raise ValueError(f"{sides} is no box")
    return box


def _names(path: Path) -> list[str | int]:
    numbers = re.findall("[0-9]+", path.stem)
    return [path.name, *(int(number) for number in numbers[-1:])]
