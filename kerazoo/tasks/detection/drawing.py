"""Boxes drawn on images, with names and scores."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from kerazoo.draw import PALETTE
from kerazoo.files.text import drawable, font
from kerazoo.media.opencv import cv2
from kerazoo.structures.boxes import Boxes, Detections
from kerazoo.tasks.detection.overlaps import covered

_READABLE = 320
"""Pixels that the shorter side of an image needs for names; smaller ones are enlarged."""

_SMALL = 13
"""Pixels of the smallest letters."""

_LETTERS = 40
"""The shorter side of an image, in letters."""

_COVERED = 0.1
"""Share of the image that tags cover; where there are many, letters are smaller."""

_HIDDEN = 0.25
"""A tag of which others would hide a larger share is left out."""

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


class _Tag(NamedTuple):
    """A text on its colour, and the place of its upper left corner: x and y."""

    text: str
    colour: tuple[int, ...]
    place: tuple[int, int]


def draw_boxes(image: np.ndarray, result: Boxes | Detections, names: Sequence[str]) -> np.ndarray:
    """Return the image with boxes drawn on it, each class in a colour of its own, with its name and score.

    Lines and letters suit the size of the image and the number of boxes; small images are enlarged by a whole
    number. The best
    boxes are on top. A tag is above its box, or where no better one hides it; where there is no such
    place it is left out.

    Args:
        image: uint8 `(H, W, 3)`; it stays as it is.
        result: in the image's pixels.
        names: class names in label order.
    """
    factor = _enlargement(image)
    shown = image.repeat(factor, axis=0).repeat(factor, axis=1)
    texts = _texts(result, names)
    size = _letter_size(shown.shape, texts)
    boxes = np.round(result.boxes * factor).astype("int64")
    colours = [_colour(label) for label in result.labels]
    for box, colour in zip(boxes[::-1], colours[::-1], strict=True):
        _rectangle(shown, box, colour, width=max(size // 7, 2))
    tags = _placed(boxes, texts, colours, shown.shape[:2], size)
    for tag in tags[::-1]:
        _write(shown, tag, size)
    return shown


def _enlargement(image: np.ndarray) -> int:
    short, long = sorted(image.shape[:2])
    return max(min(-(-_READABLE // short), 4 * _READABLE // long), 1)


def _letter_size(shape: Sequence[int], texts: Sequence[str]) -> int:
    """Return the pixels of letters: by the image's size, and such that tags cover `_COVERED` of it."""
    letters = sum(map(len, texts))
    area = _COVERED * shape[0] * shape[1] / max(letters, 1)  # of a letter and its part of the tag
    fitting = int((area / (0.6 * 4 / 3)) ** 0.5)  # a letter is about 0.6 wide, a tag 4/3 high
    return max(min(min(shape[:2]) // _LETTERS, fitting), _SMALL)


def _colour(label: int) -> tuple[int, ...]:
    return tuple(PALETTE[1 + label % (len(PALETTE) - 1)].tolist())


def _texts(result: Boxes | Detections, names: Sequence[str]) -> list[str]:
    """Return what stands at each box: the class and its score, or what is special about it."""
    if isinstance(result, Boxes):
        about = [
            " (crowd)" if crowd else " (difficult)" if difficult else ""
            for crowd, difficult in zip(result.crowd, result.difficult, strict=True)
        ]
    else:
        about = [f" {score:.2f}" for score in result.scores]
    shown = [drawable(names[label]) for label in result.labels]
    short = [name if len(name) <= 24 else f"{name[:23]}…" for name in shown]
    return [name + more for name, more in zip(short, about, strict=True)]


def _rectangle(shown: np.ndarray, box: np.ndarray, colour: Sequence[int], width: int) -> None:
    """Draw a box's outline just inside its edges, with a dark rim."""
    left, top, right, bottom = box.tolist()
    inset = min(width // 2, (right - left) // 2, (bottom - top) // 2)
    corners = (left + inset, top + inset), (max(right - 1 - inset, left), max(bottom - 1 - inset, top))
    cv2.rectangle(shown, *corners, _BLACK, width + 2 * -(-width // 4))
    cv2.rectangle(shown, *corners, colour, width)


def _placed(
    boxes: np.ndarray,
    texts: Sequence[str],
    colours: Sequence[tuple[int, ...]],
    image: Sequence[int],
    size: int,
) -> list[_Tag]:
    """Return the tags that have a place: above the box, below it, or in it at the top or bottom."""
    tags: list[_Tag] = []
    taken = np.zeros((0, 4))
    height = _height(size)
    for (left, top, _, bottom), text, colour in zip(boxes.tolist(), texts, colours, strict=True):
        width = _width(text, size)
        x = min(max(left, 0), max(image[1] - width, 0))
        y = np.array([top - height, bottom, top, bottom - height])
        y = y[(y >= 0) & (y + height <= image[0])] if height < image[0] else np.zeros(1, int)
        places = np.stack([np.full_like(y, x), y, np.full_like(y, x + width), y + height], axis=-1)
        hidden = covered(places[:, None], taken).sum(axis=1)
        if len(y) and hidden.min() <= _HIDDEN:
            best = int(hidden.argmin())
            taken = np.concatenate([taken, places[best : best + 1]])
            tags.append(_Tag(text, colour, (x, int(y[best]))))
    return tags


def _width(text: str, size: int) -> int:
    return round(font(size).getlength(text)) + size // 2


def _height(size: int) -> int:
    return size + size // 3


def _write(shown: np.ndarray, tag: _Tag, size: int) -> None:
    """Write a tag into an image: black letters on light colours, white ones on dark."""
    light = np.dot(tag.colour, (0.299, 0.587, 0.114)) > 120
    canvas = Image.new("RGB", (_width(tag.text, size), _height(size)), tag.colour)
    baseline = size // 4, size + size // 24
    ImageDraw.Draw(canvas).text(baseline, tag.text, _BLACK if light else _WHITE, font(size), anchor="ls")
    x, y = tag.place
    place = shown[y : y + canvas.height, x : x + canvas.width]
    place[:] = np.asarray(canvas)[: place.shape[0], : place.shape[1]]
