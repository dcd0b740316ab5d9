"""Windows around people, for networks that process one person at a time."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from kerazoo.errors import UserError
from kerazoo.media.opencv import cv2
from kerazoo.settings import settings
from kerazoo.structures.sample import Sample

GREY = 127
"""Of what lies beyond the image."""

TRAINING = 2.0
"""How much larger windows are cut for training, so that turned and scaled ones have real pixels."""

LARGEST = 2**27
"""Pixels of the largest window that is cut, 400 MB: a box that is much larger than its image needs more."""

Positive = Annotated[float, Field(gt=0)]


@settings
class Windows:
    """Settings of the windows around boxes.

    Attributes:
        aspect: width by height.
        margin: by how much a window is larger than the smallest of that aspect that holds the box.
    """

    aspect: Positive = 0.75
    margin: Positive = 1.25

    def around(self, box: Sequence[float], larger: float = 1.0) -> tuple[int, int, int, int]:
        """Return left, top, width and height, whole pixels, of the window around a box."""
        left, top, width, height = map(float, box)
        tall = max(height, width / self.aspect, 1.0) * self.margin * larger
        wide = tall * self.aspect
        middle = left + width / 2, top + height / 2
        corner = round(middle[0] - wide / 2), round(middle[1] - tall / 2)
        return *corner, max(round(wide), 1), max(round(tall), 1)


def person_window(sample: Sample, windows: Windows, person: int) -> Sample:
    """Return a training sample: the window around one person, with this person alone as truth."""
    only = [person]
    truth = sample.truth
    person_truth = dataclasses.replace(
        truth,
        points=truth.points[only],
        visible=truth.visible[only],
        boxes=truth.boxes[only],
        areas=truth.areas[only],
        ignore=None,
    )
    window = windows.around(truth.boxes[person], TRAINING)
    return _cut_window(sample._replace(truth=person_truth, name=f"{sample.name}#{person}"), window)


def box_window(sample: Sample, windows: Windows, box: Sequence[float], score: float, number: int) -> Sample:
    """Return an evaluation sample: the window around a box, with all people of the image as truth."""
    scored = dataclasses.replace(sample.truth, score=score, ignore=None)
    window = windows.around(box)
    return _cut_window(sample._replace(truth=scored, name=f"{sample.name}#{number}"), window)


def _cut_window(sample: Sample, window: tuple[int, int, int, int]) -> Sample:
    left, top, width, height = window
    if width * height > LARGEST:
        message = f"{sample.name}: the window around a box has {width} x {height} pixels, more than {LARGEST}"
        raise UserError(message, "correct the box, or make the image smaller")
    moved = np.array([left, top], "float32")
    around = np.array([left, top, 0, 0], "float32")
    truth = sample.truth
    inside = dataclasses.replace(
        truth,
        points=truth.points - moved,
        boxes=truth.boxes - around,
        crowds=truth.crowds - around,
        origin=(truth.origin[0] + left, truth.origin[1] + top),
    )
    return Sample(_padded_crop(sample.image, left, top, width, height), inside, sample.name)


def _padded_crop(image: np.ndarray, left: int, top: int, width: int, height: int) -> np.ndarray:
    rows, columns = image.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, columns), min(top + height, rows)
    if x0 >= x1 or y0 >= y1:
        return np.full((height, width, 3), GREY, "uint8")
    border = y0 - top, top + height - y1, x0 - left, left + width - x1
    return cv2.copyMakeBorder(image[y0:y1, x0:x1], *border, cv2.BORDER_CONSTANT, value=(GREY,) * 3)
