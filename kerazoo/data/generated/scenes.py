"""Drawing scenes of shapes to be found: of several sizes, in front of each other, partly outside.

What makes the task more than a search for colours: shapes and things that are none have the same random
colours, the ground is cluttered with discs, boxes and poles that are no objects, strokes cross the shapes,
and light and noise change from image to image.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerazoo.data.generated.scenery import add_camera_effects, draw_ground, overlaps, random_colours
from kerazoo.data.generated.shapes import OUTLINES
from kerazoo.media.opencv import cv2
from kerazoo.structures.boxes import from_xywh

SMALLEST, LARGEST = 14.0, 0.45
"""Pixels of the smallest shape's longer side, and share of the image's shorter side of the largest's."""

HIDDEN = 0.35
"""No two shapes share more of the smaller one's box."""

OUTSIDE = 0.3
"""So much of a shape's width or height may lie outside of the image."""

CONTRAST = 90.0
"""Distance in RGB of a shape's colour from the mean of what is behind it."""

_FINER = 4
"""Shapes are drawn so many times larger and averaged down."""


class Scene(NamedTuple):
    """An image and the shapes in it.

    Attributes:
        image: uint8 `(H, W, 3)`.
        boxes: float32 `(B, 4)`, left, top, right, bottom of what is seen of each.
        labels: int32 `(B,)`.
        areas: float32 `(B,)`, square pixels that are seen.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    areas: np.ndarray


class _Shape(NamedTuple):
    """A shape that is to be drawn: its label, and its rings in pixels."""

    label: int
    rings: list[np.ndarray]


def draw_scene(rng: np.random.Generator, size: tuple[int, int], kinds: Sequence[str], count: int) -> Scene:
    """Return an image of shapes, the smaller ones in front.

    Args:
        rng: decides everything else.
        size: height and width in pixels.
        kinds: of shapes, in label order.
        count: of shapes, 0 or more; those that find no place are left out.
    """
    image = draw_ground(rng, size)
    shapes = _place(rng, kinds, size, count)
    # Which shape is on top, from 1; edges are known to 1 / _FINER pixel.
    top = np.zeros((size[0] * _FINER, size[1] * _FINER), "uint8")
    for number, shape in enumerate(shapes, 1):
        _draw_shape(rng, image, top, shape.rings, number)
    _draw_strokes(rng, image)
    covers = [(top == number).astype("uint8") for number in range(1, len(shapes) + 1)]
    boxes = np.array([cv2.boundingRect(cover) for cover in covers], "float32").reshape(-1, 4) / _FINER
    return Scene(
        add_camera_effects(rng, image),
        from_xywh(boxes),
        np.array([shape.label for shape in shapes], "int32"),
        np.array([cv2.countNonZero(cover) for cover in covers], "float32") / _FINER**2,
    )


def _random_outline(rng: np.random.Generator, kind: str) -> list[np.ndarray]:
    """Return the rings of a shape, tilted and stretched, with a longer side of 1 and its corner at 0, 0."""
    angle, stretch = rng.uniform(-0.5, 0.5), math.exp(rng.uniform(-0.25, 0.25))
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = np.array([(cosine, -sine), (sine, cosine)]) @ np.diag([stretch, 1 / stretch])
    rings = [ring @ matrix.T for ring in OUTLINES[kind]]
    low, high = rings[0].min(axis=0), rings[0].max(axis=0)
    return [(ring - low) / (high - low).max() for ring in rings]


def _place(rng: np.random.Generator, kinds: Sequence[str], size: tuple[int, int], count: int) -> list[_Shape]:
    """Return random shapes in pixels, the largest first; those that would hide others are left out."""
    height, width = size
    largest = max(LARGEST * min(size), SMALLEST)
    scales = np.sort(np.exp(rng.uniform(np.log(SMALLEST), np.log(largest), count)))[::-1]
    shapes: list[_Shape] = []
    placed = np.zeros((0, 2, 2))
    for scale, label in zip(scales, rng.integers(len(kinds), size=count).tolist(), strict=True):
        outline = [ring * scale for ring in _random_outline(rng, kinds[label])]
        sides = outline[0].max(axis=0)
        spare = np.maximum((width, height) - (1 - 2 * OUTSIDE) * sides, 1)
        corners = rng.uniform(0, 1, (12, 2)) * spare - OUTSIDE * sides
        fitting = overlaps(corners, sides, placed).max(axis=1, initial=0.0) <= HIDDEN
        if fitting.any():
            corner = corners[fitting.argmax()]
            placed = np.concatenate([placed, [[corner, sides]]])
            shapes.append(_Shape(label, [ring + corner for ring in outline]))
    return shapes


def _draw_shape(
    rng: np.random.Generator, image: np.ndarray, top: np.ndarray, rings: list[np.ndarray], number: int
) -> None:
    """Draw a shape into an image, and its number into the finer map of what is on top."""
    height, width = image.shape[:2]
    low = np.maximum(np.floor(rings[0].min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(rings[0].max(axis=0)).astype(int), (width, height))
    fine = np.zeros((high - low)[::-1] * _FINER, "uint8")
    cv2.fillPoly(fine, [np.rint((ring - low) * _FINER).astype("int32") for ring in rings], 255)
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    cover = cv2.resize(fine, tuple((high - low).tolist()), interpolation=cv2.INTER_AREA)[..., None] / 255
    behind = image[window].reshape(-1, 3).mean(axis=0)
    colour = _contrasting_colour(rng, behind)
    image[window] = np.rint(image[window] * (1 - cover) + colour * cover)
    finer = np.s_[low[1] * _FINER : high[1] * _FINER, low[0] * _FINER : high[0] * _FINER]
    top[finer][fine > 0] = number


def _contrasting_colour(rng: np.random.Generator, behind: np.ndarray) -> np.ndarray:
    colours = np.array(random_colours(rng, 12), "float64")
    distances = np.linalg.norm(colours - behind, axis=1)
    enough = distances >= min(CONTRAST, distances.max())
    return colours[enough.argmax()]


def _draw_strokes(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw up to two thin strokes across an image."""
    height, width = image.shape[:2]
    count = int(rng.integers(3))
    for colour in random_colours(rng, count):
        ends = (rng.random((2, 2)) * (width, height)).astype(int).tolist()
        cv2.line(image, ends[0], ends[1], colour, int(rng.integers(1, 3)), cv2.LINE_AA)
