"""Drawing landscapes with hills, trees and a house, in summer or in winter.

Both seasons show the same kind of scene: what changes is light, ground, foliage and roofs, what stays
is where things are and which colour the house has. So a translation can be seen to keep the scene.
"""

import numpy as np

from kerazoo.media.opencv import cv2

_FINER = 4
"""Images are drawn so many times larger and averaged down."""

Colour = tuple[float, float, float]

_SUMMER = {
    "zenith": (70, 130, 215), "horizon": (190, 220, 245), "far": (95, 140, 95), "near": (85, 165, 50),
    "crown": (35, 105, 35), "trunk": (95, 65, 40), "roof": (150, 60, 45), "disc": (255, 240, 170),
}  # fmt: skip
_WINTER = {
    "zenith": (125, 135, 150), "horizon": (205, 205, 210), "far": (175, 185, 205), "near": (238, 240, 246),
    "crown": (100, 80, 70), "trunk": (70, 55, 50), "roof": (235, 238, 245), "disc": (250, 225, 205),
}  # fmt: skip
_WALLS = ((200, 60, 50), (235, 190, 60), (60, 95, 175), (225, 220, 205), (95, 60, 120))


def draw_landscape(rng: np.random.Generator, size: int, *, winter: bool) -> np.ndarray:
    """Return an image: uint8 `(size, size, 3)`, RGB.

    Args:
        rng: decides the scene; the season changes only how it looks.
        size: height and width in pixels.
        winter: or summer.
    """
    paint = {name: _vary_colour(rng, colour) for name, colour in (_WINTER if winter else _SUMMER).items()}
    fine = size * _FINER
    image = _draw_sky(rng, fine, paint)
    far, near = (_random_ridge(rng, fine, *heights) for heights in ((0.3, 0.5, 0.08), (0.5, 0.7, 0.04)))
    _draw_ground(image, far, paint["far"])
    _draw_ground(image, near, paint["near"])
    _draw_house(image, rng, near, paint)
    for x in np.sort(rng.integers(0, fine, rng.integers(3, 8))).tolist():
        _draw_tree(image, rng, (x, near), paint, bare=winter)
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).astype("float32")
    return np.clip(small + rng.normal(0, 4, small.shape), 0, 255).round().astype("uint8")


def _vary_colour(rng: np.random.Generator, colour: Colour) -> Colour:
    red, green, blue = (np.array(colour) + rng.normal(0, 8)).clip(0, 255).tolist()
    return red, green, blue


def _draw_sky(rng: np.random.Generator, fine: int, paint: dict[str, Colour]) -> np.ndarray:
    part = np.linspace(0, 1, fine)[:, None, None]
    rows = (1 - part) * np.array(paint["zenith"]) + part * np.array(paint["horizon"])
    image = np.ascontiguousarray(np.broadcast_to(rows, (fine, fine, 3)).astype("uint8"))
    x, y = (fine * rng.uniform((0.1, 0.08), (0.9, 0.25))).astype(int).tolist()
    cv2.circle(image, (x, y), int(fine * rng.uniform(0.04, 0.08)), paint["disc"], -1, cv2.LINE_AA)
    return image


def _random_ridge(rng: np.random.Generator, fine: int, low: float, high: float, swing: float) -> np.ndarray:
    """Return the height of a ridge at every column, in pixels from the top: float64 `(fine,)`."""
    x = np.linspace(0, 2 * np.pi, fine)
    waves = np.zeros(fine)
    for n in (1, 2, 3):
        waves += rng.uniform(0.3, 1) / n * np.sin(n * x + rng.uniform(0, 6.3))
    return fine * (rng.uniform(low, high) + swing * waves)


def _draw_ground(image: np.ndarray, ridge: np.ndarray, colour: Colour) -> None:
    """Paint the area below a ridge, darker further down."""
    below = np.arange(len(image))[:, None] - ridge
    light = 1.0 - 0.25 * np.clip(below / len(image), 0, 1)[..., None]
    image[:] = np.where((below > 0)[..., None], light * np.array(colour), image).astype("uint8")


def _draw_house(
    image: np.ndarray, rng: np.random.Generator, near: np.ndarray, paint: dict[str, Colour]
) -> None:
    fine = len(image)
    wide, tall = fine * rng.uniform(0.14, 0.24), fine * rng.uniform(0.1, 0.16)
    x = fine * rng.uniform(0.15, 0.85)
    foot = near[int(x)] + fine * rng.uniform(0.05, 0.2)
    wall = _WALLS[rng.integers(len(_WALLS))]
    left, right, top = x - wide / 2, x + wide / 2, foot - tall
    _fill(image, [(left, top), (right, top), (right, foot), (left, foot)], wall)
    _fill(image, [(left - wide / 8, top), (x, top - 0.7 * tall), (right + wide / 8, top)], paint["roof"])
    for middle in (x - wide / 4, x + wide / 4):
        half, sill = wide / 12, foot - 0.45 * tall
        _fill(image, [(middle - half, sill - 2 * half), (middle + half, sill - 2 * half),
                      (middle + half, sill), (middle - half, sill)], (40, 40, 55))  # fmt: skip


def _draw_tree(
    image: np.ndarray, rng: np.random.Generator, place: tuple[int, np.ndarray], paint: dict, *, bare: bool
) -> None:
    fine, (x, near) = len(image), place
    foot, tall = near[x] + fine * rng.uniform(0, 0.25), fine * rng.uniform(0.15, 0.3)
    radius, thick = tall * rng.uniform(0.25, 0.35), max(int(tall / 14), 1)
    crown = (x, int(foot - tall + radius))
    cv2.line(image, (x, int(foot)), crown, paint["trunk"], 2 * thick, cv2.LINE_AA)
    if not bare:
        cv2.circle(image, crown, int(radius), paint["crown"], -1, cv2.LINE_AA)
        return
    for angle in np.linspace(-2.8, -0.35, 7).tolist():
        tip = crown[0] + radius * np.cos(angle), crown[1] + radius * np.sin(angle)
        cv2.line(image, crown, (int(tip[0]), int(tip[1])), paint["crown"], thick, cv2.LINE_AA)


def _fill(image: np.ndarray, corners: list[tuple[float, float]], colour: Colour) -> None:
    cv2.fillPoly(image, [np.array(corners).round().astype("int32")], colour, cv2.LINE_AA)
