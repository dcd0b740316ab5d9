"""Drawing cells as a microscope might show them.

Cells are deformed ellipses that push against each other. What makes the task more than a
threshold: the stain, and whether cells are brighter than the ground, change from image to image;
cells differ in brightness; nuclei have the membrane's colour; debris has the cells' colour but no
membrane; the light is uneven. What tells a cell for sure is the closed membrane around it.
"""

import colorsys
import math

import numpy as np

from kerazoo.media.opencv import cv2

BACKGROUND, CELL, MEMBRANE = range(3)

_SPACING = 30.0
"""Pixels from a cell to the next, about."""


def draw_cells(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a drawing and what it shows.

    Args:
        rng: decides everything.
        size: height and width in pixels.

    Returns:
        The image, uint8 `(H, W, 3)`, RGB; its labels, uint8 `(H, W)`: 0 background, 1 cell,
        2 membrane (3 to 5 pixels wide); and the cells by number, int32 `(H, W)`: 0 outside, the
        inner half of a membrane belongs to its cell.
    """
    cells, nuclei = _grow_cells(rng, size)
    half_width = rng.uniform(1.5, 2.5)
    edge = _distance_to_edge(cells)
    labels = np.where(edge <= half_width, MEMBRANE, cells > 0).astype("uint8")
    cover = np.clip(half_width + 0.5 - edge, 0, 1) * _smooth_noise(rng, size, 12, 0.85, 1.0)
    return _add_camera_effects(rng, _stain(rng, cells, nuclei, cover)), labels, cells


def _grow_cells(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells by number and where their nuclei are."""
    cells, nuclei = np.zeros(size, "int32"), np.zeros(size, "float32")
    nearest = np.ones(size, "float32")  # in units of the cell's own radius: 1 is its outline
    y, x = np.indices(size, "float32")
    y, x = (axis + _smooth_noise(rng, size, 16, -4, 4) for axis in (y, x))  # outlines get irregular
    for number, (top, left) in enumerate(_random_centres(rng, size), 1):
        radius = _SPACING * rng.uniform(0.4, 0.62)
        reach = math.ceil(radius * 1.3) + 4
        low = max(round(top) - reach, 0), max(round(left) - reach, 0)
        window = np.s_[low[0] : max(round(top) + reach, 0), low[1] : max(round(left) + reach, 0)]
        dy, dx = y[window] - top, x[window] - left
        distance = _ellipse_distance(dy, dx, radius, rng)
        owned = distance < nearest[window]
        nearest[window][owned] = distance[owned]
        cells[window][owned] = number
        nucleus = _ellipse_distance(
            dy - rng.normal(0, 2), dx - rng.normal(0, 2), radius * rng.uniform(0.25, 0.45), rng
        )
        shown = np.clip((1 - nucleus) * 4, 0, 1) * (rng.random() < 0.85)
        nuclei[window][owned] = shown[owned]
    return cells, nuclei


def _random_centres(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return the (top, left) of the cells: a shaken hexagonal grid with holes."""
    rows, columns = (math.ceil(length / _SPACING) + 2 for length in size)
    row, column = (axis.ravel() for axis in np.indices((rows, columns)))
    grid = np.stack([row * 0.9, column + 0.5 * (row % 2)], axis=1) * _SPACING
    shaken = grid - rng.uniform(0.5, 1.5, 2) * _SPACING + rng.normal(0, 0.14 * _SPACING, grid.shape)
    return shaken[rng.random(len(shaken)) > rng.uniform(0.1, 0.4)]


def _ellipse_distance(dy: np.ndarray, dx: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Return the distance from the centre of a random ellipse, 1 on its outline."""
    angle, stretch = rng.uniform(0, math.pi), rng.uniform(1, 1.25)
    along = (math.cos(angle) * dx + math.sin(angle) * dy) / (radius * stretch)
    across = (math.cos(angle) * dy - math.sin(angle) * dx) / (radius / stretch)
    return np.sqrt(along * along + across * across)


def _distance_to_edge(cells: np.ndarray) -> np.ndarray:
    """Return how far a pixel is from the line between two cells or a cell and the ground, float32."""
    number = cells.astype("float32")
    square = np.ones((3, 3), "uint8")
    inner = (cv2.dilate(number, square) == cv2.erode(number, square)).astype("uint8")
    return cv2.distanceTransform(inner, cv2.DIST_L2, cv2.DIST_MASK_5) + 0.5


def _smooth_noise(
    rng: np.random.Generator, size: tuple[int, int], grain: float, low: float, high: float
) -> np.ndarray:
    """Return smooth noise between about `low` and `high` with spots of about `grain` pixels, float32."""
    coarse = rng.uniform(low, high, [max(math.ceil(length / grain), 2) for length in size]).astype("float32")
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def _stain(
    rng: np.random.Generator, cells: np.ndarray, nuclei: np.ndarray, membrane: np.ndarray
) -> np.ndarray:
    """Return the colours of cells, nuclei, membranes and debris, float32 `(H, W, 3)` in 0..1."""
    ground, body, stain = _random_palette(rng)
    tone = rng.uniform(-0.5, 0.5, cells.max() + 1).astype("float32")[cells]  # every cell its own
    amount = np.where(cells > 0, 1 + tone, _random_debris(rng, cells.shape)) + _smooth_noise(
        rng, cells.shape, 4, -0.15, 0.15
    )
    dark = np.maximum(nuclei * rng.uniform(0.6, 0.9), membrane)[..., None]
    colours = ground + amount[..., None] * (body - ground)
    return colours + dark * (stain - colours)


def _random_palette(rng: np.random.Generator) -> np.ndarray:
    """Return colours of ground, cell body and membrane, float32 `(3, 3)`: bright field or fluorescence."""
    if rng.random() < 0.65:
        values, saturations = (
            rng.uniform((0.82, 0.55, 0.2), (0.97, 0.78, 0.42)),
            rng.uniform((0, 0.2, 0.45), (0.1, 0.45, 0.8)),
        )
        if rng.random() < 0.3:  # cells lighter than the ground
            values[:2], saturations[:2] = values[1::-1].copy(), saturations[1::-1].copy()
    else:
        values, saturations = rng.uniform((0.05, 0.2, 0.75), (0.14, 0.38, 1.0)), rng.uniform(0.4, 0.9, 3)
    hues = rng.uniform() + np.array([0.0, 0.0, rng.uniform(-0.1, 0.1)]) + rng.normal(0, 0.02, 3)
    colours = [colorsys.hsv_to_rgb(*hsv) for hsv in zip(hues % 1, saturations, values, strict=True)]
    return np.array(colours, "float32")


def _random_debris(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return how much of a cell's colour lies about on the ground: soft blobs, float32 in 0..1."""
    blobs = np.zeros(size, "float32")
    for _ in range(rng.poisson(size[0] * size[1] / 2500)):
        centre = int(rng.integers(size[1])), int(rng.integers(size[0]))
        axes = int(rng.integers(3, 11)), int(rng.integers(3, 8))
        cv2.ellipse(blobs, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0.7, 1.3), -1)
    return cv2.GaussianBlur(blobs, (0, 0), 1.2)


def _add_camera_effects(rng: np.random.Generator, colours: np.ndarray) -> np.ndarray:
    """Return the colours with uneven light, slight blur and noise: uint8."""
    height, width, _ = colours.shape
    light = _smooth_noise(rng, (height, width), max(height, width) / 2, 0.65, 1.15)[..., None]
    seen = cv2.GaussianBlur(colours * light, (0, 0), rng.uniform(0.5, 1.0)) * 255
    seen += rng.standard_normal(seen.shape, "float32") * np.float32(rng.uniform(2, 7))
    return np.clip(seen, 0, 255).astype("uint8")
