"""Drawing shapes to be told apart: ten kinds in any colour, size and position, tilted and partly covered.

What makes the task more than a template: shape and ground change colour from image to image, the ground
is uneven, smaller things lie about, and strokes cross the shape.
"""

import math

import numpy as np

from kerazoo.media.opencv import cv2

NAMES = ("arrow", "bolt", "crescent", "cross", "disc", "heart", "ring", "square", "star", "triangle")

_FINER = 4
"""Images are drawn so many times larger and averaged down."""

_T = np.linspace(0, 2 * math.pi, 48, endpoint=False)
_CIRCLE = np.stack([np.cos(_T), np.sin(_T)], axis=1)
_ARC = np.stack([np.cos(_T[6:43]), np.sin(_T[6:43])], axis=1)
_STAR = np.where(np.arange(10)[:, None] % 2, 0.42, 1.0) * _CIRCLE[np.arange(10) * 48 // 10]
_HEART = np.stack([
    16 * np.sin(_T) ** 3, -13 * np.cos(_T) + 5 * np.cos(2 * _T) + 2 * np.cos(3 * _T) + np.cos(4 * _T)
], axis=1) / 16  # fmt: skip

OUTLINES: dict[str, list[np.ndarray]] = {
    "arrow": [np.array([(-1, -0.3), (0.1, -0.3), (0.1, -0.8), (1, 0), (0.1, 0.8), (0.1, 0.3), (-1, 0.3)])],
    "bolt": [np.array([(-0.2, -1), (0.5, -1), (0.15, -0.25), (0.6, -0.25), (-0.35, 1), (-0.05, 0.1),
                       (-0.55, 0.1)])],
    "crescent": [np.concatenate([_ARC, (_ARC * (0.72, 0.8) + (0.33, 0))[::-1]])],
    "cross": [np.array([(-1, -0.3), (-0.3, -0.3), (-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3),
                        (0.3, 0.3), (0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3)])],
    "disc": [_CIRCLE],
    "heart": [_HEART],
    "ring": [_CIRCLE, _CIRCLE * 0.55],
    "square": [np.array([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)])],
    "star": [_STAR],
    "triangle": [np.array([(0, -1), (0.95, 0.75), (-0.95, 0.75)])],
}  # fmt: skip
"""Polygons with x and y in about -1..1; where two overlap there is a hole."""


def draw_shape(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """Return an image of one shape: uint8 `(size, size, 3)`, RGB.

    Args:
        rng: decides everything but the kind of shape.
        label: which of `NAMES`.
        size: height and width in pixels.
    """
    fine = size * _FINER
    image = _random_ground(rng, fine)
    ground = image.reshape(-1, 3).mean(axis=0)
    for _ in range(rng.integers(1, 4)):
        dot = _CIRCLE if rng.random() < 0.5 else _CIRCLE[::12]
        _fill_shape(image, [dot], rng, (0.03, 0.07), _contrasting_colour(rng, ground))
    _fill_shape(image, OUTLINES[NAMES[label]], rng, (0.28, 0.44), _contrasting_colour(rng, ground))
    for _ in range(rng.integers(3)):
        ends, width = rng.integers(0, fine, (2, 2)).tolist(), rng.integers(_FINER // 2, _FINER + 1)
        cv2.line(image, ends[0], ends[1], rng.integers(0, 256, 3).tolist(), int(width))
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).astype("float32")
    noisy = small + rng.normal(0, rng.uniform(1, 10), (size, size, 1))
    return np.clip(noisy.round(), 0, 255).astype("uint8")


def _random_ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """Return an uneven ground: a few random colours around a mean one, blended."""
    colours = rng.uniform(30, 225, 3) + rng.normal(0, 20, (3, 3, 3))
    patches = np.clip(colours, 0, 255).astype("uint8")
    return cv2.resize(patches, (size, size), interpolation=cv2.INTER_CUBIC)


def _contrasting_colour(rng: np.random.Generator, ground: np.ndarray) -> list[int]:
    """Return a colour that can be told from the ground."""
    while True:
        colour = rng.integers(0, 256, 3)
        if np.linalg.norm(colour - ground) > 100:
            return colour.tolist()


def _fill_shape(
    image: np.ndarray,
    outlines: list[np.ndarray],
    rng: np.random.Generator,
    sizes: tuple[float, float],
    colour: list[int],
) -> None:
    """Fill a shape of a radius in `sizes` (shares of the side), tilted and stretched, that lies inside."""
    side = image.shape[0]
    radius, angle, stretch = rng.uniform(*sizes) * side, rng.uniform(-0.6, 0.6), rng.uniform(0.85, 1.18)
    cosine, sine = math.cos(angle), math.sin(angle)
    matrix = np.array([(cosine, -sine), (sine, cosine)]) @ np.diag([stretch, 1 / stretch]) * radius
    centre = rng.uniform(min(radius, side / 2), max(side - radius, side / 2), 2)
    points = [(outline @ matrix.T + centre).round().astype("int32") for outline in outlines]
    cv2.fillPoly(image, points, colour)
