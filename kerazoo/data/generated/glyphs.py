"""Drawing characters of made-up alphabets: a class is a set of strokes, an image a handwriting of it."""

import numpy as np

from kerazoo.media.opencv import cv2

PAPER = 84
"""Side in pixels that characters are drawn at before they are brought to their size."""

SHARE = 0.68
"""Of the paper's side that the longer side of a character takes."""

FRACTION = 4
"""Bits of a pixel's fraction that OpenCV draws with."""

Strokes = list[np.ndarray]
"""Control points of cubic Bezier curves, float `(4, 2)`, x and y in 0..1."""

_TIMES = np.linspace(0, 1, 16)[:, None]
_BASIS = np.concatenate(
    [(1 - _TIMES) ** 3, 3 * _TIMES * (1 - _TIMES) ** 2, 3 * _TIMES**2 * (1 - _TIMES), _TIMES**3], axis=1
)


def random_strokes(rng: np.random.Generator) -> Strokes:
    """Return a random character: two to four strokes; half of them begin at an end of another."""
    strokes: Strokes = []
    for _ in range(rng.integers(2, 5)):
        points = rng.uniform(0.14, 0.86, (4, 2))
        if strokes and rng.random() < 0.5:
            points[0] = strokes[-1][rng.choice([0, 3])]
        if rng.random() < 0.3:  # straight
            points[1:3] = points[:1] + (points[3:] - points[:1]) * [[1 / 3], [2 / 3]]
        strokes.append(points)
    curves = np.concatenate([_BASIS @ points for points in strokes])
    low, high = curves.min(axis=0), curves.max(axis=0)
    scale = SHARE / (high - low).max()
    return [(points - (low + high) / 2) * scale + 0.5 for points in strokes]


def draw_strokes(rng: np.random.Generator, strokes: Strokes, size: tuple[int, int]) -> np.ndarray:
    """Return an image of a character in a random handwriting: uint8 `(*size, 3)`, black on white.

    Args:
        rng: decides the hand: slant, turn, size, place, pen and how steady it is.
        strokes: of `random_strokes`.
        size: height and width in pixels.
    """
    angle, shear = np.radians(rng.normal(0, 5)), rng.normal(0, 0.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    hand = turn @ np.array([[1, shear], [0, 1]]) * rng.uniform(0.85, 1.1, (1, 2))
    place = 0.5 + rng.normal(0, 0.03, 2)
    paper = np.full((PAPER, PAPER), 255, "uint8")
    lines = []
    for points in strokes:
        moved = (points + rng.normal(0, 0.022, points.shape) - 0.5) @ hand.T + place
        lines.append(np.rint(_BASIS @ moved * PAPER * 2**FRACTION).astype("int32"))
    cv2.polylines(paper, lines, False, 0, int(rng.integers(2, 5)), cv2.LINE_AA, FRACTION)
    grey = cv2.resize(paper, size[::-1], interpolation=cv2.INTER_AREA)
    return np.repeat(grey[..., None], 3, axis=-1)
