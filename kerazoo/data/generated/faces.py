"""Drawing faces with the 68 landmarks of 300W: any features, expression, hair, skin, light and direction.

Coordinates are x to the viewer's right, y down and z towards the viewer; a face that looks at the viewer
reaches from -1 to 1 in x. Landmarks 0 to 16 are the jaw from its right ear, which is at the viewer's left.
"""

from typing import NamedTuple

import numpy as np

from kerazoo.data.generated.bodies import rotation_about
from kerazoo.data.generated.clothing import CIRCLE, Colour, darken, random_outfit
from kerazoo.data.generated.scenery import (
    FRACTION,
    add_camera_effects,
    draw_ground,
    draw_thing,
    random_colours,
    to_fixed_point,
)
from kerazoo.media.opencv import cv2

JAW, NOSE, LIPS, MOUTH = slice(0, 17), slice(27, 36), slice(48, 60), slice(60, 68)
BROWS, EYES = (slice(17, 22), slice(22, 27)), (slice(36, 42), slice(42, 48))
"""Which landmarks are what."""

_HOOD = np.pi * (1 + np.arange(1, 12) / 12)
"""Angles of the outline of the forehead, from the right ear to the left one."""


class Face(NamedTuple):
    """A drawn face.

    Attributes:
        image: uint8 `(H, W, 3)`, RGB.
        points: float32 `(68, 2)`, x and y, pixel centres at whole numbers.
        visible: uint8 `(68,)`: 0 beyond the image, 1 behind something, 2 seen.
    """

    image: np.ndarray
    points: np.ndarray
    visible: np.ndarray


def draw_face(rng: np.random.Generator, size: tuple[int, int]) -> Face:
    """Return an image of one face, most of which is in it.

    Args:
        rng: decides everything else.
        size: height and width in pixels.
    """
    image = draw_ground(rng, size)
    landmarks, hood = _random_landmarks(rng)
    yaw, pitch, roll = np.clip(rng.normal(0, (16, 8, 10)), -40, 40)
    view = rotation_about(2, roll) @ rotation_about(0, pitch) @ rotation_about(1, yaw)
    radius = rng.uniform(0.2, 0.34) * min(size)
    middle = np.array(size[::-1]) / 2 + rng.uniform(-0.14, 0.14, 2) * size[::-1]
    points, forehead, crown = (
        (places @ view.T)[:, :2] * radius + middle
        for places in (landmarks, hood, 1.12 * hood + (0, -0.08, -0.3))
    )
    _draw_head(rng, image, points, forehead, crown, radius)
    before = np.zeros(size, "uint8")
    if rng.random() < 0.2:
        draw_thing([image, before], [*random_colours(rng, 1), 1], rng, rng.uniform(0.1, 0.25))
    x, y = np.clip(np.rint(points), 0, np.array(size[::-1]) - 1).astype(int).T
    inside = ((points >= -0.5) & (points < np.array(size[::-1]) - 0.5)).all(axis=1)
    visible = np.where(inside, 2 - before[y, x], 0).astype("uint8")
    return Face(add_camera_effects(rng, image), points.astype("float32"), visible)


def _random_landmarks(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmarks of a random face, `(68, 3)`, and the outline of its forehead, `(n, 3)`."""
    long, square = rng.uniform(1.15, 1.4), rng.uniform(0.7, 1.0)
    around = np.linspace(np.pi, 0, 17)
    jaw = _bowl(np.sign(np.cos(around)) * np.abs(np.cos(around)) ** square, long * np.sin(around) - 0.1)
    hood = _bowl(np.cos(_HOOD), rng.uniform(0.85, 1.1) * np.sin(_HOOD) - 0.1)
    apart, open_eye, high, frown = rng.uniform((0.38, 0.02, -0.48, -0.08), (0.46, 0.1, -0.34, 0.08))
    eye, brow = _eye(apart, rng.uniform(0.15, 0.21), open_eye), _brow(apart, high, frown)
    nose = _nose(*rng.uniform((0.28, 0.15, 0.8), (0.4, 0.25, 1.05)))
    lips = _lips(*rng.uniform((0.7, 0.26, -0.08, 0.05, 0), (0.82, 0.42, 0.1, 0.11, 0.14)))
    mirror, (last_brow, last_eye) = np.array([-1, 1, 1]), (brow[::-1], eye[[3, 2, 1, 0, 5, 4]])
    landmarks = np.concatenate([jaw, brow, last_brow * mirror, nose, eye, last_eye * mirror, lips])
    return landmarks + rng.normal(0, 0.008, landmarks.shape), hood


def _bowl(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return places on the front of a head."""
    return np.stack([x, y, 0.4 - 0.8 * x**2 - 0.1 * y**2], axis=1)


def _eye(apart: float, half: float, opened: float) -> np.ndarray:
    """Return the right eye: outer corner, above, inner corner, below."""
    x = np.array([-1, -0.4, 0.4, 1, 0.4, -0.4]) * half - apart
    y = np.array([0.0, -1, -1, 0.1, 1, 1]) * opened - 0.16
    return np.stack([x, y, 0.6 - 0.6 * x**2], axis=1)


def _brow(apart: float, high: float, frown: float) -> np.ndarray:
    x = np.linspace(-0.38, 0.24, 5) - apart
    y = high - np.array([0.0, 0.08, 0.1, 0.07, 0.02]) + frown * np.linspace(-1, 1, 5)
    return np.stack([x, y, 0.62 - 0.6 * x**2], axis=1)


def _nose(end: float, wide: float, sharp: float) -> np.ndarray:
    """Return the ridge from between the eyes to the tip, and the nostrils from right to left."""
    down = np.linspace(0, 1, 4)
    ridge = np.stack([0 * down, -0.2 + (end + 0.2) * down, 0.62 + (sharp - 0.62) * down], axis=1)
    x = np.linspace(-1, 1, 5)
    return np.concatenate([ridge, np.stack([wide * x, end + 0.14 - 0.05 * x**2, 0.8 - 0.12 * x**2], axis=1)])


def _lips(down: float, half: float, smile: float, thick: float, opened: float) -> np.ndarray:
    """Return the outer and the inner outline of the lips, each from the right corner on over the top."""
    outer = np.array([-1, -0.6, -0.2, 0, 0.2, 0.6, 1, 0.6, 0.2, 0, -0.2, -0.6])
    rise = np.array([0, -0.8, -1.05, -0.9, -1.05, -0.8, 0, 0.9, 1.2, 1.25, 1.2, 0.9]) * thick
    rise += opened * np.array([0] * 7 + [0.6, 0.95, 1, 0.95, 0.6])
    inner = np.array([-0.85, -0.3, 0, 0.3, 0.85, 0.3, 0, -0.3])
    gap = opened * np.array([0.1, 0, 0, 0, 0.1, 0.9, 1, 0.9])
    x, y = np.concatenate([outer, inner]) * half, down + np.concatenate([rise, gap])
    y = y - smile * np.abs(x / half) ** 2
    return np.stack([x, y, 0.72 - 0.5 * x**2], axis=1)


def _draw_head(
    rng: np.random.Generator,
    image: np.ndarray,
    points: np.ndarray,
    forehead: np.ndarray,
    crown: np.ndarray,
    radius: float,
) -> None:
    """Draw hair, neck, skin and features."""
    outfit = random_outfit(rng)
    skin, hair = outfit.colours["skin"], outfit.colours["hair"]
    dark, (iris, shirt) = darken(skin, 0.72), random_colours(rng, 2)
    mid, down = points[27], np.array([0, radius])
    throat = points[8] + 0.2 * down
    _fill_hull(image, throat + 1.5 * down + CIRCLE * radius * (1.9, 1.2), shirt)
    _fill_hull(image, np.concatenate([points[[5, 11]], throat + CIRCLE * 0.55 * radius]), dark)
    locks = [crown, points[[0, 16]], *([1.25 * points[[3, 13]] - 0.25 * mid] if outfit.long_hair else [])]
    _fill_hull(image, np.concatenate(locks), hair)
    for ear in (points[1], points[15]):
        _fill_hull(image, ear + CIRCLE * radius * (0.13, 0.24), darken(skin, 0.85))
    _fill_hull(image, np.concatenate([points[JAW], forehead]), dark)
    _fill_hull(image, mid + 0.93 * (np.concatenate([points[JAW], forehead]) - mid) + 0.02 * radius, skin)
    _draw_features(image, points, radius, skin, hair, iris)


def _draw_features(
    image: np.ndarray, points: np.ndarray, radius: float, skin: Colour, hair: Colour, iris: Colour
) -> None:
    thin = max(round(0.05 * radius), 1)
    for brow in BROWS:
        cv2.polylines(
            image, [to_fixed_point(points[brow])], False, darken(hair, 0.7), thin + 1, cv2.LINE_AA, FRACTION
        )
    _fill_hull(image, points[[27, 31, 33, 35]], darken(skin, 0.9))
    _fill_hull(image, points[[28, 30, 35]], darken(skin, 0.8))
    cv2.polylines(
        image, [to_fixed_point(points[31:36])], False, darken(skin, 0.55), thin, cv2.LINE_AA, FRACTION
    )
    for eye in EYES:
        _fill_hull(image, points[eye], (235, 235, 235))
        middle, opened = points[eye].mean(axis=0), np.linalg.norm(points[eye][1] - points[eye][5])
        disc = CIRCLE * min(0.11 * radius, 0.5 * opened)
        _fill_hull(image, middle + disc, darken(iris, 0.6))
        _fill_hull(image, middle + 0.45 * disc, (20, 20, 20))
        cv2.polylines(image, [to_fixed_point(points[eye])], True, darken(skin, 0.4), 1, cv2.LINE_AA, FRACTION)
    red, green, blue = skin
    _fill_hull(image, points[LIPS], (min(int(red * 0.95), 255), int(green * 0.6), int(blue * 0.6)))
    _fill_hull(image, points[MOUTH], (60, 20, 25))
    cv2.polylines(image, [to_fixed_point(points[MOUTH])], True, darken(skin, 0.45), 1, cv2.LINE_AA, FRACTION)


def _fill_hull(image: np.ndarray, outline: np.ndarray, colour: Colour) -> None:
    """Fill the convex hull of places."""
    hull = cv2.convexHull(np.asarray(outline, "float32"))[:, 0]
    cv2.fillConvexPoly(image, to_fixed_point(hull), colour, cv2.LINE_AA, FRACTION)
