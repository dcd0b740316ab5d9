"""The scenery of drawn people and faces: ground, clutter, occluding things, light and noise."""

import numpy as np

from kerazoo.media.opencv import cv2

FRACTION = 4
"""Binary digits behind the point with which OpenCV is told where to draw."""

_ANGLES = np.linspace(0, 2 * np.pi, 20, endpoint=False)
_BOX = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], "float64")
_THINGS = (
    (_BOX, (0.3, 0.3), (1.0, 1.0)),
    (np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), (0.4, 0.4), (1.0, 1.0)),
    (_BOX, (0.08, 2.5), (0.25, 4.0)),  # poles
    (np.array([(-1, -0.4), (0.2, -1), (1, 0.3), (-0.3, 0.9)]), (0.4, 0.4), (1.0, 1.0)),
)
"""Convex outlines, and from where to where they are stretched along x and y."""


def draw_ground(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return a random background of walls, floor and clutter: uint8 `(H, W, 3)`."""
    height, width = size
    image = _random_gradient(rng, size)
    if rng.random() < 0.7:
        horizon = int(height * rng.uniform(0.35, 0.9))
        image[horizon:] = _random_gradient(rng, (height - horizon, width))
    count = int(rng.integers(2, 16))
    shares = np.exp(rng.uniform(np.log(0.03), np.log(0.35), count)).tolist()
    for share, paint in zip(shares, random_colours(rng, count), strict=True):
        draw_thing([image], [paint], rng, share)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)) if rng.random() < 0.5 else image


def draw_thing(layers: list[np.ndarray], values: list, rng: np.random.Generator, share: float) -> None:
    """Draw a random box, disc, pole or scrap into every layer, with that layer's value.

    Args:
        layers: uint8 `(H, W)` or `(H, W, 3)`, of one size.
        values: a number or a colour for each.
        rng: decides what and where.
        share: of the shorter side that it takes.
    """
    height, width = layers[0].shape[:2]
    outline, low, high = _THINGS[rng.integers(len(_THINGS))]
    x, y, across, down, angle = rng.uniform((0, 0, *low, -1), (width, height, *high, 1))
    cosine, sine = np.cos(angle), np.sin(angle)
    half = share * min(height, width) / 2
    stretched = np.array([(across * cosine, across * sine), (-down * sine, down * cosine)]) * half
    corners = to_fixed_point(outline @ stretched + (x, y))
    for layer, value in zip(layers, values, strict=True):
        cv2.fillConvexPoly(layer, corners, value, cv2.LINE_AA if layer.ndim == 3 else cv2.LINE_8, FRACTION)


def to_fixed_point(places: np.ndarray) -> np.ndarray:
    """Return points in OpenCV's fixed-point numbers: int32, in units of 2^-FRACTION pixels."""
    return np.rint(places * 2**FRACTION).astype("int32")


def random_colours(rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    """Return random colours, from greyish to bright."""
    bright = rng.uniform(0, 255, (count, 3))
    grey = bright.mean(axis=1, keepdims=True)
    return [
        tuple(colour)
        for colour in np.rint(grey + rng.random((count, 1)) * (bright - grey)).astype(int).tolist()
    ]


def add_camera_effects(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image with slight blur, uneven light and noise: uint8 `(H, W, 3)`."""
    height, width = image.shape[:2]
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.9))
    coarse = np.rint(rng.uniform(140, 255, (3, 3))).astype("uint8")
    light = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    lit = cv2.multiply(soft, cv2.cvtColor(light, cv2.COLOR_GRAY2RGB), scale=rng.uniform(1.0, 1.3) / 255)
    grain = cv2.cvtColor(rng.integers(0, 256, (height, width), "uint8"), cv2.COLOR_GRAY2RGB)
    strength = rng.uniform(1, 7) / 74  # the standard deviation of 0..255
    return cv2.addWeighted(lit, 1, grain, strength, -127.5 * strength)


def overlaps(corners: np.ndarray, sides: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """Return the share of the smaller of two boxes that lies in the other.

    Args:
        corners: `(n, 2)`, where a box may be.
        sides: `(2,)`, its size.
        placed: `(m, 2, 2)`, corners and sizes of other boxes.

    Returns:
        `(n, m)`, 0..1.
    """
    others, extents = placed[:, 0], placed[:, 1]
    ends = np.minimum(corners[:, None] + sides, others + extents)
    common = np.maximum(ends - np.maximum(corners[:, None], others), 0).prod(axis=2)
    return common / np.minimum(sides.prod(), extents.prod(axis=1))


def _random_gradient(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return a smooth gradient of random colours around a mean colour."""
    patches = np.clip(rng.uniform(30, 225) + rng.normal(0, 30, 3) + rng.normal(0, 22, (3, 3, 3)), 0, 255)
    return cv2.resize(patches.astype("uint8"), size[::-1], interpolation=cv2.INTER_CUBIC)
